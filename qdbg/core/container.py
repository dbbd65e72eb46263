"""The file format of recordings and sessions: safetensors with digests, written atomically.

The tensors are plain safetensors; everything else is one JSON text in the file's own metadata
under a single key, because several keys would be written in a random order.
"""

from __future__ import annotations

import importlib
import json
import mmap
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from qdbg.core.checks import describe
from qdbg.core.contents import (
    DTYPES,
    FORMAT,
    HEADER_BYTES,
    KEY,
    VERSIONS,
    Contents,
    in_memory_order,
)
from qdbg.core.digests import bytes_of, canonical, digest, text_digest
from qdbg.core.packing import pack, unpack
from qdbg.core.quantity import Array, readonly
from qdbg.core.replacing import replacing
from qdbg.errors import SessionError

__all__ = ["decode", "encode", "pack", "read", "unpack", "write"]

MAX_BYTES = 2**32
MAPPED = 2**22
"""Files of so many bytes are mapped into memory. Smaller ones are read: whoever cuts off a file in
place that is mapped ends the process that looks at it."""
SAVE_AGAIN = "save the session again, or take the file from where it was made"
DIGEST = 64
"""Characters of a SHA-256 in hexadecimal."""


def write(path: Path, tensors: Mapping[str, Array], metadata: Mapping[str, object]) -> None:
    """Replace the file in one step: a kill or a power failure at any moment leaves the old one or
    the new one. Raises SessionError."""
    held = Contents.of(tensors)
    described = canonical(metadata)
    blank = held.head(dict.fromkeys(held.arrays, "0" * DIGEST), described)
    try:
        Path(os.path.realpath(path)).parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, len(blank)) as file:
            digests = {}
            for name, array in held.arrays.items():
                file.add(bytes_of(array))
                digests[name] = digest(array)
            file.finish(held.head(digests, described))
    except OSError as error:
        raise SessionError(
            f"{path} cannot be written: {error.strerror or error}",
            remedy="choose another folder, or make room on the disk",
        ) from error


def read(path: Path) -> tuple[dict[str, Array], dict[str, object]]:
    """The tensors and metadata of a file, every digest checked. Raises SessionError."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SessionError(f"{path} is not a file", expected="a session file (.qdbg)")
        if status.st_size > MAX_BYTES:
            raise SessionError(f"{path} has {status.st_size} bytes", expected="at most 4 GiB")
        data = path.read_bytes() if status.st_size < MAPPED else _mapped(path)
    except FileNotFoundError as error:
        raise SessionError(f"there is no file {path}") from error
    except (OSError, ValueError) as error:
        raise SessionError(f"{path} cannot be read: {error}") from error
    return decode(data, str(path))


def _mapped(path: Path) -> mmap.mmap:
    """The file as memory, of which only what is looked at is read."""
    with path.open("rb") as stream:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


def encode(tensors: Mapping[str, Array], metadata: Mapping[str, object]) -> bytes:
    """The bytes of the file, the same for equal content. Raises SessionError."""
    held = Contents.of(tensors)
    digests = {name: digest(array) for name, array in held.arrays.items()}
    head = held.head(digests, canonical(metadata))
    return b"".join([head, *map(bytes_of, held.arrays.values())])


def decode(data: bytes | mmap.mmap, name: str) -> tuple[dict[str, Array], dict[str, object]]:
    """What `encode` was given; the arrays lie in `data`, where that is a mapped file. Raises
    SessionError, calling the file `name`."""
    header = _header(data, name)
    content = _content(header, name)
    digests, metadata = content.get("digests"), content.get("content")
    if not isinstance(digests, dict) or not isinstance(metadata, dict):
        raise _damaged(name, "its description lacks a part")
    _check_size(data, header, name)
    tensors = _tensors(data, header, name)
    if set(tensors) != set(digests):
        raise _damaged(name, "its list of contents does not fit what it holds")
    for key, array in tensors.items():
        if digest(array) != digests[key]:
            raise _damaged(name, f"{describe(key)} changed since they were written")
    if isinstance(data, mmap.mmap):
        data.madvise(mmap.MADV_DONTNEED)  # the digests went over all of it: give the memory back
    laid = _laid(tensors, content, name)
    return laid | _shared(laid, content, name), metadata


def _laid(
    tensors: Mapping[str, Array], content: Mapping[str, object], name: str
) -> dict[str, Array]:
    """The arrays with their axes as they were, whatever order they have in the file."""
    orders = content.get("orders", {})
    if not isinstance(orders, dict) or not orders.keys() <= tensors.keys():
        raise _damaged(name, "it tells the order of what is not in it")
    try:
        moved = {key: in_memory_order(tensors[key], order) for key, order in orders.items()}
    except ValueError as error:
        raise _damaged(name, "its order of axes does not fit its arrays") from error
    return {**tensors, **moved}


def _shared(
    tensors: Mapping[str, Array], content: Mapping[str, object], name: str
) -> dict[str, Array]:
    """The arrays that were left out."""
    same = content.get("same", {})
    if not isinstance(same, dict) or any(
        key in tensors or not isinstance(first, str) or first not in tensors
        for key, first in same.items()
    ):
        raise _damaged(name, "what it leaves out is not in it")
    return {key: tensors[first] for key, first in same.items()}


def _content(header: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The JSON text of the file's metadata; its own digest is checked here."""
    note = header.get("__metadata__")
    text = note.get(KEY) if isinstance(note, dict) else None
    if not isinstance(text, str):
        raise SessionError(
            f"{name} is a safetensors file, but not one of qdbg's",
            expected="a session that qdbg saved",
        )
    content = _json(text, name)
    if content.get("format") != FORMAT:
        raise SessionError(f"{name} is not a session that qdbg saved")
    version = content.get("version")
    if version not in VERSIONS:
        raise SessionError(
            f"{name} has format version {str(version)[:20]}",
            expected=f"version {VERSIONS[0]} to {VERSIONS[-1]}",
            remedy="open it with the qdbg that wrote it, or record the session again",
        )
    stated = content.pop("digest", None)
    try:
        unchanged = stated == text_digest(content)
    except (ValueError, RecursionError):  # a number beyond float64, or too deep: never written here
        unchanged = False
    if not unchanged:
        raise _damaged(name, "its description changed since it was written")
    return content


