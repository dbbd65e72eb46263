"""Expressions over the numbers of a step, `abs(delta) > 1 and c == 8`: never run as Python.

The text is parsed into Python's syntax tree; only the forms in the tables below are let through,
and numpy computes them for all elements at once.
"""

from __future__ import annotations

import ast
import operator
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeAlias

import numpy as np

from qdbg.core.quantity import Array
from qdbg.errors import CommandError

Value: TypeAlias = Array | str
"""Numbers of elements, or one number; or a name: of a layer, of a stage."""

TEXTS = frozenset({"layer", "stage"})
"""The names that stand for texts; they are compared with texts only."""
MOST_CHARACTERS, MOST_PARTS = 400, 300
LARGEST = 2**62
"""Whole numbers up to here are computed as 64-bit integers; larger results as float64."""

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_BITS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_AMONG = (ast.In, ast.NotIn)
_TEXTUAL = (ast.Eq, ast.NotEq, *_AMONG)
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "min": lambda *values: reduce(np.minimum, values),
    "max": lambda *values: reduce(np.maximum, values),
    "round": np.rint,
    "floor": np.floor,
}
"""What may be called, with numbers."""
ALLOWED = (
    "numbers, names, + - * / // % & | ^, == != < <= > >=, and, or, not, in, "
    f"{', '.join(f'{name}()' for name in FUNCTIONS)}"
)


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression."""

    text: str
    names: frozenset[str]
    """What must be known to compute it."""
    tree: ast.expr

    def compute(self, values: Mapping[str, Value]) -> Array:
        """The result for the elements whose numbers are in `values`: their shape, or one number.

        Raises KeyError for a name that is not there; what `and` or `or` need not know is not asked
        for.
        """
        with np.errstate(all="ignore"):
            return np.asarray(_compute(self.tree, values))

    def holds(self, values: Mapping[str, Value]) -> Array:
        """bool: where the result is neither 0 nor no number."""
        return _truth(self.compute(values))


def parse(text: str) -> Expression:
    """Check the text. Raises CommandError that says what is wrong and what is allowed."""
    text = text.strip()
    if len(text) > MOST_CHARACTERS or not text.isprintable() or "\\" in text:
        raise CommandError(
            f"the expression {text[:40]!r}… cannot be read",
            expected=f"one line of at most {MOST_CHARACTERS} characters",
        )
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise CommandError(
            f"{text!r} is no expression", expected="such as abs(delta) > 1 and c == 8",
            remedy="== compares; and, or, not join conditions." if "=" in text else "",
        ) from error  # fmt: skip
    if sum(1 for _ in ast.walk(tree)) > MOST_PARTS:
        raise CommandError(f"the expression has more than {MOST_PARTS} parts")
    _check(tree, text)
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    return Expression(text, frozenset(named - called), tree)


# ---------------------------------------------------------------------------------- checking


def _check(node: ast.expr, text: str) -> None:
    """Raise CommandError for a form that is in none of the tables."""
    match node:
        case ast.Constant(value=bool() | int() | float() as number):
            if abs(number) > (LARGEST if isinstance(number, int) else sys.float_info.max):
                raise CommandError(f"the number {number!s:.30} is too large")
        case ast.Name(id=name) if name not in TEXTS:
            pass
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.UAdd(), operand=operand):
            _check(operand, text)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in {**_ARITHMETIC, **_BITS}:
            _check(left, text)
            _check(right, text)
            if isinstance(op, ast.Div | ast.FloorDiv | ast.Mod) and _is_zero(right):
                part = ast.get_source_segment(text, node) or text
                raise CommandError(f"{part!r} divides by zero", expected="another divisor")
        case ast.BoolOp(values=values):
            for value in values:
                _check(value, text)
        case ast.Compare():
            _check_comparison(node, text)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            _check_call(name, args, text)
        case _:
            part = ast.get_source_segment(text, node) or text
            raise CommandError(f"{part!r} cannot stand in an expression", expected=ALLOWED)


def _is_zero(node: ast.expr) -> bool:
    """Whether it is 0 whatever the element's numbers are."""
    found = (each.id for each in ast.walk(node) if isinstance(each, ast.Name))
    if any(name not in FUNCTIONS for name in found):
        return False
    with np.errstate(all="ignore"):
        return not np.any(_compute(node, {}))


def _check_call(name: str, args: list[ast.expr], text: str) -> None:
    wrong = len(args) < 2 if name in {"min", "max"} else len(args) != 1  # noqa: PLR2004 - a choice needs two
    if wrong:
        wanted = "two numbers or more" if name in {"min", "max"} else "one number"
        raise CommandError(f"{name}() is given {len(args)} numbers", expected=wanted)
    for arg in args:
        _check(arg, text)


