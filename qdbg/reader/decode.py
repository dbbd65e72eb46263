"""Decode a pickle without running anything: what it names becomes a name, what it calls a record.

No function or class that the file names is ever looked up. A handful of calls is understood (how
torch rebuilds a tensor, say); any other is refused by its name.
"""

from __future__ import annotations

import pickletools
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from qdbg.errors import ModelError
from qdbg.reader.calls import BUILDERS, ORDERED, REMEDIES, built
from qdbg.reader.plain import showable
from qdbg.reader.records import Name, Record, Storage

OPCODES = 500_000
"""More opcodes than this are refused; a layer takes some 160."""
BYTES = 16_000_000
"""A pickle is smaller than this."""
COMPILED = "torch._dynamo.eval_frame.OptimizedModule"
"""What torch.compile makes of a module."""
MEMO, BITS = 2**32, 64
"""The largest number of the memo, and the longest integer of any model."""


@dataclass(slots=True)
class _Machine:
    """The stack machine of a pickle."""

    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    copied: int = 0

    def pop(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise ModelError("the model's pickle takes from an empty stack")
        return self.stack.pop()

    def top(self, kind: type) -> Any:
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise ModelError(f"the model's pickle fills something that is no {kind.__name__}")
        return self.stack[-1]

    def to_mark(self) -> list[Any]:
        if not self.marks:
            raise ModelError("the model's pickle has no mark where it needs one")
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items


def decode(data: bytes) -> Any:
    """The value that the pickle describes: plain values, lists, dicts, Names, Records and Calls.

    Raises ModelError for opcodes and calls that a saved model does not need, naming them.
    """
    if len(data) > BYTES:
        raise ModelError(f"the model's pickle has {len(data):,} bytes")
    machine = _Machine()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # odd escapes in damaged names
            _run(machine, data)
    except (ValueError, OverflowError, UnicodeDecodeError, MemoryError) as error:
        raise ModelError(f"the model's pickle is damaged: {str(error)[:100]}") from error
    if len(machine.stack) != 1 or machine.marks:
        raise ModelError("the model's pickle does not end with one object")
    return machine.stack[0]


def _run(machine: _Machine, data: bytes) -> None:
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if opcode.name == "STOP":
            break
        if count > OPCODES:
            raise ModelError(f"the model's pickle has more than {OPCODES:,} operations")
        handler = _HANDLERS.get(opcode.name)
        if handler is None:
            raise ModelError(f"the model's pickle uses the operation {opcode.name}")
        handler(machine, argument)


Handler = Callable[[_Machine, Any], None]
_HANDLERS: dict[str, Handler] = {}


def _on(*names: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        _HANDLERS.update(dict.fromkeys(names, handler))
        return handler

    return register


@_on("PROTO", "FRAME")
def _nothing(machine: _Machine, argument: Any) -> None:
    pass


@_on("BININT", "BININT1", "BININT2", "LONG1", "INT", "LONG", "BINFLOAT", "FLOAT")
@_on("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE", "BINBYTES", "SHORT_BINBYTES")
@_on("BINSTRING", "SHORT_BINSTRING", "STRING")
def _push(machine: _Machine, argument: Any) -> None:
    if isinstance(argument, int) and argument.bit_length() > BITS:
        raise ModelError(f"the model's pickle holds an integer of {argument.bit_length()} bits")
    machine.stack.append(argument)


_HANDLERS["NONE"] = lambda machine, _: machine.stack.append(None)
_HANDLERS["NEWTRUE"] = lambda machine, _: machine.stack.append(True)
_HANDLERS["NEWFALSE"] = lambda machine, _: machine.stack.append(False)
_HANDLERS["EMPTY_DICT"] = lambda machine, _: machine.stack.append({})
_HANDLERS["EMPTY_LIST"] = lambda machine, _: machine.stack.append([])
_HANDLERS["EMPTY_SET"] = lambda machine, _: machine.stack.append([])
_HANDLERS["EMPTY_TUPLE"] = lambda machine, _: machine.stack.append(())
_HANDLERS["POP"] = lambda machine, _: machine.pop()
_HANDLERS["MARK"] = lambda machine, _: machine.marks.append(len(machine.stack))
_HANDLERS["TUPLE"] = lambda machine, _: machine.stack.append(tuple(machine.to_mark()))
_HANDLERS["LIST"] = lambda machine, _: machine.stack.append(machine.to_mark())


def _tuple_of(length: int) -> Handler:
    def make(machine: _Machine, argument: Any) -> None:
        items = [machine.pop() for _ in range(length)]
        machine.stack.append(tuple(reversed(items)))

    return make


_HANDLERS.update({f"TUPLE{length}": _tuple_of(length) for length in (1, 2, 3)})


@_on("DICT")
def _dict(machine: _Machine, argument: Any) -> None:
    items = machine.to_mark()
    machine.stack.append({})
    _set_items(machine, items)


@_on("SETITEM")
def _set_item(machine: _Machine, argument: Any) -> None:
    value, key = machine.pop(), machine.pop()
    _set_items(machine, [key, value])


@_on("SETITEMS")
def _set_all(machine: _Machine, argument: Any) -> None:
    _set_items(machine, machine.to_mark())


def _set_items(machine: _Machine, items: list[Any]) -> None:
    target = machine.top(dict)
    if len(items) % 2:
        raise ModelError("the model's pickle has a key without a value")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, str | None) and not (isinstance(key, int) and abs(key) < MEMO):
            raise ModelError(f"the model's pickle has a key that is a {type(key).__name__}")
        target[key] = value


@_on("APPEND")
def _append(machine: _Machine, argument: Any) -> None:
    value = machine.pop()
    machine.top(list).append(value)


@_on("APPENDS", "ADDITEMS")
def _extend(machine: _Machine, argument: Any) -> None:
    items = machine.to_mark()
    machine.top(list).extend(items)


@_on("BINPUT", "LONG_BINPUT", "PUT")
def _put(machine: _Machine, argument: int) -> None:
    if not 0 <= argument < MEMO:
        raise ModelError("the model's pickle numbers something in an unknown way")
    machine.memo[argument] = machine.top(object)


@_on("MEMOIZE")
def _memoize(machine: _Machine, argument: Any) -> None:
    machine.memo[len(machine.memo)] = machine.top(object)


@_on("BINGET", "LONG_BINGET", "GET")
def _get(machine: _Machine, argument: int) -> None:
    if argument not in machine.memo:
        raise ModelError("the model's pickle refers to something that it does not hold")
    machine.stack.append(machine.memo[argument])


@_on("GLOBAL")
def _global(machine: _Machine, argument: str) -> None:
    machine.stack.append(_named(argument.replace(" ", ".", 1)))


def _named(text: str) -> Name:
    if not showable(text):
        raise ModelError(f"the model's pickle names {text[:80]!r}, which cannot be shown")
    if text == COMPILED:
        raise ModelError(
            "the file holds a model that was compiled by torch.compile",
            expected="the model itself, of which PyTorch's own kernels compute each layer",
            remedy="Save the model that was compiled: torch.save(model._orig_mod, path).",
        )
    return Name(text)


@_on("STACK_GLOBAL")
def _stack_global(machine: _Machine, argument: Any) -> None:
    name, module = machine.pop(), machine.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise ModelError("the model's pickle names something by what is no text")
    machine.stack.append(_named(f"{module}.{name}"))


@_on("NEWOBJ")
def _new(machine: _Machine, argument: Any) -> None:
    args, name = machine.pop(), machine.pop()
    if not isinstance(name, Name) or args != ():
        raise ModelError("the model's pickle makes an object in a way that no model needs")
    machine.stack.append(Record(name.text))


@_on("REDUCE")
def _reduce(machine: _Machine, argument: Any) -> None:
    args, name = machine.pop(), machine.pop()
    if not isinstance(name, Name) or not isinstance(args, tuple):
        raise ModelError("the model's pickle calls something that has no name")
    if name.text not in BUILDERS:
        raise ModelError(
            f"the model's pickle calls {name.text}, which qdbg does not run",
            remedy=next((r for start, r in REMEDIES.items() if name.text.startswith(start)), ""),
        )
    if name.text == ORDERED:
        machine.copied += len(args[0]) if args and isinstance(args[0], list) else 0
        if machine.copied > OPCODES:
            raise ModelError(f"the model's pickle copies more than {OPCODES:,} entries")
    machine.stack.append(built(name.text, args))


@_on("BUILD")
def _build(machine: _Machine, argument: Any) -> None:
    state = machine.pop()
    target = machine.stack[-1] if machine.stack else None
    if isinstance(target, dict):
        return  # an OrderedDict's attributes: a state_dict's _metadata
    if not isinstance(target, Record) or target.built:
        raise ModelError("the model's pickle changes something that is not a new object")
    target.state, target.built = state, True


@_on("BINPERSID")
def _storage(machine: _Machine, argument: Any) -> None:
    match machine.pop():
        case ("storage", Name(kind), str(key), _, int(numel)) if kind.startswith("torch."):
            machine.stack.append(Storage(kind.removeprefix("torch."), key, numel))
        case _:
            raise ModelError("the model's pickle refers to a storage in an unknown way")
