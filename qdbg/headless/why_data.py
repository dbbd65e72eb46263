"""`qdbg why --json`: causes with their proofs for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from qdbg import __version__
from qdbg.core.op import Operand
from qdbg.core.quantity import QTensor
from qdbg.engine.evidence import Evidence, evidence
from qdbg.engine.together import CallWhy
from qdbg.engine.verdict import Verdict
from qdbg.engine.why import Why
from qdbg.headless.separating import Separation


def why_data(found: Why, tests: Sequence[Separation] = ()) -> dict[str, object]:
    """The same facts for programs."""
    recording = found.trace.recording
    return {
        "qdbg": __version__,
        "model": {"path": recording.model, "sha256": recording.sha256},
        "capture": asdict(recording.environment),
        "side": found.side,
        "arithmetic": found.trace.arithmetic.name,
        "differences": found.differences,
        "explained": all(call.explained for call in found.calls),
        "calls": [_call_data(found, call) for call in found.calls],
        "together": [list(names) for names in dict.fromkeys(t.least for t in found.together)],
        "notes": list(found.notes),
        "misplaced": list(found.misplaced),
        "separations": [_separation_data(test) for test in tests],
    }


def _separation_data(test: Separation) -> dict[str, object]:
    rows = zip(test.causes, test.left, strict=False)
    return {
        "name": test.name,
        "input": None if test.fed is None else test.fed.input.tolist(),
        "constants": [] if test.fed is None else [_numbers(c) for c in test.fed.constants],
        "run_by": "simulation" if test.simulated else "PyTorch",
        "causes": [{"changes": list(cause), "left": left} for cause, left in rows],
    }


def _numbers(constant: Operand) -> object:
    return (constant.q if isinstance(constant, QTensor) else constant).tolist()


def _call_data(found: Why, call: CallWhy) -> dict[str, object]:
    diagnosis = call.diagnosis
    return {
        "name": call.name,
        "differences": call.differences,
        "elements": call.elements,
        "max_delta": call.max_delta,
        "note": call.note,
        "explained": call.explained,
        "doubt": diagnosis.doubt if diagnosis else "",
        "causes": [_cause_data(found, call, c) for c in found.answers(call)],
        "tried": [_tried_data(v) for v in diagnosis.tried] if diagnosis else [],
        "patterns": [] if call.explained else list(found.patterns(call.call)),
    }


def _tried_data(verdict: Verdict) -> dict[str, object]:
    return {"changes": list(verdict.names), "left": verdict.left, "of": verdict.seen}


def _cause_data(found: Why, call: CallWhy, variants: Sequence[Verdict]) -> dict[str, object]:
    cause, *others = variants
    return {
        "hypotheses": list(cause.ids),
        "changes": list(cause.names),
        "variants": [list(other.names) for other in others],
        "same_as": [list(names) for names in cause.same_as],
        "left": cause.left,
        "evidence": [_evidence_data(held) for held in evidence(found.trace, call.call, cause)],
    }


def _evidence_data(held: Evidence) -> dict[str, object]:
    return {
        "change": held.change,
        "index": list(held.index),
        "before": held.before,
        "after": held.after,
        "base": None if held.base_line is None else held.base_line.numbers,
        "changed": None if held.changed_line is None else held.changed_line.numbers,
    }
