"""The rebuilt modules are the ones in the file, and nothing else is ever built."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from qdbg.capture.rebuild import Container, rebuild
from qdbg.core.program import Layer, Model
from qdbg.core.quantity import QParams
from qdbg.errors import CaptureError
from tests.capture.torch_models import decoded, linear, sequence

pytestmark = pytest.mark.filterwarnings("ignore")  # torch announces the end of its dtypes


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_a_rebuilt_layer_computes_what_the_original_computes(engine, relu, per_channel, bias):
    root = sequence(linear(13, 7, relu=relu, per_channel=per_channel, bias=bias))
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(20, 13)).astype(np.float32)) * 3
    assert torch.equal(rebuild(decoded(root))[""](x), root(x))


@pytest.mark.parametrize("per_channel", [False, True])
def test_a_layer_without_bias_runs_on_an_engine_it_was_not_packed_for(engine, per_channel):
    torch.backends.quantized.engine = "fbgemm"
    model = decoded(sequence(linear(13, 7, per_channel=per_channel, bias=False)))
    torch.backends.quantized.engine = engine
    assert rebuild(model)[""](torch.ones(2, 13)).shape == (2, 7)


@pytest.mark.parametrize("name", ["fbgemm", "x86", "onednn"])
def test_scales_of_channels_beyond_float32_are_refused_by_name(name):
    model = decoded(sequence(linear(3, 2, per_channel=True)))
    torch.backends.quantized.engine, before = name, torch.backends.quantized.engine
    qparams = QParams(np.array([0.1, 1e39]), np.zeros(2, np.int64), "qint8", 0)
    layer = model.layers["1"]
    layers = {**model.layers, "1": replace(layer, weight=replace(layer.weight, qparams=qparams))}
    try:
        with pytest.raises(CaptureError, match=f"scale 1e.39, which PyTorch's {name} engine"):
            rebuild(replace(model, layers=layers))
    finally:
        torch.backends.quantized.engine = before


def test_old_names_of_the_classes_are_understood():
    model = decoded(sequence(linear(3, 3)))
    old = {
        path: replace(layer, class_name=layer.class_name.replace("torch.ao.nn.", "torch.nn."))
        for path, layer in model.layers.items()
        if path
    }
    modules = rebuild(Model("", "", {"": model.layers[""], **old}))
    assert type(modules["1"]).__name__ == "Linear"


def one(class_name, **parts):
    root = Layer("", "__main__.Net")
    return Model("net.pth", "0" * 64, {"": root, "fc": Layer("fc", class_name, **parts)})


@pytest.mark.parametrize(
    ("class_name", "words"),
    [
        ("torch.nn.modules.linear.Linear", "fc is a Linear that is not quantized"),
        ("torch.ao.nn.qat.modules.linear.Linear", "fc is a Linear that is not quantized"),
        ("torch.ao.nn.quantized.modules.conv.Conv2d", "no int8 weights"),
        ("torch.ao.nn.quantized.modules.conv.Conv9d", "quantized.modules.conv.Conv9d"),
        ("torch.ao.nn.quantized.modules.linear.Linear", "no int8 weights"),
        ("torch.ao.nn.quantized.modules.Quantize", "no scale"),
    ],
)
def test_what_cannot_run_is_refused_with_its_path_and_class(class_name, words):
    with pytest.raises(CaptureError) as caught:
        rebuild(one(class_name))
    assert "fc" in caught.value.found
    assert words in caught.value.found


@pytest.mark.parametrize("class_name", ["os.system", "__main__.Evil", "builtins.eval"])
def test_a_class_of_the_files_own_is_never_looked_up(class_name):
    assert type(rebuild(one(class_name))["fc"]) is Container


def test_a_setting_that_the_class_refuses_is_an_error_with_the_path():
    with pytest.raises(CaptureError, match="fc"):
        rebuild(one("torch.nn.modules.dropout.Dropout", settings={"p": 7.0}))


def test_a_scale_that_torch_would_round_is_refused():
    output = QParams.per_tensor(0.1, 0)
    with pytest.raises(CaptureError, match="does not keep the scale"):
        rebuild(one("torch.ao.nn.quantized.modules.Quantize", output=output))


def test_everything_is_in_inference_mode():
    modules = rebuild(decoded(sequence(nn.Dropout(0.5)).train()))
    assert not any(module.training for module in modules.values())


@pytest.mark.parametrize("kind", ["Sequential", "ModuleList", "ModuleDict"])
def test_containers_hold_their_layers(kind):
    layers = {
        "": Layer("", "__main__.Net"),
        "stack": Layer("stack", f"torch.nn.modules.container.{kind}"),
        "stack.a": Layer("stack.a", "torch.nn.modules.activation.ReLU"),
    }
    modules = rebuild(Model("net.pth", "0" * 64, layers))
    assert dict(modules["stack"].named_children()) == {"a": modules["stack.a"]}
