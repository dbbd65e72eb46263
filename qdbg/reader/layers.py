"""From the records of a pickle to the layers of a model."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from qdbg.core.program import Layer
from qdbg.core.quantity import Array, QParams, QTensor
from qdbg.errors import ModelError
from qdbg.reader.archive import SAVE
from qdbg.reader.plain import LONGEST, showable
from qdbg.reader.records import Call, Name, Record
from qdbg.reader.tensors import Tensors, checked

DEPTH, LAYERS = 40, 20_000
"""No model is deeper or has more layers than this."""
NOT_CONVERTED = ("FakeQuantize", "Observer")
STEPS = ("forward", "forward_pre", "backward", "backward_pre", "state_dict", "state_dict_pre")
LOADS = ("load_state_dict_pre", "load_state_dict_post")
HOOKS = tuple(f"_{step}_hooks" for step in (*STEPS, *LOADS))
"""Where a module keeps code that runs around its forward, or when it is saved and loaded."""
REPLACED = ("forward", "__class__", "__call__", "_call_impl", "_compiled_call_impl")
"""An attribute of one of these names would take the place of a module's own forward."""
FLOAT = ("torch.nn.modules.linear.Linear", "torch.nn.modules.conv.")
PACKS = tuple(
    f"torch.{room}nn.{kind}quantized." for room in ("ao.", "") for kind in ("", "intrinsic.")
)
"""Where the classes of quantized layers live."""
PACKED, POST = "_packed_params", "activation_post_process"
DYNAMIC = ".quantized.dynamic."
"""Layers that find the scale of their input as they run, and give floats."""


def layers_of(root: Any, tensors: Tensors) -> dict[str, Layer]:
    """Every module of the file by its path, in the order of registration.

    Raises ModelError for what is not a converted model of plain modules.
    """
    if isinstance(root, dict):
        return state_dict_layers(root, tensors)
    if not isinstance(root, Record):
        kind = "tensor" if isinstance(root, Call) else type(root).__name__
        raise ModelError(f"the file holds a {kind}, not a model", expected="a module", remedy=SAVE)
    walk = _Walk(tensors)
    walk.visit(root, "", 0)
    if not any(layer.weight or layer.output for layer in walk.found.values()) and walk.floats:
        raise ModelError(
            "the file holds a float model: none of its layers is quantized",
            expected="a model after torch.ao.quantization.convert",
        )
    return walk.found


@dataclass(slots=True)
class _Walk:
    """From the root through every module; one that is shared is decoded once."""

    tensors: Tensors
    found: dict[str, Layer] = field(default_factory=dict)
    floats: bool = False
    seen: dict[int, Layer] = field(default_factory=dict)
    visited: int = 0

    def visit(self, record: Record, path: str, depth: int) -> None:
        where = path[:60] or "the model"
        state = _state(record)
        if not isinstance(state, dict) or not isinstance(state.get("_modules"), dict):
            raise ModelError(
                f"{where} is a {record.class_name}, which qdbg does not read",
                expected="modules such as Linear, LinearReLU, ReLU, Quantize and DeQuantize",
            )
        self.visited += 1 + len(state["_modules"])
        if depth > DEPTH or self.visited > LAYERS or len(path) > LONGEST:
            raise ModelError(f"{where} is nested deeper or wider than any model")
        if id(record) not in self.seen:
            _refuse(record, where, state)
            self.seen[id(record)] = _layer(record, path, state, self.tensors)
        self.found[path] = replace(self.seen[id(record)], path=path)
        self.floats |= record.class_name.startswith(FLOAT)
        for name, child in state["_modules"].items():
            if name in {PACKED, POST} or child is None:
                continue
            if not isinstance(name, str) or not name or "." in name or type(child) is not Record:
                raise ModelError(f"{where} holds {str(name)[:60]!r}, which is not a module")
            if not showable(name):
                raise ModelError(f"{where} holds a layer whose name cannot be shown: {name[:60]!r}")
            self.visit(child, f"{path}.{name}" if path else name, depth + 1)


