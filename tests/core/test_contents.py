"""Files hold the same numbers once, and images in the order of their memory."""

from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy

from qdbg.core import container, contents
from qdbg.core.container import decode, encode, read, write
from qdbg.errors import SessionError

REPEATING = {
    "a": np.arange(5000, dtype=np.uint8).reshape(50, 100),
    "b": np.zeros(5000, np.uint8).reshape(50, 100),
    "c": np.arange(5000, dtype=np.uint8).reshape(50, 100),
    "d": np.arange(5000, dtype=np.uint8).reshape(100, 50),
    "e": np.arange(5000, dtype=np.uint8).view(np.int8).reshape(50, 100),
    "f": np.arange(5000, dtype=np.uint8).reshape(50, 100),
    "small": np.zeros(3, np.uint8),
    "small too": np.zeros(3, np.uint8),
}


@pytest.mark.parametrize("mapped", [False, True])
def test_large_numbers_that_occur_twice_are_held_once(tmp_path, monkeypatch, mapped):
    """Only those of the same type and shape."""
    monkeypatch.setattr(container, "MAPPED", 0 if mapped else 2**30)
    path = tmp_path / "s.qdbg"
    write(path, REPEATING, {"a": 1})
    assert path.read_bytes() == encode(REPEATING, {"a": 1})
    assert set(safetensors.numpy.load_file(path)) == set(REPEATING) - {"c", "f"}
    tensors, metadata = read(path)
    assert metadata == {"a": 1}
    assert set(tensors) == set(REPEATING)
    for name, held in REPEATING.items():
        found = tensors[name]
        assert (found.dtype, found.shape) == (held.dtype, held.shape)
        assert found.tobytes() == held.tobytes()
        assert not found.flags.writeable


def image(shape, order):
    """Bytes whose axes lie in memory in this order."""
    numbers = np.random.default_rng(0).integers(0, 256, np.prod(shape)).astype(np.uint8)
    laid = numbers.reshape([shape[axis] for axis in order])
    return laid.transpose(np.argsort(order))


IMAGES = {
    "channels last": image((2, 16, 12, 14), (0, 2, 3, 1)),
    "passed on": image((2, 16, 12, 14), (0, 2, 3, 1)),
    "row-major": image((2, 16, 12, 14), (0, 1, 2, 3)),
    "turned": image((90, 60), (1, 0)),
    "small": image((1, 3, 2, 2), (0, 2, 3, 1)),
    "with gaps": image((40, 40, 6, 6), (3, 0, 2, 1))[:, ::2],
}


@pytest.mark.parametrize("mapped", [False, True])
def test_images_keep_the_order_of_their_memory(tmp_path, monkeypatch, mapped):
    monkeypatch.setattr(container, "MAPPED", 0 if mapped else 2**30)
    path = tmp_path / "s.qdbg"
    write(path, IMAGES, {})
    assert path.read_bytes() == encode(IMAGES, {})
    assert set(safetensors.numpy.load_file(path)) == set(IMAGES) - {"passed on"}
    found = read(path)[0]
    for name, held in IMAGES.items():
        assert np.array_equal(found[name], held)
        assert not found[name].flags.writeable
    for name in ("channels last", "passed on", "row-major", "turned"):
        assert found[name].strides == IMAGES[name].strides
    assert found["with gaps"].flags.c_contiguous


ORDERS = [
    ["channels last"],
    {"channels last": [0, 1, 2]},
    {"channels last": [0, 1, 2, 2]},
    {"channels last": [0, 1, 2, 4]},
    {"channels last": [0, 1, 2, -1]},
    {"channels last": [0, 1, 2, True]},
    {"channels last": [0, 1, 2, 3.0]},
    {"channels last": 3},
    {"channels last": {"0": 1}},
    {"elsewhere": [0, 1]},
]


@pytest.mark.parametrize("orders", ORDERS)
def test_an_order_of_axes_that_fits_no_array_is_refused(monkeypatch, orders):
    held = {"channels last": IMAGES["channels last"]}
    right = contents.Contents.of(held)
    wrong = replace(right, orders=orders)
    monkeypatch.setattr(container.Contents, "of", lambda tensors: wrong)
    data = encode(held, {})
    monkeypatch.undo()
    with pytest.raises(SessionError, match=r"damaged: it(s| tells the) order of"):
        decode(data, "x")


def test_a_file_has_the_lowest_version_that_says_all():
    data = encode({"a": REPEATING["a"], "b": REPEATING["b"]}, {})
    assert b'\\"version\\": 1' in data
    assert b'\\"version\\": 2' in encode(REPEATING, {})
    assert b'\\"version\\": 3' in encode(IMAGES, {})
    assert b'\\"version\\": 1' in encode({"small": IMAGES["small"]}, {})


@pytest.mark.parametrize("same", [["c"], {"c": "z"}, {"a": "b"}, {"c": 3}, {"c": "c"}])
def test_a_description_that_leaves_out_what_is_not_there_is_refused(monkeypatch, same):
    held = {name: REPEATING[name] for name in "ab"}
    wrong = replace(contents.Contents.of(held), same=same)
    monkeypatch.setattr(container.Contents, "of", lambda tensors: wrong)
    wrong = encode(held, {})
    monkeypatch.undo()
    with pytest.raises(SessionError, match="what it leaves out is not in it"):
        decode(wrong, "x")
