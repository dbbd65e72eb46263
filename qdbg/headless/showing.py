"""The command `qdbg show`: what it opens, what it prints, how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qdbg.core.work import heard_by
from qdbg.debugger import Debugger
from qdbg.headless.opening import missing_order, request_for, session_for
from qdbg.headless.options import UsageError
from qdbg.headless.output import Progress, json_text, write
from qdbg.script import script_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from qdbg.engine.trace import Trace

NOT_SIMULATED = 3


def show(options: argparse.Namespace) -> int:
    """Print what the options ask for; the exit status says whether anything differs."""
    if options.values and not options.json:
        raise UsageError("--values goes with --json: the text names only what differs")
    if options.element and options.json:
        raise UsageError("--element is printed as text", expected="either --element or --json")
    session = session_for(options)
    if session is None:
        return _show_model(options)
    debugger = session.debugger()
    if options.arith is not None:
        debugger.execute(f"arithmetic {options.arith}")
    if options.feed is not None:
        debugger.execute(f"feed {options.feed}")
    return _run_and_print(options, debugger, "")


def _run_and_print(options: argparse.Namespace, debugger: Debugger, note: str) -> int:
    """First what the commands of the options led to, then the facts as they leave them."""
    from qdbg.headless.scripted import (  # noqa: PLC0415 - a bare show needs no session
        ran_data,
        ran_text,
        run_script,
        watched_text,
    )

    ran = run_script(debugger, script_of(options))
    if not options.json:
        for text in filter(None, (ran_text(ran), watched_text(debugger) if ran else "")):
            write(f"{text}\n")
    return _print(options, debugger.trace, note, ran_data(ran))


def _show_model(options: argparse.Namespace) -> int:
    from qdbg.capture import capture  # noqa: PLC0415 - a session does not need it
    from qdbg.reader import read_model  # noqa: PLC0415 - likewise

    model = read_model(Path(options.target))
    missing = missing_order(model, options)
    if missing is not None:
        from qdbg.headless.layers import layers_data, layers_text  # noqa: PLC0415 - rarely needed

        known = layers_data if options.json else layers_text
        found = known(model, missing.message)
        write(json_text(found) if isinstance(found, dict) else str(found))
        return NOT_SIMULATED
    request = request_for(options)
    progress = Progress()
    try:
        recording = capture(request, progress, lambda: False)
        with heard_by(progress.part):
            debugger = Debugger(recording, options.arith or "auto", options.feed or "captured")
    finally:
        progress.done()
    return _run_and_print(options, debugger, request.sample.note)


def _heard(make: Callable[[], str]) -> str:
    """The text; how far its counts are is told on a terminal."""
    progress = Progress()
    try:
        with heard_by(progress.part):
            return make()
    finally:
        progress.done()


def _print(
    options: argparse.Namespace, trace: Trace, note: str, ran: list[dict[str, object]]
) -> int:
    from qdbg.headless.drill import element_text  # noqa: PLC0415 - the other forms do not need it
    from qdbg.headless.golden import golden_element, golden_for  # noqa: PLC0415 - likewise
    from qdbg.headless.show import show_data, show_text  # noqa: PLC0415 - after the capture

    golden = golden_for(options, trace.recording, trace.feed)
    if options.json:
        data = show_data(trace, values=options.values, golden=golden)
        write(json_text(data | {"run": ran} if ran else data))
    elif options.element:
        write(element_text(trace, options.element))
        mine = golden_element(golden, trace, options.element) if golden is not None else None
        if mine is not None:
            write(f"\n{mine}")
    else:
        write(_heard(lambda: show_text(trace, note, golden)))
    return 1 if golden is not None and golden.differences else trace.exit_status
