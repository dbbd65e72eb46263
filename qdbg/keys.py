"""How keys are written on the screen."""

from __future__ import annotations

_KEY_SIGNS = {
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
    "enter": "⏎",
    "escape": "esc",
    "right_square_bracket": "]",
    "left_square_bracket": "[",
    "right_curly_bracket": "}",
    "left_curly_bracket": "{",
    "greater_than_sign": ">",
    "less_than_sign": "<",
    "right_parenthesis": ")",
    "left_parenthesis": "(",
    "full_stop": ".",
    "comma": ",",
    "apostrophe": "'",
    "colon": ":",
    "slash": "/",
    "equals_sign": "=",
    "question_mark": "?",
    "plus": "+",
    "f1": "F1",
    "f5": "F5",
    "f9": "F9",
    "f10": "F10",
    "f11": "F11",
}


def key_sign(key: str) -> str:
    """A key as people write it: `]`, `ctrl+s`, `→`."""
    return _KEY_SIGNS.get(key, key)
