"""From the records of a pickle to the layers of a model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from qdbg.core.program import Layer
from qdbg.core.quantity import QTensor
from qdbg.errors import ModelError
from qdbg.reader.archive import SAVE
from qdbg.reader.calls import GRAPH, GRAPHS
from qdbg.reader.convolution import convolution, is_convolution
from qdbg.reader.graph import is_saving_hook
from qdbg.reader.held import Held, held_by, tensors_in
from qdbg.reader.numbers import is_quantized, output_of, parameters, settings_in
from qdbg.reader.packed import PACKED, SCRIPT, linear_weights, weight_and_bias
from qdbg.reader.plain import LONGEST, showable
from qdbg.reader.records import Call, Record
from qdbg.reader.script import packed_layer
from qdbg.reader.tensors import Tensors

DEPTH, LAYERS = 40, 20_000
"""No model is deeper or has more layers than this."""
NOT_CONVERTED = ("FakeQuantize", "Observer")
STEPS = ("forward", "forward_pre", "backward", "backward_pre", "state_dict", "state_dict_pre")
LOADS = ("load_state_dict_pre", "load_state_dict_post")
HOOKS = tuple(f"_{step}_hooks" for step in (*STEPS, *LOADS))
"""Where a module keeps code that runs around its forward, or when it is saved and loaded."""
REPLACED = ("forward", "__class__", "__call__", "_call_impl", "_compiled_call_impl")
"""An attribute of one of these names would take the place of a module's own forward."""
FLOAT = ("torch.nn.modules.linear.Linear", "torch.nn.modules.conv.")
_NORMS = tuple(f"torch.nn.modules.{kind}." for kind in ("batchnorm", "normalization", "sparse"))
IN_FLOATS = (*FLOAT, *_NORMS, "torch.nn.modules.activation.PReLU")
"""Layers that may be left in float32 between quantized ones."""
PACKS = tuple(
    f"torch.{room}nn.{kind}quantized." for room in ("ao.", "") for kind in ("", "intrinsic.")
)
"""Where the classes of quantized layers live."""
POST, CELLS = "activation_post_process", "_all_weight_values"
STATIC_RNN = ".quantized.modules.rnn."
"""An LSTM of ordinary layers; its weights are those of its Linear layers."""
REFERENCE = ".quantized.reference."
DYNAMIC = ".quantized.dynamic."
"""Layers that find the scale of their input as they run, and give floats."""


def layers_of(root: Any, tensors: Tensors) -> dict[str, Layer]:
    """Every module of the file by its path, in the order of registration.

    Raises ModelError for what is not a converted model of plain modules.
    """
    if isinstance(root, dict):
        return state_dict_layers(root, tensors)
    if not isinstance(root, Record):
        kind = "tensor" if isinstance(root, Call) else type(root).__name__
        raise ModelError(f"the file holds a {kind}, not a model", expected="a module", remedy=SAVE)
    walk = _Walk(tensors)
    walk.visit(root, "", 0)
    if not any(layer.weight or layer.output for layer in walk.found.values()) and walk.floats:
        raise ModelError(
            "the file holds a float model: none of its layers is quantized to int8",
            expected="a model after torch.ao.quantization.convert",
        )
    return walk.found


@dataclass(slots=True)
class _Walk:
    """From the root through every module; one that is shared is decoded once."""

    tensors: Tensors
    found: dict[str, Layer] = field(default_factory=dict)
    floats: bool = False
    seen: dict[int, Layer] = field(default_factory=dict)
    visited: int = 0

    def visit(self, record: Record, path: str, depth: int) -> None:
        where = path[:60] or "the model"
        state = _state(record)
        if not isinstance(state, dict) or not isinstance(state.get("_modules"), dict):
            raise ModelError(
                f"{where} is a {record.class_name}, which qdbg does not read",
                expected="modules such as Linear, Conv2d, ReLU, Quantize and DeQuantize",
            )
        self.visited += 1 + len(state["_modules"])
        if depth > DEPTH or self.visited > LAYERS or len(path) > LONGEST:
            raise ModelError(f"{where} is nested deeper or wider than any model")
        if id(record) not in self.seen:
            _refuse(record, where, state)
            self.seen[id(record)] = _layer(record, path, state, self.tensors)
        self.found[path] = replace(self.seen[id(record)], path=path)
        if record.class_name in GRAPHS:
            self._packed(path, state)
        self.floats |= record.class_name.startswith(FLOAT)
        for name, child in state["_modules"].items():
            if name in {PACKED, POST, CELLS} or child is None:
                continue
            if not isinstance(name, str) or not name or "." in name or type(child) is not Record:
                raise ModelError(f"{where} holds {str(name)[:60]!r}, which is not a module")
            if not showable(name):
                raise ModelError(f"{where} holds a layer whose name cannot be shown: {name[:60]!r}")
            self.visit(child, f"{path}.{name}" if path else name, depth + 1)

    def _packed(self, path: str, state: dict[Any, Any]) -> None:
        """Weights that an FX model keeps beside its modules."""
        for name, value in state.items():
            if isinstance(value, Record) and value.class_name == SCRIPT and isinstance(name, str):
                place = f"{path}.{name}" if path else name
                if not name.isidentifier() or not showable(name):
                    raise ModelError(f"the file holds a name that cannot be shown: {name[:60]!r}")
                layer = packed_layer(value, place, self.tensors)
                if layer is not None:
                    self.found[place] = layer


