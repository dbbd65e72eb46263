"""How pytest-xdist shares the tests out: a file stays with one worker, long files come first."""

import pytest

LONG = ("tests/oracle/", "tests/fleet/test_against", "tests/test_models", "tests/capture/")
"""Beginnings of the files that run PyTorch most: begun last, one of them would run alone."""


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Whole files: what a module's fixture has captured or trained is not made by each worker."""
    from xdist.scheduler import LoadFileScheduling  # noqa: PLC0415 - only where xdist runs

    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)
