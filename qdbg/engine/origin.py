"""Where an element came from: earlier stages, earlier calls, the model's input."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from qdbg.core.op import Operand
from qdbg.core.program import INPUT
from qdbg.core.quantity import Array, QTensor, entries
from qdbg.core.stage import Stage
from qdbg.engine.browse import place_of
from qdbg.engine.carried import Carried, carried
from qdbg.engine.filled import number
from qdbg.engine.rows import is_table
from qdbg.engine.simulate import Simulation, group_of, window
from qdbg.engine.step import OF_INPUTS, Step
from qdbg.engine.trace import Trace
from qdbg.ops import registry

_SOURCE = re.compile(r"\[(\w+)\[\w\]\]")
"""The place of an operand whose element stands where another operand tells: `x_q[source[i]]`."""
ADDENDS = {"a_q": ("A", "a_zp"), "b_q": ("B", "b_zp")}
"""The multiplier and the zero point of the two operands that are added as integers."""


@dataclass(frozen=True, slots=True)
class Origin:
    """One element that another one came from."""

    place: str
    """`relu:relu.relu[3]`, or in words what is no step of the run."""
    step: int | None
    """None for what the cursor cannot go to: the model's input, padding, a constant."""
    element: int
    value: str
    weight: str = ""
    """What it is multiplied by; empty where nothing is."""
    contribution: float | None = None
    """What it adds to the element; None where the stage is no sum."""


@dataclass(frozen=True, slots=True)
class _Reached:
    """The elements of one operand that an element is computed from."""

    name: str
    at: Array
    """Flat indices in the operand."""
    weights: Array | None = None
    contributions: Array | None = None


def origins(trace: Trace, step: Step, element: int) -> tuple[Origin, ...]:
    """Where the element came from, the largest contribution first; empty where that is not known.

    Within a call these are elements of earlier stages; the first stages lead to the results of
    earlier calls, or to the model's input.
    """
    made = step.simulation
    if step.stage is None or made is None:
        return _whole_calls(trace, step)
    if not step.size:
        return ()
    index = step.index_of(element)
    stage = step.stage.at(made.values, index)
    found: list[Origin] = []
    source: Carried | None = None
    for reached in _reached(stage, made, step, index):
        earlier = _made_by(made, step.stage, reached.name)
        if earlier is not None:
            target = trace.first_steps[step.call] + earlier
            found += _in_stage(trace.glance(target), reached)
            continue
        source = source or carried(trace, step.call)
        if source is not None and reached.name in source.operands:
            found += _in_inputs(trace, step, reached, source)
    return tuple(sorted(found, key=lambda origin: -abs(origin.contribution or 0)))


def _whole_calls(trace: Trace, step: Step) -> tuple[Origin, ...]:
    """Of a call that is not simulated, its operands as a whole."""
    found = []
    for source in step.node.inputs:
        if source >= 0:
            last = trace.first_steps[source + 1] - 1
            found.append(Origin(f"{trace.nodes[source].name}, all of it", last, 0, ""))
    return tuple(found)


def _made_by(made: Simulation, stage: Stage, name: str) -> int | None:
    """The place among the stages of the one that made the operand; None for an input."""
    before = made.stages[: made.stages.index(stage)]
    found = [place for place, other in enumerate(before) if other.output == name]
    return found[-1] if found else None


def _in_stage(target: Step, reached: _Reached) -> list[Origin]:
    """Elements of an earlier stage of the call."""
    if target.shown is None:
        return []
    values = entries(target.shown, reached.at)
    return [
        Origin(_place(target, int(at)), target.index, int(at), number(value), *adds)
        for at, value, adds in zip(reached.at, values, _adds(reached), strict=True)
    ]


def _place(step: Step, at: int) -> str:
    """As it is typed."""
    return f"{step.name}[{place_of(step, at)}]"


def _in_inputs(trace: Trace, step: Step, reached: _Reached, places: Carried) -> list[Origin]:
    """Elements of earlier calls, of the model's input, or of nothing: the padding."""
    if step.simulation is None:
        return []
    inputs, operand = trace.call(step.call).inputs, np.asarray(step.simulation.values[reached.name])
    found = []
    own = entries(operand, reached.at)
    from_inputs = places.of(reached.name, reached.at, own)
    if from_inputs is None:
        return []
    each = zip(own, *from_inputs, _adds(reached), strict=True)
    for given, source, at, adds in each:
        value, origin = number(given), PADDING
        if source >= 0:
            origin = _input(trace, step.node.inputs[source], inputs[source], int(at))
            if origin.value != value:
                return []  # the op computes with its input before the first stage
        found.append(replace(origin, value=value, weight=adds[0], contribution=adds[1]))
    return found


PADDING = Origin("padding", None, 0, "")


def _input(trace: Trace, source: int, operand: Operand, at: int) -> Origin:
    """An element of one of the call's inputs; its index is that in PyTorch's own tensor."""
    numbers = operand.q if isinstance(operand, QTensor) else operand
    value = number(numbers.flat[at])
    index = tuple(int(i) for i in np.unravel_index(at, numbers.shape))
    if source < 0:
        where = ",".join(str(i) for i in index)
        what = "the model's input" if source == INPUT else "a constant of the model"
        return Origin(f"{what}, [{where}]", None, 0, value)
    target = trace.glance(trace.first_steps[source + 1] - 1)
    if target.stage is not None and registry()[target.node.op].channels_last and index:
        order = (0, *range(2, len(index)), 1)
        shape = tuple(numbers.shape[i] for i in order)
        at = int(np.ravel_multi_index(tuple(index[i] for i in order), shape))
    return Origin(_place(target, at), target.index, at, value)


