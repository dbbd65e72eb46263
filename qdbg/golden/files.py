"""The arrays of a dump file by name, read without running anything in it."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from qdbg.arrays import MAX_BYTES, as_text, checked, first_line, npy_array, read_bytes
from qdbg.core.quantity import Array
from qdbg.errors import GoldenError, SampleError
from qdbg.golden.dump import Dump, dump_of
from qdbg.golden.hexadecimal import hex_dump
from qdbg.golden.tables import table_dumps

HEX = (".hex", ".mem", ".memh")
SUFFIXES = (".npz", ".npy", ".json", ".csv", *HEX)
IN_FOLDERS = (".npy", ".json", ".csv", *HEX)
ENDINGS = ", ".join(IN_FOLDERS)
FORMATS = (
    "a .py file of functions, or arrays named by layer: .npz, .json, .csv, .npy, hexadecimal text "
    "(.hex, .mem, .memh), or a folder of such files"
)
MOST = 4 * MAX_BYTES
"""Bytes of all arrays of an archive together."""


def read_dumps(path: Path, known: Callable[[str], bool]) -> Iterator[Dump]:
    """Every array of the file or folder, one after the other; `known` tells names of calls.

    Raises GoldenError.
    """
    with _golden_errors():
        if path.is_dir():
            yield from _folder(path, known)
            return
        suffix, data = path.suffix.lower(), read_bytes(path)
        if suffix == ".npz":
            yield from _npz(data, path)
        elif suffix == ".npy":
            yield _unnamed(path, npy_array(data, path), binary=True)
        elif suffix == ".json":
            yield from _json(data, path)
        elif suffix == ".csv":
            yield from table_dumps(as_text(data, path), path, known)
        else:
            yield hex_dump(as_text(data, path), path)


@contextmanager
def _golden_errors() -> Iterator[None]:
    """The readers of samples are used for golden files too."""
    try:
        yield
    except SampleError as error:
        raise GoldenError(error.found, expected=error.expected, remedy=error.remedy) from error


def _folder(folder: Path, known: Callable[[str], bool]) -> Iterator[Dump]:
    try:
        files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise GoldenError(f"{folder} cannot be read: {first_line(error)}") from error
    if not files:
        raise GoldenError(f"{folder} is empty", expected=f"files named by layer: {ENDINGS}")
    for path in files:
        if path.suffix.lower() not in IN_FOLDERS or not path.is_file():
            expected = f"{ENDINGS} in a folder"
            raise GoldenError(f"{path} is no dump that qdbg reads", expected=expected)
        yield from read_dumps(path, known)


def _unnamed(path: Path, array: Array, *, binary: bool) -> Dump:
    return dump_of(path.stem, str(path), array, binary=binary, by_stem=True)


def _npz(data: bytes, path: Path) -> Iterator[Dump]:
    left = MOST
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist():
                left -= member.file_size
                if member.file_size > MAX_BYTES or left < 0:
                    raise GoldenError(
                        f"{member.filename} in {path} has {member.file_size} bytes",
                        expected=f"at most {MAX_BYTES}, and {MOST} in all arrays together",
                    )
                with archive.open(member) as stream:
                    content = stream.read(MAX_BYTES)
                name = member.filename.removesuffix(".npy")
                array = npy_array(content, path)
                yield dump_of(name, f"{path}: {name}", array, binary=True)
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError, zlib.error) as error:
        raise GoldenError(f"{path} cannot be read: {first_line(error)}") from error


def _json(data: bytes, path: Path) -> Iterator[Dump]:
    try:
        found = json.loads(as_text(data, path), object_pairs_hook=lambda p: _once(p, path))
    except (ValueError, RecursionError) as error:
        raise GoldenError(
            f"{path} cannot be read as JSON: {first_line(error)}",
            expected="an object of lists of numbers by layer, or one list",
        ) from error
    if not isinstance(found, dict):
        yield _unnamed(path, checked(found, str(path)), binary=False)
        return
    for name, value in found.items():
        where = f"{path}: {name}"
        yield dump_of(name, where, checked(value, where))


def _once(pairs: list[tuple[str, object]], path: Path) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        again = next(name for name in names if names.count(name) > 1)
        raise GoldenError(f"{path} has {again[:60]!r} twice")
    return found
