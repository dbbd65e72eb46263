"""Child only: the linear parts inside a dynamic LSTM, GRU or cell, which PyTorch runs as one call.

Each part is computed by PyTorch's own dynamic Linear from the weights of the call; PyTorch's own
float32 gates on the parts must then give the call's result bit for bit. Only then are the parts
those inside the call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch.utils._pytree import tree_leaves

from qdbg.capture.arguments import Arguments
from qdbg.capture.packed import unpacked

State: TypeAlias = tuple[torch.Tensor, ...]
"""h, and of an LSTM c: float32 [B, H] each."""
Step: TypeAlias = Callable[[torch.Tensor, torch.Tensor, State], State]
"""From W_ih·x + b_ih, W_hh·h + b_hh (float32 [B, gates·H], the second one is written over) and the
state to the next state."""
INT8 = "quantized_dynamic"
"""How the packed weights of a layer call themselves where they are int8."""
AXES = 3
"""Of a sequence: time, batch, inputs."""


class Unlike(Exception):
    """The parts are not known to be those inside the call; the text is the reason."""


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """Packed weights, and what they hold."""

    name: str
    """As in torch's names of weights: `ih_l0`, `hh_l1_reverse`; of a cell `ih`."""
    packed: Any
    tensors: list[tuple[str, torch.Tensor]]
    """`weight`, and `bias` where there is one."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One dynamic Linear inside the call."""

    linear: Linear
    x: torch.Tensor
    """float32 [B, K], or all steps at once: [T, B, K], [B, T, K] where the batch is first."""
    origin: torch.Tensor | None
    """The call's operand that `x` is, or is a part of; None: the gates computed `x`."""
    reduce_range: bool
    y: torch.Tensor
    """float32 [B, gates·H], or with T as x has it."""


def parts_inside(name: str, given: Arguments, result: Any) -> list[Part]:
    """The dynamic Linears inside a call of the dispatcher, in the order in which it runs them.

    Raises Unlike.
    """
    base = name.partition("::")[2].partition("_cell")[0].removeprefix("quantized_")
    run = Run(STEPS[base.partition(".")[0]])
    if "_cell" in name:
        made = run.cell(given)
    elif name.endswith(".input"):
        made = run.layers(given)
    else:
        raise Unlike("its input is a packed sequence")
    wanted = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
    if len(made) != len(wanted) or not all(map(_same, made, wanted)):
        raise Unlike("PyTorch's own gates on them do not give this result bit for bit")
    return run.parts


class Run:
    """The call again, part by part."""

    def __init__(self, step: Step) -> None:
        self.parts: list[Part] = []
        self._step = step
        self._reduce_range = True

    def cell(self, given: Arguments) -> State:
        """One step: h, and of an LSTM c."""
        x = given.tensors[0][1]
        state = tuple(tensor for name, tensor in given.tensors if name == "hx")
        first, second = (_linear(n, p) for n, p in zip(("ih", "hh"), given.packed, strict=True))
        own = self._apply(first, x, x)
        return self._step(own, self._apply(second, state[0], state[0]), state)

    def layers(self, given: Arguments) -> State:
        """All layers in both directions: the output, then the last h, and of an LSTM the last c."""
        origin, *states = [tensor for _, tensor in given.tensors]
        x = origin
        if x.dim() != AXES or given.settings["train"]:
            raise Unlike("its input has no time, batch and inputs, or it is being trained")
        ways = 2 if given.settings["bidirectional"] else 1
        first = bool(given.settings["batch_first"])
        last: list[State] = []
        for number in range(int(str(given.settings["num_layers"]))):
            outputs = []
            for way in range(ways):
                place = number * ways + way
                both = self._both(given.packed[place], f"_l{number}{'_reverse' if way else ''}")
                own = self._apply(both[0], x, None if number else origin)
                own = own.transpose(0, 1).contiguous() if first else own
                made, end = self._over_time(both[1], own, states, place)
                outputs.append(made)
                last.append(end)
            x = outputs[0] if ways == 1 else torch.cat(outputs, -1)
            x = x.transpose(0, 1) if first else x
        return (x, *(torch.stack(each) for each in zip(*last, strict=True)))

    def _over_time(
        self, linear: Linear, own: torch.Tensor, states: list[torch.Tensor], place: int
    ) -> tuple[torch.Tensor, State]:
        """One layer in one direction: h of each step [T, B, H], and the last state."""
        back = linear.name.endswith("_reverse")
        made: list[torch.Tensor] = []
        state, origin = tuple(each[place] for each in states), states[0]
        for each in own.flip(0) if back else own:
            hidden = self._apply(linear, state[0], None if made else origin)
            state = self._step(each, hidden, state)
            made.append(state[0])
        return torch.stack(made[::-1] if back else made), state

    def _both(self, packed: Any, suffix: str) -> tuple[Linear, Linear]:
        """W_ih and W_hh of a layer's packed weights."""
        kind, _, _, numbers, pair = packed.__getstate__()[0]
        if kind != INT8 or len(pair) != 2:  # noqa: PLR2004 - of the input and of the hidden state
            raise Unlike(f"its weights are {kind}, not int8")
        self._reduce_range = bool(numbers[0])
        return _linear(f"ih{suffix}", pair[0]), _linear(f"hh{suffix}", pair[1])

    def _apply(self, linear: Linear, x: torch.Tensor, origin: torch.Tensor | None) -> torch.Tensor:
        """PyTorch's dynamic Linear; the gates may write over what is returned."""
        y: torch.Tensor = torch.ops.quantized.linear_dynamic(x, linear.packed, self._reduce_range)
        self.parts.append(Part(linear, x, origin, self._reduce_range, y))
        return y.clone()


def _linear(name: str, packed: Any) -> Linear:
    return Linear(name, packed, unpacked(packed)[0])


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    same = one.shape == other.shape and one.dtype == other.dtype == torch.float32
    return same and torch.equal(
        one.contiguous().view(torch.int32), other.contiguous().view(torch.int32)
    )


def _lstm(own: torch.Tensor, gates: torch.Tensor, state: State) -> State:
    """i, f, g and o lie side by side and are computed there, as PyTorch does: where a number lies
    decides which of its kernels computes it."""
    h, c = state
    del h
    i, f, g, o = gates.add_(own).unsafe_chunk(4, 1)
    i, f, g, o = i.sigmoid_(), f.sigmoid_(), g.tanh_(), o.sigmoid_()
    c = (f * c).add_(i * g)
    return o * c.tanh(), c


def _gru(own: torch.Tensor, gates: torch.Tensor, state: State) -> State:
    (h,) = state
    (r_own, z_own, n_own), (r, z, n) = own.unsafe_chunk(3, 1), gates.unsafe_chunk(3, 1)
    r, z = r.add_(r_own).sigmoid_(), z.add_(z_own).sigmoid_()
    n = n_own.add(n.mul_(r)).tanh_()
    return ((h - n).mul_(z).add_(n),)


def _rnn_tanh(own: torch.Tensor, gates: torch.Tensor, state: State) -> State:
    del state
    return (torch.tanh(gates.add_(own)),)


def _rnn_relu(own: torch.Tensor, gates: torch.Tensor, state: State) -> State:
    del state
    return (torch.relu(gates.add_(own)),)


STEPS: Mapping[str, Step] = {
    "lstm": _lstm,
    "gru": _gru,
    "rnn_tanh": _rnn_tanh,
    "rnn_relu": _rnn_relu,
}
"""By the dispatcher's names without `quantized_` and what follows."""
