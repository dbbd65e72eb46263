"""Interpret forward from its syntax: no exec, and only what the allow-list names."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from qdbg.core.program import Layer
from qdbg.errors import ForwardError
from qdbg.reader.allow import (
    ATTRIBUTES,
    BUILTINS,
    FUNCTIONS,
    LIMIT,
    METHODS,
    function_name,
    refusal,
)
from qdbg.reader.source import Source

STATEMENTS_RUN = 100_000
"""A forward that runs more statements does not come to an end."""
LARGEST_BITS = 64

Values = dict[str, Any]
OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda a, b: operator.contains(b, a),
    ast.NotIn: lambda a, b: not operator.contains(b, a),
}


class Backend(Protocol):
    """Who computes: real torch modules in the capture process."""

    def call_layer(self, path: str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        """The result of a module of the file."""

    def call_function(self, name: str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        """The result of a function of torch, by its full name."""

    def call_method(self, value: Any, name: str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        """The result of a tensor's method."""

    def get_attribute(self, value: Any, name: str) -> Any:
        """A tensor's attribute."""

    def enter_line(self, line: str) -> None:
        """The user's own source line that the next calls belong to."""

    def enter_layer(self, path: str) -> None:
        """A module whose forward is interpreted begins."""

    def leave_layer(self) -> None:
        """It ends."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A module of the file, or `self` while its forward runs."""

    path: str


def _is_sequence(value: Any) -> bool:
    return isinstance(value, str | bytes | list | tuple)


def _is_large(value: Any) -> bool:
    """No forward needs longer lists or larger numbers; a loop could grow them without end."""
    if isinstance(value, int):
        return value.bit_length() > LARGEST_BITS
    return _is_sequence(value) and len(value) > LIMIT


