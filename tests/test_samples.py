"""Samples are bit for bit what sklearn gives, and anything else is refused in plain words."""

import json
import subprocess
import sys
import zipfile
from importlib import import_module

import numpy as np
import pytest

from qdbg import arrays, samples
from qdbg.errors import SampleError
from qdbg.names import FLOWERS, is_sample
from qdbg.samples import MEAN, MEASURED, SCALE, fitting, input_sample, iris_rows, named_sample


@pytest.fixture(scope="module")
def iris():
    return import_module("sklearn.datasets").load_iris().data


@pytest.fixture(scope="module")
def scaler(iris):
    return import_module("sklearn.preprocessing").StandardScaler().fit(iris)


def test_the_scalers_constants_are_sklearns(scaler):
    assert np.array_equal(scaler.mean_, MEAN)
    assert np.array_equal(scaler.scale_, SCALE)


def test_the_rows_are_sklearns(scaler, iris):
    assert np.array_equal(iris_rows(), iris)
    scaled = scaler.transform(iris).astype(np.float32)
    ours = np.concatenate([named_sample(f"iris:{row}").values for row in range(150)])
    assert ours.tobytes() == scaled.tobytes()


def test_the_rows_are_found_even_if_sklearns_file_moved(monkeypatch, tmp_path, iris):
    class Spec:
        origin = str(tmp_path / "__init__.py")

    monkeypatch.setattr(samples.importlib.util, "find_spec", lambda name: Spec)
    assert np.array_equal(iris_rows(), iris)


@pytest.mark.parametrize("name", FLOWERS)
def test_the_named_flowers_go_through_the_scaler(scaler, name):
    sample = named_sample(name)
    wanted = scaler.transform([MEASURED[name]]).astype(np.float32)
    assert sample.values.tobytes() == wanted.tobytes()
    assert (sample.values.shape, sample.values.flags.writeable) == ((1, 4), False)
    assert sample.note == f"{' '.join(map(str, MEASURED[name]))} cm, standardized"
    assert is_sample(name)


def test_a_rows_note_names_it():
    assert named_sample("iris:57").note == "row 57 of Iris, standardized"


@pytest.mark.parametrize(
    "name", ["iris:150", "iris:-1", "iris:", "iris:1.0", "iris:٣", "iris:99999", "rose", ""]
)
def test_an_unknown_name_is_refused_with_the_known_ones(name):
    with pytest.raises(SampleError) as caught:
        named_sample(name)
    assert "0" in caught.value.expected


@pytest.mark.parametrize("text", ["5.3 3.7 1.5 0.2", "5.3,3.7,1.5,0.2", "[5.3, 3.7, 1.5, 0.2]"])
def test_typed_numbers_are_taken_as_scaled_unless_said_otherwise(text):
    plain = input_sample(text)
    assert np.array_equal(plain.values, np.array([[5.3, 3.7, 1.5, 0.2]], np.float32))
    assert (plain.name, plain.note) == (f"--input {text}", "your numbers, taken as already scaled")
    scaled = input_sample(text, standardize=True)
    assert scaled.values.tobytes() == named_sample("setosa").values.tobytes()
    assert scaled.note == "your numbers, standardized with the scaler of Iris"


TABLE = np.array([[1, -2.5], [3, 4e-3], [5, 6]], np.float64)


def written(folder, kind):
    path = folder / f"x.{kind}"
    if kind == "npy":
        np.save(path, TABLE)
    elif kind == "npz":
        np.savez(path, only=TABLE)
    elif kind == "json":
        path.write_text(json.dumps(TABLE.tolist()))
    else:
        path.write_text("\ufeffwidth;length\n1;-2.5\n3;4e-3\n\n5;6\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["npy", "npz", "json", "csv"])
def test_every_kind_of_file_gives_its_rows(tmp_path, kind):
    path = written(tmp_path, kind)
    sample = input_sample(str(path), features=2)
    assert np.array_equal(sample.values, TABLE.astype(np.float32))
    assert sample.note == f"the numbers of {path}, taken as already scaled"


def test_one_row_needs_no_table(tmp_path):
    np.save(tmp_path / "row.npy", np.arange(3))
    assert input_sample(str(tmp_path / "row.npy")).values.tolist() == [[0, 1, 2]]


def test_one_array_of_many_is_chosen_by_name(tmp_path):
    np.savez(tmp_path / "x.npz", a=TABLE, b=np.ones((1, 2)))
    assert input_sample(f"{tmp_path / 'x.npz'}:b").values.tolist() == [[1, 1]]
    with pytest.raises(SampleError, match="holds 2 arrays: a, b"):
        input_sample(str(tmp_path / "x.npz"))
    with pytest.raises(SampleError, match="no array 'c'"):
        input_sample(f"{tmp_path / 'x.npz'}:c")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 nan 3", "nan at row 1, column 2"),
        ("1 2;inf 3", "inf at row 2, column 1"),
        ("1e39", "too large"),
        ("1 2;3", "rows of 1 and 2 values"),
        ("flower", "neither file nor numbers"),
        ("missing.npy", "no file missing.npy"),
        ("", "--input ''"),
    ],
)
def test_bad_numbers_are_refused_in_words(text, words):
    with pytest.raises(SampleError) as caught:
        input_sample(text)
    assert words in caught.value.message
    assert caught.value.expected


