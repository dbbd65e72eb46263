"""Axes have letters where PyTorch's ops give them a meaning, and numbers elsewhere."""

import pytest

from qdbg.core.program import INPUT, Node
from qdbg.golden.meanings import meanings

IMAGE = (1, 4, 6, 6)


def chain(*steps):
    """What the axes mean in a chain of ops; each step is an op or an op and its result's shape."""
    pairs = [(step, IMAGE) if isinstance(step, str) else step for step in steps]
    nodes = [
        Node(f"{i}:{op}", op, "", None, (i - 1 if i else INPUT,), shape, "quint8", None)
        for i, (op, shape) in enumerate(pairs)
    ]
    return meanings(nodes)


def test_what_leads_to_a_convolution_and_what_follows_is_an_image():
    found = chain("quantize", "relu", "conv2d_relu", "add_scalar", "max_pool2d", "dequantize")
    assert found == ("NCHW",) * 6


def test_a_linear_and_a_permuted_image_have_no_letters():
    found = chain("quantize", "conv2d", "permute", "linear", "relu", "dequantize")
    assert found == ("NCHW", "NCHW", "", "", "", "")


def test_where_nothing_is_an_image_there_are_no_letters():
    assert chain("quantize", "linear", "dequantize") == ("",) * 3


@pytest.mark.parametrize(
    ("op", "shape", "letters"),
    [
        ("conv1d", (2, 4, 9), "NCL"),
        ("conv_transpose3d_relu", (1, 2, 3, 4, 5), "NCDHW"),
        ("upsample_nearest_exact2d", IMAGE, "NCHW"),
        ("batch_norm1d", (2, 4), ""),
        ("max_pool2d", (4, 6, 6), ""),
        ("layer_norm", IMAGE, ""),
        ("aten.unknown", IMAGE, ""),
    ],
)
def test_letters_go_by_the_op_and_the_number_of_its_axes(op, shape, letters):
    assert chain((op, shape)) == (letters,)
