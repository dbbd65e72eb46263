"""Child only: quantized tensors of torch and the same numbers as qdbg keeps them."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch

from qdbg.core.quantity import Array, QParams, QTensor, readonly
from qdbg.errors import CaptureError


def quantized(tensor: QTensor) -> torch.Tensor:
    """The same integers and parameters as a quantized tensor of torch."""
    integers = torch.from_numpy(np.array(tensor.q, order="C"))
    qparams = tensor.qparams
    if qparams.axis is None:
        scale, zero_point = float(qparams.scale), int(qparams.zero_point)
        return torch._make_per_tensor_quantized_tensor(integers, scale, zero_point)
    return torch._make_per_channel_quantized_tensor(
        integers,
        torch.from_numpy(np.array(qparams.scale)),
        torch.from_numpy(np.array(qparams.zero_point)),
        qparams.axis,
    )


@cache
def name_of(dtype: torch.dtype) -> str:
    """`quint8`."""
    return str(dtype).removeprefix("torch.")


def parameters(tensor: torch.Tensor) -> QParams:
    """The scale and zero point of a quantized tensor, as torch stores them."""
    dtype = name_of(tensor.dtype)
    if tensor.qscheme() == torch.per_tensor_affine:
        return QParams.per_tensor(tensor.q_scale(), tensor.q_zero_point(), dtype)
    scales: Array = tensor.q_per_channel_scales().numpy().astype(np.float64)
    zero_points: Array = tensor.q_per_channel_zero_points().numpy().astype(np.int64)
    return QParams(readonly(scales), readonly(zero_points), dtype, tensor.q_per_channel_axis())


def check_parameters(name: str, qparams: QParams) -> None:
    """Some ops of PyTorch take any parameters for their result, and go on. Raises CaptureError for
    those that no recording holds; `name` is the call."""
    low, high = qparams.qmin, qparams.qmax
    scales, zero_points = qparams.scale.reshape(-1), qparams.zero_point.reshape(-1)
    for scale in scales[~((scales > 0) & (scales < math.inf))]:
        raise CaptureError(
            f"{name} gives a {qparams.dtype} tensor of scale {scale}",
            expected="a finite number above 0",
        )
    for zero_point in zero_points[(zero_points < low) | (zero_points > high)]:
        raise CaptureError(
            f"{name} gives a {qparams.dtype} tensor of zero point {zero_point}",
            expected=f"{low} to {high}",
        )


def same_weight(a: torch.Tensor, b: torch.Tensor) -> bool:
    """The same integers and parameters; FBGEMM keeps the scales of channels in float32."""
    p, q = parameters(a), parameters(b)
    same = torch.equal(a.int_repr(), b.int_repr()) and (p.dtype, p.axis) == (q.dtype, q.axis)
    scales = np.array_equal(p.scale, q.scale) or np.array_equal(p.scale, narrow(q.scale))
    return same and scales and np.array_equal(p.zero_point, q.zero_point)


def narrow(scale: Array) -> Array:
    """The scales as float32 numbers."""
    return scale.astype(np.float32).astype(np.float64)


def same_bias(a: torch.Tensor | None, b: torch.Tensor | None) -> bool:
    """Whether the engine gives back the bias `b`; for none QNNPACK gives back zeros."""
    if a is None or b is None:
        return a is b or (a is not None and not bool(a.any()))
    return torch.equal(a.detach().view(torch.int32), b.view(torch.int32))


def plain(array: Array) -> torch.Tensor:
    """The same numbers as a tensor of torch that may be changed."""
    return torch.from_numpy(np.array(array, order="C"))


def tensor_of(held: QTensor | Array) -> torch.Tensor:
    """A layer's tensor, quantized or not."""
    return quantized(held) if isinstance(held, QTensor) else plain(held)
