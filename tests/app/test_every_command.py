"""Each command of the table does what its row says: through the pilot, and in a real terminal."""

import importlib
import pkgutil
import re
import shutil
from collections import Counter
from dataclasses import dataclass

from textual.binding import Binding
from textual.screen import Screen

import qdbg.app
from qdbg.app.app import QdbgApp
from qdbg.app.plan import plan_of_words
from qdbg.app.theme import DARK, LIGHT
from qdbg.commands import BY_ID
from qdbg.session import load
from tests.app import idle
from tests.app.conftest import screen_text
from tests.app.terminal import SESSIONS, Terminal

SESSION = SESSIONS / "mystery.qdbg"
LEAVE = ("escape",)
WHEEL_DOWN = 65


@dataclass
class Press:
    """Keys, and what the screen shows after them."""

    keys: tuple[str, ...]
    shown: object
    """A function of the screen's text, or words."""
    command: str = ""
    """The command of the table that the keys give; empty for keys of a window."""


WALK = (
    *("next", "back", "finish", "finish", "finish-back", "continue", "next-difference"),
    *("next-difference", "previous-difference", "largest-difference", "end", "continue-back"),
    *("previous-layer-difference", "start", "next-layer-difference", "next-saturation"),
    *("previous-saturation", "undo", "redo", "start", "continue", "origin", "start", "continue"),
)
"""Moves, one after the other; a debugger without a screen makes the same ones."""

ROWS = (
    *(("last", 15), ("up", 14), ("first", 0), ("down", 1)),
    *(("left", 0), ("right", 1), ("next-channel", 2), ("previous-channel", 1)),
    *(("next-plane", 1), ("previous-plane", 1), ("page-down", 9), ("page-up", 1)),
)
"""Moves in a table of 16 rows, which has one axis only, and where they lead to."""

TYPED = (
    *("element 3", "break saturation", "disable 2", "enable 2", "delete 2", "watch-panel"),
    *("watch-panel", "set fc1.b[3] = 5", "unset"),
)
"""Commands that are typed after a colon, most of them because they have no key."""

ASKED = "go to, or run"

WINDOWS = (
    ("into", "pairs behind", LEAVE),
    ("scroll-down", "▶ clamp", ()),
    ("scroll-up", "▶ clamp", ()),
    ("break", "", ()),
    ("breakpoints", "d remove", LEAVE),
    ("watch", "fc1:linear.clamp[1]  acc", ()),
    ("watches", "v panel on or off", LEAVE),
    ("mark", "press a letter", ("x",)),
    ("jump", "x  fc1:linear.clamp[1]", ("x",)),
    ("go", "a layer, a stage or an element", LEAVE),
    ("filter", "show only", ("c", "equals_sign", "1", "enter")),
    ("out", "8 of 16 differ", ()),
    ("arithmetic", "differences that each leaves", LEAVE),
    ("diagnose", "Explained: pair-saturation", LEAVE),
    ("feed", "simulated values fed on", ("i",)),
    ("set", "what if another number", LEAVE),
    ("changes", "nothing is changed", LEAVE),
    ("original", "nothing is changed", ()),
    ("base", "0x7c", ("x", "x", "x")),
    ("values", "real values", ("V", "V")),
    ("copy", "copy", LEAVE),
    ("code", "Python", LEAVE),
    ("view", "are no image", ()),
    ("layers", "layers in the file", LEAVE),
    ("picture", "Picture saved", ()),
    ("save", "Session saved", ()),
    ("sessions", "sessions in sessions/", LEAVE),
    ("palette", "back one stage", LEAVE),
    ("help", "Lower case goes forward", LEAVE),
    ("tour", "tour 1 of", ("T",)),
)
"""Commands that open or say something: what is seen then, and the keys that lead back."""


def at(debugger, *, because=False):
    """The condition that the screen shows the debugger's step and element, or also its reason."""
    step = f"step {debugger.stop.mark.step + 1}/{len(debugger.trace)}   ■ "
    words = step + (debugger.stop.reason[:60] if because else "")
    row = re.compile(rf"│▌.? +{debugger.element} ")
    return lambda text: words in text and row.search(text)


def key_of(name):
    return (BY_ID[name].keys[0],)


