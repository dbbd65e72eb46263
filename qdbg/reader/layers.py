"""From the records of a pickle to the layers of a model."""

from __future__ import annotations

from typing import Any

from qdbg.core.program import Layer
from qdbg.core.quantity import Array, QParams, QTensor
from qdbg.errors import ModelError
from qdbg.reader.archive import SAVE
from qdbg.reader.records import Name, Record
from qdbg.reader.tensors import Tensors, checked

DEPTH, LAYERS = 64, 20_000
"""No model is deeper or has more layers than this."""
NOT_CONVERTED = ("FakeQuantize", "Observer")
STEPS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
)
"""Where a module keeps code that runs around its forward."""
PACKED = "_packed_params"


def layers_of(root: Any, tensors: Tensors) -> dict[str, Layer]:
    """Every module of the file by its path, in the order of registration.

    Raises ModelError for what is not a converted model of plain modules.
    """
    if isinstance(root, dict):
        return state_dict_layers(root, tensors)
    if not isinstance(root, Record):
        raise ModelError(
            f"the file holds a {type(root).__name__}, not a model", expected="a module", remedy=SAVE
        )
    found: dict[str, Layer] = {}
    _walk(root, "", 0, found, tensors)
    return found


def _walk(record: Record, path: str, depth: int, found: dict[str, Layer], tensors: Tensors) -> None:
    where = path[:60] or "the model"
    if depth > DEPTH or len(found) > LAYERS:
        raise ModelError(f"{where} is nested deeper or wider than any model")
    state = record.state
    if not isinstance(state, dict) or not isinstance(state.get("_modules"), dict):
        raise ModelError(
            f"{where} is a {record.class_name}, which qdbg does not read",
            expected="modules such as Linear, LinearReLU, ReLU, Quantize and DeQuantize",
        )
    _refuse(record, where, state)
    found[path] = _layer(record, path, state, tensors)
    for name, child in state["_modules"].items():
        if name == PACKED or child is None:
            continue
        if not isinstance(name, str) or not name or "." in name or not isinstance(child, Record):
            raise ModelError(f"{where} holds {name!r}, which is not a module")
        _walk(child, f"{path}.{name}" if path else name, depth + 1, found, tensors)


def _refuse(record: Record, where: str, state: dict[str, Any]) -> None:
    """What would run besides the layers, and what is not converted yet."""
    if record.class_name.endswith(NOT_CONVERTED) or "activation_post_process" in state["_modules"]:
        raise ModelError(
            f"{where} is prepared for quantization but not converted: it still observes floats",
            remedy="Convert it first: torch.ao.quantization.convert(model.eval()), then save it.",
        )
    for name in STEPS:
        if state.get(name):
            raise ModelError(
                f"{where} holds {name.strip('_').replace('_', ' ')}, code that qdbg does not run",
                remedy="Remove the hooks before torch.save.",
            )
    if "forward" in state or "__class__" in state:
        raise ModelError(f"{where} replaces its own forward, which qdbg does not run")


def _layer(record: Record, path: str, state: dict[str, Any], tensors: Tensors) -> Layer:
    settings = {
        name: value
        for name, value in state.items()
        if isinstance(value, bool | int | float | str)
        and isinstance(name, str)
        and (not name.startswith("_") or name == "training")
    }
    weight, bias = _packed(state["_modules"].get(PACKED), path, tensors)
    _refuse_shapes(path, settings, weight)
    output = _output(state, path, tensors)
    return Layer(path, record.class_name, weight, bias, output, settings)


def _packed(packed: Any, path: str, tensors: Tensors) -> tuple[QTensor | None, Array | None]:
    """The weight and bias of a Linear; other packed layers keep theirs to themselves."""
    match packed:
        case Record(state={"_packed_params": Record(class_name="torch.ScriptObject") as script}):
            pass
        case _:
            return None, None
    match script.state:
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
    if said not in {(None, None), weight.q.shape}:
        raise ModelError(
            f"{path} says {said[1]} inputs and {said[0]} outputs, its weight has"
            f" {weight.q.shape[1]} and {weight.q.shape[0]}"
        )


def _output(state: dict[str, Any], path: str, tensors: Tensors) -> QParams | None:
    """The scale and zero point of the result: plain numbers, or buffers of one number."""
    buffers = state.get("_buffers")
    both = {**(buffers if isinstance(buffers, dict) else {}), **state}
    scale, zero_point = both.get("scale"), both.get("zero_point")
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
    return checked(float(first), int(second), dtype, path)


def _number(value: Any, path: str, tensors: Tensors) -> float | int | None:
    if isinstance(value, int | float):
        return value
    found = tensors.array(value, f"a parameter of {path}")
    number: float | int | None = found.reshape(-1)[0].item() if found.size == 1 else None
    return number


def state_dict_layers(values: dict[Any, Any], tensors: Tensors) -> dict[str, Layer]:
    """The layers whose numbers a state_dict holds; it names no classes."""
    packed = f".{PACKED}.{PACKED}"
    paths = [k.rpartition(".")[0] for k in values if isinstance(k, str) and k.endswith(".scale")]
    if not paths:
        keys = ", ".join(repr(k) for k in list(values)[:6])
        raise ModelError(
            f"the file holds a dictionary with the keys {keys or '(none)'}, not a model",
            expected="a converted module",
            remedy=SAVE,
        )
    found = {"": Layer("", "state_dict")}
    for path in paths:
        weight = bias = None
        match values.get(path + packed):
            case (first, second):
                weight, bias = weight_and_bias(first, second, path, tensors)
        scale, zero_point = values[f"{path}.scale"], values.get(f"{path}.zero_point", 0)
        output = parameters(scale, zero_point, "quint8", path, tensors)
        found[path] = Layer(path, "", weight, bias, output)
    return found
