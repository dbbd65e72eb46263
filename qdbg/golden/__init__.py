"""The user's own golden model: a third column beside captured and simulated.

`load` takes dumped arrays or a Python file of functions; nothing of the user's runs in this
process.
"""

from __future__ import annotations

from pathlib import Path

from qdbg.core.program import Recording
from qdbg.errors import GoldenError
from qdbg.golden.columns import Column, Golden
from qdbg.golden.dumps import FORMATS, compare_dumps, is_dump
from qdbg.golden.functions import run_functions

__all__ = ["TIMEOUT", "Column", "Golden", "load"]

TIMEOUT = 10.0
"""Seconds that the user's code may take for one run of the model."""


def load(
    path: Path | str, recording: Recording, *, feed: str = "captured", timeout: float = TIMEOUT
) -> Golden:
    """The golden numbers of every call that the file covers.

    With the feed `simulated` the functions of a Python file get the golden model's own earlier
    results in place of PyTorch's integers. Raises GoldenError for a file that cannot be read or
    does not fit the recording, and for what the user's code raises.
    """
    path = Path(path)
    if not path.exists():
        raise GoldenError(f"there is no golden file {path}", expected=FORMATS)
    if path.suffix.lower() == ".py" and path.is_file():
        return run_functions(path, recording, feed, timeout)
    if is_dump(path):
        return compare_dumps(path, recording, feed)
    what = "a folder" if path.is_dir() else "a kind of file"
    raise GoldenError(f"{path} is {what} that qdbg does not read", expected=FORMATS)