class _Return(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value


class Interpreter:
    """One run of a model's forward."""

    def __init__(
        self, layers: Mapping[str, Layer], source: Source | None, backend: Backend
    ) -> None:
        self.layers, self.source, self.backend = layers, source, backend
        self._count = 0
        self._line = ""

    def call(self, path: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Call a module: a container or the user's own class is interpreted, torch's is run."""
        layer = self.layers[path]
        if layer.kind == "Sequential" and layer.class_name.startswith("torch."):
            return self._sequential(path, args)
        if layer.class_name.startswith("torch."):
            return self.backend.call_layer(path, args, kwargs)
        return self._own(path, layer, args, kwargs)

    def _own(
        self, path: str, layer: Layer, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        source = self.source
        if source is not None and source.is_sequential(layer.kind):
            return self._sequential(path, args)
        function = source.forward_of(layer.kind) if source is not None else None
        if source is None or function is None:
            raise ForwardError(f"{path or 'the model'} is a {layer.kind}, whose forward is unknown")
        names = [a.arg for a in function.args.args]
        values: Values = dict(zip(names, (Ref(path), *args), strict=False)) | dict(kwargs)
        defaults = function.args.defaults
        for name, default in zip(names[len(names) - len(defaults) :], defaults, strict=True):
            if name not in values:
                values[name] = self._value(default, values)
        if set(names) != set(values) or len(args) >= len(names):
            raise refusal(source, function, f"other arguments than {', '.join(names[1:])}")
        return self._inside(path, lambda: self._run(function.body, values))

    def _sequential(self, path: str, args: tuple[Any, ...]) -> Any:
        def run() -> Any:
            if len(args) != 1:
                raise ForwardError(f"{path} is given {len(args)} values", expected="one")
            value = args[0]
            for child in self._children(path):
                value = self.call(child.path, (value,), {})
            return value

        return self._inside(path, run)

    def _inside(self, path: str, run: Callable[[], Any]) -> Any:
        line = self._line
        self.backend.enter_layer(path)
        try:
            return run()
        finally:
            self.backend.leave_layer()
            self._line = line
            self.backend.enter_line(line)

    def _children(self, path: str) -> list[Ref]:
        start = f"{path}." if path else ""
        direct = (p for p in self.layers if p and p.startswith(start) and p != path)
        return [Ref(p) for p in direct if "." not in p.removeprefix(start)]

    # ------------------------------------------------------------------- statements

    def _run(self, body: list[ast.stmt], values: Values) -> Any:
        try:
            self._block(body, values)
        except _Return as done:
            return done.value
        return None

    def _block(self, body: list[ast.stmt], values: Values) -> None:
        for statement in body:
            self._count += 1
            if self._count > STATEMENTS_RUN:
                raise self._refused(statement, f"more than {STATEMENTS_RUN:,} statements")
            self._at(statement)
            self._statement(statement, values)

    def _at(self, node: ast.stmt) -> None:
        assert self.source is not None  # noqa: S101 - statements come from it
        self._line = f"{self.source.path.name}:{node.lineno}"
        self.backend.enter_line(self._line)

    def _statement(self, node: ast.stmt, values: Values) -> None:
        match node:
            case ast.Return(value=value):
                raise _Return(None if value is None else self._value(value, values))
            case ast.Assign(targets=targets, value=value):
                found = self._value(value, values)
                for target in targets:
                    self._assign(target, found, values)
            case ast.AnnAssign(target=target, value=value) if value is not None:
                self._assign(target, self._value(value, values), values)
            case ast.AugAssign(target=ast.Name(id=name) as target, op=op, value=value):
                left = values[name] if name in values else self._unknown(target, name)
                values[name] = self._operate(node, op, left, self._value(value, values))
            case ast.Expr(value=value):
                self._value(value, values)
            case ast.If(test=test, body=body, orelse=orelse):
                self._block(body if self._plain(test, values) else orelse, values)
            case ast.For(target=target, iter=items, body=body):
                for item in self._items(items, values):
                    self._assign(target, item, values)
                    self._block(body, values)

    def _assign(self, target: ast.expr, value: Any, values: Values) -> None:
        if isinstance(target, ast.Name):
            values[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            parts = tuple(value)
            if len(parts) != len(target.elts):
                raise self._refused(target, f"{len(parts)} values for {len(target.elts)} names")
            for part, item in zip(target.elts, parts, strict=True):
                self._assign(part, item, values)

    def _items(self, node: ast.expr, values: Values) -> Iterator[Any]:
        found = self._value(node, values)
        if isinstance(found, Ref):
            return iter(self._children(found.path))
        if not isinstance(found, range | list | tuple | enumerate | zip):
            raise self._refused(node, "a loop over something that is no list")
        return (Ref(i.path) if isinstance(i, Ref) else i for i in found)

    # ------------------------------------------------------------------ expressions

    def _value(self, node: ast.expr, values: Values) -> Any:  # noqa: PLR0911 - a case each
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return values[name] if name in values else self._unknown(node, name)
            case ast.Tuple(elts=elts):
                return tuple(self._value(e, values) for e in elts)
            case ast.List(elts=elts):
                return [self._value(e, values) for e in elts]
            case ast.Call():
                return self._call(node, values)
            case ast.Attribute():
                return self._attribute(node, values)
            case ast.Subscript(value=value, slice=place):
                return self._item(node, self._value(value, values), self._value(place, values))
            case ast.Slice(lower=lower, upper=upper, step=step):
                parts = (lower, upper, step)
                return slice(*(None if p is None else self._value(p, values) for p in parts))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self._value(body if self._plain(test, values) else orelse, values)
            case _:
                return self._operation(node, values)

    def _operation(self, node: ast.expr, values: Values) -> Any:
        match node:
            case ast.BinOp(left=left, op=op, right=right):
                return self._operate(
                    node, op, self._value(left, values), self._value(right, values)
                )
            case ast.UnaryOp(op=op, operand=operand):
                return self._operate(node, op, self._value(operand, values))
            case ast.BoolOp(op=op, values=parts):
                wanted = isinstance(op, ast.Or)
                found: Any = not wanted
                for part in parts:
                    found = self._plain(part, values)
                    if bool(found) == wanted:
                        break
                return found
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self._operate(
                    node, op, self._value(left, values), self._value(right, values)
                )
            case _:
                raise self._refused(node, ast.unparse(node)[:40])

    def _operate(self, node: ast.AST, op: ast.AST, *operands: Any) -> Any:
        function = OPERATORS.get(type(op))
        if function is None or (isinstance(op, ast.Mult) and any(map(_is_sequence, operands))):
            raise self._refused(node, f"the operator {type(op).__name__}")
        if any(map(_is_large, operands)):
            raise self._refused(node, "a value that grows without end")
        return self._tried(node, function, operands)

    def _tried(self, node: ast.AST, function: Callable[..., Any], operands: Iterable[Any]) -> Any:
        try:
            return function(*operands)
        except (TypeError, ValueError, ArithmeticError, MemoryError) as error:
            raise self._refused(node, f"an operation that fails ({error})") from error

    def _plain(self, node: ast.expr, values: Values) -> Any:
        found = self._value(node, values)
        if not isinstance(found, bool | int | float | str | tuple | list | None):
            raise self._refused(node, "a condition on a tensor's values")
        return found

    def _item(self, node: ast.expr, value: Any, place: Any) -> Any:
        if isinstance(value, Ref):
            children = self._children(value.path)
            if isinstance(place, int) and -len(children) <= place < len(children):
                return children[place]
            raise self._refused(node, f"{value.path}[{place!r}], of {len(children)} layers")
        try:
            return value[place]
        except (TypeError, IndexError, KeyError) as error:
            raise self._refused(node, f"an index that fails ({error})") from error

    def _attribute(self, node: ast.Attribute, values: Values) -> Any:
        owner = self._value(node.value, values)
        if isinstance(owner, Ref):
            path = f"{owner.path}.{node.attr}" if owner.path else node.attr
            if path in self.layers:
                return Ref(path)
            settings = self.layers[owner.path].settings
            if node.attr in settings:
                return settings[node.attr]
            raise self._refused(node, f"self.{node.attr}, which the file does not hold")
        if node.attr in ATTRIBUTES:
            return self.backend.get_attribute(owner, node.attr)
        raise self._refused(node, f".{node.attr}")

    def _call(self, node: ast.Call, values: Values) -> Any:
        assert self.source is not None  # noqa: S101 - calls come from it
        args = tuple(self._value(a, values) for a in node.args)
        kwargs = {k.arg: self._value(k.value, values) for k in node.keywords if k.arg}
        if len(kwargs) != len(node.keywords):
            raise self._refused(node, "**")
        function = function_name(node.func, self.source)
        if function is not None and function in FUNCTIONS:
            return self.backend.call_function(function, args, kwargs)
        if isinstance(node.func, ast.Name) and node.func.id not in values:
            if node.func.id not in BUILTINS or kwargs:
                raise self._refused(node, f"{node.func.id}()")
            if node.func.id == "list" and args and isinstance(args[0], Ref):
                return self._children(args[0].path)
            return self._tried(node, BUILTINS[node.func.id], args)
        return self._call_value(node, args, kwargs, values)

    def _call_value(
        self, node: ast.Call, args: tuple[Any, ...], kwargs: dict[str, Any], values: Values
    ) -> Any:
        """A module, or a method of a tensor or of a QFunctional."""
        if isinstance(node.func, ast.Attribute):
            owner = self._value(node.func.value, values)
            name = node.func.attr
            path = f"{owner.path}.{name}".lstrip(".") if isinstance(owner, Ref) else ""
            if not isinstance(owner, Ref) or path not in self.layers:
                if name not in METHODS or (isinstance(owner, Ref) and not owner.path):
                    raise self._refused(node, f".{name}()")
                return self.backend.call_method(owner, name, args, kwargs)
        found = self._value(node.func, values)
        if not isinstance(found, Ref):
            raise self._refused(node, f"{ast.unparse(node.func)[:40]}()")
        return self.call(found.path, args, kwargs)

    # ----------------------------------------------------------------------- errors

    def _refused(self, node: ast.AST, what: str) -> ForwardError:
        assert self.source is not None  # noqa: S101 - statements come from it
        return refusal(self.source, node, what)

    def _unknown(self, node: ast.AST, name: str) -> Any:
        raise self._refused(node, f"the name {name}")
