"""Groups of options that several commands have; imports argparse and nothing heavier."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any, NoReturn

from qdbg.errors import QdbgError
from qdbg.headless.output import write
from qdbg.names import BACKENDS, CPUS, ENGINES, FEEDS, THEME_NAMES

PORT = 8000
"""Where --serve listens unless another port is named."""
LOWEST, HIGHEST = 1024, 65535
PORTS = f"{LOWEST} to {HIGHEST}"
"""Those that any user may listen on."""
NUMBER = re.compile(r"[-+.\d]+")


class UsageError(QdbgError):
    """The command line asks for something that does not exist."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are as short as all others of qdbg."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError in place of printing the usage."""
        raise UsageError(
            f"{self.prog}: {message}", remedy=f"'{self.prog} --help' lists what there is."
        )

    def _print_message(self, message: str, file: object = None) -> None:
        """Argparse's own passes over an output that cannot be written. Raises OSError."""
        del file  # stdout: what would go to stderr is raised
        write(message.removesuffix("\n"))


def joined(argv: list[str]) -> list[str]:
    """`--input -1,2` as `--input=-1,2`: argparse would take negative numbers for options. The same
    for the port of `--serve`, which may be left out in front of a model."""
    found: list[str] = []
    for word in argv:
        last = found[-1] if found else ""
        if last == "--input" or (last == "--serve" and _means_a_port(word)):
            found[-1] = f"{last}={word}"
        else:
            found.append(word)
    return [f"--serve={PORT}" if word == "--serve" else word for word in found]


def _means_a_port(word: str) -> bool:
    """Whether it is a number, or what no model's name, command or option is, such as nothing."""
    if not word or NUMBER.fullmatch(word):
        return True
    return not (word.startswith("-") or Path(word).suffix or Path(word).exists())


def port(text: str) -> int:
    """A port for --serve. Raises ArgumentTypeError."""
    number = int(text) if text.isascii() and text.isdecimal() else 0
    if not LOWEST <= number <= HIGHEST:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no port: expected {PORTS}; {PORT} where none is named"
        )
    return number


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
    _flag(group, "--ascii", "draw with ASCII only (as where the locale is not UTF-8)")


def add_golden(parser: argparse.ArgumentParser) -> None:
    """The user's own numbers as a third column."""
    group = parser.add_argument_group("your own golden model")
    files = "arrays named by layer (.npz, .json, .csv, .npy, .hex, a folder), or a .py file of "
    _value(group, "--golden", "FILE", f"{files}functions: def fc1(x_q, x_zp, w_q, …), def layer(…)")
    _value(group, "--golden-timeout", "SECONDS", "how long its code may take (10)", type=float)


def add_run(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """What to open, the input, what PyTorch runs and what is simulated."""
    parser.add_argument(
        "target",
        metavar="MODEL | SESSION.qdbg",
        nargs="?" if optional else None,
        help="a file of torch.save, or a saved session",
    )
    what = parser.add_argument_group("the input")
    names = "setosa, versicolor, virginica, iris:N (standardized), digits:N or FILE:N"
    _value(what, "--sample", "NAME", names)
    _value(what, "--input", "VALUE", "a .npy, .npz, .csv or .json file, or numbers")
    scaling = what.add_mutually_exclusive_group()
    _flag(scaling, "--standardize", "the numbers are Iris's centimetres: scale them")
    _flag(scaling, "--scaled", "the numbers are scaled already (the default)")
    run = _add_pytorch(parser)
    _value(run, "--threads", "N", "how many PyTorch may use for one op (1)", type=int)
    add_source(run)
    simulated = parser.add_argument_group("what is simulated")
    arithmetics = "auto, textbook, or ENGINE-LEVEL such as fbgemm-avx2 (auto)"
    _value(simulated, "--arith", "NAME", arithmetics)
    _value(simulated, "--feed", "FEED", f"{' or '.join(FEEDS)} (captured)")


def add_source(group: argparse._ArgumentGroup) -> None:
    """Where forward comes from."""
    _value(group, "--source", "FILE", "the Python file with forward (NAME.py beside the model)")
    _flag(group, "--trust-source", "run that file as ordinary Python")


def add_script(parser: argparse.ArgumentParser) -> None:
    """Commands, breakpoints and watches."""
    group = parser.add_argument_group("where to go")
    commands = "run commands by their ids or keys: 'continue; next; save out.qdbg'"
    _value(group, "--run", "COMMANDS", commands)
    places = "set a breakpoint: fc1.mac[8], difference, saturation, tie, 'abs(delta) > 1'"
    _value(group, "--break", "PLACE", places, dest="break_at", action="append")
    watched = "watch an element (fc1[8]) or an expression (y_q - y_zp)"
    _value(group, "--watch", "EXPRESSION", watched, action="append")


def add_fleet(parser: argparse.ArgumentParser) -> None:
    """A set of samples, and who works on them."""
    workers = parser.add_argument_group("who simulates")
    _value(workers, "--jobs", "N", "how many processes (the cores, where it is worth it)", type=int)
    backends = f"joblib's: {', '.join(BACKENDS)}, or dask=ADDRESS of a running scheduler (loky)"
    _value(workers, "--backend", "NAME", backends)
    parser.add_argument("target", metavar="MODEL", help="a file of torch.save")
    sets = "iris, digits, or a .npz, .npy, .csv or .json file: its first axis counts the samples"
    _value(parser, "--samples", "SET", sets, required=True)
    _value(parser, "--batch", "N", "how many samples PyTorch runs at a time (1)", type=int)
    add_source(_add_pytorch(parser))


def _add_pytorch(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    group = parser.add_argument_group("what PyTorch runs")
    _value(group, "--engine", "ENGINE", f"{', '.join(ENGINES)} (PyTorch's choice)")
    _value(group, "--cpu", "LEVEL", f"{', '.join(CPUS)} (native)")
    return group


def _value(
    group: argparse._ActionsContainer, name: str, metavar: str, words: str, **more: Any
) -> None:
    """An option with a value."""
    group.add_argument(name, metavar=metavar, help=words, **more)


def _flag(group: argparse._ActionsContainer, name: str, words: str) -> None:
    """An option without one."""
    group.add_argument(name, action="store_true", help=words)
