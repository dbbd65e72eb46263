"""From what the command line asked for to a debugger: without a screen, in a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qdbg.app.plan import Plan
from qdbg.debugger import Debugger
from qdbg.errors import ForwardError

if TYPE_CHECKING:
    from qdbg.core.program import Model


def load(
    plan: Plan,
    show: Callable[[Model], None],
    say: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> Debugger:
    """Open the session, or read the model, show its layers and run it. Raises QdbgError."""
    if plan.session is not None:
        debugger = plan.session.debugger()
        if plan.arithmetic != "auto":
            debugger.execute(f"arithmetic {plan.arithmetic}")
        return debugger
    if plan.request is None:
        raise ForwardError("there is neither a model nor a session to open")
    from qdbg.capture import capture  # noqa: PLC0415 - not needed for a session
    from qdbg.reader import read_model  # noqa: PLC0415 - not needed for a session

    say("reading the model")
    show(read_model(plan.request.model))
    recording = capture(plan.request, say, cancelled)
    return Debugger(recording, plan.arithmetic, plan.feed)
