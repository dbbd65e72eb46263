"""Weights that an engine packs: those of Linear, and of convolutions by themselves."""

from __future__ import annotations

from typing import Any

from qdbg.core.quantity import Array, QTensor
from qdbg.core.words import counted
from qdbg.errors import ModelError
from qdbg.reader.records import Call, Record
from qdbg.reader.tensors import Tensors

PACKED = "_packed_params"
SCRIPT = "torch.ScriptObject"
LINEAR_BASE = "LinearPackedParamsBase"


def linear_weights(
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
        case _:
            return script_linear(script, path, tensors) or (None, None)


def script_linear(script: Any, path: str, tensors: Tensors) -> tuple[QTensor, Array | None] | None:
    """The weight and bias in a packed object; None where it is no Linear's."""
    match script:
        case Record(class_name="torch.ScriptObject", state=((weight, bias), str(kind))):
            if kind.endswith(LINEAR_BASE):
                return weight_and_bias(weight, bias, path, tensors)
    return None


def weight_and_bias(
    weight: Any, bias: Any, path: str, tensors: Tensors
) -> tuple[QTensor, Array | None]:
    """An int8 weight [C, K] and a float32 bias [C]. Raises ModelError."""
    found = int8_weight(weight, 2, path, tensors)
    if found.qparams.axis not in {None, 0}:
        raise ModelError(f"{path}.weight has its scales on axis {found.qparams.axis}", expected="0")
    return found, float_bias(bias, found.q.shape[0], path, tensors)


def int8_weight(value: Any, axes: int, path: str, tensors: Tensors) -> QTensor:
    """An int8 weight with so many axes. Raises ModelError."""
    found = tensors.quantized(value, f"{path}.weight")
    if found.q.ndim != axes or found.qparams.dtype != "qint8":
        shape = "[outputs, inputs]" if axes == 2 else f"with {axes} axes"  # noqa: PLR2004 - Linear
        raise ModelError(
            f"{path}.weight is {found.qparams.dtype} with {counted(found.q.ndim, 'axis', 'axes')}",
            expected=f"qint8 {shape}",
        )
    return found


def float_bias(value: Any, outputs: int, path: str, tensors: Tensors) -> Array | None:
    """A float32 bias [outputs], or None. Raises ModelError."""
    if value is None:
        return None
    found = tensors.array(value, f"{path}.bias")
    if found.dtype != "float32" or found.shape != (outputs,):
        raise ModelError(
            f"{path}.bias is {found.dtype} {list(found.shape)}", expected=f"float32 [{outputs}]"
        )
    return found
