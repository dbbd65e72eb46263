"""The expressions of a forward: values of Python, calls of torch, and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from qdbg.core.program import Layer
from qdbg.core.words import counted
from qdbg.errors import ForwardError
from qdbg.reader.allow import function_name, loads, refusal
from qdbg.reader.allowed import (
    ATTRIBUTES,
    BUILTINS,
    CONSTANTS,
    FUNCTIONAL,
    FUNCTIONAL_METHODS,
    FUNCTIONS,
    LIMIT,
    LIST_METHODS,
    METHODS,
)
from qdbg.reader.backend import Backend, Ref
from qdbg.reader.calls import GRAPHS
from qdbg.reader.operators import IN_PLACE, OPERATORS, refused
from qdbg.reader.plain import plain
from qdbg.reader.source import Source

STEPS = 200_000
"""A forward of more statements and expressions does not come to an end."""
Values = dict[str, Any]
CONTAINERS = ("Sequential", "ModuleList")
DICT = "torch.nn.modules.container.ModuleDict"
PLAIN = (bool, int, float, str, tuple, list, range, type(None))


def is_torchs(layer: Layer) -> bool:
    """Whether the module is of one of torch's classes, whose forward torch runs."""
    return layer.class_name.startswith("torch.") and layer.class_name not in GRAPHS


