"""Sets of samples: all of Iris, scikit-learn's digits, and files; the first axis counts them."""

from __future__ import annotations

import gzip
import importlib
import importlib.util
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qdbg.arrays import checked, from_file
from qdbg.core.quantity import Array, readonly
from qdbg.core.words import counted
from qdbg.errors import SampleError
from qdbg.names import SETS, TABLES, is_set
from qdbg.samples import MEAN, SCALE, Sample, iris_rows, named_sample

LABELS = ("labels", "y")
"""Arrays of a .npz file that say each sample's class."""
PIXELS, WHITE, SIDE = 64, 16.0, 8
"""scikit-learn's digits: 8×8 pixels from 0 to 16."""
EXPECTED = f"iris, digits, or a file: {', '.join(f'.{kind}' for kind in TABLES)}"


@dataclass(frozen=True, slots=True, eq=False)
class SampleSet:
    """Samples of one shape."""

    name: str
    """How the user named it: `iris`, `digits`, `images.npz`."""
    values: Array
    """float32, the first axis counts the samples; read-only."""
    labels: Array | None
    """int64, each sample's class, where they are known."""
    note: str
    """In words where the numbers come from and how they were scaled."""

    def __len__(self) -> int:
        """How many samples there are."""
        return int(self.values.shape[0])

    def row(self, index: int) -> Sample:
        """One sample, with an axis of length 1 in front. Raises SampleError."""
        if not 0 <= index < len(self):
            raise SampleError(
                f"{self.name} has no sample {index}", expected=f"0 to {len(self) - 1}"
            )
        note = f"sample {index} of {len(self)}: {self.note}"
        return Sample(f"{self.name}:{index}", readonly(self.values[index : index + 1]), note)


def sample_set(name: str) -> SampleSet:
    """The set of that name. Raises SampleError."""
    if name == "iris":
        rows = np.asarray(iris_rows(), np.float64)
        scaled = ((rows - np.array(MEAN)) / np.array(SCALE)).astype(np.float32)
        labels = np.repeat(np.arange(3), SETS["iris"] // 3)
        return SampleSet(name, readonly(scaled), readonly(labels), "rows of Iris, standardized")
    if name == "digits":
        table = _digits()
        images = (table[:, :PIXELS] / WHITE).astype(np.float32).reshape(-1, 1, SIDE, SIDE)
        labels = table[:, PIXELS].astype(np.int64)
        return SampleSet(name, readonly(images), readonly(labels), "8×8 pixels, divided by 16")
    if not is_set(name):
        raise SampleError(f"there is no set of samples called {name!r}", expected=EXPECTED)
    return _from_file(name)


def any_sample(name: str) -> Sample:
    """What --sample takes: a flower, `iris:7`, `digits:7`, `images.npz:7`. Raises SampleError."""
    owner, colon, row = name.rpartition(":")
    if colon and row.isdigit() and row.isascii() and owner != "iris" and is_set(owner):
        return sample_set(owner).row(int(row))
    return named_sample(name)


def _from_file(name: str) -> SampleSet:
    head, colon, array = name.rpartition(":")
    chosen = bool(colon) and head.lower().endswith(".npz") and not Path(name).exists()
    file = head if chosen else name
    held = [n for n in _arrays_in(file) if n not in LABELS]
    if len(held) != 1 and not chosen and _arrays_in(file):
        raise SampleError(
            f"{file} holds {len(held)} arrays of samples: {', '.join(held) or 'labels alone'}",
            expected=f"one, beside {' or '.join(LABELS)}, or its name after a colon",
            remedy=f"write {file}:{held[0]}" if held else "",
        )
    text = f"{file}:{array if chosen else held[0]}" if chosen or len(held) == 1 else file
    with np.errstate(over="ignore", under="ignore"):
        values = checked(from_file(text), name).astype(np.float32)
    if not np.isfinite(values).all():
        raise SampleError(f"a number of {name} is too large", expected="what float32 can hold")
    labels = _labels(file)
    if labels is not None and labels.shape != values.shape[:1]:
        raise SampleError(
            f"{name} has {counted(len(values), 'sample')} and labels of the shape "
            f"{list(labels.shape)}",
            expected="one label for each sample",
        )
    return SampleSet(name, readonly(values), labels, f"numbers of {name}, taken as they are")


def _labels(name: str) -> Array | None:
    held = next((n for n in LABELS if n in _arrays_in(name)), None)
    if held is None:
        return None
    found = from_file(f"{name}:{held}")
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "iu":
        kind = found.dtype if isinstance(found, np.ndarray) else type(found).__name__
        raise SampleError(f"{held} in {name} holds {kind} values", expected="whole numbers")
    return readonly(found.astype(np.int64))


def _arrays_in(name: str) -> list[str]:
    """The names of the arrays of a .npz file; empty for what is none: reading it says why."""
    if not name.lower().endswith(".npz"):
        return []
    try:
        with zipfile.ZipFile(name) as archive:
            return [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
    except (OSError, zipfile.BadZipFile, ValueError):
        return []


def _digits() -> Array:
    """float64 [1797, 65]: 64 pixels and the digit, as sklearn ships them. Raises SampleError."""
    found = importlib.util.find_spec("sklearn")
    if found is None or found.origin is None:
        raise SampleError("the digits come with scikit-learn, which is not installed")
    path = Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if path.is_file():
        with gzip.open(path, "rt", encoding="ascii") as lines:
            return np.loadtxt(lines, delimiter=",")
    bunch = importlib.import_module("sklearn.datasets").load_digits()
    return np.column_stack((bunch.data, bunch.target))
