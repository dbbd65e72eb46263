"""The names that options take; no numpy, for --help and the first paint wait for this file."""

from __future__ import annotations

import re

ENGINES = ("fbgemm", "x86", "onednn", "qnnpack")
"""The values of torch.backends.quantized.engine that qdbg knows."""
THEME_NAMES = ("dark", "light", "contrast", "ansi")
"""The looks of the app, in the order in which a key shows them."""

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


DIGITS = 1797
"""Images of scikit-learn's digits."""
SETS = {"iris": ROWS, "digits": DIGITS}
"""The named sets of samples, and how many there are in each."""
TABLES = ("npz", "npy", "csv", "json")
"""Kinds of files that hold a set of samples."""


def is_sample(name: str) -> bool:
    """Whether --sample knows the name: a flower, `iris:N`, `digits:N` or `FILE.npz:N`."""
    row = re.fullmatch(r"(.+):(\d{1,9})", name, re.ASCII)
    if row is None:
        return name in FLOWERS
    return int(row[2]) < SETS[row[1]] if row[1] in SETS else is_set(row[1])


def is_set(name: str) -> bool:
    """Whether --samples knows the name: `iris`, `digits`, or that of a file; `x.npz:name` names an
    array in it."""
    kinds = "|".join(TABLES)
    file = re.fullmatch(rf".*\.(?:{kinds})|.*\.npz:[^:]*[^:0-9][^:]*", name, re.IGNORECASE)
    return name in SETS or file is not None


DASK = "dask"
BACKENDS = ("loky", "threading", DASK)
"""Who runs the workers of `sweep` and `predict`: joblib's names."""
