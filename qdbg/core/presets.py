"""What one engine does on one CPU level, by name: the presets that combine the primitives."""

from __future__ import annotations

from dataclasses import dataclass

from qdbg.names import LEVELS, TEXTBOOK

ROUNDED = "rounded"
"""In `Arithmetic.quantize`: rounds, then adds the zero point."""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """What one engine does on one CPU level; each field is one assumption that can be changed."""

    name: str
    """`fbgemm-avx2`, `textbook` …: what --arith takes."""
    engine: str
    """One of ENGINES, or `textbook`."""
    level: str
    """One of LEVELS; the textbook's is `vnni`, whose kernels lose nothing."""
    library: str
    """Who computes Linear: FBGEMM, oneDNN, QNNPACK; `by hand` for the textbook."""
    quantize: str
    """Of ATen's own quantizing: `fused`: the zero point is added before rounding, by
    quantize_per_tensor in one FMA; `rounded`: x·(1 / scale) is rounded first; `divide`: x / scale
    is rounded first."""
    accumulator: str
    """`exact`, `pairs` (int16-saturating pairs) or `pairs-blocked` (pairs restart at oneDNN's
    blocks of K)."""
    way_back: str
    """From the accumulator to the byte: bias, multiplier, rounding and zero point in the order of
    operations of `fbgemm`, `qnnpack`, `onednn`, `onednn-avx2` or the `textbook`."""
    changes: tuple[str, ...] = ()
    """Assumptions that are changed, by the ids of hypotheses: `bias-rounded`."""
    release: str = "2.13"
    """The release of PyTorch whose kernels these are."""
    qint8: str = "ATen"
    """Who multiplies two qint8 tensors, and under QNNPACK adds them: `ATen` or `XNNPACK`."""
    onednn: str = "3.12"
    """The version of oneDNN that it holds."""


def _presets() -> dict[str, Arithmetic]:
    found = {}
    for level in LEVELS:
        exact = level == "vnni"
        flat = "exact" if exact else "pairs"
        blocked = "pairs-blocked" if level == "avx2" else flat
        order = "onednn-avx2" if level == "avx2" else "onednn"
        for engine, row in {
            "fbgemm": ("FBGEMM", "fused", flat, "fbgemm"),
            "x86": ("FBGEMM", "fused", flat, "fbgemm"),
            "onednn": ("oneDNN", "fused", blocked, order),
            "qnnpack": ("QNNPACK", "fused", "exact", "qnnpack"),
        }.items():
            found[f"{engine}-{level}"] = Arithmetic(f"{engine}-{level}", engine, level, *row)
    found[TEXTBOOK] = Arithmetic(
        TEXTBOOK, TEXTBOOK, "vnni", "by hand", "divide", "exact", "textbook"
    )
    return found


ARITHMETICS: dict[str, Arithmetic] = _presets()
"""Every arithmetic by name: each engine on each CPU level, and the textbook's."""
