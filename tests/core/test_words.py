"""A number and the word behind it agree."""

import pytest

from qdbg.core.words import counted


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 calls are"), (1, "1 call is"), (2, "2 calls are")]
)
def test_the_word_for_one_stands_behind_1_alone(number, words):
    assert counted(number, "call is", "calls are") == words
    assert counted(number, "call") == words.rpartition(" ")[0]
