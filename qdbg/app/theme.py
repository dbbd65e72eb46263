"""The looks. Blue and orange carry meaning, never red against green, and never colour alone."""

from __future__ import annotations

from textual.theme import Theme

from qdbg.names import THEME_NAMES

DARK = Theme(
    name="qdbg-dark",
    primary="#7aa2d6",
    secondary="#8b94a7",
    accent="#6cc5e8",
    warning="#f0a24b",
    error="#f0a24b",
    success="#7fb3d9",
    foreground="#d8dce4",
    background="#14171d",
    surface="#191d24",
    panel="#222833",
    dark=True,
    variables={
        "footer-key-foreground": "#f0a24b",
        "block-cursor-background": "#2c3f57",
        "border": "#3a4352",
    },
)

LIGHT = Theme(
    name="qdbg-light",
    primary="#1f5fa8",
    secondary="#5b6473",
    accent="#0b6f99",
    warning="#9e4f00",
    error="#9e4f00",
    success="#1f5fa8",
    foreground="#1d232b",
    background="#fbfbf9",
    surface="#f3f3ef",
    panel="#e6e8e6",
    dark=False,
    variables={
        "footer-key-foreground": "#9e4f00",
        "block-cursor-background": "#cfe0f2",
        "border": "#b4bac2",
    },
)

CONTRAST = Theme(
    name="qdbg-contrast",
    primary="#8cc8ff",
    secondary="#d0d0d0",
    accent="#7fe3ff",
    warning="#ffb347",
    error="#ffb347",
    success="#9fd3ff",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#202020",
    dark=True,
    variables={
        "footer-key-foreground": "#ffb347",
        "block-cursor-background": "#00408a",
        "border": "#c0c0c0",
    },
)

ANSI = Theme(
    name="qdbg-ansi",
    primary="ansi_blue",
    secondary="ansi_cyan",
    accent="ansi_bright_blue",
    warning="ansi_yellow",
    error="ansi_yellow",
    success="ansi_blue",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    dark=True,
    ansi=True,
    variables={
        "footer-key-foreground": "ansi_yellow",
        "block-cursor-background": "ansi_default",
        "block-cursor-foreground": "ansi_default",
        "border": "ansi_bright_black",
        "ansi-background": "ansi_black",
        "ansi-foreground": "ansi_white",
        "scrollbar": "ansi_cyan",
        "scrollbar-background": "ansi_default",
        "scrollbar-corner-color": "ansi_default",
        "input-cursor-text-style": "reverse",
        "input-selection-background": "ansi_cyan",
        "input-selection-foreground": "ansi_black",
    },
)
"""The terminal's own sixteen colours; the selected row is shown in reverse."""

THEMES = dict(zip(THEME_NAMES, (DARK, LIGHT, CONTRAST, ANSI), strict=True))
"""By the names that `--theme` takes, in the order in which `t` shows them."""
