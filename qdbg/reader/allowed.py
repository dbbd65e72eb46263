"""The functions, methods and constants that a forward may name, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

_PLACES = ("cat", "concat", "stack", "flatten", "permute", "reshape", "squeeze", "unsqueeze")
_MOVES = ("transpose", "chunk", "split", "unbind", "flip", "narrow", "select", "movedim")
_MATH = ("relu", "sigmoid", "tanh", "add", "sub", "mul", "div", "matmul", "mean", "std", "sum")
_MORE = ("clamp", "softmax", "log_softmax", "abs", "exp", "sqrt", "bmm", "celu", "relu_")
_CHOICES = ("clamp_min", "clamp_max", "amax", "amin", "argmax", "argmin", "sort", "topk", "where")
_COPIES = ("tile", "roll", "rot90", "repeat_interleave", "index_select", "masked_fill", "einsum")
_ROUNDED = ("floor", "ceil", "round", "neg", "log", "square", "rsqrt", "erf", "cumsum", "selu")
_SHUFFLES = ("pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "native_channel_shuffle")
_POOLS = ("avg_pool1d", "adaptive_avg_pool1d")
_QUANTIZED = ("quantize_per_tensor", "dequantize")
_ACTIVATION = ("relu", "relu6", "sigmoid", "tanh", "hardtanh", "hardswish", "hardsigmoid", "silu")
_FUNCTIONAL = ("leaky_relu", "elu", "celu", "gelu", "softmax", "log_softmax", "dropout", "pad")
_FLOAT = ("selu", "mish", "softplus", "softsign", "logsigmoid", "glu", "normalize", "lp_pool2d")
_RESIZE = ("interpolate", "upsample", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle")
_POOLING = tuple(f"{kind}_pool{n}d" for kind in ("max", "avg", "adaptive_avg") for n in (1, 2, 3))
_PAIRS = ("add", "add_relu", "mul", "mul_relu", "add_scalar", "add_scalar_relu", "mul_scalar")
_WHOLE = ("mul_scalar_relu", "cat", "cat_relu", "matmul", "dropout", "softmax", "sigmoid", "elu")
_SINGLE = ("celu", "hardswish", "leaky_relu", "relu6", "prelu", "threshold", "clamp")
_NORMS = ("layer_norm", "group_norm", "instance_norm", "batch_norm1d", "batch_norm2d")
_PACKED = (
    *("batch_norm2d_relu", "batch_norm3d", "batch_norm3d_relu", "linear", "linear_relu"),
    *("linear_leaky_relu", "linear_tanh", "linear_dynamic", "linear_relu_dynamic"),
    *(f"conv{n}d{relu}" for n in (1, 2, 3) for relu in ("", "_relu")),
    *(f"conv_transpose{n}d" for n in (1, 2, 3)),
)
FUNCTIONS = frozenset(
    {
        *(f"torch.{name}" for name in (*_PLACES, *_MOVES, *_MATH, *_MORE)),
        *(f"torch.{name}" for name in (*_CHOICES, *_COPIES, *_ROUNDED)),
        *(f"torch.{name}" for name in (*_SHUFFLES, *_POOLS, *_QUANTIZED)),
        *(f"torch.nn.functional.{name}" for name in (*_ACTIVATION, *_FUNCTIONAL, "threshold")),
        *(f"torch.nn.functional.{name}" for name in _FLOAT),
        *(f"torch.nn.functional.{name}" for name in (*_RESIZE, *_POOLING)),
        *(f"torch.ops.quantized.{name}" for name in (*_PAIRS, *_WHOLE, *_SINGLE)),
        *(f"torch.ops.quantized.{name}" for name in (*_NORMS, *_PACKED)),
    }
)
"""Functions of torch that compute with tensors and nothing else."""
FUNCTIONAL = ("QFunctional", "FloatFunctional", "FXFloatFunctional")
"""The modules of torch whose methods a forward calls …"""
FUNCTIONAL_METHODS = frozenset(
    {"add", "add_relu", "add_scalar", "mul", "mul_scalar", "cat", "matmul"}
)
"""… and those methods."""
METHODS = frozenset(
    {
        *("relu", "relu_", "sigmoid", "tanh", "clamp", "clamp_", "softmax"),
        *("log_softmax", "mean", "std", "sum", "max", "min", "abs", "exp", "sqrt", "dequantize"),
        *("view", "reshape", "flatten", "unflatten", "permute", "transpose", "movedim", "t"),
        *("contiguous", "squeeze", "unsqueeze", "chunk", "split", "unbind", "expand", "repeat"),
        *("flip", "narrow", "select", "clone", "detach", "size", "dim", "numel"),
        *("add", "add_", "sub", "mul", "mul_", "div", "matmul", "bmm", "argmax"),
        *("unfold", "tile", "roll", "rot90", "repeat_interleave", "index_select", "masked_fill"),
        *(
            "clamp_min",
            "clamp_max",
            "amax",
            "amin",
            "argmin",
            "topk",
            "sort",
            "expand_as",
            "view_as",
        ),
        *("floor", "ceil", "round", "neg", "log", "pow", "square", "rsqrt", "cumsum"),
        *("float", "long", "int"),
    }
)
"""Methods of tensors that compute and nothing else."""
LIST_METHODS = frozenset({"append"})
"""What a forward does to a list of its own."""
ATTRIBUTES = frozenset({"shape", "ndim", "dtype", "is_quantized"})
"""Attributes of tensors that can be read."""
CONSTANTS = frozenset(
    f"torch.{name}"
    for name in (
        *("quint8", "qint8", "qint32", "float", "float32", "long", "int64", "int", "int32"),
        *("contiguous_format", "channels_last", "channels_last_3d", "preserve_format"),
    )
)
"""Values of torch that a forward hands on."""
LIMIT = 100_000
"""No list in a forward is longer."""


def bounded(items: Any) -> list[Any]:
    """The items as a list. Raises ValueError for more than LIMIT."""
    found = list(islice(items, LIMIT + 1))
    if len(found) > LIMIT:
        raise ValueError(f"more than {LIMIT:,} items")
    return found


BUILTINS: dict[str, Callable[..., Any]] = {
    **{"range": range, "len": len, "enumerate": enumerate, "zip": zip, "int": int, "float": float},
    "slice": slice,
    "list": bounded,
    "tuple": lambda items: tuple(bounded(items)),
    "min": lambda *items: min(bounded(items[0]) if len(items) == 1 else items),
    "max": lambda *items: max(bounded(items[0]) if len(items) == 1 else items),
}
"""Python's own functions that plain values need."""
