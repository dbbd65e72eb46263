"""The names that options take; no numpy, for --help and the first paint wait for this file."""

from __future__ import annotations

import re

ENGINES = ("fbgemm", "x86", "onednn", "qnnpack")
"""The values of torch.backends.quantized.engine that qdbg knows."""
LEVELS = ("avx2", "avx512", "vnni")
"""The CPU levels, lowest first; vnni means AVX-512 with VNNI."""
CPUS = ("native", *LEVELS)
"""What --cpu takes; native is the machine's own level."""
FEEDS = ("captured", "simulated")
"""What a simulated call is fed: PyTorch's own integers (each call on its own) or the simulated
ones (differences propagate)."""
VIEWS = ("table", "channel", "pixel", "picture")
"""How the elements of an image are shown: all in a table, one channel's, one pixel's, or as a
picture of the channel."""
TEXTBOOK = "textbook"
ARITHMETIC_NAMES = (*(f"{engine}-{level}" for level in LEVELS for engine in ENGINES), TEXTBOOK)
"""Each engine on each CPU level, and the formula of papers."""
FLOWERS = ("setosa", "versicolor", "virginica")
"""The named samples."""
ROWS = 150
"""Rows of Iris."""


def is_sample(name: str) -> bool:
    """Whether --sample knows the name: a flower, or `iris:N`."""
    row = re.fullmatch(r"iris:(\d{1,9})", name, re.ASCII)
    return name in FLOWERS or (row is not None and int(row[1]) < ROWS)
