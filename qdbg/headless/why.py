"""`qdbg why`: causes with their proofs as text for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from qdbg.assumptions import Hypothesis, registry
from qdbg.core.words import counted
from qdbg.engine.evidence import Evidence, evidence
from qdbg.engine.terms import Terms
from qdbg.engine.together import CallWhy, Together, ids_of
from qdbg.engine.verdict import Diagnosis, Verdict
from qdbg.engine.why import SIMULATED, Why
from qdbg.headless.separating import Separation
from qdbg.headless.show import aligned

SHOWN_TRIES = 3
"""How many of the changes that leave least are named where nothing explains a call."""
SHOWN_PAIRS = 3
WIDTH = 96


def list_text() -> str:
    """Every hypothesis with its id, its line and its source."""
    lines = []
    for hypothesis in registry().values():
        lines += [f"{hypothesis.id}", f"    {hypothesis.title}", f"    source: {hypothesis.source}"]
    return "\n".join(lines)


def why_text(found: Why, tests: Sequence[Separation] = ()) -> str:
    """A head, a part for each call that differs, and the verdict."""
    parts = [_head(found)]
    asked = {test.name for test in tests}
    parts += [_call(found, call, call.name in asked) for call in found.calls]
    parts += [list(found.notes)]
    parts += [list(_separation(test)) for test in tests]
    parts += [list(_meaning(found)), list(_verdict(found))]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _head(found: Why) -> list[str]:
    recording, name = found.trace.recording, found.trace.arithmetic.name
    ran = recording.environment
    sides = (
        f"simulated  {name}, each call fed PyTorch's integers"
        if found.side == SIMULATED
        else f"golden     your {_kind(found)}, against PyTorch's; assumptions of {name}"
    )
    return [
        f"model      {recording.model}",
        f"sample     {recording.sample}",
        f"captured   {ran.engine}/{ran.cpu}, PyTorch {ran.torch}",
        sides,
    ]


def _kind(found: Why, call: int | None = None) -> str:
    """What the other side holds, or holds of one call."""
    held = found.targets.values() if call is None else [found.targets[call]]
    return "numbers" if any(array.dtype.kind == "f" for array in held) else "integers"


def _call(found: Why, call: CallWhy, asked: bool) -> list[str]:
    lines = [
        f"{call.name}: {call.differences} of {call.elements} differ, max |Δ| {call.max_delta:.6g}"
    ]
    if call.note:
        lines.append(f"  {call.note}")
    if call.diagnosis is None:
        return lines
    answers = found.answers(call)
    if not answers:
        return [*lines, *_unexplained(found, call.diagnosis, call.call)]
    if call.diagnosis.doubt:
        return [*lines, *_in_doubt(found, call, answers, asked)]
    shown = _shown(found, call)
    if len(shown) > 1:
        apart = f"these {_kind(found, call.call)} do not tell"
        apart = "no input that was tried tells" if asked else apart
        hint = ":" if asked else " (--separate does):"
        lines.append(f"  {len(shown)} causes leave nothing, and {apart} them apart{hint}")
    for variants in shown:
        lines += _cause(found, call, variants)
    if len(shown) < len(answers):
        also = ", ".join(" + ".join(variants[0].names) for variants in answers[len(shown) :])
        lines += _wrapped("also leave nothing here, but not in all calls: ", also)
    if not call.diagnosis.exhaustive:
        lines.append("  not every set of so many changes was tried")
    return lines


def _shown(found: Why, call: CallWhy) -> Sequence[Sequence[Verdict]]:
    """The answers that go with the smallest sets for the whole run; all of them where none does."""
    answers = found.answers(call)
    return answers[: found.likeliest(call)] or answers


def _in_doubt(
    found: Why, call: CallWhy, answers: Sequence[Sequence[Verdict]], asked: bool
) -> Iterator[str]:
    """What gives the numbers, and why that does not prove it."""
    assert call.diagnosis is not None  # noqa: S101 - for the type checker: it has answers
    for words in found.patterns(call.call):
        yield f"  {words}"
    hint = "" if asked else " (--separate runs another input)"
    yield f"  cannot tell: {call.diagnosis.doubt}{hint}"
    for variants in answers:
        yield from _cause(found, call, variants, "fits ")


def _cause(
    found: Why, call: CallWhy, variants: Sequence[Verdict], label: str = "cause"
) -> Iterator[str]:
    cause, *others = variants
    yield f"  {label}  {' + '.join(cause.names)}: leaves 0 of {call.elements}"
    if others:
        yield f"         and so does {', '.join(' + '.join(v.names) for v in others)}"
    for names in cause.same_as:
        yield f"         the same here as {' + '.join(names)}"
    for held in evidence(found.trace, call.call, cause):
        yield from _proof(call, held)


def _meaning(found: Why) -> Iterator[str]:
    """What each cause that was named says, where it is known from, and what to do."""
    named: dict[str, Hypothesis] = {}
    for call in found.calls:
        for cause in (variants[0] for variants in _shown(found, call)):
            named.update({c.hypothesis.id: c.hypothesis for c in cause.changes})
    for id_, hypothesis in named.items():
        yield f"{id_}: {hypothesis.title}"
        yield from _wrapped("known from: ", hypothesis.source)
        yield from _wrapped("what to do: ", hypothesis.advice)


def _wrapped(label: str, text: str) -> list[str]:
    indent = " " * (len(label) + 2)
    return wrap(text, WIDTH, initial_indent=f"  {label}", subsequent_indent=indent)


def _proof(call: CallWhy, held: Evidence) -> Iterator[str]:
    before, after = held.told
    yield f"  proof  {held.change} at {call.name}[{held.place}]: {before} becomes {after}"
    if held.base_line is not None:
        yield f"           before   {held.base_line.symbols}"
        yield f"                    {held.base_line.numbers}"
    if held.changed_line is not None:
        yield f"           changed  {held.changed_line.symbols}"
        yield f"                    {held.changed_line.numbers}"
    if held.terms is not None:
        yield from _pairs(held.terms, held.worth)


def _pairs(found: Terms, worth: float | None) -> Iterator[str]:
    for term in found.saturating[:SHOWN_PAIRS]:
        products = " + ".join(
            f"{p.x}·{p.w}" if p.w >= 0 else f"{p.x}·({p.w})" for p in term.products
        )
        ks = ",".join(str(p.k) for p in term.products)
        yield (
            f"           pair k={ks}: {products} = {term.total}, kept {term.kept},"
            f" {abs(term.excess)} lost"
        )
    more = len(found.saturating) - SHOWN_PAIRS
    if more > 0:
        yield f"           and {counted(more, 'more pair')}"
    if worth is not None:
        yield f"           lost in all: {found.excess}, worth {worth:.4g} steps of the result"


def _unexplained(found: Why, diagnosis: Diagnosis, call: int) -> Iterator[str]:
    for words in found.patterns(call):
        yield f"  {words}"
    yield f"  unexplained: none of {len(diagnosis.tried)} changed assumptions, alone or together,"
    rows = [
        (f"  {' + '.join(v.names)}", f"leaves {v.left} of {v.seen}")
        for v in diagnosis.better[:SHOWN_TRIES]
    ]
    yield "  leaves nothing. What leaves least:" if rows else "  leaves nothing."
    yield from aligned(rows)


def _separation(test: Separation) -> Iterator[str]:
    yield f"{test.name}: telling {len(test.causes)} causes apart"
    if test.fed is None:
        yield f"  no input was found on which they differ ({test.tried} tried)"
        return
    yield f"  ran an input of {test.tried} tried on which they give different integers"
    if test.simulated:
        yield "  (by the captured engine's arithmetic: it gives every integer of this session)"
    for cause, left in zip(test.causes, test.left, strict=True):
        verdict = "survives" if left == 0 else f"ruled out: leaves {left}"
        yield f"  {' + '.join(cause)}: {verdict}"


def _verdict(found: Why) -> Iterator[str]:
    name = found.trace.arithmetic.name
    if not found.calls and not found.misplaced:
        whose = "the captured integers" if found.side == SIMULATED else f"your {_kind(found)}"
        if not found.not_simulated:
            yield f"Nothing differs: {name} gives all of {whose}."
        elif found.side == SIMULATED:
            none = found.not_simulated == len(found.trace.nodes)
            what = "Nothing can be compared: of the calls" if none else "Nothing differs of what"
            yield f"{what} {name} simulates{' none' if none else ''}."
        else:
            yield f"Nothing differs: PyTorch gives all of {whose}."
    for each, *variants in _by_ids(found.together)[:SHOWN_TRIES]:
        names = " + ".join(each.least)
        if found.side == SIMULATED:
            yield f"{name} with {names} changed leaves 0 of {each.elements} in the whole run."
        else:
            yield f"Smallest set for all calls: {names}. It leaves 0 of {each.elements}."
        if variants:
            yield f"  And so does {', '.join(' + '.join(other.least) for other in variants)}."
    doubtful = [call for call in found.calls if not call.explained and found.answers(call)]
    unknown = [call.name for call in found.calls if not call.explained and call not in doubtful]
    if doubtful:
        yield f"Not proved: {', '.join(call.name for call in doubtful)}."
    if unknown:
        yield f"Unexplained: {', '.join(unknown)}."
    if found.misplaced:
        where = ", ".join(found.misplaced)
        yield f"Of {where} only the order differs: the numbers are not in PyTorch's places."
    if found.not_simulated:
        yield f"{counted(found.not_simulated, 'call is', 'calls are')} not simulated."


def _by_ids(sets: Sequence[Together]) -> list[list[Together]]:
    """The sets, those together that differ in variants only."""
    found: dict[frozenset[str], list[Together]] = {}
    for each in sets:
        found.setdefault(ids_of(each.least), []).append(each)
    return list(found.values())
