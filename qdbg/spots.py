"""The numbers of a run that can be replaced, and how people name them.

As the formulas spell them: `input[0,2]`; `fc1.w_q[8,3]`, `fc1.b[8]`, `fc1.w_scale[8]`,
`fc1.w_zp[8]` of the layer in the file, weights with the axes of PyTorch's tensor; `fc1.y_scale` and
`fc1.y_zp` of a call's result; `relu[8]`, an integer of a call's result; and `arithmetic`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from qdbg import held
from qdbg.core.op import NotSimulated
from qdbg.core.program import INPUT, Node, Recording
from qdbg.core.quantity import Array
from qdbg.engine.browse import place_of
from qdbg.engine.rows import is_table, row_of
from qdbg.engine.step import Step
from qdbg.engine.trace import Trace
from qdbg.errors import CommandError
from qdbg.held import OF_WEIGHTS
from qdbg.places import find_call, find_place, own_names

OF_RESULTS = ("y_scale", "y_zp")
SHORT = {"w": "w_q", "bias": "b", "scale": "y_scale", "zero_point": "y_zp"}
"""What is understood besides."""
AXES = {2: "c,k", 3: "c,k,w", 4: "c,k,h,w", 5: "c,k,d,h,w"}
"""Of weights, by their number."""
OWN = frozenset({"quantize", "linear", "linear_relu", "sigmoid", "hardsigmoid", "tanh"})
"""Ops that pass no parameters on, whatever theirs are."""
_SPOT = re.compile(r"(?P<head>[^\[\]]+?)\s*(\[(?P<index>[\d,\s]*)\])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Spot:
    """A number of the run."""

    symbol: str
    """`input`, one of OF_WEIGHTS or OF_RESULTS, `result` or `arithmetic`."""
    call: int
    index: tuple[int, ...]
    """In the shape of PyTorch's tensor; empty for a number that stands alone."""
    name: str
    """As people write it, `fc1.w_q[8,3]`."""
    single: bool = False
    """Whether the number is held as float32."""


def find_spot(trace: Trace, text: str) -> Spot:
    """The number that the text names. Raises CommandError."""
    match = _SPOT.fullmatch(text.strip())
    if match is None:  # letters of axes, which a result's elements alone have
        return _result_spot(trace, text)
    head, given = match["head"], match["index"]
    index = None if given is None else tuple(int(n) for n in given.split(",") if n.strip())
    if head == "arithmetic" and index is None:
        return Spot("arithmetic", -1, (), "arithmetic")
    if head == "input" and find_call(trace, head) is None:
        return _spot(trace, "input", -1, index, "input")
    owner, _, symbol = head.rpartition(".")
    symbol = SHORT.get(symbol, symbol)
    if symbol in {"x_scale", "x_zp", *OF_WEIGHTS, *OF_RESULTS} and owner:
        call = find_call(trace, owner)
        if call is None:
            raise _no_spot(trace, text)
        maker, symbol = _maker(trace, call, symbol)
        whole = symbol in OF_WEIGHTS and held.in_layer(trace.recording, maker)
        owner = trace.nodes[maker].layer if whole else own_names(trace.nodes)[maker]
        return _spot(trace, symbol, maker, index, f"{owner}.{symbol}")
    return _result_spot(trace, text)


def _no_spot(trace: Trace, text: str) -> CommandError:
    found = f"there is no number {text!r} in this run"
    return CommandError(found, expected=forms(trace.recording))


