"""Honest files of other kinds: decoded as far as they go, or told apart by name."""

import io
import json
import zipfile

import numpy as np
import pytest
import torch
import torch.ao.nn.quantized as nnq
import torch.ao.quantization as tq
from torch import nn

from qdbg.errors import ForwardError, ModelError
from qdbg.reader import find_forward, read_model

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning"),
    pytest.mark.usefixtures("quick_conversions"),
]


class Skip(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.fc, self.add = nn.Linear(4, 4), nnq.FloatFunctional()

    def forward(self, x):
        x = self.quant(x)
        return self.dequant(self.add.add(self.fc(x), x))


def sequence(*layers):
    return nn.Sequential(nnq.Quantize(0.1, 0, torch.quint8), *layers)


def saved(value, path):
    torch.save(value, path)
    return read_model(path)


def test_a_converted_qfunctional_is_a_layer_with_its_own_scale(tmp_path):
    model = Skip().eval()
    model.qconfig = tq.get_default_qconfig("x86")
    tq.prepare(model, inplace=True)
    model(torch.randn(9, 4))
    tq.convert(model, inplace=True)
    layers = saved(model, tmp_path / "m.pth").layers
    assert list(layers) == ["", "quant", "dequant", "fc", "add"]
    assert layers["add"].kind == "QFunctional"
    assert float(layers["add"].output.scale) == float(model.add.scale)
    assert int(layers["add"].output.zero_point) == int(model.add.zero_point)


def test_an_observer_in_the_place_of_that_identity_is_not_converted(tmp_path):
    add = nnq.FloatFunctional()
    add.activation_post_process = nn.ReLU()
    with pytest.raises(ModelError, match="not converted"):
        saved(sequence(add), tmp_path / "m.pth")


def test_a_hook_on_that_identity_is_refused(tmp_path):
    add = nnq.QFunctional()
    add.activation_post_process.register_forward_hook(print)
    with pytest.raises(ModelError, match="hooks"):
        saved(sequence(add), tmp_path / "m.pth")


@pytest.mark.parametrize("dtype", [torch.qint8, torch.float16])
def test_a_dynamic_layer_gives_floats_and_has_no_output_scale(tmp_path, dtype):
    model = tq.quantize_dynamic(nn.Sequential(nn.Linear(3, 2)), {nn.Linear}, dtype=dtype)
    layer = saved(model, tmp_path / "m.pth").layers["0"]
    assert layer.output is None
    assert (layer.weight is not None) == (dtype == torch.qint8)


@pytest.mark.parametrize("kind", [nnq.Conv1d, nnq.Conv2d, nnq.Conv3d])
def test_a_quantized_convolution_is_a_layer_beside_those_that_are_read(tmp_path, kind):
    layers = saved(sequence(kind(1, 2, 3), nnq.Linear(3, 2)), tmp_path / "m.pth").layers
    assert [layer.kind for layer in layers.values()][2:] == [kind.__name__, "Linear"]
    assert layers["2"].weight is not None


def test_a_wrapper_for_several_devices_says_how_to_save_what_is_inside(tmp_path):
    model = saved(nn.DataParallel(sequence(nnq.Linear(3, 2))), tmp_path / "m.pth")
    with pytest.raises(ForwardError) as caught:
        find_forward(model, None)
    assert "model.module" in caught.value.remedy


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (torch.zeros(3), "holds a tensor"),
        ({"epoch": 3, "net": sequence()}, "torch.save(file['net'], path)"),
        ({"epoch": 3}, "'epoch'"),
        ((sequence(),), "holds a tuple"),
    ],
)
def test_what_a_file_holds_instead_of_a_model_is_named(tmp_path, value, says):
    with pytest.raises(ModelError) as caught:
        saved(value, tmp_path / "m.pth")
    assert says in caught.value.message


def test_an_attribute_that_is_no_plain_value_is_told_with_what_to_do(tmp_path):
    model = sequence(nnq.Linear(3, 2))
    model.mean = np.zeros(3)
    with pytest.raises(ModelError) as caught:
        saved(model, tmp_path / "m.pth")
    assert "numpy" in caught.value.found
    assert "attribute" in caught.value.remedy


def npz():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY")
    return stream.getvalue()


def safetensors():
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(4)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (npz(), "numpy arrays"),
        (safetensors(), "safetensors"),
        (b"\x08\x08\x12\x07pytorch\x1a\x052.1.0:\x80" + bytes(99), "ONNX"),
        (b"\xef\xbb\xbf\n <HTML>", "web page"),
        (b'{"message": "Not Found"}', "JSON"),
    ],
    ids=["npz", "safetensors", "onnx", "html", "json"],
)
def test_files_of_other_tools_are_told_by_name(tmp_path, data, says):
    path = tmp_path / "m.pth"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=says):
        read_model(path)
