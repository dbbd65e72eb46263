"""The shipped model's file, taken apart, and put together with something else in it."""

import io
import zipfile
from functools import cache
from pathlib import Path

HONEST = Path(__file__).parents[1] / "models" / "iris_qat.pth"


@cache
def members():
    """The honest model's members by name."""
    with zipfile.ZipFile(HONEST) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(content, compression=zipfile.ZIP_STORED):
    """A zip file of the members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return stream.getvalue()


def with_pickle(data):
    """The honest file with another pickle in it."""
    return packed(members() | {"iris_qat/data.pkl": data})


def changed(old, new, count=1):
    """The honest file with bytes of its pickle replaced."""
    data = members()["iris_qat/data.pkl"]
    assert old in data
    return with_pickle(data.replace(old, new, count))


def without(name):
    return packed({other: data for other, data in members().items() if other != name})