def _state(record: Record) -> Any:
    """A module's attributes; a quantized convolution's file holds a bare tuple in their place."""
    packs = record.class_name.startswith(PACKS) and ".conv" in record.class_name
    return {"_modules": {}} if packs and isinstance(record.state, tuple) else record.state


def _observes(post: Any) -> bool:
    """An observer; a converted QFunctional keeps an Identity in that place."""
    identity = isinstance(post, Record) and post.class_name == "torch.nn.modules.linear.Identity"
    if identity:
        _refuse(post, POST, {"_modules": {}, **post.state} if type(post.state) is dict else {})
    return post is not None and not identity


def _refuse(record: Record, where: str, state: dict[str, Any]) -> None:
    """What would run besides the layers, and what is not converted yet."""
    modules = state.get("_modules")
    post = modules.get(POST) if isinstance(modules, dict) else None
    if record.class_name.endswith(NOT_CONVERTED) or _observes(post):
        raise ModelError(
            f"{where} is prepared for quantization but not converted: it still observes floats",
            remedy="Convert it first: torch.ao.quantization.convert(model.eval()), then save it.",
        )
    for name in HOOKS:
        if state.get(name):
            raise ModelError(
                f"{where} holds {name.strip('_').replace('_', ' ')}, code that qdbg does not run",
                remedy="Remove the hooks before torch.save.",
            )
    if any(state.get(name) is not None for name in REPLACED):
        raise ModelError(f"{where} replaces its own forward, which qdbg does not run")


def _layer(record: Record, path: str, state: dict[str, Any], tensors: Tensors) -> Layer:
    absent = {name: None for name, child in state["_modules"].items() if child is None}
    settings = {
        name: value
        for name, value in (absent | state).items()
        if (isinstance(value, int | float | None) or (isinstance(value, str) and showable(value)))
        and isinstance(name, str)
        and showable(name)
        and not name.startswith("_")
    }
    inside = state["_modules"].get(PACKED)
    if isinstance(inside, Record) and isinstance(inside.state, dict):
        _refuse(inside, path, {**inside.state, "_modules": {}})
    dynamic = DYNAMIC in record.class_name
    weight, bias = _packed(inside, path, tensors, dynamic)
    packs = record.class_name.startswith(PACKS) and "Linear" in record.class_name
    if weight is None and packs and not dynamic:
        raise ModelError(f"{path or record.class_name} has no int8 weights")
    _refuse_shapes(path, settings, weight)
    output = None if dynamic else _output(state, path, tensors)
    return Layer(path, record.class_name, weight, bias, output, settings)


def _packed(
    packed: Any, path: str, tensors: Tensors, dynamic: bool
) -> tuple[QTensor | None, Array | None]:
    """The weight and bias of a Linear; other packed layers keep theirs to themselves."""
    match packed:
        case Record(state={"_packed_params": Record(class_name="torch.ScriptObject") as script}):
            pass
        case _:
            return None, None
    match script.state:
        case ((Call(name="torch._utils._rebuild_tensor_v2"), _), str()) if dynamic:
            return None, None  # float16: nothing in it is an integer
        case ((weight, bias), str(kind)) if kind.endswith("LinearPackedParamsBase"):
            return weight_and_bias(weight, bias, path, tensors)
        case _:
            return None, None


