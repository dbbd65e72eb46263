"""Run a case by PyTorch on tape and simulate each call that it made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from qdbg.capture.rebuild import parameters
from qdbg.capture.tape import Tape
from qdbg.core.op import NotSimulated
from qdbg.core.presets import Arithmetic
from qdbg.core.program import Environment, Layer, Program, Recording, Unseen
from qdbg.core.quantity import QParams, QTensor, readonly
from qdbg.core.versions import arithmetics, release_of
from qdbg.engine.compare import Comparison, compare
from qdbg.engine.simulate import planned, result_of, simulate
from qdbg.engine.trace import Trace
from qdbg.selftest.draw import Case

SETTINGS = (bool, int, float, str)
NO_INPUT = readonly(np.zeros(0, np.float32))
PART, PARTS = 2**7, 8
"""Cases are cut into parts as the calls of a large net are: no smaller than this, no more than so
many."""


def record(case: Case, environment: Environment) -> Recording:
    """The calls of the case with everything that they took and gave."""
    layers = {p: layer_of(p, m, case.weights.get(p)) for p, m in case.modules.items()}
    tape = Tape(case.modules, torch.empty(0), lambda _: None, layers=layers)
    torch.set_num_threads(environment.threads)
    with torch.no_grad(), tape:
        case.run()
    torch.set_num_threads(1)
    return Recording(
        model="selftest",
        sha256="",
        sample="random",
        input=NO_INPUT,
        environment=environment,
        program=Program(tuple(tape.nodes), layers),
        values=tuple(tape.values),
        constants=tuple(tape.constants),
        unseen=Unseen(),
    )


def compared(recording: Recording) -> list[tuple[str, Comparison]]:
    """Per call its op and how the simulated integers compare with PyTorch's: those of a call that
    was simulated part by part, and then those of a call of which every number was kept."""
    trace = _trace(recording)
    return [(node.op, _worse(trace, call)) for call, node in enumerate(trace.nodes)]


def differs(recording: Recording) -> bool:
    """Whether any call that is simulated differs, all of its numbers at once: that is quicker."""
    return _trace(recording).differences > 0


def _trace(recording: Recording) -> Trace:
    """Under its own arithmetic, also where PyTorch's release was not measured: to fuzz is to
    measure it."""
    environment = recording.environment
    if release_of(environment.torch) is None:
        environment = replace(environment, torch="")
    return Trace(replace(recording, environment=environment), arithmetic_of(environment))


def arithmetic_of(environment: Environment) -> Arithmetic:
    """The arithmetic of the engine and level, as the release has it."""
    presets = arithmetics(release_of(environment.torch))
    return presets[f"{environment.engine}-{environment.cpu}"]


def _worse(trace: Trace, call: int) -> Comparison:
    captured = trace.recording.values[call]
    try:
        plan = planned(trace.call(call), trace.arithmetic)
        found = compare(result_of(plan, max(PART, plan.size // PARTS)), captured)
        whole = simulate(trace.call(call), trace.arithmetic)
    except NotSimulated as reason:
        return Comparison("not simulated", str(reason), 0, captured.size, 0)
    return found if found.status != "equal" else compare(whole.result, captured)


def layer_of(
    path: str, module: Any, given: tuple[torch.Tensor, torch.Tensor | None] | None = None
) -> Layer:
    """The layer that a reader would find in a file with this module."""
    cls = type(module)
    weight = bias = output = None
    own = callable(getattr(module, "weight", None)) and callable(getattr(module, "bias", None))
    if given is not None or own:
        w, b = given if given is not None else (module.weight(), module.bias())
        weight = QTensor(readonly(w.int_repr().numpy()), parameters(w))
        bias = None if b is None else readonly(b.detach().numpy())
    if isinstance(getattr(module, "scale", None), float | torch.Tensor):
        output = QParams.per_tensor(float(module.scale), int(module.zero_point))
    name = f"{cls.__module__}.{cls.__qualname__}"
    return Layer(path, name, weight, bias, output, _settings(module))


def _settings(module: Any) -> Mapping[str, object]:
    found = {}
    for key, value in vars(module).items():
        listed = isinstance(value, list | tuple) and all(isinstance(v, SETTINGS) for v in value)
        if isinstance(value, SETTINGS) or listed:
            found[key] = list(value) if listed else value
    return found
