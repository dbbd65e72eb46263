"""Child only: every op of the dispatcher that touches a quantized tensor, written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeVar

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from qdbg.capture.arguments import Arguments, copied, strides_of
from qdbg.capture.called import Called
from qdbg.capture.level import machine_has
from qdbg.capture.recurrent import Unlike, parts_inside
from qdbg.capture.whereabouts import Whereabouts
from qdbg.core.op import Operand
from qdbg.core.program import FIRST_CONSTANT, INPUT, UNKNOWN, VBMI, Layer, Node
from qdbg.core.quantity import Array, QTensor
from qdbg.errors import CaptureError
from qdbg.ops import recurrent

PASSED_ON = "identity"
"""The op of a call that gives back its very operand."""
PASSING = {"Identity", "Dropout"}
"""Modules that hand on their input at inference, some of them unseen by the dispatcher."""
NO_LAYERS: Mapping[str, Layer] = MappingProxyType({})
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Given:
    """The operands of a call, as a Node keeps them."""

    sources: tuple[int, ...]
    names: tuple[str, ...]
    settings: Mapping[str, object]


class Tape(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Records one run; hooks on the modules say which of them made a call.

    Values are copied at once: a later op may write into the same storage.
    """

    def __init__(
        self,
        modules: Mapping[str, torch.nn.Module],
        fed: torch.Tensor,
        progress: Callable[[str], None],
        line_of: Callable[[], str | None] | None = None,
        layers: Mapping[str, Layer] = NO_LAYERS,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.nodes: list[Node] = []
        self.values: list[Array] = []
        self.results: list[torch.Tensor] = []
        """Per node the tensor of which it keeps the numbers: an id stays unique only while its
        tensor lives."""
        self.now = ""
        """The name of the call that runs, or the path of the module: for error messages."""
        self.where = Whereabouts(line_of)
        self.constants: list[Operand] = []
        self.repeats: list[tuple[int, str]] = []
        """The calls with a quantized result of their own, by the dispatcher's names: a later run
        tells whether they give the same again."""
        self._modules = modules
        self._layers = layers
        self._progress = progress
        vbmi = machine_has(VBMI)
        self._circumstances = {} if vbmi is None else {VBMI: vbmi}
        self._reading = False
        self._overwritten = False
        self._made_by: dict[int, int] = {id(fed): INPUT}
        self._alive: list[torch.Tensor] = [fed]
        self._fed = np.array(fed.detach().numpy())
        self._before: list[int] = []
        self._handles: list[Any] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """torch's own hook: otherwise the first op imports the compiler, which takes a second."""
        return False

    def __enter__(self) -> Self:
        for path, module in self._modules.items():
            if path:
                self._handles.append(module.register_forward_pre_hook(self._entering(path)))
                self._handles.append(module.register_forward_hook(self._leave_module))
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)  # type: ignore[no-untyped-call]
        for handle in self._handles:
            handle.remove()

    def enter(self, path: str) -> None:
        """The calls that follow are made by the layer at `path`."""
        self.where.enter(path)
        self.now = path

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run the op; write it down if it takes or gives a quantized tensor."""
        del types
        kwargs = kwargs or {}
        if self._reading:
            return func(*args, **kwargs)
        called, given = Called.of(func), Arguments(func, args, kwargs)
        operands = [tensor for _, tensor in given.tensors]
        quantized = bool(given.packed) or any(operand.is_quantized for operand in operands)
        concerned = quantized or called.quantizes
        if concerned:
            self.now = self.where.name(called.op)
            self._progress(f"running {self.now}")
        sources = self._sources(given) if concerned else ()
        result = func(*args, **kwargs)
        self._overwritten |= called.writes
        leaves = [result] if isinstance(result, torch.Tensor) else tree_leaves(result)
        results = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
        if results and (quantized or any(tensor.is_quantized for tensor in results)):
            if not called.writes and any(results[0] is each for each in operands):
                self._write_passed(results[0])
            else:
                self._write_results(called, given, sources, result, results)
        return result

    def _write_results(
        self,
        called: Called,
        given: Arguments,
        sources: tuple[int, ...],
        result: Any,
        results: list[torch.Tensor],
    ) -> None:
        """Write down what a call gave, and before it the linear parts that a recurrent one has."""
        op = called.op
        if results[0].is_quantized and not called.writes:
            self.repeats.append((len(self.nodes), called.name))
        names = tuple(name for name, _ in (*given.tensors, *given.unpacked))
        if op in recurrent.NAMES:
            first = len(self.nodes)
            given.settings |= self._write_inside(called.name, given, result)
            if op in recurrent.CELLS:
                parts = range(first, len(self.nodes))
                sources, names = (*sources, *parts), (*names, *recurrent.BOTH[: len(parts)])
        for part, each in enumerate(results):
            settings = given.settings | ({"part": part} if len(results) > 1 else {})
            settings |= self._circumstances if called.chooses else {}
            self._write(self.where.name(op), op, Given(sources, names, settings), each)

    def composed(self, tensor: torch.Tensor, origins: list[torch.Tensor], calls: range) -> None:
        """A tensor was made beside the model, of other tensors and of the results of calls."""

    def _write_inside(self, name: str, given: Arguments, result: Any) -> dict[str, object]:
        """Write down the linear parts of a recurrent call. The settings that tell how many they
        are, or why there are none."""
        try:
            parts = parts_inside(name, given, result)
        except Unlike as reason:
            return {recurrent.OPAQUE: str(reason)}
        all_given, first = [tensor for _, tensor in given.tensors], len(self.nodes)
        for part in parts:
            if part.origin is None:
                self.composed(part.x, all_given, range(first, len(self.nodes)))
            elif part.x is not part.origin:
                self.composed(part.x, [part.origin], range(0))
            operands = (("X", part.x), *part.linear.tensors)
            sources = tuple(self._source(tensor) for _, tensor in operands)
            names = tuple(name for name, _ in operands)
            own = Given(sources, names, {"reduce_range": part.reduce_range})
            self._write(self.where.name(part.linear.name), recurrent.LINEAR, own, part.y)
        return {recurrent.PARTS: len(parts)}

    def through(
        self, path: str, module: torch.nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """What the module at the path gives: a caller that knows the path needs no hooks."""
        self._enter_module(path)
        output = module(*args, **kwargs)
        self._leave_module(module, args, output)
        return output

    def _entering(self, path: str) -> Callable[..., None]:
        return lambda module, args: self._enter_module(path)

    def _enter_module(self, path: str) -> None:
        self._before.append(len(self.nodes))
        self.enter(path)

    def _leave_module(self, module: torch.nn.Module, args: tuple[Any, ...], output: Any) -> None:
        passed = bool(args) and output is args[0] and isinstance(output, torch.Tensor)
        silent = len(self.nodes) == self._before.pop()
        if passed and silent and type(module).__name__ in PASSING:
            self._write_passed(output)
        self.where.leave()

    def _sources(self, given: Arguments) -> tuple[int, ...]:
        """Where the operands come from; those that no call made become constants."""
        layer = self._layers.get(self.where.path)
        if layer is None or layer.weight is None:
            self._quietly(given.unpack)
        return tuple(self._source(tensor) for _, tensor in (*given.tensors, *given.unpacked))

    def _source(self, tensor: torch.Tensor) -> int:
        known = self._made_by.get(id(tensor))
        if known is not None and not (self._overwritten and self.changed(tensor, known)):
            return known
        operand = self._quietly(lambda: copied(tensor))
        if operand is None:
            return UNKNOWN
        self._alive.append(tensor)
        source = self._made_by[id(tensor)] = FIRST_CONSTANT - len(self.constants)
        self.constants.append(operand)
        return source

    def changed(self, tensor: torch.Tensor, known: int) -> bool:
        """Whether a call has written into the tensor's memory, through a view of it, since its
        numbers were kept."""
        if known == UNKNOWN:
            return False
        operand = self._quietly(lambda: copied(tensor))
        kept = self.values[known] if known >= 0 else self._fed
        if known <= FIRST_CONSTANT:
            constant = self.constants[FIRST_CONSTANT - known]
            kept = constant.q if isinstance(constant, QTensor) else constant
        now = operand.q if isinstance(operand, QTensor) else operand
        if now is None:
            return False
        return now.shape != kept.shape or now.tobytes() != kept.tobytes()

    def _write_passed(self, result: torch.Tensor) -> None:
        source = self._source(result)
        kept = None
        if source >= 0:
            value, output = self.values[source], self.nodes[source].output
            kept = value if output is None else QTensor(value, output)
        given = Given((source,), ("input",), {})
        self._write(self.where.name(PASSED_ON), PASSED_ON, given, result, kept)

    def _quietly(self, read: Callable[[], T]) -> T:
        """Read a value off the record: hooks run on tape too, and reading is no call of the
        model."""
        before, self._reading = self._reading, True
        found = read()
        self._reading = before
        return found

    def _write(
        self,
        name: str,
        op: str,
        given: Given,
        result: torch.Tensor,
        kept: Operand | None = None,
    ) -> None:
        """One more node; `kept` has the numbers where they are known already."""
        operand = self._quietly(lambda: copied(result)) if kept is None else kept
        if operand is None:
            dtype = str(result.dtype).removeprefix("torch.")
            raise CaptureError(f"{name} gives {dtype} numbers", expected="quint8, qint8 or float32")
        output = operand.qparams if isinstance(operand, QTensor) else None
        value = operand.q if isinstance(operand, QTensor) else operand
        self.where.take(name)
        self._made_by[id(result)] = len(self.nodes)
        self.results.append(result)
        self.nodes.append(
            Node(
                name=name,
                op=op,
                layer=self.where.path,
                source=self.where.source(),
                inputs=given.sources,
                shape=tuple(value.shape),
                dtype=output.dtype if output else str(value.dtype),
                output=output,
                names=given.names,
                settings=given.settings,
                strides=operand.strides if kept is None and output else strides_of(result),
            )
        )
        self.values.append(value)
