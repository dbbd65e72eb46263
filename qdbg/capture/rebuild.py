"""Child only: real torch modules from the decoded layers, by an allow-list of classes."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from qdbg.core.program import Layer, Model
from qdbg.core.quantity import Array, QParams, QTensor, readonly
from qdbg.errors import CaptureError

Module = nn.Module

LINEAR = {
    "torch.ao.nn.quantized.modules.linear.Linear",
    "torch.ao.nn.intrinsic.quantized.modules.linear_relu.LinearReLU",
}
QUANTIZE = "torch.ao.nn.quantized.modules.Quantize"
DEQUANTIZE = "torch.ao.nn.quantized.modules.DeQuantize"
CONTAINERS = {
    f"torch.nn.modules.container.{kind}" for kind in ("Sequential", "ModuleList", "ModuleDict")
}
PLAIN: dict[str, tuple[str, ...]] = {
    "torch.nn.modules.linear.Identity": (),
    "torch.nn.modules.dropout.Dropout": ("p", "inplace"),
    "torch.ao.nn.quantized.modules.dropout.Dropout": ("p", "inplace"),
    "torch.nn.modules.flatten.Flatten": ("start_dim", "end_dim"),
    "torch.nn.modules.activation.ReLU": ("inplace",),
    "torch.nn.modules.activation.ReLU6": ("inplace",),
    "torch.ao.nn.quantized.modules.activation.ReLU6": ("inplace",),
    "torch.nn.modules.activation.Sigmoid": (),
    "torch.nn.modules.activation.Tanh": (),
    "torch.nn.modules.activation.Hardtanh": ("min_val", "max_val", "inplace"),
    "torch.nn.modules.activation.LeakyReLU": ("negative_slope", "inplace"),
    "torch.nn.modules.activation.ELU": ("alpha", "inplace"),
    "torch.nn.modules.activation.GELU": ("approximate",),
    "torch.nn.modules.activation.Hardswish": ("inplace",),
    "torch.nn.modules.activation.Hardsigmoid": ("inplace",),
    "torch.nn.modules.activation.Softmax": ("dim",),
    "torch.nn.modules.activation.LogSoftmax": ("dim",),
}
"""Classes without numbers of their own, with the settings that their constructors take."""
ALIASES = {
    "torch.nn.quantized.": "torch.ao.nn.quantized.",
    "torch.nn.intrinsic.": "torch.ao.nn.intrinsic.",
}
"""Where the classes lived in older files."""


class Container(nn.Module):
    """A module of the user's own class: it holds its children, its forward is interpreted."""


def rebuild(model: Model, own: Callable[[Layer], Module] | None = None) -> dict[str, Module]:
    """Every layer's module by path, packed for the engine in force. Raises CaptureError.

    `own` makes the modules of the user's own classes, where their code is trusted.
    """
    modules: dict[str, Module] = {}
    for path, layer in model.layers.items():
        module = _build(layer, own or _container)
        modules[path] = module
        parent, _, name = path.rpartition(".")
        if path:
            if parent not in modules:
                raise CaptureError(f"{path} belongs to {parent}, which the file does not hold")
            modules[parent].add_module(name, module)
    for module in modules.values():
        module.eval()
    return modules


def _container(layer: Layer) -> Module:
    del layer
    return Container()


def _build(layer: Layer, own: Callable[[Layer], Module]) -> Module:
    name = canonical(layer.class_name)
    try:
        if name in LINEAR:
            return _linear(name, layer)
        if name == QUANTIZE:
            return _quantize(layer)
        if name in PLAIN:
            taken = {k: layer.settings[k] for k in PLAIN[name] if k in layer.settings}
            return cast(Module, _class(name)(**taken))
    except (RuntimeError, TypeError, ValueError) as error:
        raise CaptureError(
            f"{layer.path} ({layer.kind}) cannot be rebuilt: {_line(error)}"
        ) from error
    if name == DEQUANTIZE or name in CONTAINERS:
        return cast(Module, _class(name)())
    if (
        name.partition(".")[0] in {"torch", "torchvision"}
        and name != "torch.nn.modules.module.Module"
    ):
        raise _unknown(layer)
    return own(layer)


def canonical(class_name: str) -> str:
    """The class's name in today's torch."""
    for old, new in ALIASES.items():
        if class_name.startswith(old):
            return new + class_name.removeprefix(old)
    return class_name