def forms(recording: Recording) -> str:
    """How numbers of this run are named, by the names that it has."""
    nodes, layers = recording.program.nodes, recording.program.layers
    found, made = ["input[i]"], None
    for node in nodes:
        layer = layers.get(node.layer)
        if layer is not None and layer.weight is not None:
            axes = AXES.get(layer.weight.q.ndim, "c")
            scale = "w_scale[c]" if layer.weight.qparams.per_channel else "w_scale"
            found += [f"{layer.path}.{name}" for name in (f"w_q[{axes}]", "b[c]", scale)]
            made = node if node.output is not None else None
            break
    if len(found) == 1:
        found += _operands_held(recording)
    made = made or next((node for node in nodes if node.output is not None), None)
    if made is not None:
        name = own_names(nodes)[nodes.index(made)]
        found += [f"{name}.y_scale", f"{name}.y_zp", f"{name}[c]"]
    return ", ".join((*found, "arithmetic"))


def _operands_held(recording: Recording) -> list[str]:
    """Those of the first call whose weights are operands of its own."""
    for call, name in enumerate(own_names(recording.program.nodes)):
        if held.weight_shape(recording, call):
            table = held.numbers(recording, call, "b") is None
            scale = "w_scale[r]" if table else "w_scale"
            return [f"{name}.w_q[{'r,e' if table else 'c,k'}]", f"{name}.{scale}"]
    return []


def _maker(trace: Trace, call: int, symbol: str) -> tuple[int, str]:
    """The parameters of an operand are those of the call that made it."""
    if symbol in {"x_scale", "x_zp"}:
        source = trace.nodes[call].inputs[0] if trace.nodes[call].inputs else INPUT
        if source < 0 or trace.nodes[source].output is None:
            raise _no_operands(trace, call, symbol)
        call, symbol = source, symbol.replace("x_", "y_")
    while symbol in OF_RESULTS and (before := passed_on(trace.nodes, call)) is not None:
        call = before
    return call, symbol


def _no_operands(trace: Trace, call: int, symbol: str) -> CommandError:
    """Its operand is float32: a dynamic layer chooses the parameters for it by itself."""
    made = trace.simulation(call)
    chosen = not isinstance(made, NotSimulated) and symbol in made.values
    why = "it follows from its input" if chosen else "its operand is not quantized"
    return CommandError(
        f"{trace.nodes[call].name} has no {symbol} that can be changed: {why}",
        expected=forms(trace.recording),
    )


def passed_on(nodes: Sequence[Node], call: int) -> int | None:
    """The call whose parameters this one's result has, because it passes them on; else None."""
    node = nodes[call]
    source = node.inputs[0] if node.inputs else INPUT
    if node.output is None or source < 0 or any("scale" in key.lower() for key in node.settings):
        return None
    other = nodes[source].output
    same = other is not None and all(
        np.array_equal(getattr(node.output, part), getattr(other, part))
        for part in ("scale", "zero_point")
    )
    return source if same and node.op not in OWN else None


def _spot(trace: Trace, symbol: str, call: int, index: tuple[int, ...] | None, name: str) -> Spot:
    """With an index that fits the numbers there. Raises CommandError."""
    numbers = numbers_of(trace.recording, symbol, call, name)
    shape = numbers.shape
    given = index if index is not None else ()
    size = int(np.prod(shape, dtype=np.int64))
    if len(given) == 1 and len(shape) != 1 and given[0] < size and size == max(shape, default=0):
        given = tuple(int(i) for i in np.unravel_index(given[0], shape))
    fits = len(given) == len(shape) and all(i < n for i, n in zip(given, shape, strict=True))
    if not fits:
        form = "×".join(map(str, shape)) or "one number"
        last = ",".join(str(n - 1) for n in shape)
        raise CommandError(
            f"{name} has no place [{','.join(map(str, given))}]",
            expected=f"{name}[…] up to [{last}] ({form})" if shape else f"{name} alone",
        )
    place = f"[{','.join(map(str, given))}]" if shape else ""
    return Spot(symbol, call, given, name + place, numbers.dtype == np.float32)


