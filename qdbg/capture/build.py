"""Child only: one of torch's own modules from a decoded layer, packed for the engine in force."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import nn

from qdbg.capture import classes
from qdbg.capture.quantities import plain, quantized, same_bias, same_weight, tensor_of
from qdbg.core.program import Layer
from qdbg.core.quantity import Array
from qdbg.errors import CaptureError

LINEAR_BASE = "LinearPackedParamsBase"
Builder = Callable[[str, Layer], nn.Module]
DTYPES = {"torch.quint8": torch.quint8, "torch.qint8": torch.qint8}


def linear(name: str, layer: Layer) -> nn.Module:
    """A Linear of any kind, with its int8 weight."""
    dynamic = "dynamic" in name
    if layer.weight is None or (layer.output is None and not dynamic):
        why = "has float16 weights" if dynamic else "has no int8 weights or no output scale"
        raise CaptureError(f"{layer.path} ({layer.kind}) {why}", expected="int8 weights")
    channels, inputs = layer.weight.q.shape
    more = taken(layer, classes.LINEAR[name])
    module: Any = class_of(name)(inputs, channels, *more.values())
    _weigh(module, layer)
    return cast(nn.Module, module)


def convolution(name: str, layer: Layer) -> nn.Module:
    """A convolution: the state of the file, and what nn.Module's own constructor makes."""
    weight, settings = layer.weight, layer.settings
    if weight is None or (layer.output is None and "dynamic" not in name):
        raise CaptureError(f"{layer.path} ({layer.kind}) has no int8 weights or no output scale")
    module: Any = bare(name)
    for key in ("in_channels", "out_channels", "groups", "padding_mode", "transposed"):
        setattr(module, key, settings[key])
    for key in ("kernel_size", "stride", "padding", "dilation", "output_padding"):
        setattr(module, key, tuple(cast(list[int], settings[key])))
    module.scale, module.zero_point = 1.0, 0
    _weigh(module, layer)
    return cast(nn.Module, module)


def _weigh(module: Any, layer: Layer) -> None:
    """Hand over weight, bias and scale, and see that the engine gives back the very same."""
    assert layer.weight is not None  # noqa: S101 - its callers see to it
    weight = quantized(layer.weight)
    bias = None if layer.bias is None else plain(layer.bias)
    try:
        module.set_weight_bias(weight, bias)
    except RuntimeError as error:
        _refuse_scales(layer, error)
        raise
    if layer.output is not None:
        module.scale, module.zero_point = float(layer.output.scale), int(layer.output.zero_point)
    if torch.backends.quantized.engine == "qnnpack" and "3d" in layer.kind:
        return  # QNNPACK has no unpacking of three axes
    if not (same_weight(module.weight(), weight) and same_bias(module.bias(), bias)):
        raise _other_weights(layer)


def _refuse_scales(layer: Layer, error: Exception) -> None:
    """Raises CaptureError for scales beyond float32, of which torch says that a value overflows."""
    assert layer.weight is not None  # noqa: S101 - its caller has one
    largest = float(layer.weight.qparams.scale.max(initial=0))
    if largest > torch.finfo(torch.float32).max:
        raise CaptureError(
            f"{layer.path} ({layer.kind}) has the weight scale {largest}, which PyTorch's"
            f" {torch.backends.quantized.engine} engine does not take",
            expected="scales of channels within float32",
        ) from error


def _other_weights(layer: Layer) -> CaptureError:
    """PyTorch's own fault, as FBGEMM's with transposed convolutions in two axes."""
    engine = torch.backends.quantized.engine
    return CaptureError(
        f"{layer.path}: PyTorch's {engine} engine does not give back the weights it was given",
        remedy="Take another engine. A file that this one wrote may hold damaged weights: convert"
        " and save the model again under the other one.",
    )


def saved(attributes: Mapping[str, tuple[str, ...]]) -> Builder:
    """A builder of modules that are their attributes and tensors, without their constructor."""

    def build(name: str, layer: Layer) -> nn.Module:
        module: Any = bare(name)
        for key, value in taken(layer, attributes[name]).items():
            setattr(module, key, DTYPES.get(value, value) if isinstance(value, str) else value)
        for key, held in layer.parameters.items():
            module.register_buffer(key, tensor_of(held))
        for key in classes.HELD if {**classes.NORM, **classes.FLOATS}.get(name) else ():
            if key not in layer.parameters:
                module.register_parameter(key, None)
        if layer.output is not None and not {"scale", "output_scale"} & set(attributes[name]):
            _scale(module, layer)
        return cast(nn.Module, module)

    return build


