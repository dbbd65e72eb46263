"""Inputs for the model: three flowers, rows of Iris, files and plain numbers.

Importing sklearn takes longer than everything else before the first paint, so that the scaler's
constants stand here and the rows come from sklearn's own file; a test compares both with sklearn.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qdbg.arrays import checked, from_file, typed_numbers
from qdbg.core.quantity import Array, readonly
from qdbg.core.words import counted
from qdbg.errors import SampleError
from qdbg.names import FLOWERS, ROWS

MEAN = (5.843333333333335, 3.057333333333334, 3.7580000000000027, 1.199333333333334)
"""`StandardScaler().fit(load_iris().data).mean_`, exact in float64."""
SCALE = (0.8253012917851409, 0.43441096773549437, 1.7594040657753032, 0.7596926279021594)
"""`StandardScaler().fit(load_iris().data).scale_`, exact in float64."""
CENTIMETRES = ((5.3, 3.7, 1.5, 0.2), (7.0, 3.2, 4.7, 1.4), (7.7, 3.8, 6.7, 2.2))
MEASURED: dict[str, tuple[float, ...]] = dict(zip(FLOWERS, CENTIMETRES, strict=True))
"""The three named samples, in centimetres."""

ROWS_AND_COLUMNS = 2
NAMES = f"{', '.join(FLOWERS)} or iris:N with N from 0 to {ROWS - 1}"


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What the model is fed, and where it comes from."""

    name: str
    """How the user named it: `versicolor`, `iris:57`, `--input x.npy`."""
    values: Array
    """float32 [N, K], or [N, C, H, W] and the like; read-only. int64 where a model takes them as
    indices, which only the capture knows."""
    note: str
    """In words whether and how the numbers were scaled: `row 57 of Iris, standardized`."""


def _words(numbers: tuple[float, ...]) -> str:
    return " ".join(str(number) for number in numbers)


def named_sample(name: str, features: int | None = None) -> Sample:
    """One of the flowers or `iris:N`, standardized. Raises SampleError."""
    if name in FLOWERS:
        sample = Sample(
            name, _standardized([MEASURED[name]]), f"{_words(MEASURED[name])} cm, standardized"
        )
    elif name.startswith("iris:"):
        row = _row_number(name)
        sample = Sample(name, _standardized([iris_rows()[row]]), f"row {row} of Iris, standardized")
    else:
        raise SampleError(f"there is no sample called {name!r}", expected=NAMES)
    return fitting(sample, features)


def input_sample(text: str, *, standardize: bool = False, features: int | None = None) -> Sample:
    """The user's own numbers, typed or from a file. Raises SampleError.

    They are taken as already scaled unless `standardize` sends them through Iris's scaler.
    """
    typed = typed_numbers(text)
    table = from_file(text) if typed is None else typed
    values = checked(table, text)
    whose = "your numbers" if typed is not None else f"the numbers of {text}"
    note = f"{whose}, taken as already scaled"
    if standardize:
        if values.shape[1:] != (len(MEAN),):
            raise SampleError(
                f"{whose} have {_columns(values)}",
                expected=f"{len(MEAN)} per row, because Iris's scaler was asked for",
                remedy="leave out --standardize if they are already scaled",
            )
        values, note = _standardized(values), f"{whose}, standardized with the scaler of Iris"
    with np.errstate(over="ignore", under="ignore"):
        narrow = values.astype(np.float32)
    if not np.isfinite(narrow).all():
        raise SampleError(f"a number of {text} is too large", expected="what float32 can hold")
    return fitting(Sample(f"--input {text}", readonly(narrow), note), features)


def fitting(sample: Sample, features: int | None) -> Sample:
    """The sample itself if the model takes that many values per row. Raises SampleError."""
    if features is not None and sample.values.shape[-1] != features:
        raise SampleError(
            f"{sample.name} has {_columns(sample.values)}",
            expected=f"{features}, which is what the model's first layer takes",
            remedy="give the model's own input with --input",
        )
    return sample


def iris_rows() -> Sequence[Sequence[float]]:
    """The 150 rows of Iris in centimetres, as sklearn ships them. Raises SampleError."""
    found = importlib.util.find_spec("sklearn")
    if found is None or found.origin is None:
        raise SampleError("the rows of Iris come with scikit-learn, which is not installed")
    path = Path(found.origin).parent / "datasets" / "data" / "iris.csv"
    if not path.is_file():  # another layout of the package: sklearn itself knows where
        datasets = importlib.import_module("sklearn.datasets")
        rows: list[list[float]] = datasets.load_iris().data.tolist()
        return rows
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    return [[float(cell) for cell in line.split(",")[:4]] for line in lines]


def _row_number(name: str) -> int:
    digits = name.removeprefix("iris:")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(ROWS))):
        raise SampleError(f"{name!r} does not name a row of Iris", expected=NAMES)
    if int(digits) >= ROWS:
        raise SampleError(f"Iris has no row {int(digits)}", expected=f"0 to {ROWS - 1}")
    return int(digits)


def _standardized(rows: Sequence[Sequence[float]] | Array) -> Array:
    scaled = (np.asarray(rows, np.float64) - np.array(MEAN)) / np.array(SCALE)
    with np.errstate(over="ignore"):
        return readonly(scaled.astype(np.float32))


def _columns(values: Array) -> str:
    if values.ndim > ROWS_AND_COLUMNS:
        return f"the shape {list(values.shape)}"
    count = values.shape[1]
    return f"{counted(count, 'value')} per row"