def _state(record: Record) -> Any:
    """A module's attributes; a quantized convolution's file holds a bare tuple in their place."""
    packs = record.class_name.startswith(PACKS) and is_convolution(record.class_name)
    return {"_modules": {}} if packs and isinstance(record.state, tuple) else record.state


def _observes(post: Any) -> bool:
    """An observer; a converted QFunctional keeps an Identity in that place."""
    identity = isinstance(post, Record) and post.class_name == "torch.nn.modules.linear.Identity"
    if identity:
        _refuse(post, POST, {"_modules": {}, **post.state} if type(post.state) is dict else {})
    return post is not None and not identity


def _refuse(record: Record, where: str, state: dict[str, Any]) -> None:
    """What would run besides the layers, and what is not converted yet."""
    modules = state.get("_modules")
    post = modules.get(POST) if isinstance(modules, dict) else None
    if record.class_name.endswith(NOT_CONVERTED) or _observes(post):
        raise ModelError(
            f"{where} is prepared for quantization but not converted: it still observes floats",
            remedy="Convert it first: torch.ao.quantization.convert(model.eval()), then save it.",
        )
    for name in HOOKS:
        hooks = state.get(name)
        saving = record.class_name == GRAPH and isinstance(hooks, dict)
        if hooks and not (saving and all(map(is_saving_hook, hooks.values()))):
            raise ModelError(
                f"{where} holds {name.strip('_').replace('_', ' ')}, code that qdbg does not run",
                remedy="Remove the hooks before torch.save.",
            )
    if any(state.get(name) is not None for name in REPLACED):
        raise ModelError(f"{where} replaces its own forward, which qdbg does not run")


def _layer(record: Record, path: str, state: dict[str, Any], tensors: Tensors) -> Layer:
    name = record.class_name
    dynamic, packs = DYNAMIC in name, name.startswith(PACKS)
    if REFERENCE in name:
        raise ModelError(
            f"{path or name} is a layer of a reference model, which computes in floats",
            expected="a model after convert_fx, not convert_to_reference_fx",
        )
    if packs and is_convolution(name):
        return convolution(record, path, tensors, dynamic)
    absent = {name: None for name, child in state["_modules"].items() if child is None}
    settings = settings_in(state, absent)
    inside = state["_modules"].get(PACKED)
    if isinstance(inside, Record) and isinstance(inside.state, dict):
        _refuse(inside, path, {**inside.state, "_modules": {}})
    weight, bias = linear_weights(inside, path, tensors, dynamic)
    if weight is None and packs and "Linear" in name and not dynamic:
        raise ModelError(f"{path or name} has no int8 weights")
    _refuse_shapes(path, settings, weight)
    held: Held = {}
    if packs and STATIC_RNN not in name:
        held = held_by(name.rpartition(".")[2], state, path, tensors)
    elif not name.startswith("torch.") or name in GRAPHS or name.startswith(IN_FLOATS):
        held = tensors_in(state, path, tensors)
    output = None if dynamic else output_of(state, path, tensors, follows=weight is None)
    return Layer(path, name, weight, bias, output, settings, held)


def _refuse_shapes(path: str, settings: dict[str, Any], weight: QTensor | None) -> None:
    if weight is None:
        return
    said = settings.get("out_features"), settings.get("in_features")
    if said not in ((None, None), weight.q.shape):
        raise ModelError(
            f"{path} says {said[1]} inputs and {said[0]} outputs, its weight has"
            f" {weight.q.shape[1]} and {weight.q.shape[0]}"
        )


def state_dict_layers(values: dict[Any, Any], tensors: Tensors) -> dict[str, Layer]:
    """The layers whose numbers a state_dict holds; it names no classes."""
    packed = f".{PACKED}.{PACKED}"
    paths = [k.rpartition(".")[0] for k in values if isinstance(k, str) and k.endswith(".scale")]
    if not paths:
        raise _no_model(values)
    found = {"": Layer("", "state_dict")}
    for path in paths:
        if not showable(path):
            raise ModelError(f"the file holds a layer whose name cannot be shown: {path[:60]!r}")
        weight = bias = None
        match values.get(path + packed):
            case (first, second):
                weight, bias = weight_and_bias(first, second, path, tensors)
            case None if is_quantized(values.get(f"{path}.weight")):
                weight = tensors.quantized(values[f"{path}.weight"], f"{path}.weight")
        scale, zero_point = values[f"{path}.scale"], values.get(f"{path}.zero_point", 0)
        output = parameters(scale, zero_point, "quint8", path, tensors)
        found[path] = Layer(path, "", weight, bias, output)
    return found


def _no_model(values: dict[Any, Any]) -> ModelError:
    """A checkpoint, or the weights of a float model."""
    keys = ", ".join(repr(k) for k in list(values)[:6])
    module = next((k for k, v in values.items() if isinstance(v, Record)), None)
    remedy = (
        SAVE if module is None else f"Save the module alone: torch.save(file[{module!r}], path)."
    )
    return ModelError(
        f"the file holds a dictionary with the keys {keys or '(none)'}, not a model",
        expected="a converted module",
        remedy=remedy,
    )
