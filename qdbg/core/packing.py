"""Recording ⇄ named tensors and plain JSON data; everything is checked on the way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from qdbg.core.op import Operand
from qdbg.core.program import (
    FIRST_CONSTANT,
    INPUT,
    UNKNOWN,
    Environment,
    Layer,
    Node,
    Program,
    Recording,
)
from qdbg.core.quantity import RANGES, STORAGE, Array, QParams, QTensor
from qdbg.errors import SessionError
from qdbg.names import ENGINES, LEVELS

WORDS = {
    "input": "the recorded input's numbers",
    "value": "the recorded integers of {}",
    "weight": "the weights of {}",
    "bias": "the biases of {}",
    "scale": "the scales of {}",
    "zero_point": "the zero points of {}",
    "constant": "the numbers of constant {}",
    "parameter": "the numbers of {}",
}
KERNELS = ("exact sums", "saturating pairs")
DIRECTIONS = (INPUT, UNKNOWN)
PLAIN = ("float32", "float64", "int64", "int32", "uint8")
"""The types of results that are not quantized."""
MOST = 2**40
"""No stride is larger."""


def describe(key: str) -> str:
    """A tensor's name in words: `the recorded integers of fc1:linear`."""
    part, _, rest = key.partition("/")
    if part not in WORDS:
        return f"the numbers of {key}"
    owner = rest.partition("/")[2] if part in {"scale", "zero_point"} else rest
    return WORDS[part].format(owner or "the model itself")


def pack(recording: Recording) -> tuple[dict[str, Array], dict[str, object]]:
    """The recording as tensors and JSON data, for `write`."""
    tensors: dict[str, Array] = {"input": recording.input}
    nodes = []
    for node, value in zip(recording.program.nodes, recording.values, strict=True):
        tensors[f"value/{node.name}"] = value
        nodes.append(
            {
                "name": node.name,
                "op": node.op,
                "layer": node.layer,
                "source": node.source,
                "inputs": list(node.inputs),
                "shape": list(node.shape),
                "dtype": node.dtype,
                "output": _put_qparams(tensors, f"node/{node.name}", node.output),
                "names": list(node.names),
                "settings": dict(node.settings),
                "repeatable": node.repeatable,
                "strides": None if node.strides is None else list(node.strides),
            }
        )
    metadata: dict[str, object] = {
        "model": recording.model,
        "sha256": recording.sha256,
        "sample": recording.sample,
        "environment": asdict(recording.environment),
        "nodes": nodes,
        "layers": [_put_layer(tensors, layer) for layer in recording.program.layers.values()],
        "constants": [
            _put_operand(tensors, f"constant/{n}", c) for n, c in enumerate(recording.constants)
        ],
    }
    return tensors, metadata


def unpack(tensors: Mapping[str, Array], metadata: Mapping[str, object]) -> Recording:
    """The recording that was packed; other keys of the metadata are left alone.

    Raises SessionError where a number or name could not come from PyTorch.
    """
    entries = enumerate(_list(metadata, "constants"))
    constants = tuple(_get_operand(tensors, f"constant/{n}", entry) for n, entry in entries)
    nodes, values = [], []
    for index, entry in enumerate(_list(metadata, "nodes")):
        node = _get_node(tensors, entry, index, len(constants))
        nodes.append(node)
        values.append(_value(tensors, node))
    _check(len({node.name for node in nodes}) == len(nodes), "two calls have the same name")
    layers = [_get_layer(tensors, entry) for entry in _list(metadata, "layers")]
    _check(len({layer.path for layer in layers}) == len(layers), "two layers have the same path")
    fed = _tensor(tensors, "input")
    _check(fed.dtype == np.float32, f"the input is {fed.dtype}, not float32")
    return Recording(
        model=_text(metadata, "model"),
        sha256=_text(metadata, "sha256"),
        sample=_text(metadata, "sample"),
        input=fed,
        environment=_environment(_mapping(metadata.get("environment"))),
        program=Program(tuple(nodes), {layer.path: layer for layer in layers}),
        values=tuple(values),
        constants=constants,
    )


def _put_qparams(tensors: dict[str, Array], owner: str, qparams: QParams | None) -> object:
    """JSON keeps a single float64 exactly; channels go to tensors."""
    if qparams is None:
        return None
    if not qparams.per_channel:
        scale, zero_point = float(qparams.scale), int(qparams.zero_point)
        return {"dtype": qparams.dtype, "scale": scale, "zero_point": zero_point}
    tensors[f"scale/{owner}"] = qparams.scale
    tensors[f"zero_point/{owner}"] = qparams.zero_point
    return {"dtype": qparams.dtype, "axis": qparams.axis, "channels": owner}


