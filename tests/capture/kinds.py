"""Quantized modules with random weights, each alone in a file, and whether two compute the same."""

import torch
from torch import nn

from qdbg.capture.rebuild import rebuild
from qdbg.reader import read_model


def int8(shape, axis=None):
    w = torch.randint(-128, 128, shape, dtype=torch.int8)
    if axis is None:
        return torch._make_per_tensor_quantized_tensor(w, 0.013, 0)
    scales = (torch.rand(shape[axis]) * 0.02 + 0.001).double()  # as observers give them: float32
    zeros = torch.zeros(shape[axis], dtype=torch.int64)
    return torch._make_per_channel_quantized_tensor(w, scales, zeros, axis)


def filled(module, axis=0, bias=True):
    """The module with weights that are not all zeros."""
    weight = module.weight()
    outputs = module.out_channels if hasattr(module, "out_channels") else weight.shape[0]
    module.set_weight_bias(int8(tuple(weight.shape), axis), torch.randn(outputs) if bias else None)
    if hasattr(module, "scale"):
        module.scale, module.zero_point = 0.21, 97
    return module.eval()


def through_the_file(module, path):
    torch.save(nn.Sequential(module), path)
    layers = read_model(path).layers
    return layers["0"], rebuild(read_model(path))["0"]


def quint8(*shape):
    return torch.quantize_per_tensor(torch.randn(shape) * 2, 0.05, 120, torch.quint8)


def same(one, other):
    if isinstance(one, tuple):
        return all(same(a, b) for a, b in zip(one, other, strict=True))
    if one.is_quantized:
        parameters = (one.q_scale(), one.q_zero_point()) == (other.q_scale(), other.q_zero_point())
        return parameters and torch.equal(one.int_repr(), other.int_repr())
    return torch.equal(one, other)
