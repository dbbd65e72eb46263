"""qdbg: step through the integer arithmetic of a quantized PyTorch model."""

__version__ = "0.1.0"
