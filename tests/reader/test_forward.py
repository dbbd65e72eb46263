"""forward is interpreted by an allow-list; what it does not name is refused by line."""

import pytest

from qdbg.core.program import Layer, Model
from qdbg.errors import ForwardError
from qdbg.reader import find_forward

TORCH = "torch.ao.nn.quantized.modules.linear.Linear"
SEQUENTIAL = "torch.nn.modules.container.Sequential"
LIST = "torch.nn.modules.container.ModuleList"


class Tape:
    """Writes down what it is asked for; a value is the text of how it came about."""

    def __init__(self):
        self.lines, self.inside, self.line = [], [], ""

    def call_layer(self, path, args, kwargs):
        self.lines.append((path, self.line.rpartition(":")[2]))
        return f"{path}({', '.join(map(str, args))})"

    def call_function(self, name, args, kwargs):
        extra = [f"{k}={v}" for k, v in kwargs.items()]
        return f"{name}({', '.join([*map(str, args), *extra])})"

    def call_method(self, value, name, args, kwargs):
        return f"{value}.{name}({', '.join(map(str, args))})"

    def call_member(self, path, name, args, kwargs):
        return f"{path}.{name}({', '.join(map(str, args))})"

    def get_tensor(self, path, name):
        return f"{path}.{name}"

    def get_constant(self, name):
        return name

    def get_attribute(self, value, name):
        return {"shape": (2, 4), "ndim": 2}[name]

    def enter_line(self, line):
        self.line = line

    def enter_layer(self, path):
        self.inside.append(path)

    def leave_layer(self):
        self.inside.pop()


LAYERS = {
    "": "__main__.Net",
    "fc1": TORCH,
    "relu": "torch.nn.modules.activation.ReLU",
    "fc2": TORCH,
    "stack": LIST,
    "stack.0": TORCH,
    "stack.1": TORCH,
    "seq": SEQUENTIAL,
    "seq.0": TORCH,
    "seq.1": TORCH,
    "block": "__main__.Block",
    "block.fc": TORCH,
    "add": "torch.ao.nn.quantized.modules.functional_modules.QFunctional",
}
HEAD = (
    "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n"
    "class Block(nn.Module):\n    def forward(self, x, twice=False):\n"
    "        y = self.fc(x)\n        return self.fc(y) if twice else y\n"
    "class Net(nn.Module):\n"
)


def model_in(folder, layers=None, settings=None):
    path = folder / "net.pth"
    found = {
        p: Layer(p, c, settings=(settings or {}) if not p else {})
        for p, c in (layers or LAYERS).items()
    }
    return Model(str(path), "", found)


def forward_of(folder, body, head=HEAD, settings=None, arguments="self, x"):
    indented = "".join(f"        {line}\n" for line in body.splitlines())
    (folder / "net.py").write_text(f"{head}    def forward({arguments}):\n{indented}")
    return find_forward(model_in(folder, settings=settings), None)


def run(folder, body, **options):
    return forward_of(folder, body, **options).run(Tape(), ("x",))


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ("return self.fc2(self.relu(self.fc1(x)))", "fc2(relu(fc1(x)))"),
        ("x = F.relu(self.fc1(x))\nreturn x", "torch.nn.functional.relu(fc1(x))"),
        ("return torch.flatten(x, 1)", "torch.flatten(x, 1)"),
        ("return torch.flatten(x, start_dim=1)", "torch.flatten(x, start_dim=1)"),
        ("for layer in self.stack:\n    x = layer(x)\nreturn x", "stack.1(stack.0(x))"),
        ("for i in range(2):\n    x = self.stack[i](x)\nreturn x", "stack.1(stack.0(x))"),
        ("return self.stack[-1](x)", "stack.1(x)"),
        ("for i, m in enumerate(list(self.stack)):\n    x = m(x)\nreturn x", "stack.1(stack.0(x))"),
        ("return self.seq(x)", "seq.1(seq.0(x))"),
        ("return self.block(x)", "block.fc(x)"),
        ("return self.block(x, twice=True)", "block.fc(block.fc(x))"),
        ("a, b = self.fc1(x), self.fc2(x)\nreturn self.add.add(a, b)", None),
        ("if x.shape[1] == 4:\n    return self.fc1(x)\nreturn self.fc2(x)", "fc1(x)"),
        ("if self.training:\n    return x\nelse:\n    return self.fc1(x)", "fc1(x)"),
        ("n = 1\nn += 2\nreturn x.view(-1, n * 2)", "x.view(-1, 6)"),
        ('"""A docstring."""\ny: int = 3\npass\nreturn self.fc1(x)', "fc1(x)"),
        ("return self.fc1(x) if not (1 > 2 or False) else x", "fc1(x)"),
        ("return x.size(0)", "x.size(0)"),
    ],
)
def test_a_forward_of_the_allowed_kind_is_interpreted(tmp_path, body, result):
    found = run(tmp_path, body, settings={"training": False})
    if result is not None:
        assert found == result


