"""Broken and unusual containers around the pickle."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.reader import crafted as c
from tests.reader.attacks.case import case, system_payload


@case("is empty")
def empty(marker: Path) -> bytes:
    del marker
    return b""


@case("web page", b"<!DOCTYPE html><html><body>404</body></html>")
@case("web page", b"\n <HTML>")
@case("git-LFS pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")
@case("gzip", b"\x1f\x8b\x08\x00")
@case("numpy", b"\x93NUMPY\x01\x00")
@case("before version 1.6", b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.")
@case("is not a model file", b"\x00" * 500)
@case("is not a model file", b"torch.save(model)")
@case("damaged zip", b"PK\x03\x04")
@case("damaged zip", b"PK\x05\x06" + b"\xff" * 18)
@case("data.pkl", b"PK\x05\x06" + b"\x00" * 18)
@case(
    "",
    b"PK\x06\x06"
    + b"\xff" * 52
    + b"PK\x06\x07"
    + bytes(16)
    + b"PK\x05\x06"
    + b"\xff" * 16
    + b"\0\0",
)
def foreign(marker: Path, data: bytes) -> bytes:
    del marker
    return data


@case("plain pickle")
def plain_pickle(marker: Path) -> bytes:
    return b"\x80\x02" + system_payload(marker)


@case("damaged zip", 0.2)
@case("damaged zip", 0.5)
@case("damaged zip", 0.9)
@case("damaged zip", 0.99)
def cut_off(marker: Path, part: float) -> bytes:
    del marker
    whole = c.archive(c.net())
    return whole[: int(len(whole) * part)]


@case("CRC")
def flipped_weight(marker: Path) -> bytes:
    del marker
    whole = bytearray(c.archive(c.net()))
    whole[whole.index(c.DATA["0"]) + 2] ^= 1
    return bytes(whole)


@case("CRC")
def flipped_pickle(marker: Path) -> bytes:
    del marker
    whole = bytearray(c.archive(c.net()))
    whole[whole.index(b"in_features")] ^= 1
    return bytes(whole)


def directory(change: Callable[[bytearray, int], None]) -> bytes:
    """The archive with its first entry of the central directory changed."""
    whole = bytearray(c.archive(c.net()))
    change(whole, whole.index(b"PK\x01\x02"))
    return bytes(whole)


@case("", 20, 2**31)  # compressed size
@case("", 24, 2**31)  # size
@case("", 24, 10)
@case("", 20, 10)
@case("", 42, 2**31)  # where the member begins
@case("", 42, 5)
@case("", 10, 99)  # how it is compressed
@case("", 8, 1)  # encrypted
@case("", 28, 60000)  # the length of the name
@case("", 30, 9)  # the length of the extra field
@case("CRC", 16, 5)
def lying_directory(marker: Path, offset: int, value: int) -> bytes:
    del marker
    size = 2 if offset in {8, 10, 28, 30} else 4

    def change(whole: bytearray, at: int) -> None:
        whole[at + offset : at + offset + size] = value.to_bytes(size, "little")

    return directory(change)


@case("0 bytes")
def missing_storage(marker: Path) -> bytes:
    del marker
    return c.archive(c.net()).replace(b"m/data/0", b"m/data/q")


@case("5 bytes")
def short_storage(marker: Path) -> bytes:
    del marker
    return c.archive(c.net(), {"0": b"12345"})


@case("big-endian")
def big_endian(marker: Path) -> bytes:
    del marker
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as out:
        out.writestr("m/data.pkl", c.net())
        out.writestr("m/byteorder", b"big")
        for key, value in c.DATA.items():
            out.writestr(f"m/data/{key}", value)
    return stream.getvalue()
