"""One stage of one call, with what was found out about its elements."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from qdbg.core.arithmetic import i64
from qdbg.core.once import cached_property
from qdbg.core.program import Layer, Node
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage
from qdbg.engine.compare import delta, differs, largest, unlike
from qdbg.engine.simulate import Simulation
from qdbg.ops import registry

OF_INPUTS = frozenset({"x_c", "x_q"})
"""The symbols of stages whose elements are inputs: the centred ones, the quantized ones."""
FLAT = 2
"""Results of so many axes have no image."""
BYTE = 255
"""The largest distance of two values of a byte."""


@dataclass(frozen=True, eq=False)
class Step:
    """One stage of one call.

    What is found out about all of its elements is kept: a key must not count a million again.
    """

    index: int
    """Its place in the run, from 0."""
    call: int
    node: Node
    layer: Layer | None
    stage: Stage | None
    """None where the call is not simulated: there is only what PyTorch computed."""
    simulation: Simulation | None
    simulated: Array | None
    captured: Array | None
    """In the shape of `simulated`; None where PyTorch does not expose this stage."""
    reason: str | None
    """Why the call is not simulated."""
    golden: Array | None = None
    """The user's own integers, in the shape of `captured`; None where they have none."""
    original: Array | None = None
    """What was simulated before numbers of the run were changed; None where none is."""

    @property
    def name(self) -> str:
        """Unique in the run and stable: `fc1:linear.mac`."""
        return f"{self.node.name}.{self.stage.name.replace(' ', '_') if self.stage else 'result'}"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the elements that the cursor moves over."""
        return self.shown.shape if self.shown is not None else ()

    @property
    def shown(self) -> Array | None:
        """The simulated values, or where nothing is simulated the captured ones."""
        return self.simulated if self.simulated is not None else self.captured

    @cached_property
    def extremes(self) -> tuple[Any, Any] | None:
        """The smallest and the largest value shown that is a number; None without any."""
        if self.shown is None or not self.shown.size:
            return None
        found = self.shown.min(), self.shown.max()
        if not np.all(np.isfinite(found)):
            finite = self.shown[np.isfinite(self.shown)]
            return (finite.min(), finite.max()) if finite.size else None
        return found

    @cached_property
    def bytes(self) -> Array | None:
        """How many elements have each value of the result's byte, from qmin to qmax; None for a
        step that is no result of quantized bytes."""
        params, shown = self.node.output, self.shown
        if params is None or params.per_channel or shown is None or self.captured is None:
            return None
        ends = self.extremes or (0, 0)
        if params.qmax - params.qmin > BYTE or ends[0] < params.qmin or ends[1] > params.qmax:
            return None
        return np.bincount(i64(shown).ravel() - params.qmin, minlength=BYTE + 1)

    @property
    def of_inputs(self) -> bool:
        """Whether the elements are inputs of the layer, not its output channels."""
        return self.stage is not None and self.stage.output in OF_INPUTS

    @property
    def size(self) -> int:
        """How many elements there are."""
        return prod(self.shape)

    @property
    def rows(self) -> int:
        """How many rows of elements there are: samples, positions of an image."""
        return prod(self.shape[:-1])

    @property
    def moved(self) -> bool:
        """Whether the channels are the last axis here, and PyTorch has them before the image."""
        stage, op = self.stage, registry().get(self.node.op)
        return stage is not None and op is not None and op.channels_last and len(self.shape) > FLAT

    def index_of(self, element: int) -> tuple[int, ...]:
        """The element's position, from its flat index; without elements the first one's."""
        if not self.shape or not self.size:
            return (0,) * len(self.shape)
        return tuple(int(i) for i in np.unravel_index(element, self.shape))

    @cached_property
    def different(self) -> Array | None:
        """bool: where simulated and captured differ; None where nothing can be compared."""
        if self.simulated is None or self.captured is None:
            return None
        return differs(_same_type(self.simulated, self.captured), self.captured)

    @cached_property
    def delta(self) -> Array | None:
        """Simulated − captured; None where nothing can be compared."""
        if self.simulated is None or self.captured is None:
            return None
        return delta(_same_type(self.simulated, self.captured), self.captured)

    @cached_property
    def differences(self) -> int:
        """How many elements differ."""
        different = self.different
        return 0 if different is None else int(np.count_nonzero(different))

    @cached_property
    def largest(self) -> int | None:
        """The first element whose |Δ| is largest; None where nothing differs."""
        if self.different is None or self.delta is None or not self.differences:
            return None
        return largest(self.different, self.delta)

    @cached_property
    def cut(self) -> Array | None:
        """int8 per element, as `cut_sides` codes it; None for a stage that never cuts."""
        if self.stage is None or self.simulation is None:
            return None
        return self.stage.cut(self.simulation.values)

    @cached_property
    def changed(self) -> Array | None:
        """bool: where a change of the run's numbers shows; None where none is changed."""
        if self.original is None or self.simulated is None:
            return None
        return unlike(self.simulated, self.original)

    @cached_property
    def ties(self) -> Array | None:
        """bool per element: where a value lay half-way between two integers when the stage rounded
        it; None for a stage that rounds nothing."""
        if self.stage is None or self.simulation is None:
            return None
        return self.stage.ties(self.simulation.values)

    @cached_property
    def saturations(self) -> int:
        """How many elements the stage cut off."""
        cut = self.cut
        return 0 if cut is None else int(np.count_nonzero(cut))


def _same_type(simulated: Array, captured: Array) -> Array:
    if captured.dtype == np.float32:
        return np.asarray(simulated, dtype=np.float32)
    return np.asarray(simulated)
