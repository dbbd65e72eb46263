"""Pickles in which something would run, and pickles that are no model."""

import pickle
import struct

from tests.honest_model import members

STOP = b"."


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
