"""Numbers from files and from the command line, each checked."""

from __future__ import annotations

import csv
import io
import json
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from qdbg.core.quantity import Array
from qdbg.errors import SampleError

MAX_BYTES = 64 * 2**20
FORMATS = "a .npy, .npz, .csv or .json file, or numbers such as '5.3 3.7 1.5 0.2'"
MOST_AXES, TABLE = 5, 2


def typed_numbers(text: str) -> list[list[float]] | None:
    """`5.3 3.7; 1.5 0.2`: rows of numbers, or None where the text is something else."""
    rows = [row.replace(",", " ").split() for row in text.strip().strip("[]").split(";")]
    try:
        return [[float(cell) for cell in row] for row in rows] if any(rows) else None
    except ValueError:
        return None


def from_file(text: str) -> object:
    """What a file holds, not checked yet; `x.npz:name` names an array. Raises SampleError."""
    head, colon, member = text.rpartition(":")
    inside = colon and head.lower().endswith(".npz") and not Path(text).exists()
    path, name = (Path(head), member) if inside else (Path(text), "")
    readers = {".npy": npy_array, ".csv": _csv, ".json": _json}
    kind = path.suffix.lower()
    if kind != ".npz" and kind not in readers:
        what = "a kind that qdbg does not read" if path.exists() else "neither file nor numbers"
        one = member.isdecimal() and Path(head).is_file()
        remedy = f"One of a file's samples: --sample {text}" if one else ""
        raise SampleError(f"--input {text!r} is {what}", expected=FORMATS, remedy=remedy)
    data = read_bytes(path)
    return _npz(data, path, name) if kind == ".npz" else readers[kind](data, path)


def read_bytes(path: Path) -> bytes:
    """A whole file of at most MAX_BYTES. Raises SampleError."""
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


def npy_array(data: bytes, path: Path) -> Array:
    """The array of a .npy file, of any plain dtype. Raises SampleError."""
    try:
        array: Array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # numpy parses the header as Python: it can fail in many ways
        raise SampleError(
            f"{path} cannot be read as a numpy array: {first_line(error)}",
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
                    expected="one array, the model's one input, or its name after a colon",
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
        raise SampleError(f"{path} cannot be read: {first_line(error)}") from error
    return npy_array(content, path)


def _csv(data: bytes, path: Path) -> object:
    lines = [line for line in as_text(data, path).splitlines() if line.strip()]
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
        return json.loads(as_text(data, path))
    except (ValueError, RecursionError) as error:
        raise SampleError(
            f"{path} cannot be read as JSON: {first_line(error)}",
            expected="a list of numbers, or a list of such lists",
        ) from error


def as_text(data: bytes, path: Path) -> str:
    """UTF-8, with or without a byte order mark. Raises SampleError."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SampleError(f"{path} is not text", expected="UTF-8") from error


def checked(table: object, text: str) -> Array:
    """float64 [N, K] or with more axes, every number finite. Raises SampleError."""
    array = table if isinstance(table, np.ndarray) else _box(table, text)
    if array.dtype.kind not in "iuf":
        raise SampleError(f"{text} holds {array.dtype} values", expected="numbers")
    if array.size == 0:
        raise SampleError(f"{text} holds no numbers", expected="at least one row")
    if not 1 <= array.ndim <= MOST_AXES:
        raise SampleError(
            f"{text} has the shape {list(array.shape)}",
            expected=f"one row, a table of rows, or images with up to {MOST_AXES} axes",
        )
    values = np.atleast_2d(array.astype(np.float64))
    bad = np.argwhere(~np.isfinite(values))
    if bad.size:
        raise SampleError(
            f"{text} has {values[tuple(bad[0])]} at {_where(bad[0])}", expected="finite numbers"
        )
    return values


def _where(index: Array) -> str:
    if len(index) == TABLE:
        return f"row {index[0] + 1}, column {index[1] + 1}"
    return f"index {', '.join(str(int(i)) for i in index)}"


def _box(table: object, text: str) -> Array:
    """Lists in lists as an array; a table says which of its rows or cells is wrong."""
    depth, inner = 0, table
    while isinstance(inner, list) and inner:
        depth, inner = depth + 1, inner[0]
    if depth <= TABLE:
        return _rectangle(table, text)
    if depth > MOST_AXES:
        raise SampleError(f"{text} nests its lists {depth} deep", expected=f"at most {MOST_AXES}")
    parts = [_box(part, text) for part in table] if isinstance(table, list) else []
    if len({part.shape for part in parts}) > 1:
        raise SampleError(f"{text} has parts of different shapes", expected="parts of one shape")
    return np.stack(parts)


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


def first_line(error: BaseException) -> str:
    """What an exception says, short enough for an error of qdbg's."""
    return str(error).partition("\n")[0][:160] or type(error).__name__
