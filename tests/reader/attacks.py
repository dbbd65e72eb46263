"""More hostile model files: `python -m tests.reader.attacks FOLDER` writes them all."""

import io
import pickle
import struct
import sys
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.reader import crafted as c


@dataclass(frozen=True)
class Case:
    """One file."""

    name: str
    path: Path
    marker: Path
    """Exists only if a payload ran."""
    says: str
    """A part of the message that qdbg refuses the file with."""


Maker = Callable[[Path], bytes]
MAKERS: dict[str, tuple[str, Maker]] = {}


def case(says: str, *args: object) -> Callable[[Callable[..., bytes]], Callable[..., bytes]]:
    """Register a maker; decorators above add further cases."""

    def register(maker: Callable[..., bytes]) -> Callable[..., bytes]:
        label = f"{maker.__name__}_{sum(k.startswith(maker.__name__) for k in MAKERS) + 1}"
        MAKERS[label] = (says, lambda marker: maker(marker, *args))
        return maker

    return register


def make_all(folder: Path) -> list[Case]:
    """Write every file into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / "marker"
    cases = []
    for label, (says, maker) in MAKERS.items():
        path = folder / f"{label}.pth"
        path.write_bytes(maker(marker))
        cases.append(Case(label, path, marker, says))
    inside = folder / "folder.pth"
    inside.mkdir(exist_ok=True)
    cases.append(Case("folder", inside, marker, "is a folder"))
    cases.append(Case("missing", folder / "missing.pth", marker, "cannot be read"))
    return cases


# ------------------------------------------------------------------ code that would run


def touching(marker: Path) -> str:
    """Python that leaves the marker behind."""
    return f"open({str(marker)!r}, 'w').close()"


def in_state(value: bytes) -> bytes:
    """A model with the value among the root's attributes."""
    return c.archive(c.net(extra=value))


def system_payload(marker: Path) -> bytes:
    """A plain pickle that runs a shell command when it is loaded."""
    return c.call("posix system", c.text(f"touch '{marker}'")) + b"."


@case("posix.system", "posix system")
@case("os.system", "os system")
@case("subprocess.getoutput", "subprocess getoutput")
@case("os.popen", "os popen")
def reduce_shell(marker: Path, full: str) -> bytes:
    return in_state(c.call(full, c.text(f"touch '{marker}'")))


@case("builtins.eval", "builtins eval")
@case("builtins.exec", "builtins exec")
@case("__builtin__.eval", "__builtin__ eval")
@case("torch._dynamo.compiled_autograd.exec", "torch._dynamo.compiled_autograd exec")
def reduce_python(marker: Path, full: str) -> bytes:
    return in_state(c.call(full, c.text(touching(marker))))


@case("runpy._run_code")
def reduce_runpy(marker: Path) -> bytes:
    compiled = c.call("builtins compile", c.text(touching(marker)), c.text("x"), c.text("exec"))
    return in_state(
        c.name("runpy _run_code").replace(b"_run_code", b"_run_code") + c.group(b"}") + b"R"
        if not compiled
        else c.call("runpy _run_code", c.text(touching(marker)), b"}")
    )


@case("builtins.open")
def reduce_open(marker: Path) -> bytes:
    return in_state(c.call("builtins open", c.text(str(marker)), c.text("w")))


@case("pathlib.Path.touch")
def dotted_stack_global(marker: Path) -> bytes:
    path = c.text("pathlib") + c.text("Path.touch") + b"\x93"
    return c.archive(b"\x80\x04" + path + c.group(c.text(str(marker))) + b"R.")


@case("operation INST")
def inst(marker: Path) -> bytes:
    return in_state(b"(" + c.text(f"touch '{marker}'") + b"iposix\nsystem\n")


@case("operation OBJ")
def obj(marker: Path) -> bytes:
    return in_state(b"(" + c.name("posix system") + c.text(f"touch '{marker}'") + b"o")


