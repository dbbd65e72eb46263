"""What the forms of an expression give: numpy computes them for all elements at once."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, TypeAlias

import numpy as np

from qdbg.core.quantity import Array
from qdbg.errors import CommandError

Value: TypeAlias = Array | str
"""Numbers of elements, or one number; or a name: of a layer, of a stage."""

LARGEST = 2**62
"""Whole numbers up to here are computed as 64-bit integers; larger results as float64."""

ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
BITS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
AMONG = (ast.In, ast.NotIn)
"""What asks whether a number, or a text, is in a list."""
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "min": lambda *values: reduce(np.minimum, values),
    "max": lambda *values: reduce(np.maximum, values),
    "round": np.rint,
    "floor": np.floor,
}
"""What may be called, with numbers."""


def parts_of(node: ast.expr) -> list[ast.expr]:
    """The members of a list; of anything else itself."""
    return node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]


def texts_of(node: ast.expr, *, many: bool) -> list[str] | None:
    """The texts on the right of a comparison; None where something else stands there."""
    if many != isinstance(node, ast.Tuple | ast.List | ast.Set):
        return None
    found = [
        part.value
        for part in parts_of(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]
    return found if len(found) == len(parts_of(node)) else None


def compute(node: ast.expr, values: Mapping[str, Value]) -> Any:
    """What a checked form gives: an array, or the text of a name. Raises KeyError for a name that
    is not there, CommandError for bits of numbers that are no integers."""
    return _COMPUTED[type(node)](node, values)


def _signed(node: ast.UnaryOp, values: Mapping[str, Value]) -> Array:
    operand = compute(node.operand, values)
    if isinstance(node.op, ast.Not):
        return ~truth(operand)
    return -_number(operand) if isinstance(node.op, ast.USub) else _number(operand)


def _called(node: ast.Call, values: Mapping[str, Value]) -> Array:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    found = FUNCTIONS[name](*(_number(compute(arg, values)) for arg in node.args))
    return np.asarray(found)


def _wide(value: Value) -> Value:
    """Integers as int64, so that nothing wraps; float32 as the same float64."""
    if isinstance(value, str) or value.dtype.kind == "b":
        return value
    return value.astype(np.int64 if value.dtype.kind in "iu" else np.float64, copy=False)


def _number(value: Array) -> Array:
    return value.astype(np.int64) if value.dtype.kind == "b" else value


def truth(value: Array) -> Array:
    """bool: where the number is neither 0 nor no number."""
    if value.dtype.kind == "b":
        return value
    return np.asarray((value != 0) & ~np.isnan(value))


def _join(op: ast.operator, left: Array, right: Array) -> Array:
    left, right = _number(left), _number(right)
    if type(op) in BITS:
        return np.asarray(BITS[type(op)](_whole(left), _whole(right)))
    function = ARITHMETIC[type(op)]
    divides = isinstance(op, ast.FloorDiv | ast.Mod) and not np.all(right)
    if divides or (isinstance(op, ast.Add | ast.Sub | ast.Mult) and not _fits(op, left, right)):
        left, right = left.astype(np.float64), right.astype(np.float64)
    return np.asarray(function(left, right))


def _whole(value: Array) -> Array:
    """For the operations on bits, which only integers have."""
    if value.dtype.kind == "f":
        raise CommandError("& | and ^ work on integers", expected="and, or between conditions")
    return value


def _fits(op: ast.operator, left: Array, right: Array) -> bool:
    """Whether int64 holds the result."""
    if "f" in {left.dtype.kind, right.dtype.kind}:
        return True
    sizes = [max(abs(int(v.min(initial=0))), abs(int(v.max(initial=0)))) for v in (left, right)]
    found = sizes[0] * sizes[1] if isinstance(op, ast.Mult) else sizes[0] + sizes[1]
    return found <= LARGEST


def _together(parts: list[ast.expr], values: Mapping[str, Value], *, every: bool) -> Array:
    """`and`, `or`: where one number decides, the rest is not computed."""
    found = np.asarray(every)
    for part in parts:
        own = truth(compute(part, values))
        found = np.asarray(found & own if every else found | own)
        if not found.ndim and bool(found) != every:
            return found
    return found


def _compare(node: ast.Compare, values: Mapping[str, Value]) -> Array:
    left = compute(node.left, values)
    if isinstance(left, str):
        listed = texts_of(node.comparators[0], many=isinstance(node.ops[0], AMONG)) or []
        return np.asarray((left in listed) != isinstance(node.ops[0], ast.NotEq | ast.NotIn))
    found: Array = np.asarray(True)
    for op, side in zip(node.ops, node.comparators, strict=True):
        if isinstance(op, AMONG):
            found = found & (_among(left, side, values) != isinstance(op, ast.NotIn))
            continue
        right = compute(side, values)
        found = found & COMPARED[type(op)](_number(left), _number(right))
        left = right
    return np.asarray(found)


def _among(left: Array, side: ast.expr, values: Mapping[str, Value]) -> Array:
    """Whether it equals one of the numbers of a list."""
    found: Array = np.asarray(False)
    for part in parts_of(side):
        found = found | (left == compute(part, values))
    return found


_COMPUTED: dict[type[ast.expr], Callable[[Any, Mapping[str, Value]], Any]] = {
    ast.Constant: lambda node, _: np.asarray(node.value),
    ast.Name: lambda node, values: _wide(values[node.id]),
    ast.UnaryOp: _signed,
    ast.BinOp: lambda node, values: _join(
        node.op, compute(node.left, values), compute(node.right, values)
    ),
    ast.BoolOp: lambda node, values: _together(
        node.values, values, every=isinstance(node.op, ast.And)
    ),
    ast.Compare: _compare,
    ast.Call: _called,
}
"""How each form is computed that an expression may have."""
