"""A golden model in Python: which function stands for which call, and what it gives there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qdbg.core.op import Call, NotSimulated, Operand
from qdbg.core.program import Node, Recording
from qdbg.core.quantity import STORAGE, Array, readonly
from qdbg.engine.arithmetics import arithmetic_for
from qdbg.engine.simulate import simulate
from qdbg.errors import GoldenError
from qdbg.golden.columns import Column, Golden, as_result
from qdbg.golden.layouts import read_result
from qdbg.golden.meanings import meanings
from qdbg.golden.names import calls_named, identifier, listed, names_of, unknown
from qdbg.golden.operands import Given, operands_of, split
from qdbg.golden.process import Runner
from qdbg.ops import registry

EVERY = "layer"
"""The function for every call with weights that no other function names."""
MAX_BYTES = 4 * 2**20
HELPER = "Start the name of a helper with an underscore."


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the user's file."""

    name: str
    line: int
    parameters: tuple[str, ...]
    required: frozenset[str]
    every: bool
    """It takes `**`: all operands."""
    used: bool
    """Something in the file reads its name: a helper, probably."""
    bad: str
    """A parameter that cannot be given by name."""

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Function:
        """From the child's list."""
        return cls(
            name=told["name"],
            line=told["line"],
            parameters=tuple(told["parameters"]),
            required=frozenset(told["required"]),
            every=told["every"],
            used=told["used"],
            bad=told["bad"],
        )


def run_functions(path: Path, recording: Recording, feed: str, timeout: float) -> Golden:
    """Run the file's functions on the calls that they name. Raises GoldenError."""
    if path.stat().st_size > MAX_BYTES:
        raise GoldenError(
            f"{path} has {path.stat().st_size} bytes", expected=f"at most {MAX_BYTES}"
        )
    with Runner(path, timeout) as runner:
        functions = {told["name"]: Function.of(told) for told in runner.functions()}
        chosen = choose(path, functions, recording.program.nodes, recording)
        run = _Run(path, recording, feed, runner, chosen)
        columns = run.columns()
        printed = runner.finished()
    return Golden(
        path,
        recording,
        feed,
        columns,
        printed,
        lambda other: run_functions(path, other, feed, timeout),
    )


def choose(
    path: Path, functions: Mapping[str, Function], nodes: Sequence[Node], recording: Recording
) -> dict[int, Function]:
    """For each call the function that names it most closely.

    A function for an op that this run does not have is for other models. Raises GoldenError for
    one that names nothing and that nothing in the file uses.
    """
    found: dict[int, Function] = {}
    for call, node in enumerate(nodes):
        names = [identifier(name) for name in names_of(node)]
        names += [EVERY] if _weighted(recording, node) else []
        name = next((name for name in names if name in functions), None)
        if name is not None:
            found[call] = functions[name]
    for function in functions.values():
        meant = function.name in {EVERY, *registry()} or calls_named(nodes, function.name)
        if not meant and not function.used and not function.name.startswith("_"):
            where = f"{path} line {function.line}: {function.name}"
            raise unknown(where, _possible(nodes), HELPER)
    if not found:
        raise GoldenError(
            f"{path} has no function for a call of this run",
            expected=f"one named {listed(_possible(nodes))}",
        )
    _refuse_mixed(path, nodes, found)
    return found


def _possible(nodes: Sequence[Node]) -> list[str]:
    return [EVERY, *(identifier(node.layer or node.name) for node in nodes)]


def _weighted(recording: Recording, node: Node) -> bool:
    layer = recording.program.layers.get(node.layer)
    return (layer is not None and layer.weight is not None) or "weight" in node.names


