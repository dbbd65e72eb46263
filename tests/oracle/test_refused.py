"""At the borders of the scales that QNNPACK takes, it refuses what qdbg says it refuses."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
import torch.ao.nn.intrinsic.quantized as nniq
import torch.ao.nn.quantized as nnq
from torch.nn import functional

from qdbg.capture import machine_level
from qdbg.core.op import NotSimulated
from qdbg.core.program import Environment
from qdbg.engine.trace import Trace
from qdbg.ops._refused import REFUSED
from qdbg.selftest.check import compared, record
from qdbg.selftest.draw import Case, per_channel, per_tensor
from tests import released

pytestmark = pytest.mark.filterwarnings(
    "ignore:torch.quantize:UserWarning"
)  # torch announces the end of its dtypes
HERE = Environment(
    "fbgemm", "avx2", str(torch.__version__), "a CPU", "saturating pairs", unperturbed=True
)
TINY, LARGEST = (float(getattr(np.finfo(np.float32), end)) for end in ("tiny", "max"))
STEPS = (-(2.0**-22), -(2.0**-23), -(2.0**-26), 0, 2.0**-26, 2.0**-23, 2.0**-22)
"""Relative distances from a border: steps of float32, and less than half of one."""
Q = torch.ops.quantized
OWN = np.array([[[[0, 3], [128, 255]], [[7, 90], [4, 1]]]], np.uint8)


def near(random, *borders):
    """A number next to one of the borders, on either side, or on it."""
    return float(random.choice(borders)) * (1 + random.choice(STEPS))


def own_scale(random):
    return near(random, TINY, LARGEST, 2 * LARGEST, 0.01, 0.5)


def usual(random):
    return float(10 ** random.uniform(-3, 0))


def image(scale):
    return per_tensor(OWN, scale, 3)


def on_image(function, random):
    x = image(own_scale(random))
    return lambda: Case(lambda: function(x))


def hardswish(random):
    x, scale = image(own_scale(random)), own_scale(random)
    return lambda: Case(lambda: Q.hardswish(x, scale, 3))


def softmax(random):
    x = per_tensor(OWN[0, 0], own_scale(random), 3)
    return lambda: Case(lambda: Q.softmax(x, -1, 1 / 256, 0))


def sigmoid(random):
    x, scale = image(0.1), near(random, 1 / 256)
    zero_point = int(random.integers(0, 2))
    return lambda: Case(lambda: Q.sigmoid(x, scale, zero_point))


def add(random):
    scale = random.choice([usual(random), TINY * 3, LARGEST / 3])
    a, b = (image(near(random, scale, 2.0**-14 * scale, 2.0**8 * scale)) for _ in "ab")
    return lambda: Case(lambda: Q.add(a, b, float(scale), 0))


def result_scale(random, x_scale, w_scale):
    """One for which the multiplier of a channel is at a border, or the one of scale 1."""
    unit = min(x_scale * float(random.choice([*np.atleast_1d(w_scale), 1])), LARGEST)
    return min(max(near(random, unit / TINY, unit / LARGEST, unit), TINY), LARGEST)


def weights(random, shape, *, channels=True):
    q = random.integers(-128, 128, shape).astype(np.int8)
    if channels and random.random() < 0.5:
        scale = 10.0 ** random.uniform(-20, 20, shape[0])
        return scale, per_channel(q, scale)
    scale = 10.0 ** random.uniform(-30, 30)
    return np.array(scale), per_tensor(q, scale, 0)


def layer(kind, shape, given, random, *, channels=True):
    w_scale, w = weights(random, shape, channels=channels)
    x_scale = 10.0 ** random.uniform(-20, 20)
    scale = result_scale(random, x_scale, w_scale)
    x = per_tensor(random.integers(0, 256, given).astype(np.uint8), x_scale, 3)

    def build():
        made = kind()
        made.set_weight_bias(w, None)
        made.scale, made.zero_point = scale, 4
        return Case(lambda: made(x), {"layer": made})

    return build


def dynamic(random):
    w_scale, w = weights(random, (3, 4))
    top = 255 * 10.0 ** random.uniform(-3, 30)
    borders = (TINY, LARGEST)
    factor = near(random, *borders) / (float(np.max(w_scale)) * top / 255)
    x = torch.tensor([[0, top * factor, 0, 0]], dtype=torch.float32).clamp(max=LARGEST)

    def build():
        packed = Q.linear_prepack(w, None)
        return Case(lambda: Q.linear_dynamic(x, packed, False))

    return build


KINDS = {
    "sigmoid": partial(on_image, torch.sigmoid),
    "sigmoid with a scale": sigmoid,
    "tanh": partial(on_image, torch.tanh),
    "hardsigmoid": partial(on_image, functional.hardsigmoid),
    "hardswish": hardswish,
    "softmax": softmax,
    "average pool": partial(on_image, lambda x: functional.avg_pool2d(x, 2)),
    "adaptive pool": partial(on_image, lambda x: functional.adaptive_avg_pool2d(x, 1)),
    "mean": partial(on_image, lambda x: x.mean((2, 3))),
    "add": add,
    "linear": partial(layer, lambda: nnq.Linear(4, 3), (3, 4), (2, 4)),
    "conv1d": partial(layer, lambda: nnq.Conv1d(4, 3, 2), (3, 4, 2), (1, 4, 5)),
    "conv2d, 1×1": partial(layer, lambda: nnq.Conv2d(4, 3, 1), (3, 4, 1, 1), (1, 4, 2, 2)),
    "conv2d, groups": partial(
        layer, lambda: nnq.Conv2d(4, 4, 2, groups=2), (4, 2, 2, 2), (1, 4, 3, 3)
    ),
    "conv3d, depthwise": partial(
        layer, lambda: nnq.Conv3d(8, 8, 3, groups=8), (8, 1, 3, 3, 3), (1, 8, 3, 3, 3)
    ),
    "transposed": partial(
        layer, lambda: nnq.ConvTranspose2d(4, 3, 2), (4, 3, 2, 2), (1, 4, 2, 2), channels=False
    ),
    "dynamic linear": dynamic,
}


def refused_by_pytorch(build, engine="qnnpack"):
    torch.backends.quantized.engine = engine
    try:
        build().run()
    except RuntimeError:
        return True
    return False


def refused_by_qdbg(build, engine="qnnpack"):
    """Of the same call, as FBGEMM runs it."""
    torch.backends.quantized.engine = "fbgemm"
    made = record(build(), HERE)
    found = Trace(made, released.HERE[f"{engine}-avx2"]).simulation(len(made.program.nodes) - 1)
    return isinstance(found, NotSimulated) and str(found).startswith(REFUSED)


@pytest.fixture(autouse=True)
def engines():
    """The engine is left as it was."""
    before = torch.backends.quantized.engine
    yield
    torch.backends.quantized.engine = before


@pytest.mark.parametrize("name", KINDS)
def test_qnnpack_refuses_what_qdbg_says_that_it_refuses(name):
    random, answers = np.random.default_rng(5), []
    for _ in range(150):
        build = KINDS[name](random)
        answers.append((refused_by_pytorch(build), refused_by_qdbg(build)))
    assert {one for one, _ in answers} == {True, False}
    assert all(one == other for one, other in answers)


@pytest.mark.parametrize("kind", [nnq.Linear, nnq.Conv2d, nnq.ConvTranspose2d, None])
@pytest.mark.parametrize("zero_point", [0, 1])
def test_onednn_refuses_weight_zero_points(kind, zero_point):
    q = np.ones((2, 2) if kind in {nnq.Linear, None} else (2, 2, 1, 1), np.int8)
    w = per_tensor(q, 0.01, zero_point)

    def build():
        if kind is None:
            packed = Q.linear_prepack(w, None)
            return Case(lambda: Q.linear_dynamic(torch.ones(1, 2), packed, False))
        made = kind(2, 2) if kind is nnq.Linear else kind(2, 2, 1)
        made.set_weight_bias(w, None)
        given = per_tensor(np.ones((1, 2, 1, 1)[: q.ndim], np.uint8), 0.1, 3)
        return Case(lambda: made(given), {"layer": made})

    assert refused_by_pytorch(build, "onednn") == bool(zero_point)
    assert refused_by_qdbg(build, "onednn") == bool(zero_point)


@pytest.mark.parametrize("engine", ["fbgemm", "x86", "onednn"])
@pytest.mark.parametrize("kind", [nnq.Linear, nniq.LinearReLU, nnq.Conv2d, nniq.ConvReLU2d])
@pytest.mark.parametrize(
    "scales", [(LARGEST, LARGEST), (0.05, 1e-50), (0.05, 2.9e-39), (0.05, 1e39)]
)
def test_a_scale_that_has_no_inverse_gives_the_integers_of_pytorch(engine, kind, scales):
    """oneDNN takes inverses of inverses, of which one is an infinity here: what it makes of the
    accumulator is no number, and neither is an infinity times 0."""
    torch.backends.quantized.engine = engine
    small = kind in {nnq.Linear, nniq.LinearReLU}
    made = kind(2, 2) if small else kind(2, 2, 1)
    q = np.array([[2, 1], [0, 0]], np.int8).reshape(made.weight().shape)
    made.set_weight_bias(per_tensor(q, 1.0, 0), None)
    made.scale, made.zero_point = scales[1], 9
    x = per_tensor(np.array([[200, 40]], np.uint8).reshape((1, 2, 1, 1)[: q.ndim]), scales[0], 3)
    where = replace(HERE, engine=engine, cpu=machine_level())
    ((_, comparison),) = compared(record(Case(lambda: made(x), {"layer": made}), where))
    assert comparison.status == "equal"


def test_a_matrix_product_beyond_float32_is_not_claimed():
    """Its parts are infinities of both signs, or not, as the order has it."""
    torch.backends.quantized.engine = "fbgemm"
    random = np.random.default_rng(2)
    found = set()
    for exponent in (-1, 17, 18, 19):
        a, b = (
            per_tensor(random.integers(0, 256, (8, 8)).astype(np.uint8), 10.0**exponent, 128)
            for _ in "ab"
        )
        case = Case(partial(Q.matmul, a, b, 10.0 ** min(2 * exponent + 3, 38), 128))
        ((_, comparison),) = compared(record(case, HERE))
        found.add((exponent, comparison.status))
    assert (-1, "equal") in found
    assert (19, "not simulated") in found
    assert "differs" not in {status for _, status in found}


FAR = {
    "product": lambda x: Q.mul(x[:1, :, :, :3], x[:1, :, :, :3], 0.1, 3),
    "mean": lambda x: x.mean(dim=1),
    "average pooling": lambda x: functional.avg_pool2d(x, 2),
    "adaptive pooling": lambda x: functional.adaptive_avg_pool2d(x, 2),
    "hardsigmoid": functional.hardsigmoid,
    "batch norm": lambda x: Q.batch_norm2d(x, *ONES_AND_ZEROS, 1e-5, 0.1, 3),
}
ONES_AND_ZEROS = (torch.ones(4), torch.zeros(4), torch.zeros(4), torch.ones(4))


@pytest.mark.parametrize("scale", [1e-50, 1e25, 3e38, 1e39])
@pytest.mark.parametrize("name", FAR)
def test_of_an_operand_whose_scale_is_far_from_any_model_nothing_wrong_is_claimed(name, scale):
    torch.backends.quantized.engine = "fbgemm"
    q = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 4)).astype(np.uint8)
    where = replace(HERE, cpu=machine_level())
    for order in (torch.contiguous_format, torch.channels_last):
        x = per_tensor(q, scale, 7).contiguous(memory_format=order)
        for _, comparison in compared(record(Case(partial(FAR[name], x)), where)):
            assert comparison.status in {"equal", "not simulated"}
