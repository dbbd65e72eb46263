"""A golden model as users write it: plain numpy, nothing of qdbg's, and one mistake at a time.

`layer` computes Linear and convolutions by the rules of an engine on a CPU level. `mistake` changes
one of its lines.
"""

import numpy as np

from tests.assumptions.requantized import WAYS, F, rounded


def windows(x, kernel, geometry, fill, mistake):
    """[N, H, W, kh, kw, C] of an image [N, C, h, w]; `geometry`: stride, padding."""
    (kh, kw), (stride, p) = kernel, geometry
    high, broad = ((x.shape[a] + 2 * p - k) // stride + 1 for a, k in ((2, kh), (3, kw)))
    if mistake == "same-padding":  # as TensorFlow: what is needed, half of it before
        needed = [(high - 1) * stride + kh - x.shape[2], (broad - 1) * stride + kw - x.shape[3]]
        sides = [(max(n, 0) // 2, max(n, 0) - max(n, 0) // 2) for n in needed]
    else:
        sides = [(p, p)] * 2
    how = {"mode": "edge"} if mistake == "edge-padding" else {"constant_values": fill}
    wide = np.pad(x, [(0, 0), (0, 0), *sides], **how)
    out = np.zeros((x.shape[0], high, broad, kh, kw, x.shape[1]), x.dtype)
    for i in range(high):
        for j in range(broad):
            part = wide[:, :, i * stride : i * stride + kh, j * stride : j * stride + kw]
            out[:, i, j] = part.transpose(0, 2, 3, 1)
    return out


def dot(x, w, pairs, order=None):
    """Σ x·w of [n, K] and [C, K]; in pairs that saturate where `pairs`."""
    if order is not None:
        x, w = x[:, order], w[:, order]
    products = x[:, None, :].astype(np.int64) * w[None].astype(np.int64)
    if not pairs:
        return products.sum(-1)
    if products.shape[-1] % 2:
        products = np.concatenate([products, np.zeros_like(products[..., :1])], -1)
    two = products[..., 0::2] + products[..., 1::2]
    return np.clip(two, -32768, 32767).sum(-1)


def accumulate(p, rules, mistake):
    """acc [rows, C], the zero points taken off, as int64."""
    x, w, zx, zw = p["x_q"], p["w_q"], int(p["x_zp"]), int(p["w_zp"])
    if mistake == "input-int8":
        x = x.view(np.int8)
    if mistake == "weight-uint8":
        w = w.view(np.uint8)
    zx = {"no-input-zero-point": 0, "zero-point-added": -zx}.get(mistake, zx)
    zw = 0 if mistake == "no-weight-zero-point" else zw
    if w.ndim == 2:
        if mistake == "transposed":
            w = w.reshape(w.shape[1], w.shape[0]).T
        columns, flat, groups = x.reshape(-1, 1, x.shape[-1]), w, 1
    else:
        groups = p["groups"]
        fill = 0 if mistake == "zero-padding" else p["x_q"].dtype.type(p["x_zp"])
        if mistake in {"no-input-zero-point", "input-int8", "zero-point-added"}:
            fill = (
                x.dtype.type(np.uint8(p["x_zp"]).view(np.int8))
                if x.dtype == np.int8
                else int(p["x_zp"])
            )
        if mistake == "flipped":
            w = w[:, :, ::-1, ::-1]
        found = windows(x, w.shape[2:], (p["stride"], p["padding"]), fill, mistake)
        n, high, broad = found.shape[:3]
        found = found.reshape(n * high * broad, w.shape[2] * w.shape[3], groups, -1)
        columns = found.transpose(0, 2, 1, 3).reshape(len(found), groups, -1)
        flat = w.transpose(0, 2, 3, 1).reshape(len(w), -1)
        if mistake == "oihw":
            flat = w.reshape(len(w), -1)
        if mistake == "hwio":
            read = w.transpose(2, 3, 1, 0).reshape(w.shape)
            flat = read.transpose(0, 2, 3, 1).reshape(len(w), -1)
    each = len(flat) // groups
    parts = []
    for g in range(groups):
        rows, own = columns[:, g], flat[g * each : (g + 1) * each]
        pairs = rules["pairs"] != ("pair-saturation" in mistake) and mistake != "int16"
        order = np.arange(rows.shape[1])[::-1] if mistake == "pairs-reversed" else None
        raw = dot(rows, own, pairs, order)
        if mistake == "int16":
            raw = raw.astype(np.int16).astype(np.int64)
        wide, sums = own.astype(np.int64), rows.astype(np.int64).sum(-1)
        count = rows.shape[1]
        parts.append(raw - zx * (wide.sum(-1) - zw * count) - zw * sums[:, None])
    return np.concatenate(parts, -1)


def layer(p, rules, mistake="", relu=False):
    """The integers of a layer: p holds x_q, x_scale, x_zp, w_q, w_scale, w_zp, b, y_scale, y_zp,
    and of a convolution stride, padding and groups. `rules`: engine, pairs."""
    acc = accumulate(p, rules, mistake)
    sx, sw, sy, zy = parameters(p, mistake)
    b = p["b"]
    if mistake == "scale-axis":
        return scaled_along_inputs(p, relu)
    b = b * {"no-bias": F(0), "bias-twice": F(2), "bias-subtracted": F(-1)}.get(mistake, F(1))
    if mistake == "relu-before-bias":
        acc = np.maximum(acc, 0)
    integer_bias = mistake in {"bias-rounded", "bias-truncated", "bias-weight-units"}
    if integer_bias:
        unit = sw if mistake == "bias-weight-units" else sx * sw
        how = np.trunc if mistake == "bias-truncated" else np.rint
        acc = (acc + np.clip(how(b.astype(np.float64) / unit), -(2**31), 2**31 - 1)).astype(
            np.int64
        )
        b = np.zeros_like(b)
    per_channel, conv = np.ndim(p["w_scale"]) > 0, p["w_q"].ndim > 2
    scales = (sx, sw, sy, zy, (per_channel, conv))
    v = WAYS[rules["engine"]](acc.astype(np.int32), b, scales, relu, mistake)
    floor = zy if mistake == "uncalibrated" else int(p["y_zp"])
    low = floor if relu and mistake != "no-relu" else 0
    if "before-relu" in mistake:
        low = int(p["y_zp"])
    if mistake == "wraps":
        return v.astype(np.int64) & 255
    if mistake == "no-clamp":
        return v.astype(np.int64)
    if mistake == "relu6":
        return np.clip(v, zy, min(np.rint(6 / sy) + zy, 255)).astype(np.int64)
    return np.clip(v, low, 255).astype(np.int64)


def parameters(p, mistake):
    """x_scale, w_scale, y_scale and y_zp."""
    sx, sw, sy, zy = p["x_scale"], np.atleast_1d(p["w_scale"]), p["y_scale"], int(p["y_zp"])
    if mistake == "scale-4-decimals":
        sx = np.round(sx, 4)
    if mistake == "scale-float16":
        sx, sw, sy = (np.asarray(s, np.float16).astype(np.float64)[()] for s in (sx, sw, sy))
    if mistake == "one-scale":
        sw = np.full_like(sw, sw[0])
    if mistake == "no-output-zero-point":
        zy = 0
    if mistake == "uncalibrated":
        sy, zy = 1.0, 0
    if mistake == "scale-inverted":
        sy = 1 / sy
    return sx, sw, sy, zy


def scaled_along_inputs(p, relu):
    """A float model, quantized at the end: numpy multiplies w_q · w_scale along the inputs."""
    x = (p["x_q"].astype(np.float64) - p["x_zp"]) * p["x_scale"]
    real = x @ (p["w_q"].astype(np.float64) * p["w_scale"]).T + p["b"]
    rounded_real = np.rint(real / p["y_scale"]) + p["y_zp"]
    return np.clip(rounded_real, p["y_zp"] if relu else 0, 255).astype(np.int64)


def add(p, engine, mistake, relu=False):
    """The integers of a residual addition, for tensors of whole vector blocks."""
    a, b = p["a_q"].astype(np.int64), p["b_q"].astype(np.int64)
    za, zb, sy, zy = int(p["a_zp"]), int(p["b_zp"]), p["y_scale"], int(p["y_zp"])
    sa, sb = p["a_scale"], p["b_scale"]
    if mistake == "no-input-zero-point":
        za = zb = 0
    if mistake == "no-output-zero-point":
        zy = 0
    if mistake == "swapped":
        (sa, za), (sb, zb) = (sb, zb), (sa, za)
    low = zy if (relu and mistake != "no-relu") or mistake == "before-relu" else 0
    if mistake in ("raw-integers", "halved-sum"):
        return np.clip((a + b) // (2 if mistake == "halved-sum" else 1), low, 255)
    if mistake == "centred-integers":
        return np.clip(a - za + b - zb + zy, low, 255)
    if mistake == "operands-rounded":
        return np.clip(np.rint((a - za) * sa / sy) + np.rint((b - zb) * sb / sy) + zy, low, 255)
    if mistake == "floor":
        return np.clip(np.floor(((a - za) * sa + (b - zb) * sb) / sy) + zy, low, 255)
    if (engine == "qnnpack") != (mistake == "fixed-point-add"):
        ratios = F(sa) / F(sy), F(sb) / F(sy)
        shift = 21 - int(np.floor(np.log2(max(ratios))))
        first, second = (int(np.rint(np.float64(r) * 2.0**shift)) for r in ratios)
        acc = (first * (a - za) + second * (b - zb)).astype(np.int32).astype(np.int64)
        r = np.sign(acc) * ((np.abs(acc) + (1 << (shift - 1))) >> shift)
    else:
        wide = [
            (np.float64(F(s)) * q + np.float64(F(np.float64(F(s)) * -z))).astype(F)
            for s, q, z in ((sa, a, za), (sb, b, zb))
        ]
        u = wide[0] + wide[1]
        u = np.maximum(u, 0) if relu and mistake != "no-relu" else u
        r = np.rint((u * (F(1) / F(sy))).astype(np.float64))
    y = (r + zy).astype(np.int64)
    if mistake == "wraps":
        return y & 255
    return np.clip(y, low, 255)


def quantize(x, scale, zero_point, mistake):
    """The integers of float32 values, the zero point added before rounding."""
    if mistake == "scale-inverted":
        scale = 1 / scale
    zp = 0 if mistake == "no-output-zero-point" else zero_point
    if mistake == "zero-point-after":
        return np.clip(np.rint(x.astype(np.float64) / scale) + zp, 0, 255).astype(np.int64)
    s = (x.astype(np.float64) * np.float64(F(1) / F(scale)) + zp).astype(F)
    if mistake == "uncalibrated":
        s = x
    if mistake == "no-clamp":
        return np.rint(s.astype(np.float64)).astype(np.int64)
    return np.clip(rounded(s, mistake), 0, 255).astype(np.int64)


IDS = {
    "input-int8": "input-bytes",
    "weight-uint8": "weight-bytes",
    "no-input-zero-point": "input-zero-point",
    "no-weight-zero-point": "weight-zero-point",
    "zero-padding": "zero-padding",
    "transposed": "weight-order",
    "flipped": "weight-order",
    "oihw": "weight-order",
    "hwio": "weight-order",
    "pair-saturation": "pair-saturation",
    "pairs-reversed": "pair-layout",
    "int16": "narrow-accumulator",
    "one-scale": "channel-scales",
    "no-output-zero-point": "output-zero-point",
    "uncalibrated": "uncalibrated",
    "scale-inverted": "scale-inverted",
    "zero-point-added": "input-zero-point",
    "same-padding": "padding-place",
    "edge-padding": "padding-values",
    "scale-axis": "scale-axis",
    "scale-4-decimals": "scale-precision",
    "scale-float16": "scale-precision",
    "bias-twice": "bias-times",
    "bias-subtracted": "bias-times",
    "relu-before-bias": "relu-before-bias",
    "relu6": "captured-before-relu6",
    "ceil": "rounding",
    "fixed-double": "fixed-point",
    "no-bias": "bias-forgotten",
    "bias-rounded": "bias-rounded",
    "bias-truncated": "bias-rounded",
    "bias-weight-units": "bias-units",
    "bias-float": "bias-float",
    "float64-multiplier": "multiplier",
    "8-bit-multiplier": "multiplier",
    "half-away": "rounding",
    "half-up": "rounding",
    "truncated": "rounding",
    "floor": "rounding",
    "zero-point-first": "zero-point-order",
    "zero-point-after": "zero-point-order",
    "before-relu": "captured-before-relu",
    "no-relu": "relu-missing",
    "wraps": "clamp",
    "no-clamp": "clamp",
    "raw-integers": "raw-integers",
    "centred-integers": "raw-integers",
    "halved-sum": "raw-integers",
    "operands-rounded": "operands-rounded",
    "swapped": "operand-parameters",
    "fixed-point-add": "fixed-point-add",
}
"""Each mistake with the id of the hypothesis that names it."""
