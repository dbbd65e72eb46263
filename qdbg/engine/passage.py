"""One element on its way through the stages of its layer: a number for each."""

from __future__ import annotations

from dataclasses import dataclass

from qdbg.engine.filled import element_of, number
from qdbg.engine.step import Step


@dataclass(frozen=True, slots=True)
class Passed:
    """What one stage made of the element."""

    stage: str
    symbol: str
    value: str
    here: bool
    """Whether it is the stage under the cursor."""


def passage(step: Step, element: int) -> tuple[Passed, ...]:
    """Every stage of the call that has a value for this element, in order."""
    made = step.simulation
    if made is None or step.stage is None or not step.size:
        return ()
    index = step.index_of(element)
    return tuple(
        Passed(
            stage.name,
            stage.output,
            number(element_of(made.values[stage.output], index)),
            stage.name == step.stage.name,
        )
        for stage in made.stages
        if made.values[stage.output].shape == step.shape
    )
