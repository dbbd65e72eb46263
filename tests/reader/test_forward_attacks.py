"""A forward is never misread: what could mean something else is refused, and every run ends."""

import time

import pytest

from qdbg.core.program import Layer, Model
from qdbg.errors import ForwardError
from qdbg.reader import find_forward
from tests.reader.test_forward import HEAD, LAYERS, LIST, TORCH, Tape, forward_of, model_in, run


def written(folder, text, layers=None):
    (folder / "net.py").write_text(text)
    return find_forward(model_in(folder, layers), None)


NET = "class Block(nn.Module):\n    def forward(self, x): return x\nclass Net({}):\n    {}\n"
IMPORTS = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n"


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ("for i, m in enumerate(self.stack):\n    x = m(x)\nreturn x", "stack.1(stack.0(x))"),
        ("for a, b in zip(self.stack, self.seq):\n    x = a(b(x))\nreturn x", None),
        ("return x.view(len(self.stack), -1)", "x.view(2, -1)"),
        ("for i in range(2):\n    pass\nelse:\n    x = self.fc1(x)\nreturn x", "fc1(x)"),
        ("return self.fc1(x) if 1 < x.shape[1] <= 4 else x", "fc1(x)"),
        ("return self.fc1(x) if 9 < x.shape[1] < x.y else x", "x"),
        ("return self.fc1(x) if self.fc2 is not None else x", "fc1(x)"),
        ("return self.fc1(x) if x.shape == (2, 4) else x", "fc1(x)"),
        ("y = x\ny += '!'\nreturn y", "x!"),
        ("return self.fc1(self.fc1(x))", "fc1(fc1(x))"),
        ("return torch.relu(x)", "torch.relu(x)"),
        ("(a, b), c = (x, 1), 2\nreturn a", "x"),
    ],
)
def test_it_means_what_python_means(tmp_path, body, result):
    try:
        found = run(tmp_path, body)
    except ForwardError:
        assert result is None
        return
    assert result is None or found == result


def test_in_place_operators_change_the_value_under_all_its_names(tmp_path):
    class Box(list):
        pass

    box = Box([1])
    forward_of(tmp_path, "y = x\ny += [2]\nreturn y").run(Tape(), (box,))
    assert box == [1, 2]


def test_a_name_of_the_function_hides_an_import(tmp_path):
    with pytest.raises(ForwardError):
        forward_of(tmp_path, "return F.sigmoid_(x)", arguments="self, x, F=None")
    tape = Tape()
    forward = forward_of(tmp_path, "F = x\nreturn F.relu()")
    assert forward.run(tape, ("x",)) == "x.relu()"


@pytest.mark.parametrize(
    "line",
    ["F = object()", "def F(): pass", "for F in []: pass", "if True:\n    F = None", "del F"],
)
def test_an_import_that_the_file_binds_anew_is_not_trusted(tmp_path, line):
    head = HEAD.replace("from torch import nn\n", f"from torch import nn\n{line}\n")
    with pytest.raises(ForwardError):
        run(tmp_path, "return F.relu(x)", head=head)


def test_a_builtin_that_the_file_defines_itself_is_not_trusted(tmp_path):
    head = HEAD.replace("from torch import nn\n", "from torch import nn\ndef len(x): return 7\n")
    with pytest.raises(ForwardError, match=r"len\(\)"):
        forward_of(tmp_path, "return x.view(len(x))", head=head)


@pytest.mark.parametrize(
    "body",
    [
        "def forward(self, x): return x\n    def forward(self, x): return self.fc1(x)",
        "async def forward(self, x): return x",
        "forward = torch.relu",
        "if True:\n        def forward(self, x): return x",
        "def forward(self, x): return x\n    def __call__(self, x): return self.fc1(x)",
        "def forward(self, x): return x\n    def __getattr__(self, name): return self.fc2",
        "@property\n    def forward(self): return self.fc1",
        "def forward(self, x): return x\nNet.forward = print",
        "def forward(self, x): return x\nNet = Block",
        "def forward(self, *, x): return x",
        "def forward(self, x, /): return x",
        "def forward(self, x, y=open('x')): return x",
        "def forward(self, x, y=[]): return x",
        "def forward(): return 1",
    ],
)
def test_a_class_whose_call_is_not_its_one_forward_is_refused(tmp_path, body):
    with pytest.raises(ForwardError) as caught:
        written(tmp_path, IMPORTS + NET.format("nn.Module", body))
    assert "net.py" in caught.value.found


def test_a_decorated_class_and_two_inherited_forwards_are_refused(tmp_path):
    two = "class A:\n    def forward(self, x): return x\nclass B:\n    def forward(self, x): pass\n"
    for text in (
        IMPORTS + "@torch.jit.script\n" + NET.format("nn.Module", "def forward(self, x): return x"),
        IMPORTS + two + NET.format("A, B", "pass"),
    ):
        with pytest.raises(ForwardError):
            written(tmp_path, text)


