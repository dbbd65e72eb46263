"""Run PyTorch again as a session says, and compare what it computes today with the recording."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qdbg.capture import Request, capture
from qdbg.core.program import Recording
from qdbg.errors import ModelError, SessionError
from qdbg.headless.differences import CallDifferences, call_differences, order_of
from qdbg.headless.output import Progress
from qdbg.reader import read_model
from qdbg.samples import Sample


@dataclass(frozen=True, slots=True)
class Recapture:
    """PyTorch's values of today against the recorded ones."""

    torch: str
    """The version that ran."""
    processor: str
    differing: tuple[CallDifferences, ...]
    """`captured` is what was recorded, `simulated` what PyTorch computes today."""
    problems: tuple[str, ...]
    """What else is not as it was: other calls, another kernel."""

    @property
    def differs(self) -> bool:
        """Whether anything is not as it was recorded."""
        return bool(self.differing or self.problems)


def recapture(
    recording: Recording, session: Path, source: Path | None = None, trust: bool = False
) -> Recapture:
    """Run the recorded model on the recorded input, engine and CPU level.

    Raises SessionError where the model is not there or not the same, or any QdbgError of reading
    and running it.
    """
    environment = recording.environment
    request = Request(
        model=_model(recording, session),
        source=source,
        trust=trust,
        engine=environment.engine,
        cpu=environment.cpu,
        sample=Sample(recording.sample, recording.input, "as recorded"),
        threads=environment.threads,
    )
    progress = Progress()
    try:
        return compare_recordings(recording, capture(request, progress, lambda: False))
    finally:
        progress.done()


def _model(recording: Recording, session: Path) -> Path:
    """The recorded path from here, or from a folder above the session: sessions move along."""
    named = Path(recording.model)
    above = [] if named.is_absolute() else [p / named for p in session.resolve().parents]
    wrong: Path | None = None
    for path in (named, *above):
        if not path.is_file():
            continue
        try:
            found = read_model(path).sha256
        except ModelError:
            found = ""
        if found == recording.sha256:
            return path
        wrong = wrong or path
    if wrong is not None:
        raise SessionError(
            f"{wrong} is not the model that was recorded: its SHA-256 is another",
            expected=recording.sha256[:12] + "…",
            remedy="Take the file as it was, or record the session again.",
        )
    raise SessionError(
        f"the recorded model {named} is not there",
        remedy="Run qdbg where the model's path leads to it.",
    )


def compare_recordings(before: Recording, now: Recording) -> Recapture:
    """Every call and every value of the two."""
    names = [n.name for n in before.program.nodes], [n.name for n in now.program.nodes]
    problems = []
    if names[0] != names[1]:
        problems.append(f"recorded calls: {', '.join(names[0])}; calls now: {', '.join(names[1])}")
    if before.environment.kernel != now.environment.kernel:
        kernels = before.environment.kernel, now.environment.kernel
        problems.append(f"recorded with {kernels[0]}, now with {kernels[1]}")
    values = dict(zip(names[1], now.values, strict=True))
    differing = []
    for node, recorded in zip(before.program.nodes, before.values, strict=True):
        name = node.name
        today = values.get(name)
        if today is None:
            continue  # named above, with the calls
        if (today.shape, today.dtype) != (recorded.shape, recorded.dtype):
            form = f"{today.dtype}{list(today.shape)}, not {recorded.dtype}{list(recorded.shape)}"
            problems.append(f"{name} is {form}")
            continue
        found = call_differences(name, today, recorded, order_of(node))
        if found is not None:
            differing.append(found)
    environment = now.environment
    return Recapture(environment.torch, environment.processor, tuple(differing), tuple(problems))
