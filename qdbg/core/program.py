"""What was loaded (Model), what ran (Program) and what PyTorch computed (Recording)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from qdbg.core.quantity import Array, QParams, QTensor

INPUT = -1
"""In `Node.inputs`: the operand is the model's own input."""
UNKNOWN = -2
"""In `Node.inputs`: the operand is of a kind that qdbg does not record."""
FIRST_CONSTANT = -3
"""In `Node.inputs`: this and lower numbers are `Recording.constants`, from the first one down."""
VBMI = "avx512vbmi"
"""In `Node.settings` of convolutions: whether the processor has these instructions, as Linux
spells them, which no CPU level tells; missing where it is not known."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Layer:
    """One module of the model, as the file holds it."""

    path: str
    """Where it is: `fc1`, `block.0.fc`; the root is the empty string."""
    class_name: str
    """The full name of its class, `torch.ao.nn.quantized.modules.linear.Linear`."""
    weight: QTensor | None = None
    """Linear: int8 [C, K]; convolution: int8 [C, K/groups, kernel …]; per tensor or per channel."""
    bias: Array | None = None
    """float32 [C], or None where the layer has no bias."""
    output: QParams | None = None
    """The scale and zero point that the layer gives to its result, where it has them."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """The remaining plain attributes (numbers, strings, booleans, tuples of numbers):
    in_features, inplace, stride, groups …"""
    parameters: Mapping[str, QTensor | Array] = field(default_factory=dict)
    """Further tensors of the layer by their names: a norm's weight, bias, running_mean; those of
    each direction of an LSTM; what a module of the user's own holds."""

    @property
    def kind(self) -> str:
        """The class name without its module: `Linear`."""
        return self.class_name.rpartition(".")[2]

    @property
    def sizes(self) -> str:
        """`4→16`, or `3→16 5×5` of a convolution's kernel; empty where there is no weight."""
        if self.weight is None:
            return ""
        outputs, inputs, *kernel = self.weight.q.shape
        inputs = self.settings.get("in_channels", inputs)
        outputs = self.settings.get("out_channels", outputs)
        return f"{inputs}→{outputs}" + (" " + "×".join(map(str, kernel)) if kernel else "")


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model file, decoded without running anything in it; the layers do not say their order."""

    name: str
    """The file's path as the user gave it."""
    sha256: str
    """Of the file's bytes, in hexadecimal."""
    layers: Mapping[str, Layer]
    """By path, in the order of registration; the root under the empty string."""
    forward: tuple[str, str] | None = None
    """The import statements and the forward that an FX model brings along, as text."""


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
    """For each tensor operand the index of the node that made it, or INPUT, or UNKNOWN, or a
    constant's number."""
    shape: tuple[int, ...]
    """Of the result."""
    dtype: str
    """Of the result: `quint8`, `qint8` or `float32`."""
    output: QParams | None
    """Of the result; None when it is float32."""
    names: tuple[str, ...] = ()
    """The dispatcher's name of each tensor operand: `qx`, `weight`; of a list: its name again."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """The arguments that are no tensors, by the dispatcher's names: kernel_size, eps, dim …"""
    strides: tuple[int, ...] | None = None
    """Of the result, as `QTensor.strides`."""
    repeatable: bool = True
    """False where PyTorch gave another result when it ran the very same call again."""


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
    threads: int = 1
    """How many threads PyTorch could use for one op."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """How recorded calls hang together through what is not recorded. Calls are named by their
    numbers, the model's own input by INPUT."""

    derived: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """By constant: from whose results unrecorded operations computed it."""
    decided: tuple[tuple[int, tuple[int, ...]], ...] = ()
    """From which call on Python may have decided what to run, and by whose results."""


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
    """What the model was fed: float32, or int64 where it takes indices."""
    environment: Environment
    program: Program
    values: tuple[Array, ...]
    """Per node its result: uint8 or int8 integers, or float32."""
    constants: tuple[QTensor | Array, ...] = ()
    """Tensors that calls take and no call made: a norm's weights, say."""
    unseen: Unseen | None = None
    """None where an older qdbg made the recording: it is not known."""

    def operand(self, source: int, made: Array | None = None) -> QTensor | Array | None:
        """What stands for a number of `Node.inputs`; `made` takes the place of the captured value
        of a call. None for UNKNOWN."""
        if source == INPUT:
            return self.input
        if source < 0:
            place = FIRST_CONSTANT - source
            return self.constants[place] if 0 <= place < len(self.constants) else None
        node, value = self.program.nodes[source], self.values[source]
        value = value if made is None else made
        return value if node.output is None else QTensor(value, node.output, node.strides)
