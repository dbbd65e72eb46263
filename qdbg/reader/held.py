"""Further tensors of a layer: a norm's statistics, an LSTM's weights, what own modules hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from qdbg.core.quantity import Array, QTensor
from qdbg.errors import ModelError
from qdbg.reader.numbers import SCALES, is_tensor
from qdbg.reader.packed import script_linear
from qdbg.reader.plain import showable
from qdbg.reader.records import Call, Name, Record, Storage
from qdbg.reader.tensors import KINDS, Tensors

Held = dict[str, QTensor | Array]
PLAIN = ("<f4", "<f8", "<i8", "<i4")
"""The numbers that a tensor beside the weights may hold; others are left in the file."""
RESULT = frozenset(name for names in SCALES for name in names)
STATISTICS = ("weight", "bias", "running_mean", "running_var")


def held_by(kind: str, state: Mapping[Any, Any], path: str, tensors: Tensors) -> Held:
    """The tensors of one of torch's quantized layers. Raises ModelError."""
    for start, read in _READERS.items():
        if kind.startswith(start):
            return read(state, path, tensors)
    return {}


def tensors_in(state: Mapping[Any, Any], path: str, tensors: Tensors) -> Held:
    """Every parameter, buffer and plain tensor attribute, but the scale of the result."""
    found: Held = {}
    for name, value in _named(state):
        if name in RESULT or not is_tensor(value) or not _is_kept(value):
            continue
        what = f"{path}.{name}" if path else name
        quantized = value.name.endswith("_rebuild_qtensor")
        found[name] = tensors.quantized(value, what) if quantized else tensors.array(value, what)
    return found


