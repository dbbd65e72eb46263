"""Child only, and only with --trust-source: the user's own classes, run as ordinary Python."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from torch import nn

from qdbg.capture.quantities import tensor_of
from qdbg.capture.rebuild import Container, settings_of
from qdbg.core.program import Layer
from qdbg.errors import CaptureError

NAME = "qdbg_trusted_source"
DEFINITIONS = (
    ast.Import,
    ast.ImportFrom,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
)


def load_definitions(path: Path) -> dict[str, Any]:
    """What the file defines: its imports, functions, classes and constants, but no training.

    Raises CaptureError where even those cannot be run.
    """
    try:
        tree = ast.parse(path.read_bytes(), str(path))
        tree.body = [statement for statement in tree.body if _defines(statement)]
        module = ModuleType(NAME)
        module.__file__ = str(path)
        sys.modules[NAME] = module  # dataclasses look their own module up
        sys.path.insert(0, str(path.parent))
        exec(compile(tree, str(path), "exec"), vars(module))  # noqa: S102 - asked for by the user
    except Exception as error:
        first = str(error).partition("\n")[0]
        raise CaptureError(
            f"the definitions in {path.name} cannot be run: {type(error).__name__}: {first}"
        ) from error
    return vars(module)


def own_modules(names: dict[str, Any], root: str) -> Callable[[Layer], nn.Module]:
    """Makes the modules of the user's own classes, without running their constructors."""

    def make(layer: Layer) -> nn.Module:
        cls = names.get(layer.kind if layer.path else root.rpartition(".")[2])
        if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
            return Container(layer)
        module: nn.Module = cls.__new__(cls)
        nn.Module.__init__(module)
        for key, value in settings_of(layer).items():
            setattr(module, key, value)
        for key, held in layer.parameters.items():
            setattr(module, key, tensor_of(held))
        return module

    return make


def line_in(path: Path) -> Callable[[], str | None]:
    """Tells the innermost line of the file that is being run."""
    wanted = str(path)

    def line() -> str | None:
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename == wanted:
                return f"{path.name}:{frame.f_lineno}"
            frame = frame.f_back
        return None

    return line


def _defines(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Try):
        inner = [*statement.body, *statement.orelse, *statement.finalbody]
        inner += [each for handler in statement.handlers for each in handler.body]
        return all(isinstance(each, ast.Pass) or _defines(each) for each in inner)
    if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
        try:
            ast.literal_eval(statement.value)
        except (ValueError, TypeError):
            return False
        return True
    return isinstance(statement, DEFINITIONS)
