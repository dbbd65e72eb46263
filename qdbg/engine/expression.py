"""Expressions over the numbers of a step, `abs(delta) > 1 and c == 8`: never run as Python.

The text is parsed into Python's syntax tree; only the forms of `engine.computed` are let through,
and numpy computes them for all elements at once.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from qdbg.core.quantity import Array
from qdbg.core.words import counted
from qdbg.engine.computed import (
    AMONG,
    ARITHMETIC,
    BITS,
    COMPARED,
    FUNCTIONS,
    LARGEST,
    Value,
    compute,
    parts_of,
    texts_of,
    truth,
)
from qdbg.errors import CommandError

TEXTS = frozenset({"layer", "stage"})
"""The names that stand for texts; they are compared with texts only."""
MOST_CHARACTERS, MOST_PARTS = 400, 300
_TEXTUAL = (ast.Eq, ast.NotEq, *AMONG)
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
            return np.asarray(compute(self.tree, values))

    def holds(self, values: Mapping[str, Value]) -> Array:
        """bool: where the result is neither 0 nor no number."""
        return truth(self.compute(values))


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
        case ast.BinOp(left=left, op=op, right=right) if type(op) in {**ARITHMETIC, **BITS}:
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
    """Whether it is 0 whatever the element's numbers are, as `y_q and 0` is."""
    match node:
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            return _is_zero(operand)
        case ast.BoolOp(op=op, values=values):
            sure = [_is_zero(value) for value in values]
            return any(sure) if isinstance(op, ast.And) else all(sure)
    try:
        with np.errstate(all="ignore"):
            return not np.any(compute(node, {}))
    except KeyError:  # it depends on a number of the element
        return False


def _check_call(name: str, args: list[ast.expr], text: str) -> None:
    wrong = len(args) < 2 if name in {"min", "max"} else len(args) != 1  # noqa: PLR2004 - a choice needs two
    if wrong:
        wanted = "two numbers or more" if name in {"min", "max"} else "one number"
        raise CommandError(f"{name}() is given {counted(len(args), 'number')}", expected=wanted)
    for arg in args:
        _check(arg, text)


def _check_comparison(node: ast.Compare, text: str) -> None:
    """Texts go with texts, one comparison at a time; numbers with numbers."""
    sides = [node.left, *node.comparators]
    if any(isinstance(side, ast.Name) and side.id in TEXTS for side in sides):
        (op,) = node.ops if len(node.ops) == 1 else (None,)
        left, right = sides[0], sides[-1]
        fits = isinstance(left, ast.Name) and left.id in TEXTS and isinstance(op, _TEXTUAL)
        if not fits or texts_of(right, many=isinstance(op, AMONG)) is None:
            raise CommandError(
                f"{text!r} compares a name with something else",
                expected='layer == "fc1", or stage in ("mac", "clamp")',
            )
        return
    for op, side in zip(node.ops, sides[1:], strict=True):
        among = isinstance(op, AMONG)
        if among and not isinstance(side, ast.Tuple | ast.List | ast.Set):
            raise CommandError(f"in {text!r}, 'in' is followed by no list", expected="c in (1, 8)")
        if type(op) not in COMPARED and not among:
            raise CommandError(f"{text!r} cannot be compared so", expected=ALLOWED)
        for part in parts_of(side) if among else [side]:
            _check(part, text)
    _check(sides[0], text)
