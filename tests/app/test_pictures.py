"""The pictures in the README are of the app as it is."""

from xml.etree import ElementTree

import pytest

from tests.pictures import FOLDER, PICTURES, picture


def words(path):
    """What can be read in a picture, piece by piece."""
    tree = ElementTree.parse(path)  # noqa: S314 - made by the app
    return [each.text for each in tree.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("name", PICTURES)
async def test_a_picture_shows_what_the_app_shows(name, tmp_path):
    await picture(name, tmp_path)
    assert words(tmp_path / f"{name}.svg") == words(FOLDER / f"{name}.svg"), (
        "if it is meant to change: python -m tests.pictures"
    )
