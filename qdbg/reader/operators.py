"""The operators of a forward, bounded so that no expression grows without end."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from qdbg.reader.allowed import LIMIT

LARGEST_BITS = 64

OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.MatMult: operator.matmul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda a, b: operator.contains(b, a),
    ast.NotIn: lambda a, b: not operator.contains(b, a),
}
IN_PLACE: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.iadd,
    ast.Sub: operator.isub,
    ast.Mult: operator.imul,
    ast.FloorDiv: operator.ifloordiv,
    ast.Div: operator.itruediv,
    ast.Mod: operator.imod,
}
"""`x += y` changes a tensor itself, and with it every other name that it has."""


def refused(op: ast.AST, operands: tuple[Any, ...]) -> str:
    """Why the operator is not applied to the operands; empty where it is."""
    if type(op) not in OPERATORS:
        return f"the operator {type(op).__name__}"
    if isinstance(op, ast.Mult | ast.Mod) and any(map(_is_sequence, operands)):
        return f"the operator {type(op).__name__} on a list or a text"
    if any(map(_is_large, operands)):
        return "a value that grows without end"
    if isinstance(op, ast.cmpop) and any(map(_is_nested, operands)):
        return "a comparison of nested lists"
    return ""


def _is_sequence(value: Any) -> bool:
    return isinstance(value, str | bytes | list | tuple)


def _is_large(value: Any) -> bool:
    """No forward needs longer lists or larger numbers; a loop could grow them without end."""
    if isinstance(value, int):
        return value.bit_length() > LARGEST_BITS
    return _is_sequence(value) and len(value) > LIMIT


def _is_nested(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(isinstance(v, list | tuple) for v in value)
