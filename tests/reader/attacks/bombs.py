"""Small files that ask for much memory or time."""

import io
import struct
import zipfile
from pathlib import Path

from tests.reader import crafted as c
from tests.reader.attacks.case import case, in_state


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