def test_lines_and_layers_are_told_as_they_run(tmp_path):
    tape = Tape()
    body = "x = self.fc1(x)\nx = self.block(x)\nreturn self.fc2(x)"
    forward_of(tmp_path, body).run(tape, ("x",))
    assert tape.lines == [("fc1", "10"), ("block.fc", "6"), ("fc2", "12")]
    assert tape.inside == []


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("while True:\n    x = self.fc1(x)", "while"),
        ("with torch.no_grad():\n    return x", "with"),
        ("try:\n    return x\nexcept Exception:\n    pass", "try"),
        ("return (lambda y: y)(x)", "lambda"),
        ("return [m(x) for m in self.stack]", "listcomp"),
        ("return f'{x}'", "joinedstr"),
        ("global y\nreturn x", "global"),
        ("del x", "delete"),
        ("return self.fc1(*x)", "starred"),
        ("return (y := x)", "namedexpr"),
        ("yield x", "yield"),
        ("print(x)\nreturn x", "print()"),
        ("open('x')\nreturn x", "open()"),
        ("return getattr(self, 'fc1')(x)", "getattr()"),
        ("return eval('x')", "eval()"),
        ("return __import__('os').system('true')", "__import__"),
        ("return x.__class__", "__class__"),
        ("return self.fc1._modules", "_modules"),
        ("self.y = x\nreturn x", "self.y"),
        ("x[0] = 1\nreturn x", "x[0]"),
        ("def g(y):\n    return y\nreturn g(x)", "functiondef"),
        ("import os\nreturn x", "import"),
        ("assert x\nreturn x", "assert"),
        ("raise ValueError", "raise"),
        ("return torch.load('x')", "torch.load"),
        ("return torch.hub.load('x')", "torch.hub.load"),
        ("return F.conv2d(x)", "torch.nn.functional.conv2d"),
        ("return x.numpy()", ".numpy()"),
        ("return x.data_ptr()", ".data_ptr()"),
    ],
)
def test_anything_else_is_refused_by_line_and_name_before_it_runs(tmp_path, body, named):
    with pytest.raises(ForwardError) as caught:
        forward_of(tmp_path, body)
    assert named in caught.value.found
    assert caught.value.found.startswith("net.py:")
    assert "--trust-source" in caught.value.remedy


