"""How each engine goes from accumulators to bytes, in plain numpy, with one mistake at a time."""

import numpy as np

F = np.float32


def rounded(v, mistake):
    v = np.asarray(v, np.float64)
    if mistake == "half-away":
        return np.sign(v) * np.floor(np.abs(v) + 0.5)
    if mistake == "half-up":
        return np.floor(v + 0.5)
    if mistake == "truncated":
        return np.trunc(v)
    if mistake == "floor":
        return np.floor(v)
    if mistake == "ceil":
        return np.ceil(v)
    return np.rint(v)


def fixed_double(acc, m):
    """acc·m by an integer multiplier of 31 bits, rounded twice as gemmlowp does it."""
    fraction, exponent = np.frexp(m)
    product = acc.astype(np.int64) * np.rint(fraction * 2.0**31).astype(np.int64)
    nudge = np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    half = np.trunc((product + nudge) / 2.0**31) / 2.0 ** -exponent.astype(np.int64)
    return np.sign(half) * np.floor(np.abs(half) + 0.5)


def placed(v, m, exact, zy, mistake):
    """Scaled by the float32 multiplier, or by one made of the exact one, and put at the zero
    point."""
    if mistake == "float64-multiplier":
        s = v.astype(np.float64) * exact
    elif mistake == "8-bit-multiplier":
        f, e = np.frexp(exact)
        s = v.astype(np.float64) * np.ldexp(np.rint(f * 256), e - 8)
    else:
        s = v * m
    if mistake == "zero-point-first":
        return np.rint((s.astype(F) + F(zy)).astype(np.float64))
    return rounded(s, mistake) + zy


def fbgemm(acc, b, scales, relu, mistake):
    sx, sw, sy, zy, (per_channel, _) = scales
    a = F(sx) * sw.astype(F)
    with np.errstate(all="ignore"):
        m = a / F(sy)
        if per_channel or not b.any():
            v = acc.astype(F) + b / a
        else:  # one rounding
            v = (b.astype(np.float64) * (F(1) / a).astype(np.float64) + acc.astype(F)).astype(F)
        return placed(v, m, sx * sw / sy, zy, mistake)


def qnnpack(acc, b, scales, relu, mistake):
    sx, sw, sy, zy, _ = scales
    unit = F(1) / (sx * sw).astype(F)
    if mistake == "bias-float":
        v = acc.astype(F) + b / (F(sx) * sw.astype(F))
    else:
        v = (acc + np.rint(b * unit).astype(np.int64)).astype(F)
    if mistake == "fixed-double":
        return fixed_double(np.rint(v.astype(np.float64)), sx * sw / sy) + zy
    m = (sw.astype(F) * F(sx)) * (F(1) / F(sy))
    return placed(v, m, sx * sw / sy, zy, mistake)


def onednn(acc, b, scales, relu, mistake):
    sx, sw, sy, zy, (per_channel, conv) = scales
    xs = F(1) / (F(1 / sx))
    if conv:
        ws = sw.astype(F)
    else:
        inverse = F(1) / sw.astype(F) if per_channel else np.asarray(1 / sw, F)
        ws = F(1) / inverse.astype(F)
    inv = F(1) / (F(1) / F(1 / sy))
    v = (acc.astype(F) * xs) * ws + b
    s = np.maximum(v, 0) * inv if relu and mistake != "no-relu" else v * inv
    if mistake == "zero-point-after":
        return np.rint(s.astype(np.float64)) + zy
    return rounded(np.asarray(s + F(zy), F), mistake)


WAYS = {"fbgemm": fbgemm, "qnnpack": qnnpack, "onednn": onednn}
