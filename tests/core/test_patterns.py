"""What is said of differences that nothing explains is true of them."""

import numpy as np
import pytest

from qdbg.engine.patterns import patterns


def change(shape, *places, by=1):
    found = np.zeros(shape, np.int64)
    for place in places:
        found[place] = by
    return found


def test_nothing_is_said_of_no_difference():
    assert patterns(change((2, 3))) == ()


def test_few_channels_are_named():
    text = patterns(change((4, 16), (slice(None), 3), (slice(None), 7), by=-2))
    assert "where: only channels 3, 7 of 16" in text
    assert "sign: always below PyTorch's" in text
    assert "how large: 8 by 2" in text


def test_every_second_channel_is_a_pattern():
    text = patterns(change((2, 32), (slice(None), slice(1, None, 2))))
    assert "where: only every second channel from 1 on, of 32" in text


def test_the_border_points_to_the_padding():
    image = np.zeros((1, 4, 5, 5), np.int64)
    image[:, :, 0] = 3
    image[:, :, :, -1] = -3
    text = " ".join(patterns(image))
    assert "only at the border" in text
    assert "above" in text


@pytest.mark.parametrize("places", [[(0, 1, 0, 0)], [(0, 1, 0, 0), (0, 1, 4, 4)]])
def test_one_or_two_differences_are_no_pattern(places):
    text = patterns(change((1, 4, 5, 5), *places, by=3))
    assert text == (f"how large: {len(places)} by 3", "sign: above PyTorch's")


def test_a_single_channel_is_told_as_one():
    text = patterns(change((1, 4, 5, 5), (0, 2), by=3))
    assert "where: only channel 2 of 4" in text
    assert "sign: always above PyTorch's" in text


def test_differences_behind_the_last_block_are_told():
    text = patterns(change((1, 100), (0, slice(64, None, 5))))
    assert any("block of 64" in words for words in text)


def test_a_difference_everywhere_names_no_place():
    assert not any(words.startswith("where") for words in patterns(np.ones((3, 5), np.int64)))
