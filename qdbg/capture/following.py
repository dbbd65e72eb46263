"""Child only: a tape that also follows what unrecorded operations make of recorded results."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from qdbg.capture.tape import Tape
from qdbg.core.program import FIRST_CONSTANT, INPUT, Unseen

READS = frozenset({"aten::_local_scalar_dense", "aten::equal"})
"""By which Python gets at a tensor's numbers; `tolist` and `numpy` do so unseen."""
TELLING = frozenset({torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape})
"""PyTorch's own marks of operations by whose result, or by the result's shape, numbers are told."""
NOTHING: frozenset[int] = frozenset()


class FollowingTape(Tape):  # type: ignore[no-untyped-call]  # as Tape itself
    """A tape that also knows which constants and decisions follow from which results."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.derived: dict[int, frozenset[int]] = {}
        """As `Unseen.derived`."""
        self.decided: list[tuple[int, frozenset[int]]] = []
        """As `Unseen.decided`."""
        self._followed: dict[int, tuple[torch.Tensor, frozenset[int]]] = {}

    @property
    def unseen(self) -> Unseen:
        """What was followed, as a recording keeps it."""
        derived = {number: tuple(sorted(behind)) for number, behind in self.derived.items()}
        return Unseen(derived, tuple((call, tuple(sorted(b))) for call, b in self.decided))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run and record the op; follow what its result depends on."""
        result = super().__torch_dispatch__(func, types, args, kwargs)
        if not self._reading:
            self.follow(func, tensors_in((args, kwargs)), result)
        return result

    def follow(self, func: Any, given: list[torch.Tensor], result: Any) -> None:
        """Note what the operation made of its operands."""
        behind = NOTHING.union(*(self._behind(tensor) for tensor in given))
        if not behind:
            return
        for tensor in self.unrecorded(func, result):
            self._followed[id(tensor)] = tensor, behind
        tells = func.name() in READS or not TELLING.isdisjoint(func.tags)
        if tells and (not self.decided or self.decided[-1][1] != behind):
            self.decided.append((len(self.nodes), behind))

    def composed(self, tensor: torch.Tensor, origins: list[torch.Tensor], calls: range) -> None:
        """Note what stands behind a tensor that was made beside the model."""
        behind = frozenset(calls).union(*(self._behind(each) for each in origins))
        if behind:  # two parts may take it: it was there before the first
            self._followed.setdefault(id(tensor), (tensor, behind))

    def unrecorded(self, func: Any, result: Any) -> list[torch.Tensor]:
        """What the operation made or wrote over, of the tensors that no recorded call made."""
        writes = func._schema.is_mutable
        return [t for t in tensors_in(result) if writes or self.made(t) is None]

    def made(self, tensor: torch.Tensor) -> int | None:
        """The call that made the tensor, or None."""
        source = self._made_by.get(id(tensor), -1)
        return source if source >= 0 else None

    def _behind(self, tensor: torch.Tensor) -> frozenset[int]:
        source = self._made_by.get(id(tensor), FIRST_CONSTANT)
        own = frozenset({source}) if source == INPUT or source >= 0 else NOTHING
        return own | self._followed.get(id(tensor), (tensor, NOTHING))[1]

    def _source(self, tensor: torch.Tensor) -> int:
        source = super()._source(tensor)
        if source <= FIRST_CONSTANT and id(tensor) in self._followed:
            self.derived[FIRST_CONSTANT - source] = self._followed[id(tensor)][1]
        return source


def tensors_in(value: Any) -> list[torch.Tensor]:
    """All tensors of a nest of values."""
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)]
