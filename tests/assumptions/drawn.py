"""Random layers: their operands, and what a recording of them holds."""

from dataclasses import dataclass, replace

import numpy as np

from qdbg.core.program import INPUT, Environment, Layer, Node, Program, Recording
from qdbg.core.quantity import QParams, QTensor
from qdbg.engine.arithmetics import arithmetic_for
from qdbg.engine.trace import Trace

ENGINES = {"fbgemm-avx2": ("fbgemm", True), "fbgemm-vnni": ("fbgemm", False),
           "qnnpack-vnni": ("qnnpack", False), "onednn-vnni": ("onednn", False)}  # fmt: skip
WEIGHTED = ("linear", "conv", "depthwise", "grouped", "strided")


@dataclass(frozen=True)
class Trial:
    kind: str
    arithmetic: str
    relu: bool
    mistake: str


def numbers(random, trial):
    """The operands of a random layer; scales that make ties and fill the range."""
    if trial.kind == "residual":
        return numbers_of_add(random)
    if trial.kind == "quantize":
        return numbers_of_quantize(random)
    engine, _ = ENGINES[trial.arithmetic]
    x_zp, y_zp = int(random.integers(1, 256)), int(random.integers(1, 200))
    if trial.kind == "linear":
        inputs, outputs = int(random.integers(6, 40)), int(random.integers(4, 20))
        inputs = outputs if trial.mistake == "scale-axis" else inputs
        x = random.integers(0, 256, (int(random.integers(8, 24)), inputs))
        w, extra = random.integers(-128, 128, (outputs, inputs)), {}
    else:
        groups = {"depthwise": 8, "grouped": 2}.get(trial.kind, 1)
        per = {"depthwise": 1, "grouped": 3}.get(trial.kind, int(random.integers(2, 5)))
        outputs = groups * {"depthwise": 1, "grouped": 3}.get(trial.kind, 5)
        size = (8, 6) if trial.kind == "strided" else (7, 6)
        x = random.integers(0, 256, (2, groups * per, *size))
        w = random.integers(-128, 128, (outputs, per, 3, 3))
        extra = {"stride": 2 if trial.kind == "strided" else 1, "padding": 1, "groups": groups}
    if random.random() < 0.3:
        w = random.choice([127, -128, 120], w.shape)
    per_tensor = trial.mistake == "no-weight-zero-point" or (
        trial.mistake not in {"one-scale", "scale-axis"} and random.random() < 0.3
    )
    tie = random.random() < 0.5 and not trial.mistake.startswith("fixed")
    scale = 2.0 ** -random.integers(5, 9, len(w)) if tie else random.uniform(0.001, 0.03, len(w))
    w_scale = np.float64(scale[0]) if per_tensor else scale
    w_zp = int(random.integers(1, 6)) if per_tensor and engine != "onednn" else 0
    x_scale = 2.0**-5 if tie else float(random.uniform(0.01, 0.1))
    spread = x_scale * float(np.max(w_scale)) * 5000 * np.sqrt(w[0].size)
    y_scale = float(2.0 ** np.round(np.log2(spread / 128))) if tie else spread / 128
    if tie and random.random() < 0.4:
        y_scale *= 1 + 2.0**-27  # float32 does not see it, and in float64 no tie is a tie
    if trial.mistake == "relu6":
        w_scale, y_scale, y_zp = w_scale * (0.125 / y_scale), 0.125, min(y_zp, 150)
    unit = x_scale * np.broadcast_to(w_scale, (len(w),))
    b = ((random.integers(-60000, 60000, len(w)) / 2 + 0.25 * (not tie)) * unit).astype(np.float32)
    return {
        "x_q": x.astype(np.uint8), "x_scale": x_scale, "x_zp": x_zp,
        "w_q": w.astype(np.int8), "w_scale": w_scale, "w_zp": w_zp,
        "b": b, "y_scale": y_scale, "y_zp": y_zp, **extra,
    }  # fmt: skip


