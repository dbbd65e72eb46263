"""An element's computation as a program of its own, in Python or C, that prints its number."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Mapping
from typing import ClassVar, Protocol

from qdbg.core import scalars
from qdbg.engine.computation import Computation, Line, Value, terms_of
from qdbg.engine.formula import (
    Applied,
    Both,
    Choice,
    Minus,
    Name,
    Number,
    Total,
    Tree,
    functions_in,
)

IN_C = {
    "f32": "static double f32(double x) { return (float)x; }",
    "rne": "static double rne(double x) { return nearbyint(x); }",
    "rne32": "static double rne32(double x) {\n"
    "    double r = nearbyint(x);\n"
    "    return r >= -2147483648.0 && r <= 2147483647.0 ? r : -2147483648.0;\n}",
    "sat16": "static double sat16(double x) { return fmin(fmax(x, -32768), 32767); }",
    "sat32": "static double sat32(double x) { return fmin(fmax(x, -2147483648.0), 2147483647); }",
    "wrap32": "static double wrap32(double x) { return (int32_t)(uint32_t)(int64_t)x; }",
    "fma32": "static double fma32(double x, double y, double z) {\n"
    "    return fmaf((float)x, (float)y, (float)z);\n}",
    "min": "static double min(double x, double y) { return x < y ? x : y; }",
    "max": "static double max(double x, double y) { return x > y ? x : y; }",
}
"""The functions of the formulas in C, on double: exact for every integer that they meet."""
RUN_C = "gcc -O2 -ffp-contract=off FILE -lm"
WIDTH = 92


class _Language(Protocol):
    not_finite: ClassVar[Mapping[str, str]]
    """How numbers are spelled that Python's own text is no code for."""

    def choice(self, test: str, yes: str, no: str) -> str: ...
    def quotient(self, left: str, right: str) -> str: ...


class _Python:
    not_finite: ClassVar[Mapping[str, str]] = {
        "inf": "math.inf",
        "-inf": "-math.inf",
        "nan": "math.nan",
    }

    def choice(self, test: str, yes: str, no: str) -> str:
        return f"({yes} if {test} else {no})"

    def quotient(self, left: str, right: str) -> str:
        return f"{left} / {right}"


class _C:
    not_finite: ClassVar[Mapping[str, str]] = {"inf": "INFINITY", "-inf": "-INFINITY", "nan": "NAN"}

    def choice(self, test: str, yes: str, no: str) -> str:
        return f"({test} ? {yes} : {no})"

    def quotient(self, left: str, right: str) -> str:
        return f"(double){left} / {right}"


def python(made: Computation) -> str:
    """A program for Python 3.9 or newer, without any library."""
    used = sorted(_functions(made) & {name for name in IN_C if hasattr(scalars, name)})
    parts = [f"# {made.title}: prints {_shown(made.result.value)}.\n"]
    source = "\n\n".join(_plain(inspect.getsource(getattr(scalars, name))) for name in used)
    given = [
        _wrapped(f"{symbol} = {_literal(value, _Python())}")
        for symbol, value in made.operands.items()
    ]
    imports = ["import math"] if "math." in source + "".join(given) else []
    imports += ["from ctypes import c_float"] if "c_float" in source else []
    imports += ["from fractions import Fraction"] if "Fraction" in source else []
    parts += ["\n".join(imports), "\n"] if imports else []
    parts += [source, "\n"] if source else []
    known = _known(made)
    parts += given
    for line in made.lines:
        parts += ["", f"# {line.name}: {line.text}", _python_line(line, known)]
    parts += ["", _print_python(made.result)]
    return "\n".join(parts).strip() + "\n"


def _plain(source: str) -> str:
    """Without annotations, which the reader of a copied function does not need."""
    return re.sub(r": (?:float|int)\b(?=[,)])|\) -> (?:float|int)(?=:)", _unannotated, source)


def _unannotated(match: re.Match[str]) -> str:
    return ")" if match.group(0).startswith(")") else ""


def _python_line(line: Line, known: Mapping[str, Value]) -> str:
    tree, symbol = line.formula.tree, line.formula.symbol
    if isinstance(line.value, list):
        return f"{symbol} = [{_text(tree, _Python(), 'k')} for k in range({len(line.value)})]"
    if isinstance(tree, Total):
        terms = _text(tree.of, _Python(), tree.over)
        return f"{symbol} = sum({terms} for {tree.over} in range({terms_of(tree, known)}))"
    text = _text(tree, _Python(), "")
    return f"{symbol} = {text}" if not line.whole else f"{symbol} = int({text})"


