"""A mistake in a golden model is named, and nothing else is."""

import numpy as np
import pytest

from qdbg.assumptions import registry
from tests.assumptions.drawn import ENGINES, Trial
from tests.assumptions.golden import IDS
from tests.assumptions.trials import (
    KINDS,
    golden,
    named,
    possible,
    proofs,
    run,
    trials,
)

ENOUGH, MOST = 5, 150
"""How many layers that differ are diagnosed for each mistake, and how many are drawn at most."""
CASES = [
    Trial(kind, arithmetic, relu, mistake)
    for mistake in IDS
    for i, kind in enumerate(KINDS)
    for j, arithmetic in enumerate(ENGINES)
    for relu in (False, True)
    if (i + j) % 2 == relu and possible(Trial(kind, arithmetic, relu, mistake))
]


@pytest.mark.parametrize("mistake", IDS)
def test_the_true_cause_is_always_in_the_answer(mistake):
    own = [trial for trial in CASES if trial.mistake == mistake]
    differed, seed = 0, 0
    while differed < ENOUGH and seed < MOST:
        result = run(own[seed % len(own)], seed)
        seed += 1
        if result is not None:
            found, causes = result
            if not differed:
                assert all(proofs(own[(seed - 1) % len(own)], seed - 1))
            differed += 1
            assert (IDS[mistake],) in named(found.causes), (own[seed % len(own)], seed)
            assert (IDS[mistake],) in named(causes), (own[seed % len(own)], seed)
    assert differed


def test_one_mistake_is_named_uniquely_in_19_of_20_layers():
    unique, differed = 0, 0
    for trial, seed in trials(120, 7):
        result = run(trial, seed)
        if result is not None:
            differed += 1
            unique += named(result[1]) == {(IDS[trial.mistake],)}
    assert differed > 60
    assert unique >= 0.95 * differed


def test_two_mistakes_are_named_together():
    found, causes = run(Trial("linear", "fbgemm-avx2", False, "before-relu+pair-saturation"), 3)
    assert ("captured-before-relu", "pair-saturation") in named(found.causes)
    assert all(len(verdict.changes) == 2 for verdict in causes)


def test_what_nothing_explains_is_unexplained():
    def noise(p, trial):
        random = np.random.default_rng(0)
        return golden(p, trial, "") + random.integers(-3, 4, golden(p, trial, "").shape)

    found, causes = run(Trial("linear", "fbgemm-avx2", False, ""), 5, target=noise)
    assert not found.explained
    assert not causes
    assert found.tried[0].left > 0


def test_every_hypothesis_says_what_it_changes_where_it_is_known_from_and_what_to_do():
    for hypothesis in registry().values():
        assert hypothesis.title
        assert hypothesis.source
        assert hypothesis.advice
        assert len(hypothesis.title) < 90
