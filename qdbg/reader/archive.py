"""The container of a model file: a zip of stored members, every one checked against its CRC."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from qdbg.errors import ModelError

SAVE = "Save the whole converted model: torch.save(model, path)."
OLD_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""How files of torch.save before version 1.6 begin."""
FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "a git-LFS pointer; run git lfs pull for the file itself"),
    (b"<!doctype", "a web page"),
    (b"<html", "a web page"),
    (b"{", "a JSON file"),
    (b"\x93numpy", "a numpy array"),
    (b"\x89hdf", "an HDF5 file"),
    (b"\x89png", "a picture"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%pdf", "a PDF"),
    (b"\x7felf", "a program"),
)
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    MemoryError,
    OverflowError,
)
"""What zipfile raises for a file that is not what its directory says."""
CHUNK = 1 << 20
SAFETENSORS = 100_000_000
"""The longest header that a safetensors file may have."""
MEMBERS = 100_000
"""No model has more members than this."""


class Archive:
    """The members of a model file by their names without the leading folder."""

    def __init__(self, path: Path) -> None:
        """Raises ModelError for what is not a file of torch.save."""
        self.path = path
        self.length = _length(path)
        self._zip, self._members = _open(path, self.length)
        self._checked: set[str] = set()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def read(self, name: str) -> bytes:
        """A member's bytes. Raises ModelError where it is missing or its CRC is wrong."""
        if name not in self._members:
            raise ModelError(f"there is no member {name}: the file is incomplete")
        self._checked.add(name)
        try:
            return self._zip.read(self._members[name])
        except DAMAGE as error:
            raise self._damaged(name, error) from error

    def check_rest(self) -> None:
        """Compare what nobody has read with its CRC, too. Raises ModelError."""
        for name in self._members.keys() - self._checked:
            try:
                with self._zip.open(self._members[name]) as stream:
                    while stream.read(CHUNK):
                        pass
            except DAMAGE as error:
                raise self._damaged(name, error) from error

    def _damaged(self, name: str, error: BaseException) -> ModelError:
        crc = "CRC" in str(error)
        why = "its CRC does not match its bytes" if crc else "the archive's directory is wrong"
        return ModelError(
            f"member {name} is damaged, {why}", remedy="Copy or save the model again."
        )

    def size(self, name: str) -> int:
        """A member's size in bytes; 0 where it is missing."""
        member = self._members.get(name)
        return 0 if member is None else member.file_size


def _open(path: Path, length: int) -> tuple[zipfile.ZipFile, Mapping[str, zipfile.ZipInfo]]:
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGE as error:
        raise _foreign(path) from error
    members = archive.infolist()
    try:
        _check(path, members, length)
        folder = _folder(path, members)
    except ModelError:
        archive.close()
        raise
    named = {m.filename.removeprefix(folder): m for m in members if not m.is_dir()}
    return archive, MappingProxyType(named)


def _length(path: Path) -> int:
    try:
        if path.is_dir():
            raise ModelError(f"{path} is a folder", expected="a model file saved by torch.save")
        length = path.stat().st_size
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}",
            remedy="Give the path of a model file saved by torch.save.",
        ) from error
    if not length:
        raise ModelError(f"{path} is empty", expected="a model file saved by torch.save")
    return length


def _check(path: Path, members: list[zipfile.ZipInfo], length: int) -> None:
    """The central directory must describe a plain file of torch.save and nothing larger."""
    names = [member.filename for member in members]
    _refuse_kinds(path, names)
    if len(members) > MEMBERS or sum(member.file_size for member in members) > length:
        raise ModelError(f"{path.name} claims to hold more bytes than the file has")
    if any(m.file_size != m.compress_size for m in members if m.compress_type == 0):
        raise ModelError(f"{path.name} gives two sizes for one member: its directory is wrong")
    if len(set(names)) != len(names):
        raise ModelError(f"{path.name} holds a member twice", remedy=SAVE)
    for member in members:
        parts = member.filename.split("/")
        if ".." in parts or member.filename.startswith("/") or "\\" in member.filename:
            raise ModelError(f"{path.name} holds a member outside its folder: {member.filename!r}")
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            raise ModelError(
                f"{path.name}: member {member.filename} is compressed or encrypted",
                expected="members stored as torch.save stores them",
            )


def _folder(path: Path, members: list[zipfile.ZipInfo]) -> str:
    """The one folder that holds data.pkl, with its slash."""
    names = [member.filename for member in members]
    pickles = [name for name in names if name.rpartition("/")[2] == "data.pkl"]
    if len(pickles) != 1:
        raise ModelError(
            f"{path.name} is a zip archive with {len(pickles)} data.pkl members",
            expected="a file saved by torch.save",
            remedy=SAVE,
        )
    return pickles[0].removesuffix("data.pkl")


def _refuse_kinds(path: Path, names: list[str]) -> None:
    tails = {name.partition("/")[2] or name for name in names}
    if "constants.pkl" in tails or any(tail.startswith("code/") for tail in tails):
        raise ModelError(
            f"{path.name} is a TorchScript file, which qdbg does not read", remedy=SAVE
        )
    if names and all(name.endswith(".npy") for name in names):
        raise ModelError(f"{path.name} holds numpy arrays, not a model file", remedy=SAVE)
    if any("models/" in name and name.endswith(".json") for name in names) or (
        "serialized_exported_program.json" in tails or "archive_format" in tails
    ):
        raise ModelError(
            f"{path.name} is a file of torch.export, which qdbg does not read", remedy=SAVE
        )


def _foreign(path: Path) -> ModelError:
    """What the file is instead, where its first bytes tell."""
    try:
        with path.open("rb") as stream:
            head = stream.read(256)
    except OSError as error:
        return ModelError(f"{path} cannot be read: {error.strerror or error}")
    if head.startswith(OLD_MAGIC):
        return ModelError(
            f"{path.name} is in the format of torch.save before version 1.6",
            remedy="Load it once with torch and save it again: torch.save(model, path).",
        )
    kind = _kind(head)
    if kind:
        return ModelError(f"{path.name} is {kind}, not a model file", remedy=SAVE)
    if head.startswith(b"PK"):
        return ModelError(
            f"{path.name} is a damaged zip archive: it is cut off or its directory is wrong",
            remedy="Copy or save the model again.",
        )
    if head[:1] == b"\x80":
        return ModelError(f"{path.name} is a plain pickle, which qdbg does not read", remedy=SAVE)
    return ModelError(
        f"{path.name} is not a model file", expected="a file saved by torch.save", remedy=SAVE
    )


def _kind(head: bytes) -> str:
    """What a file that begins like this is; empty where that is unknown."""
    if head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < SAFETENSORS:
        return "a safetensors file"
    if head[:1] == b"\x08" and head[2:3] == b"\x12":
        return "an ONNX file"
    lowered = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return next((kind for magic, kind in FOREIGN if lowered.startswith(magic)), "")
