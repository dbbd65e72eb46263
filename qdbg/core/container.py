"""The file format of recordings and sessions: safetensors with digests, written atomically.

The tensors are plain safetensors; everything else is one JSON text in the file's own metadata
under a single key, because several keys would be written in a random order.
"""

from __future__ import annotations

import importlib
import json
import mmap
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from qdbg.core.checks import describe
from qdbg.core.digests import bytes_of, canonical, digest, hash_of, text_digest
from qdbg.core.packing import pack, unpack
from qdbg.core.quantity import Array, readonly
from qdbg.core.replacing import replacing
from qdbg.errors import SessionError

__all__ = ["decode", "encode", "pack", "read", "unpack", "write"]

KEY = "qdbg"
FORMAT = "qdbg session"
VERSION = 1
SHARING = 2
"""The version of files that leave out what they hold already."""
REPEATED = 2**12
"""Bytes of an array from which on it is left out where another one has the same numbers: a layer
that passes its operand on gives nothing new."""
MAX_BYTES = 2**32
MAPPED = 2**22
"""Files of so many bytes are mapped into memory. Smaller ones are read: whoever cuts off a file in
place that is mapped ends the process that looks at it."""
HEADER_BYTES = 8
WORD = 8
"""Bytes that are compared at a time."""
SAVE_AGAIN = "save the session again, or take the file from where it was made"
DTYPES = {"U8": "u1", "I8": "i1", "I32": "<i4", "F32": "<f4", "F64": "<f8", "I64": "<i8"}
"""In the order in which safetensors sorts the types."""
KINDS = tuple(DTYPES)
TYPES = {np.dtype(spelled): kind for kind, spelled in DTYPES.items()}
DIGEST = 64
"""Characters of a SHA-256 in hexadecimal."""


def write(path: Path, tensors: Mapping[str, Array], metadata: Mapping[str, object]) -> None:
    """Replace the file in one step: a kill or a power failure at any moment leaves the old one or
    the new one. Raises SessionError."""
    arrays, same = _in_order(tensors)
    described = canonical(metadata)
    blank = _head(arrays, same, dict.fromkeys(arrays, "0" * DIGEST), described)
    try:
        with replacing(path, len(blank)) as file:
            digests = {}
            for name, array in arrays.items():
                file.add(bytes_of(array))
                digests[name] = digest(array)
            file.finish(_head(arrays, same, digests, described))
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
    arrays, same = _in_order(tensors)
    digests = {name: digest(array) for name, array in arrays.items()}
    head = _head(arrays, same, digests, canonical(metadata))
    return b"".join([head, *map(bytes_of, arrays.values())])


def _in_order(tensors: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, str]]:
    """What the file holds as safetensors sorts it, the types with the widest numbers first; and of
    what it does not hold which other array is the same. Raises SessionError."""
    wrong = next((name for name, held in tensors.items() if held.dtype not in TYPES), None)
    if wrong is not None:
        raise SessionError(f"{describe(wrong)}: {tensors[wrong].dtype} numbers cannot be saved")
    order = sorted(tensors, key=lambda name: (-KINDS.index(TYPES[tensors[name].dtype]), name))
    arrays = {name: np.asarray(tensors[name], order="C") for name in order}
    same: dict[str, str] = {}
    alike: dict[object, list[str]] = {}
    for name, array in arrays.items():
        if array.nbytes < REPEATED:
            continue
        start = bytes(bytes_of(array)[:REPEATED])  # most arrays differ there
        others = alike.setdefault((array.dtype.str, array.shape, start), [])
        first = next((other for other in others if _equal(arrays[other], array)), None)
        if first is None:
            others.append(name)
        else:
            same[name] = first
    return {name: array for name, array in arrays.items() if name not in same}, same


def _equal(one: Array, other: Array) -> bool:
    """Bit for bit, of arrays of the same type and shape."""
    ours, theirs = (np.asarray(bytes_of(array)) for array in (one, other))
    whole = len(ours) // WORD * WORD
    first, second = (each[:whole].view(np.uint64) for each in (ours, theirs))
    return np.array_equal(first, second) and np.array_equal(ours[whole:], theirs[whole:])


def _head(
    arrays: Mapping[str, Array],
    same: Mapping[str, str],
    digests: Mapping[str, str],
    described: str,
) -> bytes:
    """What stands before the numbers, in as many bytes for any digests; `described` is the
    metadata as `canonical` spells it."""
    version: dict[str, object] = (
        {"version": SHARING, "same": same} if same else {"version": VERSION}
    )
    rest = canonical({"digests": digests, "format": FORMAT} | version)
    text = f'{{"content": {described}, {rest[1:]}'  # as canonical spells the whole
    last = json.dumps({"digest": hash_of(text)})
    note = f"{text[:-1]}, {last[1:]}"  # one more entry of the same object
    entries: dict[str, object] = {"__metadata__": {KEY: note}}
    end = 0
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        shape, kind = list(array.shape), TYPES[array.dtype]
        entries[name] = {"dtype": kind, "shape": shape, "data_offsets": [start, end]}
    body = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
    body += b" " * (-len(body) % HEADER_BYTES)
    return len(body).to_bytes(HEADER_BYTES, "little") + body


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
    return tensors | _shared(tensors, content, name), metadata


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
    if version not in (VERSION, SHARING):
        raise SessionError(
            f"{name} has format version {str(version)[:20]}",
            expected=f"version {VERSION} or {SHARING}",
            remedy="open it with the qdbg that wrote it, or record the session again",
        )
    stated = content.pop("digest", None)
    if stated != text_digest(content):
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
