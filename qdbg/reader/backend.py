"""Who computes what an interpreted forward asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Backend(Protocol):
    """Who computes: real torch modules in the capture process."""

    def call_layer(self, path: str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        """The result of a module of the file."""

    def call_function(self, name: str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        """The result of a function of torch, by its full name."""

    def call_method(self, value: Any, name: str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        """The result of a tensor's method."""

    def call_member(self, path: str, name: str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        """The result of a method of a QFunctional."""

    def get_tensor(self, path: str, name: str) -> Any:
        """A tensor that one of the user's own modules holds."""

    def get_constant(self, name: str) -> Any:
        """A value of torch by its full name: `torch.quint8`."""

    def get_attribute(self, value: Any, name: str) -> Any:
        """A tensor's attribute."""

    def enter_line(self, line: str) -> None:
        """The user's own source line that the next calls belong to."""

    def enter_layer(self, path: str) -> None:
        """A module whose forward is interpreted begins."""

    def leave_layer(self) -> None:
        """It ends."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A module of the file, or `self` while its forward runs."""

    path: str
