"""The user's classes, as syntax: found in a file beside the model, never imported."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qdbg.core.program import Model
from qdbg.errors import ForwardError

SIZE = 4_000_000
"""A source file is smaller than this, in bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One Python file."""

    path: Path
    classes: Mapping[str, ast.ClassDef]
    """By name."""
    imports: Mapping[str, str]
    """What a name at the top of the file stands for: `F` for `torch.nn.functional`."""

    def forward_of(self, name: str) -> ast.FunctionDef | None:
        """The class's forward, or the one it inherits inside the file."""
        seen = set()
        while name in self.classes and name not in seen:
            seen.add(name)
            own = self.classes[name]
            for statement in own.body:
                if isinstance(statement, ast.FunctionDef) and statement.name == "forward":
                    return statement
            name = next((b.id for b in own.bases if isinstance(b, ast.Name)), "")
        return None

    def is_sequential(self, name: str) -> bool:
        """The class has no forward of its own and is an nn.Sequential."""
        own = self.classes.get(name)
        if own is None or self.forward_of(name) is not None:
            return False
        return any(ast.unparse(base).rpartition(".")[2] == "Sequential" for base in own.bases)


def read_source(model: Model, source: Path | None) -> Source:
    """The file that the user named, or NAME.py beside NAME.pth. Raises ForwardError."""
    path = source or Path(model.name).with_suffix(".py")
    root = model.layers[""].kind
    try:
        data = path.read_bytes()
    except OSError as error:
        if source is not None:
            raise ForwardError(
                f"{path} cannot be read: {error.strerror or error}",
                expected=f"the Python file that defines {root}",
            ) from error
        raise ForwardError(
            f"{Path(model.name).name} holds the layers of {root}"
            ", but not the order in which its forward calls them",
            remedy=f"Give the Python file that defines {root}: --source FILE"
            f" (or put it beside the model as {path.name}).",
        ) from error
    return _parse(path, data)


def _parse(path: Path, data: bytes) -> Source:
    if len(data) > SIZE:
        raise ForwardError(f"{path.name} has {len(data):,} bytes", expected="a Python file")
    try:
        tree = ast.parse(data, str(path))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        text = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ForwardError(
            f"{path.name}{line} is not a Python file: {text}",
            expected="the Python file that defines the model's class",
        ) from error
    classes = {s.name: s for s in tree.body if isinstance(s, ast.ClassDef)}
    return Source(path, classes, _imports(tree))


def _imports(tree: ast.Module) -> dict[str, str]:
    found: dict[str, str] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                head = alias.name if alias.asname else alias.name.partition(".")[0]
                found[alias.asname or head] = head
        elif isinstance(statement, ast.ImportFrom) and not statement.level:
            for alias in statement.names:
                found[alias.asname or alias.name] = f"{statement.module}.{alias.name}"
    return found
