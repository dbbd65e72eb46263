"""Quantized convolutions: their file holds a bare tuple in the place of a module's attributes."""

from __future__ import annotations

import re
from typing import Any

from qdbg.core.program import Layer
from qdbg.errors import ModelError
from qdbg.reader.numbers import parameters
from qdbg.reader.packed import float_bias, int8_weight
from qdbg.reader.records import Record
from qdbg.reader.tensors import Tensors

KIND = re.compile(r"Conv(Transpose|ReLU|Add|AddReLU)?([123])d")
FIELDS = (
    *("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation"),
    *("transposed", "output_padding", "groups", "padding_mode"),
)
"""The first parts of the tuple; weight, bias, scale, zero_point and training follow."""
PARTS = len(FIELDS) + 5
LARGEST = 65_536
"""No stride, padding or dilation is larger: a result could grow without end."""
MODES = ("zeros", "reflect")
LEAST = {"kernel_size": 1, "stride": 1, "padding": 0, "dilation": 1, "output_padding": 0}


def is_convolution(class_name: str) -> bool:
    """Whether a class of that name is one of torch's quantized convolutions."""
    return KIND.fullmatch(class_name.rpartition(".")[2]) is not None


def convolution(record: Record, path: str, tensors: Tensors, dynamic: bool) -> Layer:
    """A layer with its weight, bias and settings. Raises ModelError where they disagree."""
    kind = record.class_name.rpartition(".")[2]
    state = record.state
    if not isinstance(state, tuple) or len(state) != PARTS:
        raise ModelError(
            f"{path or kind} has no int8 weights", expected=f"a state of {PARTS} parts"
        )
    match = KIND.fullmatch(kind)
    axes = int(match[2]) if match else 0
    settings = dict(zip(FIELDS, state, strict=False))
    transposed = "Transpose" in kind
    if settings["transposed"] is not transposed:
        raise ModelError(f"{path or kind} says transposed={str(settings['transposed'])[:20]}")
    settings = checked_geometry(settings, axes, path or kind)
    weight, bias, scale, zero_point, training = state[len(FIELDS) :]
    packed = int8_weight(weight, axes + 2, path, tensors)
    shape = weight_shape(settings, transposed)
    if list(packed.q.shape) != shape:
        raise ModelError(
            f"{path}.weight has the shape {list(packed.q.shape)}",
            expected=f"{shape}, by the layer's channels, groups and kernel",
        )
    wanted = 1 if transposed else 0
    if packed.qparams.axis not in {None, wanted}:
        raise ModelError(
            f"{path}.weight has its scales on axis {packed.qparams.axis}", expected=str(wanted)
        )
    found = float_bias(bias, settings["out_channels"], path, tensors)
    output = None if dynamic else parameters(scale, zero_point, "quint8", path, tensors)
    settings["training"] = training is True
    return Layer(path, record.class_name, packed, found, output, settings)


def checked_geometry(settings: dict[str, Any], axes: int, path: str) -> dict[str, Any]:
    """The settings, sizes as lists. Raises ModelError for those of no convolution."""
    found = dict(settings)
    for name in ("in_channels", "out_channels", "groups"):
        if not _is_size(settings[name], 1):
            raise _wrong(path, name, settings[name], "a number of channels above 0")
    for name, least in LEAST.items():
        sizes = settings[name]
        whole = isinstance(sizes, tuple | list) and len(sizes) == axes
        if not whole or not all(_is_size(size, least) for size in sizes):
            raise _wrong(path, name, sizes, f"{axes} numbers from {least} to {LARGEST:,}")
        found[name] = list(sizes)
    if settings["padding_mode"] not in MODES:
        raise _wrong(path, "padding_mode", settings["padding_mode"], " or ".join(MODES))
    if (
        settings["in_channels"] % settings["groups"]
        or settings["out_channels"] % settings["groups"]
    ):
        channels = f"{settings['in_channels']} and {settings['out_channels']} channels"
        raise ModelError(f"{path} has {settings['groups']} groups of {channels}")
    return found


def weight_shape(settings: dict[str, Any], transposed: bool) -> list[int]:
    """The shape that a weight has for these settings."""
    first, second = settings["out_channels"], settings["in_channels"]
    if transposed:
        first, second = second, first
    return [first, second // settings["groups"], *settings["kernel_size"]]


def _is_size(value: Any, least: int) -> bool:
    return type(value) is int and least <= value <= LARGEST


def _wrong(path: str, name: str, value: Any, expected: str) -> ModelError:
    return ModelError(f"{path} has the {name} {str(value)[:40]!r}", expected=expected)
