"""A set of samples by several children of PyTorch: the same runs as by one."""

import numpy as np
import pytest

from qdbg.capture import Request
from qdbg.errors import CaptureError
from qdbg.headless import recording
from qdbg.headless.recording import Told, recorded, shares_of
from qdbg.samples import Sample
from qdbg.sets import sample_set
from tests.headless.conftest import MODEL


def asked(values, batch=1):
    return Request(MODEL, None, False, "fbgemm", "avx2", Sample("s", values, ""), batch=batch)


@pytest.mark.parametrize(
    ("samples", "batch", "limit", "wanted"),
    [
        (150, 1, 2, [(0, 150)]),
        (511, 1, 2, [(0, 511)]),
        (512, 1, 2, [(0, 256), (256, 512)]),
        (1797, 1, 1, [(0, 1797)]),
        (1797, 1, 2, [(0, 898), (898, 1797)]),
        (1797, 3, 2, [(0, 897), (897, 1797)]),
        (1797, 8, 2, [(0, 1797)]),
    ],
)
def test_shares_are_whole_batches_and_none_is_small(samples, batch, limit, wanted):
    assert shares_of(samples, batch, limit) == wanted


def test_two_children_record_what_one_does(monkeypatch):
    monkeypatch.setattr(recording, "WORTH", 2)
    values = sample_set("iris").values[48:55]
    runs = [recorded(asked(values, 2), lambda words: None, jobs) for jobs in (1, 2)]
    assert [len(each) for each in runs] == [2, 3]  # the last batch has one sample
    single, double = ([each for part in found for each in alone(part)] for found in runs)
    assert [start for start, *_ in double] == [0, 2, 4, 6]
    assert single == double


def alone(runs):
    """Of each run where it begins, and all of its numbers."""
    for run, start in enumerate(runs.samples.tolist()):
        own = runs.recording(run)
        yield start, own.input.tobytes(), [value.tobytes() for value in own.values]


def test_the_first_child_that_fails_says_why(monkeypatch):
    monkeypatch.setattr(recording, "WORTH", 1)
    with pytest.raises(CaptureError, match="layer fc1 is given a value of shape"):
        recorded(asked(np.zeros((3, 5), np.float32)), lambda words: None, 2)


def test_what_children_tell_adds_up():
    heard = []
    told = Told([(0, 10), (10, 20)], heard.append)
    for number, words in [
        *((0, "importing torch"), (0, "running sample 1 of 20"), (1, "importing torch")),
        *((1, "running sample 11 of 20"), (0, "running sample 2 of 20")),
    ]:
        told.hear(number, words)
    assert heard == ["importing torch", *(f"running sample {n} of 20" for n in (1, 2, 3))]
