"""Honest files: every number is what torch says it is, bit for bit."""

import hashlib

import numpy as np
import pytest
import torch
import torch.ao.nn.intrinsic.quantized as nniq
import torch.ao.nn.quantized as nnq
from torch import nn

from qdbg.errors import ForwardError, ModelError
from qdbg.reader import find_forward, read_model

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:UserWarning")  # torch on quantization


def linear(kind=nnq.Linear, *, per_channel=True, bias=True, zero_point=0, seed=0):
    random = np.random.default_rng(seed)
    w = torch.from_numpy(random.integers(-128, 128, (5, 3)).astype(np.int8))
    if per_channel:
        scales = torch.from_numpy(random.uniform(1e-4, 0.1, 5))
        zeros = torch.zeros(5, dtype=torch.int64)
        weight = torch._make_per_channel_quantized_tensor(w, scales, zeros, 0)
    else:
        scale = float(random.uniform(1e-4, 0.1))
        weight = torch._make_per_tensor_quantized_tensor(w, scale, zero_point)
    layer = kind(3, 5)
    layer.set_weight_bias(weight, torch.randn(5) if bias else None)
    layer.scale, layer.zero_point = float(random.uniform(1e-3, 1)), int(random.integers(0, 256))
    return layer


def saved(model, path, **options):
    torch.save(model, path, **options)
    return read_model(path)


def same(found, layer):
    weight, bias = layer.weight(), layer.bias()
    assert np.array_equal(found.weight.q, weight.int_repr().numpy())
    params = found.weight.qparams
    if weight.qscheme() == torch.per_tensor_affine:
        assert (float(params.scale), int(params.zero_point)) == (
            weight.q_scale(), weight.q_zero_point(),
        )  # fmt: skip
    else:
        assert np.array_equal(params.scale, weight.q_per_channel_scales().numpy())
        assert np.array_equal(params.zero_point, weight.q_per_channel_zero_points().numpy())
        assert params.axis == weight.q_per_channel_axis()
    if bias is None:
        assert found.bias is None
    else:
        assert found.bias.tobytes() == bias.detach().numpy().tobytes()
    output = found.output
    assert (float(output.scale), int(output.zero_point)) == (layer.scale, layer.zero_point)


@pytest.mark.parametrize("kind", [nnq.Linear, nniq.LinearReLU])
@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_linear_layer_is_read_bit_for_bit(tmp_path, kind, per_channel, bias, protocol):
    layer = linear(kind, per_channel=per_channel, bias=bias, zero_point=3)
    model = saved(nn.Sequential(layer), tmp_path / "m.pth", pickle_protocol=protocol)
    same(model.layers["0"], layer)


def test_a_bias_may_be_infinite(tmp_path):
    layer = linear()
    bias = torch.tensor([float("inf"), -float("inf"), 0.0, -0.0, 1e-45])
    layer.set_weight_bias(layer.weight(), bias)
    model = saved(nn.Sequential(layer), tmp_path / "m.pth")
    assert model.layers["0"].bias.tobytes() == bias.numpy().tobytes()


@pytest.mark.parametrize("dtype", [torch.quint8, torch.qint8])
def test_quantize_has_the_scale_that_torch_passes_on(tmp_path, dtype):
    quantize = nnq.Quantize(0.1, 3, dtype)
    output = saved(nn.Sequential(quantize), tmp_path / "m.pth").layers["0"].output
    given = quantize(torch.zeros(1))
    assert (float(output.scale), int(output.zero_point)) == (given.q_scale(), given.q_zero_point())
    assert f"torch.{output.dtype}" == str(dtype)


def test_layers_come_in_the_order_of_registration_with_their_paths(tmp_path):
    inner = nn.Sequential(linear(), nn.Dropout(), nn.Identity())
    model = saved(nn.Sequential(nnq.Quantize(1, 0, torch.quint8), inner), tmp_path / "m.pth")
    assert list(model.layers) == ["", "0", "1", "1.0", "1.1", "1.2"]
    assert [layer.kind for layer in model.layers.values()][-3:] == ["Linear", "Dropout", "Identity"]


def test_a_compiled_model_is_refused_with_what_to_save_instead(tmp_path):
    path = tmp_path / "m.pth"
    torch.save(torch.compile(nn.Sequential(nn.Linear(2, 2)), backend="eager"), path)
    with pytest.raises(ModelError, match=r"torch\.compile") as refused:
        read_model(path)
    assert "_orig_mod" in refused.value.remedy


def test_a_state_dict_shows_weights_and_scales_but_no_order(tmp_path):
    layer = linear()
    model = saved(nn.Sequential(layer).state_dict(), tmp_path / "m.pth")
    layer.scale = float(np.float32(layer.scale))  # a state_dict keeps it as a float32 tensor
    same(model.layers["0"], layer)
    with pytest.raises(ForwardError, match="state_dict"):
        find_forward(model, None)


def test_the_file_is_known_by_its_sha256(tmp_path):
    path = tmp_path / "m.pth"
    model = saved(nn.Sequential(linear()), path)
    assert model.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
