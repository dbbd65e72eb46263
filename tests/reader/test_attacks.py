"""Files put together opcode by opcode: nothing in them runs, and none costs much to refuse."""

import json
import pickle
import pickletools
import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from qdbg.errors import ModelError, QdbgError
from qdbg.reader import read_model
from tests.reader import attacks, crafted
from tests.reader.attacks import Case, make_all, system_payload

ROOT = Path(__file__).parents[2]
READ_ALL = """
import json, resource, sys, time
from itertools import pairwise
from pathlib import Path
from qdbg.errors import QdbgError
from qdbg.reader import read_model
folder, more = Path(sys.argv[1]), int(sys.argv[2])
read_model(Path("models/iris_qat.pth"))
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + more
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
told = {}
for path in sorted(folder.glob("*.pth")):
    start = time.process_time()
    try:
        read_model(path)
        text = "LOADED"
    except QdbgError as error:
        text = error.message
    except BaseException as error:
        text = f"CRASHED: {error!r}"
    told[path.stem] = text, time.process_time() - start
print(json.dumps(told))
"""


UNPICKLE = """
import io, pickle
class Loose(pickle.Unpickler):
    def persistent_load(self, key): return key
    def find_class(self, module, name):
        if module.split(".")[0] not in {"torch", "__main__"}:
            return super().find_class(module, name)
        return type("Any", (), {"__new__": lambda cls, *args: object.__new__(cls),
                                "__init__": lambda self, *args: None,
                                "__setstate__": lambda self, state: None})
"""


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> list[Case]:
    return make_all(tmp_path_factory.mktemp("attacks"))


@pytest.fixture(scope="module")
def told(cases):
    """What one process with 100 MB to spare says about each file, and the seconds it took."""
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-W", "error", "-c", READ_ALL, cases[0].path.parent, "100000000"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return {name: tuple(both) for name, both in json.loads(done.stdout).items()}


def test_the_crafted_model_without_a_lie_is_read(tmp_path):
    path = tmp_path / "honest.pth"
    path.write_bytes(crafted.archive(crafted.net()))
    layer = read_model(path).layers["fc"]
    assert layer.weight.q.tolist() == [[-128, -3, 0], [1, 5, 127]]
    assert layer.bias.tolist() == [0.5, -1.5]


def test_each_is_refused_with_words_that_fit(cases, told):
    assert len(cases) > 200
    present = [case for case in cases if case.path.exists()]
    wrong = {c.name: told[c.name][0] for c in present if c.says not in told[c.name][0]}
    assert not wrong
    assert not [name for name, (text, _) in told.items() if text.startswith(("LOADED", "CRASHED"))]


def test_each_message_is_one_or_two_short_lines_without_control_characters(told):
    for name, (text, _) in told.items():
        lines = text.split("\n")
        assert len(lines) <= 2, name
        assert all(line.isprintable() and len(line) < 1000 for line in lines), name


def test_none_takes_long(told):
    assert max(seconds for _, seconds in told.values()) < 5


def test_nothing_in_them_ran(cases, told):
    assert told
    assert not cases[0].marker.exists()


def test_the_harness_sees_a_payload_that_runs(tmp_path):
    marker = tmp_path / "marker"
    pickle.loads(b"\x80\x02" + system_payload(marker))  # noqa: S301 - our own payload
    assert marker.exists()


@pytest.mark.parametrize("name", ["reduce_python_2", "inst_1", "obj_1", "popped_code_1"])
def test_the_payloads_themselves_would_run(cases, tmp_path, name):
    marker = tmp_path / "marker"
    made = attacks.MAKERS[name][1](marker)
    data = made[made.index(b"\x80\x02") :]
    code = f"{UNPICKLE}\ntry: Loose(io.BytesIO({data!r})).load()\nexcept Exception: pass"
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own payload
    assert marker.exists()


