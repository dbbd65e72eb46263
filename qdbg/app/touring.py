"""The guided tour: a panel below what it talks about, and a key that presses each step's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input, Static

from qdbg.app.keeping import Keeping
from qdbg.app.keyline import KeyLine
from qdbg.app.plan import Plan, plan_of_tour
from qdbg.app.widgets import join
from qdbg.keys import key_sign

if TYPE_CHECKING:
    from qdbg.debugger import Debugger
    from qdbg.tour import Seen, TourStep

LOOK = 0.1
"""Seconds between two looks at where the user is: a diagnosis comes from a thread."""
LEAVE = "T leaves the tour"


@dataclass
class Way:
    """How far the tour is."""

    place: int = 0
    lost: bool = False
    """Whether the user went elsewhere."""
    looked: tuple[object, ...] = ()
    """What was on the screen at the last look."""


class Touring(Keeping):
    """Starts, follows and ends the tour."""

    CSS = """
    MainScreen.touring.-narrow #below, MainScreen.touring.-narrow #range,
    MainScreen.touring.-narrow #legend { display: none; }
    ElementScreen.touring.-narrow #left { height: 7; }
    ElementScreen.touring.-narrow #way { height: 1fr; }
    DiagnosisScreen.touring { align: center top; }
    DiagnosisScreen.touring #box { height: 1fr; max-height: 100%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "tour_on", show=False, priority=True),
        Binding("T", "tour_leave", show=False, priority=True),
    ]

    def __init__(self, plan: Plan | None, theme: str, *, ascii: bool) -> None:
        super().__init__(plan, theme, ascii=ascii)
        self._way: Way | None = None
        self._left: tuple[Debugger, Plan] | None = None
        """What was open before the tour, to come back to."""
        self._looking: Timer | None = None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The tour's keys are its own only while it runs, and never while text is typed."""
        if action in {"tour_on", "tour_leave"}:
            return self._way is not None and not isinstance(self.focused, Input)
        return super().check_action(action, parameters)

    def began(self, debugger: Debugger, plan: Plan) -> None:
        """The tour starts once its session is open, and ends when another one is."""
        super().began(debugger, plan)
        self._way = Way() if plan.tour else None
        if self._looking is not None:
            self._looking.stop()
        self._looking = self.set_interval(LOOK, self._look) if plan.tour else None

    def _do_tour(self) -> None:
        if self._way is not None:
            self.action_tour_leave()
            return
        plan = self.plan
        self._left = None
        self.open(plan_of_tour())
        if self._debugger is not None and plan is not None:
            self._left = self._debugger, replace(plan, kept=self._kept)

    def action_tour_leave(self) -> None:
        """Back to what was open before; else the tour's session stays, to look around in."""
        self._way = None
        if self._looking is not None:
            self._looking.stop()
        for screen in self.screen_stack:
            self._take_away(screen)
        if self._left is not None:
            debugger, plan = self._left
            self._left = None
            self.show_debugger(debugger, plan)

    def action_tour_on(self) -> None:
        """Press the step's key for the user, or come back from elsewhere."""
        from qdbg.tour import TOUR  # noqa: PLC0415 - loaded with the session

        way = self._way
        if way is None:
            return
        if way.lost:
            self._come_back(way)
        elif TOUR[way.place].key:
            self.simulate_key(TOUR[way.place].key)
        else:
            self.action_tour_leave()

    def _come_back(self, way: Way) -> None:
        from qdbg.tour import (  # noqa: PLC0415 - loaded with the session
            DIAGNOSIS,
            ELEMENT,
            TOUR,
            commands_before,
            tour_session,
        )

        debugger = tour_session().debugger()
        for command in commands_before(way.place):
            debugger.execute(command)
        place, plan = way.place, self.plan
        if plan is not None:
            self.show_debugger(debugger, plan)
        self._way = Way(place)
        opens = {ELEMENT: "into", DIAGNOSIS: "diagnose"}.get(TOUR[place].screen)
        if opens is not None:
            self.give(opens)

    # --------------------------------------------------------------------- the panel

    def _look(self) -> None:
        """Follow the user, and tell the step where it stands."""
        from qdbg.tour import TOUR, stands  # noqa: PLC0415 - loaded with the session

        way, seen = self._way, self._seen()
        if way is None or seen is None:
            return
        state = (self.screen, seen.debugger.stop, seen.debugger.trace, seen.diagnosis)
        if state == way.looked and self.screen.query(TourPanel):
            return
        way.looked = state
        after = min(way.place + 1, len(TOUR) - 1)
        if stands(TOUR[after], seen):
            way.place, way.lost = after, False
        else:
            way.lost = not stands(TOUR[way.place], seen)
        self._tell(way, TOUR[way.place], len(TOUR))

    def _seen(self) -> Seen | None:
        from qdbg.app.diagnosis import DiagnosisScreen  # noqa: PLC0415 - loaded with the session
        from qdbg.app.element import ElementScreen  # noqa: PLC0415 - loaded with the session
        from qdbg.app.main import MainScreen  # noqa: PLC0415 - loaded with the session
        from qdbg.tour import DIAGNOSIS, ELEMENT, MAIN, Seen  # noqa: PLC0415 - likewise

        screen = self.screen
        if self._debugger is None:
            return None
        kinds = {MainScreen: MAIN, ElementScreen: ELEMENT, DiagnosisScreen: DIAGNOSIS}
        kind = next((name for cls, name in kinds.items() if isinstance(screen, cls)), "")
        found = screen.found if isinstance(screen, DiagnosisScreen) else None
        return Seen(self._debugger, kind, found)

    def _tell(self, way: Way, step: TourStep, steps: int) -> None:
        screen = self.screen
        panel = next(iter(screen.query(TourPanel)), None)
        if panel is None:
            panel = TourPanel()
            footers = screen.query(KeyLine)
            screen.mount(panel, before=footers.first() if footers else None)
            panel.set_class(not footers, "alone")
            screen.add_class("touring")
        panel.border_title = f"tour {way.place + 1} of {steps}"
        panel.update(_words(way, step))

    @staticmethod
    def _take_away(screen: Screen[object]) -> None:
        screen.remove_class("touring")
        for panel in screen.query(TourPanel):
            panel.remove()


def _words(way: Way, step: TourStep) -> Content:
    if way.lost:
        text = "You went another way, which is fine. Look around as long as you like."
        return join(
            text, ("\n▶ space ", "bold $warning"), (f"back to the tour · {LEAVE}", "$secondary")
        )
    if not step.key:
        return join(step.words, ("\n▶ space ", "bold $warning"), ("ends the tour", "$secondary"))
    press = f"\n▶ press {key_sign(step.key)} "
    rest = f" space presses it for you · {LEAVE}"
    return join(step.words, (press, "bold $warning"), (rest, "$secondary"))


class TourPanel(Static):
    """What is told at one step."""

    DEFAULT_CSS = """
    TourPanel { height: auto; min-height: 5; padding: 0 1; background: $panel;
                border-top: heavy $warning;
                border-title-color: $warning; border-title-style: bold; }
    TourPanel.alone { dock: bottom; }
    """

    def __init__(self) -> None:
        super().__init__(markup=False)