@case("posix.system")
def popped_code(marker: Path) -> bytes:
    run = c.call("posix system", c.text(f"touch '{marker}'")) + b"0"
    return c.archive(b"\x80\x02" + run + c.net()[2:])


@case("operation POP_MARK")
def popped_mark(marker: Path) -> bytes:
    del marker
    return c.archive(b"\x80\x02(" + c.text("x") + b"1" + c.net()[2:])


@case("torch.hub.load")
def torch_hub(marker: Path) -> bytes:
    return in_state(c.call("torch.hub load", c.text(str(marker)), c.text("x")))


@case("load_library")
def load_library(marker: Path) -> bytes:
    return in_state(c.call("torch._ops load_library", c.text(str(marker))))


@case("functools.partial")
def partial(marker: Path) -> bytes:
    made = c.call("functools partial", c.name("posix system"), c.text(f"touch '{marker}'"))
    return in_state(made + b")R")


@case("operator.attrgetter")
def attrgetter(marker: Path) -> bytes:
    getter = c.call("operator attrgetter", c.text("system")) + c.group(c.name("os sys"))
    return in_state(getter + b"R" + c.group(c.text(f"touch '{marker}'")) + b"R")


@case("_load_from_bytes")
def load_from_bytes(marker: Path) -> bytes:
    inner = system_payload(marker)
    data = b"B" + struct.pack("<I", len(inner)) + inner
    return in_state(c.call("torch.storage _load_from_bytes", data))


@case("pickle.loads")
def nested_pickle(marker: Path) -> bytes:
    inner = system_payload(marker)
    data = b"B" + struct.pack("<I", len(inner)) + inner
    return in_state(c.call("_pickle.pickle loads", data))


@case("replaces its own forward")
def forward_attribute(marker: Path) -> bytes:
    del marker
    return c.archive(c.net(forward=c.name("posix system")))


@case("replaces its own forward")
def forward_in_layer(marker: Path) -> bytes:
    del marker
    return c.archive(c.net(c.linear(forward=c.name("posix system"))))


@case("replaces its own", "__class__")
@case("replaces its own", "_call_impl")
@case("replaces its own", "__call__")
@case("replaces its own", "_compiled_call_impl")
def replaced(marker: Path, attribute: str) -> bytes:
    del marker
    return c.archive(c.net(**{attribute: c.name("posix system")}))


@case("hooks", "_forward_hooks")
@case("hooks", "_forward_pre_hooks")
@case("hooks", "_backward_hooks")
@case("hooks", "_state_dict_hooks")
@case("hooks", "_load_state_dict_post_hooks")
def hook(marker: Path, where: str) -> bytes:
    del marker
    table = c.EMPTY + c.number(1) + c.name("posix system") + b"s"
    return c.archive(c.net(**{where: table}))


@case("hooks")
def hook_in_packed_parameters(marker: Path) -> bytes:
    del marker
    hooks = c.EMPTY + c.number(1) + c.name("posix system") + b"s"
    script = c.new("torch ScriptObject", c.group(c.group(c.weight(), c.bias()), c.text(c.KIND)))
    inside = c.module(c.PACKED, _packed_params=script, _forward_hooks=hooks)
    return c.archive(
        c.net(
            c.module(
                c.LINEAR, {"_packed_params": inside}, scale=c.real(0.1), zero_point=c.number(0)
            )
        )
    )


@case("not a new object")
def build_on_a_function(marker: Path) -> bytes:
    defaults = c.table({"__defaults__": c.group(c.text(str(marker)))})
    return in_state(c.name("torch._utils _rebuild_tensor_v2") + defaults + b"b")


@case("not a new object")
def build_twice(marker: Path) -> bytes:
    del marker
    return c.archive(c.net()[:-1] + b"}b.")


@case("not a new object")
def build_on_a_call(marker: Path) -> bytes:
    return in_state(c.call("torch Size", b")") + c.table({"x": c.text(str(marker))}) + b"b")


