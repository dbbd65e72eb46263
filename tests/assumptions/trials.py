"""Mistakes put into a golden model of random layers: is each one named, and nothing else?

`python -m tests.assumptions.trials --trials 2000` prints the figures.
"""

import argparse
import sys
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from qdbg.core.program import Environment, Layer, Node, Program, Recording
from qdbg.core.quantity import QParams, QTensor
from qdbg.engine.diagnose import diagnose, still_fit
from qdbg.engine.trace import Trace, arithmetic_for
from tests.assumptions.golden import IDS, layer

ENGINES = {"fbgemm-avx2": ("fbgemm", True), "fbgemm-vnni": ("fbgemm", False),
           "qnnpack-vnni": ("qnnpack", False), "onednn-vnni": ("onednn", False)}  # fmt: skip
KINDS = ("linear", "conv", "depthwise", "grouped")
ONLY = {
    "bias-float": ("qnnpack",),
    "zero-point-after": ("onednn",),
    "zero-point-first": ("fbgemm", "qnnpack"),
    "float64-multiplier": ("fbgemm", "qnnpack"),
    "8-bit-multiplier": ("fbgemm", "qnnpack"),
}
SEPARATING = 6
"""How many further inputs may be built to tell ties apart."""


@dataclass(frozen=True)
class Trial:
    kind: str
    arithmetic: str
    relu: bool
    mistake: str


def numbers(random, trial):
    """The operands of a random layer; scales that make ties and fill the range."""
    engine, _ = ENGINES[trial.arithmetic]
    x_zp, y_zp = int(random.integers(1, 256)), int(random.integers(1, 200))
    if trial.kind == "linear":
        inputs, outputs = int(random.integers(6, 40)), int(random.integers(4, 20))
        x = random.integers(0, 256, (int(random.integers(8, 24)), inputs))
        w, extra = random.integers(-128, 128, (outputs, inputs)), {}
    else:
        groups = {"conv": 1, "depthwise": 8, "grouped": 2}[trial.kind]
        per = {"conv": int(random.integers(2, 5)), "depthwise": 1, "grouped": 3}[trial.kind]
        outputs = groups * {"conv": 5, "depthwise": 1, "grouped": 3}[trial.kind]
        x = random.integers(0, 256, (2, groups * per, 7, 6))
        w = random.integers(-128, 128, (outputs, per, 3, 3))
        extra = {"stride": 1, "padding": 1, "groups": groups}
    if random.random() < 0.3:
        w = random.choice([127, -128, 120], w.shape)
    per_tensor = trial.mistake == "no-weight-zero-point" or (
        trial.mistake != "one-scale" and random.random() < 0.3
    )
    tie = random.random() < 0.5
    scale = 2.0 ** -random.integers(5, 9, len(w)) if tie else random.uniform(0.001, 0.03, len(w))
    w_scale = np.float64(scale[0]) if per_tensor else scale
    w_zp = int(random.integers(1, 6)) if per_tensor and engine != "onednn" else 0
    x_scale = 2.0**-5 if tie else float(random.uniform(0.01, 0.1))
    spread = x_scale * float(np.max(w_scale)) * 5000 * np.sqrt(w[0].size)
    y_scale = float(2.0 ** np.round(np.log2(spread / 128))) if tie else spread / 128
    unit = x_scale * np.broadcast_to(w_scale, (len(w),))
    b = ((random.integers(-60000, 60000, len(w)) / 2 + 0.25 * (not tie)) * unit).astype(np.float32)
    return {
        "x_q": x.astype(np.uint8), "x_scale": x_scale, "x_zp": x_zp,
        "w_q": w.astype(np.int8), "w_scale": w_scale, "w_zp": w_zp,
        "b": b, "y_scale": y_scale, "y_zp": y_zp, **extra,
    }  # fmt: skip


def recording(p, trial):
    """One quantized layer whose input is a constant."""
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
    shape = (len(x), len(p["w_q"])) if x.ndim == 2 else (len(x), len(p["w_q"]), *x.shape[2:])
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


