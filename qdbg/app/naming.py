"""The names of the run: what the prompt completes and the palette lists."""

from __future__ import annotations

from qdbg.app.sources import layer_title
from qdbg.commands import COMMANDS
from qdbg.engine.trace import Trace
from qdbg.places import own_names


def layers(trace: Trace) -> tuple[tuple[str, str], ...]:
    """Every call by the name that `go` takes, with what it is."""
    own = own_names(trace.nodes)
    return tuple((name, layer_title(trace, call)) for call, name in enumerate(own))


def names(trace: Trace) -> tuple[str, ...]:
    """The layers, their stages, and the commands."""
    found = [name for name, _ in layers(trace)]
    stages = [
        f"{name}.{stage.replace(' ', '_')}"
        for name, own in zip(found, trace.stage_names, strict=True)
        for stage in own
    ]
    return (*found, *stages, *(command.id for command in COMMANDS))