def _result_spot(trace: Trace, text: str) -> Spot:
    place = find_place(trace, text)
    if place is None or place.element is None:
        raise _no_spot(trace, text)
    call = trace.call_of(place.step)
    if place.step != trace.first_steps[call + 1] - 1:
        raise CommandError(
            f"{text} follows from the numbers before it",
            expected="an operand, or an integer of a layer's result",
        )
    shape = trace.nodes[call].shape
    flat = np.arange(int(np.prod(shape, dtype=np.int64))).reshape(shape)
    own = int(trace.in_stages(call, flat).reshape(-1)[place.element])
    index = tuple(int(i) for i in np.unravel_index(own, shape))
    name = f"{own_names(trace.nodes)[call]}[{place_of(trace.step(place.step), place.element)}]"
    return Spot("result", call, index, name)


def numbers_of(recording: Recording, symbol: str, call: int, name: str) -> Array:
    """The tensor that the symbol stands for. Raises CommandError where the call has none."""
    if symbol == "input":
        return recording.input
    node = recording.program.nodes[call]
    found: Array | None = None
    if symbol in OF_RESULTS and node.output is not None:
        found = node.output.scale if symbol == "y_scale" else node.output.zero_point
    elif symbol in OF_WEIGHTS:
        found = held.numbers(recording, call, symbol)
    if found is None:
        raise CommandError(
            f"{node.name} has no {symbol} that can be changed", expected=forms(recording)
        )
    return found


def spots_here(trace: Trace, element: int, step: Step) -> tuple[Spot, ...]:
    """The numbers that make the element what it is: its own, its operands', the call's."""
    owner = own_names(trace.nodes)[step.call]
    names = [] if step.of_inputs else [f"{owner}[{element}]"]
    if not step.of_inputs:
        names += [f"{owner}.{name}" for name in _weights(trace, step, element)]
    names += _operands(trace, step, element)
    names += [f"{owner}.{symbol}" for symbol in ("x_scale", "x_zp", *OF_RESULTS)]
    found = [_found(trace, name) for name in (*names, "arithmetic")]
    return tuple({spot.name: spot for spot in found if spot is not None}.values())


def _weights(trace: Trace, step: Step, element: int) -> Iterator[str]:
    """The weights that the element is made of: of its channel, or of its row of a table."""
    shape, index = held.weight_shape(trace.recording, step.call), step.index_of(element)
    if not shape or not index:
        return
    values = step.simulation.values if step.simulation is not None else {}
    if is_table(values):
        row = row_of(values, index)
        if row is not None:
            yield from (f"w_q[{row},{index[-1]}]", f"w_scale[{row}]", f"w_zp[{row}]")
        return
    for place in np.ndindex(shape[1:]):
        yield f"w_q[{index[-1]},{','.join(map(str, place))}]"
    yield from (f"{symbol}[{index[-1]}]" for symbol in ("b", "w_scale", "w_zp"))
    yield from ("w_scale", "w_zp")


def _operands(trace: Trace, step: Step, element: int) -> list[str]:
    """The elements of the first operand that the element is made of, where that is known."""
    source = step.node.inputs[0] if step.node.inputs else None
    if source is None or source < INPUT:
        return []
    owner = "input" if source == INPUT else own_names(trace.nodes)[source]
    operand = trace.recording.input if source == INPUT else trace.recording.values[source]
    if step.simulation is not None and step.simulation.kernel is not None:
        if operand.ndim > 2:  # noqa: PLR2004 - a convolution's window has its own panel
            return []
        row, size = (element if step.of_inputs else element // step.shape[-1]), operand.shape[-1]
        flats = [row] if step.of_inputs else [row * size + k for k in range(size)]
    else:
        flats = [element] if operand.size == step.size else []
    if owner == "input":
        places = (np.unravel_index(flat, operand.shape) for flat in flats)
        return [f"input[{','.join(str(int(i)) for i in place)}]" for place in places]
    return [f"{owner}[{flat}]" for flat in flats]


def _found(trace: Trace, name: str) -> Spot | None:
    try:
        return find_spot(trace, name)
    except CommandError:
        return None
