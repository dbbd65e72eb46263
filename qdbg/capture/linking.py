"""Child only: a tape that tells how a run's calls hang together, and what it takes to make them
again."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from qdbg.capture.following import FollowingTape, tensors_in
from qdbg.core.program import FIRST_CONSTANT, INPUT
from qdbg.core.runs import Links

EXACT = frozenset(
    (
        *("abs", "add", "clamp", "div", "maximum", "minimum", "mul", "neg", "relu", "sub"),
        *("threshold", "where", "masked_fill", "full_like", "ones_like", "zeros_like", "fill"),
        *("alias", "as_strided", "cat", "chunk", "clone", "constant_pad_nd", "contiguous", "copy"),
        *("detach", "dropout", "expand", "flatten", "flip", "index", "index_select", "lift_fresh"),
        *("narrow", "permute", "repeat", "reshape", "roll", "select", "slice", "split"),
        *("split_with_sizes", "squeeze", "stack", "t", "to", "_to_copy", "transpose", "unbind"),
        *("unfold", "unsqueeze", "view", "_unsafe_view"),
    )
)
"""aten's operations that give the same float32 numbers on every CPU: moves, and those that IEEE 754
rounds once for each element."""


class Made(NamedTuple):
    """A call of the dispatcher, recorded or not."""

    func: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any


class RunTape(FollowingTape):  # type: ignore[no-untyped-call]  # as Tape itself
    """A tape that also knows which numbers another CPU would compute otherwise."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.computed: set[int] = set()
        """As `Links.computed`."""
        self.all_made: list[Made] = []
        """Every call of the dispatcher, in order."""
        self.taken: list[torch.Tensor] = []
        """Per constant the tensor of which it keeps the numbers."""
        self._computed: dict[int, torch.Tensor] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Also keep the call itself."""
        result = super().__torch_dispatch__(func, types, args, kwargs)
        if not self._reading:
            self.all_made.append(Made(func, args, kwargs or {}, result))
        return result

    def follow(self, func: Any, given: list[torch.Tensor], result: Any) -> None:
        """Also which of them another CPU would make otherwise."""
        super().follow(func, given, result)
        if any(id(t) in self._computed for t in given) or _rounds(func.name(), given):
            self._computed |= {id(t): t for t in self.unrecorded(func, result)}

    def composed(self, tensor: torch.Tensor, origins: list[torch.Tensor], calls: range) -> None:
        """Gates of another CPU may make other numbers."""
        super().composed(tensor, origins, calls)
        if calls or any(id(t) in self._computed for t in origins):
            self._computed[id(tensor)] = tensor

    def links(self, output: Any) -> Links:
        """How the calls hang together, where the model returned `output`."""
        made = [self.made(tensor) for tensor in tensors_in(output)]
        decided = [call for call, behind in self.decided if behind - {INPUT}]
        return Links(
            derived=frozenset(n for n, behind in self.derived.items() if behind - {INPUT}),
            computed=frozenset(self.computed),
            decided=min(decided, default=None),
            outputs=tuple(m for m in made if m is not None),
            whole=None not in made,
        )

    def _source(self, tensor: torch.Tensor) -> int:
        source = super()._source(tensor)
        if len(self.constants) > len(self.taken):
            self.taken.append(tensor)
        if source <= FIRST_CONSTANT and id(tensor) in self._computed:
            self.computed.add(FIRST_CONSTANT - source)
        return source


def _rounds(name: str, given: list[torch.Tensor]) -> bool:
    """Whether an operation on float32 numbers may give others on another CPU."""
    floating = any(t.is_floating_point() and not t.is_quantized for t in given)
    base = name.partition("::")[2].partition(".")[0].rstrip("_")
    return floating and base not in EXACT
