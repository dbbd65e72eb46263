"""What the README says of the session that it opens is so."""

import re
from pathlib import Path

import numpy as np

from qdbg.session import load

ROOT = Path(__file__).parents[1]


def test_the_mystery_differs_by_as_much_and_in_as_many_channels_as_it_says():
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    low, high = map(
        int, re.search(r"by (\d+) to (\d+) units in half of the channels", text).groups()
    )
    debugger = load(ROOT / "sessions" / "mystery.qdbg").debugger()
    debugger.execute("arithmetic textbook")
    debugger.execute("continue")
    step = debugger.step
    sizes = np.abs(step.delta[step.different])
    assert (sizes.min(), sizes.max()) == (low, high)
    assert 2 * step.differences == step.size
