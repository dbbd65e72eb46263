"""Broken and hostile model files: `python -m tests.hostile_models FOLDER` writes them all.

A harmful one would create its marker file if anything in it ran.
"""

import io
import pickle
import struct
import sys
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HONEST = Path(__file__).parents[1] / "models" / "iris_qat.pth"
STOP = b"."


@dataclass(frozen=True)
class Case:
    """One file, and a part of the message that a person gets."""

    name: str
    path: Path
    marker: Path
    """Exists only if a payload ran."""
    says: str


@cache
def members():
    """The honest model's members by name."""
    with zipfile.ZipFile(HONEST) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(content, compression=zipfile.ZIP_STORED):
    """A zip file of the members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return stream.getvalue()


def with_pickle(data):
    """The honest file with another pickle in it."""
    return packed(members() | {"iris_qat/data.pkl": data})


def changed(old, new, count=1):
    """The honest file with bytes of its pickle replaced."""
    data = members()["iris_qat/data.pkl"]
    assert old in data
    return with_pickle(data.replace(old, new, count))


def text(value):
    """BINUNICODE."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def calls(name, *arguments):
    """A pickle that calls a function by REDUCE."""
    module, _, function = name.rpartition(".")
    return b"\x80\x02c%s\n%s\n(%stR" % (module.encode(), function.encode(), b"".join(arguments))


def module_of(extra):
    """A module's state with one more entry: pairs of opcodes for key and value."""
    empty = b"".join(text(key) + b"}" for key in ("_parameters", "_buffers", "_modules"))
    return b"\x80\x02c__main__\nNet\n)\x81}(" + empty + extra + b"ub"


def touch(marker):
    """The shell command of a payload."""
    return text(f"touch {marker}")


def payloads(marker):
    """Pickles in which something would run, with what the refusal names."""
    python = text(f"open({str(marker)!r}, 'w')")
    shell = touch(marker)
    inst = f"(S'touch {marker}'\nios\nsystem\n".encode()
    return {
        "os.system": (calls("os.system", shell) + STOP, "os.system"),
        "posix.system": (calls("posix.system", shell) + STOP, "posix.system"),
        "eval": (calls("builtins.eval", python) + STOP, "builtins.eval"),
        "exec": (calls("__builtin__.exec", python) + STOP, "exec"),
        "runpy": (calls("runpy._run_code", python) + STOP, "runpy"),
        "popen": (calls("subprocess.Popen", shell) + STOP, "subprocess.Popen"),
        "partial": (calls("functools.partial", shell) + STOP, "functools.partial"),
        "attrgetter": (calls("operator.attrgetter", shell) + STOP, "operator.attrgetter"),
        "hub": (calls("torch.hub.load", shell) + STOP, "torch.hub.load"),
        "load_library": (calls("torch.ops.load_library", shell) + STOP, "load_library"),
        "load_from_bytes": (
            calls("torch.storage._load_from_bytes", b"U\x01x") + STOP,
            "_load_from_bytes",
        ),
        "import": (calls("importlib.import_module", text("antigravity")) + STOP, "import_module"),
        "open": (calls("io.open", text(str(marker)), text("w")) + STOP, "io.open"),
        "copyreg": (calls("copyreg._reconstructor", shell) + STOP, "copyreg"),
        "bytearray bomb": (
            calls("builtins.bytearray", b"\x8a\x05\0\0\0\0\x06") + STOP,
            "bytearray",
        ),
        "linear bomb": (
            calls("torch.nn.modules.linear.Linear", b"J\x40\x9c\0\0", b"J\x40\x9c\0\0") + STOP,
            "Linear",
        ),
        "popped call": (calls("os.system", shell) + b"0" + members_pickle(), "os.system"),
        "inst": (b"\x80\x02" + inst + STOP, "INST"),
        "obj": (b"\x80\x02(cos\nsystem\n" + shell + b"o" + STOP, "OBJ"),
        "newobj with arguments": (b"\x80\x02cos\nsystem\n" + shell + b"\x85\x81" + STOP, "object"),
        "newobj_ex": (b"\x80\x04cos\nsystem\n" + shell + b"\x85}\x92" + STOP, "NEWOBJ_EX"),
        "stack global": (
            b"\x80\x04" + text("os") + text("system") + b"\x93" + shell + b"\x85R" + STOP,
            "os.system",
        ),
        "extension": (b"\x80\x02\x82\x01" + STOP, "EXT1"),
        "build on a function": (
            b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}b" + STOP,
            "not a new object",
        ),
        "build twice": (b"\x80\x02c__main__\nNet\n)\x81}b}b" + STOP, "not a new object"),
        "call of a call": (b"\x80\x02c__main__\nNet\n)\x81(tR" + STOP, "no name"),
        "forward in the state": (
            module_of(text("forward") + b"cos\nsystem\n") + STOP,
            "own forward",
        ),
        "forward hook": (
            module_of(text("_forward_hooks") + b"}K\x00cos\nsystem\ns") + STOP,
            "hooks",
        ),
        "pre hook": (
            module_of(text("_forward_pre_hooks") + b"}K\x00cos\nsystem\ns") + STOP,
            "hooks",
        ),
        "a function as a layer": (
            b"\x80\x02c__main__\nNet\n)\x81}" + text("_modules")
            + b"}" + text("fc") + b"cos\nsystem\nssb" + STOP,
            "not a module",
        ),
    }  # fmt: skip


