"""The forward in an FX model's file is text that anybody can have written: read, never run."""

import pytest
import torch
from torch import nn
from torch.ao.quantization import get_default_qconfig_mapping
from torch.ao.quantization.quantize_fx import convert_fx, convert_to_reference_fx, prepare_fx

from qdbg.errors import ForwardError, ModelError
from qdbg.reader import find_forward, read_model
from tests.reader import crafted as c

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # torch announces the end of its dtypes
    pytest.mark.usefixtures("quick_conversions"),
]
GRAPH = "torch.fx.graph_module reduce_graph_module"
HEAD = "import torch\nfrom torch import device"
GOOD = "\n\n\ndef forward(self, x):\n    fc = self.fc(x);  x = None\n    return fc\n"


class Calls:
    """A backend that says what is asked of it."""

    def __getattr__(self, name):
        return lambda *args: f"{name}{args}"


def graph(code=GOOD, imports=HEAD, **state):
    parts = {"training": c.FALSE, "_parameters": b"}", "_buffers": b"}"}
    parts |= {"_modules": c.table({"fc": c.linear()}), "_code": c.text(code)}
    return b"\x80\x02" + c.call(GRAPH, c.table(parts | state), c.text(imports)) + b"."


def forward_of(tmp_path, pickle):
    path = tmp_path / "m.pth"
    path.write_bytes(c.archive(pickle))
    return find_forward(read_model(path), None)


def test_the_crafted_model_without_a_lie_is_interpreted(tmp_path):
    found = forward_of(tmp_path, graph()).run(Calls(), ("x",))
    assert found == "call_layer('fc', ('x',), {})"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def forward(self, x):\n    return __import__('os').system('true')", "__import__"),
        ("def forward(self, x):\n    return eval('1')", "eval()"),
        ("def forward(self, x):\n    return getattr(self, x)", "getattr()"),
        ("def forward(self, x):\n    return getattr(self, '__class__')", "__class__"),
        ("def forward(self, x):\n    return self.__dict__", "__dict__"),
        ("def forward(self, x):\n    return x._typed_storage()", "_typed_storage"),
        ("def forward(self, x):\n    return torch.load('x')", "torch.load"),
        ("def forward(self, x):\n    return torch._C._nn.system(x)", "torch.nn.functional.system"),
        ("def forward(self, x):\n    return torch.ops.aten.cat(x)", "torch.ops.aten.cat"),
        ("def forward(self, x):\n    import os\n    return x", "import"),
        ("def forward(self, x=open('x')):\n    return x", "the default open('x')"),
        ("import os\ndef forward(self, x):\n    return x", "not the one function"),
        ("def forward(self, x): pass\ndef forward(self, x): pass", "not the one function"),
        ("def other(self, x):\n    return x", "not the one function"),
        ("class forward: pass", "not the one function"),
        ("", "not the one function"),
        ("def forward(self, x", "is not a Python file"),
        ("def forward(self, x):\n    return " + "-" * 5000 + "x", "m.pth:forward"),
        ("def forward(self, x):\n    return x" + ".a" * 700, "m.pth:forward"),
        ("#" * 1_100_000, "characters"),
        ("\udc80", "is not a Python file"),
    ],
)
def test_a_forward_that_torch_did_not_write_is_refused(tmp_path, code, says):
    with pytest.raises((ForwardError, ModelError)) as caught:
        forward_of(tmp_path, graph(code)).run(Calls(), ("x",))
    assert says in caught.value.message
    assert "--trust-source" not in caught.value.message
    assert len(caught.value.message.splitlines()) <= 2


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("return getattr(self, 'fc')(x)", "call_layer('fc', ('x',), {})"),
        ("return torch.functional.split(x, 2)", "call_function('torch.split', ('x', 2), {})"),
        ("return torch._C._nn.gelu(x)", "call_function('torch.nn.functional.gelu', ('x',), {})"),
        ("y = x = None;  return [y, Ellipsis]", [None, ...]),
        ("return torch.quint8", "get_constant('torch.quint8',)"),
    ],
)
def test_what_torch_writes_for_want_of_a_name_is_understood(tmp_path, code, result):
    found = forward_of(tmp_path, graph(f"def forward(self, x):\n    {code}")).run(Calls(), ("x",))
    assert found == result


@pytest.mark.parametrize(
    "imports", ["import os as torch", "from posix import system as torch", "torch = 5", "x(:"]
)
def test_imports_that_give_torchs_name_to_something_else_are_refused(tmp_path, imports):
    code = "def forward(self, x):\n    return torch.relu(x)"
    with pytest.raises(ForwardError):
        forward_of(tmp_path, graph(code, imports)).run(Calls(), ("x",))


HOOK = c.name("os system")