def _named(state: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for room in (state.get("_parameters"), state.get("_buffers"), state):
        for name, value in room.items() if isinstance(room, dict) else ():
            if isinstance(name, str) and name.isidentifier() and showable(name):
                yield name, value


def _is_kept(value: Call) -> bool:
    """Whether the numbers are of a kind that qdbg computes with, and any."""
    inner = value.args[0] if value.args and value.name.endswith("_parameter") else value
    match inner:
        case Call("torch._utils._rebuild_tensor_v2", (Storage() as held, _, tuple(size), *_)):
            return KINDS.get(held.kind) in PLAIN and 0 not in size
        case Call("torch._utils._rebuild_qtensor", (Storage(), _, tuple(size), *_)):
            return 0 not in size
        case _:
            return False


def _batch_norm(state: Mapping[Any, Any], path: str, tensors: Tensors) -> Held:
    found = tensors_in(state, path, tensors)
    for name in STATISTICS:
        _require(found, name, [state.get("num_features")], path)
    return found


def _shaped_by(*names: str) -> Callable[[Mapping[Any, Any], str, Tensors], Held]:
    """A norm whose weight and bias have the shape that one of the settings says."""

    def read(state: Mapping[Any, Any], path: str, tensors: Tensors) -> Held:
        found = tensors_in(state, path, tensors)
        said = next((state[name] for name in names if name in state), None)
        shape = list(said) if isinstance(said, tuple | list) else [said]
        for name in STATISTICS[:2]:
            if name in found:
                _require(found, name, shape, path)
        return found

    return read


def _require(found: Held, name: str, shape: list[Any], path: str) -> None:
    value = found.get(name)
    if not isinstance(value, np.ndarray) or value.dtype != "float32" or list(value.shape) != shape:
        has = f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else "missing"
        raise ModelError(f"{path}.{name} is {has}", expected=f"float32 {str(shape)[:60]}")


def _prelu(state: Mapping[Any, Any], path: str, tensors: Tensors) -> Held:
    found = tensors_in(state, path, tensors)
    if not isinstance(found.get("weight"), QTensor):
        raise ModelError(f"{path} has no quantized slopes")
    return found


def _embedding(state: Mapping[Any, Any], path: str, tensors: Tensors) -> Held:
    """The integers of the table with a float scale and zero point for each row."""
    packed = state.get("_modules", {}).get("_packed_params")
    inside = packed.state if isinstance(packed, Record) and isinstance(packed.state, dict) else {}
    match inside.get("_packed_weight"):
        case Record(class_name="torch.ScriptObject", state=((_, [Call() as weight], *_), str())):
            pass
        case _:
            raise ModelError(f"{path} has no packed table of integers")
    match weight.args:
        case (Storage(), _, (int(rows), int()), _, (Name(kind), scales, zero_points, 0), *_):
            known = kind == "torch.per_channel_affine" and weight.name.endswith("_qtensor")
        case _:
            known = False
    if not known:
        raise ModelError(f"{path}.weight is not a table with a scale for each row")
    found: Held = {
        "weight_q": tensors.array(_bytes_of(weight, path), f"{path}.weight"),
        "weight_scale": tensors.array(scales, f"the scales of {path}"),
        "weight_zero_point": tensors.array(zero_points, f"the zero points of {path}"),
    }
    for name in ("weight_scale", "weight_zero_point"):
        _require(found, name, [rows], path)
        if not np.all(np.isfinite(found[name])):  # type: ignore[arg-type] # an array, as required
            raise ModelError(f"{path}.{name} is not finite everywhere")
    return found


def _bytes_of(weight: Call, path: str) -> Call:
    """The table as plain bytes; where an integer has 4 bits, each byte holds two."""
    storage, offset, (rows, columns), stride, *_ = weight.args
    per_byte = {"QUInt8Storage": 1, "QUInt4x2Storage": 2}.get(storage.kind, 0)
    halves = per_byte == 2  # noqa: PLR2004 - two integers in a byte
    if not per_byte or (halves and (columns % 2 or stride != (columns, 1) or offset != 0)):
        raise ModelError(f"{path}.weight is laid out in a way that qdbg does not read")
    steps = (columns // 2, 1) if halves else stride
    plain = Storage("ByteStorage", storage.key, storage.numel)
    sizes = (rows, columns // per_byte)
    return Call("torch._utils._rebuild_tensor_v2", (plain, offset, sizes, steps))


def _recurrent(state: Mapping[Any, Any], path: str, tensors: Tensors) -> Held:
    """An LSTM's or GRU's int8 weights, by the names of torch: weight_ih_l0_reverse."""
    cells = state.get("_modules", {}).get("_all_weight_values")
    held = cells.state.get("_modules") if isinstance(cells, Record) and cells.state else None
    layers, ways = state.get("num_layers"), 2 if state.get("bidirectional") is True else 1
    if not isinstance(held, dict) or type(layers) is not int or len(held) != layers * ways:
        raise ModelError(
            f"{path} has {len(held or ())} packed weights for {str(layers)[:20]} layers"
        )
    found: Held = {}
    for number, cell in enumerate(held.values()):
        suffix = f"_l{number // ways}{'_reverse' if number % ways else ''}"
        match cell:
            case Record(
                state={
                    "param": Record(
                        class_name="torch.ScriptObject",
                        state=((str("quantized_dynamic"), _, _, _, [first, second]), str()),
                    )
                }
            ):
                found |= _cell((first, second), suffix, path, tensors)
            case _:
                raise ModelError(
                    f"{path} keeps its weights in a way that qdbg does not read",
                    expected="int8 weights of quantize_dynamic(dtype=torch.qint8)",
                )
        below = state.get("hidden_size", 0) * ways if number >= ways else state.get("input_size")
        _fit(found, suffix, below, state, path)
    return found


def _cell_alone(state: Mapping[Any, Any], path: str, tensors: Tensors) -> Held:
    first, second = (state.get(f"_packed_weight_{part}") for part in ("ih", "hh"))
    found = _cell((first, second), "", path, tensors)
    _fit(found, "", state.get("input_size"), state, path)
    return found


def _fit(found: Held, suffix: str, inputs: Any, state: Mapping[Any, Any], path: str) -> None:
    """Raise ModelError where the sizes that the layer says are not those of its weights."""
    hidden = state.get("hidden_size")
    for part, size in (("ih", inputs), ("hh", hidden)):
        shape = found[f"weight_{part}{suffix}"].q.shape  # type: ignore[union-attr] # a QTensor
        if shape[1] != size or type(hidden) is not int or hidden < 1 or shape[0] % hidden:
            raise ModelError(
                f"{path}.weight_{part}{suffix} has the shape {list(shape)}",
                expected=f"[gates · {str(hidden)[:20]}, {str(size)[:20]}]",
            )


def _cell(scripts: tuple[Any, Any], suffix: str, path: str, tensors: Tensors) -> Held:
    found: Held = {}
    for part, script in zip(("ih", "hh"), scripts, strict=True):
        pair = script_linear(script, f"{path}.{part}{suffix}", tensors)
        if pair is None:
            raise ModelError(f"{path} has no int8 weights {part}{suffix}")
        weight, bias = pair
        found[f"weight_{part}{suffix}"] = weight
        if bias is not None:
            found[f"bias_{part}{suffix}"] = bias
    return found


_READERS: dict[str, Callable[[Mapping[Any, Any], str, Tensors], Held]] = {
    "BatchNorm": _batch_norm,
    "BNReLU": _batch_norm,
    "LayerNorm": _shaped_by("normalized_shape"),
    "GroupNorm": _shaped_by("num_channels"),
    "InstanceNorm": _shaped_by("num_features"),
    "PReLU": _prelu,
    "Embedding": _embedding,
    "LSTMCell": _cell_alone,
    "GRUCell": _cell_alone,
    "RNNCell": _cell_alone,
    "LSTM": _recurrent,
    "GRU": _recurrent,
}
"""By how the class's name begins; a longer name comes before a shorter one."""
