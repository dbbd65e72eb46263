"""The formulas of the stages, read: the tree that an element's computation is written from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

_TOKEN = re.compile(
    r"\s*(Σ[ₖᵢ]|\d+(?:\.\d+)?|[A-Za-z_]\w*|[-−+·/(),<>]|\[(?:[^\[\]]|\[[^\]]*\])*\])"
)
_SIGNS = {"−": "-", "·": "*"}
FUNCTIONS = frozenset({"f32", "rne", "rne32", "sat16", "sat32", "wrap32", "fma32", "min", "max"})
"""What a formula may call."""


class Unread(Exception):
    """The formula says in words what it does; the text is where that begins."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number of the formula itself."""

    text: str


@dataclass(frozen=True, slots=True)
class Name:
    """An operand or an earlier result, or one of its entries."""

    symbol: str
    place: str = ""
    """`k`, `2i` or `2i+1` inside a sum; `source[i]` where another operand tells the place; empty
    for the element's own."""


@dataclass(frozen=True, slots=True)
class Both:
    """Two numbers joined by `+ - * / < >`."""

    sign: str
    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Minus:
    """The negative of a number."""

    of: Tree


@dataclass(frozen=True, slots=True)
class Applied:
    """A function of numbers."""

    function: str
    of: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of two numbers."""

    test: Tree
    yes: Tree
    no: Tree


@dataclass(frozen=True, slots=True)
class Total:
    """A sum over the inputs (`k`) or over pairs of them (`i`)."""

    over: str
    of: Tree


Tree: TypeAlias = Number | Name | Both | Minus | Applied | Choice | Total


@dataclass(frozen=True, slots=True)
class Formula:
    """`symbol[place] = tree`."""

    symbol: str
    place: str
    tree: Tree


def read(text: str) -> Formula:
    """The formula as a tree. Raises Unread; words behind a comma only explain the indices."""
    left, _, right = text.partition(" = ")
    symbol, _, place = left.partition("[")
    reader = _Reader(right)
    tree = reader.choice()
    if reader.rest and not reader.rest.startswith(", "):
        raise Unread(reader.rest)
    return Formula(symbol.strip(), place.rstrip("]"), tree)


class _Reader:
    """Goes through the text from left to right."""

    def __init__(self, text: str) -> None:
        self.rest = text

    def _next(self) -> str:
        found = _TOKEN.match(self.rest)
        return found.group(1) if found is not None else ""

    def _take(self, *wanted: str) -> str:
        token = self._next()
        if not token or (wanted and token not in wanted):
            raise Unread(self.rest)
        found = _TOKEN.match(self.rest)
        self.rest = self.rest[found.end() :] if found is not None else ""
        return token

    def choice(self) -> Tree:
        yes = self._sum()
        if self._next() != "if":
            return yes
        self._take("if")
        left, sign, right = self._sum(), self._take("<", ">"), self._sum()
        self._take("else")
        return Choice(Both(sign, left, right), yes, self.choice())

    def _sum(self) -> Tree:
        found = self._product()
        while self._next() in {"+", "-", "−"}:
            sign = self._take()
            found = Both(_SIGNS.get(sign, sign), found, self._product())
        return found

    def _product(self) -> Tree:
        found = self._single()
        while self._next() in {"·", "/"}:
            sign = self._take()
            found = Both(_SIGNS.get(sign, sign), found, self._single())
        return found

    def _single(self) -> Tree:
        token = self._take()
        if token in {"-", "−"}:
            return Minus(self._single())
        if token == "(":  # noqa: S105 - a parenthesis
            found = self.choice()
            self._take(")")
            return found
        if token[0] == "Σ":
            return Total("k" if token.endswith("ₖ") else "i", self._product())
        if token[0].isdigit():
            return Number(token)
        if not token.isidentifier():
            raise Unread(token + self.rest)
        return self._named(token)

    def _named(self, token: str) -> Tree:
        if self._next() == "(":
            if token not in FUNCTIONS:
                raise Unread(f"{token}{self.rest}")
            self._take("(")
            given = [self.choice()]
            while self._next() == ",":
                self._take(",")
                given.append(self.choice())
            self._take(")")
            return Applied(token, tuple(given))
        if not self._next().startswith("["):
            return Name(token)
        inside = self._take()[1:-1]
        if inside == "..":  # all numbers of a tensor: too many for a program
            raise Unread(f"{token}[..]")
        if inside.endswith("[i]"):
            return Name(token, inside)
        last = inside.split(",")[-1].strip()
        return Name(token, last if last in {"k", "2i", "2i+1"} else "")


def names_in(tree: Tree) -> tuple[Name, ...]:
    """Every operand of the tree, in order."""
    match tree:
        case Name():
            return (tree,)
        case Both(_, left, right):
            return names_in(left) + names_in(right)
        case Minus(of) | Total(_, of):
            return names_in(of)
        case Applied(_, given):
            return tuple(name for each in given for name in names_in(each))
        case Choice(test, yes, no):
            return names_in(test) + names_in(yes) + names_in(no)
    return ()


def functions_in(tree: Tree) -> frozenset[str]:
    """Every function that the tree calls."""
    match tree:
        case Both(_, left, right):
            return functions_in(left) | functions_in(right)
        case Minus(of) | Total(_, of):
            return functions_in(of)
        case Applied(function, given):
            return frozenset({function}).union(*map(functions_in, given))
        case Choice(test, yes, no):
            return functions_in(test) | functions_in(yes) | functions_in(no)
    return frozenset()