@case("operation EXT1", b"\x82\x01")
@case("operation EXT2", b"\x83\x01\x00")
@case("operation EXT4", b"\x84\x01\x00\x00\x00")
@case("operation PERSID", b"Pposix.system\n")
@case("operation DUP", b"N2")
@case("operation BYTEARRAY8", b"\x96\x01\x00\x00\x00\x00\x00\x00\x00x")
@case("operation NEXT_BUFFER", b"\x97")
@case("operation READONLY_BUFFER", b"N\x98")
@case("operation FROZENSET", b"(\x91")
@case("operation LONG4", b"\x8b\x01\x00\x00\x00\x01")
def opcode(marker: Path, code: bytes) -> bytes:
    del marker
    return in_state(code)


# ---------------------------------------------------------------------------- bombs


@case("builtins.bytearray", "builtins bytearray")
@case("builtins.bytes", "builtins bytes")
@case("numpy.zeros", "numpy zeros")
@case("torch.zeros", "torch zeros")
def allocation(marker: Path, full: str) -> bytes:
    del marker
    return in_state(c.call(full, c.number(6 << 30)))


@case("torch.nn.modules.linear.Linear")
def constructor_by_reduce(marker: Path) -> bytes:
    del marker
    return in_state(c.call("torch.nn.modules.linear Linear", c.number(40000), c.number(40000)))


@case("makes an object in a way")
def constructor_by_newobj(marker: Path) -> bytes:
    del marker
    return in_state(c.name("builtins bytearray") + c.group(c.number(6 << 30)) + b"\x81")


@case("operation NEWOBJ_EX")
def constructor_by_newobj_ex(marker: Path) -> bytes:
    del marker
    return in_state(c.name("builtins bytearray") + c.group(c.number(6 << 30)) + b"}\x92")


@case("", b"]")
@case("", b"}")
@case("", b"N\x85")
@case("", b"ccollections\nOrderedDict\n)R")
@case("", b"ca\nb\n")
@case("", b"ca\nb\n)\x81")
@case("", b"(")
@case("", b"G\x00\x00\x00\x00\x00\x00\x00\x01")
def flood(marker: Path, piece: bytes) -> bytes:
    del marker
    return c.archive(b"\x80\x02" + piece * 510_000)


@case("")
def memo_flood(marker: Path) -> bytes:
    del marker
    return c.archive(b"\x80\x02}" + b"".join(b"r" + struct.pack("<I", i) for i in range(510_000)))


@case("")
def memo_collisions(marker: Path) -> bytes:
    del marker
    lines = (f"p{i * (2**61 - 1)}\n".encode() for i in range(1, 300_000))
    return c.archive(b"\x80\x02}" + b"".join(lines) + b".")


@case("key")
def key_collisions(marker: Path) -> bytes:
    del marker
    keys = (c.number(i * (2**61 - 1)) + b"N" for i in range(1, 150_000))
    return in_state(b"}(" + b"".join(keys) + b"u")


@case("key")
def key_of_a_list(marker: Path) -> bytes:
    del marker
    return in_state(b"}]Ns")


@case("")
def wide_text(marker: Path) -> bytes:
    """Text that takes four times its bytes in memory."""
    del marker
    return in_state(c.text("\U0001f4a3" + "a" * 40_000_000))


@case("copies more than")
def repeated_copies(marker: Path) -> bytes:
    """One long list, copied into a new OrderedDict again and again."""
    del marker
    pairs = b"".join(b"(" + c.text(f"k{i}") + b"Nt" for i in range(20_000))
    again = b"ccollections\nOrderedDict\nq\x02h\x01\x85R" + b"h\x02h\x01\x85R" * 50_000
    return c.archive(b"\x80\x02](" + pairs + b"eq\x01(" + again + b"t.")


@case("deeper")
def deep_modules(marker: Path) -> bytes:
    del marker
    inner = c.linear()
    for _ in range(300):
        inner = c.module("__main__ Block", {"a": inner})
    return c.archive(b"\x80\x02" + inner + b".")


