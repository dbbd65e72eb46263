"""Packed weights that an FX model holds by themselves, for calls of torch.ops.quantized."""

from __future__ import annotations

from typing import Any

from qdbg.core.program import Layer
from qdbg.errors import ModelError
from qdbg.reader.convolution import checked_geometry, weight_shape
from qdbg.reader.packed import LINEAR_BASE, float_bias, int8_weight, script_linear
from qdbg.reader.records import Record
from qdbg.reader.tensors import Tensors

ROOM = "torch.classes.quantized."
"""Where torch keeps the classes of packed weights."""
CONVOLUTIONS = {f"Conv{n}dPackedParamsBase": n for n in (2, 3)}
VERSION = "2"
PARTS = ("stride", "padding", "dilation", "output_padding")


def packed_layer(script: Record, path: str, tensors: Tensors) -> Layer | None:
    """Packed weights as a layer; None for those of a kind that qdbg does not read."""
    if not isinstance(script.state, tuple) or not isinstance(script.state[-1], str):
        return None
    kind = script.state[-1].rpartition(".")[2]
    if kind == LINEAR_BASE:
        pair = script_linear(script, path, tensors)
        return None if pair is None else Layer(path, ROOM + kind, *pair)
    if kind not in CONVOLUTIONS:
        return None
    match script.state[0]:
        case (str("2"), [config, weight], [*biases]) if len(biases) < 2:  # noqa: PLR2004 - or none
            bias = biases[0] if biases else None
        case _:
            raise ModelError(f"{path} is packed in another way than version {VERSION}")
    axes = CONVOLUTIONS[kind]
    packed = int8_weight(weight, axes + 2, path, tensors)
    numbers = tensors.array(config, f"the numbers of {path}").reshape(-1).tolist()
    if len(numbers) != 1 + axes * len(PARTS) + 2 or numbers[0] != axes:
        raise ModelError(f"{path} has {len(numbers)} numbers for {axes} axes")
    settings = _settings(numbers, axes, packed.q.shape)
    if settings["transposed"] not in {0, 1}:
        raise ModelError(f"{path} says transposed={settings['transposed']}", expected="0 or 1")
    transposed = settings["transposed"] == 1
    settings = checked_geometry(settings, axes, path) | {"transposed": transposed}
    if list(packed.q.shape) != weight_shape(settings, transposed):
        raise ModelError(f"{path}.weight has the shape {list(packed.q.shape)}")
    found = float_bias(bias, settings["out_channels"], path, tensors)
    return Layer(path, ROOM + kind, packed, found, None, settings)


def _settings(numbers: list[int], axes: int, shape: tuple[int, ...]) -> dict[str, Any]:
    """What the numbers say, in torch's own order, and what follows from the weight's shape."""
    found: dict[str, Any] = {
        name: numbers[1 + axes * place :][:axes] for place, name in enumerate(PARTS)
    }
    groups, transposed = numbers[-2:]
    first, second = shape[0], shape[1] * groups
    outputs, inputs = (second, first) if transposed else (first, second)
    return found | {
        "in_channels": inputs,
        "out_channels": outputs,
        "kernel_size": list(shape[2:]),
        "groups": groups,
        "transposed": transposed,
        "padding_mode": "zeros",
    }
