"""Recordings of posted layers, made without PyTorch: its integers are the simulation's, which
tests/oracle proves for the same layers."""

from dataclasses import replace

import numpy as np

from qdbg.core.program import INPUT, Environment, Layer, Node, Program, Recording
from qdbg.core.quantity import QParams, QTensor
from qdbg.engine.arithmetics import arithmetic_for
from qdbg.engine.trace import Trace

FIRST, SECOND = -3, -4
"""The numbers of the first two constants of a recording."""


def quantized(posted):
    return QTensor(posted.q, QParams.per_tensor(posted.scale, posted.zero_point, posted.dtype))


def recording(posted, arithmetic):
    """The posted layer as one call, under the arithmetic of an engine and CPU level."""
    engine, _, level = arithmetic.partition("-")
    dtype = posted.other.dtype if posted.other is not None else "quint8"
    output = QParams.per_tensor(posted.y_scale, posted.y_zp, dtype)
    layers, constants, x = {}, (), np.zeros(0, np.float32)
    if posted.op == "quantize":
        node, x = _node(posted, posted.real.shape, output, (INPUT,)), posted.real
    elif posted.other is not None:
        constants = (quantized(posted.x), quantized(posted.other))
        node = _node(posted, posted.x.q.shape, output, (FIRST, SECOND), ("qa", "qb"))
    else:
        constants = (quantized(posted.x),)
        node = _node(posted, _shape(posted), output, (FIRST,), ("qx",))
        layers = {"layer": _layer(posted, output)}
    made = Recording(
        model="posted", sha256="", sample="posted", input=x,
        environment=Environment(engine, level, "2.13.0", "", "", unperturbed=True),
        program=Program((node,), layers),
        values=(np.zeros(node.shape, np.uint8),), constants=constants,
    )  # fmt: skip
    return replace(made, values=(Trace(made, arithmetic_for(made)).simulation(0).result,))


def _node(posted, shape, output, inputs, names=()):
    path = "layer" if posted.w is not None else ""
    return Node(
        f"layer:{posted.op}", posted.op, path, None, inputs, tuple(shape), output.dtype, output,
        names,
    )  # fmt: skip


def _shape(posted):
    x, w = posted.x.q.shape, posted.w.q.shape
    out = [(n + 2 * posted.padding - k) // posted.stride + 1 for n, k in zip(x[2:], w[2:])]  # noqa: B905 - Linear has none
    return (x[0], w[0], *out)


def _layer(posted, output):
    weight = quantized(posted.w)
    if posted.per_channel:
        many = len(posted.w.q)
        scales, zero_points = np.full(many, posted.w.scale), np.zeros(many, np.int64)
        weight = QTensor(posted.w.q, QParams(scales, zero_points, "qint8", 0))
    axes = posted.w.q.ndim - 2
    settings = {
        "stride": [posted.stride] * axes, "padding": [posted.padding] * axes,
        "dilation": [1] * axes, "groups": 1, "padding_mode": "zeros",
        "in_channels": posted.x.q.shape[1], "out_channels": len(posted.w.q),
    } if axes else {}  # fmt: skip
    bias = None if posted.b is None else np.array(posted.b, np.float32)
    return Layer("layer", posted.op, weight, bias, output, settings)
