"""The user's classes, as syntax: found in a file beside the model, never imported."""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from qdbg.core.program import Model
from qdbg.errors import ForwardError
from qdbg.reader.plain import plain

SIZE = 1_000_000
"""A source file is smaller than this, in bytes."""
TRUST = "--trust-source runs the file as ordinary Python instead; use it only for code you trust."


GENERATED = "This forward came inside the model file, and qdbg runs nothing of it."
Known = dict[str, ast.FunctionDef | None]
"""The forward of each class that has been looked at."""


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
    generated: bool = False
    """torch.fx wrote it, and it came inside the model file."""
    _forwards: Known = field(default_factory=dict)
    _sequentials: dict[str, bool] = field(default_factory=dict)

    def forward_of(self, name: str) -> ast.FunctionDef | None:
        """The class's forward, or the one it inherits inside the file.

        Raises ForwardError where the syntax does not tell which one that is.
        """
        if name not in self._forwards:
            self._forwards[name] = self._found(name, FORWARD, {})
        return self._forwards[name]

    def method_of(self, name: str, method: str) -> ast.FunctionDef | None:
        """Another method of the class, by the same rules."""
        return self._found(name, method, {})

    def _found(self, name: str, method: str, known: Known) -> ast.FunctionDef | None:
        own = self.classes.get(name)
        if own is None or name in known:
            return known.get(name)
        known[name] = None  # a class that inherits from itself ends here
        if own.decorator_list or own.keywords or f"{name}.{method}" in self.rebound:
            raise self._unclear(own, f"class {name} is changed after its definition")
        special = SPECIAL if method == FORWARD else {method}
        defined = [s for s in own.body if _binds(s) & special and not _is_declared(s)]
        for statement in defined:
            plain = isinstance(statement, ast.FunctionDef) and statement.name == method
            if not plain or len(defined) > 1:
                raise self._unclear(
                    statement, f"class {name} has another {WAYS[method == FORWARD]}"
                )
        if defined and isinstance(defined[0], ast.FunctionDef):
            known[name] = defined[0]
        else:
            known[name] = self._inherited(own, method, known)
        return known[name]

    def _inherited(self, own: ast.ClassDef, method: str, known: Known) -> ast.FunctionDef | None:
        """The one such method of the bases; a base outside the file may hide those after it."""
        found: list[ast.FunctionDef] = []
        hidden = ""
        for base in own.bases:
            function = self._found(base.id, method, known) if isinstance(base, ast.Name) else None
            if function is not None and hidden:
                text = f"class {own.name} inherits from {hidden} before {ast.unparse(base)[:40]}"
                raise self._unclear(own, text)
            if function is not None:
                found.append(function)
            elif method != FORWARD or not self._without_forward(base, set()):
                hidden = hidden or ast.unparse(base)[:40]
        if any(f is not found[0] for f in found):
            raise self._unclear(own, f"class {own.name} inherits {method} from several classes")
        return found[0] if found else None

    def _without_forward(self, base: ast.expr, seen: set[str]) -> bool:
        """Whether the base, which gives no forward inside the file, has none elsewhere either."""
        head, dot, rest = ast.unparse(base).partition(".")
        own = self.classes.get(head) if not dot else None
        if own is not None:
            fresh = head not in seen
            seen.add(head)
            return not fresh or all(self._without_forward(each, seen) for each in own.bases)
        return self.imports.get(head, head) + dot + rest in NO_FORWARD

    def _unclear(self, node: ast.stmt, what: str) -> ForwardError:
        return ForwardError(
            f"{self.path.name}:{node.lineno}: {what}, so its syntax does not tell what runs",
            remedy=self.remedy,
        )

    @property
    def remedy(self) -> str:
        """What the user can do about a forward that is not interpreted."""
        return GENERATED if self.generated else TRUST

    def attributes_of(self, name: str) -> frozenset[str]:
        """What the class and its bases in the file define: Python finds it before any layer."""
        found: set[str] = set()
        todo, seen = [name], set[str]()
        while todo:
            own = self.classes.get(todo.pop())
            if own is None or own.name in seen:
                continue
            seen.add(own.name)
            todo += [b.id for b in own.bases if isinstance(b, ast.Name)]
            for statement in own.body:
                if not _is_declared(statement):
                    found |= _binds(statement)
        return frozenset(found)

    def is_sequential(self, name: str) -> bool:
        """The class has no forward of its own and is an nn.Sequential."""
        if name not in self._sequentials:
            found = self.forward_of(name) is None and self._sequential(name, set())
            self._sequentials[name] = found
        return self._sequentials[name]

    def _sequential(self, name: str, seen: set[str]) -> bool:
        own = self.classes.get(name)
        if own is None or name in seen:
            return False
        seen.add(name)
        for base in own.bases:
            head, dot, rest = ast.unparse(base).partition(".")
            full = self.imports.get(head, "") + dot + rest
            if full.startswith("torch.nn.") and full.endswith(".Sequential"):
                return True
            if self._sequential(ast.unparse(base), seen):
                return True
        return False


FORWARD = "forward"
WAYS = ("meaning for one name", "way to be called")
NO_FORWARD = frozenset({"torch.nn.Module", "torch.nn.modules.module.Module", "object", "abc.ABC"})
"""Classes outside the file that are known to bring no forward along."""
SPECIAL = frozenset({"forward", "__call__", "_call_impl", "__getattr__", "__getattribute__"})
"""What decides how a call of a module runs."""


def _is_declared(statement: ast.stmt) -> bool:
    """`fc: nn.Linear` says what a name will be, and gives it no value."""
    return isinstance(statement, ast.AnnAssign) and statement.value is None


def _binds(statement: ast.stmt) -> set[str]:
    """The names that a statement gives a meaning to, those inside an if or try, too."""
    found: set[str] = set()
    for node in _outside_functions(statement):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.Name | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            found.add(ast.unparse(node))
        if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            found.add(node.name)
    return found


def _outside_functions(statement: ast.stmt) -> Iterator[ast.AST]:
    """The statement and what is in it, without what a function or a class in it contains."""
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            todo += ast.iter_child_nodes(node)


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
    return parse(path, data)


def parse(path: Path, data: bytes, into: ast.Module | None = None) -> Source:
    """The classes and imports of the text; its statements go `into` a module that is given.

    Raises ForwardError for what is no Python.
    """
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
    if into is not None:
        into.body = tree.body
    classes = {s.name: s for s in tree.body if isinstance(s, ast.ClassDef)}
    imported = _imports(tree.body)
    rebound = _doubled(tree, imported)
    for statement in tree.body:
        if not isinstance(statement, ast.ClassDef | ast.Import | ast.ImportFrom):
            rebound |= _binds(statement)
            inside = _imports(_outside_functions(statement))
            rebound |= {name for name, full in inside.items() if imported.get(name) != full}
    imports = {name: full for name, full in imported.items() if name not in rebound}
    kept = {name: found for name, found in classes.items() if name not in rebound}
    return Source(path, kept, imports, frozenset(rebound))


def _doubled(tree: ast.Module, imported: Mapping[str, str]) -> set[str]:
    """Classes defined twice or imported as well: a base may be the one of them or the other."""
    counts = Counter(s.name for s in tree.body if isinstance(s, ast.ClassDef))
    return {name for name, count in counts.items() if count > 1 or name in imported}


def _imports(nodes: Iterable[ast.AST]) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                head = alias.name if alias.asname else alias.name.partition(".")[0]
                found[alias.asname or head] = head
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            found |= {a.asname or a.name: f"{module}.{a.name}" for a in node.names}
    return found
