"""From the options of a command line to what they name: a session, or a model and its input.

Each function imports what it needs: `check` is quick, and the app can paint before the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from qdbg.errors import ForwardError
from qdbg.headless.options import UsageError
from qdbg.names import (
    ARITHMETIC_NAMES,
    BACKENDS,
    CPUS,
    DASK,
    ENGINES,
    FEEDS,
    FLOWERS,
    ROWS,
    SETS,
    TABLES,
    is_sample,
    is_set,
)
from qdbg.script import script_of

if TYPE_CHECKING:
    import argparse

    from qdbg.capture import Request
    from qdbg.core.program import Model
    from qdbg.samples import Sample
    from qdbg.session import Session

SUFFIX = ".qdbg"
FOR_MODELS = (
    *("sample", "input", "standardize", "scaled"),
    *("engine", "cpu", "threads", "source", "trust_source"),
)
"""Options that say how to run a model: a session holds a run already."""
MOST_THREADS = 1024
MOST_SECONDS = 86400
MOST_AT_ONCE = {"batch": 2**20, "jobs": 256}


def check(options: argparse.Namespace) -> None:
    """Refuse names that do not exist, before anything is opened. Raises UsageError."""
    _check_target(options.target)
    _check_name("engine", options.engine, ENGINES)
    _check_name("CPU level", options.cpu, CPUS)
    _check_name("feed", options.feed, FEEDS)
    base = None if options.arith is None else options.arith.partition("+")[0]
    _check_name("arithmetic", base, ("auto", *ARITHMETIC_NAMES))
    if options.sample is not None and not is_sample(options.sample):
        raise UsageError(
            f"there is no sample called {options.sample!r}",
            expected=f"{', '.join(FLOWERS)}, iris:N with N from 0 to {ROWS - 1}, digits:N, or "
            "FILE:N with a file of samples",
        )
    if options.sample and options.input:
        raise UsageError("--sample and --input both name an input", expected="one of them")
    if options.threads is not None and not 1 <= options.threads <= MOST_THREADS:
        raise UsageError(f"--threads {options.threads}", expected=f"1 to {MOST_THREADS}")
    _check_golden(getattr(options, "golden", None), getattr(options, "golden_timeout", None))
    script_of(options)
    for flag in ("standardize", "scaled"):
        if getattr(options, flag) and not options.input:
            raise UsageError(f"--{flag} says how the numbers of --input are meant: give --input")


def _check_golden(path: str | None, seconds: float | None) -> None:
    if path is not None and not Path(path).exists():
        raise UsageError(f"there is no golden file {path}")
    if seconds is not None and path is None:
        raise UsageError("--golden-timeout bounds the code of --golden: give --golden")
    if seconds is not None and not 0 < seconds <= MOST_SECONDS:
        expected = f"more than 0 seconds, {MOST_SECONDS} at most"
        raise UsageError(f"--golden-timeout {seconds:g}", expected=expected)


def check_fleet(options: argparse.Namespace) -> None:
    """The same for `predict` and `sweep`, which take sets of samples. Raises UsageError."""
    _check_target(options.target)
    if Path(options.target).suffix == SUFFIX:
        raise UsageError(
            f"{options.target} is a session, which holds one run", expected="a model to run"
        )
    _check_name("engine", options.engine, ENGINES)
    _check_name("CPU level", options.cpu, CPUS)
    _check_name("feed", getattr(options, "feed", None), FEEDS)
    for name in getattr(options, "arith", None) or ():
        if "+" in name:
            raise UsageError(
                f"sweep takes no changed assumptions: --arith {name}",
                expected="the name of an arithmetic alone",
                remedy="for one sample qdbg show, qdbg why and the app take them",
            )
        _check_name("arithmetic", name, ("auto", "all", *ARITHMETIC_NAMES))
    if not is_set(options.samples):
        raise UsageError(
            f"there is no set of samples called {options.samples!r}",
            expected=f"{', '.join(SETS)}, or a file: {', '.join(f'.{kind}' for kind in TABLES)}",
        )
    backend = None if options.backend is None else options.backend.partition("=")
    _check_name("backend", backend and backend[0], BACKENDS)
    if backend and backend[1] and (backend[0] != DASK or not backend[2]):
        raise UsageError(f"--backend {options.backend}", expected="an address behind dask= alone")
    for flag in ("batch", "jobs"):
        number = getattr(options, flag, None)
        if number is not None and not 1 <= number <= MOST_AT_ONCE[flag]:
            raise UsageError(f"--{flag} {number}", expected=f"1 to {MOST_AT_ONCE[flag]}")


def _check_name(what: str, name: str | None, known: Iterable[str]) -> None:
    if name is not None and name not in known:
        raise UsageError(f"there is no {what} {name!r}", expected=", ".join(known))


def _check_target(target: str) -> None:
    path = Path(target)
    if not target:
        raise UsageError("the file's name is empty", expected="a model or a session (.qdbg)")
    if path.is_dir():
        raise UsageError(
            f"{target} is a folder", expected="a model saved by torch.save, or a session (.qdbg)"
        )
    if path.exists():
        return
    if path.suffix or len(path.parts) != 1:
        raise UsageError(
            f"there is no file {target}",
            expected="a model saved by torch.save, or a session (.qdbg)",
        )
    raise UsageError(
        f"there is neither a file nor a command {target!r}",
        expected="a model such as model.pth, a session such as versicolor.qdbg, show or replay",
        remedy="'qdbg --help' shows examples.",
    )


def target_for(options: argparse.Namespace) -> Session | Request:
    """The session, or the model with its input. Raises QdbgError."""
    return session_for(options) or request_for(options)


def session_for(options: argparse.Namespace) -> Session | None:
    """The session that the command line names, or None where it names a model.

    Raises SessionError for a damaged file, UsageError for options that a session has no use for.
    """
    path = Path(options.target)
    if path.suffix != SUFFIX:
        return None
    from qdbg.session import load  # noqa: PLC0415 - numpy

    for name in FOR_MODELS:
        if getattr(options, name):
            flag = name.replace("_", "-")
            raise UsageError(
                f"--{flag} does not go with a session, which holds its own run",
                remedy=f"Leave out --{flag}, or name the model in place of the session.",
            )
    return load(path)


def request_for(options: argparse.Namespace) -> Request:
    """What the capture is to run. Raises SampleError, or UsageError where there is no input.

    A model whose order of layers is unknown needs no input: it is opened to look at its layers.
    """
    from qdbg.capture import Request  # noqa: PLC0415 - numpy

    sample = _sample(options)
    if sample is None:
        from qdbg.reader import read_model  # noqa: PLC0415 - the capture's own business otherwise

        if missing_order(read_model(Path(options.target)), options) is None:
            raise no_input()
        sample = _nothing()
    return Request(
        model=Path(options.target),
        source=None if options.source is None else Path(options.source),
        trust=options.trust_source,
        engine=options.engine,
        cpu=options.cpu or "native",
        sample=sample,
        threads=options.threads or 1,
    )


def _sample(options: argparse.Namespace) -> Sample | None:
    from qdbg.samples import input_sample  # noqa: PLC0415 - numpy
    from qdbg.sets import any_sample  # noqa: PLC0415 - numpy

    if options.sample:
        return any_sample(options.sample)
    if options.input:
        return input_sample(options.input, standardize=options.standardize)
    return None


def _nothing() -> Sample:
    """Stands for the input of a model that cannot run anyway."""
    import numpy as np  # noqa: PLC0415 - slow to import

    from qdbg.samples import Sample  # noqa: PLC0415 - numpy

    return Sample("no input", np.zeros((1, 0), np.float32), "nothing can run")


def no_input() -> UsageError:
    """Without an input there is nothing to run."""
    from qdbg.arrays import FORMATS  # noqa: PLC0415 - numpy
    from qdbg.samples import NAMES  # noqa: PLC0415 - numpy

    return UsageError(
        "no input was given",
        expected=f"--sample {NAMES}",
        remedy=f"or your own with --input: {FORMATS}",
    )


def missing_order(model: Model, options: argparse.Namespace) -> ForwardError | None:
    """Why the order of the layers is unknown, or None where it is known.

    Raises ForwardError for a source that is there and cannot be used, and for a file that holds
    no whole model: that is bad input, and no reason to look at layers.
    """
    from qdbg.reader import find_forward  # noqa: PLC0415 - a session does not need it

    source = None if options.source is None else Path(options.source)
    try:
        find_forward(model, source, options.trust_source)
    except ForwardError as error:
        own = any(not layer.class_name.startswith("torch.") for layer in model.layers.values())
        beside = Path(model.name).with_suffix(".py").exists()
        if source is not None or beside or not own or model.layers[""].class_name == "state_dict":
            raise
        return error
    return None