def script():
    """Every command of the table, and what is seen after it."""
    debugger = load(SESSION).debugger()
    debugger.execute("arithmetic textbook")
    yield Press((), "d: why")
    for name in WALK:
        debugger.execute(name)
        yield Press(key_of(name), at(debugger), name)
    for name, row in ROWS:
        debugger.execute(f"element {row}")
        yield Press(key_of(name), at(debugger), name)
    here = at(debugger)
    for name, words, back in WINDOWS:
        yield Press(key_of(name), words, name)
        if back:
            yield Press(back, lambda text, w=words: here(text) and w not in text)
    debugger.execute("break")
    for text in TYPED:
        yield Press(key_of("go"), ASKED)
        if BY_ID[text.partition(" ")[0]].recorded:
            debugger.execute(text)
        typed = ("space" if sign == " " else sign for sign in text)
        said = at(debugger, because=not text.startswith("element"))
        yield Press((*typed, "enter"), lambda s, said=said: said(s) and ASKED not in s, text)
    yield Press(key_of("explain"), lambda text: "╭─ formula" not in text, "explain")
    yield Press(key_of("explain"), "╭─ formula")
    yield Press(key_of("home"), "go on with", "home")
    debugger.execute("element 3")
    yield Press(key_of("resume"), at(debugger), "resume")


def test_the_script_has_every_command_of_the_table():
    driven = {step.command.partition(" ")[0] for step in script()} - {""}
    assert driven == set(BY_ID) - {"theme", "quit"}, "those two are pressed by each test below"


async def test_each_command_does_through_the_pilot_what_the_table_says(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    app = app_of(shutil.copy(SESSION, tmp_path))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        for step in script():
            await pilot.press(*step.keys)
            await until(pilot, step)
        await pilot.press("t")
        assert app.theme == LIGHT.name
        await pilot.press("q")
    assert app.return_value == 0


async def until(pilot, step):
    shows = step.shown if callable(step.shown) else lambda text: step.shown in text

    def seen():
        """With the messages over the screen, or below them."""
        found = shows(screen_text(pilot.app))
        if not found:
            pilot.app.clear_notifications()
        return found

    await idle.until(pilot, seen)


def app_of(path):
    return QdbgApp(plan_of_words([str(path), "--arith", "textbook"]))


def test_each_command_does_in_a_terminal_what_the_table_says(tmp_path):
    session = shutil.copy(SESSION, tmp_path)
    with Terminal(session, "--arith", "textbook", cwd=tmp_path, colours=True) as terminal:
        terminal.until("d: why")
        assert terminal.screen.buffer[5][60].bg == DARK.background.lstrip("#")
        terminal.colours = False
        for step in script():
            terminal.press(*step.keys).until(step.shown)
        terminal.colours = True
        terminal.press("t")
        terminal.until(lambda _: terminal.screen.buffer[5][60].bg == LIGHT.background.lstrip("#"))
        terminal.press("q")
        assert terminal.ended() == 0


def test_the_mouse_selects_scrolls_opens_and_presses_the_keys_of_the_footer(tmp_path):
    with Terminal(SESSION, "--arith", "textbook", size=(120, 24), cwd=tmp_path) as terminal:
        terminal.until("d: why")
        terminal.click_on("c continue").until("difference, 8 of 16 differ")
        terminal.click_on("+17").until(lambda text: re.search(r"│▌≠ 10 ", text))
        terminal.click_on(" 10 ", button=WHEEL_DOWN, times=2)
        terminal.until(lambda text: " 15 " in text and not re.search(r"│.≠  1 ", text))
        terminal.click_on("· round").until("step 2/20")
        terminal.click_on("c continue").until("difference, 8 of 16 differ")
        terminal.click_on("+12", times=2).until("pairs behind fc1:linear[11]")
        terminal.press("q")
        assert terminal.ended() == 0


def test_no_key_means_two_things_in_one_place():
    for module in pkgutil.iter_modules(qdbg.app.__path__):
        importlib.import_module(f"qdbg.app.{module.name}")
    for screen in screens():
        keys = Counter(key for cls in screen.__mro__ for key in own_keys(cls))
        assert [key for key, count in keys.items() if count > 1] == [], screen.__name__


def own_keys(cls):
    if cls.__module__.startswith("qdbg"):
        for binding in cls.__dict__.get("BINDINGS", ()):
            keys = binding.key if isinstance(binding, Binding) else binding[0]
            yield from keys.split(",")


def screens():
    found = [Screen]
    for screen in found:
        found += screen.__subclasses__()
    return [screen for screen in found if screen.__module__.startswith("qdbg")]