def _put_operand(tensors: dict[str, Array], key: str, operand: Operand) -> object:
    if not isinstance(operand, QTensor):
        tensors[key] = operand
        return {"qparams": None}
    tensors[key] = operand.q
    strides = None if operand.strides is None else list(operand.strides)
    return {"qparams": _put_qparams(tensors, key, operand.qparams), "strides": strides}


def _get_operand(
    tensors: Mapping[str, Array], key: str, entry: Mapping[str, Any]
) -> QTensor | Array:
    value = _tensor(tensors, key)
    qparams = _get_qparams(tensors, entry.get("qparams"), describe(key))
    if qparams is None:
        return value
    _check(value.dtype == STORAGE[qparams.dtype], f"{describe(key)} are {value.dtype}")
    _fit_axis(qparams, value, describe(key))
    return QTensor(value, qparams, _strides(entry, value.ndim, describe(key)))


def _strides(entry: Mapping[str, Any], axes: int, owner: str) -> tuple[int, ...] | None:
    if entry.get("strides") is None:
        return None
    found = _integers(entry, "strides")
    fits = len(found) == axes and all(0 <= s < MOST for s in found)
    _check(fits, f"{owner} has strides for another shape")
    return found


def _put_layer(tensors: dict[str, Array], layer: Layer) -> object:
    weight = None
    if layer.weight is not None:
        tensors[f"weight/{layer.path}"] = layer.weight.q
        weight = _put_qparams(tensors, f"weight/{layer.path}", layer.weight.qparams)
    if layer.bias is not None:
        tensors[f"bias/{layer.path}"] = layer.bias
    return {
        "path": layer.path,
        "class_name": layer.class_name,
        "weight": weight,
        "bias": layer.bias is not None,
        "output": _put_qparams(tensors, f"layer/{layer.path}", layer.output),
        "settings": dict(layer.settings),
        "parameters": {
            name: _put_operand(tensors, f"parameter/{layer.path}/{name}", value)
            for name, value in layer.parameters.items()
        },
    }


def _get_node(
    tensors: Mapping[str, Array], entry: Mapping[str, Any], index: int, constants: int
) -> Node:
    name, source = _text(entry, "name"), entry.get("source")
    _check(source is None or isinstance(source, str), f"{name} has no readable source line")
    inputs, shape = _integers(entry, "inputs"), _integers(entry, "shape")
    for made_by in inputs:
        known = made_by in DIRECTIONS or FIRST_CONSTANT - constants < made_by < index
        _check(known, f"{name} takes the result of call {made_by}, which did not run before it")
    output = _get_qparams(tensors, entry.get("output"), name)
    dtype = _text(entry, "dtype")
    fits = dtype == output.dtype if output is not None else dtype in PLAIN
    _check(fits, f"{name} is {dtype[:40]}, but its parameters say otherwise")
    names = entry.get("names")
    named = isinstance(names, list) and all(isinstance(n, str) for n in names)
    _check(named and len(names or ()) == len(inputs), f"{name} has operands without names")
    return Node(
        name=name,
        op=_text(entry, "op"),
        layer=_text(entry, "layer"),
        source=source,
        inputs=inputs,
        shape=shape,
        dtype=dtype,
        output=output,
        names=tuple(names or ()),
        settings=_mapping(entry.get("settings")),
        strides=_strides(entry, len(shape), name),
        repeatable=entry.get("repeatable") is not False,
    )


def _value(tensors: Mapping[str, Array], node: Node) -> Array:
    key = f"value/{node.name}"
    value = _tensor(tensors, key)
    dtype = np.dtype(STORAGE.get(node.dtype, node.dtype))
    _check(value.dtype == dtype, f"{describe(key)} are {value.dtype}, not {dtype}")
    _check(value.shape == node.shape, f"{describe(key)} have the shape {list(value.shape)}")
    _fit_axis(node.output, value, node.name)
    return value


def _get_layer(tensors: Mapping[str, Array], entry: Mapping[str, Any]) -> Layer:
    path, weight, bias = _text(entry, "path"), None, None
    qparams = _get_qparams(tensors, entry.get("weight"), path)
    if qparams is not None:
        q = _tensor(tensors, f"weight/{path}")
        _check(q.dtype == STORAGE[qparams.dtype], f"the weights of {path} are {q.dtype}")
        _fit_axis(qparams, q, path)
        weight = QTensor(q, qparams)
    if entry.get("bias"):
        bias = _tensor(tensors, f"bias/{path}")
        _check(bias.dtype == np.float32, f"the biases of {path} are {bias.dtype}, not float32")
        transposed = weight is not None and "Transpose" in _text(entry, "class_name")
        outputs = _mapping(entry.get("settings")).get("out_channels") if transposed else None
        fits = weight is None or bias.shape == ((outputs,) if transposed else weight.q.shape[:1])
        _check(fits, f"{path} has {bias.size} biases for weights of another size")
    return Layer(
        path=path,
        class_name=_text(entry, "class_name"),
        weight=weight,
        bias=bias,
        output=_get_qparams(tensors, entry.get("output"), path),
        settings=_mapping(entry.get("settings")),
        parameters={
            name: _get_operand(tensors, f"parameter/{path}/{name}", _mapping(held))
            for name, held in _mapping(entry.get("parameters", {})).items()
        },
    )


