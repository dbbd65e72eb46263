"""The file format of recordings and sessions: safetensors with digests, written atomically.

The tensors are plain safetensors; everything else is one JSON text in the file's own metadata
under a single key, because several keys would be written in a random order.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from qdbg.core.checks import describe
from qdbg.core.packing import pack, unpack
from qdbg.core.quantity import Array, readonly
from qdbg.errors import SessionError

__all__ = ["decode", "encode", "pack", "read", "unpack", "write"]

KEY = "qdbg"
FORMAT = "qdbg session"
VERSION = 1
MAX_BYTES = 2**32
HEADER_BYTES = 8
SAVE_AGAIN = "save the session again, or take the file from where it was made"
DTYPES = {"U8": "u1", "I8": "i1", "I32": "<i4", "I64": "<i8", "F32": "<f4", "F64": "<f8"}


def write(path: Path, tensors: Mapping[str, Array], metadata: Mapping[str, object]) -> None:
    """Replace the file in one step: a kill at any moment leaves the old one or the new one."""
    data = encode(tensors, metadata)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(_mode(path))
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise SessionError(
            f"{path} cannot be written: {error.strerror or error}",
            remedy="choose another folder, or make room on the disk",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def read(path: Path) -> tuple[dict[str, Array], dict[str, object]]:
    """The tensors and metadata of a file, every digest checked. Raises SessionError."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SessionError(f"{path} is not a file", expected="a session file (.qdbg)")
        if status.st_size > MAX_BYTES:
            raise SessionError(f"{path} has {status.st_size} bytes", expected="at most 4 GiB")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise SessionError(f"there is no file {path}") from error
    except (OSError, ValueError) as error:
        raise SessionError(f"{path} cannot be read: {error}") from error
    return decode(data, str(path))


def encode(tensors: Mapping[str, Array], metadata: Mapping[str, object]) -> bytes:
    """The bytes of the file, the same for equal content."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "digests": {name: _digest(tensors[name]) for name in sorted(tensors)},
        "content": metadata,
    }
    content["digest"] = _text_digest(content)
    note = {KEY: json.dumps(content, sort_keys=True, allow_nan=False)}
    arrays = {name: np.asarray(tensors[name], order="C") for name in sorted(tensors)}
    saved: bytes = importlib.import_module("safetensors.numpy").save(arrays, metadata=note)
    return saved


def decode(data: bytes, name: str) -> tuple[dict[str, Array], dict[str, object]]:
    """What `encode` was given. Raises SessionError, calling the file `name`."""
    content = _content(data, name)
    digests, metadata = content.get("digests"), content.get("content")
    if not isinstance(digests, dict) or not isinstance(metadata, dict):
        raise _damaged(name, "its description lacks a part")
    tensors = _tensors(data, name)
    if set(tensors) != set(digests):
        raise _damaged(name, "its list of contents does not fit what it holds")
    for key, array in tensors.items():
        if _digest(array) != digests[key]:
            raise _damaged(name, f"{describe(key)} changed since they were written")
    return tensors, metadata


def _content(data: bytes, name: str) -> dict[str, Any]:
    """The JSON text of the file's metadata; its own digest is checked here."""
    header = _header(data, name)
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
    if version != VERSION:
        raise SessionError(
            f"{name} has format version {str(version)[:20]}",
            expected=f"version {VERSION}",
            remedy="open it with the qdbg that wrote it, or record the session again",
        )
    stated = content.pop("digest", None)
    if stated != _text_digest(content):
        raise _damaged(name, "its description changed since it was written")
    return content


def _header(data: bytes, name: str) -> dict[str, Any]:
    length = int.from_bytes(data[:HEADER_BYTES], "little")
    body = data[HEADER_BYTES : HEADER_BYTES + length]
    if len(data) < HEADER_BYTES or not body.startswith(b"{"):
        found = f"{name} is empty" if not data else f"{name} is not a session file"
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


def _tensors(data: bytes, name: str) -> dict[str, Array]:
    module = importlib.import_module("safetensors")
    try:
        entries = module.deserialize(data)
    except (module.SafetensorError, ValueError, OverflowError) as error:
        raise _damaged(name, str(error).partition("\n")[0][:120]) from error
    tensors: dict[str, Array] = {}
    for key, entry in entries:
        dtype = DTYPES.get(entry["dtype"])
        if dtype is None:
            raise _damaged(name, f"it holds {entry['dtype']} numbers")
        array = np.frombuffer(entry["data"], dtype).reshape(entry["shape"])
        tensors[key] = readonly(array)
    return tensors


def _damaged(name: str, how: str) -> SessionError:
    return SessionError(f"{name} is damaged: {how}", remedy=SAVE_AGAIN)


def _digest(array: Array) -> str:
    """Over dtype, shape and bytes, so that none of them can change unseen."""
    head = f"{array.dtype.str}{list(array.shape)}".encode()
    return hashlib.sha256(head + array.tobytes()).hexdigest()


def _text_digest(content: Mapping[str, object]) -> str:
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _mode(path: Path) -> int:
    """The permissions of the file that is replaced, or those of any new file."""
    with contextlib.suppress(OSError):
        return stat.S_IMODE(path.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    """Make the new name itself durable, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