@case("", b"\x85")
@case("", b"](")
def deep_nesting(marker: Path, piece: bytes) -> bytes:
    del marker
    if piece == b"\x85":
        return c.archive(b"\x80\x02N" + piece * 700_000 + b".")
    return c.archive(b"\x80\x02" + b"](" * 200_000 + b"e" * 200_000 + b".")


@case("wider")
def billion_laughs(marker: Path) -> bytes:
    """Each level holds the one below it ten times."""
    del marker
    inner = c.linear() + b"q\x00"
    for level in range(1, 12):
        kids = b"}(" + c.text("k0") + inner
        kids += b"".join(c.text(f"k{i}") + b"h" + bytes([level - 1]) for i in range(1, 10)) + b"u"
        state = b"}(" + c.text("_modules") + kids + b"u"
        inner = c.name("__main__ Block") + b")\x81" + state + b"bq" + bytes([level])
    return c.archive(b"\x80\x02" + inner + b".")


@case("wider")
def shared_attributes(marker: Path) -> bytes:
    """One module with very many attributes, reached in very many ways."""
    del marker
    many = {f"a{i}": c.TRUE for i in range(60_000)}
    leaf = c.module("__main__ Leaf", **many) + b"q\x01"
    kids = c.text("k") + leaf + b"".join(c.text(f"k{i}") + b"h\x01" for i in range(15_000))
    root = c.name("__main__ Net") + b")\x81}(" + c.text("_modules") + b"}(" + kids + b"uub."
    return c.archive(b"\x80\x02" + root)


@case("again and again")
def shared_weights(marker: Path) -> bytes:
    """One storage, laid out in a thousand ways."""
    del marker
    size = 1 << 20
    kids = {}
    for i in range(1000):
        w = c.weight(numel=size, size=(1024, 1024 - i), stride=(1, 1024))
        b = c.bias(key="b", numel=1024, size=(1024,))
        shape = {"in_features": c.number(1024 - i), "out_features": c.number(1024)}
        kids[f"k{i}"] = c.linear(w, b, **shape)
    data = {"0": bytes(size), "b": bytes(4096)}
    return c.archive(b"\x80\x02" + c.module("__main__ Net", kids) + b".", data)


@case("again and again")
def shared_scales(marker: Path) -> bytes:
    """Half-precision scales of one storage, widened by two thousand layers."""
    del marker
    size, kids = 100_000, {}
    qp = c.per_channel(
        c.tensor("HalfStorage", "s", size, (size,)), c.tensor("CharStorage", "z", size, (size,))
    )
    for i in range(2000):
        w = c.weight(numel=size, size=(size, 1), stride=(1, 1), qparams=qp)
        shape = {"in_features": c.number(1), "out_features": c.number(size)}
        kids[f"k{i}"] = c.linear(w, c.NONE, **shape)
    data = {"0": bytes(size), "s": struct.pack("<e", 0.01) * size, "z": bytes(size)}
    return c.archive(b"\x80\x02" + c.module("__main__ Net", kids) + b".", data)


@case("deeper")
def cyclic_modules(marker: Path) -> bytes:
    del marker
    start = c.name("__main__ Net") + b")\x81q\x01"
    return c.archive(b"\x80\x02" + start + c.table({"_modules": c.table({"a": b"h\x01"})}) + b"b.")


@case("")
def cyclic_modules_branching(marker: Path) -> bytes:
    del marker
    start = c.name("__main__ Net") + b")\x81q\x01"
    kids = c.table({"a": b"h\x01", "b": b"h\x01"})
    return c.archive(b"\x80\x02" + start + c.table({"_modules": kids}) + b"b.")


@case("bytes")
def zip_bomb(marker: Path) -> bytes:
    del marker
    return c.archive(c.net(), {"0": bytes(200_000_000)}, method=zipfile.ZIP_DEFLATED)


