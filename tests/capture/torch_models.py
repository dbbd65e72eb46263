"""Small quantized models made by torch, and what the reader should decode from them."""

from typing import Any

import numpy as np
import torch
from torch.ao.nn import quantized as nnq
from torch.ao.nn.intrinsic import quantized as nniq

from qdbg.capture.rebuild import parameters
from qdbg.core.program import Layer, Model
from qdbg.core.quantity import QParams, QTensor

SETTINGS = (bool, int, float, str)


def linear(inputs: int, outputs: int, *, relu=False, bias=True, per_channel=True, seed=0) -> Any:
    rng = np.random.default_rng(seed)
    module = (nniq.LinearReLU if relu else nnq.Linear)(inputs, outputs)
    w = torch.from_numpy(rng.integers(-128, 128, (outputs, inputs), dtype=np.int8))
    if per_channel:
        scales = torch.from_numpy(rng.uniform(0.001, 0.02, outputs))
        zeros = torch.zeros(outputs, dtype=torch.int64)
        weight = torch._make_per_channel_quantized_tensor(w, scales, zeros, 0)
    else:
        weight = torch._make_per_tensor_quantized_tensor(w, 0.013, 0)
    b = torch.from_numpy(rng.normal(size=outputs).astype(np.float32)) if bias else None
    module.set_weight_bias(weight, b)
    module.scale, module.zero_point = 0.11, 97
    return module


def quantize(scale=0.05, zero_point=120) -> Any:
    return nnq.Quantize(scale, zero_point, torch.quint8)


def sequence(*modules: torch.nn.Module) -> torch.nn.Sequential:
    return torch.nn.Sequential(quantize(), *modules, nnq.DeQuantize()).eval()


def decoded(root: torch.nn.Module, name: str = "model.pth") -> Model:
    """The Model that a faithful reader gives, taken from the live modules."""
    kept = [(p, m) for p, m in root.named_modules() if "PackedParams" not in type(m).__name__]
    return Model(name, "0" * 64, {path: _layer(path, module) for path, module in kept})


def _layer(path: str, module: Any) -> Layer:
    cls = type(module)
    weight = bias = output = None
    if hasattr(module, "_packed_params"):
        w, b = module._packed_params._weight_bias()
        weight = QTensor(w.int_repr().numpy(), parameters(w))
        bias = None if b is None else b.detach().numpy()
    if hasattr(module, "scale"):
        output = QParams.per_tensor(float(module.scale), int(module.zero_point))
    settings = {key: value for key, value in vars(module).items() if isinstance(value, SETTINGS)}
    return Layer(path, f"{cls.__module__}.{cls.__qualname__}", weight, bias, output, settings)