def in_floats(name: str, layer: Layer) -> nn.Module:
    """A layer that was left in float32."""
    if "weight" not in layer.parameters and layer.settings.get("affine", True) is not False:
        raise CaptureError(
            f"{layer.path} is a {layer.kind} that is not quantized, without float32 weights"
        )
    if layer.settings.get("padding_mode", "zeros") != "zeros":
        raise CaptureError(
            f"{layer.path} is a {layer.kind} that is not quantized, with another padding than zeros"
        )
    return saved(classes.FLOATS)(name, layer)


def _scale(module: Any, layer: Layer) -> None:
    """The scale as torch keeps it in a buffer: float32."""
    assert layer.output is not None  # noqa: S101 - its caller sees to it
    scale, zero_point = float(layer.output.scale), int(layer.output.zero_point)
    module.register_buffer("scale", torch.tensor(scale, dtype=torch.float32))
    module.register_buffer("zero_point", torch.tensor(zero_point))
    if float(module.scale) != scale:
        raise CaptureError(f"{layer.path}: torch does not keep the scale {scale!r}")


def quantize(name: str, layer: Layer) -> nn.Module:
    """The layer that turns floats into integers."""
    if layer.output is None:
        raise CaptureError(f"{layer.path} (Quantize) has no scale and zero point")
    scale, zero_point = float(layer.output.scale), int(layer.output.zero_point)
    module: Any = class_of(name)(scale, zero_point, getattr(torch, layer.output.dtype))
    if float(module.scale) != scale or int(module.zero_point) != zero_point:
        raise CaptureError(f"{layer.path}: torch does not keep the scale {scale!r}")
    return cast(nn.Module, module)


def functional(name: str, layer: Layer) -> nn.Module:
    """A QFunctional and its kin: add, cat and mul with a scale of their own."""
    module: Any = class_of(name)()
    if layer.output is not None:
        module.scale, module.zero_point = float(layer.output.scale), int(layer.output.zero_point)
    elif layer.kind == "QFunctional":
        raise CaptureError(f"{layer.path} (QFunctional) has no scale and zero point")
    return cast(nn.Module, module)


def embedding(name: str, layer: Layer) -> nn.Module:
    """A table of integers, a float scale and zero point for each of its rows."""
    held = cast(Mapping[str, Array], layer.parameters)
    table, rows = plain(held["weight_q"]), held["weight_q"].shape[0]
    columns = layer.settings.get("embedding_dim")
    if layer.settings.get("num_embeddings") != rows or type(columns) is not int:
        raise CaptureError(f"{layer.path} says another size than its table has")
    per_byte = 1 if table.shape[1] == columns else 2
    if table.shape[1] * per_byte not in {columns, columns + 1}:
        raise CaptureError(f"{layer.path} says another size than its table has")
    dtype = torch.quint8 if per_byte == 1 else torch.quint4x2
    scales, zero_points = plain(held["weight_scale"]), plain(held["weight_zero_point"])
    weight = torch._empty_per_channel_affine_quantized(
        [rows, table.shape[1] * per_byte],
        scales=scales,
        zero_points=zero_points,
        axis=0,
        dtype=dtype,
    )
    raw = torch.empty(0, dtype=torch.uint8)
    raw.set_(weight.untyped_storage(), 0, table.shape, (table.shape[1], 1)).copy_(table)
    module: Any = class_of(name)(rows, columns, dtype=dtype)
    module.set_weight(weight)
    for key, value in taken(layer, classes.EMBEDDING[name]).items():
        setattr(module, key, value)
    return cast(nn.Module, module)


def recurrent(name: str, layer: Layer) -> nn.Module:
    """A dynamic LSTM or GRU."""
    keys = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout")
    module: Any = class_of(name)(**taken(layer, (*keys, "bidirectional")))
    module.version = layer.settings.get("version")
    module.set_weight_bias(_with_biases(layer))
    given, back = layer.parameters, module.get_weight()
    if not all(same_weight(back[key], tensor_of(given[key])) for key in back):
        raise _other_weights(layer)
    return cast(nn.Module, module)


