"""One element as text: each product, each pair, and the whole way to the result."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from qdbg.core.op import NotSimulated
from qdbg.engine.browse import place_of
from qdbg.engine.explain import way
from qdbg.engine.step import Step
from qdbg.engine.terms import Term, Terms, lost_outputs, terms
from qdbg.engine.trace import Trace
from qdbg.errors import CommandError
from qdbg.headless.differences import call_differences, order_of, plain, signed
from qdbg.headless.show import aligned, call_title
from qdbg.places import find_place


def element_text(trace: Trace, text: str) -> str:
    """The drill-down of the element that the text names: `fc1:linear[8]`.

    Raises CommandError where there is no such element.
    """
    place = find_place(trace, text)
    if place is None or place.element is None:
        calls = ", ".join(node.name for node in trace.nodes)
        raise CommandError(
            f"--element {text!r} names no element of this run",
            expected=f"call[element], such as fc1:linear[8]{_axes(trace, text)}",
            remedy=f"Calls: {calls}",
        )
    with np.errstate(all="ignore"):
        step = trace.step(place.step)
        parts = [_head(trace, step, place.element)]
        if step.simulation is not None:
            parts += [_products(trace, step, place.element), _way(step, place.element)]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _axes(trace: Trace, text: str) -> str:
    """Which elements the place has, where only its element is wrong."""
    place = find_place(trace, text.partition("[")[0])
    if place is None:
        return ""
    step = trace.step(place.step)
    last = place_of(step, step.size - 1) if step.size else "none"
    own = f"; elements of {step.name} go up to [{last}]"
    result = ",".join(str(n - 1) for n in step.node.shape)
    letters = order_of(step.node)
    return f"{own}, in PyTorch's order [{letters} {result}]" if letters and step.moved else own


def _head(trace: Trace, step: Step, element: int) -> list[str]:
    source = f", {step.node.source}" if step.node.source else ""
    return [
        f"{step.name}[{place_of(step, element)}]  {call_title(trace, step.call)}{source}, "
        f"under {trace.arithmetic.name}",
        _result(trace, step, element),
    ]


def _result(trace: Trace, step: Step, element: int) -> str:
    """The result's two values where the element is one of the result's, else what is known."""
    made = trace.simulation(step.call)
    if isinstance(made, NotSimulated):
        captured = trace.recording.values[step.call]
        return f"captured {plain(captured.flat[element].item())}; not simulated: {made}"
    last = trace.step(trace.first_steps[step.call + 1] - 1)
    if last.captured is None or last.simulated is None or last.size != step.size or step.of_inputs:
        return f"{step.stage.output if step.stage else 'result'}: PyTorch does not expose it"
    here = slice(element, element + 1)  # the stages have the channels on their last axis
    simulated = last.simulated.astype(last.captured.dtype)
    pair = last.captured.reshape(-1)[here], simulated.reshape(-1)[here]
    found = call_differences(step.node.name, pair[1], pair[0])
    change = signed(found.elements[0].delta) if found else "0"
    values = [plain(array[0].item()) for array in pair]
    return f"captured {values[0]}   simulated {values[1]}   Δ {change}"


def _products(trace: Trace, step: Step, element: int) -> list[str]:
    found = terms(step, element, trace.captured_arithmetic)
    if found is None:
        return []
    how = "products"
    if found.paired:
        how = f"products as {found.arithmetic} adds them: by twos, each pair's sum kept in int16"
    who = f"by {found.kernel.library}: {found.kernel.why}"
    table = aligned(list(_rows(found)), right=set(range(8)))
    return [how, who, *table, *_totals(step, element, found)]


def _rows(found: Terms) -> Iterator[tuple[str, ...]]:
    placed = any(product.place for term in found.rows for product in term.products)
    where = ("of pixel",) if placed else ()
    if not found.paired:
        yield ("k", "x_q − x_zp", "w_q − w_zp", "product", "running sum", *where)
    else:
        yield ("k", "x_q", "w_q", "product", "pair sum", "kept", "lost", "running sum", *where)
    for term in found.rows:
        for product in term.products:
            cells = tuple(str(n) for n in (product.k, product.x, product.w, product.product))
            at = (product.place,) if placed else ()
            yield (*cells, *_sums(term, found.paired, product is term.products[-1]), *at)


def _sums(term: Term, paired: bool, last: bool) -> tuple[str, ...]:
    if not paired:
        return (str(term.running),)
    if not last:
        return ("", "", "", "")
    side = "↑" if term.excess > 0 else "↓"
    lost = f"{term.excess} {side}" if term.excess else "0"
    return (str(term.total), str(term.kept), lost, str(term.running))


def _totals(step: Step, element: int, found: Terms) -> list[str]:
    if not found.paired:
        return []
    if not found.saturating:
        return [f"no pair saturates in {found.arithmetic}"]
    count = len(found.saturating)
    pairs = "1 pair saturates" if count == 1 else f"{count} pairs saturate"
    worth = lost_outputs(step, element, found)
    steps = f", worth {worth:.4g} steps of the result" if worth is not None else ""
    return [f"{pairs} in {found.arithmetic}: {found.excess} is lost from the sum{steps}"]


def _way(step: Step, element: int) -> list[str]:
    lines = ["the whole way to the result"]
    for line in way(step, element):
        lines += [f"  {line.symbols}", f"      {line.numbers}"]
    return lines
