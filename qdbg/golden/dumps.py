"""Dumped arrays: each is put beside the call that its name means."""

from __future__ import annotations

from pathlib import Path

from qdbg.core.program import Recording
from qdbg.errors import GoldenError
from qdbg.golden.columns import Column, Golden, as_result
from qdbg.golden.files import FORMATS, SUFFIXES, Dump, read_dumps
from qdbg.golden.names import calls_named, listed, unknown

__all__ = ["FORMATS", "compare_dumps", "is_dump"]


def is_dump(path: Path) -> bool:
    """Whether the path is that of dumped arrays, or of a folder of such."""
    return path.is_dir() or path.suffix.lower() in SUFFIXES


def compare_dumps(path: Path, recording: Recording, feed: str) -> Golden:
    """The arrays of a file or a folder by call. Raises GoldenError."""
    columns: dict[int, Column] = {}
    for dump in read_dumps(path):
        call = call_of(dump, recording)
        if call in columns:
            name = recording.program.nodes[call].name
            raise GoldenError(f"{path} holds {name} twice: {dump.where}")
        columns[call] = column_of(dump, recording, call)
    return Golden(path, recording, feed, dict(sorted(columns.items())))


def call_of(dump: Dump, recording: Recording) -> int:
    """The call that the array's name means. Raises GoldenError."""
    nodes = recording.program.nodes
    found = calls_named(nodes, dump.name)
    if not found and dump.by_stem and len(nodes) == 1:
        return 0
    if not found:
        raise unknown(dump.where, dump.name, (node.name for node in nodes))
    fitting = [call for call in found if dump.fits(recording.values[call].size)]
    if len(found) > 1 and len(fitting) != 1:
        raise GoldenError(
            f"{dump.where}: {dump.name!r} names {len(found)} calls",
            expected=f"one of {listed(nodes[call].name for call in found)}",
        )
    return fitting[0] if len(fitting) == 1 else found[0]


def column_of(dump: Dump, recording: Recording, call: int) -> Column:
    """The array as the call's golden numbers. Raises GoldenError where its size is another."""
    node = recording.program.nodes[call]
    array = dump.array
    if array.size != recording.values[call].size:
        raise GoldenError(
            f"{dump.where} has the shape {list(array.shape)}",
            expected=f"{list(node.shape)}, the shape of {node.name}",
        )
    return Column(as_result(array.reshape(node.shape), node, dump.where), None, dump.where)
