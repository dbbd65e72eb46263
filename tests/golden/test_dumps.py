"""Every format of dumped arrays, by every kind of name."""

import json
from dataclasses import replace

import numpy as np
import pytest

from qdbg import golden
from qdbg.core.quantity import QParams
from qdbg.errors import GoldenError
from tests.golden.conftest import captured, npy, npz, only

NAMES = ("fc1", "fc2", "relu")


@pytest.fixture
def arrays(small):
    """The captured values of three layers, with one number changed in fc1."""
    found = {name: small.values[i].copy() for name, i in zip(NAMES, (1, 3, 2), strict=True)}
    found["fc1"][0, 3] += 2
    return found


def row(array):
    return ",".join(str(n) for n in array.ravel().tolist())


def columns(arrays):
    longest = max(a.size for a in arrays.values())
    cells = [[*map(str, a.ravel().tolist())] + [""] * (longest - a.size) for a in arrays.values()]
    return "\n".join([";".join(arrays), *(";".join(line) for line in zip(*cells, strict=True))])


WRITERS = {
    "a.npz": npz,
    "a.json": lambda a: json.dumps({name: array.tolist() for name, array in a.items()}),
    "flat.json": lambda a: json.dumps({name: array.ravel().tolist() for name, array in a.items()}),
    "rows.csv": lambda a: "\n".join(f"{name},{row(array)}" for name, array in a.items()),
    "padded.csv": lambda a: "\n".join(f"{name},{row(array)},," for name, array in a.items()),
    "heads.csv": lambda a: "name,0,1\n" + "\n".join(f"{n},{row(v)}" for n, v in a.items()),
    "words.csv": lambda a: "\n".join(f"{n} {row(v).replace(',', ' ')}" for n, v in a.items()),
    "columns.csv": columns,
}


@pytest.mark.parametrize("name", WRITERS)
def test_arrays_named_by_layer_are_put_beside_their_calls(name, load, arrays):
    found = load(name, WRITERS[name](arrays))
    assert list(found.columns) == [1, 2, 3]
    assert [found.comparison(call).differences for call in (1, 2, 3)] == [1, 0, 0]
    wanted = (arrays[name] for name in ("fc1", "relu", "fc2"))
    for column, array in zip(found.columns.values(), wanted, strict=True):
        assert (column.layout, column.values.dtype) == (None, np.uint8)
        assert np.array_equal(column.values, array)
    assert found.columns[1].source.endswith(f"{name}: fc1")
    assert found.differences == 1


ALONE = {
    "fc1.npy": npy,
    "fc1.json": lambda a: json.dumps(a.tolist()),
    "fc1.csv": row,
    "column/fc1.csv": lambda a: "\n".join(str(n) for n in a.ravel().tolist()),
    "fc1.hex": lambda a: " ".join(f"{n:02x}" for n in a.ravel()),
    "fc1.mem": lambda a: "".join(f"@{i:x} {n:02X} // {i}\n" for i, n in enumerate(a.ravel())),
    "wide/fc1.memh": lambda a: "".join(f"{n:08x}\n" for n in a.ravel()),
    "fc1_linear.npy": npy,
    "fc1:linear.npy": npy,
}


@pytest.mark.parametrize("name", ALONE)
def test_a_file_of_one_layer_is_named_by_itself(name, load, arrays):
    called, column = only(load(name, ALONE[name](arrays["fc1"])))
    assert (called, column.layout) == ("fc1:linear", None)
    assert np.array_equal(column.values, arrays["fc1"])


def test_a_folder_has_a_file_per_layer(arrays, tmp_path, small):
    (tmp_path / "fc1.npy").write_bytes(npy(arrays["fc1"]))
    (tmp_path / "fc2.hex").write_text(ALONE["fc1.hex"](arrays["fc2"]))
    (tmp_path / "relu.csv").write_text(row(arrays["relu"]))
    (tmp_path / ".hidden").write_text("not a dump")
    found = golden.load(tmp_path, small)
    assert list(found.columns) == [1, 2, 3]
    assert found.differences == 1


@pytest.mark.parametrize("name", ["block.1.conv", "block_1_conv", "block.1.conv:conv2d"])
def test_paths_may_have_dots_or_underscores(name, load, image):
    value = captured(image, "block.1.conv:conv2d")
    assert only(load(f"{name}.npy", npy(value), image))[0] == "block.1.conv:conv2d"


def test_an_op_names_its_only_call(load, small):
    assert (
        only(load("a.json", json.dumps({"quantize": small.values[0].tolist()})))[0]
        == "quant:quantize"
    )


def test_a_name_of_several_calls_means_the_only_one_of_its_size(load, small):
    assert only(load("linear.npy", npy(small.values[3])))[0] == "fc2:linear"


def test_of_a_run_of_one_call_any_name_of_a_file_means_it(load, small):
    program = replace(small.program, nodes=small.program.nodes[:1])
    one = replace(small, program=program, values=small.values[:1])
    assert only(load("anything.npy", npy(one.values[0]), one))[0] == "quant:quantize"


def test_dumps_cannot_be_run_again(load, small):
    found = load("fc1.npy", npy(small.values[1]))
    assert found.rerun is None
    with pytest.raises(GoldenError, match=r"holds the numbers of one run .expected a Python file"):
        found.again(small)


# ----------------------------------------------------------------------------- hexadecimal


def test_hexadecimal_text_is_that_of_readmemh(load, small):
    values = small.values[3].ravel().tolist()
    first, second, third = (f"{n:x}" for n in values)
    text = f"""/* three
    words */ @12 0x{third}  # the last one first
    // 99
    @10 {first[0]}_{first[1:]}, {second.upper()}"""
    assert only(load("fc2.hex", text))[1].values.tolist() == [values]


def test_words_of_qint8_are_twos_complement(load, small):
    node = replace(
        small.program.nodes[3], dtype="qint8", output=QParams.per_tensor(0.1, 0, "qint8")
    )
    program = replace(small.program, nodes=(*small.program.nodes[:3], node))
    values = (*small.values[:3], np.array([[-128, -1, 127]], np.int8))
    signed = replace(small, program=program, values=values)
    for text in ("80 ff 7f", "ff80 ffff 007f", "FFFFFF80 FFFFFFFF 0000007F"):
        name, column = only(load("fc2.hex", text, signed))
        assert (name, column.layout, column.values.tolist()) == (
            "fc2:linear",
            None,
            [[-128, -1, 127]],
        )


def test_words_may_be_the_bits_of_float32(load, small):
    values = captured(small, "dequant:dequantize")
    text = "\n".join(f"{n:08x}" for n in values.view(np.uint32).ravel().tolist())
    column = only(load("dequant.hex", text))[1]
    assert column.values.tobytes() == values.tobytes()


def test_a_packed_word_may_end_in_zeros(load, small):
    data = small.values[3].tobytes()
    column = only(load("fc2.hex", f"{data.hex()}00"))[1]
    assert (column.values.tobytes(), column.layout) == (data, None)
    column = only(load("fc2.hex", f"00{data[::-1].hex()}"))[1]
    assert column.values.tobytes() == data
    assert column.layout == "with the bytes of each word reversed"