def test_the_harness_sees_a_file_that_takes_too_much_memory(tmp_path):
    """A plain unpickler under the same limit fails: the limit is a real one."""
    size = 300_000_000
    code = READ_ALL.replace("read_model(path)\n        text", f"bytearray({size})\n        text")
    (tmp_path / "x.pth").write_bytes(b"")
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code, tmp_path, "100000000"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert "CRASHED: MemoryError" in done.stdout


def test_a_file_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "m.pth"
    path.write_bytes(crafted.archive(crafted.net()))

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("zipfile.ZipFile", refuse)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ModelError, match="Permission denied"):
        read_model(path)


@pytest.mark.parametrize("name", ["a\0b.pth", "x" * 5000, "/dev/null", "/dev/zero"])
def test_an_impossible_path_is_refused(name):
    with pytest.raises(QdbgError):
        read_model(Path(name))


def test_a_module_under_two_names_is_one_set_of_weights(tmp_path):
    kids = b"}(" + crafted.text("a") + crafted.linear() + b"q\x05"
    kids += crafted.text("b") + b"h\x05u"
    path = tmp_path / "shared.pth"
    path.write_bytes(
        crafted.archive(b"\x80\x02" + crafted.module("__main__ Net", _modules=kids) + b".")
    )
    layers = read_model(path).layers
    assert layers["a"].weight is layers["b"].weight
    assert (layers["a"].path, layers["b"].path) == ("a", "b")


def test_an_absent_child_is_a_setting_that_is_none(tmp_path):
    path = tmp_path / "absent.pth"
    kids = {"fc": crafted.linear(), "downsample": crafted.NONE}
    path.write_bytes(crafted.archive(b"\x80\x02" + crafted.module("__main__ Net", kids) + b"."))
    model = read_model(path)
    assert "downsample" not in model.layers
    assert model.layers[""].settings["downsample"] is None


def test_every_byte_of_every_member_is_covered_by_its_crc(tmp_path):
    """Members that no layer needs, too."""
    whole = crafted.archive(crafted.net())
    path = tmp_path / "m.pth"
    for data in crafted.DATA.values():
        for place in range(len(data)):
            damaged = bytearray(whole)
            damaged[whole.index(data) + place] ^= 1
            path.write_bytes(damaged)
            with pytest.raises(ModelError, match="CRC"):
                read_model(path)


def test_random_operations_end_in_a_model_or_a_refusal(tmp_path):
    """Whole operations are dropped, doubled, exchanged or replaced; the CRC is right."""
    data = crafted.net()
    starts = [place for _, _, place in pickletools.genops(data)] + [len(data)]
    pieces = [data[a:b] for a, b in pairwise(starts)]
    odd = [bytes([code]) for code in range(256)]
    odd += [crafted.real(float("nan")), crafted.number(-1), crafted.weight(), crafted.EMPTY]
    dice = random.Random(5)  # noqa: S311 - no secret
    path = tmp_path / "m.pth"
    refused = 0
    for _ in range(800):
        changed = list(pieces)
        for _ in range(dice.choice([1, 1, 2, 4])):
            at, to = dice.randrange(len(changed)), dice.randrange(len(changed))
            changed[at] = dice.choice([b"", changed[to], changed[at] * 2, dice.choice(odd)])
        path.write_bytes(crafted.archive(b"".join(changed)))
        try:
            assert read_model(path).layers
        except QdbgError:
            refused += 1
    assert refused > 400


def test_modules_of_packed_parameters_that_are_no_dictionary_are_harmless(tmp_path):
    inside = crafted.packed(crafted.weight(), crafted.bias())
    odd = inside[:-2] + crafted.text("_modules") + crafted.TRUE + b"ub"
    layer = crafted.module(
        crafted.LINEAR,
        {"_packed_params": odd},
        scale=crafted.real(0.1),
        zero_point=crafted.number(0),
    )
    path = tmp_path / "m.pth"
    path.write_bytes(crafted.archive(crafted.net(layer)))
    assert read_model(path).layers["fc"].weight.q.shape == (2, 3)
