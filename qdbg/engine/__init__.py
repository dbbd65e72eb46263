"""Simulating recorded calls and comparing the integers."""