def _get_qparams(tensors: Mapping[str, Array], entry: object, owner: str) -> QParams | None:
    if entry is None:
        return None
    fields = _mapping(entry)
    dtype, axis = _text(fields, "dtype"), fields.get("axis")
    _check(dtype in RANGES, f"{owner} has the unknown type {dtype}")
    if axis is None:
        scale, zero_point = fields.get("scale"), fields.get("zero_point")
        plain = isinstance(scale, float) and isinstance(zero_point, int)
        _check(plain, f"{owner} has no readable scale or zero point")
        low, high = RANGES["qint32"]
        narrow = min(max(int(zero_point or 0), low - 1), high + 1)
        qparams = QParams.per_tensor(float(scale or 0), narrow, dtype)
    else:
        _check(isinstance(axis, int) and axis >= 0, f"{owner} has no readable channel axis")
        key = _text(fields, "channels")
        scales, zero_points = (
            _tensor(tensors, f"scale/{key}"),
            _tensor(tensors, f"zero_point/{key}"),
        )
        shaped = scales.ndim == 1 and scales.shape == zero_points.shape
        typed = scales.dtype == np.float64 and zero_points.dtype == np.int64
        _check(shaped and typed, f"{owner} has scales and zero points of another form")
        qparams = QParams(scales, zero_points, dtype, axis)
    good = bool(np.all(np.isfinite(qparams.scale)) and np.all(qparams.scale > 0))
    _check(good, f"{owner} has a scale that is not a positive number")
    low, high = RANGES[dtype]
    inside = bool(np.all((qparams.zero_point >= low) & (qparams.zero_point <= high)))
    _check(inside, f"{owner} has a zero point outside {low} to {high}")
    return qparams


def _fit_axis(qparams: QParams | None, q: Array, owner: str) -> None:
    if qparams is not None and qparams.axis is not None:
        fits = qparams.axis < q.ndim and q.shape[qparams.axis] == qparams.scale.size
        _check(fits, f"{owner} has {qparams.scale.size} scales for the shape {list(q.shape)}")


def _environment(entry: Mapping[str, Any]) -> Environment:
    engine, cpu, kernel = _text(entry, "engine"), _text(entry, "cpu"), _text(entry, "kernel")
    _check(engine in ENGINES, f"the engine {engine[:40]!r} is unknown")
    _check(cpu in LEVELS, f"the CPU level {cpu[:40]!r} is unknown")
    _check(kernel in KERNELS, f"the kernel {kernel[:40]!r} is unknown")
    unperturbed = entry.get("unperturbed")
    _check(isinstance(unperturbed, bool), "whether observing changed the result is not stated")
    torch, processor = _text(entry, "torch"), _text(entry, "processor")
    threads = entry.get("threads", 1)
    _check(type(threads) is int and threads > 0, "the number of threads is not stated")
    return Environment(engine, cpu, torch, processor, kernel, bool(unperturbed), int(threads))


def _check(holds: object, otherwise: str) -> None:
    if not holds:
        raise SessionError(
            f"the recording is not one that qdbg made: {otherwise}",
            remedy="record it again from the model",
        )


def _tensor(tensors: Mapping[str, Array], key: str) -> Array:
    _check(key in tensors, f"{describe(key)} are missing")
    return tensors[key]


def _mapping(entry: object) -> Mapping[str, Any]:
    _check(isinstance(entry, dict), "a part of its description has another form")
    return entry if isinstance(entry, dict) else {}


def _list(entry: Mapping[str, object], key: str) -> list[Mapping[str, Any]]:
    found = entry.get(key)
    _check(isinstance(found, list), f"its {key} are missing")
    return [_mapping(item) for item in found] if isinstance(found, list) else []


def _text(entry: Mapping[str, Any], key: str) -> str:
    found = entry.get(key)
    _check(isinstance(found, str), f"its {key} is missing")
    return str(found)


def _integers(entry: Mapping[str, Any], key: str) -> tuple[int, ...]:
    found = entry.get(key)
    whole = isinstance(found, list) and all(type(item) is int for item in found)
    _check(whole, f"its {key} are not whole numbers")
    return tuple(found or ())