def _print_python(line: Line) -> str:
    return (
        f"print({line.formula.symbol})"
        if line.whole
        else (f'print(f"{{{line.formula.symbol}:.9g}}")')
    )


def c(made: Computation) -> str:
    """A program in C11 for the mathematics library; `RUN_C` compiles it."""
    used = [IN_C[name] for name in IN_C if name in _functions(made)]
    known = _known(made)
    parts = [
        f"/* {made.title}: prints {_shown(made.result.value)}.",
        f"   {RUN_C} */",
        "#include <math.h>\n#include <stdint.h>\n#include <stdio.h>\n",
        *used,
        "\nint main(void) {",
    ]
    body = [_c_operand(symbol, value) for symbol, value in made.operands.items()]
    for line in made.lines:
        body += ["", f"/* {line.name}: {line.text} */", _c_line(line, known)]
    symbol = line.formula.symbol
    form, cast = ("%lld", "(long long)") if line.whole else ("%.9g", "")
    body += ["", f'printf("{form}\\n", {cast}{symbol});', "return 0;"]
    return "\n".join([*parts, textwrap.indent("\n".join(body), "    "), "}"]) + "\n"


def _c_operand(symbol: str, value: Value) -> str:
    numbers = value if isinstance(value, list) else [value]
    kind = "int64_t" if all(isinstance(n, int) for n in numbers) else "double"
    if isinstance(value, list):
        return _wrapped(
            f"const {kind} {symbol}[] = {{{', '.join(_literal(n, _C()) for n in value)}}};"
        )
    return f"const {kind} {symbol} = {_literal(value, _C())};"


def _c_line(line: Line, known: Mapping[str, Value]) -> str:
    tree, symbol = line.formula.tree, line.formula.symbol
    kind = "int64_t" if line.whole else "double"
    if isinstance(line.value, list):
        size = len(line.value)
        return (
            f"{kind} {symbol}[{size}];\nfor (int k = 0; k < {size}; k++)\n"
            f"    {symbol}[k] = {_text(tree, _C(), 'k')};"
        )
    if isinstance(tree, Total):
        over = tree.over
        return (
            f"{kind} {symbol} = 0;\n"
            f"for (int {over} = 0; {over} < {terms_of(tree, known)}; {over}++)\n"
            f"    {symbol} += {_text(tree.of, _C(), over)};"
        )
    return f"const {kind} {symbol} = {_text(tree, _C(), '')};"


def _text(tree: Tree, language: _Language, at: str) -> str:  # noqa: PLR0911 - a case each
    match tree:
        case Number(text):
            return text
        case Name(symbol, place):
            index = {"k": "[k]", "2i": "[2 * i]", "2i+1": "[2 * i + 1]"}.get(place, "")
            return f"{symbol}{index}"
        case Minus(of):
            return f"-{_grouped(of, language, at)}"
        case Both("/", left, right):
            return language.quotient(_grouped(left, language, at), _grouped(right, language, at))
        case Both(sign, left, right):
            sides = (_grouped(left, language, at, sign), _grouped(right, language, at, f"{sign}r"))
            return f"{sides[0]} {sign} {sides[1]}"
        case Applied(function, given):
            return f"{function}({', '.join(_text(each, language, at) for each in given)})"
        case Choice(test, yes, no):
            return language.choice(*(_text(each, language, at) for each in (test, yes, no)))
        case Total():
            raise TypeError(tree.over)
    raise TypeError(at)


def _grouped(tree: Tree, language: _Language, at: str, beside: str = "") -> str:
    """In parentheses where the sign beside it would bind otherwise."""
    text = _text(tree, language, at)
    needed = isinstance(tree, Minus) or (
        isinstance(tree, Both)
        and not (beside in {"+", "-", "+r"} and tree.sign in {"*", "/"})
        and not (beside in {"+", "-"} and tree.sign in {"+", "-"})
        and not (beside == "-r" and tree.sign == "*")
        and not (beside == "*" and tree.sign == "*")
        and beside not in {"<", ">", "<r", ">r"}
    )
    return f"({text})" if needed else text


def _functions(made: Computation) -> frozenset[str]:
    return frozenset().union(*(functions_in(line.formula.tree) for line in made.lines))


def _known(made: Computation) -> dict[str, Value]:
    return {**made.operands, **{line.formula.symbol: line.value for line in made.lines}}


def _literal(value: Value, language: _Language) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_literal(each, language) for each in value)}]"
    return language.not_finite.get(repr(value), repr(value))


def _shown(value: Value) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, WIDTH, subsequent_indent="    ", break_long_words=False))