@case("")
def deflated(marker: Path) -> bytes:
    del marker
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("m/data.pkl", c.net())
        out.writestr("m/byteorder", b"little", compress_type=zipfile.ZIP_STORED)
        out.writestr("m/pad", bytes(range(256)) * 64, compress_type=zipfile.ZIP_STORED)
    return stream.getvalue()


@case("")
def overlapping_members(marker: Path) -> bytes:
    """Many entries of the directory point at the same bytes."""
    del marker
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as out:
        out.writestr("m/data.pkl", c.net())
        out.writestr("m/data/0", bytes(1_000_000))
        first = out.getinfo("m/data/0")
        for i in range(1, 1000):
            info = zipfile.ZipInfo(f"m/data/{i}")
            info.file_size, info.compress_size = first.file_size, first.compress_size
            info.CRC, info.header_offset = first.CRC, first.header_offset
            info.create_version, info.extract_version = 20, 20
            out.filelist.append(info)
            out.NameToInfo[info.filename] = info
    return stream.getvalue()


# ------------------------------------------------------------------ numbers that lie


@case("", {"numel": -6})
@case("", {"numel": 2**40})
@case("", {"numel": 2**500})
@case("", {"size": (2**40, 3), "stride": (0, 0)})
@case("", {"size": (-2, -3)})
@case("", {"stride": (-3, -1)})
@case("", {"offset": -1})
@case("", {"offset": 1})
@case("", {"offset": 2**63})
@case("", {"stride": (2**62, 1)})
@case("", {"size": (1, 3), "stride": (2**61, 1)})
@case("", {"size": (2**61, 0), "stride": (1, 1)})
@case("", {"size": (0, 3)})
@case("", {"size": (2**32, 2**32)})
@case("", {"size": (2, 3, 1)})
@case("", {"size": (2, 3) + (1,) * 40, "stride": (3, 1) + (1,) * 40})
@case("", {"size": (3, 2), "stride": (2, 1)})
@case("quint8", {"kind": "QUInt8Storage"})
@case("", {"kind": "CharStorage"})
@case("BFloat16Storage", {"kind": "BFloat16Storage"})
@case("", {"kind": "QInt32Storage"})
@case("", {"key": "nothing"})
@case("", {"key": "../data.pkl"})
@case("scale nan", {"qparams": c.per_tensor(float("nan"))})
@case("scale inf", {"qparams": c.per_tensor(float("inf"))})
@case("scale 0.0", {"qparams": c.per_tensor(0.0)})
@case("scale -0.5", {"qparams": c.per_tensor(-0.5)})
@case("zero point 128", {"qparams": c.per_tensor(0.5, 128)})
@case("301 bits", {"qparams": c.per_tensor(0.5, 2**300)})
@case("", {"qparams": b"N"})
def weight_lie(marker: Path, change: dict) -> bytes:
    del marker
    return c.archive(c.net(c.linear(c.weight(**change))))


def channels(
    *, scales="scales", zeros="zeros", axis=0, size=2, kind="DoubleStorage", zkind="LongStorage"
):
    return c.per_channel(
        c.tensor(kind, scales, size, (size,)), c.tensor(zkind, zeros, size, (size,)), axis
    )


BAD = struct.pack("<2d", 0.01, float("nan"))
FAR = struct.pack("<2q", 0, 500)
THREE = struct.pack("<3d", 1, 1, 1)


@case("expected 3", {"axis": 1}, {})
@case("axis 7", {"axis": 7}, {})
@case("axis", {"axis": -1}, {})
@case("3 scales", {"size": 3}, {"scales": THREE, "zeros": bytes(24)})
@case("scale nan", {}, {"scales": BAD})
@case("scale 0", {}, {"scales": bytes(16)})
@case("zero point 500", {}, {"zeros": FAR})
@case("zero points", {"zkind": "DoubleStorage"}, {"zeros": BAD})
@case("scales", {"kind": "LongStorage"}, {})
def channel_lie(marker: Path, change: dict, data: dict) -> bytes:
    del marker
    return c.archive(c.net(c.linear(c.weight(qparams=channels(**change)))), data)


