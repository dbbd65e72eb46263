"""How every arithmetic would fare on one recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from qdbg.core.op import NotSimulated
from qdbg.core.presets import Arithmetic
from qdbg.core.program import Node, Recording
from qdbg.core.stage import Values
from qdbg.core.versions import arithmetics, release_of, unmeasured
from qdbg.core.work import doing, part
from qdbg.engine.arithmetics import arithmetic_for
from qdbg.engine.simulate import planned
from qdbg.engine.trace import Trace
from qdbg.names import TEXTBOOK
from qdbg.ops import registry


@dataclass(frozen=True, slots=True)
class Fare:
    """Arithmetics that are one and the same, and what they leave."""

    names: tuple[str, ...]
    """`fbgemm-avx2`, `fbgemm-avx512` … that agree in every assumption."""
    library: str
    differences: int
    """Elements that differ from the captured ones, over all calls that are simulated."""
    elements: int
    """Elements compared."""
    max_delta: float
    """The largest |Δ| of a quantized result, or of a float32 one where only such differ; 0 where
    nothing does."""
    skipped: frozenset[int]
    """Calls that are not simulated."""

    @property
    def name(self) -> str:
        """The first name stands for all."""
        return self.names[0]

    @property
    def not_simulated(self) -> int:
        """How many calls are not simulated."""
        return len(self.skipped)

    def scope(self, other: Fare) -> str:
        """Of which values its count is, said beside another one's: `them` where it simulates every
        call that the other does, else `the 300 that it simulates`."""
        return "them" if self.skipped <= other.skipped else f"the {self.elements} that it simulates"


def leaving_least(recording: Recording, fares: Sequence[Fare]) -> tuple[str, Fare]:
    """The name and the fare of the arithmetic that leaves least, of those that simulate something;
    of several the one that PyTorch ran with, then the one that simulates most."""
    ran = f"{recording.environment.engine}-{recording.environment.cpu}"
    best = min(
        (fare for fare in fares if fare.elements),
        key=lambda fare: (fare.differences, ran not in fare.names, -fare.elements),
    )
    return ran if ran in best.names else best.name, best


def same_arithmetics(recording: Recording) -> tuple[tuple[str, ...], ...]:
    """The presets, those together that take the same stages for every call of the recording."""
    captured, presets = arithmetic_for(recording), _presets(recording)
    if captured is None or unmeasured(recording.environment, captured):
        captured = presets[TEXTBOOK]
    trace = Trace(recording, captured)
    groups: dict[tuple[object, ...], tuple[str, ...]] = {}
    taken: dict[str, list[object]] = {name: [] for name in presets}
    for call, node in enumerate(trace.nodes):
        doing(f"which differ in {node.name}", call, len(trace.nodes))
        with suppress(NotSimulated):
            values = planned(trace.call(call), trace.arithmetic).values
            for name, arithmetic in presets.items():
                taken[name].append(_stages(node, arithmetic, values))
    for name, stages in taken.items():
        groups[tuple(stages)] = (*groups.get(tuple(stages), ()), name)
    return tuple(groups.values())


def _presets(recording: Recording) -> Mapping[str, Arithmetic]:
    return arithmetics(release_of(recording.environment.torch))


def _stages(node: Node, arithmetic: Arithmetic, values: Values) -> object:
    op = registry()[node.op]
    try:
        kernel, stages = op.chosen(arithmetic, values)
    except NotSimulated as reason:
        return str(reason)
    return stages, () if op.rivals is None or kernel is None else op.rivals(kernel, values)


def survey(
    recording: Recording, feed: str = "captured", chosen: Arithmetic | None = None
) -> tuple[Fare, ...]:
    """Simulate the recording under every arithmetic and count what each leaves; first under the
    chosen one, where it has changed assumptions."""
    own = [] if chosen is None or not chosen.changes else [(chosen, (chosen.name,))]
    captured = arithmetic_for(recording)
    ran = "" if captured is None else captured.name
    known = _presets(recording)
    presets = [
        (known[ran if ran in names else names[0]], names) for names in same_arithmetics(recording)
    ]
    fares: list[Fare] = []
    for place, (arithmetic, names) in enumerate((*own, *presets)):
        with part(place, len(own) + len(presets)):
            fares.append(_fare(Trace(recording, arithmetic, feed), names))
        others = tuple(name for name in names if name != ran)
        if feed == "simulated" and fares[-1].not_simulated and ran in names and others:
            # What PyTorch gave in a call that is not simulated stands for its own arithmetic alone.
            fares[-1] = replace(fares[-1], names=(ran,))
            fares.append(_fare(Trace(recording, known[others[0]], feed), others))
    return tuple(fares)


def _fare(trace: Trace, names: tuple[str, ...]) -> Fare:
    found = trace.comparisons
    compared = [c for c in found if c.status != "not simulated"]
    both = zip(found, trace.nodes, strict=True)
    quantized = max((c.max_delta for c, node in both if node.output is not None), default=0)
    return Fare(
        names,
        trace.arithmetic.library,
        sum(c.differences for c in compared),
        sum(c.elements for c in compared),
        quantized or max((c.max_delta for c in compared), default=0),
        frozenset(call for call, c in enumerate(found) if c.status == "not simulated"),
    )
