"""What the interpreter of forward understands, and the check that a forward uses nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from qdbg.errors import ForwardError
from qdbg.reader.allowed import BUILTINS, FUNCTIONS, LIST_METHODS, METHODS
from qdbg.reader.source import FORWARD, Source

STATEMENTS = (
    ast.Assign,
    ast.AnnAssign,
    ast.AugAssign,
    ast.Return,
    ast.Expr,
    ast.If,
    ast.For,
    ast.Pass,
)
EXPRESSIONS = (
    ast.Name,
    ast.Constant,
    ast.Attribute,
    ast.Call,
    ast.keyword,
    ast.Tuple,
    ast.List,
    ast.BinOp,
    ast.UnaryOp,
    ast.Compare,
    ast.BoolOp,
    ast.IfExp,
    ast.Subscript,
    ast.Slice,
    ast.operator,
    ast.unaryop,
    ast.cmpop,
    ast.boolop,
    ast.expr_context,
)
OPERATORS = (ast.Pow, ast.LShift, ast.RShift, ast.BitOr, ast.BitAnd, ast.BitXor)
"""What no forward needs, and what could grow without end."""
WORDS: dict[type[ast.AST], str] = {
    ast.JoinedStr: "an f-string (joinedstr)",
    ast.NamedExpr: "a walrus := (namedexpr)",
    ast.FunctionDef: "a nested function (functiondef)",
    ast.ListComp: "a list comprehension (listcomp)",
    ast.Delete: "del (delete)",
    ast.Starred: "a star * (starred)",
}


def dotted(node: ast.expr) -> str | None:
    """`F.relu` for an attribute of a name, else None."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else None


def loads(node: ast.expr) -> str:
    """The name that an expression like `F.relu` begins with."""
    return (dotted(node) or "").partition(".")[0]


def function_name(node: ast.expr, source: Source) -> str | None:
    """The function of torch that the expression means by the file's imports, or None."""
    head, _, rest = (dotted(node) or "").partition(".")
    if head not in source.imports:
        return None
    return f"{source.imports[head]}.{rest}" if rest else source.imports[head]


def check(function: ast.FunctionDef, source: Source, kind: str) -> None:
    """Raise ForwardError, by line and name, for what the interpreter does not understand.

    `kind` is the class whose method it is; the methods that it calls are checked as well.
    """
    todo, seen = [function], {function.name}
    while todo:
        each = todo.pop()
        helpers = methods_called(each, source, kind)
        _check_one(each, source, frozenset(helpers))
        todo += [found for name, found in helpers.items() if name not in seen]
        seen |= set(helpers)


def methods_called(
    function: ast.FunctionDef, source: Source, kind: str
) -> dict[str, ast.FunctionDef]:
    """The other methods of its class that a method calls, by name."""
    found: dict[str, ast.FunctionDef] = {}
    me = function.args.args[0].arg if function.args.args else ""
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=name)) if owner == me:
                if name != FORWARD and not name.startswith("__"):
                    method = source.method_of(kind, name)
                    if method is not None:
                        found[name] = method
    return found


def _check_one(function: ast.FunctionDef, source: Source, helpers: frozenset[str]) -> None:
    arguments = function.args
    odd = arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.posonlyargs
    if odd or not arguments.args or function.decorator_list:
        raise refusal(source, function, "a decorator, *args, **kwargs or such")
    for default in arguments.defaults:
        if not isinstance(default, ast.Constant):
            raise refusal(source, default, f"the default {ast.unparse(default)[:40]}")
    me = arguments.args[0].arg
    checker = _Checker(source, _own_names(function), me, helpers)
    for statement in function.body:
        checker.check(statement)


def _own_names(function: ast.FunctionDef) -> frozenset[str]:
    """What the function itself gives names to."""
    stored = (n.id for n in ast.walk(function) if isinstance(n, ast.Name) and _stores(n))
    return frozenset([*stored, *(a.arg for a in function.args.args)])


def _stores(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)


@dataclass(frozen=True, slots=True)
class _Checker:
    source: Source
    own: frozenset[str]
    me: str
    helpers: frozenset[str]

    def check(self, node: ast.AST) -> None:
        """The innermost first, so that the error names what is really unknown."""
        if isinstance(node, ast.stmt) and not isinstance(node, STATEMENTS):
            raise refusal(self.source, node, _word(node))
        if not isinstance(node, (*STATEMENTS, *EXPRESSIONS)):
            raise refusal(self.source, node, _word(node))
        children: Iterable[ast.AST] = ast.iter_child_nodes(node)
        if isinstance(node, ast.AnnAssign):
            children = [node.value] if node.value else []
        for child in children:
            self.check(child)
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, OPERATORS):
            raise refusal(self.source, node, f"the operator {type(node.op).__name__}")
        if isinstance(node, ast.keyword) and node.arg is None:
            raise refusal(self.source, node, "**")
        if isinstance(node, ast.Attribute) and self._is_hidden(node):
            raise refusal(self.source, node, f"the name {node.attr}")
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.For):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                _check_target(target, self.source)
        if isinstance(node, ast.Call):
            self._check_call(node)

    def _is_hidden(self, node: ast.Attribute) -> bool:
        """A name with an underscore: neither a method of the class, nor given by torch.fx."""
        own = isinstance(node.value, ast.Name) and node.value.id == self.me
        known = own and (self.source.generated or node.attr in self.helpers)
        return node.attr.startswith("__" if known else "_")

    def _check_call(self, node: ast.Call) -> None:
        """A call of a function on the list, of a layer, or of a method on the list."""
        source, own = self.source, self.own
        name = dotted(node.func)
        function = None if loads(node.func) in own else function_name(node.func, source)
        if function is not None:
            if function not in FUNCTIONS:
                raise refusal(source, node, function)
        elif isinstance(node.func, ast.Name):
            known = node.func.id in BUILTINS and node.func.id not in source.rebound | set(
                source.classes
            )
            if not known and node.func.id not in own:
                raise refusal(source, node, f"{node.func.id}()")
        elif isinstance(node.func, ast.Attribute):
            layer = name is not None and name.startswith(f"{self.me}.")
            if not layer and node.func.attr not in METHODS | LIST_METHODS:
                raise refusal(source, node, f".{node.func.attr}()")
        elif not isinstance(node.func, ast.Subscript):
            raise refusal(source, node, f"the call {ast.unparse(node.func)[:40]}()")


def _check_target(target: ast.expr, source: Source) -> None:
    parts = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
    for part in parts:
        if isinstance(part, ast.Tuple | ast.List):
            _check_target(part, source)
        elif not isinstance(part, ast.Name):
            raise refusal(source, target, f"an assignment to {ast.unparse(target)}")


def _word(node: ast.AST) -> str:
    return WORDS.get(type(node), f"a {type(node).__name__.lower()}")


def refusal(source: Source, node: ast.AST, what: str) -> ForwardError:
    """The error that names the line and what stands there."""
    line = getattr(node, "lineno", 0)
    return ForwardError(
        f"{source.path.name}:{line}: forward uses {what}, which qdbg does not interpret",
        remedy=source.remedy,
    )
