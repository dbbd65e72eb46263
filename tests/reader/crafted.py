"""Model files put together opcode by opcode, so that every lie can be told; no torch."""

import io
import struct
import zipfile
from collections.abc import Mapping

LINEAR = "torch.ao.nn.quantized.modules.linear Linear"
PACKED = "torch.ao.nn.quantized.modules.linear LinearPackedParams"
KIND = "__torch__.torch.classes.quantized.LinearPackedParamsBase"
EMPTY = b"ccollections\nOrderedDict\n)R"
NONE, TRUE, FALSE = b"N", b"\x88", b"\x89"
Bytes = bytes


def text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def real(value: float) -> bytes:
    return b"G" + struct.pack(">d", value)


def name(full: str) -> bytes:
    """`module name`."""
    return b"c" + "\n".join(full.rsplit(" ", 1)).encode() + b"\n"


def group(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def listed(*items: bytes) -> bytes:
    return b"](" + b"".join(items) + b"e"


def table(items: Mapping[str, bytes]) -> bytes:
    return b"}(" + b"".join(text(k) + v for k, v in items.items()) + b"u"


def call(full: str, *args: bytes) -> bytes:
    return name(full) + group(*args) + b"R"


def new(full: str, state: bytes) -> bytes:
    return name(full) + b")\x81" + state + b"b"


def storage(kind: str, key: str, numel: int) -> bytes:
    return (
        group(text("storage"), name(f"torch {kind}"), text(key), text("cpu"), number(numel)) + b"Q"
    )


def counts(values: tuple[int, ...]) -> bytes:
    return group(*(number(v) for v in values))


def tensor(kind, key, numel, size, *, stride=None, offset=0) -> bytes:
    stride = stride if stride is not None else (1,) * len(size)
    return call(
        "torch._utils _rebuild_tensor_v2",
        *(storage(kind, key, numel), number(offset), counts(size), counts(stride), FALSE, EMPTY),
    )


def per_tensor(scale: float = 0.01, zero_point: int = 0) -> bytes:
    return group(name("torch per_tensor_affine"), real(scale), number(zero_point))


def per_channel(scales: bytes, zero_points: bytes, axis: int = 0) -> bytes:
    return group(name("torch per_channel_affine"), scales, zero_points, number(axis))


def weight(
    *, kind="QInt8Storage", key="0", numel=6, size=(2, 3), stride=(3, 1), offset=0, qparams=None
) -> bytes:
    return call(
        "torch._utils _rebuild_qtensor",
        *(storage(kind, key, numel), number(offset), counts(size), counts(stride)),
        *(qparams or per_tensor(), FALSE, EMPTY),
    )


def bias(kind="FloatStorage", key="1", numel=2, size=(2,), **more) -> bytes:
    return tensor(kind, key, numel, size, **more)


def module(full: str, modules: Mapping[str, bytes] | None = None, **state: bytes) -> bytes:
    parts = {"training": FALSE, "_parameters": b"}", "_buffers": b"}"}
    parts |= {"_forward_hooks": EMPTY, "_forward_pre_hooks": EMPTY}
    return new(full, table({**parts, "_modules": table(modules or {}), **state}))


def packed(w: bytes, b: bytes) -> bytes:
    script = new("torch ScriptObject", group(group(w, b), text(KIND)))
    return module(PACKED, _packed_params=script)


def linear(w=None, b=None, **state: bytes) -> bytes:
    settings = {"in_features": number(3), "out_features": number(2)}
    settings |= {"scale": real(0.1), "zero_point": number(97)}
    inside = {"_packed_params": packed(w or weight(), b or bias())}
    return module(LINEAR, inside, **(settings | state))


def net(fc: bytes | None = None, **state: bytes) -> bytes:
    return b"\x80\x02" + module("__main__ Net", {"fc": fc or linear()}, **state) + b"."


DATA = {
    "0": struct.pack("6b", -128, -3, 0, 1, 5, 127),
    "1": struct.pack("<2f", 0.5, -1.5),
    "scales": struct.pack("<2d", 0.01, 0.02),
    "zeros": struct.pack("<2q", 0, 0),
}


def archive(pickle: bytes, data: Mapping[str, bytes] | None = None, more=(), method=0) -> bytes:
    """The zip file; `more` holds further members as (name, bytes)."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as out:
        out.writestr("m/data.pkl", pickle)
        out.writestr("m/byteorder", b"little")
        for key, value in {**DATA, **(data or {})}.items():
            out.writestr(f"m/data/{key}", value)
        out.writestr("m/version", b"3\n")
        for each, value in more:
            out.writestr(each, value)
    return stream.getvalue()
