"""Layers that people posted because PyTorch's integers were not theirs: numbers alone, no torch.

Each function gives one layer, what PyTorch makes of it, and what came out by hand by which mistake.
Where a thread names no numbers, they are ours and the text says so.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qdbg.core.quantity import Array
from tests.oracle.thread import Posted, Quantized, rounded, windows


def lost_pair() -> Posted:
    """pytorch#44939: FBGEMM gives 111 for 113. The pair 211·71 + 171·107 = 33278 is cut off at
    32767. Their calculation is right; what they left out is the instruction."""
    return Posted(
        op="conv2d_relu",
        x=Quantized.of([[[[42, 93, 209], [96, 211, 171], [200, 174, 38]]]], 0.13133743405342102, 1),
        w=Quantized.of(
            [[[[-128, -90, -60], [-49, 71, 107], [32, 118, 60]]]], 0.0029218862764537334, 0, "qint8"
        ),
        y_scale=0.10707724094390869, y_zp=0,
        mistake="saturating pairs are not modelled",
        by_hand=np.array([113]), whole=np.array([113]), cut=np.array([111]),
    )  # fmt: skip


def saturating_pair(op: str, first: int) -> Posted:
    """pytorch#76390: two inputs of 255 with the zero point 144, every scale 1. By hand
    111·(113 + 113) and more are cut to 255 by the clamp; the pair is cut off before, and what is
    left after the zero point is 223 or 79."""
    shape = (1, 2, 1) if op == "conv1d" else (1, 2)
    return Posted(
        op=op,
        x=Quantized(np.full(shape, 255, np.uint8), 1.0, 144),
        w=Quantized(np.array([first, 113], np.int8).reshape(shape), 1.0, 0, "qint8"),
        y_scale=1.0, y_zp=0,
        mistake="saturating pairs are not modelled",
        by_hand=np.array([255]), whole=np.array([255]), cut=np.array([{113: 223, 114: 79}[first]]),
    )  # fmt: skip


def unsigned(zero_point: int = 0) -> Posted:
    """pytorch#56331: 0 for −2016, which they took for an overflow. A quint8 result without a zero
    point cannot be negative: it is clamped. By hand −63 steps were not; with the zero point 128
    there is room for them, and nothing differs."""
    return Posted(
        op="conv2d",
        x=Quantized.of([[[[3, 9, 30], [14, 4, 22], [11, 7, 5]]]], 1.0),
        w=Quantized.of([[[[17, 21, -59], [-4, -10, -31], [2, -3, 59]]]], 1.0, 0, "qint8"),
        b=(0.0,), per_channel=True,
        y_scale=32.0, y_zp=zero_point,
        mistake="" if zero_point else "the result is not clamped to quint8",
        by_hand=np.array([-63 + zero_point]), whole=np.array([max(0, -63 + zero_point)]),
    )  # fmt: skip


def fixed_point_add() -> Posted:
    """pytorch#37343: QNNPACK adds in 22-bit fixed point and gives 155, a sum in float 154."""
    return Posted(
        op="add",
        x=Quantized.of([158], 0.040562573820352554, 112),
        other=Quantized.of([136], 0.08881603181362152, 126),
        y_scale=0.09029635787010193, y_zp=124,
        mistake="added in float where QNNPACK adds in fixed point",
        by_hand=np.array([154]), whole=np.array([154]), fixed=np.array([155]),
    )  # fmt: skip


def zero_padding() -> Posted:
    """pytorch#53807: what stands in the padding of an input whose zero point is 50? The zero point:
    the byte that means 0. With bytes of 0 there, the results at the border are wrong and no others.
    Kernel, stride, padding and all parameters are theirs, image and weights ours."""
    image = (np.arange(64) * 37 % 251).astype(np.uint8).reshape(1, 1, 8, 8)
    weight = (np.arange(16) * 7 % 23 - 7).astype(np.int8).reshape(1, 1, 4, 4)
    x, w = Quantized(image, 0.4914, 50), Quantized(weight, 0.0043, 0, "qint8")
    scale = 0.099393032

    def result(fill: int) -> Array:
        views = windows(image[0].astype(np.int64), 4, 2, 1, fill) - 50
        return rounded(views @ w.q.astype(np.int64).ravel() * x.scale * w.scale, scale, 0)

    return Posted(
        op="conv2d_relu", x=x, w=w, y_scale=scale, y_zp=0, stride=2, padding=1,
        mistake="padded with the byte 0 instead of the zero point",
        by_hand=result(0), whole=result(50),
    )  # fmt: skip


