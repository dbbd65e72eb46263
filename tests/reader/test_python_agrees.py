"""The interpreter and Python itself, on the same text and the same tensors: equal, or refused."""

import gc

import pytest
import torch
from torch import nn

from qdbg.core.program import Layer, Model
from qdbg.errors import ForwardError
from qdbg.reader import find_forward

HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n"
BLOCK = "class Block(nn.Module):\n    def forward(self, x, k=2):\n        return self.fc1(x) * k\n"
MIXIN = "class Mixin:\n    def forward(self, x):\n        return self.fc1(x)\n"
LAYERS = {"fc1": lambda x: x * 2 + 1, "fc2": lambda x: x * -3 + 1, "relu": torch.relu_}


class Noted(nn.Module):
    """Computes, and notes that it was called."""

    def __init__(self, name, function, log):
        super().__init__()
        self.name, self.function, self.log = name, function, log

    def forward(self, x):
        self.log.append(self.name)
        return self.function(x)


class Torch:
    """A backend that calls the same layers as Python does."""

    def __init__(self, log):
        self.layers = {name: Noted(name, f, log) for name, f in LAYERS.items()}

    def call_layer(self, path, args, kwargs):
        return self.layers[path.rpartition(".")[2]](*args, **kwargs)

    def call_function(self, name, args, kwargs):
        found = torch
        for part in name.split(".")[1:]:
            found = getattr(found, part)
        return found(*args, **kwargs)

    def call_method(self, value, name, args, kwargs):
        return getattr(value, name)(*args, **kwargs)

    def call_member(self, path, name, args, kwargs):
        return f"{path}.{name}({', '.join(map(str, args))})"

    def get_tensor(self, path, name):
        return f"{path}.{name}"

    def get_constant(self, name):
        return name

    def get_attribute(self, value, name):
        return getattr(value, name)

    def enter_line(self, line):
        pass

    def enter_layer(self, path):
        pass

    def leave_layer(self):
        pass


def net(body, before=""):
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    return f"{HEAD}{before}class Net(nn.Module):\n    def forward(self, x):\n{lines}"


def sample():
    return torch.tensor([[-1.0, 2.0, -3.0]])


def by_python(text, owner):
    names, log = {"__name__": "net"}, []
    exec(text, names)  # noqa: S102 - our own text, to learn what Python makes of it
    found = {kind: names[kind].__new__(names[kind]) for kind in ("Net", owner)}
    for module in found.values():
        nn.Module.__init__(module)
    if owner == "Block":
        found["Net"].block = found["Block"]
    for name, function in LAYERS.items():
        setattr(found[owner], name, Noted(name, function, log))
    result = found["Net"](sample())
    found.clear()
    names.clear()
    gc.collect()  # 40 diamonds of subclasses make each later change of nn.Module take for ever
    return result, log


def by_qdbg(folder, text, owner):
    (folder / "net.py").write_text(text)
    layers, start, log = {"": Layer("", "__main__.Net")}, "", []
    if owner == "Block":
        layers["block"], start = Layer("block", "__main__.Block"), "block."
    for name in LAYERS:
        layers[start + name] = Layer(start + name, "torch.nn.modules.linear.Identity")
    forward = find_forward(Model(str(folder / "net.pth"), "", layers), None)
    return forward.run(Torch(log), (sample(),)), log


def bases(depth, root):
    steps = "".join(
        f"class B{i}(A{i}): pass\nclass C{i}(A{i}): pass\nclass A{i + 1}(B{i}, C{i}): pass\n"
        for i in range(depth)
    )
    return f"{HEAD}{root}{steps}class Net(A{depth}): pass\n"


