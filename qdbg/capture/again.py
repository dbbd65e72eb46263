"""Child only: the run after the recorded one, which tells the kernels that give another result."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from qdbg.capture.arguments import Arguments, integers
from qdbg.capture.called import overwrites
from qdbg.capture.tape import Tape


class Again(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Compares each quantized result of a run with the one on a tape, and marks there which calls
    gave another result on the same operands: their kernels read memory that nobody wrote.

    It costs a comparison for each call, since the model runs once more in any case.
    """

    def __init__(self, tape: Tape) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._tape = tape
        self._left = list(reversed(tape.repeats))

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """As `Tape._should_skip_dynamo`."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run the op; where its result is one that the tape holds, compare them."""
        del types
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        made = _tensors(result)
        if not self._left or not made or not made[0].is_quantized or overwrites(func):
            return result
        if any(made[0] is operand for operand in _tensors((args, kwargs))):
            return result
        call, name = self._left.pop()
        if name != func.name():  # the model goes another way this time
            self._left.clear()
        elif not self._same(call, made) and self._same_operands(
            call, Arguments(func, args, kwargs)
        ):
            for part in range(call, call + len(made)):
                self._tape.nodes[part] = replace(self._tape.nodes[part], repeatable=False)
        return result

    def _same(self, call: int, made: list[torch.Tensor]) -> bool:
        return all(
            np.array_equal(integers(tensor), self._tape.values[call + part])
            for part, tensor in enumerate(made)
            if tensor.is_quantized
        )

    def _same_operands(self, call: int, given: Arguments) -> bool:
        sources = self._tape.nodes[call].inputs
        return not any(
            self._tape.changed(tensor, source)
            for (_, tensor), source in zip(given.tensors, sources, strict=False)
        )


def _tensors(held: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(held) if isinstance(leaf, torch.Tensor)]
