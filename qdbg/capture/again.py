"""Child only: the run after the recorded one, which tells the kernels that give another result."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from qdbg.capture.arguments import Arguments, integers
from qdbg.capture.tape import SUSPECT, Tape, overwrites


class Again(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Compares the suspect calls of a run with those on a tape, and marks there which of them gave
    another result on the same operands: their kernels read memory that nobody wrote."""

    def __init__(self, tape: Tape) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._tape = tape
        self._left = list(reversed(tape.suspects))

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """As `Tape._should_skip_dynamo`."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run the op; if it is a suspect one, look at what it gave on tape."""
        del types
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if self._left and func.name().startswith(SUSPECT) and not overwrites(func):
            call = self._left.pop()
            if not _same(result, self._tape.values[call]) and self._same_operands(
                call, Arguments(func, args, kwargs)
            ):
                self._tape.nodes[call] = replace(self._tape.nodes[call], repeatable=False)
        return result

    def _same_operands(self, call: int, given: Arguments) -> bool:
        sources = self._tape.nodes[call].inputs
        return not any(
            self._tape.changed(tensor, source)
            for (_, tensor), source in zip(given.tensors, sources, strict=False)
        )


def _same(result: Any, kept: np.ndarray[Any, Any]) -> bool:
    made = next(leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor))
    return not made.is_quantized or np.array_equal(integers(made), kept)