def numbers_of_add(random):
    """Two tensors of whole vector blocks."""
    shape = (2, 4, 8, 8)
    a_scale, b_scale = random.uniform(0.01, 0.2, 2)
    if random.random() < 0.5:
        a_scale, b_scale = 2.0 ** -random.integers(3, 6, 2)
    return {
        "a_q": random.integers(0, 256, shape).astype(np.uint8),
        "a_scale": a_scale, "a_zp": int(random.integers(1, 256)),
        "b_q": random.integers(0, 256, shape).astype(np.uint8),
        "b_scale": b_scale, "b_zp": int(random.integers(1, 256)),
        "y_scale": float(a_scale + b_scale), "y_zp": int(random.integers(1, 200)),
    }  # fmt: skip


def numbers_of_quantize(random):
    scale = float(random.choice([0.5, 0.1, 0.037, 2.0**-4]))
    q = random.integers(-400, 800, (12, 20)) / 2
    x = (q * scale + random.normal(0, scale, q.shape) * (random.random(q.shape) < 0.5)).astype(
        np.float32
    )
    return {"x": x, "y_scale": scale, "y_zp": int(random.integers(1, 256))}


def plain_recording(p, trial):
    """One call without weights."""
    engine, _, level = trial.arithmetic.partition("-")
    output = QParams.per_tensor(p["y_scale"], p["y_zp"])
    if trial.kind == "quantize":
        node = Node("q:quantize", "quantize", "", None, (INPUT,), p["x"].shape, "quint8", output)
        constants = ()
    else:
        op = "add_relu" if trial.relu else "add"
        node = Node(
            "sum:add", op, "", None, (-3, -4), p["a_q"].shape, "quint8", output, ("qa", "qb")
        )
        constants = tuple(
            QTensor(p[f"{x}_q"], QParams.per_tensor(p[f"{x}_scale"], p[f"{x}_zp"])) for x in "ab"
        )
    made = Recording(
        model="golden", sha256="", sample="random", input=p.get("x", np.zeros(0, np.float32)),
        environment=Environment(engine, level, "2.13.0", "", "", True),
        program=Program((node,), {}), values=(np.zeros(node.shape, np.uint8),),
        constants=constants,
    )  # fmt: skip
    return replace(made, values=(Trace(made, arithmetic_for(made)).simulation(0).result,))


def recording(p, trial):
    """One quantized layer whose input is a constant."""
    if trial.kind not in WEIGHTED:
        return plain_recording(p, trial)
    op = {"linear": "linear"}.get(trial.kind, "conv2d") + ("_relu" if trial.relu else "")
    output = QParams.per_tensor(p["y_scale"], p["y_zp"])
    many = np.ndim(p["w_scale"]) > 0
    zps = np.full(np.shape(p["w_scale"]), p["w_zp"], np.int64)
    weight = QTensor(p["w_q"], QParams(np.asarray(p["w_scale"]), zps, "qint8", 0 if many else None))
    settings = {} if trial.kind == "linear" else {
        "stride": [p["stride"]] * 2, "padding": [p["padding"]] * 2, "dilation": [1, 1],
        "groups": p["groups"], "padding_mode": "zeros",
        "in_channels": p["x_q"].shape[1], "out_channels": len(p["w_q"]),
    }  # fmt: skip
    x = p["x_q"]
    shape = (len(x), len(p["w_q"]), *(-(-n // p["stride"]) for n in x.shape[2:]))
    node = Node("fc:layer", op, "fc", None, (-3,), shape, "quint8", output, ("qx",))
    engine, _, level = trial.arithmetic.partition("-")
    made = Recording(
        model="golden", sha256="", sample="random", input=np.zeros(0, np.float32),
        environment=Environment(engine, level, "2.13.0", "", "", True),
        program=Program((node,), {"fc": Layer("fc", "Linear", weight, p["b"], output, settings)}),
        values=(np.zeros(shape, np.uint8),),
        constants=(QTensor(x, QParams.per_tensor(p["x_scale"], p["x_zp"])),),
    )  # fmt: skip
    return replace(made, values=(Trace(made, arithmetic_for(made)).simulation(0).result,))


def another_input(p, trial, random):
    if trial.kind == "quantize":
        return {
            **p,
            "x": random.permutation(p["x"].ravel()).reshape(p["x"].shape) * np.float32(0.7),
        }
    operands = ("a_q", "b_q") if trial.kind == "residual" else ("x_q",)
    return {**p, **{o: random.integers(0, 256, p[o].shape).astype(np.uint8) for o in operands}}
