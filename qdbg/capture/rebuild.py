"""Child only: real torch modules from the decoded layers, by an allow-list of classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import nn

from qdbg.capture.build import BUILDERS
from qdbg.capture.classes import canonical
from qdbg.capture.quantities import parameters, tensor_of
from qdbg.core.program import Layer, Model
from qdbg.errors import CaptureError

__all__ = ["Container", "canonical", "parameters", "rebuild", "settings_of"]

Module = nn.Module
OTHERS = ("torch", "torchvision", "torchaudio")
OWN = ("torch.nn.modules.module.Module", "torch.fx.graph_module.GraphModule")
"""Modules whose forward is interpreted, as that of the user's own classes."""


class Container(nn.Module):
    """A module of the user's own class: it holds its children, its forward is interpreted."""

    def __init__(self, layer: Layer | None = None) -> None:
        super().__init__()
        held = layer.parameters if layer is not None else {}
        self.qdbg_held: dict[str, torch.Tensor] = {k: tensor_of(v) for k, v in held.items()}


def rebuild(model: Model, own: Callable[[Layer], Module] | None = None) -> dict[str, Module]:
    """Every layer's module by path, packed for the engine in force. Raises CaptureError.

    `own` makes the modules of the user's own classes, where their code is trusted.
    """
    modules: dict[str, Module] = {}
    for path, layer in model.layers.items():
        module = _build(layer, own or Container)
        modules[path] = module
        parent, _, name = path.rpartition(".")
        if path:
            if parent not in modules:
                raise CaptureError(f"{path} belongs to {parent}, which the file does not hold")
            _join(modules[parent], name, module, path)
    for module in modules.values():
        module.eval()
    return modules


def _join(parent: Module, name: str, module: Module, path: str) -> None:
    try:
        parent.add_module(name, module)
    except KeyError as error:
        raise CaptureError(f"{path}: a module of torch has another part of that name") from error


def _build(layer: Layer, own: Callable[[Layer], Module]) -> Module:
    name = canonical(layer.class_name)
    builder = BUILDERS.get(name)
    if builder is None:
        if name.partition(".")[0] in OTHERS and name not in OWN:
            raise _unknown(layer)
        return own(layer)
    try:
        return builder(name, layer)
    except (RuntimeError, TypeError, ValueError, AssertionError, KeyError) as error:
        raise CaptureError(
            f"{layer.path} ({layer.kind}) cannot be rebuilt: {_line(error)}"
        ) from error


def _unknown(layer: Layer) -> CaptureError:
    where = layer.path or "the model itself"
    if layer.class_name.startswith(("torch.nn.modules.", "torch.ao.nn.qat.")):
        return CaptureError(
            f"{where} is a {layer.kind} that is not quantized ({layer.class_name})",
            expected="a converted int8 layer",
            remedy="save the model after torch.ao.quantization.convert",
        )
    return CaptureError(
        f"{where} is a {layer.class_name}, which qdbg does not run yet",
        expected="a layer of torch.ao.nn.quantized, an activation, a pooling or a container",
    )


def _line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]


def settings_of(layer: Layer) -> Mapping[str, object]:
    """The plain attributes that a module of the user's own class had."""
    return {k: v for k, v in layer.settings.items() if not k.startswith("_") and k.isidentifier()}