@pytest.mark.parametrize(
    "text",
    [
        net("return self.fc2(self.fc1(x))"),
        net("return self.fc1(x).add(self.fc2(x))"),
        net("return self.fc1(x).add(self.relu(x))"),
        net("return (x * 1).add(x.relu_())"),
        net("return self.fc1(x) + self.relu(x)"),
        net("return torch.add(input=self.fc1(x), other=self.relu(x))"),
        net("y = x\ny += 1\nreturn x + y"),
        net("a, b, c = x.chunk(3, 1)\nreturn a + b * c"),
        net("for i in range(3, 0, -1):\n    x = x * i\nelse:\n    x = self.fc1(x)\nreturn x"),
        net("return self.fc1(x) if 0 < x.shape[1] < 5 else x"),
        net("return x[:, 1:] * x.shape[-1]"),
        net("F = x\nreturn F.relu()"),
        net("return F.relu(x)")
        + "if __name__ == '__main__':\n    import torch\n    model = Net()\n",
        net("return F.relu(x)") + "def main():\n    import math as F\n",
        f"{HEAD}class Net(nn.Module):\n    fc1: nn.Linear\n    def forward(self, x):\n"
        "        return self.fc1(x)\n",
        f"{HEAD}import abc\nclass Mixin:\n    pass\nclass Base(nn.Module, abc.ABC):\n"
        "    def forward(self, x):\n        return self.fc1(x)\n"
        "class Net(Mixin, Base):\n    pass\n",
        f"{HEAD}class Net(nn.Identity):\n    def forward(self, x):\n        return self.fc2(x)\n",
        bases(40, "class A0(nn.Module):\n    def forward(self, x):\n        return self.fc1(x)\n"),
        bases(40, "class A0(nn.Sequential): pass\n"),
        net("return self.block(x, k=5)", BLOCK),
    ],
)
def test_what_is_interpreted_gives_the_same_tensor_by_the_same_calls(tmp_path, text):
    owner = "Block" if "class Block" in text else "Net"
    python, calls = by_python(text, owner)
    found, noted = by_qdbg(tmp_path, text, owner)
    assert torch.equal(found, python)
    assert noted == calls


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{HEAD}{MIXIN}class Net(nn.Identity, Mixin):\n    pass\n", "nn.Identity before Mixin"),
        (f"{HEAD}{MIXIN}class Net(nn.Sequential, Mixin):\n    pass\n", "Sequential before Mixin"),
        (
            f"from lib import Base\n{HEAD}class Own(Base):\n    pass\n{MIXIN}"
            "class Net(Own, Mixin):\n    pass\n",
            "Own before Mixin",
        ),
        (
            f"{HEAD}class Base(nn.Module):\n    def forward(self, x):\n        return x\n"
            "class Net(Base):\n    pass\n"
            "class Base(nn.Module):\n    def forward(self, x):\n        return self.fc2(x)\n",
            "has no forward",
        ),
        (net("return F.relu(x)") + "class F:\n    relu = abs\n", "the name F"),
        (
            net("return F.relu(x)") + "try:\n    import fast as F\nexcept ImportError:\n    pass\n",
            "F",
        ),
        (
            net("return F.relu(x)") + "try:\n    pass\nexcept Exception as F:\n    pass\n",
            "the name F",
        ),
        (
            f"{HEAD}class Net(nn.Module):\n    def relu(self, x):\n        return x * 7\n"
            "    def forward(self, x):\n        return self.relu(x)\n",
            "defines relu, which is also a layer",
        ),
        (net("return self.fc1.relu()"), ".relu()"),
        (net("return x ** 2"), "net.py:6: forward uses the operator Pow"),
    ],
)
def test_what_python_would_do_otherwise_is_refused(tmp_path, text, says):
    with pytest.raises(ForwardError) as caught:
        by_qdbg(tmp_path, text, "Net")
    assert says in caught.value.message


HELPERS = (
    "class Base(nn.Module):\n    def _twice(self, y, by=2):\n        return self.fc1(y) * by\n"
    "class Block(Base):\n    def add(self, x):\n        return self._twice(self.fc2(x), by=3)\n"
    "    def forward(self, x):\n        return self.add(x) + self._twice(x)\n"
)


def test_a_helper_method_is_interpreted_and_not_taken_for_a_tensors(tmp_path):
    text = net("return self.block(x)", HELPERS)
    python, calls = by_python(text, "Block")
    found, noted = by_qdbg(tmp_path, text, "Block")
    assert torch.equal(found, python)
    assert noted == calls


@pytest.mark.parametrize(
    ("helper", "says"),
    [
        ("    def _more(self, x):\n        return open(x)\n", "net.py:7: forward uses open()"),
        ("    def _more(self, x):\n        return self._more(x)\n", "without end"),
        ("    @staticmethod\n    def _more(x):\n        return x\n", "a decorator"),
        ("    _more = print\n", "another meaning for one name"),
        ("    def _more(self, x):\n        return x\n    _more = print\n", "another meaning"),
        ("    def _more(self):\n        return self.fc1\n", "other arguments"),
    ],
)
def test_a_helper_method_is_checked_like_forward(tmp_path, helper, says):
    text = (
        f"{HEAD}# --\nclass Net(nn.Module):\n{helper}"
        "    def forward(self, x):\n        return self._more(x)\n"
    )
    with pytest.raises(ForwardError) as caught:
        by_qdbg(tmp_path, text, "Net")
    assert says in caught.value.message


def test_a_helper_method_of_another_module_is_checked_when_it_is_called(tmp_path):
    helper = (
        "class Block(nn.Module):\n    def more(self, x):\n        return eval(x)\n"
        "    def forward(self, x):\n        return x\n"
    )
    with pytest.raises(ForwardError, match=r"eval\(\)"):
        by_qdbg(tmp_path, net("return self.block.more(x)", helper), "Block")
