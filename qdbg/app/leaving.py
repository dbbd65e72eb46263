"""A screen that was left does nothing more: what it had put off would find no widget there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from textual.screen import Screen

T = TypeVar("T")


class Leaving(Screen[T]):
    """A screen whose put-off calls end with it: those of threads and after the next refresh."""

    @property
    def here(self) -> bool:
        """Whether the screen is still there, and not on its way out."""
        return self.is_attached and self.display

    def call_after_refresh(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
        """Call it after the next refresh, unless the screen is left by then."""
        return super().call_after_refresh(self.if_here, callback, *args, **kwargs)

    def if_here(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call it, unless the screen was left."""
        return callback(*args, **kwargs) if self.here else None

    def from_thread(self, callback: Callable[..., Any], *args: Any) -> None:
        """Call it in the app's own thread from another one, unless the screen is left by then."""
        if self.here:
            self.app.call_from_thread(self.if_here, callback, *args)