@case("bias", "int64", {"kind": "LongStorage", "numel": 1, "size": (1,)})
@case("bias", "long", {"numel": 2, "size": (1,)})
@case("bias", "double", {"kind": "DoubleStorage", "numel": 1, "size": (1,)})
@case("bias", "matrix", {"size": (2, 1), "stride": (1, 1)})
@case("bias", "stride", {"size": (2,), "stride": (2**60,)})
def bias_of(marker: Path, _: str, change: dict) -> bytes:
    del marker
    return c.archive(c.net(c.linear(b=c.bias(**change))))


@case("scale nan", "scale", c.real(float("nan")))
@case("scale -1", "scale", c.real(-1.0))
@case("bits", "scale", c.number(2**1100))
@case("scale", "scale", c.text("0.1"))
@case("zero point", "zero_point", c.number(256))
@case("zero point", "zero_point", c.number(-1))
@case("zero point", "zero_point", c.real(float("nan")))
@case("zero point", "zero_point", c.real(float("inf")))
@case("zero point", "zero_point", c.real(3.5))
@case("bits", "zero_point", c.number(10**300))
@case("inputs", "in_features", c.number(4))
@case("inputs", "out_features", c.number(3))
@case("no", "_modules", b"}")
@case("does not read", "_modules", b"N")
def layer_lie(marker: Path, attribute: str, value: bytes) -> bytes:
    del marker
    return c.archive(c.net(c.linear(**{attribute: value})))


@case("")
def huge_decimal(marker: Path) -> bytes:
    del marker
    return c.archive(c.net(c.linear(scale=b"L" + b"9" * 4000 + b"L\n")))


@case("")
def decimal_numel(marker: Path) -> bytes:
    del marker
    w = c.weight().replace(c.number(6) + b"tQ", b"L" + b"9" * 4290 + b"L\ntQ")
    return c.archive(c.net(c.linear(w)))


@case("int8")
def linear_without_weights(marker: Path) -> bytes:
    del marker
    return c.archive(c.net(c.module(c.LINEAR, scale=c.real(0.1), zero_point=c.number(0))))


# -------------------------------------------------------------------- names that lie


@case("cannot be shown", "\x1b[2J")
@case("cannot be shown", "a\nb")
@case("cannot be shown", "\ud800")
@case("", "a.b")
@case("", "x" * 100_000)
@case("", "")
def layer_name(marker: Path, name: str) -> bytes:
    del marker
    return c.archive(b"\x80\x02" + c.module("__main__ Net", {name: c.linear()}) + b".")


@case("")
def class_name_with_escapes(marker: Path) -> bytes:
    del marker
    evil = c.text("evil\x1b[2J\nmodule") + c.text("N" * 50_000) + b"\x93"
    return c.archive(b"\x80\x04" + evil + b")R.")


@case("")
def surrogate_module_name(marker: Path) -> bytes:
    del marker
    return c.archive(b"\x80\x04" + c.text("\udc80") + c.text("x") + b"\x93)R.")


@case("not a module")
def layer_key_is_a_number(marker: Path) -> bytes:
    del marker
    kids = b"}" + c.number(7) + c.linear() + b"s"
    return c.archive(b"\x80\x02" + c.module("__main__ Net", {}, _modules=kids) + b".")


@case("outside its folder", "m/../../evil")
@case("outside its folder", "/etc/evil")
@case("outside its folder", "m\\..\\evil")
def member_name(marker: Path, member: str) -> bytes:
    del marker
    return c.archive(c.net(), more=[(member, b"x")])


@case("data.pkl")
def two_pickles(marker: Path) -> bytes:
    return c.archive(c.net(), more=[("evil/data.pkl", system_payload(marker))])


