"""Sets of samples are scikit-learn's own, or a file's; anything else is refused in plain words."""

import json
import zipfile
from importlib import import_module

import numpy as np
import pytest

from qdbg import sets
from qdbg.errors import SampleError
from qdbg.names import DIGITS, SETS, is_sample, is_set
from qdbg.samples import named_sample
from qdbg.sets import any_sample, sample_set


@pytest.fixture(scope="module")
def datasets():
    return import_module("sklearn.datasets")


def test_iris_is_every_row_as_it_is_opened_alone(datasets):
    found = sample_set("iris")
    assert found.values.shape == (SETS["iris"], 4)
    assert np.array_equal(found.labels, datasets.load_iris().target)
    for row in (0, 57, 149):
        assert found.row(row).values.tobytes() == named_sample(f"iris:{row}").values.tobytes()


def test_the_digits_are_sklearns(datasets):
    found, digits = sample_set("digits"), datasets.load_digits()
    assert found.values.shape == (DIGITS, 1, 8, 8)
    assert found.values.dtype == np.float32
    assert np.array_equal(found.values.reshape(-1, 64) * 16, digits.data)
    assert np.array_equal(found.labels, digits.target)
    assert not found.values.flags.writeable


def test_the_digits_are_found_even_if_sklearns_file_moved(monkeypatch, tmp_path, datasets):
    class Spec:
        origin = str(tmp_path / "__init__.py")

    monkeypatch.setattr(sets.importlib.util, "find_spec", lambda name: Spec)
    assert np.array_equal(sample_set("digits").labels, datasets.load_digits().target)


def test_one_of_the_digits_is_a_sample():
    sample = any_sample("digits:1796")
    assert sample.name == "digits:1796"
    assert sample.values.tobytes() == sample_set("digits").values[1796:].tobytes()
    assert sample.values.shape == (1, 1, 8, 8)
    assert sample.note.startswith("sample 1796 of 1797")


X = np.arange(12, dtype=np.float64).reshape(3, 4)


def test_every_kind_of_file_holds_a_set(tmp_path):
    np.save(tmp_path / "a.npy", X)
    np.savez(tmp_path / "a.npz", images=X, labels=np.array([2, 0, 1]))
    (tmp_path / "a.csv").write_text("\n".join(",".join(map(str, row)) for row in X))
    (tmp_path / "a.json").write_text(json.dumps(X.tolist()))
    for kind in ("npy", "npz", "csv", "json"):
        found = sample_set(str(tmp_path / f"a.{kind}"))
        assert np.array_equal(found.values, X)
        assert found.values.dtype == np.float32
        assert any_sample(f"{tmp_path}/a.{kind}:2").values.tolist() == [[8, 9, 10, 11]]
    assert sample_set(str(tmp_path / "a.npz")).labels.tolist() == [2, 0, 1]
    assert sample_set(str(tmp_path / "a.npy")).labels is None


def test_an_array_among_several_is_named(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, one=X, two=X[:, :2], y=np.array([0, 1, 2], np.uint8))
    with pytest.raises(SampleError, match=r"holds 2 arrays of samples: one, two") as caught:
        sample_set(str(path))
    assert caught.value.remedy == f"write {path}:one"
    found = sample_set(f"{path}:two")
    assert (found.values.shape, found.labels.tolist()) == ((3, 2), [0, 1, 2])


def refuse(path, **arrays):
    np.savez(path, **arrays)
    with pytest.raises(SampleError) as caught:
        sample_set(str(path))
    return caught.value.message


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": X, "y": np.arange(2)}, "has 3 samples and labels of the shape [2]"),
        ({"x": X, "y": np.zeros(3)}, "y in "),
        ({"x": X, "labels": np.zeros((3, 1), np.int64)}, "labels of the shape [3, 1]"),
        ({"y": np.arange(3)}, "holds 0 arrays of samples: labels alone"),
        ({"x": X * np.nan}, "has nan at row 1, column 1"),
        ({"x": X * 1e300}, "is too large"),
        ({"x": np.zeros((0, 4))}, "holds no numbers"),
        ({"x": np.zeros((1,) * 7)}, "has the shape"),
        ({"x": np.array(["a", "b"])}, "values (expected numbers)"),
    ],
)
def test_bad_arrays_are_refused(tmp_path, arrays, words):
    assert words in refuse(tmp_path / "bad.npz", **arrays)


def test_bad_files_are_refused(tmp_path):
    for name, content in {
        "a.npz": b"PK\x03\x04 no archive",
        "b.npy": b"\x93NUMPY\x01\x00 no header",
        "c.csv": b"1,2\n3,x\n",
        "d.json": b'{"a": 1',
        "e.csv": b"",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SampleError):
            sample_set(str(tmp_path / name))
    with zipfile.ZipFile(tmp_path / "f.npz", "w") as archive:
        archive.writestr("x.npy", b"no array")
    with pytest.raises(SampleError, match="cannot be read as a numpy array"):
        sample_set(str(tmp_path / "f.npz"))
    with pytest.raises(SampleError, match="there is no file"):
        sample_set(str(tmp_path / "none.npz"))
    with pytest.raises(SampleError, match="no set of samples called 'flowers'"):
        sample_set("flowers")


def test_a_pickle_is_never_loaded(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(SampleError, match="cannot be read as a numpy array"):
        sample_set(str(tmp_path / "a.npy"))


def test_a_row_beyond_the_last_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", X)
    with pytest.raises(SampleError, match="has no sample 3"):
        any_sample(f"{tmp_path}/a.npy:3")


@pytest.mark.parametrize(
    "name", ["iris", "digits", "a.npz", "a.NPY", "./b.csv", "c d.json", "a.npz:x", "a:b.npz"]
)
def test_names_of_sets(name):
    assert is_set(name)


@pytest.mark.parametrize("name", ["", "iris:1", "rose", "a.txt", "a.npz:", "a.npy:x", "a.npz:7"])
def test_names_of_no_sets(name):
    assert not is_set(name)


@pytest.mark.parametrize("name", ["digits:0", "digits:1796", "a.npz:7", "a.npz:x:7", "b.csv:0"])
def test_names_of_single_samples(name):
    assert is_sample(name)


@pytest.mark.parametrize(
    "name", ["digits", "digits:1797", "digits:-1", "digits:٣", "a.txt:1", "a.npz:", "a.npz:x"]
)
def test_names_of_no_single_samples(name):
    assert not is_sample(name)
