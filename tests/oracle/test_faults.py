"""What the self-test can notice: each family of kernels has its wrong rules, each by its name."""

import json

import pytest

from qdbg.core.versions import RULES, arithmetics
from qdbg.selftest.faults import faults
from tests.forked import printed

LEAST = 12
FAMILIES = (
    "activations",
    "conv",
    "conv_transpose",
    "embedding",
    "functional",
    "linear",
    "linear_dynamic",
    "moves",
    "norms",
    "pools",
    "quantizing",
    "resizes",
)


@pytest.fixture(scope="module")
def families():
    """By generator; in a process of its own, for the cases need torch."""
    return json.loads(printed("avx2", "tests.oracle.families"))


def test_every_case_belongs_to_a_family_that_is_proved(families):
    assert set(families.values()) == set(FAMILIES)
    assert {fault.case for fault in faults()} <= families.keys()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_a_dozen_wrong_rules(families, family):
    rules = sorted(fault.name for fault in faults() if families[fault.case] == family)
    assert len(rules) >= LEAST, rules
    assert len(set(rules)) == len(rules), rules
    assert [rule for rule in rules if len(rule.split()) < 3] == []  # it says what is wrong


@pytest.mark.parametrize("fault", faults(), ids=lambda fault: fault.name)
def test_a_fault_changes_a_rule_somewhere_and_is_gone_afterwards(fault):
    assert any(fault.shows(each) for release in RULES for each in arithmetics(release).values())
    right = [getattr(module, name) for module, name, _ in fault.changes]
    with fault.seeded():
        wrong = [getattr(module, name) for module, name, _ in fault.changes]
    assert all(a is not b for a, b in zip(right, wrong, strict=True))
    assert [getattr(module, name) for module, name, _ in fault.changes] == right