@pytest.mark.parametrize(
    "body",
    [
        "for i in range(1000000):\n    n = i\nreturn x",
        "return x.view(9**9**9)",
        "y = 'a' * 1000000000\nreturn x",
        "y = [0] * 1000000000\nreturn x",
        "y = list(range(1000000000000))\nreturn x",
        "y = 1 << 1000000000\nreturn x",
        "return self.nothing(x)",
        "return unknown",
        "return self.stack[7](x)",
        "a, b, c = x, x\nreturn a",
        "return 1 / 0",
        "for y in self.fc1(x):\n    pass\nreturn x",
        "if self.fc1:\n    return x",
        "return self.block(x, 1, 2, 3)",
        "return self.seq()",
        "return int('x')",
        "return min(3)",
        "return len(5)",
        "return (1, 2)['a']",
        "return x < 1 < 2",
        "n = 3\nfor i in range(99):\n    n = n * n\nreturn x",
        "y = [1]\nfor i in range(99):\n    y = y + y\nreturn x",
        "return max(range(1000000000000))",
    ],
)
def test_what_goes_wrong_while_it_runs_is_an_error_with_its_line(tmp_path, body):
    with pytest.raises(ForwardError) as caught:
        run(tmp_path, body)
    assert caught.value.found.startswith(("net.py:", "seq is given"))


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("self, a, b", "net.py:9: forward takes 2 inputs: a, b"),
        ("self, x, mask, scale=1", "net.py:9: forward takes 2 inputs: x, mask"),
        ("self", "net.py:9: forward takes no input"),
    ],
)
def test_a_model_of_another_number_of_inputs_is_refused_before_it_runs(
    tmp_path, trust, arguments, says
):
    (tmp_path / "net.py").write_text(f"{HEAD}    def forward({arguments}):\n        return 1\n")
    with pytest.raises(ForwardError) as caught:
        find_forward(model_in(tmp_path), None, trust=trust)
    assert caught.value.found == says
    assert caught.value.expected == "one, because qdbg gives a model one input"
    assert ("self.model(" in caught.value.remedy) == ("2 inputs" in says)


def test_a_class_inherits_its_forward_inside_the_file(tmp_path):
    head = HEAD.replace("class Net(nn.Module):", "class Base(nn.Module):")
    text = (
        f"{head}    def forward(self, x):\n        return self.fc1(x)\nclass Net(Base):\n    pass\n"
    )
    (tmp_path / "net.py").write_text(text)
    assert find_forward(model_in(tmp_path), None).run(Tape(), ("x",)) == "fc1(x)"


def test_a_class_that_is_a_sequential_needs_no_forward(tmp_path):
    (tmp_path / "net.py").write_text("from torch import nn\nclass Net(nn.Sequential):\n    pass\n")
    layers = {"": "__main__.Net", "0": TORCH, "1": TORCH}
    assert find_forward(model_in(tmp_path, layers), None).run(Tape(), ("x",)) == "1(0(x))"


def test_a_sequential_needs_no_source(tmp_path):
    layers = {"": SEQUENTIAL, "0": TORCH, "1": TORCH}
    assert find_forward(model_in(tmp_path, layers), None).run(Tape(), ("x",)) == "1(0(x))"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "not the order"),
        (b"class Other:\n    pass\n", "does not define Net"),
        (b"def broken(:\n", "net.py:1"),
        (b"\xff\xfe\x00", "not a Python file"),
        (b"class Net:\n    pass\nclass Block:\n    pass\n", "has no forward"),
        (b"x = " + b"(" * 5000 + b")" * 5000, "not a Python file"),
        (b"#" * 5_000_000, "bytes"),
    ],
)
def test_a_missing_or_unfit_source_is_told(tmp_path, content, says):
    if content is not None:
        (tmp_path / "net.py").write_bytes(content)
    with pytest.raises(ForwardError) as caught:
        find_forward(model_in(tmp_path), None)
    assert says in caught.value.message


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_a_named_source_must_be_readable(tmp_path, kind):
    source = tmp_path if kind == "folder" else tmp_path / "nowhere.py"
    with pytest.raises(ForwardError, match="cannot be read"):
        find_forward(model_in(tmp_path), source)


def test_with_trust_nothing_is_checked_but_the_class_must_exist(tmp_path):
    (tmp_path / "net.py").write_text(
        "class Block:\n    def forward(self, x): return x\n"
        "class Net:\n    def forward(self, x):\n        print(x)\n        return x\n"
    )
    assert find_forward(model_in(tmp_path), None, trust=True).trusted
    (tmp_path / "net.py").write_text("class Other:\n    pass\n")
    with pytest.raises(ForwardError):
        find_forward(model_in(tmp_path), None, trust=True)
