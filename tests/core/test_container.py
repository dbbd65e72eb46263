"""A recording survives its file exactly; a damaged or foreign file is refused in plain words."""

import json
import mmap
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import safetensors.numpy

from qdbg.core import container, contents, replacing
from qdbg.core.container import SAVE_AGAIN, decode, encode, pack, read, unpack, write
from qdbg.errors import SessionError
from tests import synthetic


@pytest.fixture(scope="module")
def recording():
    return synthetic.recording()


@pytest.fixture(scope="module")
def data(recording):
    return encode(*pack(recording))


def test_everything_comes_back_bit_for_bit(recording, data):
    again = unpack(*decode(data, "x"))
    assert encode(*pack(again)) == data
    assert again.environment == recording.environment
    assert [n.name for n in again.program.nodes] == [n.name for n in recording.program.nodes]
    for ours, theirs in zip(again.values, recording.values, strict=True):
        assert (ours.dtype, ours.tobytes()) == (theirs.dtype, theirs.tobytes())
        assert not ours.flags.writeable


def test_equal_content_gives_equal_bytes(recording, data):
    tensors, metadata = pack(recording)
    backwards = dict(reversed(tensors.items())), dict(reversed(metadata.items()))
    assert all(encode(*backwards) == data for _ in range(5))


def test_the_file_is_plain_safetensors(recording, data):
    tensors = safetensors.numpy.load(data)
    assert np.array_equal(tensors["value/fc1:linear"], recording.values[1])
    note = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    assert safetensors.numpy.save(tensors, metadata=note) == data


def test_numbers_of_a_type_that_no_recording_has_are_refused(tmp_path):
    with pytest.raises(SessionError, match="float16 numbers cannot be saved"):
        write(tmp_path / "s.qdbg", {"x": np.zeros(3, np.float16)}, {})
    assert not list(tmp_path.iterdir())


def test_a_file_is_the_same_in_any_pieces(tmp_path, monkeypatch):
    held = {
        f"{kind}{n}": np.arange(n, dtype=kind) for kind in ("u1", "f4", "i8") for n in (0, 5, 99)
    }
    path = tmp_path / "s.qdbg"
    for piece in (1, 100, 2**20):  # with 1 a thread lets go of the file before
        monkeypatch.setattr(replacing, "PIECE", piece)
        write(path, held, {"a": "1"})
        assert path.read_bytes() == encode(held, {"a": "1"})


def test_a_disk_that_fails_while_numbers_are_still_computed_leaves_the_old_file(
    tmp_path, monkeypatch
):
    path = tmp_path / "s.qdbg"
    path.write_bytes(b"old")

    def full(handle, data, at):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(replacing, "PIECE", 1)
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(SessionError, match="cannot be written: No space left"):
        write(path, {"x": np.arange(9)}, {})
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_sessions_own_parts_travel_along(recording):
    tensors, metadata = pack(recording)
    back = decode(encode(tensors | {"what-if": np.arange(3)}, metadata | {"cursor": 7}), "x")
    assert back[0]["what-if"].tolist() == [0, 1, 2]
    assert back[1]["cursor"] == 7
    unpack(*back)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("value/fc1:linear", "the recorded integers of fc1:linear"),
        ("weight/fc1", "the weights of fc1"),
        ("bias/fc2", "the biases of fc2"),
        ("scale/weight/fc1", "the scales of fc1"),
        ("input", "the recorded input"),
    ],
)
def test_one_flipped_bit_of_a_tensor_is_found_and_named(data, key, words):
    length = int.from_bytes(data[:8], "little")
    start = json.loads(data[8 : 8 + length])[key]["data_offsets"][0] + 8 + length
    broken = bytearray(data)
    broken[start] ^= 1
    with pytest.raises(SessionError, match="damaged") as caught:
        decode(bytes(broken), "x.qdbg")
    assert words in caught.value.found


@pytest.mark.parametrize("change", [b"xx", b""])
def test_a_file_of_another_length_is_refused_with_both_lengths(data, change):
    broken = data + change if change else data[:-3]
    with pytest.raises(SessionError) as caught:
        decode(broken, "x.qdbg")
    assert caught.value.found == f"x.qdbg is damaged: it has {len(broken)} bytes"
    assert (caught.value.expected, caught.value.remedy) == (str(len(data)), SAVE_AGAIN)