def _adds(reached: _Reached) -> list[tuple[str, float | None]]:
    """Per element the weight and the contribution."""
    count = len(reached.at)
    weights = [""] * count if reached.weights is None else [number(w) for w in reached.weights]
    if reached.contributions is None:
        return [(weight, None) for weight in weights]
    return list(zip(weights, (c.item() for c in reached.contributions), strict=True))


# ------------------------------------------------------------- from an element to its operands


def _reached(
    stage: Stage, made: Simulation, step: Step, index: tuple[int, ...]
) -> tuple[_Reached, ...]:
    found = (_operand(stage, made, step, name, index) for name in stage.parameters)
    return tuple(reached for reached in found if reached is not None)


def _operand(
    stage: Stage, made: Simulation, step: Step, name: str, index: tuple[int, ...]
) -> _Reached | None:
    array, shape = np.asarray(made.values[name]), step.shape
    if is_table(made.values):
        return _looked_up(made, name, index)
    if made.kernel is not None and name in OF_INPUTS and "w_q" in stage.parameters:
        return _products(made, name, index)
    if ".." in stage.formula and name in {"a", "b"} and "k" in stage.formula:
        return _factors(made, name, index)
    told = re.search(rf"\b{name}\[(\w+)\[\w\]\]", stage.formula)
    if told is not None:
        place = int(made.values[told.group(1)][index])
        return _Reached(name, np.array([place])) if place >= 0 else None
    if array.shape == shape:
        at = np.array([np.ravel_multi_index(index, shape)]) if shape else np.array([0])
        return _Reached(name, at, contributions=_addend(stage, made, name, at))
    return _along_last(stage, made, name, index, shape)


def _looked_up(made: Simulation, name: str, index: tuple[int, ...]) -> _Reached | None:
    """The indices that name the rows of an embedding's element."""
    if name != "row":
        return None
    if "first" in made.values:
        first, last = (int(made.values[end][index[0]]) for end in ("first", "last"))
        return _Reached(name, np.arange(first, last))
    shape = np.asarray(made.values["row"]).shape
    return _Reached(name, np.array([np.ravel_multi_index(index[:-1], shape)]))


def _products(made: Simulation, name: str, index: tuple[int, ...]) -> _Reached:
    """The inputs that meet the weights of an output channel; what each adds is its centred input
    times its centred weight."""
    x, w = np.asarray(made.values[name]), np.asarray(made.values["w_q"])
    row = index[:-1] if x.ndim == len(index) else (*index[:-1], group_of(x, w, index[-1]))
    row = tuple(min(i, n - 1) for i, n in zip(row, x.shape, strict=False))
    at = np.ravel_multi_index((*(np.array(i) for i in row), np.arange(x.shape[-1])), x.shape)
    numbers, weights = window({**made.values, "x_q": x}, index)
    own = weights.astype(np.int64)
    if "w_zp" in made.values:
        w_zp = np.asarray(made.values["w_zp"]).reshape(-1)
        own = own - w_zp[index[-1] % w_zp.size]
    x_zp = 0 if name == "x_c" else np.asarray(made.values["x_zp"])
    return _Reached(name, np.asarray(at), weights, (numbers.astype(np.int64) - x_zp) * own)


def _factors(made: Simulation, name: str, index: tuple[int, ...]) -> _Reached | None:
    """The row of `a` and the column of `b` that a matrix product adds up."""
    a, b = np.asarray(made.values["a"]), np.asarray(made.values["b"])
    if not a.ndim == b.ndim == len(index):
        return None
    k = np.arange(a.shape[-1])
    lead = tuple(np.array(i) for i in index[:-2])
    left = np.ravel_multi_index((*lead, np.array(index[-2]), k), a.shape)
    right = np.ravel_multi_index((*lead, k, np.array(index[-1])), b.shape)
    own, other = (a, b) if name == "a" else (b, a)
    at, across = (left, right) if name == "a" else (right, left)
    factors = entries(other, across)
    added: Array = entries(own, at) * factors
    return _Reached(name, np.asarray(at), factors, added)


def _addend(stage: Stage, made: Simulation, name: str, at: Array) -> Array | None:
    """What an operand of an addition adds; None of other stages."""
    if stage.name != "add":
        return None
    own = entries(np.asarray(made.values[name]), at)
    if name not in ADDENDS or "A" not in made.values:
        return own
    factor, zero_point = (made.values[symbol] for symbol in ADDENDS[name])
    added: Array = (own.astype(np.int64) - np.asarray(zero_point)) * np.asarray(factor, np.int64)
    return added


def _along_last(
    stage: Stage, made: Simulation, name: str, index: tuple[int, ...], shape: tuple[int, ...]
) -> _Reached | None:
    """All of a window's or a group's elements, or the one that stands for a whole row."""
    array = np.asarray(made.values[name])
    if not array.ndim or array.ndim < len(shape):
        return None
    lead: tuple[int, ...]
    if array.shape[:-1] == shape:
        lead = index
    elif array.shape[:-1] == shape[:-1] and shape[-1] == 1:
        lead = index[:-1]
    elif array.shape[:-1] == shape[:-1] and array.shape[-1] == 1:
        return _Reached(name, np.array([np.ravel_multi_index((*index[:-1], 0), array.shape)]))
    else:
        return None
    at = np.ravel_multi_index(
        (*(np.array(i) for i in lead), np.arange(array.shape[-1])), array.shape
    )
    own = entries(array, at).astype(np.int64)
    centred = "x_zp" in stage.parameters and stage.name == "sum"
    x_zp = int(np.asarray(made.values["x_zp"]).reshape(-1)[0]) if centred else 0
    return _Reached(name, np.asarray(at), contributions=own - x_zp)
