"""Child only: look into weights that an engine has packed."""

from __future__ import annotations

from typing import Any

import torch

NUMBERS = ("stride", "padding", "dilation", "groups", "output_padding")
"""What packed convolutions keep beside their weights."""
ROWS = torch.per_channel_affine_float_qparams
"""The scheme of embeddings: each row has a scale and a zero point, both float32."""


def unpacked(pack: Any) -> tuple[list[tuple[str, torch.Tensor]], dict[str, object]]:
    """The tensors inside, by name, and the plain numbers kept with them; nothing for a pack that
    does not let itself be looked into."""
    if pack._type().qualified_name().endswith("EmbeddingPackedParamsBase"):
        return _embedding(torch.ops.quantized.embedding_bag_unpack(pack)), {}
    if not hasattr(pack, "unpack"):
        return [], {}
    weight, bias = pack.unpack()
    tensors = [("weight", weight)] + ([] if bias is None else [("bias", bias)])
    kept = {name: getattr(pack, name)() for name in NUMBERS if hasattr(pack, name)}
    return tensors, {n: list(v) if isinstance(v, list) else int(v) for n, v in kept.items()}


def _embedding(weight: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
    q = weight.int_repr()
    bits = 8
    if weight.dtype == torch.quint4x2:
        bits = 4
        q = torch.stack([q & 15, q >> 4], -1).reshape(-1)[: weight.numel()].reshape(weight.shape)
    return [
        ("weight", q),
        ("weight_scale", weight.q_per_channel_scales().float()),
        ("weight_zero_point", weight.q_per_channel_zero_points().float()),
        ("weight_bits", torch.tensor([bits])),
    ]