class Expressions:
    """What an expression of the source means, computed by the backend."""

    def __init__(
        self, layers: Mapping[str, Layer], source: Source | None, backend: Backend
    ) -> None:
        self.layers, self.source, self.backend = layers, source, backend
        self.count = 0
        self._family: dict[str, list[Ref]] = {}
        self.line = ""

    def call(self, path: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Call a module."""
        raise NotImplementedError

    def method(self, node: ast.AST, path: str, name: str) -> Callable[[Any, Any], Any] | None:
        """Another method of a module of the user's own class; None where there is none."""
        raise NotImplementedError

    # ---------------------------------------------------------------- layers and steps

    def children(self, path: str) -> list[Ref]:
        """The layers inside the one at `path`, in the order of registration."""
        if not self._family:
            for each in self.layers:
                if each:
                    self._family.setdefault(each.rpartition(".")[0], []).append(Ref(each))
        return self._family.get(path, [])

    def listed(self, node: ast.AST, owner: Ref) -> list[Ref]:
        """The layers of a ModuleList or Sequential; no other module has an order."""
        layer = self.layers[owner.path]
        known = is_torchs(layer) and layer.kind in CONTAINERS
        if not known and not (self.source and self.source.is_sequential(layer.kind)):
            raise self.refused(node, f"the parts of a {layer.kind}")
        return list(self.children(owner.path))

    def step(self, node: ast.AST) -> None:
        """Count what has been done. Raises ForwardError for a forward without an end."""
        self.count += 1
        if self.count > STEPS:
            raise self.refused(node, f"more than {STEPS:,} steps")

    # ------------------------------------------------------------------ expressions

    def value(self, node: ast.expr, values: Values) -> Any:  # noqa: PLR0911 - a case each
        """What the expression means."""
        self.step(node)
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return values[name] if name in values else self.unknown(node, name)
            case ast.Tuple(elts=elts):
                return tuple(self.value(e, values) for e in elts)
            case ast.List(elts=elts):
                return [self.value(e, values) for e in elts]
            case ast.Call():
                return self._call(node, values)
            case ast.Attribute():
                return self._attribute(node, values)
            case ast.Subscript(value=value, slice=place):
                return self._item(node, self.value(value, values), self.value(place, values))
            case ast.Slice(lower=lower, upper=upper, step=step):
                parts = (lower, upper, step)
                return slice(*(None if p is None else self.value(p, values) for p in parts))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.value(body if self.plain(test, values) else orelse, values)
            case _:
                return self._operation(node, values)

    def _operation(self, node: ast.expr, values: Values) -> Any:
        match node:
            case ast.BinOp(left=left, op=op, right=right):
                return self.operate(node, op, self.value(left, values), self.value(right, values))
            case ast.UnaryOp(op=op, operand=operand):
                return self.operate(node, op, self.value(operand, values))
            case ast.BoolOp(op=op, values=parts):
                wanted = isinstance(op, ast.Or)
                found: Any = not wanted
                for part in parts:
                    found = self.plain(part, values)
                    if bool(found) == wanted:
                        break
                return found
            case ast.Compare(left=left, ops=ops, comparators=rest):
                found, first = True, self.value(left, values)
                for comparison, right in zip(ops, rest, strict=True):
                    second = self.value(right, values)
                    found = self.operate(node, comparison, first, second)
                    first = second
                    if len(ops) > 1 and not self.settled(node, found):
                        break
                return found
            case _:
                raise self.refused(node, ast.unparse(node)[:40])

    def operate(self, node: ast.AST, op: ast.AST, *operands: Any) -> Any:
        """The operator applied to the operands. Raises ForwardError."""
        if why := refused(op, operands):
            raise self.refused(node, why)
        if isinstance(op, ast.Not) and not isinstance(operands[0], PLAIN):
            raise self.refused(node, "a condition on a tensor's values")
        table = IN_PLACE if isinstance(node, ast.AugAssign) else OPERATORS
        return self.tried(node, table[type(op)], operands)

    def tried(self, node: ast.AST, function: Callable[..., Any], operands: Iterable[Any]) -> Any:
        """The function's result. Raises ForwardError in the words of what fails."""
        try:
            return function(*operands)
        except Exception as error:
            raise self._failed(node, error) from error

    def plain(self, node: ast.expr, values: Values) -> Any:
        """A value that a branch may depend on."""
        return self.settled(node, self.value(node, values))

    def settled(self, node: ast.expr, found: Any) -> Any:
        """The value itself. Raises ForwardError for a tensor, whose numbers nobody reads."""
        if not isinstance(found, PLAIN):
            raise self.refused(node, "a condition on a tensor's values")
        return found

    def _item(self, node: ast.expr, value: Any, place: Any) -> Any:
        if isinstance(value, Ref):
            if isinstance(place, str) and self.layers[value.path].class_name == DICT:
                return self._of_layer(node, value, place)
            children = self.listed(node, value)
            if isinstance(place, int) and -len(children) <= place < len(children):
                return children[place]
            where = place if isinstance(place, int) else type(place).__name__
            raise self.refused(node, f"{value.path}[{where}], of {counted(len(children), 'layer')}")
        try:
            return value[place]
        except Exception as error:
            raise self._failed(node, error) from error

    def _attribute(self, node: ast.Attribute, values: Values) -> Any:
        assert self.source is not None  # noqa: S101 - attributes come from it
        constant = None if loads(node) in values else function_name(node, self.source)
        if constant in CONSTANTS:
            return self.backend.get_constant(constant)
        owner = self.value(node.value, values)
        if isinstance(owner, Ref):
            return self._of_layer(node, owner, node.attr)
        if node.attr in ATTRIBUTES:
            return self.backend.get_attribute(owner, node.attr)
        raise self.refused(node, f".{node.attr}")

    def _of_layer(self, node: ast.AST, owner: Ref, name: str) -> Any:
        """What the module at the reference holds: another module, a plain value or a tensor."""
        path = f"{owner.path}.{name}" if owner.path else name
        if path in self.layers:
            return Ref(path)
        layer = self.layers[owner.path]
        if name in layer.settings:
            return layer.settings[name]
        if name in layer.parameters and not is_torchs(layer):
            return self.backend.get_tensor(owner.path, name)
        raise self.refused(node, f"self.{name}, which the file does not hold")

    def _call(self, node: ast.Call, values: Values) -> Any:
        called = self._called(node, values)  # before the arguments, which may change its owner
        args = tuple(self.value(a, values) for a in node.args)
        kwargs = {k.arg: self.value(k.value, values) for k in node.keywords if k.arg}
        if len(kwargs) != len(node.keywords):
            raise self.refused(node, "**")
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
                    raise self.refused(node, f"{name}()")
                return partial(self._builtin, node, name)
            case ast.Attribute(value=value, attr=name):
                return self._member(node, self.value(value, values), name)
            case _:
                found = self.value(node.func, values)
        if not isinstance(found, Ref):
            raise self.refused(node, f"{ast.unparse(node.func)[:40]}()")
        return partial(self.call, found.path)

    def _builtin(self, node: ast.Call, name: str, args: tuple[Any, ...], kwargs: Any) -> Any:
        if kwargs:
            raise self.refused(node, f"{name}()")
        args = tuple(self.listed(node, a) if isinstance(a, Ref) else a for a in args)
        return self.tried(node, BUILTINS[name], args)

    def _member(self, node: ast.Call, owner: Any, name: str) -> Callable[[Any, Any], Any]:
        """A module inside another, or a method of a tensor or of a QFunctional."""
        if isinstance(owner, Ref):
            path = f"{owner.path}.{name}".lstrip(".")
            if path in self.layers:
                return partial(self.call, path)
            layer = self.layers[owner.path]
            known = is_torchs(layer) and layer.kind in FUNCTIONAL and name in FUNCTIONAL_METHODS
            if not known:
                own = self.method(node, owner.path, name)
                if own is None:
                    raise self.refused(node, f".{name}()")
                return own
            return partial(self.backend.call_member, owner.path, name)
        if isinstance(owner, list) and name in LIST_METHODS:
            return partial(self._changed, node, owner)
        if name not in METHODS:
            raise self.refused(node, f".{name}()")
        return partial(self.backend.call_method, owner, name)

    def _changed(self, node: ast.AST, owner: list[Any], args: tuple[Any, ...], kwargs: Any) -> None:
        if len(args) != 1 or kwargs or len(owner) >= LIMIT:
            raise self.refused(node, ".append() of a list in another way")
        owner.append(args[0])

    # ----------------------------------------------------------------------- errors

    def refused(self, node: ast.AST, what: str) -> ForwardError:
        """The error that names the line and what stands there."""
        assert self.source is not None  # noqa: S101 - statements come from it
        return refusal(self.source, node, what)

    def _failed(self, node: ast.AST, error: Exception) -> ForwardError:
        """The user's own line fails, as it would in Python."""
        words = plain(str(error).partition("\n")[0])
        return ForwardError(f"{self.line}: {plain(ast.unparse(node), 60)} fails: {words}")

    def unknown(self, node: ast.AST, name: str) -> Any:
        """Raise ForwardError for a name without a meaning."""
        raise self.refused(node, f"the name {name}")
