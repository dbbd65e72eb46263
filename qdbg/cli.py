"""The command `qdbg`: joins the parts. Everything heavy is imported inside functions."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from qdbg.errors import QdbgError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

BAD_INPUT = 2
INTERNAL = 70
INTERRUPTED = 130
BROKEN_PIPE = 141
"""As a shell names a program that was ended by SIGPIPE."""


def main(argv: list[str] | None = None) -> int:
    """Run one command line and return its exit status. Without `argv` it is the program's own, and
    nothing but the interpreter's end follows."""
    try:
        return _status(sys.argv[1:] if argv is None else argv)
    finally:
        if argv is None:
            _ignore_ctrl_c()


def _ignore_ctrl_c() -> None:
    """The status is known: ctrl+c would make another one of it while worker processes end."""
    import signal  # noqa: PLC0415 - when everything is done

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _status(argv: list[str]) -> int:
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - kept to the end
            setattr(sys, name, nowhere)
    try:
        status = _run(argv)
        sys.stdout.flush()
    except QdbgError as error:
        _complain(error.message)
        return BAD_INPUT
    except SystemExit as leaving:  # argparse, after --help and --version
        return leaving.code if isinstance(leaving.code, int) else 0
    except OSError as error:
        return _unwritten(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if os.environ.get("QDBG_TRACEBACK"):
            raise
        words = str(error).partition("\n")[0][:200]
        _complain(
            f"qdbg has a mistake of its own: {type(error).__name__}: {words}\n"
            "Please report it with what QDBG_TRACEBACK=1 prints."
        )
        return INTERNAL
    return status


def _complain(text: str) -> None:
    from qdbg.headless.output import write_error  # noqa: PLC0415 - only when something went wrong

    write_error(text)


def _unwritten(error: OSError) -> int:
    """The status after output that found no taker; a reader that left wants no words."""
    _forget_stdout()
    if isinstance(error, BrokenPipeError):
        return BROKEN_PIPE
    _complain(f"the output cannot be written: {error.strerror or error}")
    return BAD_INPUT


def _forget_stdout() -> None:
    """Nobody reads any more: the interpreter must not fail when it flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(argv: list[str]) -> int:
    from qdbg.headless import arguments  # noqa: PLC0415 - argparse
    from qdbg.headless.options import joined  # noqa: PLC0415 - argparse
    from qdbg.headless.output import signs  # noqa: PLC0415 - json

    argv = joined(argv)
    run = COMMANDS.get(argv[0]) if argv else None
    if run is not None:
        return run(arguments.PARSERS[argv[0]]().parse_args(argv[1:]))
    arguments.check_command(argv)
    parser = arguments.open_parser()
    options = parser.parse_args(argv)
    if options.serve is not None:
        return _serve(options, argv)
    if not argv and not _on_terminal():
        parser.print_help()
        return 0
    arguments.check_target(options)
    if not _on_terminal():
        arguments.check_text(options)
        vars(options).update(json=False, values=False, element=None, golden=None)
        with signs(ascii=options.ascii):
            return _show(options)
    return _open(options)


def _serve(options: argparse.Namespace, argv: list[str]) -> int:
    from qdbg.app.serve import serve  # noqa: PLC0415 - sockets

    serve([word for word in argv if not word.startswith("--serve")], options.serve)
    return 0


def _on_terminal() -> bool:
    """Whether there is somebody to show the app to: a terminal, or a browser by textual-serve."""
    return sys.stdout.isatty() or "TEXTUAL_DRIVER" in os.environ


def _open(options: argparse.Namespace) -> int:
    from qdbg.app import run  # noqa: PLC0415 - the app's own imports follow
    from qdbg.app.plan import plan_of, plan_of_tour  # noqa: PLC0415 - likewise

    asked = plan_of_tour() if options.tour else plan_of(options) if options.target else None
    return run(asked, options.theme, ascii=options.ascii)


def _show(options: argparse.Namespace) -> int:
    from qdbg.headless.opening import check  # noqa: PLC0415 - only for this form

    check(options)
    from qdbg.headless.showing import show  # noqa: PLC0415 - numpy, which a misspelling need not wait for

    return show(options)


def _why(options: argparse.Namespace) -> int:
    from qdbg.headless.explaining import why  # noqa: PLC0415 - numpy

    return why(options)


def _replay(options: argparse.Namespace) -> int:
    from qdbg.headless.replaying import replay_files  # noqa: PLC0415 - numpy

    return replay_files(options)


def _selftest(options: argparse.Namespace) -> int:
    from qdbg.headless.selftest import selftest  # noqa: PLC0415 - numpy

    return selftest(options)


def _predict(options: argparse.Namespace) -> int:
    from qdbg.headless.opening import check_fleet  # noqa: PLC0415 - only for this form

    check_fleet(options)
    from qdbg.headless.predict import predict  # noqa: PLC0415 - numpy

    return predict(options)


def _sweep(options: argparse.Namespace) -> int:
    from qdbg.headless.opening import check_fleet  # noqa: PLC0415 - only for this form

    check_fleet(options)
    from qdbg.headless.sweep import sweep  # noqa: PLC0415 - numpy

    return sweep(options)


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "show": _show,
    "why": _why,
    "replay": _replay,
    "selftest": _selftest,
    "predict": _predict,
    "sweep": _sweep,
}
"""The words behind `qdbg` that are no model, each with its parser in `headless.arguments`."""
