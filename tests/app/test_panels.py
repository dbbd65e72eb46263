"""What is shown of an element is there for every op, engine and shape that the self-test draws."""

import json

import pytest

from tests.forked import printed


@pytest.mark.parametrize("engine", ["fbgemm", "onednn"])
def test_each_panel_has_its_words_for_the_elements_of_every_op(engine):
    assert json.loads(printed("avx2", "tests.app.panels", engine, 1)) == {}
