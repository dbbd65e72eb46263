"""Capture: what PyTorch really computed."""
