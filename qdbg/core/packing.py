"""Recording ⇄ named tensors and plain JSON data; everything is checked on the way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from qdbg.core.checks import check, describe, integers_in, list_in, mapping_in, tensor_in, text_in
from qdbg.core.packing_parts import (
    fit_axis,
    get_operand,
    get_qparams,
    get_settings,
    get_strides,
    put_operand,
    put_qparams,
    put_settings,
)
from qdbg.core.program import (
    FIRST_CONSTANT,
    INPUT,
    UNKNOWN,
    Environment,
    Layer,
    Node,
    Program,
    Recording,
    Unseen,
)
from qdbg.core.quantity import STORAGE, Array, QTensor, memory_order
from qdbg.names import ENGINES, LEVELS

KERNELS = ("exact sums", "saturating pairs")
DIRECTIONS = (INPUT, UNKNOWN)
FED = (np.dtype(np.float32), np.dtype(np.int64))
"""The types of inputs: indices are int64."""
PLAIN = ("float32", "float64", "int64", "int32", "uint8")
"""The types of results that are not quantized."""


def pack(recording: Recording) -> tuple[dict[str, Array], dict[str, object]]:
    """The recording as tensors and JSON data, for `write`."""
    tensors: dict[str, Array] = {"input": recording.input}
    nodes = []
    for node, value in zip(recording.program.nodes, recording.values, strict=True):
        order = memory_order(value)
        tensors[f"value/{node.name}"] = value.transpose(order)
        nodes.append(
            {
                "name": node.name,
                "op": node.op,
                "layer": node.layer,
                "source": node.source,
                "inputs": list(node.inputs),
                "shape": list(node.shape),
                "dtype": node.dtype,
                "output": put_qparams(tensors, f"node/{node.name}", node.output),
                "names": list(node.names),
                "settings": put_settings(node.settings),
                "repeatable": node.repeatable,
                "strides": None if node.strides is None else list(node.strides),
            }
            | ({} if order == tuple(range(value.ndim)) else {"order": list(order)})
        )
    metadata: dict[str, object] = {
        "model": recording.model,
        "sha256": recording.sha256,
        "sample": recording.sample,
        "environment": asdict(recording.environment),
        "nodes": nodes,
        "layers": [_put_layer(tensors, layer) for layer in recording.program.layers.values()],
        "constants": [
            put_operand(tensors, f"constant/{n}", c) for n, c in enumerate(recording.constants)
        ],
    }
    if recording.unseen is not None:
        metadata["unseen"] = {
            "derived": [
                {"constant": number, "calls": list(calls)}
                for number, calls in recording.unseen.derived.items()
            ],
            "decided": [
                {"from": call, "calls": list(calls)} for call, calls in recording.unseen.decided
            ],
        }
    return tensors, metadata


def unpack(tensors: Mapping[str, Array], metadata: Mapping[str, object]) -> Recording:
    """The recording that was packed; other keys of the metadata are left alone.

    Raises SessionError where a number or name could not come from PyTorch.
    """
    entries = enumerate(list_in(metadata, "constants"))
    constants = tuple(get_operand(tensors, f"constant/{n}", entry) for n, entry in entries)
    nodes, values = [], []
    for index, entry in enumerate(list_in(metadata, "nodes")):
        node = _get_node(tensors, entry, index, len(constants))
        nodes.append(node)
        values.append(_value(tensors, node, mapping_in(entry)))
    check(len({node.name for node in nodes}) == len(nodes), "two calls have the same name")
    layers = [_get_layer(tensors, entry) for entry in list_in(metadata, "layers")]
    check(len({layer.path for layer in layers}) == len(layers), "two layers have the same path")
    fed = tensor_in(tensors, "input")
    check(fed.dtype in FED, f"the input is {fed.dtype}, not {' or '.join(map(str, FED))}")
    return Recording(
        model=text_in(metadata, "model"),
        sha256=text_in(metadata, "sha256"),
        sample=text_in(metadata, "sample"),
        input=fed,
        environment=_environment(mapping_in(metadata.get("environment"))),
        program=Program(tuple(nodes), {layer.path: layer for layer in layers}),
        values=tuple(values),
        constants=constants,
        unseen=_unseen(metadata.get("unseen")),
    )


def _unseen(entry: object) -> Unseen | None:
    if entry is None:
        return None
    fields = mapping_in(entry)
    return Unseen(
        {_number(e, "constant"): integers_in(e, "calls") for e in list_in(fields, "derived")},
        tuple((_number(e, "from"), integers_in(e, "calls")) for e in list_in(fields, "decided")),
    )


def _number(entry: Mapping[str, Any], key: str) -> int:
    found = entry.get(key)
    check(type(found) is int, f"its {key} is not a whole number")
    return int(found or 0)


def _put_layer(tensors: dict[str, Array], layer: Layer) -> object:
    weight = None
    if layer.weight is not None:
        tensors[f"weight/{layer.path}"] = layer.weight.q
        weight = put_qparams(tensors, f"weight/{layer.path}", layer.weight.qparams)
    if layer.bias is not None:
        tensors[f"bias/{layer.path}"] = layer.bias
    return {
        "path": layer.path,
        "class_name": layer.class_name,
        "weight": weight,
        "bias": layer.bias is not None,
        "output": put_qparams(tensors, f"layer/{layer.path}", layer.output),
        "settings": put_settings(layer.settings),
        "parameters": {
            name: put_operand(tensors, f"parameter/{layer.path}/{name}", value)
            for name, value in layer.parameters.items()
        },
    }


def _get_node(
    tensors: Mapping[str, Array], entry: Mapping[str, Any], index: int, constants: int
) -> Node:
    name, source = text_in(entry, "name"), entry.get("source")
    check(source is None or isinstance(source, str), f"{name} has no readable source line")
    inputs, shape = integers_in(entry, "inputs"), integers_in(entry, "shape")
    for made_by in inputs:
        known = made_by in DIRECTIONS or FIRST_CONSTANT - constants < made_by < index
        check(known, f"{name} takes the result of call {made_by}, which did not run before it")
    output = get_qparams(tensors, entry.get("output"), name)
    dtype = text_in(entry, "dtype")
    fits = dtype == output.dtype if output is not None else dtype in PLAIN
    check(fits, f"{name} is {dtype[:40]}, but its parameters say otherwise")
    names = entry.get("names")
    named = isinstance(names, list) and all(isinstance(n, str) for n in names)
    check(named and len(names or ()) == len(inputs), f"{name} has operands without names")
    return Node(
        name=name,
        op=text_in(entry, "op"),
        layer=text_in(entry, "layer"),
        source=source,
        inputs=inputs,
        shape=shape,
        dtype=dtype,
        output=output,
        names=tuple(names or ()),
        settings=get_settings(entry.get("settings"), name),
        strides=get_strides(entry, len(shape), name),
        repeatable=entry.get("repeatable") is not False,
    )


def _value(tensors: Mapping[str, Array], node: Node, entry: Mapping[str, Any]) -> Array:
    """The file holds it in the order of PyTorch's memory, in which it is quickest to work with."""
    key = f"value/{node.name}"
    value = tensor_in(tensors, key)
    if entry.get("order") is not None:
        order = integers_in(entry, "order")
        fits = sorted(order) == list(range(value.ndim))
        check(fits, f"{describe(key)} have their axes in no order")
        value = value.transpose(np.argsort(order))
    dtype = np.dtype(STORAGE.get(node.dtype, node.dtype))
    check(value.dtype == dtype, f"{describe(key)} are {value.dtype}, not {dtype}")
    check(value.shape == node.shape, f"{describe(key)} have the shape {list(value.shape)}")
    fit_axis(node.output, value, node.name)
    return value


