"""Broken and hostile model files: `python -m tests.hostile_models FOLDER` writes them all.

A harmful one would create its marker file if anything in it ran.
"""

import io
import pickle
import struct
import sys
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tests.honest_model import HONEST, changed, members, packed, with_pickle, without
from tests.hostile_pickles import odd_pickles, payloads


@dataclass(frozen=True)
class Case:
    """One file, and a part of the message that a person gets."""

    name: str
    path: Path
    marker: Path
    """Exists only if a payload ran."""
    says: str


def double(value):
    """BINFLOAT."""
    return b"G" + struct.pack(">d", value)


FC1_SCALE = 0.021013345569372177


def lies():
    """The honest file with one number changed, and what the refusal says."""
    content = members()
    smaller = content | {"iris_qat/data/2": content["iris_qat/data/2"][:32]}
    scale = double(FC1_SCALE)
    view = b"K\x00K\x10K\x04\x86"  # offset 0, size (16, 4)
    return {
        "nan scale": (changed(scale, double(float("nan"))), "scale"),
        "zero scale": (changed(scale, double(0.0)), "scale"),
        "negative scale": (changed(scale, double(-1.0)), "scale"),
        "infinite scale": (changed(scale, double(float("inf"))), "scale"),
        "zero point out of range": (zero_point_of_fc1(b"M\x00\x03"), "zero point 768"),
        "negative zero point": (zero_point_of_fc1(b"J\xff\xff\xff\xff"), "zero point -1"),
        "a storage too small": (packed(smaller), "bytes"),
        "a shape too large": (changed(view, b"K\x00K\xffK\xff\x86"), "larger"),
        "a huge shape": (changed(view, b"K\x00J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86"), "larger"),
        "a negative shape": (changed(view, b"K\x00J\xff\xff\xff\xffK\x04\x86"), "shape"),
        "a negative offset": (changed(view, b"J\xff\xff\xff\xffK\x10K\x04\x86"), "begins at"),
        "an offset past the end": (changed(view, b"K\xf0K\x10K\x04\x86"), "larger"),
        "another shape": (changed(view, b"K\x00K\x08K\x04\x86"), "fc1"),
        "a missing storage": (without("iris_qat/data/2"), "bytes"),
        "a missing pickle": (without("iris_qat/data.pkl"), "data.pkl"),
    }


def zero_point_of_fc1(opcodes):
    data = members()["iris_qat/data.pkl"]
    at = data.index(double(FC1_SCALE)) + 9
    end = data.index(b"K\x80", at)
    return with_pickle(data[:end] + opcodes + data[end + 2 :])


def flipped():
    """One bit of a weight changed, as a bad disk would."""
    data = bytearray(HONEST.read_bytes())
    at = bytes(data).index(members()["iris_qat/data/2"])
    data[at + 5] ^= 1
    return bytes(data)


def containers():
    """Files that are no archive of torch.save, and what the refusal says."""
    honest = HONEST.read_bytes()
    content = members()
    doubled = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(doubled, "w") as archive:
        warnings.simplefilter("ignore")  # zipfile notices what we do here
        for _ in range(2):
            info = zipfile.ZipInfo("iris_qat/data.pkl")
            archive.writestr(info, content["iris_qat/data.pkl"])
    lying = bytearray(honest)
    at = lying.rindex(b"PK\x01\x02") + 24
    lying[at - 4 : at + 4] = struct.pack("<II", 2**31 - 1, 2**31 - 1)
    return {
        "empty": (b"", "empty"),
        "a web page": (b"<!DOCTYPE html><html></html>", "web page"),
        "git lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git-LFS"),
        "random bytes": (bytes(range(256)) * 8, "not a model file"),
        "numpy": (b"\x93NUMPY\x01\x00", "numpy"),
        "truncated": (honest[: len(honest) // 2], "damaged"),
        "truncated at the end": (honest[:-10], "damaged"),
        "legacy": (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.", "1.6"),
        "plain pickle": (pickle.dumps({"a": 1}, 4), "plain pickle"),
        "flipped weight bit": (flipped(), "CRC"),
        "compressed": (packed(content, zipfile.ZIP_DEFLATED), "compressed"),
        "zip bomb": (packed({"a/data.pkl": bytes(50_000_000)}, zipfile.ZIP_DEFLATED), "more bytes"),
        "a member twice": (doubled.getvalue(), "twice"),
        "two pickles": (packed({"a/data.pkl": b".", "b/data.pkl": b"."}), "2 data.pkl"),
        "outside": (packed(content | {"../evil": b"x"}), "outside"),
        "absolute": (packed(content | {"/etc/evil": b"x"}), "outside"),
        "lying directory": (bytes(lying), "more bytes"),
        "torchscript": (packed({"m/data.pkl": b"x", "m/constants.pkl": b"x"}), "TorchScript"),
        "exported": (packed({"m/archive_format": b"pt2"}), "torch.export"),
        "a plain zip": (packed({"readme.txt": b"x"}), "data.pkl"),
        "big-endian": (packed(content | {"iris_qat/byteorder": b"big"}), "big-endian"),
    }


def make_all(folder):
    """Write every file; the cases in a fixed order."""
    cases = []

    def add(name, data, says):
        path = folder / f"{len(cases):03}.pth"
        path.write_bytes(data)
        cases.append(Case(name, path, folder / f"{len(cases):03}.ran", says))

    for place, name in enumerate(payloads(folder)):
        marker = folder / f"{place:03}.ran"
        data, says = payloads(marker)[name]
        add(name, with_pickle(data), says)
    for name, (data, says) in odd_pickles().items():
        add(name, with_pickle(data), says)
    for name, (data, says) in (lies() | containers()).items():
        add(name, data, says)
    return cases


if __name__ == "__main__":
    for case in make_all(Path(sys.argv[1])):
        sys.stdout.write(f"{case.path.name}  {case.name}\n")
