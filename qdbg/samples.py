"""Inputs for the model: three flowers, rows of Iris, files and plain numbers.

Importing sklearn takes longer than everything else before the first paint, so that the scaler's
constants stand here and the rows come from sklearn's own file; a test compares both with sklearn.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import math
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qdbg.core.quantity import Array, readonly
from qdbg.errors import SampleError
from qdbg.names import FLOWERS, ROWS

MEAN = (5.843333333333335, 3.057333333333334, 3.7580000000000027, 1.199333333333334)
"""`StandardScaler().fit(load_iris().data).mean_`, exact in float64."""
SCALE = (0.8253012917851409, 0.43441096773549437, 1.7594040657753032, 0.7596926279021594)
"""`StandardScaler().fit(load_iris().data).scale_`, exact in float64."""
CENTIMETRES = ((5.3, 3.7, 1.5, 0.2), (7.0, 3.2, 4.7, 1.4), (7.7, 3.8, 6.7, 2.2))
MEASURED: dict[str, tuple[float, ...]] = dict(zip(FLOWERS, CENTIMETRES, strict=True))
"""The three named samples, in centimetres."""

MAX_BYTES = 64 * 2**20
NAMES = f"{', '.join(FLOWERS)} or iris:N with N from 0 to {ROWS - 1}"
FORMATS = "a .npy, .npz, .csv or .json file, or numbers such as '5.3 3.7 1.5 0.2'"


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What the model is fed, and where it comes from."""

    name: str
    """How the user named it: `versicolor`, `iris:57`, `--input x.npy`."""
    values: Array
    """float32 [N, K], read-only."""
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
    typed = _typed_numbers(text)
    table = _from_file(text) if typed is None else typed
    values = _checked(table, text)
    whose = "your numbers" if typed is not None else f"the numbers of {text}"
    note = f"{whose}, taken as already scaled"
    if standardize:
        if values.shape[1] != len(MEAN):
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
    if features is not None and sample.values.shape[1] != features:
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
    count = values.shape[1]
    return f"{count} value per row" if count == 1 else f"{count} values per row"


def _typed_numbers(text: str) -> list[list[float]] | None:
    """`5.3 3.7; 1.5 0.2`: rows of numbers, or None where the text is something else."""
    rows = [row.replace(",", " ").split() for row in text.strip().strip("[]").split(";")]
    try:
        return [[float(cell) for cell in row] for row in rows] if any(rows) else None
    except ValueError:
        return None


def _from_file(text: str) -> object:
    head, colon, member = text.rpartition(":")
    inside = colon and head.lower().endswith(".npz") and not Path(text).exists()
    path, name = (Path(head), member) if inside else (Path(text), "")
    readers = {".npy": _npy, ".csv": _csv, ".json": _json}
    kind = path.suffix.lower()
    if kind != ".npz" and kind not in readers:
        what = "a kind that qdbg does not read" if path.exists() else "neither file nor numbers"
        raise SampleError(f"--input {text!r} is {what}", expected=FORMATS)
    data = _bytes(path)
    return _npz(data, path, name) if kind == ".npz" else readers[kind](data, path)


def _bytes(path: Path) -> bytes:
    try:
        if not path.exists():
            raise SampleError(f"there is no file {path}", expected=FORMATS)
        if not path.is_file():
            raise SampleError(f"{path} is not a file", expected=FORMATS)
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise SampleError(f"{path} has {size} bytes", expected=f"at most {MAX_BYTES}")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise SampleError(f"{path} cannot be read: {error}") from error


def _npy(data: bytes, path: Path) -> object:
    try:
        array: Array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # numpy parses the header as Python: it can fail in many ways
        raise SampleError(
            f"{path} cannot be read as a numpy array: {_first_line(error)}",
            expected="plain numbers, saved by numpy.save",
        ) from error
    return array