def cell(name: str, layer: Layer) -> nn.Module:
    """One step of a dynamic LSTM, GRU or RNN."""
    more = ("nonlinearity",) if layer.kind == "RNNCell" else ()
    module: Any = class_of(name)(**taken(layer, ("input_size", "hidden_size", "bias", *more)))
    held = _with_biases(layer)
    parts = {
        room: {f"{room}_{part}": held[f"{room}_{part}"] for part in ("ih", "hh")}
        for room in ("weight", "bias")
    }
    module.set_weight_bias(parts)
    module.bias_ih, module.bias_hh = parts["bias"].values()
    return cast(nn.Module, module)


def _with_biases(layer: Layer) -> dict[str, torch.Tensor | None]:
    found: dict[str, torch.Tensor | None] = {}
    for key in layer.parameters:
        if key.startswith("weight"):
            found[key.replace("weight", "bias", 1)] = None
    return found | {key: tensor_of(held) for key, held in layer.parameters.items()}


class Packed(nn.Module):
    """Weights that forward hands to a function of torch.ops.quantized."""

    def __init__(self, packed: Any) -> None:
        super().__init__()
        self.packed = packed


def packed(name: str, layer: Layer) -> nn.Module:
    """Weights without a layer, packed for the engine in force."""
    if layer.weight is None:
        raise CaptureError(f"{layer.path} has no int8 weights")
    weight, bias = quantized(layer.weight), None if layer.bias is None else plain(layer.bias)
    ops, settings = torch.ops.quantized, layer.settings
    if name.endswith(LINEAR_BASE):
        return Packed(ops.linear_prepack(weight, bias))
    axes = layer.weight.q.ndim - 2
    kind = "conv_transpose" if settings["transposed"] else "conv"
    keys = ("stride", "padding", "output_padding", "dilation", "groups")
    numbers = [settings[k] for k in keys if settings["transposed"] or k != "output_padding"]
    return Packed(getattr(ops, f"{kind}{axes}d_prepack")(weight, bias, *numbers))


def plainly(name: str, layer: Layer) -> nn.Module:
    """A module without numbers, by its constructor."""
    return cast(nn.Module, class_of(name)(**taken(layer, classes.PLAIN[name])))


def empty(name: str, layer: Layer) -> nn.Module:
    """A module that holds others, or nothing."""
    del layer
    return cast(nn.Module, class_of(name)())


def taken(layer: Layer, keys: tuple[str, ...]) -> dict[str, Any]:
    """Those of the layer's settings, in the order of the keys."""
    return {key: layer.settings[key] for key in keys if key in layer.settings}


def bare(name: str) -> nn.Module:
    """An object of the class after nn.Module's constructor alone."""
    cls = class_of(name)
    module = cast(nn.Module, cls.__new__(cls))
    nn.Module.__init__(module)
    return module


def class_of(name: str) -> Any:
    """A class of the tables; nothing else is ever looked up."""
    module, _, kind = name.rpartition(".")
    return getattr(importlib.import_module(module), kind)


BUILDERS: dict[str, Builder] = {
    **dict.fromkeys(classes.LINEAR, linear),
    **dict.fromkeys(classes.CONVOLUTION, convolution),
    **dict.fromkeys(classes.NORM, saved(classes.NORM)),
    **dict.fromkeys(classes.FLOATS, in_floats),
    **dict.fromkeys(classes.SCALED, saved(classes.SCALED)),
    **dict.fromkeys(classes.SHELL, saved(classes.SHELL)),
    **dict.fromkeys(classes.EMBEDDING, embedding),
    **dict.fromkeys(classes.RECURRENT, recurrent),
    **dict.fromkeys(classes.CELL, cell),
    **dict.fromkeys(classes.FUNCTIONAL, functional),
    **dict.fromkeys(classes.PLAIN, plainly),
    **dict.fromkeys((classes.DEQUANTIZE, *classes.CONTAINERS), empty),
    **dict.fromkeys(classes.PACKED, packed),
    classes.QUANTIZE: quantize,
}
"""By the full name of the class: how a module of it is made."""