@case("twice")
def duplicate_pickle(marker: Path) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return c.archive(c.net(), more=[("m/data.pkl", system_payload(marker))])


@case("twice")
def duplicate_member(marker: Path) -> bytes:
    del marker
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return c.archive(c.net(), more=[("m/data/0", b"123456")])


# ------------------------------------------------------------------ broken containers


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


# -------------------------------------------------------------------- other contents


@case("TorchScript", "m/constants.pkl")
@case("TorchScript", "m/code/__torch__.py")
@case("torch.export", "m/serialized_exported_program.json")
@case("torch.export", "m/models/model.json")
def another_kind(marker: Path, member: str) -> bytes:
    del marker
    return c.archive(c.net(), more=[(member, b"x")])


@case("holds a list", [1, 2, 3])
@case("holds a int", 7)
@case("holds a NoneType", None)
@case("holds a str", "model")
@case("epoch", {"epoch": 3, "model_state_dict": {}, "loss": 0.1})
@case("(none)", {})
@case("", {"fc.weight": [1.0]})
@case("", {"fc.scale": "a", "fc.zero_point": 1})
@case("", {"\x1b[2J" * 5000: 1})
def other_content(marker: Path, value: object) -> bytes:
    del marker
    return c.archive(pickle.dumps(value, 2))


@case("not converted")
def prepared_only(marker: Path) -> bytes:
    del marker
    fake = c.module("torch.ao.quantization.fake_quantize FakeQuantize")
    fc = c.module("torch.ao.nn.qat.modules.linear Linear", {"weight_fake_quant": fake})
    return c.archive(c.net(fc))


@case("float model")
def float_model(marker: Path) -> bytes:
    del marker
    fc = c.module("torch.nn.modules.linear Linear", in_features=c.number(3))
    return c.archive(c.net(fc))


@case("", b"")
@case("", b".")
@case("", b"\x80\x02")
@case("", b"\x80\x02N")
@case("", b"\x80\x02NN.")
@case("", b"\x80\x02(N.")
@case("", b"\x80\x02t.")
@case("", b"\x80\x02R.")
@case("", b"\x80\x02\x81.")
@case("", b"\x80\x02b.")
@case("", b"\x80\x02h\x07.")
@case("", b"\x80\x02q\x07.")
@case("", b"\x80\x02Nu.")
@case("", b"\x80\x02}(Nu.")
@case("", b"\x80\x02}Na.")
@case("", b"\x80\x02Q.")
@case("", b"\x80\x02NQ.")
@case("", b"\x80\x02X\xff\xff\xff\xff.")
@case("", b"\x80\x02X\x02\x00\x00\x00\xff\xfe.")
@case("", b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.")
@case("", b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7fN.")
@case("", b"\x80\x02\x8a\xff\x00.")
@case("", b"\x80\x02Ix\n.")
@case("", b"\x80\x02L" + b"9" * 9000 + b"L\n.")
@case("", b"\x80\x02Fx\n.")
@case("", b"\x80\x02cno_newline")
@case("", b"\x80\x02c\xff\n\xfe\n.")
@case("", b"\x80\x02g999999999999999999999\n.")
@case("", b"\x80\x02Vbad\\u12\n.")
@case("", b"\x80\x04\x93.")
@case("", b"\x80\x04NN\x93.")
@case("", b"\x80\x02ccollections\nOrderedDict\nN\x85R.")
@case("", b"\x80\x02ccollections\nOrderedDict\n]N\x85aR.")
@case("", b"\x80\x02ctorch\nSize\n)R.")
@case("", b"\x80\x02ca\nb\n)\x81N\x85b.")
@case("", b"\xff\xfe\xfd")
def broken_pickle(marker: Path, data: bytes) -> bytes:
    del marker
    return c.archive(data)


if __name__ == "__main__":
    for made in make_all(Path(sys.argv[1])):
        sys.stdout.write(f"{made.path}\n")
