"""Exponentials to the last bit, as PyTorch's vector kernels evaluate them.

In whole vector blocks the kernels take the vector library Sleef's functions that are right to one
unit in the last place: a reduction by ln 2, a polynomial, a power of two, every operation in
float32, products and sums fused. What is left over at the end of a row goes to the C library,
whose results are only known up to a bound that its makers give.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from qdbg.core.arithmetic import add32, div32, f32, f64, fma32, i32, mul32, rne
from qdbg.core.quantity import Array

LOG2_E = f32(1.442695040888963407)
LN2, LN2_REST = f32(0.693145751953125), f32(1.428606765330187045e-6)
"""ln 2 in two parts: the first has so few bits that its product with the exponent is exact."""
TAYLOR = (
    *map(f32, (0.000198527617612853646, 0.00139304355252534151, 0.00833336077630519867)),
    *map(f32, (0.0416664853692054749, 0.166666671633720398, 0.5)),
)
FINER = tuple(map(f32, (1.980960224e-4, 1.394256484e-3, 8.333456703e-3, 4.166637361e-2)))
SIXTH = f32(0.166666659414234245)
"""Coefficients of the polynomials, highest power first."""
VANISHES, OVERFLOWS = f32(-104), f32(100)
EXPM1_FLAT, EXPM1_OVERFLOWS = f32(-16.6355323334386874), f32(88.722831726074219)
TANH_FLAT = f32(8.664339742)
"""Where the functions stop evaluating: 0, infinity, −1, 1."""
ERF = tuple(map(f32, (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)))
ERF_P = f32(0.3275911)
FEW = 1024
"""Fewer numbers than these are not worth looking for equal ones."""
EXPF, EXPM1F, TANHF = 0.51, 1.0, 2.5
"""By how many units in the last place the C library's results may be off, at most."""
Pair: TypeAlias = tuple[Array, Array]
"""A number as the unevaluated sum of a float32 and a smaller one."""


def exp_vector(x: Array) -> Array:
    """eˣ of float32 numbers."""
    return _each(_exp, x)


def expm1_vector(x: Array) -> Array:
    """eˣ − 1 of float32 numbers."""
    return _each(_expm1, x)


def tanh_vector(x: Array) -> Array:
    """The hyperbolic tangent of float32 numbers."""
    return _each(_tanh, x)


def erf_vector(x: Array) -> Array:
    """PyTorch's own error function of float32 numbers: Abramowitz and Stegun's 7.1.26, which is
    right to 1.5e-7."""
    return _each(_erf, x)


def within(exact: Array, ulps: float) -> Pair:
    """The smallest and the largest float32 that a function may give which is off by at most `ulps`
    units in the last place from the float64 number `exact`."""
    spread = f64(np.spacing(np.abs(f32(exact)))) * (ulps - 0.5)
    return f32(exact - spread), f32(exact + spread)


def _each(function: Callable[[Array], Array], x: Array) -> Array:
    """Once for each different number: they are few where they stand for bytes."""
    given = f32(x)
    with np.errstate(all="ignore"):
        if given.size <= FEW:
            return function(given)
        bits, places = np.unique(given.view(np.int32), return_inverse=True)
        return np.asarray(function(bits.view(np.float32))[places].reshape(given.shape))


def _exp(x: Array) -> Array:
    q = rne(mul32(x, LOG2_E))
    s = fma32(q, -LN2_REST, fma32(q, -LN2, x))
    u = np.full_like(s, TAYLOR[0])
    for coefficient in TAYLOR[1:]:
        u = fma32(u, s, coefficient)
    u = np.ldexp(add32(fma32(mul32(s, s), u, s), f32(1)), _power(q))
    return np.where(x < VANISHES, f32(0), np.where(x > OVERFLOWS, f32(np.inf), u))


def _expm1(x: Array) -> Array:
    high, low = _plus(_exp_pair(x), f32(-1))
    found = add32(high, low)
    found = np.where(x > EXPM1_OVERFLOWS, f32(np.inf), found)
    found = np.where(x < EXPM1_FLAT, f32(-1), found)
    return np.where(x == 0, x, found)


def _tanh(x: Array) -> Array:
    size = np.abs(x)
    e = _exp_pair(size)
    back = _reciprocal(e)
    high, low = _quotient(_ordered_sum(e, (-back[0], -back[1])), _ordered_sum(e, back))
    found = add32(high, low)
    found = np.where((size > TANH_FLAT) | np.isnan(found), f32(1), found)
    return np.where(np.isnan(x), x, np.copysign(found, x))


def _erf(x: Array) -> Array:
    size, one = np.abs(x), f32(1)
    t = div32(one + np.zeros_like(x), fma32(ERF_P, size, one))
    r = np.full_like(t, ERF[0])
    for coefficient in ERF[1:]:
        r = fma32(r, t, coefficient)
    found = fma32(mul32(-_exp(-mul32(x, x)), t), r, one)
    return np.where(np.signbit(x), -found, found)


def _power(q: Array) -> Array:
    return i32(np.nan_to_num(np.fmin(np.fmax(q, -1000), 1000)))


def _exp_pair(x: Array) -> Pair:
    """eˣ with about twice as many bits."""
    q = rne(mul32(x, LOG2_E))
    s = _plus(_plus((x, np.zeros_like(x)), mul32(q, -LN2)), mul32(q, -LN2_REST))
    u = np.full_like(x, FINER[0])
    for coefficient in FINER[1:]:
        u = fma32(u, s[0], coefficient)
    t = _plus(_times(s, u), SIXTH)
    t = _plus(_product(s, t), f32(0.5))
    t = _sum(s, _product(_square(s), t))
    high = add32(np.ones_like(x), t[0])
    t = high, add32(add32(f32(1) - high, t[0]), t[1])
    gone, power = x < VANISHES, _power(q)
    high, low = (np.where(gone, f32(0), np.ldexp(part, power)) for part in t)
    return high, low


def _plus(a: Pair, b: Array) -> Pair:
    s = add32(a[0], b)
    v = s - a[0]
    return s, ((a[0] - (s - v)) + (b - v)) + a[1]


def _sum(a: Pair, b: Pair) -> Pair:
    s = add32(a[0], b[0])
    v = s - a[0]
    return s, ((a[0] - (s - v)) + (b[0] - v)) + (a[1] + b[1])


def _ordered_sum(a: Pair, b: Pair) -> Pair:
    """a + b where a is not the smaller one."""
    s = add32(a[0], b[0])
    return s, (((a[0] - s) + b[0]) + a[1]) + b[1]


def _times(a: Pair, b: Array) -> Pair:
    s = mul32(a[0], b)
    return s, fma32(a[1], b, fma32(a[0], b, -s))


def _product(a: Pair, b: Pair) -> Pair:
    s = mul32(a[0], b[0])
    return s, fma32(a[0], b[1], fma32(a[1], b[0], fma32(a[0], b[0], -s)))


def _square(a: Pair) -> Pair:
    s = mul32(a[0], a[0])
    return s, fma32(a[0] + a[0], a[1], fma32(a[0], a[0], -s))


def _reciprocal(a: Pair) -> Pair:
    s = f32(1) / a[0]
    return s, s * fma32(-a[1], s, fma32(-a[0], s, f32(1)))


def _quotient(a: Pair, b: Pair) -> Pair:
    t = f32(1) / b[0]
    s = mul32(a[0], t)
    u = fma32(t, a[0], -s)
    v = fma32(-b[1], t, fma32(-b[0], t, f32(1)))
    return s, fma32(s, v, fma32(a[1], t, u))
