"""Embedding and EmbeddingBag: rows of 8 or 4 bits, each with its own scale, added up as floats."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import f16, f32, f64, fma32
from qdbg.core.op import Call, Example, NotSimulated, Op
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array, QTensor
from qdbg.core.stage import Stage, Values, stage

BYTE = 8
ROWS_OF_BAGS = 2
"""Axes of indices that name a bag in each row."""
SUM = 0
"""The only way of reduction that the kernels have."""


@stage("offset", output="b float32 [R]", formula="b[r] = f32(-w_zp[r]·w_scale[r])", constant=True)
def byte_offset(w_zp: Array, w_scale: Array) -> Array:
    """The real value of the integer 0 in each row of the table, kept in float32."""
    return f32(-f64(w_zp) * w_scale)


@stage(
    "offset",
    output="b float32 [R]",
    formula="b[r] = f16(f32(-w_zp[r]·w_scale[r]))",
    constant=True,
)
def nibble_offset(w_zp: Array, w_scale: Array) -> Array:
    """The real value of the integer 0 in each row of the table, kept in 16-bit floating point."""
    return f32(f16(f32(-f64(w_zp) * w_scale)))


@stage("scale", output="s float32 [R]", formula="s[r] = w_scale[r]", constant=True)
def byte_scale(w_scale: Array) -> Array:
    """The scale of each row of the table, in float32."""
    return f32(w_scale)


@stage("scale", output="s float32 [R]", formula="s[r] = f16(w_scale[r])", constant=True)
def nibble_scale(w_scale: Array) -> Array:
    """The scale of each row of the table, kept in 16-bit floating point."""
    return f32(f16(w_scale))


@stage("rows", output="y float32 [E]", formula="y[e] = fma32(w_q[r,e], s[r], b[r]), r = row")
def look_up(w_q: Array, s: Array, b: Array, row: Array) -> Array:
    """Take the row of the table that the index names and turn its integers into real values."""
    return fma32(w_q[row], s[row][..., None], b[row][..., None])


@stage(
    "rows",
    output="y float32 [E]",
    formula="y[e] = sum of fma32(w_q[r,e], s[r], b[r]) over each r = row from first to last",
)
def add_rows(w_q: Array, s: Array, b: Array, row: Array, first: Array, last: Array) -> Array:
    """Take the rows that the bag names and add them up one after the other, in float32: to the
    sum so far the row's offset is added, and then its integers times its scale in one operation.
    """
    return _added(w_q, s, b, row, first, last, np.ones(row.shape, np.float32))


@stage(
    "rows",
    output="y float32 [E]",
    formula="y[e] = sum of fma32(w_q[r,e], s[r]·weight, b[r]·weight) over each r = row from first"
    " to last",
)
def add_weighted_rows(
    w_q: Array, s: Array, b: Array, row: Array, first: Array, last: Array, weight: Array
) -> Array:
    """Take the rows that the bag names and add them up one after the other, in float32; each
    row's scale and offset are multiplied by the weight of its place first."""
    return _added(w_q, s, b, row, first, last, weight)


def _added(
    w_q: Array, s: Array, b: Array, row: Array, first: Array, last: Array, weight: Array
) -> Array:
    total = f32(np.zeros((len(first), w_q.shape[1])))
    for place in range(int((last - first).max(initial=0))):
        bags = np.flatnonzero(first + place < last)
        at = (first + place)[bags]
        chosen = row[at]
        scale, offset = (f32(f64(x[chosen]) * weight[at])[:, None] for x in (s, b))
        total[bags] = fma32(w_q[chosen], scale, f32(f64(total[bags]) + offset))
    return total


def operands(call: Call) -> dict[str, Array]:
    """w_q [R, E] with a scale and a zero point per row, and the rows to take. Raises
    NotSimulated."""
    names = ("weight", "weight_scale", "weight_zero_point", "weight_bits", "indices")
    q, scale, zero_point, bits, row = (_plain(call, name) for name in names)
    if call.node.shape[-1] != q.shape[1]:
        raise NotSimulated(
            f"PyTorch's result is wrong: it reads the rows of {int(bits[0])} bits as bytes"
        )
    if call.setting("pruned_weights"):
        raise NotSimulated("its table is pruned")
    found = {"w_q": q, "w_scale": scale, "w_zp": zero_point, "bits": bits[0], "row": row}
    offsets = call.named("offsets")
    if isinstance(offsets, np.ndarray):
        found |= _bags(call, offsets, row)
    elif call.node.op == "embedding_bag":
        if row.ndim != ROWS_OF_BAGS:
            raise NotSimulated("its bags are not told apart")
        ends = np.arange(row.shape[0] + 1) * row.shape[1]
        if call.setting("include_last_offset"):  # the last row then only ends the one before it
            ends = ends[:-1]
        found |= {"row": row.reshape(-1), "first": ends[:-1], "last": ends[1:]}
    weight = call.named("per_sample_weights")
    return found | {"weight": weight.reshape(-1)} if isinstance(weight, np.ndarray) else found


def _plain(call: Call, name: str) -> Array:
    found = call.named(name)
    if found is None or isinstance(found, QTensor):
        raise NotSimulated(f"its {name} is not recorded")
    return found


def _bags(call: Call, offsets: Array, row: Array) -> dict[str, Array]:
    if call.setting("mode", SUM) != SUM:
        raise NotSimulated("its bags are not summed")
    if call.setting("include_last_offset"):
        return {"first": offsets[:-1], "last": offsets[1:]}
    return {"first": offsets, "last": np.append(offsets[1:], row.size)}


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """The same for every arithmetic: one kernel computes them all."""
    del arithmetic
    byte = int(values["bits"]) == BYTE
    constants = (byte_scale, byte_offset) if byte else (nibble_scale, nibble_offset)
    if "first" not in values:
        return (*constants, look_up)
    return (*constants, add_weighted_rows if "weight" in values else add_rows)


EXAMPLE = Example(
    "textbook",
    {
        "w_q": np.array([[1, 3]], np.uint8),
        "w_scale": np.array([0.5], np.float32),
        "w_zp": np.array([1], np.float32),
        "bits": np.array(8),
        "row": np.array([0]),
    },
    (0.0, 1.0),
)

OPS = (
    Op(
        "embedding",
        "Embedding",
        operands,
        stages,
        (EXAMPLE,),
        ("quantized::embedding_byte", "quantized::embedding_4bit"),
        image=False,
    ),
    Op(
        "embedding_bag",
        "EmbeddingBag",
        operands,
        stages,
        (
            Example(
                "textbook",
                {
                    **EXAMPLE.operands,
                    "row": np.array([0, 0]),
                    "first": np.array([0]),
                    "last": np.array([2]),
                },
                (0.0, 2.0),
            ),
        ),
        ("quantized::embedding_bag_byte", "quantized::embedding_bag_4bit"),
        image=False,
    ),
)