def _refuse_mixed(path: Path, nodes: Sequence[Node], found: Mapping[int, Function]) -> None:
    """One function for calls of different ops of one layer would be right for one of them."""
    for function in set(found.values()) - {f for f in found.values() if f.name == EVERY}:
        own = [nodes[call] for call, other in found.items() if other == function]
        by_path = [n for n in own if function.name == identifier(n.layer)]
        if len({n.op for n in by_path}) > 1:
            raise GoldenError(
                f"{path} line {function.line}: {function.name} names the calls "
                f"{listed(n.name for n in by_path)}",
                expected=f"one of them: {listed(identifier(n.name) for n in by_path)}",
            )


class _Run:
    """The functions on one recording, call by call."""

    def __init__(
        self,
        path: Path,
        recording: Recording,
        feed: str,
        runner: Runner,
        chosen: Mapping[int, Function],
    ) -> None:
        self._path = path
        self._recording = recording
        self._feed = feed
        self._runner = runner
        self._chosen = chosen
        self._made: dict[int, Array] = {}
        """Results that take the place of captured ones: the feed `simulated`."""

    def columns(self) -> dict[int, Column]:
        """Every column, in the order of the run."""
        found, letters = {}, meanings(self._recording.program.nodes)
        for call, node in enumerate(self._recording.program.nodes):
            function = self._chosen.get(call)
            if function is not None:
                values, source = self._result(node, function)
                captured = self._recording.values[call]
                read, laid = read_result(values, node, captured, letters[call])
                found[call] = Column(readonly(read), laid, source)
                if self._feed == "simulated" and self._taken(call):
                    self._made[call] = self._fed_on(values, source, node)
            elif any(source in self._made for source in node.inputs):
                self._bridge(call, node)
        return found

    def _result(self, node: Node, function: Function) -> tuple[Array, str]:
        """What the function gives for the call, and what it is called."""
        where = f"{self._path} line {function.line}, {function.name}"
        given = _bound(function, operands_of(self._call(node)), where, node)
        numbers = self._runner.call(function.name, node.name, node.shape, *split(given))
        source = f"{self._path.name} line {function.line}, {function.name}"
        return as_result(numbers, node, where), source

    def _call(self, node: Node) -> Call:
        operands: list[Operand] = []
        for source in node.inputs:
            operand = self._recording.operand(source, self._made.get(source))
            if operand is None:
                raise GoldenError(
                    f"{node.name} has an operand that qdbg does not record",
                    remedy=f"Leave its function out of {self._path}.",
                )
            operands.append(operand)
        layer = self._recording.program.layers.get(node.layer)
        return Call(node, layer, tuple(operands), self._recording.environment.threads)

    def _bridge(self, call: int, node: Node) -> None:
        """A call that the golden model leaves out, between two that it has: simulated. Where it
        cannot be, PyTorch's integers go on."""
        arithmetic = arithmetic_for(self._recording)
        if arithmetic is None:
            return
        try:
            with np.errstate(all="ignore"):
                self._made[call] = simulate(self._call(node), arithmetic).result
        except (NotSimulated, GoldenError):
            return

    def _taken(self, call: int) -> bool:
        return any(call in node.inputs for node in self._recording.program.nodes)

    def _fed_on(self, values: Array, source: str, node: Node) -> Array:
        if values.dtype != STORAGE.get(node.dtype, values.dtype):
            raise GoldenError(
                f"{source} gives {int(values.min())} to {int(values.max())} on {node.name}",
                expected=f"what {node.dtype} holds, for it is fed on to the next call",
                remedy="--feed captured gives each function PyTorch's integers.",
            )
        return values


def _bound(
    function: Function, operands: Mapping[str, Given], where: str, node: Node
) -> dict[str, Given]:
    """The operands that the function asks for. Raises GoldenError for one that there is not."""
    if function.bad:
        raise GoldenError(f"{where} has the parameter {function.bad}", expected="operands by name")
    for name in function.parameters:
        if name not in operands and name in function.required:
            raise GoldenError(
                f"{where} asks for {name!r}, which {node.name} does not have",
                expected=f"one of {', '.join(operands)}",
            )
    if function.every:
        return dict(operands)
    return {name: operands[name] for name in function.parameters if name in operands}
