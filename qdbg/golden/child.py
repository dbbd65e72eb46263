"""The child process: `python -m qdbg.golden.child` runs the user's file and then its functions.

A first message names the file; each further one asks for a function. What the user's code prints
goes to stderr, and how it fails is told by its own lines.
"""

from __future__ import annotations

import ast
import faulthandler
import inspect
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import numpy as np

from qdbg.core.quantity import Array
from qdbg.golden.wire import packed, receive

MOST = 2**34
"""No message from qdbg is longer."""
NAME = "qdbg_golden"
"""What the user's module is called, so that it hides no module of theirs."""
WORDS = 300
"""How much of the user's message is passed on."""
MEMORY = 4 * 2**30
"""Bytes that the user's code may hold."""
LAST = 10.0
"""Seconds after its time when the process ends even where no Python runs and qdbg is gone."""


class Mistake(Exception):
    """The user's function gave something that is no result."""


class Channel:
    """The way to qdbg: private copies of stdin and stdout, which are then given to the noise."""

    def __init__(self) -> None:
        self._to = os.fdopen(os.dup(1), "wb")
        self._from = os.fdopen(os.dup(0), "rb")
        os.dup2(2, 1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)

    def ask(self) -> tuple[dict[str, Array], dict[str, Any]] | None:
        """The next request."""
        return receive(self._from, MOST)

    def say(self, plain: Mapping[str, object], arrays: Mapping[str, Array] | None = None) -> None:
        """One answer."""
        self._to.write(packed(arrays or {}, plain))
        self._to.flush()


class Clock:
    """The user's time: the code may run until it is used up, over all functions together."""

    def __init__(self, channel: Channel, path: str, seconds: float) -> None:
        self._channel = channel
        self._path = path
        self._left = seconds
        self._nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - kept
        signal.signal(signal.SIGALRM, self._late)

    @contextmanager
    def running(self) -> Iterator[None]:
        """While the user's code runs."""
        start = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, max(self._left, 1e-3))
        faulthandler.dump_traceback_later(self._left + LAST, exit=True, file=self._nowhere)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            faulthandler.cancel_dump_traceback_later()
            self._left -= time.monotonic() - start

    def _late(self, number: int, frame: FrameType | None) -> None:
        del number
        line, function = 0, ""
        while frame is not None and not line:
            if frame.f_code.co_filename == self._path:
                line, function = frame.f_lineno, frame.f_code.co_name
            frame = frame.f_back
        self._channel.say({"late": True, "line": line, "function": _called(function)})
        os._exit(1)


def main() -> None:
    """Load the file, then answer requests until there are no more."""
    channel = Channel()
    channel.say({"ready": True})
    first = channel.ask()
    if first is None:
        return
    seconds = float(first[1]["timeout"])
    path = str(Path(str(first[1]["path"])).absolute())  # the user's code may leave this folder
    _limit()
    clock = Clock(channel, path, seconds)
    try:
        with clock.running():
            module = _module(path)
        channel.say({"functions": _functions(module, path)})
        while (request := channel.ask()) is not None:
            _answer(channel, clock, module, *request)
    except BaseException as error:  # the user's own, also SystemExit and KeyboardInterrupt
        channel.say(_failure(error, path))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _limit() -> None:
    """A runaway of the user's must not take the machine with it."""
    for what, most in ((resource.RLIMIT_DATA, MEMORY), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(what)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, hard))


def _module(path: str) -> ModuleType:
    """Run the file as a module that finds what lies beside it."""
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(Path(path).resolve().parent))
    module = ModuleType(NAME)
    module.__file__ = path
    sys.modules[NAME] = module
    code = compile(Path(path).read_bytes(), path, "exec", dont_inherit=True)
    exec(code, module.__dict__)  # noqa: S102 - the user asked for it, in this process of its own
    return module


def _functions(module: ModuleType, path: str) -> list[dict[str, object]]:
    """Every function of the file's own, with its parameters."""
    tree = ast.parse(Path(path).read_bytes())
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)
            and isinstance(node.ctx, ast.Load)}  # fmt: skip
    return [
        {"name": name, "line": value.__code__.co_firstlineno, "used": name in read,
         **_parameters(value)}
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__
    ]  # fmt: skip


def _parameters(function: Callable[..., object]) -> dict[str, object]:
    names, required, every, bad = [], [], False, ""
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            every = True
        elif parameter.kind is parameter.VAR_POSITIONAL:
            bad = f"*{name}"
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            bad = f"{name}, /"
        else:
            names.append(name)
            required += [name] if parameter.default is parameter.empty else []
    return {"parameters": names, "required": required, "every": every, "bad": bad}


def _answer(
    channel: Channel,
    clock: Clock,
    module: ModuleType,
    arrays: dict[str, Array],
    asked: Mapping[str, Any],
) -> None:
    given = {name: array.copy() for name, array in arrays.items()}
    given |= {n: tuple(v) if isinstance(v, list) else v for n, v in asked["plain"].items()}
    with clock.running():
        result = getattr(module, asked["function"])(**given)
        numbers = _numbers(result)
    wanted = tuple(asked["shape"])
    if not _fits(numbers.shape, wanted):
        raise Mistake(f"it returned the shape {list(numbers.shape)}, {list(wanted)} is expected")
    channel.say({}, {"result": np.ascontiguousarray(numbers.reshape(wanted))})


def _numbers(result: object) -> Array:
    """What the user's function returned as int64, float32 or float64."""
    if result is None:
        raise Mistake("it returned nothing: is a return missing?")
    if inspect.iscoroutine(result):
        result.close()  # else Python warns of one that was never awaited
        raise Mistake("it is an async function: a plain one is expected")
    try:
        found = np.asarray(result)
    except Exception as error:
        raise Mistake(f"what it returned is no array of numbers: {_message(error)}") from error
    if found.dtype.kind == "f":
        return found if found.dtype == np.float32 else found.astype(np.float64)
    if found.dtype.kind not in "iu":
        what = "booleans" if found.dtype.kind == "b" else f"{found.dtype} values"
        raise Mistake(f"it returned {what}: numbers are expected")
    if found.dtype == np.uint64 and (found >= 2**63).any():
        raise Mistake("it returned numbers of 2**63 and more")
    return found.astype(np.int64)


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """The same shape; leading axes of length 1 may be left out."""
    left = wanted[: max(0, len(wanted) - len(shape))]
    return (*left, *shape) == wanted and set(left) <= {1}


def _failure(error: BaseException, path: str) -> dict[str, object]:
    """The user's error by the line of the user's file."""
    line, function = 0, ""
    if isinstance(error, SyntaxError) and error.filename == path:
        line = error.lineno or 0
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == path:
            line, function = step.tb_lineno, step.tb_frame.f_code.co_name
        step = step.tb_next
    if isinstance(error, Mistake):
        return {"mistake": str(error)}
    text = error.msg if isinstance(error, SyntaxError) else _message(error)
    words = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return {"raised": words[:WORDS], "line": line, "function": _called(function)}


def _message(error: BaseException) -> str:
    try:
        return str(error)[:WORDS]
    except Exception:  # the user's own class may not even do that
        return ""


def _called(function: str) -> str:
    return "" if function.startswith("<") else function


if __name__ == "__main__":
    main()
