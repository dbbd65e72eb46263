"""Child only: which module makes the calls that follow, at which line, and what they are called."""

from __future__ import annotations

from collections.abc import Callable

ROOT = "forward"


class Whereabouts:
    """The modules that run inside one another, and the line of the innermost forward."""

    def __init__(self, line_of: Callable[[], str | None] | None) -> None:
        self.line: str | None = None
        self._line_of = line_of
        self._calls: dict[str, int] = {}
        self._names: set[str] = set()
        self._stack: list[tuple[str, int, str | None]] = [("", 1, None)]

    @property
    def path(self) -> str:
        """Of the module that runs."""
        return self._stack[-1][0]

    def enter(self, path: str) -> None:
        """The calls that follow are made by the layer at `path`."""
        self.source()
        count = self._calls[path] = self._calls.get(path, 0) + 1
        self._stack.append((path, count, self.line))

    def leave(self) -> None:
        """Back to the layer that called it, and to its line."""
        self.line = self._stack.pop()[2]

    def source(self) -> str | None:
        """The line of the user's forward that runs."""
        if self._line_of is not None:
            self.line = self._line_of()
        return self.line

    def name(self, op: str) -> str:
        """A name for the module's next call of the op, which `take` makes its own."""
        path, count, _ = self._stack[-1]
        base = f"{path or ROOT}{f'#{count}' if count > 1 else ''}:{op}"
        name, again = base, 1
        while name in self._names:
            again += 1
            name = f"{base}#{again}"
        return name

    def take(self, name: str) -> None:
        """No other call has this name from now on."""
        self._names.add(name)