def test_a_mixin_without_a_forward_does_not_hide_the_inherited_one(tmp_path):
    text = (
        "class Mixin: pass\nclass Base(nn.Module):\n    def forward(self, x): return self.fc1(x)\n"
    )
    found = written(tmp_path, IMPORTS + text + NET.format("Mixin, Base", "pass"))
    assert found.run(Tape(), ("x",)) == "fc1(x)"


def test_a_sequential_of_another_library_is_not_taken_for_torchs(tmp_path):
    text = "from mine import Sequential\nfrom torch import nn\n"
    with pytest.raises(ForwardError, match="no forward"):
        written(tmp_path, text + "class Net(Sequential): pass\n", {"": "__main__.Net", "0": TORCH})
    text = "import torch.nn as nn\nclass A(nn.Sequential): pass\nclass Net(A): pass\n"
    found = written(tmp_path, text, {"": "__main__.Net", "0": TORCH, "1": TORCH})
    assert found.run(Tape(), ("x",)) == "1(0(x))"


def test_two_classes_of_one_name_are_refused(tmp_path):
    layers = {**LAYERS, "other": "elsewhere.Block"}
    (tmp_path / "net.py").write_text(HEAD + "    def forward(self, x): return x\n")
    with pytest.raises(ForwardError, match="two classes named Block"):
        find_forward(model_in(tmp_path, layers), None)


@pytest.mark.parametrize(
    "body",
    [
        "return self(x)",
        "for m in [self]:\n    x = m(x)\nreturn x",
        "for m in self.block:\n    x = m(x)\nreturn x",
        "return self.block[0](x)",
        "return self.seq(x, x)",
        "return self.stack(x)",
        "return '%1000000000d' % 5",
        "n = 1\nfor i in range(1000000000000):\n    n = n * -1\nreturn x",
        "for i in range(400):\n    for j in range(400):\n        n = (((1, 2), 3), 4)\nreturn x",
        "a = b = 1\nfor i in range(60):\n    a = [a, a]\n    b = [b, b]\nreturn x.view(a == b)",
        "a = 1\nfor i in range(60):\n    a = [a, a]\nreturn self.stack[a](x)",
        "a = 0\nfor i in range(5000):\n    a = [a]\nreturn x[a]",
        "return int(1e999)",
        "return float('1' * 9)",
        "return range(x)",
        "a, b = range(1000000000000)\nreturn a",
        "a, b = 5\nreturn a",
        "return self.block(x=x, twice=True, thrice=1)",
        "return self.block(x, x=x)",
        "return self.fc1(**x)",
        "return 2 ** 3 ** 99",
        "return x @ x",
        "return x << 5",
        "return 0x" + "f" * 5000 + " * 2",
        "return " + "-" * 3000 + "1",
        "return x" + ".t()" * 3000,
        "return " + "1 + " * 3000 + "1",
        "return " + "(" * 150 + "x" + ")" * 150 + ".y",
    ],
)
def test_every_run_ends_soon_in_a_forward_error(tmp_path, body):
    start = time.process_time()
    with pytest.raises(ForwardError) as caught:
        run(tmp_path, body)
    assert time.process_time() - start < 5
    assert len(caught.value.message) < 1000
    assert len(caught.value.message.splitlines()) <= 2


def test_what_torch_says_of_an_operator_is_told_with_its_line(tmp_path):
    class Tensor:
        def __add__(self, other):
            raise RuntimeError("sizes differ\nC++ stack")

    with pytest.raises(ForwardError, match=r"net\.py:10: x \+ 1 fails: sizes differ$"):
        forward_of(tmp_path, "return x + 1").run(Tape(), (Tensor(),))


@pytest.mark.parametrize(
    "content",
    [
        b"# coding: nonsense\n",
        b"# coding: zlib_codec\n",
        b"class Net:\n\0",
        b"\x80abc",
        b"'\\d'\nclass Net: pass",
        b"x = " + b"-" * 100_000 + b"1",
        b"x = 1" + b" + 1" * 100_000,
        b"x" + b".a" * 100_000,
        b"9" * 10_000,
        b"class Net(Net):\n    pass\n",
        b"class A(Net): pass\nclass Net(A): pass\n",
        b"class Net(" + b"a" + b".b" * 900 + b"): pass",
    ],
)
def test_any_source_gives_a_forward_error_and_no_warning(tmp_path, content):
    (tmp_path / "net.py").write_bytes(content)
    model = Model(str(tmp_path / "net.pth"), "", {"": Layer("", "__main__.Net")})
    with pytest.raises(ForwardError) as caught:
        find_forward(model, None)
    assert len(caught.value.message.splitlines()) <= 2


def test_an_endless_source_is_not_read_to_its_end(tmp_path):
    with pytest.raises(ForwardError, match="bytes"):
        find_forward(model_in(tmp_path), tmp_path.__class__("/dev/zero"))


def test_a_module_list_has_no_forward(tmp_path):
    layers = {"": "__main__.Net", "stack": LIST, "stack.0": TORCH}
    text = IMPORTS + NET.format("nn.Module", "def forward(self, x): return self.stack(x)")
    with pytest.raises(ForwardError, match="stack"):
        written(tmp_path, text, layers).run(Tape(), ("x",))
