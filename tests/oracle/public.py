"""Runs in a child process: layers whose numbers people posted, through PyTorch and through qdbg.

`public.py LEVEL ENGINE…`. `tests/oracle/posted.py` says for each which mistake was made by hand and
what it gives. Prints one JSON object: by engine and thread PyTorch's integers and whether qdbg's
are the same; under "converted" and "weight" the two threads on models that PyTorch's own tools
convert. With `--save FILE THREAD` at the end, the thread's recording is written to that file
instead.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

LEVEL, *ENGINES = sys.argv[1:]

import numpy as np  # noqa: E402 - the level's environment variables are set by the parent
import torch  # noqa: E402
import torch.ao.nn.intrinsic.quantized as nniq  # noqa: E402
import torch.ao.nn.quantized as nnq  # noqa: E402
import torch.ao.quantization as tq  # noqa: E402
from torch import nn  # noqa: E402
from torch.ao.quantization import QConfigMapping, quantize_fx  # noqa: E402

from qdbg.capture import isa  # noqa: E402

torch.set_num_threads(1)
isa.force(LEVEL)

from qdbg.capture.level import processor_name  # noqa: E402
from qdbg.core.program import Environment  # noqa: E402
from qdbg.debugger import Debugger  # noqa: E402
from qdbg.selftest.check import compared, record  # noqa: E402
from qdbg.selftest.draw import Case, per_channel, per_tensor  # noqa: E402
from qdbg.session import Session, save  # noqa: E402
from tests.conversions import no_stack_traces  # noqa: E402
from tests.oracle.posted import CASES  # noqa: E402

LAYERS = {
    "conv1d": nnq.Conv1d,
    "conv2d": nnq.Conv2d,
    "conv2d_relu": nniq.ConvReLU2d,
    "linear": nnq.Linear,
}
FIRST_WEIGHT = 2.000202178955078
"""forum 202854: the weight that training's fake quantization shows."""


def tensor(given):
    return per_tensor(given.q, given.scale, given.zero_point)


def layer_of(posted):
    """The posted layer with its weights packed, and what was packed."""
    if posted.per_channel:
        weight = per_channel(posted.w.q, np.full(len(posted.w.q), posted.w.scale))
    else:
        weight = tensor(posted.w)
    bias = None if posted.b is None else torch.tensor(posted.b)
    outputs, inputs, *size = posted.w.q.shape
    geometry = (size, posted.stride, posted.padding) if size else ()
    layer = LAYERS[posted.op](
        inputs, outputs, *geometry, **({} if size else {"bias_": bias is not None})
    )
    layer.set_weight_bias(weight, bias)
    layer.scale, layer.zero_point = posted.y_scale, posted.y_zp
    return layer, (weight, bias)


def case_of(posted):
    """What runs it."""
    result = (posted.y_scale, posted.y_zp)
    if posted.op == "quantize":
        real = torch.from_numpy(posted.real)
        return Case(lambda: torch.quantize_per_tensor(real, *result, torch.quint8))
    x = tensor(posted.x)
    if posted.op == "add":
        other = tensor(posted.other)
        return Case(lambda: torch.ops.quantized.add(x, other, *result))
    layer, given = layer_of(posted)
    return Case(lambda: layer(x), {"layer": layer}, {"layer": given})


class SimpleConv(nn.Module):
    """The model of pytorch#88800."""

    def __init__(self):
        super().__init__()
        self.q = tq.QuantStub()
        self.conv = nn.Conv2d(3, 3, 1)
        self.dq = tq.DeQuantStub()

    def forward(self, x):
        return self.dq(self.conv(self.q(x)))


def converted():
    """pytorch#88800: the model after training with fake quantization and after its conversion, and
    how many of their results differ: QNNPACK rounds the bias to an integer, training does not."""
    torch.manual_seed(0)
    model = SimpleConv().train()
    model.qconfig = tq.get_default_qat_qconfig("qnnpack", 0)
    model, x = tq.prepare_qat(model), torch.rand(1, 3, 32, 32)
    for _ in range(10):
        model(x)
    with torch.no_grad():
        fake = model.eval().apply(tq.disable_observer)(x)
        made = tq.convert(model)
        differ = int((made(x) != fake).sum())
    modules = {"q": made.q, "conv": made.conv, "dq": made.dq}
    given = (made.conv.weight(), made.conv.bias())
    return Case(lambda: made(x), modules, {"conv": given}), differ


def weight_before_and_after():
    """forum 202854: the conversion observes the weights once more, with another scale."""
    model = nn.Sequential(nn.Conv2d(1, 1, 1)).train()
    with torch.no_grad():
        model[0].weight.fill_(-FIRST_WEIGHT)
    mapping = QConfigMapping().set_global(tq.get_default_qat_qconfig("qnnpack"))
    x = torch.rand(2, 1, 1, 1)
    with no_stack_traces():
        model = quantize_fx.prepare_qat_fx(model, mapping, x)
    model(x)
    conv = model.eval().apply(tq.disable_observer).get_submodule("0")
    with torch.no_grad():
        conv.weight.mul_(1 + 1e-6)  # as a step of training would, beyond what was observed
    before = conv.weight_fake_quant(conv.weight).item()
    return [before, quantize_fx.convert_fx(model).get_submodule("0").weight().dequantize().item()]


def run(case, environment):
    """PyTorch's last integers, whether all calls are simulated alike, and how many differ."""
    recording = record(case, environment)
    comparisons = [comparison for _, comparison in compared(recording)]
    statuses = {c.status for c in comparisons}
    status = statuses.pop() if len(statuses) == 1 else sorted(statuses)
    integers = [value for value in recording.values if value.dtype.kind in "iu"][-1]
    return [integers.ravel().tolist(), status, sum(c.differences for c in comparisons)]


def on(engine):
    """What is recorded from now on runs on the engine."""
    torch.backends.quantized.engine = engine
    kernel = isa.probe(engine, LEVEL)
    version = str(torch.__version__)
    return Environment(engine, LEVEL, version, processor_name(), kernel, unperturbed=True)


def saved(engine, path, thread):
    name = thread if thread.startswith("forum") else f"pytorch#{thread}"
    recording = record(case_of(CASES[thread]()), on(engine))
    made = replace(recording, model=name, sample="as posted")
    save(Session.of(Debugger(made)), Path(path))


def found(engine):
    environment = on(engine)
    told = {name: run(case_of(make()), environment) for name, make in CASES.items()}
    model, differ = converted()
    told["converted"] = [*run(model, environment), differ]
    if engine == "qnnpack":
        told["weight"] = weight_before_and_after()
    return told


if "--save" in ENGINES:
    engine, _, *where = ENGINES
    saved(engine, *where)
else:
    sys.stdout.write(json.dumps({engine: found(engine) for engine in ENGINES}) + "\n")
