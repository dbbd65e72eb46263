"""Where the order of the layers comes from: the model's own kind, or the source of its class."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qdbg.core.program import Layer, Model
from qdbg.errors import ForwardError
from qdbg.reader.allow import check
from qdbg.reader.archive import SAVE
from qdbg.reader.backend import Backend
from qdbg.reader.graph import generated_source
from qdbg.reader.inputs import check_inputs
from qdbg.reader.interpreter import Interpreter
from qdbg.reader.source import Source, read_source


@dataclass(frozen=True, slots=True, eq=False)
class Forward:
    """The model's forward, checked and ready to be interpreted."""

    model: Model
    source: Source | None
    """None for a model that is an nn.Sequential."""
    trusted: bool
    """The user allows the file to run as ordinary Python; nothing was checked then."""

    @property
    def source_path(self) -> str:
        """The file with the class; empty where there is none."""
        return "" if self.source is None else str(self.source.path)

    @property
    def class_name(self) -> str:
        """The name of the model's class in that file."""
        return self.model.layers[""].kind

    def run(self, backend: Backend, inputs: tuple[Any, ...]) -> Any:
        """Call the layers in forward's order. Raises ForwardError, by line, where it cannot."""
        try:
            return Interpreter(self.model.layers, self.source, backend).call("", inputs, {})
        except RecursionError as error:
            raise ForwardError(
                f"{Path(self.source_path or self.model.name).name}: forward is nested too deeply"
            ) from error


def find_forward(model: Model, source: Path | None, trust: bool = False) -> Forward:
    """The forward of the model: never a guess. Raises ForwardError.

    An nn.Sequential needs no source. Any other class is looked up in `source`, or in NAME.py
    beside NAME.pth. With `trust`, the class must exist but may use anything.
    """
    root = model.layers[""]
    if model.forward is not None:
        return _of_graph(model, model.forward)
    if root.class_name == "state_dict":
        raise ForwardError(
            f"{Path(model.name).name} holds a state_dict: weights and scales, but no layers",
            remedy=SAVE,
        )
    needs = {p: layer for p, layer in model.layers.items() if _own_class(layer)}
    if not needs:
        if root.kind in {"DataParallel", "DistributedDataParallel"}:
            raise ForwardError(
                f"{Path(model.name).name} holds a {root.kind} around the model",
                remedy="Save the model inside it: torch.save(model.module, path).",
            )
        if root.kind != "Sequential":
            raise ForwardError(
                f"{Path(model.name).name} is a single {root.kind}, not a model with layers",
                remedy="Put it into an nn.Sequential between Quantize and DeQuantize.",
            )
        return Forward(model, None, trusted=False)
    found = read_source(model, source)
    try:
        _check_classes(found, model, needs, trust)
    except RecursionError as error:
        raise ForwardError(f"{found.path.name} is nested too deeply") from error
    return Forward(model, found, trust)


def _check_classes(source: Source, model: Model, needs: dict[str, Layer], trust: bool) -> None:
    """Raise ForwardError for the first class whose forward is unknown or not understood."""
    kinds: dict[str, str] = {}
    for path, layer in needs.items():
        if kinds.setdefault(layer.kind, layer.class_name) != layer.class_name:
            raise ForwardError(
                f"the model has two classes named {layer.kind}: {layer.class_name}"
                f" and {kinds[layer.kind]}",
                remedy="Rename one of them, and save the model again.",
            )
        _check_class(source, path, layer, trust)
        if not trust:
            _refuse_hidden(source, model, path, layer)


def _of_graph(model: Model, texts: tuple[str, str]) -> Forward:
    """The forward that torch.fx wrote into the model file, checked like any other."""
    found = generated_source(model, texts)
    kind = model.layers[""].kind
    function = found.forward_of(kind)
    if function is None:
        raise ForwardError(f"{found.path.name}: there is no forward")
    try:
        check(function, found, kind)
        check_inputs(function, found.path)
    except RecursionError as error:
        raise ForwardError(f"{found.path.name} is nested too deeply") from error
    return Forward(model, found, trusted=False)


def _own_class(layer: Layer) -> bool:
    return not layer.class_name.startswith("torch.")


def _refuse_hidden(source: Source, model: Model, path: str, layer: Layer) -> None:
    """Python finds what a class defines before the layer of the same name."""
    for name in source.attributes_of(layer.kind):
        child = (f"{path}.{name}" if path else name) in model.layers
        if child or name in layer.parameters:
            what = "a layer" if child else "a tensor"
            raise ForwardError(
                f"{source.path.name}: class {layer.kind} defines {name}, which is also {what}",
                remedy="Rename the one or the other, and save the model again.",
            )


def _check_class(source: Source, path: str, layer: Layer, trust: bool) -> None:
    where = f"the class of {path}" if path else "the model's class"
    if layer.kind not in source.classes:
        known = ", ".join(source.classes) or "none"
        raise ForwardError(
            f"{source.path.name} does not define {layer.kind}, {where}",
            expected=f"class {layer.kind}; classes in the file: {known}",
            remedy="Give the Python file that defines it: --source FILE",
        )
    function = source.forward_of(layer.kind) if not trust else _if_clear(source, layer.kind)
    if function is not None and not path:
        check_inputs(function, source.path)
    if trust:
        return
    if function is None and not source.is_sequential(layer.kind):
        raise ForwardError(f"{source.path.name}: class {layer.kind} has no forward")
    if function is not None:
        check(function, source, layer.kind)


def _if_clear(source: Source, kind: str) -> ast.FunctionDef | None:
    """The class's forward where its syntax tells which one that is."""
    try:
        function = source.forward_of(kind)
    except ForwardError:
        return None
    return None if function is None or function.decorator_list else function
