"""Groups of options that several commands have; imports argparse and nothing heavier."""

from __future__ import annotations

import argparse
from typing import NoReturn

from qdbg.errors import QdbgError
from qdbg.names import BACKENDS, CPUS, ENGINES, FEEDS, THEME_NAMES

PORT = 8000
"""Where --serve listens unless another port is named."""


class UsageError(QdbgError):
    """The command line asks for something that does not exist."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are as short as all others of qdbg."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError in place of printing the usage."""
        raise UsageError(
            f"{self.prog}: {message}", remedy=f"'{self.prog} --help' lists what there is."
        )


def joined(argv: list[str]) -> list[str]:
    """`--input -1,2` as `--input=-1,2`: argparse would take negative numbers for options. The same
    for the port of `--serve`, which may be left out in front of a model."""
    found: list[str] = []
    for word in argv:
        last = found[-1] if found else ""
        if last == "--input" or (last == "--serve" and word.isdecimal()):
            found[-1] = f"{last}={word}"
        else:
            found.append(word)
    return [f"--serve={PORT}" if word == "--serve" else word for word in found]


def command_parser(prog: str, usage: str, description: str, epilog: str) -> Parser:
    """The parser of one command: no option may be abbreviated."""
    return Parser(
        prog=prog,
        usage=usage,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_looks(parser: argparse.ArgumentParser) -> None:
    """Themes and signs."""
    group = parser.add_argument_group("how it looks")
    group.add_argument(
        "--theme", choices=THEME_NAMES, default=THEME_NAMES[0], help="t shows the next one"
    )
    group.add_argument(
        "--ascii",
        action="store_true",
        help="draw with ASCII only (as where the locale is not UTF-8)",
    )


def add_golden(parser: argparse.ArgumentParser) -> None:
    """The user's own numbers as a third column."""
    group = parser.add_argument_group("your own golden model")
    group.add_argument(
        "--golden",
        metavar="FILE",
        help="arrays named by layer (.npz, .json, .csv, .npy, .hex, a folder), or a .py file of "
        "functions: def fc1(x_q, x_zp, w_q, …), def layer(…)",
    )
    group.add_argument(
        "--golden-timeout", metavar="SECONDS", type=float, help="how long its code may take (10)"
    )


def add_run(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """What to open, the input, what PyTorch runs and what is simulated."""
    parser.add_argument(
        "target",
        metavar="MODEL | SESSION.qdbg",
        nargs="?" if optional else None,
        help="a file of torch.save, or a saved session",
    )
    what = parser.add_argument_group("the input")
    what.add_argument(
        "--sample",
        metavar="NAME",
        help="setosa, versicolor, virginica, iris:N (standardized), digits:N or FILE:N",
    )
    what.add_argument(
        "--input", metavar="VALUE", help="a .npy, .npz, .csv or .json file, or numbers"
    )
    scaling = what.add_mutually_exclusive_group()
    scaling.add_argument(
        "--standardize", action="store_true", help="the numbers are Iris's centimetres: scale them"
    )
    scaling.add_argument(
        "--scaled", action="store_true", help="the numbers are scaled already (the default)"
    )
    run = parser.add_argument_group("what PyTorch runs")
    run.add_argument("--engine", metavar="ENGINE", help=f"{', '.join(ENGINES)} (PyTorch's choice)")
    run.add_argument("--cpu", metavar="LEVEL", help=f"{', '.join(CPUS)} (native)")
    run.add_argument(
        "--threads", metavar="N", type=int, help="how many PyTorch may use for one op (1)"
    )
    add_source(run)
    simulated = parser.add_argument_group("what is simulated")
    simulated.add_argument(
        "--arith", metavar="NAME", help="auto, textbook, or ENGINE-LEVEL such as fbgemm-avx2 (auto)"
    )
    simulated.add_argument("--feed", metavar="FEED", help=f"{' or '.join(FEEDS)} (captured)")


def add_source(group: argparse._ArgumentGroup) -> None:
    """Where forward comes from."""
    group.add_argument(
        "--source", metavar="FILE", help="the Python file with forward (NAME.py beside the model)"
    )
    group.add_argument(
        "--trust-source", action="store_true", help="run that file as ordinary Python"
    )


def add_script(parser: argparse.ArgumentParser) -> None:
    """Commands, breakpoints and watches."""
    group = parser.add_argument_group("where to go")
    group.add_argument(
        "--run",
        metavar="COMMANDS",
        help="run commands by their ids or keys: 'continue; next; save out.qdbg'",
    )
    group.add_argument(
        "--break",
        dest="break_at",
        metavar="PLACE",
        action="append",
        help="set a breakpoint: fc1.mac[8], difference, saturation, tie, 'abs(delta) > 1'",
    )
    group.add_argument(
        "--watch",
        metavar="EXPRESSION",
        action="append",
        help="watch an element (fc1[8]) or an expression (y_q - y_zp)",
    )


def add_fleet(parser: argparse.ArgumentParser) -> None:
    """A set of samples, and who works on them."""
    workers = parser.add_argument_group("who simulates")
    workers.add_argument(
        "--jobs", metavar="N", type=int, help="how many processes (the cores, where it is worth it)"
    )
    workers.add_argument(
        "--backend", metavar="NAME",
        help=f"joblib's: {', '.join(BACKENDS)}, or dask=ADDRESS of a running scheduler (loky)",
    )  # fmt: skip
    parser.add_argument("target", metavar="MODEL", help="a file of torch.save")
    parser.add_argument(
        "--samples", metavar="SET", required=True,
        help="iris, digits, or a .npz, .npy, .csv or .json file: its first axis counts the samples",
    )  # fmt: skip
    parser.add_argument(
        "--batch", metavar="N", type=int, help="how many samples PyTorch runs at a time (1)"
    )
    run = parser.add_argument_group("what PyTorch runs")
    run.add_argument("--engine", metavar="ENGINE", help=f"{', '.join(ENGINES)} (PyTorch's choice)")
    run.add_argument("--cpu", metavar="LEVEL", help=f"{', '.join(CPUS)} (native)")
    add_source(run)
