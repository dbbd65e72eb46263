"""Tables of 8 and 4 bits, single rows and bags, with and without weights."""

from __future__ import annotations

from typing import Any

import torch
import torch.ao.nn.quantized as nnq
from torch.ao.quantization import (
    float_qparams_weight_only_qconfig,
    float_qparams_weight_only_qconfig_4bit,
)

from qdbg.selftest.draw import Case, Draw


def table(draw: Draw, kind: Any, **options: Any) -> tuple[Any, int]:
    """A quantized table and its number of rows; 4 bits only where the kernel has them."""
    rows, width = draw.integer(1, 40), 2 * draw.integer(1, 40)
    floats = kind(rows, width, **options)
    spread = draw.scale(1e-3, 10)
    with torch.no_grad():
        floats.weight.copy_(draw.floats((rows, width), spread) + draw.integer(-2, 2) * spread)
    small = draw.chance(0.4)
    config = float_qparams_weight_only_qconfig_4bit if small else float_qparams_weight_only_qconfig
    floats.qconfig = config
    quantized: Any = nnq.EmbeddingBag if kind is torch.nn.EmbeddingBag else nnq.Embedding
    return quantized.from_float(floats), rows


def embedding(draw: Draw) -> Case:
    """Single rows."""
    layer, rows = table(draw, torch.nn.Embedding)
    flat = draw.chance(0.5)
    sizes = (draw.integer(1, 30),) if flat else (draw.integer(1, 5), draw.integer(1, 9))
    shape = draw.lengthened(sizes, most=500)
    indices = torch.from_numpy(draw.random.integers(0, rows, shape))
    if layer.weight().dtype != torch.quint4x2 or draw.chance(0.1):
        return Case(lambda: layer(indices), {"layer": layer})
    pack = layer._packed_params._packed_weight  # the module itself reads 4 bits as bytes
    return Case(lambda: torch.ops.quantized.embedding_4bit(pack, indices))


def embedding_bag(draw: Draw) -> Case:
    """Bags of rows, some of them empty."""
    last = draw.chance(0.5)
    layer, rows = table(draw, torch.nn.EmbeddingBag, mode="sum", include_last_offset=last)
    if draw.chance(0.2):
        table_of_bags = draw.random.integers(0, rows, (draw.integer(1, 9), draw.integer(1, 9)))
        return Case(lambda: layer(torch.from_numpy(table_of_bags)), {"layer": layer})
    count, bags = draw.integer(1, 60), draw.integer(1, 20)
    bags = draw.lengthened((bags,), most=300)[0]
    indices = torch.from_numpy(draw.random.integers(0, rows, count))
    starts = sorted([0, *draw.random.integers(0, count + 1, bags - 1).tolist()])
    offsets = torch.tensor([*starts, count] if last else starts)
    weights = draw.floats((count,)) if draw.chance(0.4) else None
    return Case(lambda: layer(indices, offsets, weights), {"layer": layer})


CASES = {"embedding": embedding, "embedding_bag": embedding_bag}
