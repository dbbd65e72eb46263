"""pytest collects `*.qdbg` files: each session is a test that replays it.

pytest loads this file in every run where qdbg is installed, so that it imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest


class Differs(Exception):
    """A session that did not replay as it was recorded; the text is the plain report."""


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> SessionFile | None:
    """Take the session files that pytest finds."""
    if file_path.suffix != ".qdbg":
        return None
    found: SessionFile = SessionFile.from_parent(parent, path=file_path)
    return found


class SessionFile(pytest.File):
    """One `.qdbg` file."""

    def collect(self) -> Iterable[SessionItem]:
        """One test: the replay."""
        yield SessionItem.from_parent(self, name="replay")


class SessionItem(pytest.Item):
    """The replay of one session."""

    def runtest(self) -> None:
        """Replay; skipped where nothing differs but a call could not be simulated."""
        from qdbg.errors import QdbgError  # noqa: PLC0415 - only when there is a session to replay
        from qdbg.headless.replay import replay  # noqa: PLC0415 - likewise
        from qdbg.headless.report import text  # noqa: PLC0415 - likewise

        try:
            report = replay(self.path)
        except QdbgError as error:
            raise Differs(error.message) from error
        if report.status == 3:  # noqa: PLR2004 - the documented exit status
            pytest.skip(text(report))
        if report.status:
            raise Differs(text(report))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The report alone: a traceback through qdbg would say nothing."""
        if isinstance(excinfo.value, Differs):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """The file, and what is done with it."""
        return self.path, None, f"replay of {self.path.name}"
