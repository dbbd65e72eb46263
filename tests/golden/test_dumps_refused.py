"""Dumped arrays that are damaged, hostile or of another run are refused by name."""

import io
import zipfile

import numpy as np
import pytest

from qdbg import golden
from qdbg.errors import GoldenError
from qdbg.golden import hexadecimal
from tests.golden.conftest import npy, npz

ZIP_BOMB = "bomb"


def bomb(size, count=1):
    """Members that unpack to much more than they take."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(count):
            with archive.open(f"fc{number + 1}.npy", "w") as member:
                for _ in range(size // 2**20):
                    member.write(bytes(2**20))
    return stream.getvalue()


def claims(shape, dtype="|u1"):
    """A .npy header that claims an array much larger than the file."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(16)


REFUSED = {
    "an unknown kind": ("a.bin", b"1", "is a kind of file that qdbg does not read .expected a .py"),
    "an unknown name": (
        "a.json",
        '{"fc7": [1]}',
        r"a.json: fc7 names nothing in this run .expected one of quant:quantize, fc1:linear",
    ),
    "an unknown stem": ("fc7.npy", npy(np.zeros(16)), "fc7.npy names nothing in this run"),
    "a name of several calls": (
        "a.json",
        '{"linear": [1, 2]}',
        "'linear' names 2 calls .expected one of fc1:linear, fc2:linear",
    ),
    "a call twice": (
        "a.json",
        '{"fc2": [1, 2, 3], "fc2:linear": [1, 2, 3]}',
        "holds fc2:linear twice, again as 'fc2:linear'",
    ),
    "a key twice": ("a.json", '{"fc2": [1, 2, 3], "fc2": [1]}', "a.json has 'fc2' twice"),
    "a wrong size": (
        "a.json",
        '{"fc1": [[1, 2]]}',
        r"fc1 has the shape \[1, 2\] .expected \[1, 16\], as fc1:linear has it",
    ),
    "a wrong shape": (
        "fc1.npy",
        npy(np.zeros((4, 4))),
        r"fc1.npy has the shape \[4, 4\] .expected \[1, 16\]",
    ),
    "fractions": ("fc2.json", "[1, 2.5, 3]", r"fc2.json gives 2.5 at \[0, 1\] .expected integers"),
    "no numbers": ("fc2.json", '["a", "b", "c"]', 'holds "a"'),
    "booleans": ("fc2.json", "[true, 1, 2]", "holds true"),
    "an array of booleans": (
        "fc1.npy",
        npy(np.zeros((1, 16), bool)),
        "fc1.npy holds booleans .expected numbers",
    ),
    "nested objects": ("a.json", '{"fc2": {"x": 1}}', "fc2 holds"),
    "ragged": ("fc2.json", "[[1], [1, 2]]", "rows of 1 and 2 values"),
    "no JSON": ("a.json", "{", "cannot be read as JSON"),
    "deep JSON": ("a.json", "[" * 100000, "cannot be read as JSON"),
    "an empty object": ("a.json", "{}", "a.json holds no arrays"),
    "no text": ("a.json", b"\xff\xfe", "is not text"),
    "an empty table": ("a.csv", "\n\n", "a.csv is empty"),
    "a name alone": ("a.csv", "fc1\n", "a.csv: fc1 has no numbers"),
    "a cell": ("a.csv", "fc2,1,two,3\n", "a.csv: fc2: cell 2 is 'two' .expected a number"),
    "uneven rows": ("fc2.csv", "1,2\n3\n", "rows of 1 and 2 numbers"),
    "an empty file": ("fc1.npy", b"", "cannot be read as a numpy array"),
    "objects": ("fc1.npy", npy(np.array([1] * 15 + ["a"])), "holds <U21 values .expected numbers"),
    "a pickle": ("fc1.npy", npy(np.array([{}], object)), "cannot be read as a numpy array"),
    "a pickle in an archive": ("a.npz", npz({"fc1": np.array([{}], object)}), "cannot be read"),
    "2^40 numbers": ("fc1.npy", claims("(1099511627776,)"), "cannot be read as a numpy array"),
    "2^62 numbers": ("fc1.npy", claims("(2147483648, 2147483648)"), "cannot be read as a numpy"),
    "wide numbers": ("fc1.npy", claims("(1,)", "|V2147483647"), "cannot be read as a numpy array"),
    "no archive": ("a.npz", b"PK\x03\x04", "a.npz cannot be read"),
    "an archive of text": ("a.npz", None, "cannot be read as a numpy array"),
    "an empty archive": ("a.npz", npz({}), "a.npz holds no arrays"),
    "a bomb": ("a.npz", ZIP_BOMB, "has 68157440 bytes .expected at most 67108864"),
    "uint64": ("fc2.npy", npy(np.full(3, 2**63, np.uint64)), "holds 9223372036854775808"),
    "no words": ("fc1.hex", "// nothing\n", "holds no words"),
    "no hexadecimal": ("fc1.hex", "00\n0g\n", "fc1.hex, line 2: '0g' is no word .expected hexa"),
    "unknown bits": ("fc1.hex", "/*\n*/ xx", "fc1.hex, line 2: 'xx' is no word"),
    "Intel HEX": ("fc1.hex", ":10010000214601", "(?s)is no word.*Intel HEX is not read"),
    "a hole": ("fc2.hex", "1 2 @9 3", "gives no word for the address @2"),
    "an overlap": ("fc2.hex", "1 2 @1 3", "gives two words for the address @1"),
    "a far address": ("fc2.hex", "1 2 @ffffffffffffffffffff 3", "gives no word for the address @2"),
    "too few words": ("fc1.hex", "1 2 3", r"fc1.hex has 3 words of 1 byte .expected \[1, 16\]"),
    "words that do not fit": ("fc1.hex", "00010203 " * 5, "has 5 words of 4 bytes"),
    "packed and not zero": ("fc2.hex", "01020304", "has 1 words of 4 bytes"),
    "a wide word": ("fc2.hex", "0" * 2**20, "has a word of 524288 bytes .expected at most 1024"),
    "mixed widths": ("fc2.hex", "0 " * 2**16 + "0" * 2048, "words of 1 to 1024 bytes"),
    "too much text": ("fc2.hex", "0 " * 2**23 + "0", "characters .expected at most 16777216"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_by_name(case, load):
    name, content, words = REFUSED[case]
    if content == ZIP_BOMB:
        content = bomb(65 * 2**20)
    elif content is None:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("fc1.txt", "hello")
        content = stream.getvalue()
    with pytest.raises(GoldenError, match=words) as caught:
        load(name, content)
    assert len(str(caught.value).splitlines()) <= 2


def test_all_arrays_together_are_bounded(load, monkeypatch):
    monkeypatch.setattr("qdbg.golden.files.MOST", 2**21)
    with pytest.raises(GoldenError, match=r"and 2097152 in all arrays together"):
        load("a.npz", npz({"fc1": np.zeros((1, 16)), "fc2": np.zeros(2**18)}))


def test_a_large_file_is_not_read(load, monkeypatch):
    monkeypatch.setattr("qdbg.arrays.MAX_BYTES", 100)
    with pytest.raises(GoldenError, match=r"bytes .expected at most 100"):
        load("fc1.json", "[" + "1, " * 100 + "1]")
    monkeypatch.setattr(hexadecimal, "MOST", 10)
    with pytest.raises(GoldenError, match=r"47 characters .expected at most 10"):
        load("fc1.hex", " ".join(["00"] * 16))


def test_there_must_be_a_file(tmp_path, small):
    with pytest.raises(GoldenError, match=r"there is no golden file .*expected a .py file"):
        golden.load(tmp_path / "none.npz", small)


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        ("a.txt", "is no dump that qdbg reads .expected .npy, .json"),
        ("", "is empty .expected files named by layer: .npy, .json"),
    ],
)
def test_a_folder_holds_dumps_only(inside, words, tmp_path, small):
    if inside:
        (tmp_path / inside).write_text("1")
    with pytest.raises(GoldenError, match=words):
        golden.load(tmp_path, small)
