"""The command table: one row per command feeds bindings, footer, help, palette and README."""

from __future__ import annotations

from dataclasses import dataclass

FOOTER = {"next": 1, "back": 2, "continue": 4, "next-difference": 7}
"""The places of the moves in the footer."""

GROUPS = ("Move in time", "Move on the screen", "Stop points", "Look", "Session")


@dataclass(frozen=True, slots=True)
class Command:
    """One thing the user can do."""

    id: str
    """Stable: what sessions record, scripts name and key maps bind."""
    keys: tuple[str, ...]
    """Textual's key names, the one to show first."""
    label: str
    """For the footer and the palette."""
    help: str
    group: str
    argument: str = ""
    """What the command takes after its id, in words; empty for none."""
    footer: int = 0
    """Its place in the footer, 1 first; 0: not there."""
    recorded: bool = False
    """The debugger runs it, and sessions keep and replay it."""


def _moves() -> tuple[Command, ...]:
    group = "Move in time"
    rows = (
        ("next", ("n", "right", "f10"), "next", "next stage"),
        ("back", ("N", "left"), "back", "back one stage"),
        ("finish", ("f",), "end of layer", "run to the end of this layer, then of the next one"),
        ("finish-back", ("F",), "end of layer before", "back to the end of the layer before"),
        ("continue", ("c", "f5"), "continue", "run to the next difference or breakpoint"),
        ("continue-back", ("C",), "continue back", "run backwards to a difference or breakpoint"),
        ("end", ("r",), "run to end", "run to the end of the model"),
        ("start", ("R",), "run to start", "back to the first stage"),
        ("next-difference", ("right_square_bracket",), "next ≠", "next element that differs"),
        (
            "previous-difference",
            ("left_square_bracket",),
            "previous ≠",
            "previous element that differs",
        ),
        (
            "next-layer-difference",
            ("right_curly_bracket",),
            "next layer ≠",
            "next layer with a difference",
        ),
        (
            "previous-layer-difference",
            ("left_curly_bracket",),
            "previous layer ≠",
            "previous layer with a difference",
        ),
        ("next-saturation", ("greater_than_sign",), "next ↑↓", "next element that saturates"),
        (
            "previous-saturation",
            ("less_than_sign",),
            "previous ↑↓",
            "previous element that saturates",
        ),
        ("largest-difference", ("D",), "largest Δ", "largest |Δ| of this stage"),
    )
    return tuple(
        Command(id_, keys, label, text, group, footer=FOOTER.get(id_, 0), recorded=True)
        for id_, keys, label, text in rows
    )


def _breakpoint_changes() -> tuple[Command, ...]:
    rows = (
        ("enable", "let a breakpoint stop again"),
        ("disable", "keep a breakpoint without stopping at it"),
        ("delete", "remove a breakpoint"),
    )
    argument = "its number in the list, or what it stops at"
    return tuple(
        Command(id_, (), id_, text, "Stop points", argument, recorded=True) for id_, text in rows
    )


