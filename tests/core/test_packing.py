"""A recording as tensors and JSON data: nothing is lost, what PyTorch cannot give is refused."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from qdbg.core.container import decode, encode
from qdbg.core.packing import pack, unpack
from qdbg.core.program import Program
from qdbg.core.quantity import QParams
from qdbg.errors import SessionError
from tests import synthetic


@pytest.fixture(scope="module")
def recording():
    return synthetic.recording()


@pytest.mark.parametrize("scale", [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, 2.0**-60 * 3])
def test_scales_are_kept_as_float64(recording, scale):
    first, *rest = recording.program.nodes
    changed = replace(first, output=QParams.per_tensor(scale, 3))
    made = replace(recording, program=Program((changed, *rest), recording.program.layers))
    assert unpack(*decode(encode(*pack(made)), "x")).program.nodes[0].output.scale == scale


def test_settings_without_an_end_come_back(recording):
    node = replace(recording.program.nodes[1], settings={"max": math.inf, "pads": (-math.inf, 1)})
    layer = replace(recording.program.layers["fc1"], settings={"slope": math.nan})
    nodes = [recording.program.nodes[0], node, *recording.program.nodes[2:]]
    program = Program(tuple(nodes), {**recording.program.layers, "fc1": layer})
    found = unpack(*decode(encode(*pack(replace(recording, program=program))), "a file")).program
    assert found.nodes[1].settings == {"max": math.inf, "pads": [-math.inf, 1]}
    assert math.isnan(found.layers["fc1"].settings["slope"])


def edit(path, value):
    def change(tensors, metadata):
        *parents, last = path
        target = metadata
        for key in parents:
            target = target[key]
        target[last] = value

    return change


def swap(key, value):
    def change(tensors, metadata):
        tensors[key] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (edit(("nodes", 1, "inputs"), [1]), "did not run before it"),
        (edit(("nodes", 1, "inputs"), [-3]), "did not run before it"),
        (edit(("nodes", 1, "inputs"), [0.5]), "not whole numbers"),
        (edit(("nodes", 1, "name"), "quant:quantize"), "quant:quantize"),
        (edit(("nodes", 1, "output", "scale"), 0.0), "not a positive number"),
        (edit(("nodes", 1, "output", "scale"), "1"), "no readable scale"),
        (edit(("nodes", 1, "output", "zero_point"), 256), "zero point outside 0 to 255"),
        (edit(("nodes", 1, "output", "zero_point"), 2**99), "zero point outside"),
        (edit(("nodes", 1, "output", "dtype"), "quint4x2"), "unknown type"),
        (edit(("nodes", 1, "dtype"), "float32"), "parameters say otherwise"),
        (edit(("nodes", 1, "shape"), [1, 15]), "have the shape"),
        (edit(("nodes", 1, "source"), 5), "source line"),
        (edit(("nodes",), None), "nodes are missing"),
        (edit(("nodes", 0), 7), "another form"),
        (edit(("environment", "engine"), "tpu"), "engine 'tpu'"),
        (edit(("environment", "cpu"), "sse"), "level 'sse'"),
        (edit(("environment", "kernel"), "?"), "kernel"),
        (edit(("environment", "unperturbed"), 1), "not stated"),
        (edit(("layers", 2, "weight", "axis"), 5), "scales for the shape"),
        (edit(("layers", 2, "weight", "channels"), "x"), "missing"),
        (edit(("layers", 2, "settings"), []), "another form"),
        (edit(("layers", 2, "settings"), {"slope": {"float": "0x1"}}), "cannot be read"),
        (edit(("layers", 2, "settings"), {"slope": {"float": ["nan"]}}), "cannot be read"),
        (swap("input", np.ones(3)), "not float32"),
        (swap("value/fc1:linear", np.ones((1, 16), np.int8)), "are int8"),
        (swap("weight/fc1", np.ones((16, 4), np.uint8)), "are uint8"),
        (swap("bias/fc1", np.ones(16)), "not float32"),
        (swap("bias/fc1", np.ones(15, np.float32)), "another size"),
        (swap("scale/weight/fc1", np.full(16, np.nan)), "not a positive number"),
        (swap("scale/weight/fc1", np.ones(15)), "another form"),
    ],
)
def test_numbers_that_cannot_come_from_pytorch_are_refused(recording, change, words):
    tensors, metadata = pack(recording)
    tensors, metadata = dict(tensors), json.loads(json.dumps(metadata))
    change(tensors, metadata)
    with pytest.raises(SessionError) as caught:
        unpack(tensors, metadata)
    assert words in caught.value.found
