"""The parser of each command; imports argparse and nothing heavier, so that --help is instant."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from qdbg import __version__
from qdbg.headless.options import (
    PORT,
    Parser,
    UsageError,
    add_fleet,
    add_golden,
    add_looks,
    add_run,
    add_script,
    add_source,
    command_parser,
    port,
)
from qdbg.names import ENGINES, FEEDS, LEVELS

USAGE = """\
qdbg MODEL --sample NAME [options]      open the debugger on a model
qdbg SESSION.qdbg                       open a saved session
qdbg --tour                             a guided tour of two minutes
qdbg show MODEL --sample NAME           the same facts as text or --json
qdbg why MODEL --sample NAME            which assumption explains every difference?
qdbg replay SESSION.qdbg ...            are the integers and the stops still the same?
qdbg predict MODEL --samples iris       what would change on other machines?
qdbg sweep MODEL --samples iris         many samples: what differs, where, from which on
qdbg selftest [--budget 5m]             does the simulation equal this machine's PyTorch?
"""

EXAMPLES = """\
examples:
  qdbg models/iris_qat.pth --sample versicolor
  qdbg models/iris_qat.pth --sample versicolor --cpu avx2 --arith textbook
  qdbg models/iris_qat.pth --input '5.3 3.7 1.5 0.2' --standardize
  qdbg show models/iris_qat.pth --sample iris:57 --json
  qdbg show models/iris_qat.pth --sample versicolor --cpu avx2 --element 'fc1:linear[8]'
  qdbg replay sessions/versicolor.qdbg

'qdbg show --help' and 'qdbg replay --help' list their own options.
"""

STATUSES = """\
exit status: 0 all equal, 1 differences, 2 bad input or usage,
             3 nothing differs but something could not be simulated
"""

GOLDEN = """\
A .py file of --golden has a function for each layer that it covers, called as the layer (block.conv
is block_conv), the call (fc1_linear) or the op (relu); 'layer' stands for every other layer with
weights. A parameter receives what it names, in PyTorch's layout and dtypes: x_q, x_scale, x_zp (x
where the input is float32; a_q, b_q … of two inputs), w_q, w_scale, w_zp, b, y_scale, y_zp, qmin,
qmax, stride, padding, dilation, groups, name, op. It returns the result's integers.

"""


PREDICT_STATUSES = """\
exit status: 0 nothing changes, 1 something changes or PyTorch gives something else than predicted,
             2 bad input or usage, 3 nothing changes but something is not simulated
"""

SELFTEST_STATUSES = """\
First each seeded fault (one rule of the arithmetic changed) must be caught; then cases are drawn.

exit status: 0 all equal, 1 differences, 2 bad usage or a fault that was not caught,
             3 nothing differs but some calls are not simulated
"""


WHY = """\
Change one assumption of the arithmetic at a time, then two together, and name those sets that
leave no difference from PyTorch's integers. The arithmetic is the textbook's where --arith names
no other one.
"""
WHY_STATUSES = """\
exit status: 0 nothing differs, 1 differences (explained or not), 2 bad input or usage,
             3 nothing differs but something could not be simulated
