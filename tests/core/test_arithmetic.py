"""The primitives, against exact rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qdbg.core import arithmetic as a
from qdbg.ops._kernel import onednn_block

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
BYTES = st.integers(0, 255)
WEIGHTS = st.integers(-128, 127)


def float32_neighbours(value: np.float32) -> list[Fraction]:
    around = [
        value,
        np.nextafter(value, np.float32(np.inf)),
        np.nextafter(value, np.float32(-np.inf)),
    ]
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


def test_rounding_goes_to_the_even_neighbour():
    assert a.rne(np.array([0.5, 1.5, 2.5, -0.5, -1.5])).tolist() == [0, 2, 2, 0, -2]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2.0**31, -(2.0**31) - 256])
def test_rne32_gives_the_instructions_answer_outside_int32(value):
    assert a.rne32(np.array([value]))[0] == -(2**31)


@given(st.integers(-(2**40), 2**40))
def test_wrap32_keeps_the_lowest_bits(value):
    assert int(a.wrap32(np.array([value]))[0]) % 2**32 == value % 2**32


def naive_pairs(x, w, blocks):
    total = 0
    for start, end in blocks:
        for k in range(start, end, 2):
            pair = sum(int(x[j]) * int(w[j]) for j in range(k, min(k + 2, end)))
            total += min(max(pair, -32768), 32767)
    return total


@given(st.lists(st.tuples(BYTES, WEIGHTS), min_size=1, max_size=9))
def test_saturating_pairs_equal_the_loop_that_an_engineer_would_write(products):
    x = np.array([[p[0] for p in products]], np.uint8)
    w = np.array([[p[1] for p in products]], np.int8)
    found = a.saturating_pair_sums(x, w, 0)[0, 0]
    assert found == naive_pairs(x[0], w[0], [(0, len(products))])


@pytest.mark.parametrize("size", [1, 255, 256, 257, 259, 511, 513, 767, 768, 769, 1153])
def test_blocked_pairs_start_anew_in_each_block(size):
    random = np.random.default_rng(size)
    x = random.integers(128, 256, (3, size)).astype(np.uint8)
    w = random.choice(np.array([127, -128], np.int8), (5, size))
    block = onednn_block(size) or size
    blocks = [(start, min(start + block, size)) for start in range(0, size, block)]
    found = a.saturating_pair_sums(x, w, block)
    expected = [[naive_pairs(row, channel, blocks) for channel in w] for row in x]
    assert found.tolist() == expected


@given(st.lists(WEIGHTS, min_size=1, max_size=7))
def test_a_channel_that_cannot_saturate_never_does(weights):
    w = np.array([weights], np.int8)
    if a.may_saturate(w, 0)[0]:
        worst = np.where(w > 0, 255, 0), np.where(w < 0, 255, 0)
        cuts = [a.cut_pairs(x.astype(np.uint8), w, 0)[0, 0] for x in worst]
        assert any(cuts)
    else:
        x = np.random.default_rng(0).integers(0, 256, (50, len(weights))).astype(np.uint8)
        assert not a.cut_pairs(x, w, 0).any()


def test_with_groups_each_channel_meets_the_inputs_of_its_group():
    random = np.random.default_rng(3)
    x = random.integers(0, 256, (2, 5, 3, 7)).astype(np.uint8)
    w = random.choice(np.array([127, -128, 5], np.int8), (6, 7))
    sums, pairs, cuts = a.exact_sums(x, w), a.saturating_pair_sums(x, w, 0), a.cut_pairs(x, w, 0)
    assert sums.shape == pairs.shape == cuts.shape == (2, 5, 6)
    for c in range(6):
        own = x[:, :, c // 2].reshape(10, 7)
        assert np.array_equal(sums[..., c].ravel(), own.astype(int) @ w[c].astype(int))
        assert pairs[..., c].ravel().tolist() == [naive_pairs(r, w[c], [(0, 7)]) for r in own]
        assert np.array_equal(pairs[..., c] != sums[..., c], cuts[..., c] != 0)


def test_the_sides_of_saturation_are_told_apart():
    x = np.full((1, 4), 255, np.uint8)
    w = np.array([[127, 127, 1, 1], [-128, -128, 1, 1], [127, 127, -128, -128], [1, 1, 1, 1]])
    assert a.cut_pairs(x, w.astype(np.int8), 0).tolist() == [[1, -1, 2, 0]]


def test_each_engine_and_level_has_an_arithmetic():
    levels = ("avx2", "avx512", "vnni")
    names = {f"{e}-{c}" for e in ("fbgemm", "x86", "onednn", "qnnpack") for c in levels}
    assert set(a.ARITHMETICS) == names | {"textbook"}
