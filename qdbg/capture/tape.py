"""Child only: every op of the dispatcher that touches a quantized tensor, written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from qdbg.capture.rebuild import parameters
from qdbg.core.program import INPUT, UNKNOWN, Node
from qdbg.core.quantity import STORAGE, Array, readonly
from qdbg.errors import CaptureError

OPS = {
    "aten::quantize_per_tensor": "quantize",
    "aten::dequantize": "dequantize",
    "aten::relu": "relu",
    "aten::relu_": "relu",
    "quantized::linear": "linear",
    "quantized::linear_relu": "linear_relu",
}
"""The dispatcher's names of the ops that qdbg simulates."""
PASSED_ON = "identity"
"""The op of a call that gives back its very operand."""
PASSING = {"Identity", "Dropout"}
"""Modules that hand on their input at inference, some of them unseen by the dispatcher."""
ROOT = "forward"


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
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.nodes: list[Node] = []
        self.values: list[Array] = []
        self.now = ""
        """The name of the call that runs, or the path of the module: for error messages."""
        self.line: str | None = None
        self._modules = modules
        self._progress = progress
        self._line_of = line_of
        self._reading = False
        self._made_by: dict[int, int] = {id(fed): INPUT}
        self._alive: list[torch.Tensor] = [fed]
        self._calls: dict[str, int] = {}
        self._names: set[str] = set()
        self._stack: list[tuple[str, int, str | None]] = [("", 1, None)]
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
                self._handles.append(module.register_forward_hook(self._left))
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
        self.source()
        count = self._calls[path] = self._calls.get(path, 0) + 1
        self._stack.append((path, count, self.line))
        self.now = path

    def leave(self) -> None:
        """Back to the layer that called it, and to its line."""
        self.line = self._stack.pop()[2]

    def source(self) -> str | None:
        """The line of the user's forward that runs."""
        if self._line_of is not None:
            self.line = self._line_of()
        return self.line

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run the op; write it down if it takes or gives a quantized tensor."""
        del types
        kwargs = kwargs or {}
        if self._reading:
            return func(*args, **kwargs)
        operands = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        schema = func.name().partition(".")[0]
        op = OPS.get(schema, schema.replace("::", "."))
        quantized = any(operand.is_quantized for operand in operands)
        name = self._name(op)
        if quantized or op == "quantize":
            self.now = name
            self._progress(f"running {name}")
        made_by = tuple(self._made_by.get(id(operand), UNKNOWN) for operand in operands)
        result = func(*args, **kwargs)
        results = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        if results and (quantized or any(tensor.is_quantized for tensor in results)):
            if len(results) > 1:
                raise CaptureError(f"{name} gives {len(results)} tensors; qdbg records one a call")
            if not func._schema.is_mutable and any(results[0] is each for each in operands):
                op, made_by = PASSED_ON, (self._made_by.get(id(results[0]), UNKNOWN),)
                name = self._name(op)
            self._write(name, op, made_by, results[0])
        return result

    def _entering(self, path: str) -> Callable[..., None]:
        def hook(module: torch.nn.Module, args: tuple[Any, ...]) -> None:
            del module, args
            self._before.append(len(self.nodes))
            self.enter(path)

        return hook

    def _left(self, module: torch.nn.Module, args: tuple[Any, ...], output: Any) -> None:
        passed = bool(args) and output is args[0] and isinstance(output, torch.Tensor)
        silent = len(self.nodes) == self._before.pop()
        if passed and silent and type(module).__name__ in PASSING:
            made_by = (self._made_by.get(id(output), UNKNOWN),)
            self._write(self._name(PASSED_ON), PASSED_ON, made_by, output)
        self.leave()

    def _name(self, op: str) -> str:
        path, count, _ = self._stack[-1]
        base = f"{path or ROOT}{f'#{count}' if count > 1 else ''}:{op}"
        name, again = base, 1
        while name in self._names:
            again += 1
            name = f"{base}#{again}"
        return name

    def _write(self, name: str, op: str, made_by: tuple[int, ...], result: torch.Tensor) -> None:
        self._reading = True  # hooks run on tape too, and reading a value is no call of the model
        value = _copy(result, name)
        output = parameters(result) if result.is_quantized else None
        self._reading = False
        self._names.add(name)
        self._made_by[id(result)] = len(self.nodes)
        self._alive.append(result)  # an id stays unique only while its tensor lives
        self.nodes.append(
            Node(
                name=name,
                op=op,
                layer=self._stack[-1][0],
                source=self.source(),
                inputs=made_by,
                shape=tuple(value.shape),
                dtype=output.dtype if output else "float32",
                output=output,
            )
        )
        self.values.append(value)


def _copy(tensor: torch.Tensor, name: str) -> Array:
    dtype = str(tensor.dtype).removeprefix("torch.")
    if tensor.is_quantized and dtype in STORAGE:
        return readonly(np.array(tensor.int_repr().numpy(), order="C"))
    if tensor.dtype == torch.float32:
        return readonly(np.array(tensor.detach().numpy(), order="C"))
    raise CaptureError(f"{name} gives {dtype} numbers", expected="quint8, qint8 or float32")
