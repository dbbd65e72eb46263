"""A convolution with an addition can write its result over the image that it adds."""

import numpy as np
import pytest
import torch
import torch.ao.nn.intrinsic.quantized as nniq
from torch.ao.nn import quantized as nnq

from qdbg.capture.tape import Tape

pytestmark = pytest.mark.filterwarnings("ignore")  # torch announces the end of its dtypes


@pytest.fixture(autouse=True)
def onednn():
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = "onednn"
    yield
    torch.backends.quantized.engine = before


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_the_call_and_both_values_of_the_image_are_kept(memory):
    layer, relu = nniq.ConvAdd2d(2, 3, 1), nnq.LeakyReLU(1.0, 0, 0.5)
    layer.scale, layer.zero_point = 0.5, 3
    x = torch.quantize_per_tensor(torch.randn(1, 2, 2, 2), 0.1, 100, torch.quint8)
    added = torch.quantize_per_tensor(torch.full((1, 3, 2, 2), 9.0), 0.25, 7, torch.quint8)
    added = added.contiguous(memory_format=memory)
    with torch.no_grad(), Tape({"add": layer, "relu": relu}, torch.empty(0), str) as tape:
        result = layer(x, added)
        again = relu(added)
    first, second = tape.nodes
    assert [node.op for node in tape.nodes] == ["conv2d_add", "leaky_relu"]
    assert np.array_equal(tape.values[0], result.int_repr().numpy())
    assert np.array_equal(tape.values[1], again.int_repr().numpy())
    before = tape.constants[-3 - first.inputs[1]]
    assert (before.q == 43).all()  # 9 / 0.25 + 7, as it was when the call began
    written_over = memory == torch.channels_last
    assert (second.inputs == (0,)) == written_over