def _npz(data: bytes, path: Path, name: str) -> object:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
            if not name and len(names) != 1:
                raise SampleError(
                    f"{path} holds {len(names)} arrays: {', '.join(names) or 'none'}",
                    expected="one array, or its name after a colon",
                    remedy=f"write --input {path}:{names[0]}" if names else "",
                )
            if name and name not in names:
                known = ", ".join(names) or "none"
                raise SampleError(f"{path} has no array {name!r}", expected=f"one of {known}")
            member = archive.getinfo(f"{name or names[0]}.npy")
            if member.file_size > MAX_BYTES:
                raise SampleError(
                    f"{member.filename} in {path} has {member.file_size} bytes",
                    expected=f"at most {MAX_BYTES}",
                )
            with archive.open(member) as stream:
                content = stream.read(MAX_BYTES)
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError, zlib.error) as error:
        raise SampleError(f"{path} cannot be read: {_first_line(error)}") from error
    return _npy(content, path)


def _csv(data: bytes, path: Path) -> object:
    lines = [line for line in _text(data, path).splitlines() if line.strip()]
    first = lines[0] if lines else ""
    mark = next((m for m in ("\t", ";", ",") if m in first), " ")
    try:
        rows = list(csv.reader(lines, delimiter=mark, skipinitialspace=True))
    except csv.Error as error:
        raise SampleError(f"{path} cannot be read: {error}") from error
    header = bool(rows) and len(rows) > 1 and not any(_is_number(cell) for cell in rows[0])
    table = []
    for number, row in enumerate(rows[header:], start=1):
        for column, cell in enumerate(row, start=1):
            if not _is_number(cell):
                where = f"row {number}, column {column} of {path}"
                raise SampleError(f"{where} is {cell.strip()[:40]!r}", expected="a number")
        table.append([float(cell) for cell in row])
    return table


def _json(data: bytes, path: Path) -> object:
    try:
        return json.loads(_text(data, path))
    except (ValueError, RecursionError) as error:
        raise SampleError(
            f"{path} cannot be read as JSON: {_first_line(error)}",
            expected="a list of numbers, or a list of such lists",
        ) from error


def _text(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SampleError(f"{path} is not text", expected="UTF-8") from error


def _checked(table: object, text: str) -> Array:
    """float64 [N, K], every number finite. Raises SampleError."""
    array = table if isinstance(table, np.ndarray) else _rectangle(table, text)
    if array.dtype.kind not in "iuf":
        raise SampleError(f"{text} holds {array.dtype} values", expected="numbers")
    if array.size == 0:
        raise SampleError(f"{text} holds no numbers", expected="at least one row")
    if array.ndim not in (1, 2):
        raise SampleError(
            f"{text} has the shape {list(array.shape)}", expected="one row, or a table of rows"
        )
    values = np.atleast_2d(array.astype(np.float64))
    bad = np.argwhere(~np.isfinite(values))
    if bad.size:
        row, column = bad[0]
        raise SampleError(
            f"{text} has {values[row, column]} at row {row + 1}, column {column + 1}",
            expected="finite numbers",
        )
    return values


def _rectangle(table: object, text: str) -> Array:
    rows: list[Any] = table if isinstance(table, list) else [table]
    if not any(isinstance(row, list) for row in rows):
        rows = [rows]
    if not all(isinstance(row, list) for row in rows):
        raise SampleError(f"{text} mixes numbers and rows", expected="rows of numbers")
    lengths = {len(row) for row in rows}
    if len(lengths) > 1:
        found = f"{text} has rows of {' and '.join(str(n) for n in sorted(lengths)[:2])} values"
        raise SampleError(found, expected="rows of one length")
    for cell in (cell for row in rows for cell in row):
        if isinstance(cell, bool) or not isinstance(cell, int | float):
            shown = json.dumps(cell)[:40]
            raise SampleError(f"{text} holds {shown}", expected="numbers only")
    try:
        return np.array([[float(cell) for cell in row] for row in rows], np.float64)
    except OverflowError as error:
        raise SampleError(
            f"a number of {text} is too large", expected="what float32 can hold"
        ) from error


def _is_number(cell: str) -> bool:
    try:
        math.isfinite(float(cell))
    except ValueError:
        return False
    return True


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:160] or type(error).__name__
