"""Numbers as they are written, and formulas with the numbers of one element in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from types import MappingProxyType

import numpy as np

from qdbg.core.pairs import pair_members
from qdbg.core.quantity import Array
from qdbg.engine.rows import is_table, row_of, rows_of
from qdbg.engine.simulate import Simulation, window

SHOWN_TERMS = 4
"""How many terms of a sum stand in a formula; the drill-down shows them all."""

ABSENT = -1
"""The place of a pair's second member where there is none."""

_LATER_MINUS = re.compile(r" \+ (-[\d.]+)")
_REMARK = re.compile(", (?=anew |k over |over the )")
_SUM = re.compile(r"Σ([ₖᵢ])")
_SYMBOL = re.compile(r"([A-Za-z_]\w*)(\[(?:[^\[\]]|\[[^\]]*\])*\])?(\()?")
_BAG = re.compile("^sum of | over each .*$")
_ELSEWHERE = re.compile(r"\[(\w+)\[\w\]\]")
"""The place of an operand whose element stands at a place that another operand tells."""
EVERY = "[..]"
"""The place of an operand of which all numbers are meant, whatever the element is."""
OVER = "[over "
"""Before the name of an axis: `e[over dim]` stands for all of e along it."""
_FUNCTIONS = frozenset({"f32", "rne", "sat16", "sat32", "min", "max", "fma32"})


def number(value: object, digits: int = 9) -> str:
    """A number as it is: integers plain, float32 with the fewest digits that mean exactly it,
    float64 with so many significant digits and `…` where more follow."""
    if isinstance(value, np.integer | int):
        return str(int(value))
    if isinstance(value, np.float32):
        return str(value)
    exact = float(np.asarray(value))
    short = f"{exact:.{digits}g}"
    return short if float(short) == exact else f"{short}…"


def element_of(array: Array, index: tuple[int, ...]) -> object:
    """The entry that belongs to the element: per-channel arrays go by the last index, and arrays
    with one column by the row. Raises IndexError for an array of more axes than the result's."""
    if array.ndim == 0:
        return array[()]
    if array.ndim < len(index):
        return array[index[-array.ndim :]]
    if array.ndim > len(index):
        raise IndexError(f"{array.ndim} axes for an element at {index}")
    return array[tuple(min(i, n - 1) for i, n in zip(index, array.shape, strict=True))]


def with_numbers(formula: str, made: Simulation, index: tuple[int, ...]) -> str:
    """The right side of a formula with the numbers of one element in place of its symbols."""
    if is_table(made.values) and "[r," in formula:
        return _looked_up(formula, made, index)
    found = _SUM.search(formula)
    if found is None:
        return _substitute(formula, lambda name, place: _value(made, name, place, index))
    before, (body, after) = formula[: found.start()], _summed(formula[found.end() :].strip())
    body, *remarks = _REMARK.split(body, maxsplit=1)
    terms = _terms(body, found.group(1), made, index)
    told = "".join(f", {_remark(words, made, index)}" for words in remarks)
    return with_numbers(before, made, index) + terms + told + with_numbers(after, made, index)


def _looked_up(formula: str, made: Simulation, index: tuple[int, ...]) -> str:
    """The number of a table's row, or those that a bag adds up."""
    row, values = row_of(made.values, index), made.values

    def at(place: int, row: int, text: str) -> str:
        def value(name: str, letters: str) -> str:
            array = np.asarray(values[name])
            if letters:
                return number(array[row, index[-1]] if letters.endswith("e]") else array[row])
            return number(array[place] if name == "weight" else row)

        return _substitute(text, value)

    if row is not None:
        return at(0, row, formula)
    term = _BAG.sub("", formula)
    rows, first = rows_of(values, index), int(values["first"][index[0]])
    few = len(rows) if len(rows) <= SHOWN_TERMS else SHOWN_TERMS - 1
    shown = [at(first + place, each, term) for place, each in enumerate(rows[:few])]
    more = [] if few == len(rows) else [f"… ({len(rows)} rows)"]
    return " + ".join([*shown, *more]) or "0"


def _remark(words: str, made: Simulation, index: tuple[int, ...]) -> str:
    """What is said behind a sum about all of its terms: it belongs to none of them."""

    def of_the_layer(name: str, place: str) -> str:
        if place:
            raise KeyError(name)
        return _value(made, name, place, index)

    return _substitute(words, of_the_layer)


