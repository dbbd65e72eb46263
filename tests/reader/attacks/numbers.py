"""Sizes, scales and zero points that cannot be."""

import struct
from pathlib import Path

from tests.reader import crafted as c
from tests.reader.attacks.case import case


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
