"""Every kind of convolution goes through the file and computes the same on every engine."""

import numpy as np
import pytest
import torch
import torch.ao.nn.intrinsic.quantized as nniq
import torch.ao.nn.quantized as nnq
import torch.ao.nn.quantized.dynamic as nnqd
from torch import nn

from qdbg.capture.rebuild import rebuild
from qdbg.core import packing
from qdbg.errors import CaptureError, SessionError
from qdbg.reader import read_model
from tests.capture.kinds import filled, quint8, same, through_the_file

pytestmark = pytest.mark.filterwarnings("ignore")  # torch announces the end of its dtypes


def saved_under_fbgemm(make, path):
    """QNNPACK cannot save what it packed for three axes; a file does not depend on the engine."""
    now = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm"
    saved = make()
    torch.save(nn.Sequential(saved), path)
    weight, bias = saved.weight(), saved.bias()
    torch.backends.quantized.engine = now
    layer = read_model(path).layers["0"]
    live = type(saved)(*(getattr(saved, k) for k in ("in_channels", "out_channels", "kernel_size")))
    for name in ("stride", "padding", "dilation", "output_padding", "groups", "padding_mode"):
        setattr(live, name, getattr(saved, name))
    live.set_weight_bias(weight, bias)
    live.scale, live.zero_point = saved.scale, saved.zero_point
    return live, layer, rebuild(read_model(path))["0"]


CONVOLUTIONS = {
    "conv1d": (lambda: nnq.Conv1d(4, 6, 3, stride=2, padding=1, padding_mode="reflect"), (4, 9)),
    "conv2d": (lambda: nnq.Conv2d(4, 6, (3, 2), groups=2, padding=(1, 0), dilation=2), (4, 9, 8)),
    "depthwise": (lambda: nnq.Conv2d(4, 8, 3, groups=4), (4, 7, 7)),
    "reflected": (lambda: nnq.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"), (4, 7, 7)),
    "conv3d": (lambda: nnq.Conv3d(4, 6, 3, padding=1), (4, 5, 5, 5)),
    "conv_relu1d": (lambda: nniq.ConvReLU1d(4, 6, 3), (4, 9)),
    "conv_relu2d": (lambda: nniq.ConvReLU2d(4, 6, 3), (4, 7, 7)),
    "conv_relu3d": (lambda: nniq.ConvReLU3d(4, 6, 3), (4, 5, 5, 5)),
}
TRANSPOSED = {
    "conv_transpose1d": (lambda: nnq.ConvTranspose1d(4, 6, 3, stride=2), (4, 9)),
    "conv_transpose2d": (lambda: nnq.ConvTranspose2d(4, 6, 3, stride=2, groups=2), (4, 5, 5)),
    "conv_transpose3d": (lambda: nnq.ConvTranspose3d(4, 6, 2), (4, 3, 3, 3)),
}


@pytest.mark.parametrize("axis", [None, 0])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_convolution(tmp_path, engine, name, axis, bias):
    make, shape = CONVOLUTIONS[name]
    path = tmp_path / "m.pth"
    live, layer, found = saved_under_fbgemm(lambda: filled(make(), axis, bias), path)
    x = quint8(2, *shape)
    assert same(found(x), live(x))
    assert layer.weight.q.shape[0] == layer.settings["out_channels"] == live.out_channels
    assert layer.settings["stride"] == list(live.stride)
    assert layer.settings["padding_mode"] == live.padding_mode


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", TRANSPOSED)
def test_a_transposed_convolution_has_its_inputs_first(tmp_path, engine, name, bias):
    make, shape = TRANSPOSED[name]
    path = tmp_path / "m.pth"
    _, layer, found = saved_under_fbgemm(lambda: filled(make(), None, bias), path)
    assert layer.weight.q.shape[0] == layer.settings["in_channels"] == 4
    assert found(quint8(2, *shape)).shape[1] == 6  # the kernels of some engines are at random


def test_what_an_engine_does_not_pack_is_refused_with_the_layer_and_in_its_words(tmp_path):
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm"
    try:
        kind = nnq.ConvTranspose1d(4, 6, 3, stride=2, output_padding=1)
        torch.save(nn.Sequential(filled(kind, None)), tmp_path / "m.pth")
        torch.backends.quantized.engine = "onednn"
        with pytest.raises(CaptureError, match=r"0 \(ConvTranspose1d\) .* output_padding"):
            rebuild(read_model(tmp_path / "m.pth"))
    finally:
        torch.backends.quantized.engine = before


@pytest.mark.parametrize("kind", [nniq.ConvAdd2d, nniq.ConvAddReLU2d])
def test_a_convolution_with_an_addition_on_onednn(tmp_path, kind):
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = "onednn"
    try:
        live = filled(kind(4, 6, 3))
        _, found = through_the_file(live, tmp_path / "m.pth")
        x, y = quint8(2, 4, 7, 7), quint8(2, 6, 5, 5)
        assert same(found(x, y.clone()), live(x, y.clone()))
    finally:
        torch.backends.quantized.engine = before


@pytest.mark.parametrize("kind", [nnqd.Conv1d, nnqd.Conv2d])
def test_a_dynamic_convolution(tmp_path, kind):
    live = filled(kind(4, 6, 3, padding=1))
    layer, found = through_the_file(live, tmp_path / "m.pth")
    x = torch.randn(2, *(4, 7, 7)[: 2 + (kind is nnqd.Conv2d)])
    assert same(found(x), live(x))
    assert layer.output is None


def test_a_transposed_convolution_survives_a_session(tmp_path):
    torch.save(nn.Sequential(filled(nnq.ConvTranspose2d(4, 6, 3), None)), tmp_path / "m.pth")
    layer = read_model(tmp_path / "m.pth").layers["0"]
    tensors = {}
    again = packing._get_layer(tensors, packing._put_layer(tensors, layer))
    assert again.bias.shape == (6,)
    assert again.settings == layer.settings
    tensors["bias/0"] = again.bias[:4]
    with pytest.raises(SessionError, match="biases"):
        packing._get_layer(tensors, packing._put_layer({}, layer))


def test_a_state_dict_holds_the_weights_of_convolutions(tmp_path):
    live = filled(nnq.Conv2d(4, 6, 3))
    torch.save(nn.Sequential(live).state_dict(), tmp_path / "m.pth")
    layer = read_model(tmp_path / "m.pth").layers["0"]
    assert np.array_equal(layer.weight.q, live.weight().int_repr().numpy())