def _check_comparison(node: ast.Compare, text: str) -> None:
    """Texts go with texts, one comparison at a time; numbers with numbers."""
    sides = [node.left, *node.comparators]
    if any(isinstance(side, ast.Name) and side.id in TEXTS for side in sides):
        (op,) = node.ops if len(node.ops) == 1 else (None,)
        left, right = sides[0], sides[-1]
        fits = isinstance(left, ast.Name) and left.id in TEXTS and isinstance(op, _TEXTUAL)
        if not fits or _texts(right, many=isinstance(op, _AMONG)) is None:
            raise CommandError(
                f"{text!r} compares a name with something else",
                expected='layer == "fc1", or stage in ("mac", "clamp")',
            )
        return
    for op, side in zip(node.ops, sides[1:], strict=True):
        among = isinstance(op, _AMONG)
        if among and not isinstance(side, ast.Tuple | ast.List | ast.Set):
            raise CommandError(f"in {text!r}, 'in' is followed by no list", expected="c in (1, 8)")
        if type(op) not in _COMPARED and not among:
            raise CommandError(f"{text!r} cannot be compared so", expected=ALLOWED)
        for part in _parts(side) if among else [side]:
            _check(part, text)
    _check(sides[0], text)


def _parts(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]


def _texts(node: ast.expr, *, many: bool) -> list[str] | None:
    """The texts on the right of a comparison; None where something else stands there."""
    if many != isinstance(node, ast.Tuple | ast.List | ast.Set):
        return None
    found = [
        part.value
        for part in _parts(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]
    return found if len(found) == len(_parts(node)) else None


# --------------------------------------------------------------------------------- computing


def _compute(node: ast.expr, values: Mapping[str, Value]) -> Any:
    return _COMPUTED[type(node)](node, values)


def _signed(node: ast.UnaryOp, values: Mapping[str, Value]) -> Array:
    operand = _compute(node.operand, values)
    if isinstance(node.op, ast.Not):
        return ~_truth(operand)
    return -_number(operand) if isinstance(node.op, ast.USub) else _number(operand)


def _called(node: ast.Call, values: Mapping[str, Value]) -> Array:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    found = FUNCTIONS[name](*(_number(_compute(arg, values)) for arg in node.args))
    return np.asarray(found)


def _wide(value: Value) -> Value:
    """Integers as int64, so that nothing wraps; float32 as the same float64."""
    if isinstance(value, str) or value.dtype.kind == "b":
        return value
    return value.astype(np.int64 if value.dtype.kind in "iu" else np.float64, copy=False)


def _number(value: Array) -> Array:
    return value.astype(np.int64) if value.dtype.kind == "b" else value


def _truth(value: Array) -> Array:
    if value.dtype.kind == "b":
        return value
    return np.asarray((value != 0) & ~np.isnan(value))


def _join(op: ast.operator, left: Array, right: Array) -> Array:
    left, right = _number(left), _number(right)
    if type(op) in _BITS:
        return np.asarray(_BITS[type(op)](_whole(left), _whole(right)))
    function = _ARITHMETIC[type(op)]
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
        own = _truth(_compute(part, values))
        found = np.asarray(found & own if every else found | own)
        if not found.ndim and bool(found) != every:
            return found
    return found


def _compare(node: ast.Compare, values: Mapping[str, Value]) -> Array:
    left = _compute(node.left, values)
    if isinstance(left, str):
        listed = _texts(node.comparators[0], many=isinstance(node.ops[0], _AMONG)) or []
        return np.asarray((left in listed) != isinstance(node.ops[0], ast.NotEq | ast.NotIn))
    found: Array = np.asarray(True)
    for op, side in zip(node.ops, node.comparators, strict=True):
        if isinstance(op, _AMONG):
            found = found & (_among(left, side, values) != isinstance(op, ast.NotIn))
            continue
        right = _compute(side, values)
        found = found & _COMPARED[type(op)](_number(left), _number(right))
        left = right
    return np.asarray(found)


def _among(left: Array, side: ast.expr, values: Mapping[str, Value]) -> Array:
    """Whether it equals one of the numbers of a list."""
    found: Array = np.asarray(False)
    for part in _parts(side):
        found = found | (left == _compute(part, values))
    return found


_COMPUTED: dict[type[ast.expr], Callable[[Any, Mapping[str, Value]], Any]] = {
    ast.Constant: lambda node, _: np.asarray(node.value),
    ast.Name: lambda node, values: _wide(values[node.id]),
    ast.UnaryOp: _signed,
    ast.BinOp: lambda node, values: _join(
        node.op, _compute(node.left, values), _compute(node.right, values)
    ),
    ast.BoolOp: lambda node, values: _together(
        node.values, values, every=isinstance(node.op, ast.And)
    ),
    ast.Compare: _compare,
    ast.Call: _called,
}
"""How each form is computed that `_check` lets through."""
