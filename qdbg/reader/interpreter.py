"""Interpret forward from its syntax: no exec, and only what the allow-list names."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from qdbg.core.program import Layer
from qdbg.errors import ForwardError
from qdbg.reader.allow import check, refusal
from qdbg.reader.allowed import BUILTINS
from qdbg.reader.backend import Backend, Ref
from qdbg.reader.calls import GRAPH
from qdbg.reader.expressions import CONTAINERS, Expressions, Values, is_torchs
from qdbg.reader.source import FORWARD, Source

DEPTH = 50
"""Modules call one another no deeper."""


class _Return(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value


class Interpreter(Expressions):
    """One run of a model's forward."""

    def __init__(
        self, layers: Mapping[str, Layer], source: Source | None, backend: Backend
    ) -> None:
        super().__init__(layers, source, backend)
        self._depth = 0

    def call(self, path: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Call a module: a container or the user's own class is interpreted, torch's is run."""
        layer = self.layers[path]
        if layer.kind == "Sequential" and layer.class_name.startswith("torch."):
            return self._sequential(path, (*args, *kwargs.values()))
        if layer.class_name.startswith("torch.") and layer.kind in CONTAINERS:
            raise ForwardError(f"{self.line}: {path} is a {layer.kind}, which has no forward")
        if layer.class_name.startswith("torch.") and (path or layer.class_name != GRAPH):
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
        values = self._bound(function, path, args, kwargs)
        return self._inside(path, lambda: self._run(function.body, values))

    def method(
        self, node: ast.AST, path: str, name: str
    ) -> Callable[[tuple[Any, ...], Mapping[str, Any]], Any] | None:
        """Another method of a module of the user's own class; None where there is none."""
        layer, source = self.layers[path], self.source
        if source is None or is_torchs(layer) or name in layer.settings or name == FORWARD:
            return None
        function = source.method_of(layer.kind, name)
        if function is None:
            return None
        check(function, source, layer.kind)

        def run(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
            if self._depth >= DEPTH:
                raise self.refused(node, f".{name}() without end")
            values = self._bound(function, path, args, kwargs)
            line, self._depth = self.line, self._depth + 1
            try:
                return self._run(function.body, values)
            finally:
                self._depth -= 1
                self.line = line
                self.backend.enter_line(line)

        return run

    def _bound(
        self,
        function: ast.FunctionDef,
        path: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Values:
        """The names of a method at its start."""
        assert self.source is not None  # noqa: S101 - methods come from it
        names = [a.arg for a in function.args.args]
        values: Values = dict(zip(names, (Ref(path), *args), strict=False)) | dict(kwargs)
        defaults = function.args.defaults
        for name, default in zip(names[len(names) - len(defaults) :], defaults, strict=True):
            if name not in values:
                values[name] = self.value(default, values)
        twice = set(names[: 1 + len(args)]) & set(kwargs)
        if set(names) != set(values) or len(args) >= len(names) or twice:
            raise refusal(self.source, function, f"other arguments than {', '.join(names[1:])}")
        return values

    def _sequential(self, path: str, args: tuple[Any, ...]) -> Any:
        def run() -> Any:
            if len(args) != 1:
                raise ForwardError(f"{path} is given {len(args)} values", expected="one")
            value = args[0]
            for child in self.children(path):
                value = self.call(child.path, (value,), {})
            return value

        return self._inside(path, run)

    def _inside(self, path: str, run: Callable[[], Any]) -> Any:
        line = self.line
        if self._depth >= DEPTH:
            raise ForwardError(f"{line}: {path or 'the model'} calls itself without end")
        self.backend.enter_layer(path)
        self._depth += 1
        try:
            return run()
        finally:
            self._depth -= 1
            self.backend.leave_layer()
            self.line = line
            self.backend.enter_line(line)

    # ------------------------------------------------------------------- statements

    def _run(self, body: list[ast.stmt], values: Values) -> Any:
        try:
            self._block(body, values)
        except _Return as done:
            return done.value
        return None

    def _block(self, body: list[ast.stmt], values: Values) -> None:
        for statement in body:
            self.step(statement)
            self._at(statement)
            self._statement(statement, values)

    def _at(self, node: ast.stmt) -> None:
        assert self.source is not None  # noqa: S101 - statements come from it
        self.line = f"{self.source.path.name}:{node.lineno}"
        self.backend.enter_line(self.line)

    def _statement(self, node: ast.stmt, values: Values) -> None:
        match node:
            case ast.Return(value=value):
                raise _Return(None if value is None else self.value(value, values))
            case ast.Assign(targets=targets, value=value):
                found = self.value(value, values)
                for target in targets:
                    self._assign(target, found, values)
            case ast.AnnAssign(target=target, value=value) if value is not None:
                self._assign(target, self.value(value, values), values)
            case ast.AugAssign(target=ast.Name(id=name) as target, op=op, value=value):
                left = values[name] if name in values else self.unknown(target, name)
                values[name] = self.operate(node, op, left, self.value(value, values))
            case ast.Expr(value=value):
                self.value(value, values)
            case ast.If(test=test, body=body, orelse=orelse):
                self._block(body if self.plain(test, values) else orelse, values)
            case ast.For(target=target, iter=items, body=body, orelse=orelse):
                for item in self._items(items, values):
                    self._assign(target, item, values)
                    self._block(body, values)
                self._block(orelse, values)

    def _assign(self, target: ast.expr, value: Any, values: Values) -> None:
        if isinstance(target, ast.Name):
            values[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            parts = self.tried(target, BUILTINS["tuple"], (value,))
            if len(parts) != len(target.elts):
                raise self.refused(target, f"{len(parts)} values for {len(target.elts)} names")
            for part, item in zip(target.elts, parts, strict=True):
                self._assign(part, item, values)

    def _items(self, node: ast.expr, values: Values) -> Iterator[Any]:
        found = self.value(node, values)
        if isinstance(found, Ref):
            return iter(self.listed(node, found))
        if not isinstance(found, range | list | tuple | enumerate | zip):
            raise self.refused(node, "a loop over something that is no list")
        return (Ref(i.path) if isinstance(i, Ref) else i for i in found)
