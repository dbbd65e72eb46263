"""What the two processes say to each other: one request down, lines of JSON and a recording up."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qdbg import errors
from qdbg.core.quantity import readonly
from qdbg.errors import CaptureError, QdbgError
from qdbg.samples import Sample


@dataclass(frozen=True, slots=True)
class Request:
    """What to run, on which engine and CPU level."""

    model: Path
    source: Path | None
    """The file with `forward`, where the user named one."""
    trust: bool
    """Whether that file may run as ordinary Python."""
    engine: str | None
    """One of ENGINES, or None for PyTorch's own default."""
    cpu: str
    """`native` or one of LEVELS."""
    sample: Sample
    threads: int = 1
    """How many threads PyTorch may use for one op."""
    batch: int = 0
    """How many samples are run at a time, each lot in a run of its own; 0: one run of them all."""
    share: tuple[int, int] | None = None
    """From which sample to which, where other children run the other ones; None: all."""


RUNNING = "running sample"


def running(sample: int, total: int) -> str:
    """The words of a child that runs this one of the samples, counted from 1."""
    return f"{RUNNING} {sample} of {total}"


def sample_in(words: str) -> int | None:
    """The number of the sample in such words; None in others."""
    return int(words.split()[2]) if words.startswith(f"{RUNNING} ") else None


def request_line(request: Request, level: str) -> bytes:
    """The request as one line; `level` is what its `cpu` stands for on this machine."""
    sample = request.sample
    fields = {
        "model": str(request.model),
        "source": None if request.source is None else str(request.source),
        "trust": request.trust,
        "engine": request.engine,
        "cpu": level,
        "threads": request.threads,
        "batch": request.batch,
        "share": request.share,
        "name": sample.name,
        "note": sample.note,
        "shape": list(sample.values.shape),
        "values": base64.b64encode(sample.values.astype("<f4").tobytes()).decode("ascii"),
    }
    return json.dumps(fields).encode("ascii") + b"\n"


def parse_request(line: bytes) -> Request:
    """The request that `request_line` wrote; its `cpu` is a level."""
    fields = json.loads(line)
    values = np.frombuffer(base64.b64decode(fields["values"]), "<f4").reshape(fields["shape"])
    return Request(
        model=Path(fields["model"]),
        source=None if fields["source"] is None else Path(fields["source"]),
        trust=fields["trust"],
        engine=fields["engine"],
        cpu=fields["cpu"],
        threads=fields["threads"],
        batch=fields["batch"],
        share=None if fields["share"] is None else tuple(fields["share"]),
        sample=Sample(fields["name"], readonly(values.astype(np.float32)), fields["note"]),
    )


def error_fields(error: QdbgError) -> dict[str, str]:
    """An error as JSON data."""
    return {
        "error": type(error).__name__,
        "found": error.found,
        "expected": error.expected,
        "remedy": error.remedy,
    }


def error_from(fields: Mapping[str, Any]) -> QdbgError:
    """The error that `error_fields` wrote: the same class where it is one of qdbg's own."""
    kind = getattr(errors, str(fields.get("error")), None)
    known = isinstance(kind, type) and issubclass(kind, QdbgError)
    make = kind if known and kind is not None else CaptureError
    text = {key: str(fields.get(key, "")) for key in ("found", "expected", "remedy")}
    found = text.pop("found")
    error: QdbgError = make(found, **text)
    return error
