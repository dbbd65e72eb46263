"""What the interpreter of forward understands, and the check that a forward uses nothing else."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from qdbg.errors import ForwardError
from qdbg.reader.source import Source

_TENSOR = ("cat", "stack", "flatten", "permute", "reshape", "squeeze", "unsqueeze", "transpose")
_MATH = ("relu", "sigmoid", "tanh", "add", "mul", "matmul", "mean", "clamp", "softmax")
_QUANTIZED = ("quantize_per_tensor", "dequantize")
_ACTIVATION = ("relu", "relu6", "sigmoid", "tanh", "hardtanh", "hardswish", "hardsigmoid")
_FUNCTIONAL = ("leaky_relu", "elu", "gelu", "softmax", "log_softmax", "dropout", "pad")
FUNCTIONS = frozenset(
    {
        *(f"torch.{name}" for name in (*_TENSOR, *_MATH, *_QUANTIZED)),
        *(f"torch.nn.functional.{name}" for name in (*_ACTIVATION, *_FUNCTIONAL)),
    }
)
"""Functions of torch that compute with tensors and nothing else."""
METHODS = frozenset(
    {
        *("relu", "relu_", "sigmoid", "tanh", "clamp", "mean", "dequantize"),
        *("view", "reshape", "flatten", "permute", "transpose", "t", "contiguous"),
        *("squeeze", "unsqueeze", "chunk", "split", "size", "dim", "numel"),
        *("add", "mul", "cat", "add_relu", "mul_relu", "add_scalar", "mul_scalar"),
    }
)
"""Methods of tensors (and of QFunctional) that compute and nothing else."""
ATTRIBUTES = frozenset({"shape", "ndim", "dtype"})
"""Attributes of tensors that can be read."""
BUILTINS: dict[str, Callable[..., Any]] = {
    "range": range,
    "len": len,
    "enumerate": enumerate,
    "zip": zip,
    "int": int,
}
BUILTINS |= {"float": float, "min": min, "max": max, "list": list, "tuple": tuple}
"""Python's own functions that plain values need."""

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
TRUST = "--trust-source runs the file as ordinary Python instead; use it only for code you trust."


def dotted(node: ast.expr) -> str | None:
    """`F.relu` for an attribute of a name, else None."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else None


def function_name(node: ast.expr, source: Source) -> str | None:
    """The function of torch that the expression means by the file's imports, or None."""
    head, _, rest = (dotted(node) or "").partition(".")
    if head not in source.imports:
        return None
    return f"{source.imports[head]}.{rest}" if rest else source.imports[head]


def check(function: ast.FunctionDef, source: Source) -> None:
    """Raise ForwardError, by line and name, for what the interpreter does not understand."""
    arguments = function.args
    if arguments.vararg or arguments.kwarg or not arguments.args or function.decorator_list:
        raise refusal(source, function, "a decorator, *args or **kwargs")
    for statement in function.body:
        _check(statement, source)


def _check(node: ast.AST, source: Source) -> None:
    if isinstance(node, ast.stmt) and not isinstance(node, STATEMENTS):
        raise refusal(source, node, f"{_word(node)}")
    if not isinstance(node, (*STATEMENTS, *EXPRESSIONS)):
        raise refusal(source, node, f"{_word(node)}")
    if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
        raise refusal(source, node, f"the name {node.attr}")
    if isinstance(node, ast.Assign | ast.AugAssign | ast.For):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            _check_target(target, source)
    if isinstance(node, ast.Call):
        _check_call(node, source)
    children = (
        [node.value]
        if isinstance(node, ast.AnnAssign) and node.value
        else ast.iter_child_nodes(node)
    )
    for child in children:
        _check(child, source)


def _check_target(target: ast.expr, source: Source) -> None:
    parts = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
    for part in parts:
        if not isinstance(part, ast.Name):
            raise refusal(source, target, f"an assignment to {ast.unparse(target)}")


def _check_call(node: ast.Call, source: Source) -> None:
    name = dotted(node.func)
    function = function_name(node.func, source)
    if function is not None:
        if function not in FUNCTIONS:
            raise refusal(source, node, function)
    elif isinstance(node.func, ast.Name):
        if node.func.id not in BUILTINS:
            raise refusal(source, node, f"{node.func.id}()")
    elif isinstance(node.func, ast.Attribute):
        own = name is not None and name.startswith("self.")
        if not own and node.func.attr not in METHODS:
            raise refusal(source, node, f".{node.func.attr}()")
    elif not isinstance(node.func, ast.Subscript):
        raise refusal(source, node, f"the call {ast.unparse(node.func)[:40]}()")


def _word(node: ast.AST) -> str:
    return f"a {type(node).__name__.lower()}"


def refusal(source: Source, node: ast.AST, what: str) -> ForwardError:
    """The error that names the line and what stands there."""
    line = getattr(node, "lineno", 0)
    return ForwardError(
        f"{source.path.name}:{line}: forward uses {what}, which qdbg does not interpret",
        remedy=TRUST,
    )
