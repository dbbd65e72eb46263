"""Child only: force the level, rebuild the model, run it with and without recording."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch.utils._pytree import tree_leaves

from qdbg.capture.again import Again
from qdbg.capture.backend import Backend
from qdbg.capture.following import FollowingTape
from qdbg.capture.indices import Giving
from qdbg.capture.isa import force, probe
from qdbg.capture.level import processor_name
from qdbg.capture.quantities import check_parameters
from qdbg.capture.rebuild import parameters, rebuild
from qdbg.capture.request import Request
from qdbg.capture.tape import Tape
from qdbg.core.program import Environment, Model, Program, Recording
from qdbg.core.quantity import readonly
from qdbg.errors import CaptureError, QdbgError
from qdbg.names import ENGINES
from qdbg.samples import Sample

Progress = Callable[[str], None]
Run = Callable[[torch.Tensor], Any]
Prepared: TypeAlias = tuple[
    Backend, dict[str, torch.nn.Module], Run, Callable[[], str | None] | None
]
"""What computes with the rebuilt modules, those of them that need hooks, what runs them on an
input, and what tells the source line of a trusted source."""
BATCHED = re.compile(r"Input shape must be `?\((N, C[^)]*)\)")
"""What a quantized convolution says of an input without the axis of samples."""


def record(request: Request, model: Model, forward: Any, progress: Progress) -> Recording:
    """One recorded run of the model. Raises CaptureError."""
    engine, kernel = choose_kernels(request, progress)
    progress("rebuilding the layers")
    backend, modules, run, line_of = prepare(model, forward)

    def of(sample: Sample) -> Recording:
        fed = torch.from_numpy(sample.values.copy())
        with torch.no_grad():
            tape = FollowingTape(modules, fed, progress, line_of, model.layers)
            unperturbed = watch(run, backend, tape, fed, progress)
        environment = environment_of(request, engine, kernel, unperturbed)
        return recording_of(tape, model, sample, environment)

    return Giving()(of, request.sample)


def choose_kernels(request: Request, progress: Progress) -> tuple[str, str]:
    """Set threads, engine and CPU level: the engine, and which sums its kernels were seen to make.

    Raises CaptureError.
    """
    torch.set_num_threads(request.threads)
    engine = choose_engine(request.engine)
    progress(f"keeping {engine} to {request.cpu}")
    force(request.cpu)
    return engine, probe(engine, request.cpu)


def environment_of(request: Request, engine: str, kernel: str, unperturbed: bool) -> Environment:
    """What the recording says about this process."""
    return Environment(
        engine=engine,
        cpu=request.cpu,
        torch=str(torch.__version__),
        processor=processor_name(),
        kernel=kernel,
        unperturbed=unperturbed,
        threads=torch.get_num_threads(),
    )


def recording_of(
    tape: FollowingTape, model: Model, sample: Sample, environment: Environment
) -> Recording:
    """What the tape holds. Raises CaptureError where it is nothing, or what no recording holds."""
    used = {node.layer for node in tape.nodes}
    if not tape.nodes:
        raise CaptureError(
            "forward makes no call that takes or gives a quantized tensor",
            expected="a converted model, with a Quantize layer or torch.quantize_per_tensor",
        )
    for node in tape.nodes:
        if node.output is not None:
            check_parameters(node.name, node.output)
    return Recording(
        model=model.name,
        sha256=model.sha256,
        sample=sample.name,
        input=readonly(sample.values),
        environment=environment,
        program=Program(
            tuple(tape.nodes), {path: model.layers[path] for path in model.layers if path in used}
        ),
        values=tuple(tape.values),
        constants=tuple(tape.constants),
        unseen=tape.unseen,
    )


def choose_engine(wanted: str | None) -> str:
    """Set the engine before anything is packed for it. Raises CaptureError."""
    supported = [
        engine for engine in torch.backends.quantized.supported_engines if engine in ENGINES
    ]
    engine = wanted or str(torch.backends.quantized.engine)
    if engine not in supported:
        raise CaptureError(
            f"torch {torch.__version__} has no engine {engine!r} here",
            expected=f"one of {', '.join(supported)}",
        )
    torch.backends.quantized.engine = engine
    return engine


def prepare(model: Model, forward: Any) -> Prepared:
    """The model, ready to run. Raises CaptureError."""
    if not forward.trusted:
        modules = rebuild(model)
        backend = Backend(modules)
        return backend, backend.inner, lambda fed: forward.run(backend, (fed,)), None
    trusted = importlib.import_module("qdbg.capture.trusted")
    path = Path(forward.source_path)
    names = trusted.load_definitions(path)
    modules = rebuild(model, trusted.own_modules(names, forward.class_name))
    return Backend(modules), modules, modules[""], trusted.line_in(path)


def watch(run: Run, backend: Backend, tape: Tape, fed: torch.Tensor, progress: Progress) -> bool:
    """Run three times, the second time on tape: whether the outputs are bit for bit the same. The
    third run tells the calls on the tape that do not give the same result again.

    Raises CaptureError with torch's own words where it cannot run the model.
    """
    progress("running without recording")
    own = fed.clone()  # the model may write over what it is given
    try:
        before = fingerprint(run(own.clone()))
    except Exception:
        before = None  # the recorded run fails in the same way, and knows where
    backend.tape = tape
    try:
        with tape:
            output = run(fed)
    except QdbgError:
        raise
    except Exception as error:
        raise _refused(error, tape, list(fed.shape)) from error
    finally:
        backend.tape = None
    recorded = fingerprint(output)
    progress("running again without recording")
    with Again(tape):
        after = fingerprint(run(own))
    return before == recorded == after


def fingerprint(output: Any) -> list[object]:
    """Everything that a model's output says, comparable bit for bit."""
    found: list[object] = []
    for leaf in tree_leaves(output):
        if not isinstance(leaf, torch.Tensor):
            found.append(repr(leaf))
            continue
        plain = leaf.int_repr() if leaf.is_quantized else leaf.detach()
        found += [str(leaf.dtype), tuple(leaf.shape), plain.contiguous().numpy().tobytes()]
        if leaf.is_quantized:
            qparams = parameters(leaf)
            found += [qparams.scale.tobytes(), qparams.zero_point.tobytes()]
    return found


def _refused(error: Exception, tape: Tape, shape: list[int]) -> CaptureError:
    words = str(error).strip().partition("\n")[0].partition(". ")[0][:300]
    where = f" at {line}" if (line := tape.where.source()) else ""
    axes = BATCHED.search(words)
    missing = axes is not None and len(shape) == axes[1].count(",")
    return CaptureError(
        f"PyTorch could not run {tape.now or 'the model'}{where}: {words}",
        remedy=f"The input has the shape {shape}. Add the batch axis in front, x[None] in numpy:"
        f" {[1, *shape]}."
        if missing
        else "",
    )