def _summed(text: str) -> tuple[str, str]:
    """What a sum goes over, and what stands behind it: from the bracket that it did not open."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            return text[:place], text[place:]
    return text, ""


def _terms(body: str, variable: str, made: Simulation, index: tuple[int, ...]) -> str:
    summed = made.values.get("w_q", made.values.get("a"))
    size = int(np.asarray(summed).shape[-1])
    block = made.kernel.block if made.kernel is not None else 0
    members = pair_members(size, block) if variable == "ᵢ" else ()
    count = len(members[0]) if members else size
    few = count if count <= SHOWN_TERMS else SHOWN_TERMS - 1
    shown: list[dict[str, int]] = [{"k": k} for k in range(few)]
    if members:
        pairs = zip(*(part[:few] for part in members), strict=True)
        shown = [{"2i": a, "2i+1": b if both else ABSENT} for a, b, both in pairs]

    def term(at: Mapping[str, int]) -> str:
        return _substitute(body, lambda name, place: _value(made, name, place, index, at))

    joined = _LATER_MINUS.sub(r" + (\1)", " + ".join(term(at) for at in shown))
    return joined if few == count else f"{joined} + … ({count} terms)"


def _value(
    made: Simulation,
    name: str,
    place: str,
    index: tuple[int, ...],
    places: Mapping[str, int] = MappingProxyType({}),
) -> str:
    array = np.asarray(made.values[name])
    elsewhere = _ELSEWHERE.fullmatch(place)
    if elsewhere is not None:
        return number(array.flat[int(made.values[elsewhere.group(1)][index])])
    if "k" in places and ".." in place:
        row = place.endswith("k]")
        return number(
            array[(*index[:-1], places["k"]) if row else (*index[:-2], places["k"], index[-1])]
        )
    if not place and array.ndim == 1:  # of the layer, not of a channel
        return "×".join(number(each) for each in array)
    letters = place.strip("[]").split(",")
    inner = [places[letter] for letter in letters if letter in places]
    if not inner and (array.ndim > len(index) or place.startswith((OVER, EVERY))):
        return _row(array, place, made, index)
    if not inner:
        return number(element_of(array, index))
    return "0" if inner[0] == ABSENT else _in_window(array, "c" in letters, inner[0], made, index)


def _in_window(
    array: Array, of_channel: bool, place: int, made: Simulation, index: tuple[int, ...]
) -> str:
    """Of the inputs that the element sums, or of its channel's weights, the one at the place; of
    numbers that all elements share, the same."""
    if array.ndim == 1 and not of_channel:
        return number(array[place])
    x, w = window({**made.values, "x_q": array}, index)
    return number((w if of_channel else x)[place])


def _row(array: Array, place: str, made: Simulation, index: tuple[int, ...]) -> str:
    """All that an element is found from: the last axis of an operand that has one more than the
    result, or the axis that the place names."""
    if place == EVERY:
        return _listed(array.flat, array.size)
    if place.startswith(OVER):
        axis = int(made.values[place.removeprefix(OVER).rstrip("]")])
        row = np.moveaxis(array, axis, -1)[tuple(n for i, n in enumerate(index) if i != axis)]
    else:
        row = array[index].ravel()
    return f"[{_listed(row, len(row))}]"


def _listed(values: Iterable[object], count: int) -> str:
    few = count if count <= SHOWN_TERMS else SHOWN_TERMS - 1
    shown = ", ".join(number(each) for each in islice(values, few))
    return shown if few == count else f"{shown}, … ({count} values)"


def _substitute(formula: str, value: Callable[[str, str], str]) -> str:
    def replaced(match: re.Match[str]) -> str:
        name, place, call = match.group(1), match.group(2) or "", match.group(3) or ""
        if call and name in _FUNCTIONS:
            return match.group(0)
        try:
            text = value(name, place)
        except KeyError:  # a word of the formula that is no operand: `if`, `else`
            return match.group(0)
        before = formula[: match.start()].rstrip()
        signed = text.startswith("-") and before[-1:] in {"−", "-", "·", "+", "/"}
        return (f"({text})" if signed else text) + call

    return _SYMBOL.sub(replaced, formula)
