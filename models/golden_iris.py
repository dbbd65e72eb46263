"""The forward pass of iris_qat.pth as people write it by hand: a golden model for qdbg.

    qdbg show models/iris_qat.pth --sample versicolor --cpu avx2 --golden models/golden_iris.py

Two of its assumptions are not PyTorch's there, and the golden column shows where: fc1 applies the
ReLU, which PyTorch runs as a call of its own, and the sums of products are exact, where a CPU
without VNNI keeps each pair within int16.
"""

import numpy as np


def quant(x, y_scale, y_zp, qmin, qmax):
    """Real values to integers: the scale, then rounding half to even, then the zero point."""
    return np.clip(np.rint(x / y_scale) + y_zp, qmin, qmax)


def fc1(x_q, x_scale, x_zp, w_q, w_scale, b, y_scale, y_zp, qmin, qmax):
    """Linear with its ReLU: nothing below the zero point remains."""
    y_q = _linear(x_q, x_scale, x_zp, w_q, w_scale, b, y_scale, y_zp)
    return np.clip(np.maximum(y_q, y_zp), qmin, qmax)


def fc2(x_q, x_scale, x_zp, w_q, w_scale, b, y_scale, y_zp, qmin, qmax):
    """Linear."""
    y_q = _linear(x_q, x_scale, x_zp, w_q, w_scale, b, y_scale, y_zp)
    return np.clip(y_q, qmin, qmax)


def dequant(x_q, x_scale, x_zp):
    """Integers to real values."""
    return np.float32(x_scale) * (x_q.astype(np.float32) - np.float32(x_zp))


def _linear(x_q, x_scale, x_zp, w_q, w_scale, b, y_scale, y_zp):
    """int8 products with an exact sum, the bias as int32, then the result's scale."""
    acc = (x_q.astype(np.int32) - x_zp) @ w_q.astype(np.int32).T
    b_q = np.rint(b / (x_scale * w_scale)).astype(np.int32)
    return np.rint((acc + b_q) * (x_scale * w_scale / y_scale)) + y_zp