def weight_and_bias(
    weight: Any, bias: Any, path: str, tensors: Tensors
) -> tuple[QTensor, Array | None]:
    """An int8 weight [C, K] and a float32 bias [C]. Raises ModelError."""
    found = tensors.quantized(weight, f"{path}.weight")
    if found.q.ndim != 2 or found.qparams.dtype != "qint8":  # noqa: PLR2004 - [C, K]
        raise ModelError(
            f"{path}.weight is {found.qparams.dtype} with {found.q.ndim} axes",
            expected="qint8 [outputs, inputs]",
        )
    if found.qparams.axis not in {None, 0}:
        raise ModelError(f"{path}.weight has its scales on axis {found.qparams.axis}", expected="0")
    if bias is None:
        return found, None
    values = tensors.array(bias, f"{path}.bias")
    if values.dtype != "float32" or values.shape != found.q.shape[:1]:
        raise ModelError(
            f"{path}.bias is {values.dtype} {list(values.shape)}",
            expected=f"float32 [{found.q.shape[0]}]",
        )
    return found, values


def _refuse_shapes(path: str, settings: dict[str, Any], weight: QTensor | None) -> None:
    if weight is None:
        return
    said = settings.get("out_features"), settings.get("in_features")
    if said not in ((None, None), weight.q.shape):
        raise ModelError(
            f"{path} says {said[1]} inputs and {said[0]} outputs, its weight has"
            f" {weight.q.shape[1]} and {weight.q.shape[0]}"
        )


def _output(state: dict[str, Any], path: str, tensors: Tensors) -> QParams | None:
    """The scale and zero point of the result: plain numbers, or buffers of one number."""
    buffers = state.get("_buffers")
    held = buffers if isinstance(buffers, dict) else {}
    scale, zero_point = (state.get(n, held.get(n)) for n in ("scale", "zero_point"))
    if scale is None or zero_point is None:
        return None
    kind = state.get("dtype")
    dtype = kind.text.removeprefix("torch.") if isinstance(kind, Name) else "quint8"
    return parameters(scale, zero_point, dtype, path, tensors)


def parameters(
    scale: Any, zero_point: Any, dtype: str, path: str, tensors: Tensors
) -> QParams | None:
    """One scale and one zero point; None for more than one. Raises ModelError."""
    first, second = _number(scale, path, tensors), _number(zero_point, path, tensors)
    if first is None or second is None:
        return None
    if not math.isfinite(second) or int(second) != second:
        raise ModelError(f"{path} has the zero point {second}", expected="a whole number")
    return checked(float(first), int(second), dtype, path)


def _number(value: Any, path: str, tensors: Tensors) -> float | int | None:
    if isinstance(value, int | float):
        return value
    found = tensors.array(value, f"a scale or zero point of {path}")
    number: float | int | None = found.reshape(-1)[0].item() if found.size == 1 else None
    return number


def state_dict_layers(values: dict[Any, Any], tensors: Tensors) -> dict[str, Layer]:
    """The layers whose numbers a state_dict holds; it names no classes."""
    packed = f".{PACKED}.{PACKED}"
    paths = [k.rpartition(".")[0] for k in values if isinstance(k, str) and k.endswith(".scale")]
    if not paths:
        raise _no_model(values)
    found = {"": Layer("", "state_dict")}
    for path in paths:
        if not showable(path):
            raise ModelError(f"the file holds a layer whose name cannot be shown: {path[:60]!r}")
        weight = bias = None
        match values.get(path + packed):
            case (first, second):
                weight, bias = weight_and_bias(first, second, path, tensors)
        scale, zero_point = values[f"{path}.scale"], values.get(f"{path}.zero_point", 0)
        output = parameters(scale, zero_point, "quint8", path, tensors)
        found[path] = Layer(path, "", weight, bias, output)
    return found


def _no_model(values: dict[Any, Any]) -> ModelError:
    """A checkpoint, or the weights of a float model."""
    keys = ", ".join(repr(k) for k in list(values)[:6])
    module = next((k for k, v in values.items() if isinstance(v, Record)), None)
    remedy = (
        SAVE if module is None else f"Save the module alone: torch.save(file[{module!r}], path)."
    )
    return ModelError(
        f"the file holds a dictionary with the keys {keys or '(none)'}, not a model",
        expected="a converted module",
        remedy=remedy,
    )
