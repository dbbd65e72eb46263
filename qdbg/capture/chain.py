"""Child only: the calls that a recorded run made, made again on other samples.

A forward that reads no numbers makes the same calls whatever it is fed. After the first sample,
PyTorch is therefore given these calls one by one, without the model and the tape around them, and
the result must be bit for bit what the model itself returns for the sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_leaves

from qdbg.capture.called import overwrites
from qdbg.capture.following import tensors_in
from qdbg.capture.linking import Made, RunTape
from qdbg.capture.run import fingerprint
from qdbg.core.op import Operand
from qdbg.core.program import Recording
from qdbg.core.quantity import Array, QTensor, readonly
from qdbg.ops import recurrent
from qdbg.samples import Sample

Tensors = Sequence[torch.Tensor]


class Unfit(Exception):
    """A run does not make the calls of the first one, or they do not give the model's result."""


@dataclass(frozen=True, slots=True)
class Place:
    """In a call's arguments: the input (0), or what the calls before it made, in order."""

    number: int


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the dispatcher, with a Place for each tensor of the run."""

    func: Any
    args: list[Any]
    kwargs: dict[str, Any]
    open_args: list[int]
    """Which arguments hold a Place …"""
    open_kwargs: list[str]
    """… and which of those with a name."""

    @classmethod
    def of(cls, call: Made, places: dict[int, int]) -> Step:
        """The call, where the tensors made so far have these numbers, by id."""
        args, kwargs = _placed(list(call.args), places), _placed(call.kwargs, places)
        opened = [at for at, value in enumerate(call.args) if tensors_in(value)]
        named = [name for name, value in call.kwargs.items() if tensors_in(value)]
        return cls(call.func, args, kwargs, opened, named)

    def run(self, made: Tensors) -> Any:
        """What the call gives, where these are the tensors made so far."""
        args, kwargs = self.args.copy(), self.kwargs
        for at in self.open_args:
            args[at] = _filled(args[at], made)
        if self.open_kwargs:
            kwargs = kwargs | {key: _filled(kwargs[key], made) for key in self.open_kwargs}
        return self.func(*args, **kwargs)


class Chain:
    """The calls of one run, and where the recording's numbers are in them."""

    def __init__(self, tape: RunTape, fed: torch.Tensor, output: Any, recording: Recording) -> None:
        """Raises Unfit where other samples may need other calls, or where calling them again does
        not give every number of the tape."""
        self._first = recording
        made, self._steps = _steps(tape, fed)
        places = {id(tensor): number for number, tensor in enumerate(made)}
        try:
            self._values = [places[id(tensor)] for tensor in tape.results]
            self._outputs = [places[id(tensor)] for tensor in tree_leaves(output)]
        except KeyError as error:
            raise Unfit from error
        self._constants = [places.get(id(tensor)) for tensor in tape.taken]
        self._looked_at = sorted(
            {*self._values, *self._outputs, *(p for p in self._constants if p is not None)}
        )
        self._quantized = [place for place in self._looked_at if made[place].is_quantized]
        self._kinds = [_kind(made[place]) for place in self._looked_at]
        again = self._recording(self._made(fed), recording)
        if _all_numbers(again) != _all_numbers(recording):
            raise Unfit

    def recording(self, run: Callable[[torch.Tensor], Any], sample: Sample) -> Recording:
        """What a tape would record of the model's `run` on the sample. Raises Unfit where that
        takes a tape."""
        fed = torch.from_numpy(sample.values.copy())
        if fed.shape != self._first.input.shape:
            raise Unfit
        try:
            output = fingerprint(run(fed.clone()))
            made, again = self._made(fed), self._made(fed)
        except Exception as error:
            raise Unfit from error  # it fails on tape too, which knows where
        for each in (made, again):
            if fingerprint([each[place] for place in self._outputs]) != output:
                raise Unfit
        if not all(torch.equal(made[place], again[place]) for place in self._quantized):
            raise Unfit  # a kernel gives another result on the same operands
        found = self._recording(made, self._first)
        return replace(found, sample=sample.name, input=readonly(sample.values))

    def _made(self, fed: torch.Tensor) -> list[torch.Tensor]:
        """The input and what each call gives."""
        made = [fed]
        for step in self._steps:
            made += _leaves(step.run(made))
        return made

    def _recording(self, made: Tensors, first: Recording) -> Recording:
        """Raises Unfit for a tensor of another shape or scale than in the first run."""
        if [_kind(made[place]) for place in self._looked_at] != self._kinds:
            raise Unfit
        numbers = {place: _numbers(made[place]) for place in self._looked_at}
        held = zip(self._constants, first.constants, strict=True)
        return replace(
            first,
            values=tuple(numbers[place] for place in self._values),
            constants=tuple(c if place is None else _with(c, numbers[place]) for place, c in held),
        )


def _steps(tape: RunTape, fed: torch.Tensor) -> tuple[list[torch.Tensor], list[Step]]:
    """All tensors of the run in order, and the calls. Raises Unfit."""
    if tape.decided or any(node.op in recurrent.NAMES for node in tape.nodes):
        raise Unfit
    if not all(node.repeatable for node in tape.nodes):
        raise Unfit
    made, places, steps = [fed], {id(fed): 0}, []
    for call in tape.all_made:
        if overwrites(call.func) or torch.Tag.nondeterministic_seeded in call.func.tags:
            raise Unfit
        results = _leaves(call.result)
        if not all(isinstance(each, torch.Tensor) for each in results):
            if any(id(each) in places for each in tensors_in((call.args, call.kwargs))):
                raise Unfit  # a number of this sample's, which later arguments may hold
            continue
        steps.append(Step.of(call, places))
        places |= {id(tensor): len(made) + n for n, tensor in enumerate(results)}
        made += results
    return made, steps


def _leaves(result: Any) -> list[Any]:
    return [result] if isinstance(result, torch.Tensor) else tree_leaves(result)


def _placed(value: Any, places: dict[int, int]) -> Any:
    """With a Place for each tensor that the run made; other tensors stay."""
    if isinstance(value, torch.Tensor):
        return Place(places[id(value)]) if id(value) in places else value
    if type(value) in {tuple, list}:
        return type(value)(_placed(each, places) for each in value)
    if type(value) is dict:
        return {key: _placed(each, places) for key, each in value.items()}
    return value


def _filled(value: Any, made: Tensors) -> Any:
    kind = type(value)
    if kind is Place:
        return made[value.number]
    if kind is tuple or kind is list:
        return kind([_filled(each, made) for each in value])
    if kind is dict:
        return {key: _filled(each, made) for key, each in value.items()}
    return value


def _kind(tensor: torch.Tensor) -> object:
    """Everything of a tensor but its numbers. Raises Unfit for a scale of each channel."""
    kind = (tensor.dtype, tensor.shape, tensor.stride())
    if not tensor.is_quantized:
        return kind
    if tensor.qscheme() != torch.per_tensor_affine:
        raise Unfit
    return (*kind, tensor.q_scale(), tensor.q_zero_point())


def _numbers(tensor: torch.Tensor) -> Array:
    """A copy."""
    if tensor.is_quantized:
        return readonly(tensor.int_repr().numpy())
    return readonly(np.array(tensor.numpy()))


def _with(constant: Operand, numbers: Array) -> Operand:
    return replace(constant, q=numbers) if isinstance(constant, QTensor) else numbers


def _all_numbers(recording: Recording) -> list[bytes]:
    constants = (c.q if isinstance(c, QTensor) else c for c in recording.constants)
    return [array.tobytes() for array in (*recording.values, *constants)]
