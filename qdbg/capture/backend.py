"""Child only: what the interpreter of `forward` calls to compute with real torch modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from qdbg.capture.rebuild import Container
from qdbg.capture.tape import Tape
from qdbg.errors import CaptureError
from qdbg.reader.backend import Ref

INTERPRETED = {Container, torch.nn.Sequential, torch.nn.ModuleList, torch.nn.ModuleDict}
"""Modules whose children are called by the interpreter alone."""


class Backend:
    """Runs layers, functions and methods by torch; tells the tape where they were called."""

    def __init__(self, modules: Mapping[str, torch.nn.Module]) -> None:
        self.tape: Tape | None = None
        self._modules = modules
        self._widths = {path: getattr(m, "in_features", None) for path, m in modules.items()}
        self.inner = _inside_torchs(modules)
        """The modules that a module of torch's own may call: only hooks tell when."""

    def call_layer(self, path: str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        """The result of a module of the file."""
        module = self._modules.get(path)
        if module is None or isinstance(module, Container):
            raise CaptureError(f"{path or 'the model'} is not a layer that qdbg can run")
        args, kwargs = self._resolved(args), self._resolved(kwargs) if kwargs else {}
        self._check_width(path, args)
        if self.tape is None or not path or path in self.inner:
            return module(*args, **kwargs)
        return self.tape.through(path, module, args, kwargs)

    def _check_width(self, path: str, args: Any) -> None:
        """Say what a Linear layer takes before torch says it in its own words."""
        wanted = self._widths[path]
        if wanted is None or not args or not isinstance(args[0], torch.Tensor):
            return
        shape = list(args[0].shape)
        if not shape or shape[-1] != wanted:
            at = None if self.tape is None else self.tape.where.line
            line = f"{at}: " if at else ""
            raise CaptureError(
                f"{line}layer {path} is given a value of shape {shape}",
                expected=f"[N, {wanted}]",
                remedy=f"Give an input that leads to {wanted} numbers per row there.",
            )

    def call_function(self, name: str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        """The result of `torch.relu`, `torch.nn.functional.relu` and the like."""
        head, *parts = name.split(".")
        found: Any = torch
        for part in parts:
            found = None if part.startswith("_") else getattr(found, part, None)
        if head != "torch" or not parts or not callable(found):
            raise CaptureError(f"torch {torch.__version__} has no function {name}")
        args, kwargs = self._resolved((args, dict(kwargs)))
        return found(*args, **kwargs)

    def call_member(self, path: str, name: str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        """The result of a method of a QFunctional: it makes the call, as its own forward would."""
        module = self._modules[path]
        method = getattr(module, name, None)
        if method is None:
            raise CaptureError(f"{path} ({type(module).__name__}) has no {name}")
        args, kwargs = self._resolved((args, dict(kwargs)))
        self.enter_layer(path)
        try:
            return method(*args, **kwargs)
        finally:
            self.leave_layer()

    def get_tensor(self, path: str, name: str) -> Any:
        """A tensor that a module of the user's own class holds."""
        module = self._modules[path]
        held = module.qdbg_held if isinstance(module, Container) else {}
        if name not in held:
            raise CaptureError(f"{path or 'the model'} holds no tensor {name}")
        return held[name]

    def get_constant(self, name: str) -> Any:
        """`torch.quint8` and the like; the interpreter's list says which."""
        return getattr(torch, name.removeprefix("torch."))

    def _resolved(self, value: Any) -> Any:
        """Packed weights in the place of their references. Raises CaptureError for layers."""
        if type(value) is torch.Tensor:
            return value
        if type(value) in {tuple, list}:  # a torch.Size, say, holds no layers
            return type(value)(self._resolved(part) for part in value)
        if isinstance(value, dict):
            return {key: self._resolved(part) for key, part in value.items()}
        if not isinstance(value, Ref):
            return value
        packed = getattr(self._modules.get(value.path), "packed", None)
        if packed is None:
            raise CaptureError(f"{value.path} is a layer, not a value that a function takes")
        return packed

    def call_method(self, value: Any, name: str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        """The result of a tensor's method."""
        args, kwargs = self._resolved((args, dict(kwargs)))
        return self.get_attribute(value, name)(*args, **kwargs)

    def get_attribute(self, value: Any, name: str) -> Any:
        """A tensor's attribute: `shape`, `ndim`."""
        if name.startswith("_") or not hasattr(value, name):
            raise CaptureError(f"a {type(value).__name__} has no {name}")
        return getattr(value, name)

    def enter_line(self, line: str) -> None:
        """The user's own source line that the next calls belong to."""
        if self.tape is not None:
            self.tape.where.line = line

    def enter_layer(self, path: str) -> None:
        """The interpreter follows the forward of the user's own module at `path`."""
        if self.tape is not None:
            self.tape.enter(path)

    def leave_layer(self) -> None:
        """It is through with it."""
        if self.tape is not None:
            self.tape.where.leave()


def _inside_torchs(modules: Mapping[str, torch.nn.Module]) -> dict[str, torch.nn.Module]:
    found: dict[str, torch.nn.Module] = {}
    for path, module in modules.items():
        parent = path.rpartition(".")[0]
        if path and (parent in found or type(modules[parent]) not in INTERPRETED):
            found[path] = module
    return found
