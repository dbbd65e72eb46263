"""Which calls a name means: a call's own name, its layer's path, or its op."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from qdbg.core.program import Node
from qdbg.errors import GoldenError

SHOWN = 12
"""How many names an error lists."""


def identifier(text: str) -> str:
    """The text as a name in Python or of a file: `block.0.conv` is `block_0_conv`."""
    name = re.sub(r"\W+", "_", text)
    return f"_{name}" if name[:1].isdigit() else name


def names_of(node: Node) -> tuple[str, ...]:
    """What a call answers to, the most special name first."""
    return tuple(name for name in (node.name, node.layer, node.op) if name)


def calls_named(nodes: Sequence[Node], name: str) -> tuple[int, ...]:
    """The calls that a name means; a name of a special kind goes before one of a general kind.

    Dots, colons and the like may be written as underscores. Empty where there is none.
    """
    for spelled in (str, identifier):
        for kind in range(3):
            found = [
                call
                for call, node in enumerate(nodes)
                if _of_kind(node, kind) and spelled(_of_kind(node, kind)) == spelled(name)
            ]
            if found:
                return tuple(found)
    return ()


def _of_kind(node: Node, kind: int) -> str:
    return (node.name, node.layer, node.op)[kind]


def unknown(where: str, names: Iterable[str], remedy: str = "") -> GoldenError:
    """The error for a name that means nothing, at its place in the file: lists what there is."""
    return GoldenError(
        f"{where} names nothing in this run",
        expected=f"one of {listed(names)}",
        remedy=remedy,
    )


def listed(names: Iterable[str]) -> str:
    """The names in their order, each once, not too many of them."""
    every = list(dict.fromkeys(names))
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more
