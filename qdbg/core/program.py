"""What was loaded (Model), what ran (Program) and what PyTorch computed (Recording)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from qdbg.core.quantity import Array, QParams, QTensor

INPUT = -1
"""In `Node.inputs`: the operand is the model's own input."""
UNKNOWN = -2
"""In `Node.inputs`: the operand was made where qdbg does not see it (a constant, say)."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One module of the model, as the file holds it."""

    path: str
    """Where it is: `fc1`, `block.0.fc`; the root is the empty string."""
    class_name: str
    """The full name of its class, `torch.ao.nn.quantized.modules.linear.Linear`."""
    weight: QTensor | None = None
    """Linear: int8 [C, K], per tensor or per channel on axis 0."""
    bias: Array | None = None
    """Linear: float32 [C], or None where the layer has no bias."""
    output: QParams | None = None
    """The scale and zero point that the layer gives to its result, where it has them."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """The remaining plain attributes (numbers, strings, booleans): in_features, inplace, p …"""

    @property
    def kind(self) -> str:
        """The class name without its module: `Linear`."""
        return self.class_name.rpartition(".")[2]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model file, decoded without running anything in it; the layers do not say their order."""

    name: str
    """The file's path as the user gave it."""
    sha256: str
    """Of the file's bytes, in hexadecimal."""
    layers: Mapping[str, Layer]
    """By path, in the order of registration; the root under the empty string."""


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One call of an op, in the order in which it really ran."""

    name: str
    """Stable and unique: `fc1:linear`; `fc1#2:linear` for the second call of the same layer."""
    op: str
    """`quantize`, `linear`, `linear_relu`, `relu`, `dequantize`, `identity`; or the dispatcher's
    own name (`aten.sigmoid`) of an op that qdbg records without simulating it."""
    layer: str
    """The path of the module that made the call; the empty string is the root's own forward."""
    source: str | None
    """`iris_qat.py:23`, the line of forward that led here; None where there is no source."""
    inputs: tuple[int, ...]
    """For each tensor operand the index of the node that made it, or INPUT, or UNKNOWN."""
    shape: tuple[int, ...]
    """Of the result."""
    dtype: str
    """Of the result: `quint8`, `qint8` or `float32`."""
    output: QParams | None
    """Of the result; None when it is float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """The calls in the order in which they ran, and the layers whose numbers they used."""

    nodes: tuple[Node, ...]
    layers: Mapping[str, Layer]


@dataclass(frozen=True, slots=True)
class Environment:
    """Where the integers come from."""

    engine: str
    """One of ENGINES: torch.backends.quantized.engine while the model was packed and run."""
    cpu: str
    """One of LEVELS: the level whose kernels really ran."""
    torch: str
    """torch.__version__."""
    processor: str
    """The CPU's own name."""
    kernel: str
    """What the probe of the saturating pair saw: `exact sums` or `saturating pairs`."""
    unperturbed: bool
    """The model's output was bit for bit the same with and without recording."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One run of a model by PyTorch: every call and the values it really produced."""

    model: str
    """The model file's name as the user gave it."""
    sha256: str
    """Of the model file."""
    sample: str
    """How the user named the input: `versicolor`, `iris:57`, `--input x.npy`."""
    input: Array
    """float32, what the model was fed."""
    environment: Environment
    program: Program
    values: tuple[Array, ...]
    """Per node its result: uint8 or int8 integers, or float32."""