def test_no_flipped_bit_anywhere_goes_unseen(data):
    """One bit in every seventh byte, each in its turn."""
    for position in range(0, len(data), 7):
        broken = bytearray(data)
        broken[position] ^= 1 << position % 8
        try:
            back = decode(bytes(broken), "x")
        except SessionError:
            continue
        assert encode(*back) == data  # padding of the header: nothing was said there


def test_no_truncated_file_is_read(data):
    for length in range(0, len(data), 61):
        with pytest.raises(SessionError):
            decode(data[:length], "x")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"hello", "not a session"),
        (b"PK\x03\x04" + bytes(90), "not a session"),
        (b"\xff" * 8 + b"{}", "ends too early"),
        (b"\x02\0\0\0\0\0\0\0{]", "header cannot be read"),
        (b"\x02\0\0\0\0\0\0\0{}", "not one of qdbg's"),
        (safetensors.numpy.save({"a": np.ones(3)}), "not one of qdbg's"),
        (safetensors.numpy.save({}, metadata={"qdbg": "{}"}), "not a session"),
        (safetensors.numpy.save({}, metadata={"qdbg": "[" * 99999}), "cannot be read"),
    ],
)
def test_foreign_files_are_refused(tmp_path, content, words):
    path = tmp_path / "foreign.qdbg"
    path.write_bytes(content)
    with pytest.raises(SessionError, match=words) as caught:
        read(path)
    assert "foreign.qdbg" in caught.value.found


def test_another_version_is_refused_with_both_numbers(monkeypatch, recording):
    monkeypatch.setattr(contents, "WHOLE", 9)
    newer = encode(*pack(recording))
    monkeypatch.undo()
    with pytest.raises(SessionError, match=r"format version 9 .expected version 1 to 3"):
        decode(newer, "x")


@pytest.mark.parametrize("name", ["missing.qdbg", "."])
def test_what_is_no_file_is_refused(tmp_path, name):
    with pytest.raises(SessionError, match="no file|not a file"):  # noqa: RUF043
        read(tmp_path / name)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, recording):
    path = tmp_path / "s.qdbg"
    path.write_bytes(b"old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SessionError, match="cannot be written: No space left"):
        write(path, *pack(recording))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_missing_is_made_and_permissions_stay(tmp_path, recording):
    path = tmp_path / "sessions" / "s.qdbg"
    write(path, *pack(recording))
    path.chmod(0o640)
    write(path, *pack(recording))
    assert path.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in path.parent.iterdir()] == ["s.qdbg"]


def test_a_link_stays_and_its_target_is_replaced(tmp_path, recording):
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "s.qdbg", tmp_path / "s.qdbg"
    link.symlink_to(target)
    write(link, *pack(recording))
    assert link.is_symlink()
    assert target.read_bytes() == encode(*pack(recording))


ENDLESS = """
import sys, itertools, numpy as np
from pathlib import Path
from qdbg.core.container import write
for i in itertools.count():
    write(Path(sys.argv[1]), {"a": np.full(50000, i % 2)}, {"i": i % 2})
    print(i, flush=True)
"""


def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path):
    path = tmp_path / "s.qdbg"
    for pause in (0.0, 0.003, 0.011, 0.02):
        command = [sys.executable, "-c", ENDLESS, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603
            process.stdout.readline()
            time.sleep(pause)
            process.send_signal(signal.SIGKILL)
        tensors, metadata = read(path)
        assert (tensors["a"] == metadata["i"]).all()


def test_a_large_file_is_mapped_and_a_changed_byte_in_it_is_still_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(container, "MAPPED", 0)
    path = tmp_path / "large.qdbg"
    held = {"empty": np.zeros((0, 2), np.float32), "x": np.arange(12, dtype=np.uint8).reshape(3, 4)}
    container.write(path, held, {"a": 1})
    tensors, metadata = container.read(path)
    assert metadata == {"a": 1}
    assert all(np.array_equal(tensors[name], held[name]) for name in held)
    assert tensors["x"].dtype == np.uint8
    base = tensors["x"]
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(base.obj, mmap.mmap)
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(SessionError, match="changed since"):
        container.read(path)
    path.unlink()
    path.write_bytes(data[:-1])
    with pytest.raises(SessionError, match="damaged"):
        container.read(path)
