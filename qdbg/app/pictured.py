"""The feature map with the facts of its element beside it, and the words about what is seen."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content
from textual.events import Resize

from qdbg.app.brush import RAMP
from qdbg.app.framed import Framed, Segments
from qdbg.app.looks import few_colors
from qdbg.app.picture import FeatureMap
from qdbg.app.widgets import Part, join
from qdbg.app.words import Words
from qdbg.engine.browse import Axes, axes_of
from qdbg.engine.filled import number
from qdbg.engine.picture import Picture
from qdbg.engine.step import Step
from qdbg.engine.table import NOTHING, SIDES, signed
from qdbg.names import VIEWS

Parts = list[Part]
NEXT = "\n"
BESIDE, BESIDE_IF_LOW, LOW = 64, 50, 16
"""From this width on the facts stand beside the picture, else below it; on low screens earlier."""


class Pictured(Framed):
    """A feature map, and what is known of the element under its cursor."""

    DEFAULT_CSS = """
    Pictured { width: 1fr; layout: vertical; }
    Pictured.-beside { layout: horizontal; }
    Pictured FeatureMap { width: 1fr; height: 1fr; }
    Pictured #facts { height: 5; width: 1fr; padding: 0 1; }
    Pictured.-beside #facts { height: 1fr; width: 27; padding: 0 0 0 2; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._element = 0

    def compose(self) -> ComposeResult:
        """The picture and the facts."""
        yield FeatureMap(id="pixels")
        yield Words(id="facts")

    def draw_line(self, y: int) -> Segments:
        """Nothing: the picture and the facts cover all of it."""
        del y
        return []

    @property
    def map(self) -> FeatureMap:
        """The picture itself."""
        return self.query_one("#pixels", FeatureMap)

    def on_mount(self) -> None:
        """The shades of the scale are those of the theme."""
        self.app.theme_changed_signal.subscribe(self, self._theme_changed)

    def _theme_changed(self, _: object) -> None:
        self.screen.call_after_refresh(self._repaint)  # unless that is left before

    def _repaint(self) -> None:
        self.map.repaint()
        self._say()

    def on_resize(self, event: Resize) -> None:
        """Choose where the facts stand."""
        low = event.size.height < LOW and event.size.width >= BESIDE_IF_LOW
        self.set_class(low or event.size.width >= BESIDE, "-beside")

    def on_feature_map_fitted(self, event: FeatureMap.Fitted) -> None:
        """Say what is seen now."""
        event.stop()
        self._say()

    def show(self, step: Step, element: int) -> None:
        """Show the element in the picture of its channel."""
        picture = self.map.picture
        if picture is None or not picture.shows(step, element):
            picture = Picture(step, element)
        self.map.show(picture, element)
        self._element = element
        self._say()

    def _say(self) -> None:
        picture, element = self.map.picture, self._element
        if picture is None:
            return
        beside = self.has_class("-beside")
        facts = (facts_beside if beside else facts_below)(picture, element, self._view(beside))
        self.query_one("#facts", Words).say(facts)

    def _view(self, beside: bool) -> Parts:
        """The scale of the shades, and which part of the picture is seen."""
        picture, seen = self.map.picture, self.map.seen
        if picture is None:
            return []
        low, high = (number(end) for end in picture.ends)
        names = ("qmin ", " qmax") if picture.step.bytes is not None else ("", "")
        found: Parts = [(f"{names[0]}{low} ", "$secondary"), *self._shades()]
        found.append((f" {high}{names[1]}", "$secondary"))
        if seen:
            found.append((f"{NEXT if beside else '   '}seen {seen}", "$secondary"))
        return found

    def _shades(self) -> Parts:
        if few_colors(self):
            return [RAMP]
        colors = self.map.palette.ramp[1::2]
        return [(" ", f"on {color.hex6}") for color in colors]