def numpy_linear() -> Posted:
    """forum 197716: a Linear in numpy that has two mistakes: x_zp is never subtracted, and
    `uint8 @ int8` is int16 in numpy, which wraps. The formula is theirs, the numbers ours."""
    x = Quantized.of([[255, 250, 3, 128, 240, 200, 17, 90]], 0.031, 121)
    rows = [[127, 100, -7, 55, 99, 80, -3, 20], [5, -9, 60, 2, -1, 8, 33, -20]]
    w = Quantized.of(rows, 0.0043, 0, "qint8")
    b, y_scale, y_zp = (0.25, -1.5), 0.09, 60
    unit = x.scale * w.scale
    steps = np.rint(np.array(b) / unit)

    def result(sums: Array) -> Array:
        return np.clip(np.rint((sums + steps) * unit / y_scale + y_zp), 0, 255).astype(np.int64)

    whole = x.centred() @ w.centred().T
    pairs = (x.q.astype(np.int64) * w.q).reshape(-1, 4, 2).sum(axis=2)
    cut = whole - (pairs - np.clip(pairs, -32768, 32767)).sum(axis=1)
    return Posted(
        op="linear", x=x, w=w, b=b, y_scale=y_scale, y_zp=y_zp,
        mistake="x_zp is not subtracted, and the sum wraps in int16",
        by_hand=result(np.matmul(x.q, w.q.T)), whole=result(whole), cut=result(cut),
    )  # fmt: skip


def raw_sum() -> Posted:
    """forum 141369: the integers of a residual connection, added as they are. They have other
    scales and zero points. Operands and their parameters are theirs, the result's are ours."""
    first = [[69, 70, 61, 69, 68, 74], [66, 75, 68, 81, 66, 72], [64, 76, 75, 71, 67, 73]]
    second = [[66, 55, 60, 53, 59, 57], [61, 55, 59, 63, 65, 51], [66, 67, 62, 69, 76, 64]]
    x = Quantized.of(first, 0.009925744496285915, 75)
    other = Quantized.of(second, 0.02780967578291893, 61)
    real = x.centred() * x.scale + other.centred() * other.scale
    return Posted(
        op="add", x=x, other=other, y_scale=0.03, y_zp=64,
        mistake="raw integers added without dequantizing",
        by_hand=np.clip(x.q.astype(int) + other.q, 0, 255), whole=rounded(real, 0.03, 64),
    )  # fmt: skip


def many_pairs() -> Posted:
    """pytorch#50720: `quantized.functional.conv2d` is 15 off at one pixel of nine."""
    image = [[118, 123, 114, 112, 120], [119, 124, 125, 128, 117], [136, 115, 118, 125, 118],
             [126, 115, 133, 116, 122], [125, 120, 122, 118, 127]]  # fmt: skip
    by_hand = np.array([[255, 255, 226], [0, 75, 135], [193, 166, 45]])
    posted = np.array([[0, 0, 0], [15, 0, 0], [0, 0, 0]])
    weight = [[-128, -128, -128], [-128, 0, 127], [127, 127, 127]]
    return Posted(
        op="conv2d",
        x=Quantized.of([[image]], 0.15, 120), w=Quantized.of([[weight]], 0.0007, 0, "qint8"),
        y_scale=0.0009, y_zp=121,
        mistake="saturating pairs are not modelled",
        by_hand=by_hand, whole=by_hand, cut=by_hand + posted,
    )  # fmt: skip


def one_pair() -> Posted:
    """pytorch#50720, the Linear: 40 off in one of 20 results."""
    rows = [[46, 0, 182, 255], [26, 214, 194, 120], [141, 120, 149, 85], [86, 121, 177, 179]]
    weight = [[-60, -54, -73, -103], [-41, 6, -54, 119], [-17, -51, -127, -35],
              [114, -40, 47, 90], [-90, -83, 79, 63]]  # fmt: skip
    by_hand = np.array([[30, 168, 44, 150, 255], [46, 82, 1, 18, 117], [75, 41, 58, 86, 68],
                        [25, 111, 23, 107, 144]])  # fmt: skip
    cut = by_hand.copy()
    cut[0, 0] += 40
    return Posted(
        op="linear",
        x=Quantized.of(rows, 0.0158, 117), w=Quantized.of(weight, 0.000078, 0, "qint8"),
        y_scale=0.00021, y_zp=79,
        mistake="saturating pairs are not modelled",
        by_hand=by_hand, whole=by_hand, cut=cut,
    )  # fmt: skip


def some_processors() -> Posted:
    """pytorch#126521: "error result in some Intel CPU": 5 steps on one with VNNI, 0 without."""
    image = np.array([[61, 61, 59], [70, 69, 65], [79, 81, 75]]) + 128
    weight = [[[12, -89, 17], [-24, -116, -102], [-18, 78, -83]],
              [[-8, 127, 92], [15, -11, 127], [43, -45, -5]],
              [[-44, 40, -35], [-60, -35, -44], [90, -36, 85]]]  # fmt: skip
    return Posted(
        op="conv2d",
        x=Quantized.of([[image] * 3][0:1], 0.007812488358467817, 128),
        w=Quantized.of([weight], 0.046079955995082855, 0, "qint8"),
        b=(1.193039894104004,),
        y_scale=0.09463921934366226, y_zp=0,
        mistake="saturating pairs are not modelled",
        by_hand=np.array([5]), whole=np.array([5]), cut=np.array([0]),
    )  # fmt: skip


