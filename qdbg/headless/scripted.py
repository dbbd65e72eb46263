"""Run a script of commands: what each led to, and the sessions that it saves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from qdbg.debugger import Debugger
from qdbg.errors import QdbgError
from qdbg.saving import saved
from qdbg.script import SAVE, Line


@dataclass(frozen=True, slots=True)
class Ran:
    """One command of a script, and where it led."""

    command: str
    stop: str
    """The step under the cursor afterwards."""
    element: int
    reason: str


def run_script(debugger: Debugger, lines: Sequence[Line]) -> tuple[Ran, ...]:
    """Run the commands one after the other. Raises ScriptError at the first that does not run."""
    return tuple(ran for line in lines if (ran := _run(debugger, line)) is not None)


def _run(debugger: Debugger, line: Line) -> Ran | None:
    try:
        if line.only_on and line.argument in _set(debugger, line.name):
            return None
        if line.name == SAVE:
            reason = f"saved {saved(debugger, Path(line.argument))}"
        else:
            reason = debugger.execute(line.command).reason
    except QdbgError as error:
        raise line.failed(error) from error
    return Ran(line.command, debugger.step.name, debugger.element, reason)


def _set(debugger: Debugger, name: str) -> Sequence[str]:
    return debugger.breakpoints.spots if name == "break" else debugger.watches.all


def ran_text(ran: Sequence[Ran]) -> str:
    """A line per command: what was asked for, where that led, and why there."""
    width = max((len(one.command) for one in ran), default=0)
    return "\n".join(
        f"{one.command:<{width}}  {one.stop}[{one.element}]  {one.reason}" for one in ran
    )


def ran_data(ran: Sequence[Ran]) -> list[dict[str, object]]:
    """The same as JSON data."""
    return [asdict(one) for one in ran]


def watched_text(debugger: Debugger) -> str:
    """A line per watch: its values at the stages passed so far."""
    found = debugger.watches.readings(debugger.trace, debugger.stop.mark)
    return "\n".join(f"watch {one.text}  {one.words or 'nothing yet'}" for one in found)
