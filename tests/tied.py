"""Runs in a child process: `tied.py ENGINE` records what `tests.make_ties` asks for.

Every call adds a zero point on one side of rounding or the other, or goes to a kernel that not
every release has.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from qdbg.capture import isa
from qdbg.core.program import Environment
from qdbg.core.quantity import RANGES, STORAGE
from qdbg.core.versions import release_of
from qdbg.debugger import Debugger
from qdbg.selftest.check import record
from qdbg.selftest.draw import Case, per_tensor
from qdbg.session import Session, save

FOLDER = Path(__file__).parent / "ties"
SCALE = 2.0**-4
TWICE = 2 * SCALE
UNEVEN, PRODUCT = 0.11, 0.2178
"""Scales with which XNNPACK's multiplier and ATen's are two float32 numbers."""
ZEROS = {"quint8": 117, "qint8": -13}
QUANTIZED = torch.ops.quantized


def integers(dtype, *shape, step=37):
    """Bytes all over the range, even and odd ones."""
    found = np.arange(int(np.prod(shape))) * step % 200 + RANGES[dtype][0] + 20
    return found.reshape(shape).astype(STORAGE[dtype])


def tensor(dtype, *shape, step=37):
    return per_tensor(integers(dtype, *shape, step=step), SCALE, ZEROS[dtype])


HALVES = torch.arange(-75, 75, dtype=torch.float32) * SCALE / 2
PLANE = torch.arange(-60, 60, dtype=torch.float32).reshape(1, 3, 5, 8) * SCALE / 2
MIRRORED = torch.arange(-234, 277, dtype=torch.float32).reshape(7, 73) * SCALE / 2
"""Its range is 255 steps from −117 on."""
INTO = torch._empty_affine_quantized([150], scale=SCALE, zero_point=117, dtype=torch.quint8)
LAST = tensor("quint8", 2, 3, 4, 6).contiguous(memory_format=torch.channels_last)
DEEP = tensor("quint8", 1, 3, 2, 4, 4).contiguous(memory_format=torch.channels_last_3d)
SQUARE = per_tensor(np.arange(113, 122, dtype=np.uint8).reshape(3, 3), SCALE, 117)
SLOPE = per_tensor(np.array([121], np.uint8), 0.4, 117)
SCALES, POINTS = torch.tensor([SCALE, TWICE, 2 * TWICE]), torch.tensor([117, 31, 3])


def of_bytes(dtype):
    """The calls on tensors of one type."""
    zero = ZEROS[dtype]
    a, b, image = tensor(dtype, 150), tensor(dtype, 150, step=52), tensor(dtype, 2, 3, 4, 6)
    uneven = [per_tensor(integers(dtype, 150, step=n), UNEVEN, 5) for n in (37, 52)]

    def run():
        torch.quantize_per_tensor(HALVES, SCALE, zero, getattr(torch, dtype))
        QUANTIZED.add(a, b, TWICE, zero)
        QUANTIZED.add_relu(a, b, TWICE, zero)
        QUANTIZED.mul(*uneven, PRODUCT, zero)
        QUANTIZED.leaky_relu(a, 0.25, False, TWICE, zero)
        QUANTIZED.cat([a, a], 0, TWICE, zero)
        torch.clamp(image, -2.5 * SCALE, 3.5 * SCALE)
        functional.pad(image, (1, 1), value=2.5 * SCALE)
        functional.avg_pool2d(image, 2)
        functional.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)

    return run


def of_images():
    """The calls on images, and what is reduced."""
    flat, table = tensor("quint8", 2, 1, 1, 8), tensor("quint8", 75, 2)
    pairs = tensor("qint8", 3, 2, 3, 5)

    def run():
        functional.avg_pool2d(LAST, 2)
        functional.avg_pool2d(flat, (1, 2))
        functional.avg_pool3d(DEEP, 2)
        functional.adaptive_avg_pool2d(LAST, (2, 4))
        functional.adaptive_avg_pool3d(DEEP, (1, 2, 2))
        functional.interpolate(LAST, scale_factor=2, mode="bilinear", align_corners=False)
        torch.std(table, 1, correction=0)
        torch.mean(pairs, 1)

    return run


def of_real_numbers():
    """The calls that quantize real numbers, or sums of them."""
    a = tensor("quint8", 150)
    packed = QUANTIZED.linear_prepack(
        per_tensor(np.arange(-36, 37, dtype=np.int8)[None], SCALE, 0), None
    )

    def run():
        torch.quantize_per_tensor(HALVES, SCALE, 117, torch.qint32)
        torch.quantize_per_channel(PLANE, SCALES, POINTS, 1, torch.quint8)
        torch.quantize_per_tensor_dynamic(MIRRORED, torch.quint8, False)
        INTO.copy_(HALVES)
        QUANTIZED.matmul(SQUARE, SQUARE, SCALE * TWICE, 117)
        QUANTIZED.prelu(a, SLOPE, SCALE, 117)
        QUANTIZED.linear_dynamic(MIRRORED, packed)

    return run


def main():
    engine, level, version = sys.argv[1], "avx2", str(torch.__version__)
    torch.backends.quantized.engine = engine
    isa.force(level)
    words = (engine, level, version, "a CPU", isa.probe(engine, level))
    runs = [*map(of_bytes, ZEROS), of_images(), of_real_numbers()]
    made = record(Case(lambda: [run() for run in runs]), Environment(*words, unperturbed=True))
    release = release_of(version) or version
    save(Session.of(Debugger(made, "auto", "captured")), FOLDER / f"{release}-{engine}.qdbg")


if __name__ == "__main__":
    main()