def facts_below(picture: Picture, element: int, view: Parts) -> Content:
    """Five lines."""
    values: list[Part] = []
    for name, text, style in _values(picture.step, element):
        values += [(f"{name} ", "$secondary"), (f"{text}   ", style)]
    return join(
        (f"element {element}   ", "bold"),
        _placed(picture.axes, element),
        _torch(picture.axes, element),
        "\n",
        *values,
        "\n",
        _counted(picture, "   "),
        "\n",
        *view,
    )


def facts_beside(picture: Picture, element: int, view: Parts) -> Content:
    """A column."""
    values: list[Part] = []
    for name, text, style in _values(picture.step, element):
        values += [(f"{name:<11}", "$secondary"), (f"{text}\n", style)]
    return join(
        (f"element {element}\n", "bold"),
        _placed(picture.axes, element),
        _torch(picture.axes, element),
        "\n\n",
        *values,
        "\n",
        _counted(picture, "\n"),
        "\n\n",
        *view,
    )


def _placed(axes: Axes, element: int) -> Content:
    parts: list[Part] = []
    for letter, place in axes.placed(element).items():
        parts += [(f"{'  ' if parts else ''}{letter} ", "$secondary"), (str(place), "bold")]
    return join(*parts)


def _torch(axes: Axes, element: int) -> Part:
    """The index in PyTorch's order, where that is another one."""
    order, index = axes.torch_order, axes.index(element)
    words = f"\nPyTorch's [{','.join(str(index[i]) for i in order)}]" if order else ""
    return words, "$secondary"


def _values(step: Step, element: int) -> list[tuple[str, str, str]]:
    """What is simulated, captured, and how they compare: name, value, style."""
    index = step.index_of(element)
    own = step.stage.output if step.stage is not None else "simulated"
    found = []
    for name, values in ((own, step.simulated), ("captured", step.captured)):
        text = NOTHING if values is None else number(values[index])
        found.append((name, text, "bold"))
    if step.delta is None or step.different is None:
        delta = ("Δ", NOTHING, "")
    elif step.different[index]:
        delta = ("Δ", f"{signed(step.delta[index])} ≠", "bold $warning")
    else:
        delta = ("Δ", f"{signed(step.delta[index])} ✓", "$success")
    side = "" if step.cut is None else SIDES[int(step.cut[index])]
    cut = [("saturated", side, "bold $accent")] if side else []
    return [*found, delta, *cut]


def _counted(picture: Picture, gap: str) -> Content:
    counts, step = picture.counts, picture.step
    parts: list[Part] = [("here ", "$secondary")]
    if counts.differences is None:
        parts.append(("nothing to compare", "$secondary"))
    elif not step.differences:
        parts = [("✓ no channel differs", "$secondary")]
    else:
        parts.append((f"{counts.differences} ≠", "bold $warning" if counts.differences else ""))
        parts.append((f" of {step.differences}", "$secondary"))
    if step.saturations:
        parts.append((f"{gap}{'     ' if gap == NEXT else ''}", ""))
        parts.append((f"{counts.cut} ↑↓", "bold $accent" if counts.cut else ""))
        parts.append((f" of {step.saturations}", "$secondary"))
    return join(*parts)


def part_title(axes: Axes, view: str, element: int) -> str:
    """What the view shows of a step that is an image: `channel 12 of 64`."""
    if not axes.spatial or view == VIEWS[0]:
        return ""
    index = axes.index(element)
    channel = axes.among(axes.channels, element)
    parts = [f"channel {channel} of {axes.size(axes.channels)}"]
    if view == "pixel":
        parts = ["pixel " + " ".join(f"{axes.letters[i]}={index[i]}" for i in axes.spatial)]
    parts += [
        f"{axes.letters[i]}={index[i]}"
        for i in axes.planes
        if axes.shape[i] > 1 and i not in axes.seen(view)
    ]
    return " ".join(parts)


def views_line(step: Step, view: str) -> str:
    """The views, with the one that is seen between signs; empty for a step that is no image."""
    if not axes_of(step).spatial:
        return ""
    names = (f"▸{name}◂" if name == view else name for name in VIEWS)
    return f"v  {' · '.join(names)}"