"""


def open_parser() -> Parser:
    """`qdbg MODEL …` and `qdbg SESSION.qdbg`."""
    parser = command_parser(
        "qdbg",
        USAGE.replace("\n", "\n       ").rstrip(),
        "Step through the integer arithmetic of a quantized PyTorch model.",
        EXAMPLES,
    )
    parser.add_argument("--version", action="version", version=f"qdbg {__version__}")
    parser.add_argument(
        "--tour", action="store_true", help="a guided tour of two minutes, on a shipped session"
    )
    parser.add_argument(
        "--serve", metavar="PORT", type=port, help=f"in a browser on this machine only ({PORT})"
    )
    add_run(parser, optional=True)
    add_script(parser)
    add_golden(parser)
    add_looks(parser)
    return parser


def check_command(argv: list[str]) -> None:
    """Refuse a command that is misspelled, which would be taken for a model. Raises UsageError."""
    word = argv[0] if argv else "-"
    if word.startswith("-") or Path(word).suffix or Path(word).exists():
        return
    from difflib import get_close_matches  # noqa: PLC0415 - only for a word that is nothing else

    for meant in get_close_matches(word, PARSERS, n=1):
        raise UsageError(
            f"there is neither a file nor a command {word!r}", remedy=f"Is 'qdbg {meant}' meant?"
        )


def check_target(options: argparse.Namespace) -> None:
    """Refuse two things to open, or an input for none. Raises UsageError."""
    if options.tour and options.target is not None:
        raise UsageError("--tour has its own session", expected="qdbg --tour alone")
    if options.target is None and (options.sample or options.input):
        raise UsageError("an input was given, but no model", remedy="'qdbg --help' shows examples.")


def check_text(options: argparse.Namespace) -> None:
    """Refuse what needs a terminal where there is none. Raises UsageError."""
    if options.target is None:
        raise UsageError(
            "there is no terminal to open the app in", expected="a model or a session to show"
        )


def show_parser() -> Parser:
    """`qdbg show …`."""
    parser = command_parser(
        "qdbg show",
        "qdbg show MODEL --sample NAME [options]\n       qdbg show SESSION.qdbg [options]",
        "Run the model and print what was captured, simulated and compared.",
        GOLDEN + STATUSES,
    )
    add_run(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object for programs")
    parser.add_argument(
        "--values", action="store_true", help="with --json: every captured and simulated number"
    )
    parser.add_argument(
        "--element",
        metavar="PLACE",
        help="the whole computation of one element, such as fc1:linear[8]",
    )
    add_script(parser)
    add_golden(parser)
    return parser


def why_parser() -> Parser:
    """`qdbg why …`."""
    parser = command_parser(
        "qdbg why",
        "qdbg why MODEL --sample NAME [options]\n       qdbg why SESSION.qdbg [options]\n"
        "       qdbg why --list",
        WHY,
        GOLDEN + WHY_STATUSES,
    )
    add_run(parser, optional=True)
    parser.add_argument("--json", action="store_true", help="one JSON object for programs")
    parser.add_argument(
        "--list", action="store_true", help="every hypothesis: its id, what it says, its source"
    )
    parser.add_argument(
        "--separate",
        action="store_true",
        help="where several causes fit, build an input that tells them apart, and run it",
    )
    add_golden(parser)
    return parser


def predict_parser() -> Parser:
    """`qdbg predict …`."""
    parser = command_parser(
        "qdbg predict",
        "qdbg predict MODEL --samples SET [options]",
        "Run the samples by PyTorch once, and predict every engine on every CPU level.",
        PREDICT_STATUSES,
    )
    add_fleet(parser)
    parser.add_argument(
        "--verify", action="store_true", help="run PyTorch on each level that this machine reaches"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object for programs")
    return parser


def sweep_parser() -> Parser:
    """`qdbg sweep …`."""
    parser = command_parser(
        "qdbg sweep",
        "qdbg sweep MODEL --samples SET [options]",
        "Run the samples by PyTorch and count per layer and arithmetic what differs.",
        STATUSES,
    )
    add_fleet(parser)
    simulated = parser.add_argument_group("what is simulated")
    simulated.add_argument(
        "--arith", metavar="NAME", action="append",
        help="auto, textbook, ENGINE-LEVEL or all; may be repeated (auto)",
    )  # fmt: skip
    simulated.add_argument("--feed", metavar="FEED", help=f"{' or '.join(FEEDS)} (captured)")
    parser.add_argument("--json", action="store_true", help="one JSON object for programs")
    return parser


def selftest_parser() -> Parser:
    """`qdbg selftest …`."""
    parser = command_parser(
        "qdbg selftest",
        "qdbg selftest [options]",
        "Fuzz this machine's PyTorch against the simulation, op by engine by CPU level.",
        SELFTEST_STATUSES,
    )
    for option, meaning in {
        "--op": "only this op, such as conv2d",
        "--engine": f"only {', '.join(ENGINES)}",
        "--cpu": f"only {', '.join(LEVELS)}",
    }.items():
        more = f"{meaning}; may be repeated"
        parser.add_argument(option, metavar="NAME", action="append", help=more)
    parser.add_argument(
        "--budget", metavar="TIME", default="5m", help="how long to draw cases: 60s, 5m, 1h (5m)"
    )
    parser.add_argument("--seed", metavar="N", type=int, help="draw the same cases again")
    parser.add_argument("--json", action="store_true", help="one JSON object for programs")
    return parser


def replay_parser() -> Parser:
    """`qdbg replay …`."""
    parser = command_parser(
        "qdbg replay",
        "qdbg replay [options] SESSION.qdbg ...",
        "Simulate sessions again and execute their commands again, without PyTorch.",
        STATUSES,
    )
    parser.add_argument("files", metavar="SESSION.qdbg", nargs="+", help="sessions")
    parser.add_argument("--json", action="store_true", help="one JSON object for programs")
    parser.add_argument("--junit", metavar="FILE", help="also write JUnit XML")
    add_script(parser)
    again = parser.add_argument_group("PyTorch")
    again.add_argument(
        "--recapture", action="store_true", help="run PyTorch again too, and compare its integers"
    )
    add_source(again)
    return parser


PARSERS: dict[str, Callable[[], Parser]] = {
    "show": show_parser,
    "why": why_parser,
    "replay": replay_parser,
    "selftest": selftest_parser,
    "predict": predict_parser,
    "sweep": sweep_parser,
}
"""Each command's own parser."""
