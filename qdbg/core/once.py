"""What is computed once for an object, when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from functools import cached_property

    __all__ = ["cached_property"]
else:

    class cached_property:  # noqa: N801 - by the name that everybody knows
        """functools' of Python 3.12. That of 3.11 holds a lock for all objects of the class while
        it computes: a thread that reports to the screen how far it is, and the screen's own thread
        that asks another object for the same, would wait for each other for ever."""

        def __init__(self, compute: Callable[[Any], Any]) -> None:
            self.compute = compute
            self.__doc__ = compute.__doc__

        def __set_name__(self, owner: type, name: str) -> None:
            self.name = name

        def __get__(self, instance: Any, owner: type | None = None) -> Any:
            if instance is None:
                return self
            found = instance.__dict__[self.name] = self.compute(instance)
            return found