def weight_of_one() -> Posted:
    """pytorch#95785 and forum 173684: a convolution with the identity gives 127 twice and from
    there one less. 1.0 is 127.5 steps of 2/255, and 127 is the largest int8: the layer multiplies
    by 0.996. By hand the weight was 1."""
    ramp = np.arange(256)
    image = np.broadcast_to(ramp, (1, 3, 1, 256)).astype(np.uint8)
    weight = (127 * np.eye(3)).astype(np.int8).reshape(3, 3, 1, 1)
    third = np.where(ramp < 128, ramp, ramp - 1)
    return Posted(
        op="conv2d_relu",
        x=Quantized(image, 1 / 255), w=Quantized(weight, 2 / 255, 0, "qint8"), b=(0.0,) * 3,
        y_scale=1 / 255, y_zp=0,
        mistake="multiplied by the float weights, not by the integers",
        by_hand=np.broadcast_to(ramp, (3, 256)), whole=np.broadcast_to(third, (3, 256)),
    )  # fmt: skip


def unrounded() -> Posted:
    """forum 101631: 0.2756 (129 steps) from a Conv1d with one weight, where their sum "is close but
    not exactly correct": it is 129.26 steps, and a result has none but whole ones. Scales are
    printed with four digits; input and weight over their integers give the others."""
    y_scale, b = 0.0021364481654018164, -0.9427
    x = Quantized.of([[[0]]], 2.0260 / 127, 127)
    w = Quantized.of([[[-128]]], 0.6016 / 128, 0, "qint8")
    return Posted(
        op="conv1d", x=x, w=w, b=(b,), y_scale=y_scale, y_zp=0,
        mistake="the result is not rounded to a step of the output",
        by_hand=np.array([(127 * 128 * x.scale * w.scale + b) / y_scale]), whole=np.array([129]),
    )  # fmt: skip


def scale_of_the_result() -> Posted:
    """forum 69512: [347.3, 392.5, 527.8, 572.9] over 4.51 are 77, 87, 117 and 127. They looked for
    the scale of the requantization and took the output's for it."""
    ramp = [[8, 16, 24, 32], [40, 48, 56, 64], [71, 79, 87, 95], [103, 111, 119, 127]]
    x = Quantized.of([[ramp]], 0.125926584005)
    w = Quantized.of([[[[14, 28, 42], [57, 71, 85], [99, 113, 127]]]], 9 / 127.5, 0, "qint8")
    sums = windows(x.q[0].astype(np.int64), 3, 1, 0, 0) @ w.q.astype(np.int64).ravel()
    return Posted(
        op="conv2d", x=x, w=w, b=(0.0,), y_scale=4.51094579697, y_zp=0,
        mistake="the accumulator is divided by the output's scale alone",
        by_hand=np.clip(np.rint(sums / 4.51094579697), 0, 255).astype(np.int64),
        whole=np.array([77, 87, 117, 127]),
    )  # fmt: skip


def beyond_int32() -> Posted:
    """pytorch#60077: 2³² in steps of ½ is beyond int32, and two of ten results (those that no
    vector holds) were −0.5 on ARM. On x86-64 all ten are 127."""
    return Posted(
        op="quantize", real=np.full(10, 2.0**32, np.float32), y_scale=0.5, y_zp=1,
        mistake="the quotient wraps in int32 before it is clamped",
        by_hand=np.array([255] * 8 + [0] * 2), whole=np.full(10, 255),
    )  # fmt: skip


def all_saturated() -> Posted:
    """pytorch#92246: QNNPACK's add of two qint8 tensors that both stand for 0 gave 127 for 0; here
    it gives 0. Without the zero points the sum is 127 too."""
    return Posted(
        op="add",
        x=Quantized.of([127], 0.057, 127, "qint8"), other=Quantized.of([127], 0.008, 127, "qint8"),
        y_scale=0.003, y_zp=0,
        mistake="zero points not subtracted",
        by_hand=np.array([127]), whole=np.array([0]),
    )  # fmt: skip


CASES: dict[str, Callable[[], Posted]] = {
    "44939": lost_pair,
    "76390 Conv1d 113": lambda: saturating_pair("conv1d", 113),
    "76390 Conv1d 114": lambda: saturating_pair("conv1d", 114),
    "76390 Linear 113": lambda: saturating_pair("linear", 113),
    "76390 Linear 114": lambda: saturating_pair("linear", 114),
    "56331": unsigned,
    "56331 with zero point": lambda: unsigned(128),
    "37343": fixed_point_add,
    "53807": zero_padding,
    "forum 197716": numpy_linear,
    "forum 141369": raw_sum,
    "50720 conv2d": many_pairs,
    "50720 linear": one_pair,
    "126521": some_processors,
    "95785": weight_of_one,
    "forum 101631": unrounded,
    "forum 69512": scale_of_the_result,
    "60077": beyond_int32,
    "92246": all_saturated,
}
"""By thread: an issue of pytorch/pytorch, or one of discuss.pytorch.org."""