def test_one_row_of_a_file_is_a_sample_and_no_input(tmp_path):
    np.save(tmp_path / "row.npy", np.arange(3))
    with pytest.raises(SampleError) as caught:
        input_sample(f"{tmp_path / 'row.npy'}:2")
    assert caught.value.remedy == f"One of a file's samples: --sample {tmp_path / 'row.npy'}:2"


BROKEN = {
    "empty.npy": b"",
    "text.npy": b"hello",
    "cut.npy": b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (9,)}",
    "empty.csv": b"\n\n",
    "header.csv": b"a,b\n",
    "ragged.csv": b"1,2\n3\n",
    "words.csv": b"a,b\n1,x\n",
    "binary.csv": b"\xff\xfe\x00",
    "empty.json": b"",
    "object.json": b'{"a": 1}',
    "mixed.json": b"[1, [2]]",
    "bool.json": b"[true, 1]",
    "string.json": b'["1"]',
    "huge.json": b"[1" + b"0" * 400 + b"]",
    "deep.json": b"[" * 100000,
    "ragged.json": b"[[[1], [2]], [[1]]]",
    "nested.json": b"[[[[[[1]]]]]]",
    "bad.npz": b"PK\x03\x04",
    "x.bin": b"1 2",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_by_name(tmp_path, name):
    (tmp_path / name).write_bytes(BROKEN[name])
    with pytest.raises(SampleError) as caught:
        input_sample(str(tmp_path / name))
    assert name in caught.value.message


@pytest.mark.parametrize(
    "array",
    [
        np.array([None]),
        np.array(["1"]),
        np.array([1j]),
        np.array([True]),
        np.ones((1, 1, 1, 1, 2, 3)),
        np.array(1.0),
        np.ones((0, 4)),
        np.array([(1, 2)], dtype="i4,i4"),
    ],
)
def test_arrays_of_other_things_are_refused(tmp_path, array):
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    with pytest.raises(SampleError, match=r"x\.npy"):
        input_sample(str(tmp_path / "x.npy"))


@pytest.mark.parametrize("name", ["x.npy", "x.json"])
def test_images_keep_their_axes(tmp_path, name):
    images = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    path = tmp_path / name
    if name == "x.npy":
        np.save(path, images)
    else:
        path.write_text(json.dumps(images.tolist()))
    assert np.array_equal(input_sample(str(path)).values, images)


def test_an_array_file_with_a_damaged_header_is_refused_in_words(tmp_path):
    np.save(tmp_path / "x.npy", np.ones(4))
    data = (tmp_path / "x.npy").read_bytes().replace(b"(4,)", b"((((")
    (tmp_path / "x.npy").write_bytes(data)
    with pytest.raises(SampleError, match="cannot be read as a numpy array"):
        input_sample(str(tmp_path / "x.npy"))


def test_a_pickle_in_an_array_file_never_runs(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    np.save(tmp_path / "x.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    with pytest.raises(SampleError):
        input_sample(str(tmp_path / "x.npy"))
    assert not (tmp_path / "ran").exists()


def test_a_zip_bomb_is_refused_by_its_stated_size(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "MAX_BYTES", 10_000)
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(1_000_000))
    with pytest.raises(SampleError, match="1000000 bytes"):
        input_sample(str(tmp_path / "x.npz"))


def test_a_wrong_width_is_refused_with_what_was_expected():
    with pytest.raises(SampleError, match=r"3 values per row .expected 4") as caught:
        input_sample("1 2 3", features=4)
    assert "--input" in caught.value.remedy
    with pytest.raises(SampleError, match=r"4 values per row .expected 7"):
        fitting(named_sample("setosa"), 7)


def test_only_four_values_can_go_through_the_scaler_of_iris():
    with pytest.raises(SampleError, match="scaler"):
        input_sample("1 2 3", standardize=True)


def test_a_folder_is_not_a_file(tmp_path):
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(SampleError, match="not a file"):
        input_sample(str(tmp_path / "x.csv"))


def test_sklearn_is_not_imported_for_it():
    code = "import sys; from qdbg.samples import *; named_sample('iris:3'); print(*sys.modules)"
    done = subprocess.run(  # noqa: S603 - this Python, our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"sklearn", "torch"} & set(done.stdout.split())
