"""Moves: calls that put integers in other places and change none of them.

Each row of the table says in numpy's terms where the integers go. It is run on the places
themselves (0, 1, 2 …), which gives for each element of the result the place that it comes from.
"""

from __future__ import annotations

import numpy as np

from qdbg.core.op import BYTES, Call, Example, Op, quantized_operand
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops._moves import (
    Mover,
    axis_moved,
    channels_shuffled,
    chunked,
    diagonal,
    dropped,
    each_repeated,
    evenly_split,
    expanded,
    flipped,
    indexed,
    last_two_swapped,
    narrowed,
    parted,
    permuted,
    pixels_shuffled,
    pixels_unshuffled,
    places,
    repeated,
    reshaped,
    restrided,
    rotated,
    same,
    selected,
    sliced,
    swapped,
    transposed,
    unbound,
    unfolded,
)

ALL = (*BYTES, "qint32")
VIEWS = ("view", "_unsafe_view", "reshape", "_reshape_alias", "view_as", "reshape_as", "ravel")
SHAPED = "The same integers, row by row, in another shape."
PARTS = "One part of the tensor; each part is a call of its own here."
TURNED = "The axes in another order; the integers keep their places along each axis."
SOME = "The integers at some places of an axis."
KEPT = "Every integer stays in its place."

MOVES: tuple[tuple[str, str, str, Mover, tuple[str, ...]], ...] = (
    ("view", "View", SHAPED, reshaped, VIEWS),
    ("flatten", "Flatten", SHAPED, reshaped, ("flatten",)),
    ("unflatten", "Unflatten", SHAPED, reshaped, ("unflatten",)),
    ("unsqueeze", "Unsqueeze", SHAPED, reshaped, ("unsqueeze",)),
    ("squeeze", "Squeeze", SHAPED, reshaped, ("squeeze",)),
    ("at_least", "More axes", SHAPED, reshaped, ("atleast_1d", "atleast_2d", "atleast_3d")),
    ("permute", "Permute", TURNED, permuted, ("permute",)),
    ("transpose", "Transpose", TURNED, swapped("dim0", "dim1"), ("transpose", "swapdims")),
    ("swapaxes", "Swap axes", TURNED, swapped("axis0", "axis1"), ("swapaxes",)),
    ("movedim", "Move axes", TURNED, axis_moved, ("movedim", "moveaxis")),
    ("t", "Transpose", TURNED, transposed, ("t", "numpy_T")),
    ("matrix_transpose", "Transpose", TURNED, last_two_swapped, ("mT",)),
    ("slice", "Slice", SOME, sliced, ("slice",)),
    ("narrow", "Narrow", SOME, narrowed, ("narrow",)),
    ("select", "Select", "The integers at one place of an axis.", selected, ("select",)),
    ("index_select", "Index", SOME, indexed, ("index_select",)),
    ("chunk", "Chunk", PARTS, chunked, ("chunk",)),
    ("split", "Split", PARTS, parted("split_size"), ("split",)),
    ("split_with_sizes", "Split", PARTS, parted("split_sizes"), ("split_with_sizes",)),
    ("tensor_split", "Split", PARTS, evenly_split, ("tensor_split",)),
    ("unbind", "Unbind", PARTS, unbound, ("unbind",)),
    ("expand", "Expand", "Axes of length 1 repeat.", expanded, ("expand", "expand_as")),
    ("repeat", "Repeat", "The tensor several times.", repeated("repeats"), ("repeat",)),
    ("tile", "Tile", "The tensor several times.", repeated("dims"), ("tile",)),
    (
        "repeat_interleave",
        "Repeat each",
        "Each integer several times in a row.",
        each_repeated,
        ("repeat_interleave",),
    ),
    ("flip", "Flip", "The integers backwards along some axes.", flipped, ("flip",)),
    ("rot90", "Rotate", "The integers turned by quarters.", rotated, ("rot90",)),
    ("diagonal", "Diagonal", "The integers of a diagonal.", diagonal, ("diagonal",)),
    ("unfold", "Unfold", "Windows along an axis.", unfolded, ("unfold",)),
    (
        "pixel_shuffle",
        "Pixel shuffle",
        "Channels become pixels of a larger image.",
        pixels_shuffled,
        ("pixel_shuffle",),
    ),
    (
        "pixel_unshuffle",
        "Pixel unshuffle",
        "Pixels become channels of a smaller image.",
        pixels_unshuffled,
        ("pixel_unshuffle",),
    ),
    (
        "channel_shuffle",
        "Channel shuffle",
        "The channels of all groups in turn.",
        channels_shuffled,
        ("channel_shuffle", "native_channel_shuffle"),
    ),
    ("clone", "Clone", "A copy, perhaps in another order of memory.", same, ("clone",)),
    (
        "contiguous",
        "Contiguous",
        "A copy in another order of memory: no integer changes.",
        same,
        ("contiguous",),
    ),
    ("as_strided", "Strides", KEPT, restrided, ("as_strided_", "as_strided")),
    ("detach", "Detach", KEPT, same, ("detach", "alias")),
    ("dropout", "Dropout", "Nothing is dropped at inference.", dropped, ("dropout",)),
)
"""Name, title, what happens, the move, and the names of aten's calls."""


def mover_stage(explanation: str) -> Stage:
    """The only stage of a move."""

    def move(x_q: Array, source: Array) -> Array:
        return x_q.reshape(-1)[source]

    move.__doc__ = f"{explanation} source[i] is the flat place in the operand."
    return stage("move", output="y_q byte [I]", formula="y_q[i] = x_q[source[i]]")(move)


EXAMPLE = Example(
    "textbook", {"x_q": np.array([7, 255], np.uint8), "source": np.array([1, 0, 0])}, (255, 7, 7)
)


def _op(name: str, title: str, explanation: str, move: Mover, calls: tuple[str, ...]) -> Op:
    only = mover_stage(explanation)

    def operands(call: Call) -> dict[str, Array]:
        x = quantized_operand(call, 0, ALL)
        return {"x_q": x.q, "source": places(call, move, x.q)}

    def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
        del arithmetic, values
        return (only,)

    return Op(name, title, operands, stages, (EXAMPLE,), tuple(f"aten::{c}" for c in calls))


OPS = tuple(_op(*row) for row in MOVES)
