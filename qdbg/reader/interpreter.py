"""Interpret forward from its syntax: no exec, and only what the allow-list names."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from qdbg.core.program import Layer
from qdbg.errors import ForwardError
from qdbg.reader.allow import (
    ATTRIBUTES,
    BUILTINS,
    FUNCTIONS,
    METHODS,
    function_name,
    loads,
    refusal,
)
from qdbg.reader.backend import Backend, Ref
from qdbg.reader.operators import IN_PLACE, OPERATORS, refused
from qdbg.reader.plain import plain
from qdbg.reader.source import Source

STEPS = 200_000
"""A forward of more statements and expressions does not come to an end."""
DEPTH = 50
"""Modules call one another no deeper."""

Values = dict[str, Any]


CONTAINERS = ("Sequential", "ModuleList")
FUNCTIONAL = ("QFunctional", "FloatFunctional", "FXFloatFunctional")
"""The modules of torch whose methods a forward calls."""
PLAIN = (bool, int, float, str, tuple, list, range, type(None))


class _Return(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value


class Interpreter:
    """One run of a model's forward."""

    def __init__(
        self, layers: Mapping[str, Layer], source: Source | None, backend: Backend
    ) -> None:
        self.layers, self.source, self.backend = layers, source, backend
        self._count = self._depth = 0
        self._family: dict[str, list[Ref]] = {}
        self._line = ""

    def call(self, path: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Call a module: a container or the user's own class is interpreted, torch's is run."""
        layer = self.layers[path]
        if layer.kind == "Sequential" and layer.class_name.startswith("torch."):
            return self._sequential(path, (*args, *kwargs.values()))
        if layer.class_name.startswith("torch.") and layer.kind in CONTAINERS:
            raise ForwardError(f"{self._line}: {path} is a {layer.kind}, which has no forward")
        if layer.class_name.startswith("torch."):
            return self.backend.call_layer(path, args, kwargs)
        return self._own(path, layer, args, kwargs)

    def _own(
        self, path: str, layer: Layer, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        source = self.source
        if source is not None and source.is_sequential(layer.kind):
            return self._sequential(path, (*args, *kwargs.values()))
        function = source.forward_of(layer.kind) if source is not None else None
        if source is None or function is None:
            raise ForwardError(f"{path or 'the model'} is a {layer.kind}, whose forward is unknown")
        names = [a.arg for a in function.args.args]
        values: Values = dict(zip(names, (Ref(path), *args), strict=False)) | dict(kwargs)
        defaults = function.args.defaults
        for name, default in zip(names[len(names) - len(defaults) :], defaults, strict=True):
            if name not in values:
                values[name] = self._value(default, values)
        twice = set(names[: 1 + len(args)]) & set(kwargs)
        if set(names) != set(values) or len(args) >= len(names) or twice:
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
        if self._depth >= DEPTH:
            raise ForwardError(f"{line}: {path or 'the model'} calls itself without end")
        self.backend.enter_layer(path)
        self._depth += 1
        try:
            return run()
        finally:
            self._depth -= 1
            self.backend.leave_layer()
            self._line = line
            self.backend.enter_line(line)

    def _children(self, path: str) -> list[Ref]:
        if not self._family:
            for each in self.layers:
                if each:
                    self._family.setdefault(each.rpartition(".")[0], []).append(Ref(each))
        return self._family.get(path, [])

    def _listed(self, node: ast.AST, owner: Ref) -> list[Ref]:
        """The layers of a ModuleList or Sequential; no other module has an order."""
        layer = self.layers[owner.path]
        known = layer.class_name.startswith("torch.") and layer.kind in CONTAINERS
        if not known and not (self.source and self.source.is_sequential(layer.kind)):
            raise self._refused(node, f"the parts of a {layer.kind}")
        return list(self._children(owner.path))

    # ------------------------------------------------------------------- statements

    def _run(self, body: list[ast.stmt], values: Values) -> Any:
        try:
            self._block(body, values)
        except _Return as done:
            return done.value
        return None

    def _block(self, body: list[ast.stmt], values: Values) -> None:
        for statement in body:
            self._step(statement)
            self._at(statement)
            self._statement(statement, values)

    def _step(self, node: ast.AST) -> None:
        self._count += 1
        if self._count > STEPS:
            raise self._refused(node, f"more than {STEPS:,} steps")

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
            case ast.For(target=target, iter=items, body=body, orelse=orelse):
                for item in self._items(items, values):
                    self._assign(target, item, values)
                    self._block(body, values)
                self._block(orelse, values)

    def _assign(self, target: ast.expr, value: Any, values: Values) -> None:
        if isinstance(target, ast.Name):
            values[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            parts = self._tried(target, BUILTINS["tuple"], (value,))
            if len(parts) != len(target.elts):
                raise self._refused(target, f"{len(parts)} values for {len(target.elts)} names")
            for part, item in zip(target.elts, parts, strict=True):
                self._assign(part, item, values)

    def _items(self, node: ast.expr, values: Values) -> Iterator[Any]:
        found = self._value(node, values)
        if isinstance(found, Ref):
            return iter(self._listed(node, found))
        if not isinstance(found, range | list | tuple | enumerate | zip):
            raise self._refused(node, "a loop over something that is no list")
        return (Ref(i.path) if isinstance(i, Ref) else i for i in found)

    # ------------------------------------------------------------------ expressions

    def _value(self, node: ast.expr, values: Values) -> Any:  # noqa: PLR0911 - a case each
        self._step(node)
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
            case ast.Compare(left=left, ops=ops, comparators=rest):
                found, first = True, self._value(left, values)
                for comparison, right in zip(ops, rest, strict=True):
                    second = self._value(right, values)
                    found = self._operate(node, comparison, first, second)
                    first = second
                    if len(ops) > 1 and not self._settled(node, found):
                        break
                return found
            case _:
                raise self._refused(node, ast.unparse(node)[:40])

    def _operate(self, node: ast.AST, op: ast.AST, *operands: Any) -> Any:
        if why := refused(op, operands):
            raise self._refused(node, why)
        if isinstance(op, ast.Not) and not isinstance(operands[0], PLAIN):
            raise self._refused(node, "a condition on a tensor's values")
        table = IN_PLACE if isinstance(node, ast.AugAssign) else OPERATORS
        return self._tried(node, table[type(op)], operands)

    def _tried(self, node: ast.AST, function: Callable[..., Any], operands: Iterable[Any]) -> Any:
        try:
            return function(*operands)
        except Exception as error:
            raise self._failed(node, error) from error

    def _plain(self, node: ast.expr, values: Values) -> Any:
        return self._settled(node, self._value(node, values))

    def _settled(self, node: ast.expr, found: Any) -> Any:
        if not isinstance(found, PLAIN):
            raise self._refused(node, "a condition on a tensor's values")
        return found

    def _item(self, node: ast.expr, value: Any, place: Any) -> Any:
        if isinstance(value, Ref):
            children = self._listed(node, value)
            if isinstance(place, int) and -len(children) <= place < len(children):
                return children[place]
            where = place if isinstance(place, int) else type(place).__name__
            raise self._refused(node, f"{value.path}[{where}], of {len(children)} layers")
        try:
            return value[place]
        except Exception as error:
            raise self._failed(node, error) from error

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
        called = self._called(node, values)  # before the arguments, which may change its owner
        args = tuple(self._value(a, values) for a in node.args)
        kwargs = {k.arg: self._value(k.value, values) for k in node.keywords if k.arg}
        if len(kwargs) != len(node.keywords):
            raise self._refused(node, "**")
        return called(args, kwargs)

    def _called(self, node: ast.Call, values: Values) -> Callable[[Any, Any], Any]:
        """What is to be called: a function of torch or Python, a module, or a method."""
        assert self.source is not None  # noqa: S101 - calls come from it
        function = None if loads(node.func) in values else function_name(node.func, self.source)
        if function is not None and function in FUNCTIONS:
            return partial(self.backend.call_function, function)
        match node.func:
            case ast.Name(id=name) if name not in values:
                if name not in BUILTINS:
                    raise self._refused(node, f"{name}()")
                return partial(self._builtin, node, name)
            case ast.Attribute(value=value, attr=name):
                return self._member(node, self._value(value, values), name)
            case _:
                found = self._value(node.func, values)
        if not isinstance(found, Ref):
            raise self._refused(node, f"{ast.unparse(node.func)[:40]}()")
        return partial(self.call, found.path)

    def _builtin(self, node: ast.Call, name: str, args: tuple[Any, ...], kwargs: Any) -> Any:
        if kwargs:
            raise self._refused(node, f"{name}()")
        args = tuple(self._listed(node, a) if isinstance(a, Ref) else a for a in args)
        return self._tried(node, BUILTINS[name], args)

    def _member(self, node: ast.Call, owner: Any, name: str) -> Callable[[Any, Any], Any]:
        """A module inside another, or a method of a tensor or of a QFunctional."""
        if isinstance(owner, Ref):
            path = f"{owner.path}.{name}".lstrip(".")
            if path in self.layers:
                return partial(self.call, path)
            layer = self.layers[owner.path]
            if not layer.class_name.startswith("torch.") or layer.kind not in FUNCTIONAL:
                raise self._refused(node, f".{name}()")
        if name not in METHODS:
            raise self._refused(node, f".{name}()")
        return partial(self.backend.call_method, owner, name)

    # ----------------------------------------------------------------------- errors

    def _refused(self, node: ast.AST, what: str) -> ForwardError:
        assert self.source is not None  # noqa: S101 - statements come from it
        return refusal(self.source, node, what)

    def _failed(self, node: ast.AST, error: Exception) -> ForwardError:
        """The user's own line fails, as it would in Python."""
        words = plain(str(error).partition("\n")[0])
        return ForwardError(f"{self._line}: {plain(ast.unparse(node), 60)} fails: {words}")

    def _unknown(self, node: ast.AST, name: str) -> Any:
        raise self._refused(node, f"the name {name}")
