"""The primitives, against exact rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qdbg.core import arithmetic as a
from qdbg.core.presets import ARITHMETICS

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def float32_neighbours(value: np.float32) -> list[Fraction]:
    with np.errstate(over="ignore"):  # beyond the largest number lies infinity
        below, above = (np.nextafter(value, np.float32(end)) for end in (-np.inf, np.inf))
    around = [value, above, below]
    return [Fraction(float(v)) for v in around if np.isfinite(v)]


@given(FLOATS, FLOATS, FLOATS)
def test_fma32_rounds_once(x, y, z):
    found = a.fma32(np.float32(x), np.float32(y), np.float32(z))[()]
    exact = Fraction(x) * Fraction(y) + Fraction(z)
    if not np.isfinite(found):
        assert abs(exact) > Fraction(3.4e38)
        return
    best = min(abs(n - exact) for n in float32_neighbours(found))
    assert abs(Fraction(float(found)) - exact) == best


def test_fma32_is_not_a_product_rounded_first():
    x = np.float32(1 + 2**-12)
    found = a.fma32(x, x, np.float32(-1))
    assert found != a.f32(a.f64(a.f32(a.f64(x) * x)) - 1)


def test_fma32_breaks_a_double_rounding_tie_as_one_rounding_does():
    # 2^24 + 1 is a float32 tie; the product adds less than float64 can hold beside it
    x, y, z = np.float32(1 + 2**-23), np.float32(1.0), np.float32(2**24)
    tiny = np.float32(2**-30)
    exact_above_tie = a.fma32(tiny, tiny, a.f64(2**24 + 1))
    assert exact_above_tie == np.float32(2**24 + 2)
    assert a.fma32(x, y, z) == np.float32(2**24 + 2)


def odd(x, y, z):
    """x·y + z as `fma32` computes a doubtful element, for every element."""
    product, addend = a.f64(x) * a.f64(y), a.f64(z)
    return a.f32(a._rounded_to_odd(product, addend, np.asarray(product + addend)))


def test_fma32_gives_the_same_with_and_without_its_short_cut():
    random = np.random.default_rng(1)
    bits = random.integers(0, 2**32, (3, 100_000), dtype=np.uint32)
    anything = bits.view(np.float32)  # subnormal, infinite and NaN ones among them
    near = random.integers(1, 2**24, 30_000).astype(np.float32) * 2.0 ** random.integers(-20, 20)
    tie = near.astype(np.float64) * 2.0**-24
    for x, y, z in (anything, (near, 1.0, tie), (near, 1.0, np.nextafter(np.float32(tie), 1))):
        operands = [np.asarray(each, np.float32) for each in (x, y, z)]
        with np.errstate(all="ignore"):
            found, wanted = a.fma32(*operands), odd(*operands)
        assert np.array_equal(found.view(np.int32), wanted.view(np.int32))


@pytest.mark.parametrize(
    ("short", "wide"),
    [(a.mul32, np.multiply), (a.add32, np.add), (a.div32, np.divide)],
    ids=["mul32", "add32", "div32"],
)
def test_a_float32_operation_is_the_float64_one_rounded(short, wide):
    bits = np.random.default_rng(2).integers(0, 2**32, (2, 200_000), dtype=np.uint32)
    x, y = bits.view(np.float32)
    with np.errstate(all="ignore"):
        found, wanted = short(x, y), wide(x.astype(np.float64), y).astype(np.float32)
        exact = short(x.astype(np.float64), y.astype(np.float64))
    same = (found.view(np.int32) == wanted.view(np.int32)) | (np.isnan(found) & np.isnan(wanted))
    assert same.all()
    assert np.array_equal(exact, wanted, equal_nan=True)


@given(st.lists(st.integers(0, 255), min_size=1, max_size=400), st.integers(-128, 255))
def test_a_look_up_gives_what_the_function_gives(numbers, zero_point):
    x = np.array(numbers, np.uint8)
    for each in (x, x.view(np.int8)):
        found = a.for_each_byte(lambda q: a.f32(0.1) * a.f32(a.centred(q, zero_point)), each)
        assert np.array_equal(found, np.float32(0.1) * (each.astype(np.float32) - zero_point))


def test_rounding_goes_to_the_even_neighbour():
    assert a.rne(np.array([0.5, 1.5, 2.5, -0.5, -1.5])).tolist() == [0, 2, 2, 0, -2]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2.0**31, -(2.0**31) - 256])
def test_rne32_gives_the_instructions_answer_outside_int32(value):
    assert a.rne32(np.array([value]))[0] == -(2**31)


@given(st.integers(-(2**40), 2**40))
def test_wrap32_keeps_the_lowest_bits(value):
    assert int(a.wrap32(np.array([value]))[0]) % 2**32 == value % 2**32


def test_each_engine_and_level_has_an_arithmetic():
    levels = ("avx2", "avx512", "vnni")
    names = {f"{e}-{c}" for e in ("fbgemm", "x86", "onednn", "qnnpack") for c in levels}
    assert set(ARITHMETICS) == names | {"textbook"}


@pytest.mark.parametrize("step", [-255, -1, 0, 1, 117, 255])
def test_a_sum_through_int16_saturates_twice(step):
    edges = [e + d for e in (-(2**31), -32768, 0, 32767, 2**31 - 1) for d in range(-260, 261)]
    x = np.array([e for e in edges if -(2**31) <= e < 2**31], np.int32)
    assert np.array_equal(a.sum16(x, np.array(step)), a.sat16(a.sat16(x) + np.int32(step)))
