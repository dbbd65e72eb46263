"""Child only: the classes of torch that qdbg builds, with the attributes that they take."""

from __future__ import annotations

QUANTIZED = "torch.ao.nn.quantized.modules."
DYNAMIC = "torch.ao.nn.quantized.dynamic.modules."
FUSED = "torch.ao.nn.intrinsic.quantized.modules."
FUSED_DYNAMIC = "torch.ao.nn.intrinsic.quantized.dynamic.modules."
FLOAT = "torch.nn.modules."
ALIASES = {
    "torch.nn.quantized.": "torch.ao.nn.quantized.",
    "torch.nn.quantizable.": "torch.ao.nn.quantizable.",
    "torch.nn.intrinsic.": "torch.ao.nn.intrinsic.",
}
"""Where the classes lived in older files."""

LINEAR: dict[str, tuple[str, ...]] = {
    f"{QUANTIZED}linear.Linear": (),
    f"{FUSED}linear_relu.LinearReLU": (),
    f"{FUSED}linear_relu.LinearLeakyReLU": ("negative_slope",),
    f"{FUSED}linear_relu.LinearTanh": (),
    f"{DYNAMIC}linear.Linear": (),
    f"{FUSED_DYNAMIC}linear_relu.LinearReLU": (),
}
CONVOLUTION = frozenset(
    {
        *(f"{QUANTIZED}conv.Conv{n}d" for n in (1, 2, 3)),
        *(f"{QUANTIZED}conv.ConvTranspose{n}d" for n in (1, 2, 3)),
        *(f"{FUSED}conv_relu.ConvReLU{n}d" for n in (1, 2, 3)),
        *(f"{FUSED}conv_add.{kind}" for kind in ("ConvAdd2d", "ConvAddReLU2d")),
        *(f"{DYNAMIC}conv.Conv{n}d" for n in (1, 2, 3)),
        *(f"{DYNAMIC}conv.ConvTranspose{n}d" for n in (1, 2, 3)),
    }
)
NORM: dict[str, tuple[str, ...]] = {
    f"{QUANTIZED}batchnorm.BatchNorm2d": ("num_features", "eps", "momentum"),
    f"{QUANTIZED}batchnorm.BatchNorm3d": ("num_features", "eps", "momentum"),
    f"{FUSED}bn_relu.BNReLU2d": ("num_features", "eps", "momentum"),
    f"{FUSED}bn_relu.BNReLU3d": ("num_features", "eps", "momentum"),
    f"{QUANTIZED}normalization.LayerNorm": ("normalized_shape", "eps", "elementwise_affine"),
    f"{QUANTIZED}normalization.GroupNorm": ("num_groups", "num_channels", "eps", "affine"),
    **{
        f"{QUANTIZED}normalization.InstanceNorm{n}d": ("num_features", "eps", "affine")
        for n in (1, 2, 3)
    },
}
"""Layers whose numbers are float parameters and buffers."""
_CONV = (
    *("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation"),
    *("transposed", "output_padding", "groups", "padding_mode"),
)
_STATISTICS = ("num_features", "eps", "momentum", "affine", "track_running_stats")
FLOATS: dict[str, tuple[str, ...]] = {
    f"{FLOAT}linear.Linear": ("in_features", "out_features"),
    **{f"{FLOAT}conv.Conv{n}d": _CONV for n in (1, 2, 3)},
    **{f"{FLOAT}conv.ConvTranspose{n}d": _CONV for n in (1, 2, 3)},
    **{f"{FLOAT}batchnorm.BatchNorm{n}d": _STATISTICS for n in (1, 2, 3)},
    f"{FLOAT}normalization.LayerNorm": ("normalized_shape", "eps", "elementwise_affine"),
    f"{FLOAT}normalization.GroupNorm": ("num_groups", "num_channels", "eps", "affine"),
    f"{FLOAT}activation.PReLU": ("num_parameters",),
    f"{FLOAT}sparse.Embedding": (
        *("num_embeddings", "embedding_dim", "padding_idx", "max_norm", "norm_type"),
        *("scale_grad_by_freq", "sparse"),
    ),
}
"""Layers that were left in float32 between quantized ones."""
HELD = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
"""Their tensors, and those of the norms; a layer may lack some."""
SCALED: dict[str, tuple[str, ...]] = {
    f"{QUANTIZED}activation.Hardswish": ("inplace",),
    f"{QUANTIZED}activation.LeakyReLU": ("negative_slope", "inplace"),
    f"{QUANTIZED}activation.ELU": ("alpha", "inplace", "scale", "zero_point"),
    f"{QUANTIZED}activation.Sigmoid": ("output_scale", "output_zero_point"),
    f"{QUANTIZED}activation.Softmax": ("dim", "scale", "zero_point"),
    f"{QUANTIZED}activation.PReLU": ("num_parameters", "scale", "zero_point"),
}
"""Activations with a scale of their own, an attribute of some and a buffer of others."""
EMBEDDING: dict[str, tuple[str, ...]] = {
    f"{QUANTIZED}embedding_ops.Embedding": (),
    f"{QUANTIZED}embedding_ops.EmbeddingBag": ("mode", "pruned_weights", "include_last_offset"),
}
RECURRENT = frozenset({f"{DYNAMIC}rnn.LSTM", f"{DYNAMIC}rnn.GRU"})
CELL = frozenset(f"{DYNAMIC}rnn.{kind}" for kind in ("LSTMCell", "GRUCell", "RNNCell"))
_RNN = "torch.ao.nn.quantizable.modules.rnn."
SHELL: dict[str, tuple[str, ...]] = {
    f"{QUANTIZED}rnn.LSTM": (
        *("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout"),
        *("bidirectional", "training"),
    ),
    f"{_RNN}_LSTMLayer": ("batch_first", "bidirectional"),
    f"{_RNN}_LSTMSingleLayer": (),
    f"{_RNN}LSTMCell": (
        *("input_size", "hidden_size", "bias", "split_gates", "initial_hidden_state_qparams"),
        *("initial_cell_state_qparams", "hidden_state_dtype", "cell_state_dtype"),
    ),
}
"""Modules of torch that call their own children, and compute nothing else."""
FUNCTIONAL = frozenset(
    f"{QUANTIZED}functional_modules.{kind}"
    for kind in ("QFunctional", "FloatFunctional", "FXFloatFunctional")
)
PACKED = frozenset(
    f"torch.classes.quantized.{kind}PackedParamsBase" for kind in ("Linear", "Conv2d", "Conv3d")
)
"""Weights that an FX model holds without a layer."""
QUANTIZE, DEQUANTIZE = f"{QUANTIZED}Quantize", f"{QUANTIZED}DeQuantize"
CONTAINERS = frozenset(
    f"{FLOAT}container.{kind}" for kind in ("Sequential", "ModuleList", "ModuleDict")
)
_POOL = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")
_MAX = ("kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode")
_UPSAMPLE = ("size", "scale_factor")
PLAIN: dict[str, tuple[str, ...]] = {
    f"{FLOAT}linear.Identity": (),
    f"{QUANTIZED}dropout.Dropout": ("p", "inplace"),
    f"{FLOAT}dropout.Dropout": ("p", "inplace"),
    **{f"{FLOAT}dropout.Dropout{n}d": ("p", "inplace") for n in (1, 2, 3)},
    f"{FLOAT}flatten.Flatten": ("start_dim", "end_dim"),
    f"{FLOAT}flatten.Unflatten": ("dim", "unflattened_size"),
    f"{FLOAT}activation.ReLU": ("inplace",),
    f"{FLOAT}activation.ReLU6": ("inplace",),
    f"{QUANTIZED}activation.ReLU6": ("inplace",),
    f"{FLOAT}activation.Sigmoid": (),
    f"{FLOAT}activation.Tanh": (),
    f"{FLOAT}activation.Hardtanh": ("min_val", "max_val", "inplace"),
    f"{FLOAT}activation.LeakyReLU": ("negative_slope", "inplace"),
    f"{FLOAT}activation.ELU": ("alpha", "inplace"),
    f"{FLOAT}activation.CELU": ("alpha", "inplace"),
    f"{FLOAT}activation.GELU": ("approximate",),
    f"{FLOAT}activation.SiLU": ("inplace",),
    f"{FLOAT}activation.Hardswish": ("inplace",),
    f"{FLOAT}activation.Hardsigmoid": ("inplace",),
    f"{FLOAT}activation.Threshold": ("threshold", "value", "inplace"),
    f"{FLOAT}activation.SELU": ("inplace",),
    f"{FLOAT}activation.Mish": ("inplace",),
    f"{FLOAT}activation.Softplus": ("beta", "threshold"),
    f"{FLOAT}activation.Softsign": (),
    f"{FLOAT}activation.LogSigmoid": (),
    f"{FLOAT}activation.GLU": ("dim",),
    f"{FLOAT}activation.Softmax": ("dim",),
    f"{FLOAT}activation.LogSoftmax": ("dim",),
    **{f"{FLOAT}pooling.MaxPool{n}d": _MAX for n in (1, 2, 3)},
    f"{FLOAT}pooling.AvgPool1d": _POOL,
    **{f"{FLOAT}pooling.AvgPool{n}d": (*_POOL, "divisor_override") for n in (2, 3)},
    **{f"{FLOAT}pooling.AdaptiveAvgPool{n}d": ("output_size",) for n in (1, 2, 3)},
    f"{FLOAT}upsampling.Upsample": (
        *(*_UPSAMPLE, "mode", "align_corners", "recompute_scale_factor"),
    ),
    f"{FLOAT}upsampling.UpsamplingNearest2d": _UPSAMPLE,
    f"{FLOAT}upsampling.UpsamplingBilinear2d": _UPSAMPLE,
    f"{FLOAT}pixelshuffle.PixelShuffle": ("upscale_factor",),
    f"{FLOAT}pixelshuffle.PixelUnshuffle": ("downscale_factor",),
    f"{FLOAT}channelshuffle.ChannelShuffle": ("groups",),
    **{f"{FLOAT}padding.ZeroPad{n}d": ("padding",) for n in (1, 2, 3)},
    **{f"{FLOAT}padding.ConstantPad{n}d": ("padding", "value") for n in (1, 2, 3)},
    **{f"{FLOAT}padding.ReflectionPad{n}d": ("padding",) for n in (1, 2, 3)},
    **{f"{FLOAT}padding.ReplicationPad{n}d": ("padding",) for n in (1, 2, 3)},
}
"""Classes without numbers of their own, with the settings that their constructors take."""


def canonical(class_name: str) -> str:
    """The class's name in today's torch."""
    for old, new in ALIASES.items():
        if class_name.startswith(old):
            return new + class_name.removeprefix(old)
    return class_name
