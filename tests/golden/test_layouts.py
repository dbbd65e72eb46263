"""The same numbers lying otherwise are recognized, and are not called differences."""

from dataclasses import replace

import numpy as np
import pytest

from qdbg import golden
from qdbg.core.quantity import QParams
from qdbg.errors import GoldenError
from tests.golden.conftest import captured, image_recording, only
from tests.synthetic import recording as classifier

FC1, CONV = "fc1:linear", "block.0.conv:conv2d"


def nhwc(array):
    return array.transpose(0, 2, 3, 1)


VALUES = {
    "as int8 bytes": lambda q, node: q.view(np.int8),
    "128 lower than PyTorch's": lambda q, node: q.astype(np.int32) - 128,
    "128 higher than PyTorch's": lambda q, node: q.astype(np.int32) + 128,
    "as int8 bytes, 128 lower than PyTorch's": lambda q, node: q ^ 128,
    "with the bytes of each number reversed": lambda q, node: q.astype(np.int16).byteswap(),
    "as real values, scale·(q − zero point)": lambda q, node: np.round(
        (q.astype(float) - int(node.output.zero_point)) * float(node.output.scale), 4
    ),
    "in reversed order": lambda q, node: q.reshape(-1)[::-1].copy(),
    "with the bytes reversed in words of 4": lambda q, node: q.reshape(-1, 4)[:, ::-1].copy(),
}
ORDERS = {
    "NHWC": nhwc,
    "NCWH": lambda q: q.transpose(0, 1, 3, 2),
    "NWHC": lambda q: q.transpose(0, 3, 2, 1),
}
CHANGES = {
    "whole": lambda a: a,
    "without the batch": lambda a: a[0],
    "flat": lambda a: a.reshape(-1),
    "rows of pixels": lambda a: a.reshape(-1, a.shape[-1]),
}


@pytest.fixture
def read(tmp_path):
    """The column of one dumped array, and how many of its numbers differ."""

    def run(recording, name, array):
        np.savez(tmp_path / "a.npz", **{name: array})
        found = golden.load(tmp_path / "a.npz", recording)
        return only(found)[1], found.differences

    return run


def test_half_precision_holds_bytes_too(read, small):
    column, differences = read(small, FC1, captured(small, FC1).astype(np.float16))
    assert (column.layout, differences) == (None, 0)


@pytest.mark.parametrize("layout", VALUES)
@pytest.mark.parametrize("name", [FC1, CONV])
def test_numbers_that_mean_the_same(layout, name, read, small, image):
    recording = small if name == FC1 else image
    q = captured(recording, name)
    node = next(n for n in recording.program.nodes if n.name == name)
    array = VALUES[layout](q, node)
    if "reverse" in layout and "number" not in layout:
        array = array.reshape(-1)
    column, differences = read(recording, name, array)
    assert (column.layout, differences) == (layout, 0)
    assert np.array_equal(column.values, q)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("layout", ORDERS)
def test_other_orders_of_the_axes(layout, change, read, image):
    q = captured(image, CONV)
    column, differences = read(image, CONV, CHANGES[change](ORDERS[layout](q)))
    assert (column.layout, differences) == (layout, 0)
    assert np.array_equal(column.values, q)


def test_a_transposed_table(read):
    batch = classifier(rows=5)
    column, differences = read(batch, FC1, captured(batch, FC1).T)
    assert (column.layout, differences) == ("transposed", 0)


def test_signed_and_in_another_order(read, image):
    array = nhwc(captured(image, CONV)).view(np.int8)
    column, differences = read(image, CONV, array)
    assert (column.layout, differences) == ("as int8 bytes, NHWC", 0)


def test_less_the_zero_point(read, image):
    q = captured(image, CONV).astype(np.int32)
    assert read(image, CONV, q - 120)[0].layout == "less the zero point 120"


def test_every_reading_is_undone_for_qint8(read, small):
    params = QParams.per_tensor(0.1, -3, "qint8")
    node = replace(small.program.nodes[1], dtype="qint8", output=params)
    values = (small.values[1].astype(np.int16) - 128).astype(np.int8)
    program = replace(small.program, nodes=(node,))
    signed = replace(small, program=program, values=(values,))
    assert read(signed, FC1, values.view(np.uint8))[0].layout == "as uint8 bytes"
    assert read(signed, FC1, values.astype(int) + 128)[0].layout == "128 higher than PyTorch's"
    assert read(signed, FC1, values.astype(int) + 3)[0].layout == "less the zero point -3"


def test_float32_results_in_another_order_of_bytes(read, small):
    real = captured(small, "dequant:dequantize")
    column, differences = read(small, "dequant", real.byteswap())
    assert (column.layout, differences) == ("with the bytes of each number reversed", 0)
    assert read(small, "dequant", real[:, ::-1].copy())[0].layout == "in reversed order"


# --------------------------------------------------------------------- orders and their names


@pytest.fixture(scope="module")
def features_last(image):
    """The same numbers, [1, 5, 7, 3], as the results of ops that mean other things by the axes."""
    q = np.random.default_rng(5).integers(0, 256, (1, 5, 7, 3)).astype(np.uint8)
    nodes = tuple(
        replace(image.program.nodes[1], name=f"a:{op}", op=op, inputs=(i - 1,), shape=q.shape)
        for i, op in enumerate(("linear", "conv2d", "relu", "permute"))
    )
    program = replace(image.program, nodes=nodes)
    return replace(image, program=program, values=(q,) * len(nodes))


