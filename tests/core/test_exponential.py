"""Exponentials as PyTorch's vector library gives them, to the last bit."""

import numpy as np
import pytest

from qdbg.core.arithmetic import exp32, expm1_32, tanh32
from qdbg.core.exponential import FEW, exp_vector, expm1_vector, tanh_vector, within

OFF_BY_ONE = [
    (exp_vector, exp32, "-0x1.9b18e4p+3", "0x1.619b54p-19"),
    (exp_vector, exp32, "-0x1.2513fcp-1", "0x1.20d988p-1"),
    (exp_vector, exp32, "-0x1.133446p-2", "0x1.87566cp-1"),
    (expm1_vector, expm1_32, "-0x1.0e2a1ep+4", "-0x1p+0"),
    (expm1_vector, expm1_32, "-0x1.0654fcp-1", "-0x1.9a8be0p-2"),
    (expm1_vector, expm1_32, "0x1.0beb36p-3", "0x1.1e3bb0p-3"),
    (tanh_vector, tanh32, "-0x1.1abaf4p+3", "-0x1p+0"),
    (tanh_vector, tanh32, "0x1.09bfbcp-2", "0x1.03f074p-2"),
    (tanh_vector, tanh32, "-0x1.a7f860p-4", "-0x1.a67668p-4"),
]
"""What the library gave where it is not the nearest float32."""


@pytest.mark.parametrize(("vector", "rounded", "x", "given"), OFF_BY_ONE)
def test_the_vector_functions_err_where_the_library_does(vector, rounded, x, given):
    at = np.array([float.fromhex(x)], np.float32)
    assert float(vector(at)[0]) == float.fromhex(given)
    assert float(rounded(at)[0]) != float.fromhex(given)


@pytest.mark.parametrize(
    ("vector", "exact"), [(exp_vector, np.exp), (expm1_vector, np.expm1), (tanh_vector, np.tanh)]
)
def test_the_vector_functions_are_right_to_one_unit_in_the_last_place(vector, exact):
    x = np.linspace(-80, 80, 20 * FEW, dtype=np.float32)
    low, high = within(exact(x.astype(np.float64)), 1.001)
    found = vector(x)
    assert np.all((low <= found) & (found <= high))


@pytest.mark.parametrize(
    ("vector", "expected"),
    [
        (exp_vector, [1, np.inf, 0, np.nan]),
        (expm1_vector, [0, np.inf, -1, np.nan]),
        (tanh_vector, [0, 1, -1, np.nan]),
    ],
)
def test_the_vector_functions_at_their_ends(vector, expected):
    x = np.array([0, np.inf, -np.inf, np.nan], np.float32)
    np.testing.assert_array_equal(vector(x), np.array(expected, np.float32))


def test_equal_numbers_are_looked_up():
    x = np.tile(np.linspace(-3, 3, 40, dtype=np.float32), (FEW, 1))
    assert np.array_equal(tanh_vector(x), np.tile(tanh_vector(x[0]), (FEW, 1)))


def test_a_bound_of_half_a_unit_leaves_one_candidate():
    low, high = within(np.array([1 / 3]), 0.5)
    assert low == high == np.float32(1 / 3)


def test_a_bound_of_more_leaves_several():
    low, high = within(np.array([1 / 3]), 1.5)
    assert low < np.float32(1 / 3) < high
