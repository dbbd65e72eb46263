"""Fuzzing this machine's PyTorch against the simulation; everything but the parent needs torch."""
