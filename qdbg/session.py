"""A session: a recording, how it was opened, and the commands since; one `.qdbg` file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from qdbg import __version__
from qdbg.breakpoints import Breakpoint
from qdbg.core.container import pack, read, unpack, write
from qdbg.core.program import Program, Recording
from qdbg.core.quantity import Array
from qdbg.debugger import Debugger, Executed
from qdbg.errors import CommandError, SessionError
from qdbg.names import FEEDS

MAX_COMMANDS = 100_000
MAX_TEXT = 4096
"""The longest command, place or reason that a file may hold."""
FORMAT = 2
"""Of the session's part of a file. The first one named the breakpoints only, and had no watches."""


@dataclass(frozen=True, slots=True)
class State:
    """Where the debugger stood when the session was saved.

    Everything in it follows from the commands; it is kept so that replay can tell when it no
    longer does.
    """

    arithmetic: str
    """As it was asked for: `auto`, `fbgemm-avx2` …"""
    feed: str
    stop: str
    """The name of the step under the cursor."""
    element: int
    reason: str
    breakpoints: tuple[Breakpoint, ...]
    marks: Mapping[str, tuple[str, int]]
    watches: tuple[str, ...] = ()

    @classmethod
    def of(cls, debugger: Debugger) -> State:
        """The debugger's state now."""
        return cls(
            debugger.arithmetic,
            debugger.trace.feed,
            debugger.step.name,
            debugger.element,
            debugger.stop.reason,
            tuple(debugger.breakpoints.all),
            dict(debugger.marks),
            tuple(debugger.watches.all),
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """One recorded command, executed again."""

    recorded: Executed
    now: Executed | None
    """None where the command does not run any more."""
    problem: str
    """Why it does not run; empty where it does."""


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """What a `.qdbg` file holds."""

    recording: Recording
    arithmetic: str
    """Which arithmetic the debugger was opened with."""
    feed: str
    history: tuple[Executed, ...]
    """The commands since, with the stops they led to."""
    state: State
    version: str
    """The qdbg that saved it."""

    @classmethod
    def of(cls, debugger: Debugger) -> Session:
        """The session so far, with only those layers that the calls use."""
        recording = debugger.recording
        used = {node.layer for node in recording.program.nodes}
        layers = {p: layer for p, layer in recording.program.layers.items() if p in used}
        return cls(
            replace(recording, program=Program(recording.program.nodes, layers)),
            debugger.initial_arithmetic,
            debugger.initial_feed,
            shortened(debugger.history),
            State.of(debugger),
            __version__,
        )

    def debugger(self) -> Debugger:
        """The debugger where the commands lead; those that no longer run are left out.

        Raises SessionError where the recording cannot be opened at all.
        """
        return self.rerun()[0]

    def rerun(self) -> tuple[Debugger, tuple[Outcome, ...]]:
        """Execute every command again from the start. Raises SessionError."""
        try:
            debugger = Debugger(self.recording, self.arithmetic, self.feed)
            return debugger, tuple(_again(debugger, command) for command in self.history)
        except CommandError as error:
            raise SessionError(f"the session cannot be opened: {error.found}") from error
        except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
            # the digests are right, so somebody made this file: its parts do not fit each other
            raise SessionError(
                "the session cannot be opened: its calls, shapes and weights do not fit each other",
                expected="a session that qdbg saved",
            ) from error


def shortened(history: Sequence[Executed]) -> tuple[Executed, ...]:
    """The commands that lead to the same place: of several selections of an element in a row only
    the last counts, unless an undo comes later, which may go back into the row."""
    undone = max((n for n, done in enumerate(history) if done.command == "undo"), default=-1)
    kept = [
        done
        for n, done in enumerate(history[:-1])
        if n < undone or not (_selects(done) and _selects(history[n + 1]))
    ]
    return (*kept, *history[-1:])


def _selects(done: Executed) -> bool:
    return done.command.startswith("element ")


def _again(debugger: Debugger, recorded: Executed) -> Outcome:
    try:
        stop = debugger.execute(recorded.command)
    except CommandError as error:
        return Outcome(recorded, None, error.found)
    now = Executed(recorded.command, debugger.step.name, debugger.element, stop.reason)
    return Outcome(recorded, now, "")


def save(session: Session, path: Path) -> None:
    """Write the session in one step: a kill leaves the old file or the new one.

    Raises SessionError where the file cannot be written, or where there are too many commands.
    """
    if len(session.history) > MAX_COMMANDS:
        raise SessionError(
            f"this session has {len(session.history)} commands",
            expected=f"at most {MAX_COMMANDS}",
            remedy="open the model anew, and save earlier",
        )
    tensors, metadata = pack(session.recording)
    metadata["session"] = {
        "format": FORMAT,
        "qdbg": session.version,
        "arithmetic": session.arithmetic,
        "feed": session.feed,
        "commands": [asdict(executed) for executed in session.history],
        "state": asdict(session.state),
    }
    write(path, tensors, metadata)


def load(path: Path) -> Session:
    """Read a session; nothing is executed. Raises SessionError for anything but a session."""
    return session_of(*read(path), str(path))


def session_of(
    tensors: Mapping[str, Array], metadata: Mapping[str, object], name: str = "the file"
) -> Session:
    """The session that `save` packed. Raises SessionError, calling the file `name`."""
    recording = unpack(tensors, metadata)
    try:
        return _session(recording, metadata.get("session"))
    except _Unfit as problem:
        raise SessionError(
            f"{name} is not a session that qdbg saved: {problem}",
            expected="a session that qdbg saved",
        ) from problem


class _Unfit(Exception):
    """What is wrong with the session part of a file."""


def _session(recording: Recording, entry: object) -> Session:
    part = _mapping(entry, "it holds a recording without a session")
    if not recording.program.nodes:
        raise _Unfit("it has no calls")
    form = part.get("format", 1)
    if type(form) is not int or not 1 <= form <= FORMAT:
        raise _Unfit(f"its session has format {str(form)[:20]}, this qdbg reads up to {FORMAT}")
    feed = _text(part, "feed")
    if feed not in FEEDS:
        raise _Unfit(f"its feed is {feed[:40]!r}")
    commands = part.get("commands")
    if not isinstance(commands, list) or len(commands) > MAX_COMMANDS:
        raise _Unfit(f"its commands are not a list of at most {MAX_COMMANDS}")
    return Session(
        recording,
        _text(part, "arithmetic"),
        feed,
        tuple(_executed(command) for command in commands),
        _state(part.get("state"), form),
        _text(part, "qdbg"),
    )


def _executed(entry: object) -> Executed:
    part = _mapping(entry, "one of its commands has another form")
    texts = (_text(part, "command"), _text(part, "stop"))
    return Executed(*texts, _element(part), _text(part, "reason"))


def _state(entry: object, form: int) -> State:
    part = _mapping(entry, "where it stopped is missing")
    names = {field.name for field in fields(State)} - (set() if form > 1 else {"watches"})
    if set(part) != names:
        raise _Unfit("where it stopped has another form")
    spots, watches = part["breakpoints"], part.get("watches", [])
    marks = _mapping(part["marks"], "its marks have another form")
    for entries, what in ((spots, "breakpoints"), (watches, "watches")):
        if not isinstance(entries, list) or len(entries) > MAX_COMMANDS:
            raise _Unfit(f"its {what} are not a list")
    return State(
        _text(part, "arithmetic"),
        _text(part, "feed"),
        _text(part, "stop"),
        _element(part),
        _text(part, "reason"),
        tuple(_breakpoint(spot, form) for spot in spots),
        {letter: _mark(place) for letter, place in marks.items()},
        tuple(_text({"watch": watch}, "watch") for watch in watches),
    )


def _breakpoint(entry: object, form: int) -> Breakpoint:
    if form == 1:
        return Breakpoint(_text({"breakpoint": entry}, "breakpoint"), hits=None)
    match entry:
        case {"spot": str(spot), "enabled": bool(enabled), "hits": int(hits)} if hits >= 0:
            return Breakpoint(_text({"spot": spot}, "spot"), enabled, int(hits))
    raise _Unfit("one of its breakpoints has another form")


def _mark(entry: object) -> tuple[str, int]:
    match entry:
        case [str(stop), int(element)]:
            return stop, element
    raise _Unfit("one of its marks has another form")


def _mapping(entry: object, otherwise: str) -> Mapping[str, Any]:
    if not isinstance(entry, dict):
        raise _Unfit(otherwise)
    return entry


def _text(part: Mapping[str, Any], key: str) -> str:
    found = part.get(key)
    if not isinstance(found, str) or len(found) > MAX_TEXT or not found.isprintable():
        raise _Unfit(f"its {key} is not a line of text")
    return found


def _element(part: Mapping[str, Any]) -> int:
    found = part.get("element")
    if type(found) is not int or found < 0:
        raise _Unfit("one of its elements is not a number from 0")
    return found
