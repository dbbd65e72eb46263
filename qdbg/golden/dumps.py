"""Dumped arrays: each is put beside the call that its name means."""

from __future__ import annotations

from pathlib import Path

from qdbg.core.program import Recording
from qdbg.errors import GoldenError
from qdbg.golden.columns import Column, Golden
from qdbg.golden.dump import Dump
from qdbg.golden.files import FORMATS, SUFFIXES, read_dumps
from qdbg.golden.layouts import read
from qdbg.golden.meanings import meanings
from qdbg.golden.names import calls_named, listed, unknown

__all__ = ["FORMATS", "compare_dumps", "is_dump"]


def is_dump(path: Path) -> bool:
    """Whether the path is that of dumped arrays, or of a folder of such."""
    return path.is_dir() or path.suffix.lower() in SUFFIXES


def compare_dumps(path: Path, recording: Recording, feed: str) -> Golden:
    """The arrays of a file or a folder by call. Raises GoldenError."""
    nodes, columns = recording.program.nodes, {}
    letters = meanings(nodes)
    for dump in read_dumps(path, lambda name: bool(calls_named(nodes, name))):
        call = _call_of(dump, recording)
        if call in columns:
            raise GoldenError(f"{path} holds {nodes[call].name} twice, again as {dump.name!r}")
        values, laid = read(dump, nodes[call], recording.values[call], letters[call])
        source = dump.where.removeprefix(f"{path.parent}/")
        columns[call] = Column(values, laid, source)
    if not columns:
        raise GoldenError(f"{path} holds no arrays", expected=FORMATS)
    return Golden(path, recording, feed, dict(sorted(columns.items())))


def _call_of(dump: Dump, recording: Recording) -> int:
    """The call that the array's name means; of several, the only one of its size."""
    nodes = recording.program.nodes
    found = calls_named(nodes, dump.name)
    if not found and dump.by_stem and len(nodes) == 1:
        return 0
    if not found:
        raise unknown(dump.where, (node.name for node in nodes))
    if len(found) > 1:
        found = tuple(c for c in found if dump.numbers(nodes[c], recording.values[c].size)) or found
    if len(found) > 1:
        raise GoldenError(
            f"{dump.where}: {dump.name!r} names {len(found)} calls",
            expected=f"one of {listed(nodes[call].name for call in found)}",
        )
    return found[0]
