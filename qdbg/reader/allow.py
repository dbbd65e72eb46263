"""What the interpreter of forward understands, and the check that a forward uses nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from qdbg.errors import ForwardError
from qdbg.reader.allowed import BUILTINS, FUNCTIONS, METHODS
from qdbg.reader.source import TRUST, Source

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
OPERATORS = (ast.Pow, ast.LShift, ast.RShift, ast.BitOr, ast.BitAnd, ast.BitXor, ast.MatMult)
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


def check(function: ast.FunctionDef, source: Source) -> None:
    """Raise ForwardError, by line and name, for what the interpreter does not understand."""
    arguments = function.args
    odd = arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.posonlyargs
    if odd or not arguments.args or function.decorator_list:
        raise refusal(source, function, "a decorator, *args, **kwargs or such")
    for default in arguments.defaults:
        if not isinstance(default, ast.Constant):
            raise refusal(source, default, f"the default {ast.unparse(default)[:40]}")
    checker = _Checker(source, _own_names(function))
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
        if isinstance(node, ast.Attribute) and _is_hidden(node, self.source):
            raise refusal(self.source, node, f"the name {node.attr}")
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.For):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                _check_target(target, self.source)
        if isinstance(node, ast.Call):
            _check_call(node, self.source, self.own)


def _is_hidden(node: ast.Attribute, source: Source) -> bool:
    """A name with an underscore; the code of FX gives such names to the model's own tensors."""
    own = source.generated and isinstance(node.value, ast.Name) and node.value.id == "self"
    return node.attr.startswith("__" if own else "_")


def _check_target(target: ast.expr, source: Source) -> None:
    parts = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
    for part in parts:
        if not isinstance(part, ast.Name):
            raise refusal(source, target, f"an assignment to {ast.unparse(target)}")


def _check_call(node: ast.Call, source: Source, own: frozenset[str]) -> None:
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
        layer = name is not None and name.startswith("self.")
        if not layer and node.func.attr not in METHODS:
            raise refusal(source, node, f".{node.func.attr}()")
    elif not isinstance(node.func, ast.Subscript):
        raise refusal(source, node, f"the call {ast.unparse(node.func)[:40]}()")


def _word(node: ast.AST) -> str:
    return WORDS.get(type(node), f"a {type(node).__name__.lower()}")


def refusal(source: Source, node: ast.AST, what: str) -> ForwardError:
    """The error that names the line and what stands there."""
    line = getattr(node, "lineno", 0)
    return ForwardError(
        f"{source.path.name}:{line}: forward uses {what}, which qdbg does not interpret",
        remedy=TRUST,
    )
