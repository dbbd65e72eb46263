"""The layers of a model whose forward is unknown: everything else that its file says."""

from __future__ import annotations

from qdbg import __version__
from qdbg.core.program import Layer, Model
from qdbg.core.quantity import QParams
from qdbg.core.weights import rows_of, with_parts
from qdbg.headless.show import aligned


def layers_text(model: Model, problem: str) -> str:
    """The layers in the order of registration, and what is missing to run them."""
    titles = ("layer", "class", "weights", "weight scales", "scale", "zero point")
    rows = [titles, *(_row(layer) for layer in with_parts(model.layers.values()))]
    return "\n".join(
        (
            f"model  {model.name}  (SHA-256 {model.sha256[:12]}…)",
            "",
            *aligned(rows),
            "",
            "Nothing was run or simulated. What is missing:",
            problem,
        )
    )


def _row(layer: Layer) -> tuple[str, ...]:
    output = layer.output
    single = output is not None and not output.per_channel
    return (
        layer.path or "(model)",
        layer.kind or "-",
        *_weight(layer),
        f"{float(output.scale):.9g}" if output is not None and single else "-",
        str(int(output.zero_point)) if output is not None and single else "-",
    )


def _weight(layer: Layer) -> tuple[str, str]:
    if layer.weight is not None:
        shape = "×".join(str(n) for n in layer.weight.q.shape)
        return f"int8 {shape}", _scales(layer.weight.qparams)
    table = rows_of(layer)
    if table is None:
        return "-", "-"
    ends = f"{table.scale.min():.4g} … {table.scale.max():.4g} per row"
    return f"uint{table.bits} {'×'.join(map(str, table.shape))}", ends


def _scales(qparams: QParams) -> str:
    if not qparams.per_channel:
        return f"{float(qparams.scale):.9g}"
    return f"{qparams.scale.min():.4g} … {qparams.scale.max():.4g} per channel"


def layers_data(model: Model, problem: str) -> dict[str, object]:
    """The same as JSON data: the keys of `show`, with nothing captured, and the layers."""
    return {
        "qdbg": __version__,
        "model": {"path": model.name, "sha256": model.sha256},
        "capture": None,
        "arithmetic": None,
        "differences": 0,
        "calls": [],
        "reason": problem,
        "layers": [_layer_data(layer) for layer in with_parts(model.layers.values())],
    }


def _layer_data(layer: Layer) -> dict[str, object]:
    weight = layer.weight
    return {
        "path": layer.path,
        "class": layer.class_name,
        "weight_shape": None if weight is None else list(weight.q.shape),
        "weight": None if weight is None else _qparams_data(weight.qparams),
        "output": None if layer.output is None else _qparams_data(layer.output),
    }


def _qparams_data(qparams: QParams) -> dict[str, object]:
    return {
        "dtype": qparams.dtype,
        "scale": qparams.scale.tolist(),
        "zero_point": qparams.zero_point.tolist(),
    }
