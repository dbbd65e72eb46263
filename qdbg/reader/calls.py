"""The calls in a pickle that the decoder understands, and what stands for their results."""

from __future__ import annotations

from typing import Any

from qdbg.errors import ModelError
from qdbg.reader.records import Call, Record

BUILDERS = frozenset(
    {
        "collections.OrderedDict",
        "__builtin__.set",
        "builtins.set",
        "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_qtensor",
        "torch._utils._rebuild_parameter",
        "torch.Size",
        "torch.device",
        "torch.serialization._get_layout",
        "_codecs.encode",
        "torch.fx.graph_module.reduce_graph_module",
    }
)
"""The calls that are understood, most of them only as inert records."""
ORDERED, GRAPH = "collections.OrderedDict", "torch.fx.graph_module.GraphModule"
GRAPHS = (GRAPH, "torch.nn.modules.module.Module")
"""What a converted FX model consists of, besides torch's own layers."""
_CONVERT = (
    "A model that is not converted holds such calls: torch.ao.quantization.convert, then save."
)
_ATTRIBUTE = "Remove the attribute of the model that holds it, then torch.save(model, path)."
REMEDIES = {
    **dict.fromkeys(("numpy.", "pathlib.", "collections."), _ATTRIBUTE),
    "torch.fx.": "Save the converted GraphModule itself: torch.save(model, path).",
    "functools.partial": _CONVERT,
    "torch.ao.quantization.": _CONVERT,
}
"""What to do about calls that honest files make, by the beginning of their names."""


def built(name: str, args: tuple[Any, ...]) -> Any:
    """What stands for the result of one of BUILDERS. Raises ModelError."""
    if name.endswith(".set"):
        return args[0] if args and isinstance(args[0], list) else []
    if name == ORDERED:
        return dict(_pairs(args[0]) if args else [])
    if name.endswith("reduce_graph_module"):
        return _graph(args)
    return Call(name, args)


def _graph(args: tuple[Any, ...]) -> Record:
    """An FX model: its attributes, and the imports of its forward."""
    match args:
        case (dict() as state, str(imports)):
            return Record(GRAPH, state, built=True, imports=imports)
        case _:
            raise ModelError("the model's pickle holds a damaged FX GraphModule")


def _pairs(items: Any) -> list[tuple[str, Any]]:
    if not isinstance(items, list) or not all(_is_pair(item) for item in items):
        raise ModelError("the model's pickle holds a damaged OrderedDict")
    return [(item[0], item[1]) for item in items]


def _is_pair(item: Any) -> bool:
    return isinstance(item, list | tuple) and len(item) == 2 and isinstance(item[0], str)  # noqa: PLR2004 - key and value