def _get_layer(tensors: Mapping[str, Array], entry: Mapping[str, Any]) -> Layer:
    path, weight, bias = text_in(entry, "path"), None, None
    qparams = get_qparams(tensors, entry.get("weight"), path)
    if qparams is not None:
        q = tensor_in(tensors, f"weight/{path}")
        check(q.dtype == STORAGE[qparams.dtype], f"the weights of {path} are {q.dtype}")
        fit_axis(qparams, q, path)
        weight = QTensor(q, qparams)
    if entry.get("bias"):
        bias = tensor_in(tensors, f"bias/{path}")
        check(bias.dtype == np.float32, f"the biases of {path} are {bias.dtype}, not float32")
        transposed = weight is not None and "Transpose" in text_in(entry, "class_name")
        outputs = mapping_in(entry.get("settings")).get("out_channels") if transposed else None
        fits = weight is None or bias.shape == ((outputs,) if transposed else weight.q.shape[:1])
        check(fits, f"{path} has {bias.size} biases for weights of another size")
    return Layer(
        path=path,
        class_name=text_in(entry, "class_name"),
        weight=weight,
        bias=bias,
        output=get_qparams(tensors, entry.get("output"), path),
        settings=get_settings(entry.get("settings"), path),
        parameters={
            name: get_operand(tensors, f"parameter/{path}/{name}", mapping_in(held))
            for name, held in mapping_in(entry.get("parameters", {})).items()
        },
    )


def _environment(entry: Mapping[str, Any]) -> Environment:
    engine, cpu, kernel = text_in(entry, "engine"), text_in(entry, "cpu"), text_in(entry, "kernel")
    check(engine in ENGINES, f"the engine {engine[:40]!r} is unknown")
    check(cpu in LEVELS, f"the CPU level {cpu[:40]!r} is unknown")
    check(kernel in KERNELS, f"the kernel {kernel[:40]!r} is unknown")
    unperturbed = entry.get("unperturbed")
    check(isinstance(unperturbed, bool), "whether observing changed the result is not stated")
    torch, processor = text_in(entry, "torch"), text_in(entry, "processor")
    threads = entry.get("threads", 1)
    check(type(threads) is int and threads > 0, "the number of threads is not stated")
    return Environment(engine, cpu, torch, processor, kernel, bool(unperturbed), int(threads))
