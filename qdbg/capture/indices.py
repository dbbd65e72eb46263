"""Child only: numbers that a model takes as indices, which PyTorch wants as integers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np

from qdbg.core.quantity import readonly
from qdbg.errors import CaptureError
from qdbg.samples import Sample

EXACT = 2**24
"""Below this, float32 holds every integer."""
INDEX = re.compile(r"\b(index|indices)\b", re.IGNORECASE)
KIND = re.compile(r"float|long|\bint", re.IGNORECASE)
T = TypeVar("T")


class Giving:
    """Gives samples to a model: as float32, or as int64 once PyTorch has refused the float32
    numbers of one as indices."""

    def __init__(self) -> None:
        self._as_indices = False

    def __call__(self, record: Callable[[Sample], T], sample: Sample) -> T:
        """What `record` makes of the sample. Raises CaptureError, also for numbers that are no
        indices where the model wants some."""
        if not self._as_indices:
            try:
                return record(sample)
            except CaptureError as error:
                if not _wants_indices(error):
                    raise
                self._as_indices = True
        return record(_with_indices(sample))


def _wants_indices(error: CaptureError) -> bool:
    """Whether PyTorch refused the type of what it took for indices: only its words tell."""
    words = str(error.__cause__ or "")
    return bool(INDEX.search(words) and KIND.search(words))


def _with_indices(sample: Sample) -> Sample:
    values = sample.values
    if not ((values == np.rint(values)) & (np.abs(values) < EXACT)).all():
        raise CaptureError(
            f"{sample.name} has numbers that are no indices",
            expected=f"whole numbers below {EXACT}, because the model takes its input as indices",
        )
    return replace(sample, values=readonly(values.astype(np.int64)))
