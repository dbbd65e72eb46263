"""For all tests: no process touches the user's own folders, and how workers share the files out."""

import gc
import os
import sys
from pathlib import Path

import pytest

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False  # else each of some hundred processes compiles every module anew
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # there are several workers

LONG = ("tests/oracle/", "tests/fleet/test_against", "tests/test_models", "tests/capture/")
"""Beginnings of the files that run PyTorch most: begun last, one of them would run alone."""


@pytest.fixture(scope="session", autouse=True)
def state_of_its_own(tmp_path_factory):
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    yield
    os.environ.pop("XDG_STATE_HOME")
    if before is not None:
        os.environ["XDG_STATE_HOME"] = before


@pytest.fixture(scope="session", autouse=True)
def torch_imported_once():
    """By processes that find the tests' own scripts too."""
    from qdbg.capture import importing_torch_once  # noqa: PLC0415 - only in the workers

    with pytest.MonkeyPatch.context() as patch, importing_torch_once():
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]), prepend=os.pathsep)
        yield


@pytest.fixture(scope="module")
def quick_conversions():
    """For tests of which layers come out of a conversion, and not of their scales."""
    from tests.conversions import no_search, no_stack_traces  # noqa: PLC0415 - only in the workers

    with no_search(), no_stack_traces():
        yield


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


def pytest_collection_finish():
    """What the imports made stays to the end: not gone through again by each full collection."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 50)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """One more than there are cores: the app's tests wait for its timers and threads at times."""
    return len(os.sched_getaffinity(0)) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Whole files: what a module's fixture has captured or trained is not made by each worker."""
    from xdist.scheduler import LoadFileScheduling  # noqa: PLC0415 - only where xdist runs

    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)
