"""Whatever is done to the bytes of a session, it is refused in words and never runs."""

import random

import numpy as np
import pytest
from safetensors.numpy import save as safetensors

from qdbg.errors import SessionError
from qdbg.headless.replay import replay
from qdbg.session import load


def test_a_flipped_bit_of_a_recorded_integer_is_damage_and_its_call_is_named(session_file):
    data = bytearray(session_file.read_bytes())
    values = load(session_file).recording.values[1].tobytes()
    place = bytes(data).rindex(values)
    data[place + 3] ^= 1
    session_file.write_bytes(data)
    with pytest.raises(SessionError, match="damaged: the recorded integers of fc1:linear changed"):
        replay(session_file)


def test_any_flipped_bit_is_damage(session_file):
    clean = session_file.read_bytes()
    random_ = random.Random(7)  # noqa: S311 - repeatable, not secret
    for _ in range(200):
        data = bytearray(clean)
        data[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
        session_file.write_bytes(data)
        with pytest.raises(SessionError):
            load(session_file)


def described_too(data, value):
    """The session with one more entry in its description."""
    length = int.from_bytes(data[:8], "little")
    note = b'{\\"content\\": {'
    assert data.count(note, 8, 8 + length) == 1
    head = data[8 : 8 + length].replace(note, note + b'\\"odd\\": ' + value + b", ")
    return len(head).to_bytes(8, "little") + head + data[8 + length :]


@pytest.mark.parametrize("value", [b"1e999", b"NaN"])
def test_a_number_that_json_cannot_write_is_damage(session_file, value):
    session_file.write_bytes(described_too(session_file.read_bytes(), value))
    with pytest.raises(SessionError, match="damaged"):
        load(session_file)


def test_lists_of_any_depth_in_the_description_are_damage(session_file):
    """At some depth Python can still read them, and not write them any more."""
    clean = session_file.read_bytes()
    for depth in range(800, 1000):
        session_file.write_bytes(described_too(clean, b"[" * depth + b"]" * depth))
        with pytest.raises(SessionError, match="damaged"):
            load(session_file)


FOREIGN = {
    "empty": b"",
    "text": b"hello, world\n",
    "short": b"\x01",
    "zip": b"PK\x03\x04" + bytes(60),
    "safetensors": safetensors({"x": np.zeros(3, np.float32)}),
    "huge header": (2**63).to_bytes(8, "little") + b"{}",
    "long header": (10**6).to_bytes(8, "little") + b'{"a":' + bytes(50),
    "deep header": (200_000).to_bytes(8, "little") + b'{"a":' * 40_000,
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_file_is_refused(kind, tmp_path):
    path = tmp_path / "x.qdbg"
    path.write_bytes(FOREIGN[kind])
    with pytest.raises(SessionError) as refused:
        replay(path)
    assert str(path) in refused.value.message


def test_every_truncation_is_refused(session_file):
    data = session_file.read_bytes()
    for length in range(0, len(data), 97):
        session_file.write_bytes(data[:length])
        with pytest.raises(SessionError):
            load(session_file)


def test_random_bytes_are_refused(tmp_path):
    random_ = random.Random(1)  # noqa: S311 - repeatable, not secret
    path = tmp_path / "x.qdbg"
    for _ in range(200):
        path.write_bytes(random_.randbytes(random_.randrange(300)))
        with pytest.raises(SessionError):
            load(path)


def mutations(data, seed):
    """The data with one leaf of its description replaced, again and again."""
    random_ = random.Random(seed)  # noqa: S311 - repeatable, not secret
    spots = [(data, key) for key in data]
    for holder, key in spots:
        inside = holder[key]
        if isinstance(inside, dict):
            spots += [(inside, k) for k in inside]
        elif isinstance(inside, list):
            spots += [(inside, i) for i in range(len(inside))]
    holder, key = random_.choice(spots)
    holder[key] = random_.choice([None, -1, 2**70, "", "cat", [], {}, True, 1.5, [[]], "fc1"])


@pytest.mark.parametrize("seed", range(150))
def test_a_changed_description_with_right_digests_is_refused_or_replayed(edit, seed):
    path = edit(lambda tensors, metadata: mutations(metadata, seed))
    try:
        assert replay(path).status in {0, 1, 3}
    except SessionError as error:
        assert error.found


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.qdbg", tmp_path):
        with pytest.raises(SessionError):
            replay(path)