def golden(p, trial, mistake):
    engine, pairs = ENGINES[trial.arithmetic]
    pairs = pairs or (engine == "fbgemm" and trial.kind == "depthwise")
    flat = layer(p, {"engine": engine, "pairs": pairs}, mistake, trial.relu)
    x = p["x_q"]
    return flat if x.ndim == 2 else np.moveaxis(flat.reshape(len(x), *x.shape[2:], -1), -1, 1)


def possible(trial):
    engine, pairs = ENGINES[trial.arithmetic]
    pairs = pairs or (engine == "fbgemm" and trial.kind == "depthwise")
    return not (
        engine not in ONLY.get(trial.mistake, (engine,))
        or (trial.mistake == "transposed" and trial.kind != "linear")
        or (trial.mistake in {"flipped", "oihw", "zero-padding"} and trial.kind == "linear")
        or (trial.mistake == "oihw" and trial.kind == "depthwise")
        or (trial.mistake in {"bias-rounded", "bias-truncated"} and engine == "qnnpack")
        or (trial.mistake == "pairs-reversed" and not pairs)
        or (trial.mistake == "pair-saturation" and not pairs and engine == "qnnpack")
        or (trial.mistake == "pair-saturation" and engine == "onednn" and trial.kind != "linear")
        or (trial.mistake == "no-weight-zero-point" and engine == "onednn")
        or (trial.mistake == "no-relu" and not trial.relu)
        or (trial.mistake == "before-relu" and trial.relu)
        or (trial.mistake == "no-clamp" and trial.relu)
        or (trial.mistake == "wraps" and trial.relu)
        or (trial.mistake in {"half-away", "half-up"} and engine == "onednn")
    )  # fmt: skip


def run(trial, seed):
    """`agrees` is False where the golden model without the mistake is not the simulation; then the
    ids of the causes, before and after further inputs."""
    random = np.random.default_rng(seed)
    p = numbers(random, trial)
    made = recording(p, trial)
    trace = Trace(made, arithmetic_for(made))
    assert np.array_equal(golden(p, trial, ""), made.values[0]), (trial, seed)
    found = diagnose(trace, 0, golden(p, trial, trial.mistake))
    if found is None:
        return None
    causes = found.causes
    for _ in range(SEPARATING):
        if len(causes) < 2:
            break
        other = {**p, "x_q": random.integers(0, 256, p["x_q"].shape).astype(np.uint8)}
        again = recording(other, trial)
        target = golden(other, trial, trial.mistake)
        causes = still_fit(Trace(again, arithmetic_for(again)), 0, target, causes)
    return found, causes


def named(causes):
    return {verdict.ids for verdict in causes}


def trials(count, seed):
    random = np.random.default_rng(seed)
    made = 0
    while made < count:
        trial = Trial(
            str(random.choice(KINDS)), str(random.choice(list(ENGINES))),
            bool(random.integers(2)), str(random.choice(list(IDS))),
        )  # fmt: skip
        if possible(trial):
            made += 1
            yield trial, int(random.integers(2**31))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    counts = Counter()
    for trial, seed in trials(options.trials, options.seed):
        result = run(trial, seed)
        if result is None:
            counts["no difference in this data"] += 1
            continue
        found, causes = result
        true = (IDS[trial.mistake],)
        counts["trials with a difference"] += 1
        if true not in named(found.causes):
            counts["true cause not in the answer"] += 1
            sys.stdout.write(f"missed: {trial}, seed {seed}: {named(found.causes)}\n")
        elif named(found.causes) == {true}:
            counts["named uniquely at once"] += 1
        if named(causes) == {true}:
            counts["named uniquely with further inputs"] += 1
        elif len(named(causes)) == 1:
            counts["another cause named as the only one"] += 1
        else:
            counts[f"tie at the end: {sorted(named(causes))}"] += 1
    for what, count in counts.most_common():
        sys.stdout.write(f"{count:6d}  {what}\n")


if __name__ == "__main__":
    main()
