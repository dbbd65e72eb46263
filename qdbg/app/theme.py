"""The two looks. Blue and orange carry meaning, never red against green, and never colour alone."""

from __future__ import annotations

from textual.theme import Theme

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
    warning="#a85400",
    error="#a85400",
    success="#1f5fa8",
    foreground="#1d232b",
    background="#fbfbf9",
    surface="#f3f3ef",
    panel="#e6e8e6",
    dark=False,
    variables={
        "footer-key-foreground": "#a85400",
        "block-cursor-background": "#cfe0f2",
        "border": "#b4bac2",
    },
)

THEMES = (DARK, LIGHT)
