"""Many runs of one model: what the calls have in common once, and every value of every run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from qdbg.core.checks import check, integers_in, mapping_in, tensor_in
from qdbg.core.packing import pack, unpack
from qdbg.core.program import Node, Recording
from qdbg.core.quantity import Array, QParams, QTensor, readonly

KEY = "runs"
"""Under which the metadata holds what a single recording does not have."""


@dataclass(frozen=True, slots=True)
class Links:
    """How recorded calls hang together with what is not recorded."""

    derived: frozenset[int]
    """Constants that unrecorded operations computed from results of recorded calls."""
    computed: frozenset[int]
    """Constants that unrecorded float32 operations computed: on another CPU level these may round
    otherwise."""
    decided: int | None
    """From this call on, Python may have decided by numbers what to do; None: it never did."""
    outputs: tuple[int, ...]
    """The calls whose results the model returned."""
    whole: bool
    """Whether these are all that the model returned."""


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Runs that made the same calls: with the same names, shapes, parameters and settings."""

    first: Recording
    """The first of them."""
    samples: Array
    """int64 [n]: where in the set of samples each run begins."""
    inputs: Array
    """float32 [n, …]: what each was fed; int64 where the model takes indices."""
    values: tuple[Array, ...]
    """Per call [n, …]: its result in each run."""
    constants: tuple[Array | None, ...]
    """Per constant of the recording [n, …], or None where it is the same in all runs."""
    links: Links

    def __len__(self) -> int:
        """How many runs there are."""
        return len(self.samples)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The calls."""
        return self.first.program.nodes

    def recording(self, run: int) -> Recording:
        """One of the runs, as if it had been recorded alone."""
        held = zip(self.first.constants, self.constants, strict=True)
        constants = (one if all_of is None else _with(one, all_of[run]) for one, all_of in held)
        return replace(
            self.first,
            input=self.inputs[run],
            values=tuple(value[run] for value in self.values),
            constants=tuple(constants),
        )

    def part(self, start: int, stop: int) -> Runs:
        """Some of the runs; `first` stays: it says what all have in common."""
        chosen = slice(start, stop)
        return replace(
            self,
            samples=self.samples[chosen],
            inputs=self.inputs[chosen],
            values=tuple(value[chosen] for value in self.values),
            constants=tuple(None if c is None else c[chosen] for c in self.constants),
        )


def same_calls(one: Recording, other: Recording) -> bool:
    """Whether two runs made the same calls and took constants of the same kinds."""
    ours, theirs = one.program.nodes, other.program.nodes
    return (
        len(ours) == len(theirs)
        and one.input.shape == other.input.shape
        and (ours is theirs or all(same_node(a, b) for a, b in zip(ours, theirs, strict=True)))
        and [_kind(c) for c in one.constants] == [_kind(c) for c in other.constants]
    )


def same_node(one: Node, other: Node, *, memory: bool = True) -> bool:
    """Whether two calls agree in everything that is not a value; without `memory` the order in
    which the result lies there, and whether it could be repeated, do not count."""
    names = ["name", "op", "layer", "inputs", "shape", "dtype", "names", "settings"]
    names += ["strides", "repeatable"] if memory else []
    same = all(getattr(one, name) == getattr(other, name) for name in names)
    return same and _parameters(one.output) == _parameters(other.output)


def _parameters(qparams: QParams | None) -> object:
    if qparams is None:
        return None
    return qparams.dtype, qparams.axis, qparams.scale.tobytes(), qparams.zero_point.tobytes()


def _kind(constant: QTensor | Array) -> object:
    if isinstance(constant, QTensor):
        return constant.q.shape, _parameters(constant.qparams), constant.strides
    return constant.shape, constant.dtype.str


def stacked(recordings: Sequence[Recording], samples: Sequence[int], links: Links) -> Runs:
    """Recordings with the same calls as one; `unperturbed` holds where it does for each."""
    first = recordings[0]
    sure = all(r.environment.unperturbed for r in recordings)
    held = [[_numbers(c) for c in r.constants] for r in recordings]
    return Runs(
        first=replace(first, environment=replace(first.environment, unperturbed=sure)),
        samples=readonly(np.array(samples, np.int64)),
        inputs=readonly(np.stack([r.input for r in recordings])),
        values=tuple(
            readonly(np.stack([r.values[call] for r in recordings]))
            for call in range(len(first.values))
        ),
        constants=tuple(_varying(each) for each in zip(*held, strict=True)),
        links=links,
    )


def _numbers(constant: QTensor | Array) -> Array:
    return constant.q if isinstance(constant, QTensor) else constant


def _with(constant: QTensor | Array, numbers: Array) -> QTensor | Array:
    return replace(constant, q=numbers) if isinstance(constant, QTensor) else numbers


def _varying(each: Sequence[Array]) -> Array | None:
    if all(one is each[0] or one.tobytes() == each[0].tobytes() for one in each):
        return None
    return readonly(np.stack(each))


def pack_runs(runs: Runs) -> tuple[dict[str, Array], dict[str, object]]:
    """As tensors and JSON data, for `container.encode`."""
    tensors, metadata = pack(runs.first)
    tensors |= {f"{KEY}/samples": runs.samples, f"{KEY}/input": runs.inputs}
    tensors |= {f"{KEY}/value/{call}": value for call, value in enumerate(runs.values)}
    varying = {n: c for n, c in enumerate(runs.constants) if c is not None}
    tensors |= {f"{KEY}/constant/{n}": constant for n, constant in varying.items()}
    metadata[KEY] = {
        "varying": list(varying),
        "derived": sorted(runs.links.derived),
        "computed": sorted(runs.links.computed),
        "decided": runs.links.decided,
        "outputs": list(runs.links.outputs),
        "whole": runs.links.whole,
    }
    return tensors, metadata


def unpack_runs(tensors: Mapping[str, Array], metadata: Mapping[str, object]) -> Runs:
    """What `pack_runs` was given. Raises SessionError where a part is missing."""
    first, held = unpack(tensors, metadata), mapping_in(metadata.get(KEY))
    samples = tensor_in(tensors, f"{KEY}/samples")
    values = [tensor_in(tensors, f"{KEY}/value/{call}") for call in range(len(first.values))]
    fits = all(
        value.shape == (len(samples), *own.shape) and value.dtype == own.dtype
        for value, own in zip(values, first.values, strict=True)
    )
    check(fits, "its values do not have one shape in all runs")
    varying = set(integers_in(held, "varying"))
    decided = held.get("decided")
    return Runs(
        first=first,
        samples=samples,
        inputs=tensor_in(tensors, f"{KEY}/input"),
        values=tuple(values),
        constants=tuple(
            tensor_in(tensors, f"{KEY}/constant/{n}") if n in varying else None
            for n in range(len(first.constants))
        ),
        links=Links(
            derived=frozenset(integers_in(held, "derived")),
            computed=frozenset(integers_in(held, "computed")),
            decided=decided if isinstance(decided, int) else None,
            outputs=integers_in(held, "outputs"),
            whole=held.get("whole") is True,
        ),
    )