def members_pickle():
    """The honest pickle without its first two bytes."""
    return members()["iris_qat/data.pkl"][2:]


def odd_pickles():
    """Pickles that are no model, with what the refusal says."""
    deep = b"\x80\x02" + b")" + b"\x85" * 200_000 + STOP
    laughs = b"\x80\x02" + text("ha") + b"q\x00h\x00h\x00\x87" * 60
    cyclic = (
        b"\x80\x02c__main__\nNet\n)\x81q\x00}" + text("_modules") + b"}" + text("me")
        + b"h\x00ssb" + STOP
    )  # fmt: skip
    return {
        "empty pickle": (b"", "damaged"),
        "only a stop": (STOP, "one object"),
        "deep tuples": (deep, "not a model"),
        "billion laughs": (laughs + STOP, "not a model"),
        "modules in a circle": (cyclic, "nested"),
        "a list": (pickle.dumps([1, 2, 3], 2), "list"),
        "a number": (pickle.dumps(3.5, 2), "float"),
        "a checkpoint": (pickle.dumps({"epoch": 3, "model": "net"}, 2), "epoch"),
        "no memo": (b"\x80\x02h\x07" + STOP, "does not hold"),
        "a mark too few": (b"\x80\x02t" + STOP, "mark"),
        "a key that is a list": (b"\x80\x02}]K\x01s" + STOP, "key"),
        "a key without a value": (b"\x80\x02}(K\x01u" + STOP, "without a value"),
        "bad text": (b"\x80\x02X\x02\0\0\0\xff\xfe" + STOP, "damaged"),
        "a huge length": (b"\x80\x02X\xff\xff\xff\x7fa" + STOP, "damaged"),
        "an odd storage": (b"\x80\x02K\x05Q" + STOP, "storage"),
        "a text storage": (b"\x80\x02S'x'\nQ" + STOP, "storage"),
        "unknown opcode": (b"\x80\x02\xff" + STOP, "damaged"),
        "a buffer": (b"\x80\x05\x97" + STOP, "NEXT_BUFFER"),
        "no stop": (b"\x80\x02}", "damaged"),
        "two objects": (b"\x80\x02}}" + STOP, "one object"),
        "prepared, not converted": (
            b"\x80\x02c__main__\nNet\n)\x81}" + text("_modules") + b"}" + text("fake")
            + b"ctorch.ao.quantization.fake_quantize\nFakeQuantize\n)\x81}"
            + text("_modules") + b"}sbssb" + STOP,
            "convert",
        ),
    }  # fmt: skip


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


def without(name):
    return packed({other: data for other, data in members().items() if other != name})


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


Maker = Callable[[], dict[str, tuple[bytes, str]]]

if __name__ == "__main__":
    for case in make_all(Path(sys.argv[1])):
        sys.stdout.write(f"{case.path.name}  {case.name}\n")