LAST = "with the axes in the order 0, 3, 1, 2"
FLAT = "the flat order in the shape [1, 7, 5, 3]"


@pytest.mark.parametrize(
    "change", [lambda q: q.transpose(0, 3, 1, 2), lambda q: q.reshape(35, 3).T]
)
def test_axes_without_a_meaning_are_named_by_their_numbers(change, read, features_last):
    q = captured(features_last, "a:linear")
    for op, layout in (("linear", LAST), ("permute", LAST), ("conv2d", "NWCH"), ("relu", "NWCH")):
        column, differences = read(features_last, f"a:{op}", change(q))
        assert (column.layout, differences) == (layout, 0)


@pytest.mark.parametrize("wrong", [0, 3])
def test_the_flat_order_in_another_shape_is_no_other_order_of_the_axes(wrong, read, features_last):
    q = captured(features_last, "a:linear").astype(np.int32)
    q.reshape(-1)[:wrong] += 1
    column, differences = read(features_last, "a:linear", q.reshape(1, 7, 5, 3))
    assert (column.layout, column.laid.known, differences) == (FLAT, True, wrong)
    assert np.array_equal(column.values, q)


def test_of_a_shape_that_says_nothing_the_order_with_fewer_differences_is_read(read, features_last):
    q = captured(features_last, "a:linear").astype(np.int32)
    q[0, :4] += 300
    column, differences = read(features_last, "a:linear", q.transpose(0, 3, 1, 2))
    assert (column.layout, differences) == (LAST, 84)


@pytest.mark.parametrize("layout", ["NHWC", "NCWH", "NWHC", "in reversed order"])
def test_only_a_layout_of_memory_leaves_every_number_in_its_place(layout, read, image):
    q = captured(image, CONV)
    array = ORDERS[layout](q) if layout in ORDERS else q.reshape(-1)[::-1]
    laid = read(image, CONV, array)[0].laid
    assert (laid.order, laid.known) == (layout, layout == "NHWC")
    plainly = np.ascontiguousarray(array).reshape(-1) != q.reshape(-1)
    assert laid.stood == (0 if laid.known else np.count_nonzero(plainly))


def under_pytorchs_shape(q):
    return nhwc(q).reshape(q.shape)


@pytest.mark.parametrize("wrong", [0, 2])
def test_channels_last_under_a_shape_that_has_them_first_are_read_and_not_in_place(
    wrong, read, image
):
    q = captured(image, CONV).astype(np.int32)
    q[0, :wrong, 1, 1] += 300
    column, differences = read(image, CONV, under_pytorchs_shape(q))
    assert differences == wrong
    assert (column.layout, column.laid.known) == ("NHWC under the shape [1, 4, 3, 4]", False)
    assert column.laid.stood == np.count_nonzero(under_pytorchs_shape(q) != captured(image, CONV))
    assert np.array_equal(column.values, q)


# --------------------------------------------------------------- differences beside a layout


def test_a_plain_dump_with_differences_stays_plain(read, small, image):
    for recording, name in ((small, FC1), (image, CONV)):
        q = captured(recording, name).astype(np.int32)
        wrong = q + (np.arange(q.size).reshape(q.shape) % 3 == 0)
        column, differences = read(recording, name, wrong)
        assert (column.layout, differences) == (None, (q.size + 2) // 3)


def test_wholly_other_numbers_are_read_as_they_stand(read, image):
    q = captured(image, CONV)
    other = captured(image_recording(seed=7), CONV)
    column, differences = read(image, CONV, other)
    assert column.layout is None
    assert differences == np.count_nonzero(other != q)


@pytest.mark.parametrize("layout", ["128 lower than PyTorch's", "NHWC"])
def test_a_layout_with_few_differences_is_named_and_they_are_counted(layout, read, image):
    q = captured(image, CONV).astype(np.int32)
    q[0, 1, 2, 3] += 5
    q[0, 2, 0, 0] -= 1
    array = nhwc(q).reshape(q.shape) if layout == "NHWC" else q - 128
    flat = array.reshape(-1) if layout == "NHWC" else array
    column, differences = read(image, CONV, flat)
    assert (column.layout, differences) == (layout, 2)
    assert np.array_equal(column.values, q)


def test_a_shape_that_is_only_another_order_is_read_so_however_much_differs(read, image):
    q = captured(image, CONV)
    wrong = (q.astype(np.int32) + 1) % 256
    column, differences = read(image, CONV, nhwc(wrong))
    assert (column.layout, differences) == ("NHWC", q.size)
    assert np.array_equal(column.values, wrong)


def test_of_three_numbers_one_alone_is_no_layout(read, small):
    q = captured(small, "fc2:linear").astype(np.int32)
    column, differences = read(small, "fc2", q - [[128, 127, 127]])
    assert (column.layout, differences) == (None, 3)


def test_real_values_between_the_steps_are_refused(read, small):
    q = captured(small, FC1).astype(float)
    scale = float(small.program.nodes[1].output.scale)
    with pytest.raises(GoldenError, match=r"expected integers, for fc1:linear is quint8"):
        read(small, FC1, (q - 127.7) * scale)


@pytest.mark.parametrize("seed", range(5))
def test_chance_makes_no_layout(seed, read, image):
    """Random numbers are nobody's layout."""
    q = captured(image, CONV)
    noise = np.random.default_rng(seed).integers(0, 256, q.shape).astype(np.uint8)
    assert read(image, CONV, noise)[0].layout is None