def _header(data: bytes | mmap.mmap, name: str) -> dict[str, Any]:
    length = int.from_bytes(data[:HEADER_BYTES], "little")
    body = data[HEADER_BYTES : HEADER_BYTES + length]
    if len(data) < HEADER_BYTES or not body.startswith(b"{"):
        found = f"{name} is empty" if not len(data) else f"{name} is not a session file"
        raise SessionError(found, expected="a session that qdbg saved")
    if len(body) < length:
        raise _damaged(name, "it ends too early")
    try:
        return _json(body.decode("utf-8"), name)
    except UnicodeDecodeError as error:
        raise _damaged(name, "its header is not text") from error


def _json(text: str, name: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(name, "its header cannot be read") from error
    if not isinstance(found, dict):
        raise _damaged(name, "its header has another form")
    return found


def _check_size(data: bytes | mmap.mmap, header: Mapping[str, Any], name: str) -> None:
    """Raise SessionError where the file is not as long as its header says."""
    end = 0
    for entry in header.values():
        match entry:
            case {"data_offsets": [int(), int(last)]} if last <= MAX_BYTES:
                end = max(end, last)
    whole = HEADER_BYTES + int.from_bytes(data[:HEADER_BYTES], "little") + end
    if len(data) != whole:
        found = f"{name} is damaged: it has {len(data)} bytes"
        raise SessionError(found, expected=str(whole), remedy=SAVE_AGAIN)


def _tensors(data: bytes | mmap.mmap, header: Mapping[str, Any], name: str) -> dict[str, Array]:
    module = importlib.import_module("safetensors")
    try:
        if isinstance(data, mmap.mmap):
            entries = _in_place(data, header, name)
        else:
            entries = module.deserialize(data)
    except (module.SafetensorError, OSError, ValueError, OverflowError) as error:
        raise _damaged(name, "its list of contents does not fit its bytes") from error
    tensors: dict[str, Array] = {}
    for key, entry in entries:
        dtype = DTYPES.get(entry["dtype"])
        if dtype is None:
            raise _damaged(name, f"it holds {entry['dtype']} numbers")
        array = np.frombuffer(entry["data"], dtype).reshape(entry["shape"])
        tensors[key] = readonly(array)
    return tensors


def _in_place(
    data: mmap.mmap, header: Mapping[str, Any], name: str
) -> list[tuple[str, dict[str, Any]]]:
    """As `safetensors.deserialize`, without a copy of the numbers. Raises SafetensorError where the
    header does not fit the file."""
    with importlib.import_module("safetensors").safe_open(name, framework="np"):
        pass  # it compares every offset, shape and type with the file
    start = HEADER_BYTES + int.from_bytes(data[:HEADER_BYTES], "little")
    view = memoryview(data)[start:]
    return [
        (key, {**entry, "data": view[slice(*entry["data_offsets"])]})
        for key, entry in header.items()
        if key != "__metadata__"
    ]


def _damaged(name: str, how: str) -> SessionError:
    return SessionError(f"{name} is damaged: {how}", remedy=SAVE_AGAIN)
