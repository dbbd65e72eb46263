"""The user's classes, as syntax: found in a file beside the model, never imported."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qdbg.core.program import Model
from qdbg.errors import ForwardError
from qdbg.reader.plain import plain

SIZE = 1_000_000
"""A source file is smaller than this, in bytes."""
TRUST = "--trust-source runs the file as ordinary Python instead; use it only for code you trust."


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One Python file."""

    path: Path
    classes: Mapping[str, ast.ClassDef]
    """By name."""
    imports: Mapping[str, str]
    """What a name at the top of the file stands for: `F` for `torch.nn.functional`."""

    rebound: frozenset[str] = frozenset()
    """Names that the file gives to something else than an import or a class."""

    def forward_of(self, name: str) -> ast.FunctionDef | None:
        """The class's forward, or the one it inherits inside the file.

        Raises ForwardError where the syntax does not tell which one that is.
        """
        return self._forward(name, frozenset())

    def _forward(self, name: str, seen: frozenset[str]) -> ast.FunctionDef | None:
        own = self.classes.get(name)
        if own is None or name in seen:
            return None
        if own.decorator_list or own.keywords or f"{name}.forward" in self.rebound:
            raise self._unclear(own, f"class {name} is changed after its definition")
        defined = [s for s in own.body if _binds(s) & SPECIAL]
        for statement in defined:
            plain = isinstance(statement, ast.FunctionDef) and statement.name == "forward"
            if not plain or len(defined) > 1:
                raise self._unclear(statement, f"class {name} has another way to be called")
        if defined and isinstance(defined[0], ast.FunctionDef):
            return defined[0]
        bases = [b.id for b in own.bases if isinstance(b, ast.Name)]
        found = [f for base in bases if (f := self._forward(base, seen | {name})) is not None]
        if any(f is not found[0] for f in found):
            raise self._unclear(own, f"class {name} inherits forward from several classes")
        return found[0] if found else None

    def _unclear(self, node: ast.stmt, what: str) -> ForwardError:
        return ForwardError(
            f"{self.path.name}:{node.lineno}: {what}, so its syntax does not tell what runs",
            remedy=TRUST,
        )

    def is_sequential(self, name: str) -> bool:
        """The class has no forward of its own and is an nn.Sequential."""
        return self.forward_of(name) is None and self._sequential(name, frozenset())

    def _sequential(self, name: str, seen: frozenset[str]) -> bool:
        own = self.classes.get(name)
        if own is None or name in seen:
            return False
        for base in own.bases:
            head, dot, rest = ast.unparse(base).partition(".")
            full = self.imports.get(head, "") + dot + rest
            if full.startswith("torch.nn.") and full.endswith(".Sequential"):
                return True
            if self._sequential(ast.unparse(base), seen | {name}):
                return True
        return False


SPECIAL = frozenset({"forward", "__call__", "_call_impl", "__getattr__", "__getattribute__"})
"""What decides how a call of a module runs."""


def _binds(statement: ast.stmt) -> set[str]:
    """The names that a statement gives a meaning to, those inside an if or try, too."""
    found: set[str] = set()
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
            continue
        if isinstance(node, ast.Name | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            found.add(ast.unparse(node))
        if not isinstance(node, ast.Lambda):
            todo += ast.iter_child_nodes(node)
    return found


def read_source(model: Model, source: Path | None) -> Source:
    """The file that the user named, or NAME.py beside NAME.pth. Raises ForwardError."""
    path = source or Path(model.name).with_suffix(".py")
    root = model.layers[""].kind
    try:
        with path.open("rb") as stream:
            data = stream.read(SIZE + 1)
    except (OSError, ValueError) as error:
        if source is not None:
            raise ForwardError(
                f"{path} cannot be read: {getattr(error, 'strerror', None) or error}",
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
        raise ForwardError(f"{path.name} has over {SIZE:,} bytes", expected="a Python file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd escape in the user's file is not our matter
            tree = ast.parse(data, str(path))
    except (SyntaxError, ValueError, LookupError, RecursionError, MemoryError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        text = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ForwardError(
            f"{path.name}{line} is not a Python file: {plain(text)}",
            expected="the Python file that defines the model's class",
        ) from error
    classes = {s.name: s for s in tree.body if isinstance(s, ast.ClassDef)}
    rebound: set[str] = set()
    for statement in tree.body:
        if not isinstance(statement, ast.ClassDef):
            rebound |= _binds(statement)
    imports = {name: full for name, full in _imports(tree).items() if name not in rebound}
    kept = {name: found for name, found in classes.items() if name not in rebound}
    return Source(path, kept, imports, frozenset(rebound))


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
