"""Where a call's weights are held: in a layer of the file, or in operands of the call's own, as
those of an embedding and of the linear parts of an LSTM or GRU are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qdbg.core.program import FIRST_CONSTANT, Layer, Node, Program, Recording
from qdbg.core.quantity import RANGES, Array, QParams, QTensor

OF_WEIGHTS = ("w_q", "b", "w_scale", "w_zp")
OPERANDS = {"w_q": "weight", "b": "bias", "w_scale": "weight_scale", "w_zp": "weight_zero_point"}
"""The dispatcher's names of the operands that hold them one by one, as an embedding's do."""
BITS = "weight_bits"


def in_layer(recording: Recording, call: int) -> bool:
    """Whether a layer of the file holds the call's weights."""
    return _layer(recording, recording.program.nodes[call]) is not None


def weight_shape(recording: Recording, call: int) -> tuple[int, ...]:
    """Of the call's `w_q`; empty where it has none."""
    found = numbers(recording, call, "w_q")
    return () if found is None else found.shape


def numbers(recording: Recording, call: int, symbol: str) -> Array | None:
    """The tensor that one of OF_WEIGHTS stands for; None where the call has none."""
    node = recording.program.nodes[call]
    layer = _layer(recording, node)
    if layer is not None:
        return layer.bias if symbol == "b" else _part(layer.weight, symbol)
    weight = _operand(recording, node, "weight")
    if isinstance(weight, QTensor):
        if symbol != "b":
            return _part(weight, symbol)
    elif _operand(recording, node, BITS) is None:
        return None  # what a norm calls its weight is none of these
    found = _operand(recording, node, OPERANDS[symbol])
    return found if isinstance(found, np.ndarray) else None


def shared_by(recording: Recording, call: int, symbol: str) -> set[int]:
    """The calls that take the same tensor."""
    nodes = recording.program.nodes
    if _layer(recording, nodes[call]) is not None:
        return {other for other, node in enumerate(nodes) if node.layer == nodes[call].layer}
    sources = _sources(recording, call, symbol)
    return {other for other, node in enumerate(nodes) if sources.intersection(node.inputs)}


def limits(recording: Recording, call: int, symbol: str) -> tuple[int, int] | None:
    """The smallest and the largest integer that may stand there; None for real numbers."""
    node = recording.program.nodes[call]
    layer = _layer(recording, node)
    weight = layer.weight if layer is not None else _operand(recording, node, "weight")
    if symbol in {"b", "w_scale"}:
        return None
    if isinstance(weight, QTensor):
        return RANGES[weight.qparams.dtype]
    bits = _operand(recording, node, BITS)
    if symbol != "w_q" or not isinstance(bits, np.ndarray):
        return None
    return 0, 2 ** int(bits.reshape(-1)[0]) - 1


def put(recording: Recording, call: int, symbol: str, made: Array) -> Recording:
    """The recording with another tensor there."""
    program = recording.program
    node = program.nodes[call]
    layer = _layer(recording, node)
    if layer is not None:
        own = replace(layer, bias=made) if symbol == "b" else _weighted(layer, symbol, made)
        return replace(
            recording, program=Program(program.nodes, {**program.layers, node.layer: own})
        )
    constants = list(recording.constants)
    for source in _sources(recording, call, symbol):
        held = recording.operand(source)
        constants[FIRST_CONSTANT - source] = (
            _with_part(held, symbol, made) if isinstance(held, QTensor) else made
        )
    return replace(recording, constants=tuple(constants))


def with_params(own: QParams, symbol: str, made: Array) -> QParams:
    """With another scale, or another zero point, as the symbol's end says."""
    return replace(own, scale=made) if symbol.endswith("scale") else replace(own, zero_point=made)


def _layer(recording: Recording, node: Node) -> Layer | None:
    """The layer that holds the call's weights."""
    layer = recording.program.layers.get(node.layer)
    return layer if layer is not None and layer.weight is not None else None


def _weighted(layer: Layer, symbol: str, made: Array) -> Layer:
    assert layer.weight is not None  # noqa: S101 - for the type checker: _layer has looked
    return replace(layer, weight=_with_part(layer.weight, symbol, made))


def _part(weight: QTensor | None, symbol: str) -> Array | None:
    if weight is None:
        return None
    parts = {"w_q": weight.q, "w_scale": weight.qparams.scale, "w_zp": weight.qparams.zero_point}
    return parts[symbol]


def _with_part(weight: QTensor, symbol: str, made: Array) -> QTensor:
    if symbol == "w_q":
        return replace(weight, q=made)
    return replace(weight, qparams=with_params(weight.qparams, symbol, made))


def _sources(recording: Recording, call: int, symbol: str) -> set[int]:
    """The numbers of the operands that hold it: PyTorch unpacks the weights of a layer anew for
    each of its calls, and each time they are another tensor with the same numbers."""
    node = recording.program.nodes[call]
    whole = isinstance(_operand(recording, node, "weight"), QTensor) and symbol != "b"
    name = "weight" if whole else OPERANDS[symbol]
    own = _constants(node)[name]
    alike = (
        _constants(other).get(name, own)
        for other in recording.program.nodes
        if node.layer and (other.layer, _part_of(other)) == (node.layer, _part_of(node))
    )
    held = recording.operand(own)
    return {own, *(source for source in alike if _equal(recording.operand(source), held))}


def _part_of(node: Node) -> str:
    """Which of its layer's calls it is, whichever time: `ih_l0` of `lstm#2:ih_l0#3`."""
    return node.name.rpartition(":")[2].partition("#")[0]


def _equal(one: QTensor | Array | None, other: QTensor | Array | None) -> bool:
    if isinstance(one, QTensor) and isinstance(other, QTensor):
        params = (one.qparams, other.qparams)
        scales, zeros = ([getattr(p, n) for p in params] for n in ("scale", "zero_point"))
        return all(np.array_equal(*both) for both in ((one.q, other.q), scales, zeros))
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    return False


def _operand(recording: Recording, node: Node, name: str) -> QTensor | Array | None:
    source = _constants(node).get(name)
    return None if source is None else recording.operand(source)


def _constants(node: Node) -> dict[str, int]:
    """The operands by name that no call made."""
    both = zip(node.names, node.inputs, strict=False)
    return {name: source for name, source in both if source <= FIRST_CONSTANT}
