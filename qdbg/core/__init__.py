"""Integers, arithmetic and stages; numpy only."""
