"""How many inputs a model's forward takes: qdbg gives it one."""

from __future__ import annotations

import ast
from pathlib import Path

from qdbg.errors import ForwardError

WRAP = (
    "Save a module around it whose forward takes one tensor x and returns"
    " self.model(x[:, 0], x[:, 1]), or other parts of x."
)


def check_inputs(function: ast.FunctionDef, path: Path) -> None:
    """Raise ForwardError, with their names, where the model's forward needs more inputs than one,
    or takes none."""
    given = function.args
    named = [each.arg for each in (*given.posonlyargs, *given.args)][1:]
    needed = named[: max(0, len(named) - len(given.defaults))]
    needed += [
        each.arg
        for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
        if default is None
    ]
    if len(needed) > 1:
        takes, remedy = f"{len(needed)} inputs: {', '.join(needed)}", WRAP
    elif named or given.vararg:
        return
    else:
        takes, remedy = "no input", ""
    raise ForwardError(
        f"{path.name}:{function.lineno}: forward takes {takes}",
        expected="one, because qdbg gives a model one input",
        remedy=remedy,
    )
