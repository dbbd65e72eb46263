"""Numbers posted in PyTorch's issues and forum come out of PyTorch and of qdbg alike."""

import json
from functools import cache

import numpy as np
import pytest

from qdbg.capture.level import machine_level
from qdbg.names import ENGINES, LEVELS
from tests.forked import printed
from tests.oracle.posted import CASES, zero_padding

REACHED = LEVELS[: LEVELS.index(machine_level()) + 1]
ACROSS = {"44939", "50720 conv2d", "126521"}
"""The pair that is cut off lies across two positions of the kernel: oneDNN does not make it."""
ONE_CHANNEL = {"44939", "50720 conv2d"}
"""Whether oneDNN does so on AVX-512 without VNNI too depends on what it finds profitable."""


@cache
def all_found(level):
    """By engine what the script prints."""
    return json.loads(printed(level, "tests.oracle.public", level, *ENGINES))


def found(engine, level):
    return all_found(level)[engine]


def reached(level):
    if level not in REACHED:
        pytest.skip(f"this machine has no {level}")


@pytest.mark.parametrize("thread", CASES)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_posted_numbers(engine, level, thread):
    reached(level)
    across = engine == "onednn" and thread in ACROSS
    pairs = engine != "qnnpack" and level != "vnni" and not across
    integers, status, differences = found(engine, level)[thread]
    assert integers == CASES[thread]().gives(qnnpack=engine == "qnnpack", pairs=pairs)
    refused = engine == "onednn" and level == "avx512" and thread in ONE_CHANNEL
    assert (status, differences) == ("not simulated" if refused else "equal", 0)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_converted_model_is_not_the_trained_one_and_is_simulated(engine, level):
    """pytorch#88800: of 3072 results 4 move where the bias is rounded and 155 where pairs are cut
    off, since QNNPACK's settings leave all 8 bits to the inputs."""
    reached(level)
    _, status, differences, moved = found(engine, level)["converted"]
    assert (status, differences) == ("equal", 0)
    pairs = 0 if level == "vnni" else 155
    assert moved == (4 if engine == "qnnpack" else pairs)


def test_a_conversion_can_give_the_weights_another_scale():
    """forum 202854 prints these two numbers."""
    assert found("qnnpack", "avx2")["weight"] == [-2.000202178955078, -2.0080461502075195]


@pytest.mark.parametrize("thread", CASES)
def test_each_mistake_explains_a_difference(thread):
    posted = CASES[thread]()
    given = [posted.gives(qnnpack=q, pairs=p) for q, p in ((0, 0), (0, 1), (1, 0))]
    differs = any(integers != np.ravel(posted.by_hand).tolist() for integers in given)
    assert differs == bool(posted.mistake)


def test_padding_with_the_byte_0_is_wrong_at_the_border_alone():
    posted = zero_padding()
    inner = (slice(1, -1), slice(1, -1))
    assert np.array_equal(posted.by_hand[inner], posted.whole[inner])
    assert not np.array_equal(posted.by_hand, posted.whole)
