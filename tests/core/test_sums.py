"""Sums of products, against loops that an engineer would write."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qdbg.core import pairs as saturating
from qdbg.core import sums
from qdbg.ops._kernel import onednn_block

BYTES = st.integers(0, 255)
WEIGHTS = st.integers(-128, 127)


def naive_pairs(x, w, blocks):
    total = 0
    for start, end in blocks:
        for k in range(start, end, 2):
            pair = sum(int(x[j]) * int(w[j]) for j in range(k, min(k + 2, end)))
            total += min(max(pair, -32768), 32767)
    return total


def blocks_of(size, block):
    step = block or size
    return [(start, min(start + step, size)) for start in range(0, size, step)]


@given(st.lists(st.tuples(BYTES, WEIGHTS), min_size=1, max_size=9))
def test_saturating_pairs_equal_the_loop_that_an_engineer_would_write(products):
    x = np.array([[p[0] for p in products]], np.uint8)
    w = np.array([[p[1] for p in products]], np.int8)
    found = saturating.saturating_pair_sums(x, w, 0)[0, 0]
    assert found == naive_pairs(x[0], w[0], [(0, len(products))])


@pytest.mark.parametrize("size", [1, 255, 256, 257, 259, 511, 513, 767, 768, 769, 1153])
def test_blocked_pairs_start_anew_in_each_block(size):
    random = np.random.default_rng(size)
    x = random.integers(128, 256, (3, size)).astype(np.uint8)
    w = random.choice(np.array([127, -128], np.int8), (5, size))
    block = onednn_block(size) or size
    found = saturating.saturating_pair_sums(x, w, block)
    expected = [[naive_pairs(row, channel, blocks_of(size, block)) for channel in w] for row in x]
    assert found.tolist() == expected


@pytest.mark.parametrize(
    ("portion", "crowd", "rare"), [(1, 0, 0), (5, 0, 10**6), (13, 8, 3), (2**18, 10**6, 10**6)]
)
@pytest.mark.parametrize("seed", range(12))
def test_portions_groups_blocks_and_types_make_no_difference(
    seed, portion, crowd, rare, monkeypatch
):
    for name, value in (("PORTION", portion), ("CROWD", crowd), ("RARE", rare)):
        monkeypatch.setattr(saturating, name, value)
    random = np.random.default_rng(seed)
    groups, each, size, rows = random.integers((1, 1, 1, 1), (4, 4, 20, 9))
    x = random.integers(0, 256, (size, rows, groups)).astype(random.choice([np.uint8, np.int32]))
    x = np.moveaxis(x, 0, -1)  # k is the slowest in memory, as in windows of single channels
    w = random.choice(np.array([127, -128, 60], np.int8), (groups * each, size))
    block = int(random.choice([0, 1, 2, 3, 4]))
    pairs, cuts = saturating.saturating_pair_sums(x, w, block), saturating.cut_pairs(x, w, block)
    whole = sums.exact_sums(x, w)
    for c in range(groups * each):
        own = x[:, c // each]
        expected = [naive_pairs(row, w[c], blocks_of(size, block)) for row in own]
        assert pairs[:, c].tolist() == expected
        assert whole[:, c].tolist() == (own.astype(int) @ w[c].astype(int)).tolist()
        assert cuts[:, c][pairs[:, c] != whole[:, c]].all()


@pytest.mark.parametrize(
    ("crowd", "rare"),
    [(0, 0), (0, 10**6), (10**6, 10**6)],
    ids=["beside large bytes", "few of all pairs", "in all rows"],
)
def test_exactly_the_pairs_that_leave_int16_are_found(crowd, rare, monkeypatch):
    monkeypatch.setattr(saturating, "CROWD", crowd)
    monkeypatch.setattr(saturating, "RARE", rare)
    a, b = (each.ravel().astype(np.uint8) for each in np.mgrid[0:256, 0:256])
    w = np.array([[127, 127], [-128, -128], [1, 127], [127, -128], [64, 65], [-1, -127]], np.int8)
    exact = np.stack([a, b], axis=1).astype(int) @ w.T.astype(int)
    outside = (exact > 32767) | (exact < -32768)
    found = list(saturating.leaving_pairs(np.stack([a, b], axis=1), w, 0))
    places = np.concatenate([places for places, _ in found])
    assert sorted(places.tolist()) == np.flatnonzero(outside).tolist()
    pairs = np.concatenate([pairs for _, pairs in found])
    assert np.array_equal(pairs, exact.ravel()[places])


def test_two_bytes_that_add_up_to_255_fit_whatever_their_weights_are():
    a = np.arange(256)
    for u in (-128, 127):
        for v in (-128, 127):
            assert np.all((a * u + (255 - a) * v >= -32768) & (a * u + (255 - a) * v <= 32767))


def test_with_groups_each_channel_meets_the_inputs_of_its_group():
    random = np.random.default_rng(3)
    x = random.integers(0, 256, (2, 5, 3, 7)).astype(np.uint8)
    w = random.choice(np.array([127, -128, 5], np.int8), (6, 7))
    whole, pairs = sums.exact_sums(x, w), saturating.saturating_pair_sums(x, w, 0)
    cuts = saturating.cut_pairs(x, w, 0)
    assert whole.shape == pairs.shape == cuts.shape == (2, 5, 6)
    for c in range(6):
        own = x[:, :, c // 2].reshape(10, 7)
        assert np.array_equal(whole[..., c].ravel(), own.astype(int) @ w[c].astype(int))
        assert pairs[..., c].ravel().tolist() == [naive_pairs(r, w[c], [(0, 7)]) for r in own]
        assert np.array_equal(pairs[..., c] != whole[..., c], cuts[..., c] != 0)


@pytest.mark.parametrize("size", [1, 513, 514, 515, 1029, 70_000])
def test_sums_stay_exact_beyond_what_float32_holds(size):
    x, w = np.full((2, size), 255, np.uint8), np.full((3, size), -128, np.int8)
    x[1, ::2] = 254  # odd sums, which float32 cannot hold above 2^24
    w[1, 1::3] = 127
    expected = x.astype(np.int64) @ w.astype(np.int64).T
    assert np.array_equal(sums.exact_sums(x, w), expected)
    wide = sums.exact_sums(x.astype(np.int32) * 2**12, w.astype(np.int32))
    assert np.array_equal(wide, expected * 2**12)


@pytest.mark.parametrize("groups", [1, 3])
def test_an_empty_batch_has_empty_sums(groups):
    x, w = np.zeros((0, 5, groups, 4), np.uint8), np.full((6, 4), 127, np.int8)
    for found in (sums.exact_sums(x, w), saturating.saturating_pair_sums(x, w, 0)):
        assert found.shape == (0, 5, 6)
    assert saturating.cut_pairs(x, w, 0).shape == (0, 5, 6)


@pytest.mark.parametrize("block", [0, 2, np.array(2, np.int32)])
def test_the_sides_of_saturation_are_told_apart(block):
    x = np.full((1, 4), 255, np.uint8)
    w = np.array([[127, 127, 1, 1], [-128, -128, 1, 1], [127, 127, -128, -128], [1, 1, 1, 1]])
    assert saturating.cut_pairs(x, w.astype(np.int8), block).tolist() == [[1, -1, 2, 0]]
