"""The table of the products behind one accumulator."""

from __future__ import annotations

from collections.abc import Iterator

from qdbg.app.grid import GridColumn, GridRow
from qdbg.app.sources import CHANGED
from qdbg.engine.filled import number
from qdbg.engine.reading import BOTH, BYTE, PLAIN, WORD, Reading
from qdbg.engine.table import NOTHING
from qdbg.engine.terms import Product, Term, Terms

AFTER = 2
"""Lines below the first one of a pair that are to be seen with it."""
PIXEL = "pixel"
"""The heading over the places of a convolution's inputs."""
REAL = ("real x", "real w", "real x·w")
DIGITS = 6
"""Of real values: what is added up stands beside them."""
TERM_BITS = {"x_q": BYTE, "w_q": BYTE, "kept": 2 * BYTE}
"""How many bits a kernel holds the integers of these columns in; 32 for the others."""


class TermTable:
    """The products behind one accumulator, a line each, and a line for each pair's sum."""

    def __init__(self, terms: Terms, before: Terms | None = None, reading: Reading = PLAIN) -> None:
        self.terms, self._reading = terms, reading
        known = any(p.real is not None for term in terms.rows for p in term.products)
        self._real = known and reading.values != PLAIN.values
        self._whole = not self._real or reading.values == BOTH
        self._before = _products(before)
        self._lines: list[tuple[Term, int]] = [
            (term, place) for term in terms.rows for place in range(len(term.products))
        ]
        self.columns = (
            GridColumn("k", 4),
            *((GridColumn(PIXEL, self._widest(terms), left=True),) if self._placed(terms) else ()),
            *self._numbers(changed=before is not None),
        )

    def _numbers(self, *, changed: bool) -> Iterator[GridColumn]:
        """Columns as wide as their numbers are in the chosen base, or as real values; where that is
        much, the ones that follow from others are left out."""
        products = [p for term in self.terms.rows for p in term.products]
        rows, paired = self.terms.rows, self.terms.paired
        mark = len(CHANGED) if changed else 0
        if self._whole:
            yield self._column("x_q" if paired else "x_c", 4 + mark, [p.x for p in products])
            yield self._column("w_q", 5, [p.w for p in products])
            yield self._column("x·w", 6, [p.product for p in products], more=True)
        if self._real:
            for place, title in enumerate(REAL):
                widest = max(len(_real_cells(p)[place]) for p in products)
                yield GridColumn(title, max(widest, len(title)), optional=place == len(REAL) - 1)
        if paired:
            yield self._column("pair sum", 8, [term.total for term in rows], more=True)
            yield self._column("kept", 6, [term.kept for term in rows])
            yield self._column("lost", 6, [term.excess for term in rows], more=True)
        yield self._column("running sum", 11, [term.running for term in rows])

    def _column(
        self, title: str, usual: int, numbers: list[int], *, more: bool = False
    ) -> GridColumn:
        if self._reading.base == PLAIN.base:
            return GridColumn(title, usual, optional=more)
        widest = max((len(self._text(title, n)) for n in numbers), default=0)
        return GridColumn(title, max(usual, widest), optional=more)

    def _text(self, title: str, number: int) -> str:
        return self._reading.text(number, TERM_BITS.get(title, WORD))

    @property
    def placed(self) -> bool:
        """Whether the inputs have places in an image."""
        return self._placed(self.terms)

    @staticmethod
    def _placed(terms: Terms) -> bool:
        return bool(terms.rows and terms.rows[0].products[0].place)

    @staticmethod
    def _widest(terms: Terms) -> int:
        return max(len(p.place) for term in terms.rows for p in term.products)

    @property
    def first_look(self) -> int:
        """A line that is in view together with the first saturating pair; 0 without one."""
        first = next((n for n, (term, _) in enumerate(self._lines) if term.excess), -AFTER)
        return min(first + AFTER, len(self._lines) - 1)

    def __len__(self) -> int:
        """One line per product."""
        return len(self._lines)

    def row(self, index: int) -> GridRow:
        """One product; the pair's sum stands at its last product."""
        term, place = self._lines[index]
        p = term.products[place]
        numbers = (*self._operands(p), self._text("x·w", p.product)) if self._whole else ()
        numbers += _real_cells(p) if self._real else ()
        cells = (str(p.k), p.place, *numbers) if p.place else (str(p.k), *numbers)
        last = place == len(term.products) - 1
        role = "cut" if term.excess else "plain"
        running = self._text("running sum", term.running)
        if not self.terms.paired:
            return GridRow((*cells, running), " ", "", role)
        lost = self._text("lost", term.excess) if term.excess else NOTHING
        pair = (self._text("pair sum", term.total), self._text("kept", term.kept), lost)
        tail = (*pair, running) if last else ("", "", "", "")
        brace = "└" if last and len(term.products) > 1 else "┌" if len(term.products) > 1 else " "
        side = ("↑" if term.excess > 0 else "↓") if term.excess and last else ""
        return GridRow((*cells, *tail), brace, side, role)

    def _operands(self, product: Product) -> tuple[str, ...]:
        """The input and the weight, marked where they are other ones than before."""
        own = product.x, product.w
        before = self._before.get(product.k, own)
        names = ("x_q" if self.terms.paired else "x_c", "w_q")
        texts = map(self._text, names, own)
        return tuple(
            text if n == was else f"{CHANGED}{text}"
            for text, n, was in zip(texts, own, before, strict=True)
        )


def _real_cells(product: Product) -> tuple[str, ...]:
    if product.real is None:
        return (NOTHING,) * len(REAL)
    return tuple(number(value, DIGITS) for value in (*product.real, product.real_product))


def _products(terms: Terms | None) -> dict[int, tuple[int, int]]:
    rows = terms.rows if terms is not None else ()
    return {p.k: (p.x, p.w) for term in rows for p in term.products}