def _unknown(layer: Layer) -> CaptureError:
    where = layer.path or "the model itself"
    if layer.class_name.startswith(("torch.nn.modules.", "torch.ao.nn.qat.")):
        return CaptureError(
            f"{where} is a {layer.kind} that is not quantized ({layer.class_name})",
            expected="a converted int8 layer",
            remedy="save the model after torch.ao.quantization.convert",
        )
    return CaptureError(
        f"{where} is a {layer.class_name}, which qdbg does not run yet",
        expected="Linear, LinearReLU, Quantize, DeQuantize, Sequential, activations or Dropout",
    )


def _class(name: str) -> Any:
    module, _, kind = name.rpartition(".")
    return getattr(importlib.import_module(module), kind)


def _line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]


def _linear(name: str, layer: Layer) -> Module:
    if layer.weight is None or layer.output is None:
        raise CaptureError(f"{layer.path} ({layer.kind}) has no int8 weights or no output scale")
    channels, inputs = layer.weight.q.shape
    module: Any = _class(name)(inputs, channels, layer.bias is not None)
    bias = None if layer.bias is None else torch.from_numpy(layer.bias.astype(np.float32))
    weight = quantized(layer.weight)
    module.set_weight_bias(weight, bias)
    module.scale = float(layer.output.scale)
    module.zero_point = int(layer.output.zero_point)
    if not (_same_weight(module.weight(), weight) and _same_bias(module.bias(), bias)):
        raise CaptureError(f"{layer.path}: the engine does not give back the weights it was given")
    return cast(Module, module)


def _quantize(layer: Layer) -> Module:
    if layer.output is None:
        raise CaptureError(f"{layer.path} (Quantize) has no scale and zero point")
    scale, zero_point = float(layer.output.scale), int(layer.output.zero_point)
    module: Any = _class(QUANTIZE)(scale, zero_point, getattr(torch, layer.output.dtype))
    if float(module.scale) != scale or int(module.zero_point) != zero_point:
        raise CaptureError(f"{layer.path}: torch does not keep the scale {scale!r}")
    return cast(Module, module)


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


def unpacked(pack: Any) -> tuple[list[tuple[str, torch.Tensor]], dict[str, object]]:
    """What the engine packed: `weight` and `bias`, and the plain numbers that it kept with them."""
    if not hasattr(pack, "unpack"):
        return [], {}
    weight, bias = pack.unpack()
    tensors = [("weight", weight)] + ([] if bias is None else [("bias", bias)])
    numbers = ("stride", "padding", "dilation", "groups", "output_padding")
    kept = {name: getattr(pack, name)() for name in numbers if hasattr(pack, name)}
    return tensors, {n: list(v) if isinstance(v, list) else int(v) for n, v in kept.items()}


def parameters(tensor: torch.Tensor) -> QParams:
    """The scale and zero point of a quantized tensor, as torch stores them."""
    dtype = str(tensor.dtype).removeprefix("torch.")
    if tensor.qscheme() == torch.per_tensor_affine:
        return QParams.per_tensor(tensor.q_scale(), tensor.q_zero_point(), dtype)
    scales: Array = tensor.q_per_channel_scales().numpy().astype(np.float64)
    zero_points: Array = tensor.q_per_channel_zero_points().numpy().astype(np.int64)
    return QParams(readonly(scales), readonly(zero_points), dtype, tensor.q_per_channel_axis())


def _same_weight(a: torch.Tensor, b: torch.Tensor) -> bool:
    p, q = parameters(a), parameters(b)
    same = torch.equal(a.int_repr(), b.int_repr()) and (p.dtype, p.axis) == (q.dtype, q.axis)
    scales = np.array_equal(p.scale, q.scale)
    return same and scales and np.array_equal(p.zero_point, q.zero_point)


def _same_bias(a: torch.Tensor | None, b: torch.Tensor | None) -> bool:
    """Whether the engine gives back the bias `b`; for none QNNPACK gives back zeros."""
    if a is None or b is None:
        return a is b or (a is not None and not bool(a.any()))
    return torch.equal(a.detach().view(torch.int32), b.view(torch.int32))


def settings_of(layer: Layer) -> Mapping[str, object]:
    """The plain attributes that a module of the user's own class had."""
    return {k: v for k, v in layer.settings.items() if not k.startswith("_") and k.isidentifier()}