COMMANDS: tuple[Command, ...] = (
    *_moves(),
    Command(
        "origin",
        ("O",),
        "origin",
        "go to what this element came from, in the stage or layer before; o or u: back",
        "Move in time",
        "which one, from 1, the largest contribution first; nothing: that one",
        recorded=True,
    ),
    Command(
        "undo",
        ("u",),
        "undo",
        "back to where the last movement began",
        "Move in time",
        recorded=True,
    ),
    Command(
        "redo",
        ("U",),
        "redo",
        "make the movement again that was undone",
        "Move in time",
        recorded=True,
    ),
    Command(
        "go",
        ("colon",),
        "go to",
        "go to a layer, stage or element, or run any command",
        "Move in time",
        "a place: fc1, fc1.mac, fc1.mac[8], [nchw 0,12,3,4], [c=12], or a mark 'a",
        recorded=True,
    ),
    Command(
        "filter",
        ("slash",),
        "filter",
        "show only some rows: ≠, sat, tie, c=8, >100, an expression; esc shows all",
        "Move on the screen",
    ),
    Command(
        "element",
        (),
        "element",
        "select an element of this stage",
        "Move on the screen",
        "its number, from 0",
        recorded=True,
    ),
    Command("down", ("j", "down"), "down", "next element", "Move on the screen"),
    Command("up", ("k", "up"), "up", "element before", "Move on the screen"),
    Command(
        "left", ("h",), "left", "a column to the left; also ← in a picture", "Move on the screen"
    ),
    Command("right", ("l",), "right", "a column on; also → in a picture", "Move on the screen"),
    Command(
        "next-channel",
        ("right_parenthesis",),
        "next channel",
        "the same place in the next channel",
        "Move on the screen",
    ),
    Command(
        "previous-channel",
        ("left_parenthesis",),
        "previous channel",
        "in the channel before",
        "Move on the screen",
    ),
    Command(
        "next-plane",
        ("full_stop",),
        "next sample",
        "in the next sample or depth; behind an element: input channel",
        "Move on the screen",
    ),
    Command(
        "previous-plane",
        ("comma",),
        "previous sample",
        "in the one before",
        "Move on the screen",
    ),
    Command("first", ("g", "home"), "first", "first element", "Move on the screen"),
    Command("last", ("G", "end"), "last", "last element", "Move on the screen"),
    Command("page-down", ("ctrl+d", "pagedown"), "page down", "a page down", "Move on the screen"),
    Command("page-up", ("ctrl+u", "pageup"), "page up", "a page up", "Move on the screen"),
    Command("scroll-down", ("J",), "scroll", "scroll the panel beside", "Move on the screen"),
    Command("scroll-up", ("K",), "scroll back", "scroll it back", "Move on the screen"),
    Command(
        "into",
        ("s", "enter", "f11"),
        "into",
        "the whole computation of this element",
        "Move on the screen",
        footer=3,
    ),
    Command("out", ("o", "escape"), "out", "back to the table", "Move on the screen"),
    Command(
        "break",
        ("b", "f9"),
        "breakpoint",
        "set or clear a breakpoint here, or at a place",
        "Stop points",
        "a place (fc1, fc1.mac, fc1.mac[8]), difference, saturation, tie, or an expression such as "
        "abs(delta) > 1 and c == 8; nothing: here",
        recorded=True,
        footer=9,
    ),
    Command(
        "breakpoints",
        ("B",),
        "breakpoints",
        "list the breakpoints: how often each was hit, on or off, remove",
        "Stop points",
    ),
    *_breakpoint_changes(),
    Command(
        "watch",
        ("w",),
        "watch",
        "watch the value under the cursor, or stop watching it",
        "Stop points",
        "an element (fc1[8]) or an expression (y_q - y_zp, delta); nothing: this element",
        recorded=True,
    ),
    Command(
        "watches",
        ("W",),
        "watches",
        "list the watches: values so far, another one, remove",
        "Stop points",
    ),
    Command("watch-panel", (), "watch panel", "show or hide the watches", "Stop points"),
    Command(
        "mark",
        ("m",),
        "mark",
        "name this place with a letter",
        "Stop points",
        "a letter",
        recorded=True,
    ),
    Command("jump", ("apostrophe",), "go to mark", "go back to a named place", "Stop points"),
    Command(
        "arithmetic",
        ("a",),
        "arithmetic",
        "choose which arithmetic is simulated",
        "Look",
        "auto, textbook, or an engine and level such as fbgemm-avx2",
        recorded=True,
        footer=8,
    ),
    Command(
        "diagnose",
        ("d",),
        "why",
        "why it differs: change one assumption after the other",
        "Look",
        footer=4,
    ),
    Command(
        "feed",
        ("i",),
        "feed",
        "feed each layer PyTorch's integers, or the simulated ones",
        "Look",
        "captured or simulated; nothing: the other one",
        recorded=True,
        footer=11,
    ),
    Command(
        "set",
        ("equals_sign",),
        "what if",
        "what if a number of this element were another one",
        "Look",
        "a number and its value: fc1.w_q[8,3] = -12, input[2] = 5.1, arithmetic = textbook",
        recorded=True,
    ),
    Command(
        "unset",
        (),
        "undo what if",
        "take back the last change of a number, or the one named",
        "Look",
        "a number that is changed, or all; nothing: the last one",
        recorded=True,
    ),
    Command(
        "original",
        ("z",),
        "original",
        "the original run, and back to the changed one",
        "Look",
        recorded=True,
    ),
    Command("changes", ("Z",), "changes", "list the changed numbers, take one back", "Look"),
    Command("base", ("x",), "base", "decimal, hex, binary or two's complement in a table", "Look"),
    Command("values", ("V",), "real values", "integers, real values or both in a table", "Look"),
    Command("copy", ("y",), "copy", "copy the value, the row, the table or the formula", "Look"),
    Command(
        "code",
        ("Y",),
        "as code",
        "this element's whole computation as a Python or C program",
        "Look",
    ),
    Command(
        "view",
        ("v",),
        "view",
        "table, one channel, one pixel, or the feature map as a picture",
        "Look",
    ),
    Command("layers", ("L",), "layers", "weights, scales and zero points of the file", "Look"),
    Command("explain", ("e",), "explain", "show or hide the explanation", "Look"),
    Command(
        "theme", ("t",), "theme", "dark, light, high contrast, the terminal's own colours", "Look"
    ),
    Command("picture", ("P",), "picture", "save the screen as an SVG picture", "Session"),
    Command(
        "save",
        ("ctrl+s",),
        "save",
        "save the session under sessions/",
        "Session",
        "in a script: the file, NAME.qdbg",
        footer=10,
    ),
    Command(
        "resume",
        ("ctrl+r",),
        "go on",
        "go on where this run was left last time; after an error: try again",
        "Session",
    ),
    Command("home", ("H",), "start screen", "start screen: recent sessions, examples", "Session"),
    Command("tour", ("T",), "tour", "a guided tour of two minutes; again: leave it", "Session"),
    Command("sessions", ("S",), "sessions", "open another session", "Session"),
    Command("palette", ("ctrl+p",), "palette", "find and run any command", "Session"),
    Command("help", ("question_mark", "f1"), "help", "this list of keys", "Session", footer=5),
    Command("quit", ("q", "ctrl+q"), "quit", "leave qdbg", "Session", footer=6),
)
"""Every command, by group in the order of the help screen."""

BY_ID: dict[str, Command] = {command.id: command for command in COMMANDS}
"""The table by id."""