@pytest.mark.parametrize(
    ("pickle", "says"),
    [
        (b"\x80\x02" + c.call(GRAPH) + b".", "damaged FX"),
        (b"\x80\x02" + c.call(GRAPH, c.number(1), c.text("")) + b".", "damaged FX"),
        (b"\x80\x02" + c.call(GRAPH, b"}", c.number(1)) + b".", "damaged FX"),
        (graph(_state_dict_hooks=b"}(" + c.number(0) + HOOK + b"u"), "hooks"),
        (graph(_forward_hooks=b"}(" + c.number(0) + HOOK + b"u"), "hooks"),
        (graph(forward=c.name("os system")), "replaces its own forward"),
        (graph(_code=c.number(3)), "not the one function"),
        (b"\x80\x020" + graph()[2:], "empty stack"),
    ],
)
def test_a_damaged_graph_module_is_refused(tmp_path, pickle, says):
    with pytest.raises((ForwardError, ModelError)) as caught:
        forward_of(tmp_path, pickle)
    assert says in caught.value.message


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.kernel = nn.Parameter(torch.randn(4, 4, 3, 3))
        self.bias = nn.Parameter(torch.randn(4))

    def forward(self, x):
        ones = (1, 1)
        return nn.functional.conv2d(self.conv(x), self.kernel, self.bias, ones, (2, 0), ones, 1)


@pytest.fixture(scope="module")
def honest():
    x = torch.randn(1, 3, 8, 8)
    prepared = prepare_fx(Net().eval(), get_default_qconfig_mapping("x86"), (x,))
    prepared(x)
    return convert_fx(prepared)


def test_a_reference_model_is_called_one(tmp_path):
    x = torch.randn(1, 3, 8, 8)
    prepared = prepare_fx(Net().eval(), get_default_qconfig_mapping("x86"), (x,))
    prepared(x)
    torch.save(convert_to_reference_fx(prepared), tmp_path / "m.pth")
    with pytest.raises(ModelError, match="conv is a layer of a reference model"):
        read_model(tmp_path / "m.pth")


def test_packed_weights_without_a_layer_are_read_with_their_numbers(tmp_path, honest):
    torch.save(honest, tmp_path / "m.pth")
    layer = read_model(tmp_path / "m.pth").layers["_packed_weight_0"]
    weight, bias = honest._packed_weight_0.unpack()
    assert layer.weight.q.tobytes() == weight.int_repr().contiguous().numpy().tobytes()
    assert layer.bias.tobytes() == bias.detach().numpy().tobytes()
    assert layer.settings["padding"] == [2, 0]
    assert (layer.settings["in_channels"], layer.settings["groups"]) == (4, 1)


BASE = "__torch__.torch.classes.quantized.Conv2dPackedParamsBase"


def numbers(*values):
    size = len(values)
    return c.tensor("IntStorage", "config", size, (size,)), {"config": ints(values)}


def ints(values):
    return b"".join(v.to_bytes(4, "little", signed=True) for v in values)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ((2, 1, 1, 0, 0, 1, 1, 0, 0, 1, 0), None),
        ((3, 1, 1, 0, 0, 1, 1, 0, 0, 1, 0), "11 numbers for 2 axes"),
        ((2, 1, 1, 0, 0, 1, 1, 0, 0, 1), "10 numbers for 2 axes"),
        ((2, -1, 1, 0, 0, 1, 1, 0, 0, 1, 0), "stride '[-1, 1]'"),
        ((2, 1, 1, 70_000, 0, 1, 1, 0, 0, 1, 0), "padding '[70000, 0]'"),
        ((2, 1, 1, 0, 0, 1, 1, 0, 0, 7, 0), "7 groups of 21 and 2 channels"),
        ((2, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0), "in_channels '0'"),
        ((2, 1, 1, 0, 0, 1, 1, 0, 0, 2**30, 0), "in_channels"),
        ((2, 1, 1, 0, 0, 1, 1, 0, 0, 1, 5), "transposed=5"),
        ((2, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1), "bias is float32 [2]"),
    ],
)
def test_a_config_tensor_that_disagrees_with_its_weight_is_refused(tmp_path, config, says):
    w = c.weight(size=(2, 3, 1, 1), stride=(3, 1, 1, 1))
    table, data = numbers(*config)
    state = c.group(c.text("2"), c.listed(table, w), c.listed(c.bias()))
    script = c.new("torch ScriptObject", c.group(state, c.text(BASE)))
    path = tmp_path / "m.pth"
    path.write_bytes(c.archive(graph(_packed_weight_0=script), data))
    if says is None:
        assert read_model(path).layers["_packed_weight_0"].weight.q.shape == (2, 3, 1, 1)
        return
    with pytest.raises(ModelError) as caught:
        read_model(path)
    assert says in caught.value.message
