"""From what the command line asked for to a debugger: without a screen, in a thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qdbg.app.plan import Plan
from qdbg.core.work import Cancelled, heard_by
from qdbg.debugger import Debugger
from qdbg.headless.output import bar
from qdbg.headless.scripted import run_script
from qdbg.session import Session

if TYPE_CHECKING:
    from qdbg.core.program import Model


def load(
    plan: Plan,
    show: Callable[[Model], None],
    say: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> Debugger:
    """Open the session, or read the model, show its layers and run it. Raises QdbgError, Cancelled
    among it."""

    def tell(what: str, done: int, total: int) -> None:
        if cancelled():
            raise Cancelled("the opening was stopped")
        say(f"{bar(done, total)} {what}")

    with heard_by(tell):
        return _load(plan, show, say, cancelled)


def _load(
    plan: Plan,
    show: Callable[[Model], None],
    say: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> Debugger:
    if plan.session_path is None and not plan.kept and Path(plan.title).is_file():
        from qdbg.reader import read_model  # noqa: PLC0415 - not needed for a session

        say("reading the model")
        show(read_model(Path(plan.title)))
    debugger = _debugger(plan, say, cancelled)
    if plan.golden is not None:
        say("running the golden model")
        debugger.beside(plan.golden(debugger.recording))
    if plan.commands is not None:
        run_script(debugger, plan.commands())
    return debugger


def _debugger(plan: Plan, say: Callable[[str], None], cancelled: Callable[[], bool]) -> Debugger:
    target = plan.opening()
    if isinstance(target, Session):
        return _opened(target, plan)
    from qdbg.capture import capture  # noqa: PLC0415 - not needed for a session

    recording = capture(target, say, cancelled)
    return Debugger(recording, plan.arithmetic or "auto", plan.feed or "captured")


def _opened(session: Session, plan: Plan) -> Debugger:
    """The session where its commands lead, and then as the command line wants it."""
    debugger = session.debugger()
    if plan.arithmetic is not None:
        debugger.execute(f"arithmetic {plan.arithmetic}")
    if plan.feed is not None:
        debugger.execute(f"feed {plan.feed}")
    return debugger
