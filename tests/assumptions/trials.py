"""Mistakes put into a golden model of random layers: is each one named, and nothing else?

`python -m tests.assumptions.trials --trials 2000` prints the figures.
"""

import argparse
import sys
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from qdbg.core.program import INPUT, Environment, Layer, Node, Program, Recording
from qdbg.core.quantity import QParams, QTensor
from qdbg.engine.arithmetics import arithmetic_for
from qdbg.engine.diagnose import diagnose, still_fit
from qdbg.engine.evidence import evidence
from qdbg.engine.trace import Trace
from tests.assumptions.golden import IDS, add, layer, quantize

ENGINES = {"fbgemm-avx2": ("fbgemm", True), "fbgemm-vnni": ("fbgemm", False),
           "qnnpack-vnni": ("qnnpack", False), "onednn-vnni": ("onednn", False)}  # fmt: skip
WEIGHTED = ("linear", "conv", "depthwise", "grouped", "strided")
KINDS = (*WEIGHTED, "residual", "quantize")
OF_ADD = {
    *("no-input-zero-point", "no-output-zero-point", "swapped", "raw-integers", "wraps"),
    *("fixed-point-add", "no-relu", "before-relu"),
    *("centred-integers", "halved-sum", "operands-rounded", "floor"),
}
OF_ADD_ALONE = {
    *("raw-integers", "swapped", "fixed-point-add", "centred-integers", "operands-rounded"),
}
OF_QUANTIZE = {
    *("scale-inverted", "no-output-zero-point", "zero-point-after", "uncalibrated", "no-clamp"),
    *("half-away", "half-up", "truncated", "floor"),
}
ONLY = {
    "bias-float": ("qnnpack",),
    "zero-point-after": ("onednn",),
    "zero-point-first": ("fbgemm", "qnnpack"),
    "float64-multiplier": ("fbgemm", "qnnpack"),
    "8-bit-multiplier": ("fbgemm", "qnnpack"),
    "fixed-double": ("qnnpack",),
    "scale-axis": ("qnnpack", "onednn"),
    "ceil": ("fbgemm", "qnnpack"),
}
ONLY_KIND = {
    "same-padding": ("strided",),
    "edge-padding": ("conv", "depthwise", "grouped", "strided"),
    "scale-axis": ("linear",),
}
LESS = {"relu6": "before-relu"}
"""Mistakes that are no more than another one where no number of the data shows the difference."""
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


def golden(p, trial, mistake):
    engine, pairs = ENGINES[trial.arithmetic]
    if trial.kind == "residual":
        return add(p, engine, mistake, trial.relu)
    if trial.kind == "quantize":
        return quantize(p["x"], p["y_scale"], p["y_zp"], mistake)
    pairs = pairs or (engine == "fbgemm" and trial.kind == "depthwise")
    flat = layer(p, {"engine": engine, "pairs": pairs}, mistake, trial.relu)
    x = p["x_q"]
    size = [-(-n // p["stride"]) for n in x.shape[2:]]
    return flat if x.ndim == 2 else np.moveaxis(flat.reshape(len(x), *size, -1), -1, 1)


def possible(trial):
    engine, pairs = ENGINES[trial.arithmetic]
    if trial.kind == "residual":
        fits = trial.mistake != "no-relu" or trial.relu
        return (
            trial.mistake in OF_ADD and fits and not (trial.mistake == "before-relu" and trial.relu)
        )
    if trial.kind == "quantize":
        return trial.mistake in OF_QUANTIZE and not trial.relu
    if trial.mistake in OF_ADD_ALONE:
        return False
    pairs = pairs or (engine == "fbgemm" and trial.kind == "depthwise")
    if trial.mistake in ONLY_KIND and trial.kind not in ONLY_KIND[trial.mistake]:
        return False
    return not (
        engine not in ONLY.get(trial.mistake, (engine,))
        or (trial.mistake == "transposed" and trial.kind != "linear")
        or (trial.mistake in {"flipped", "oihw", "hwio", "zero-padding"} and trial.kind == "linear")
        or (trial.mistake in {"oihw", "hwio"} and trial.kind == "depthwise")
        or (trial.mistake in {"bias-rounded", "bias-truncated"} and engine == "qnnpack")
        or (trial.mistake == "pairs-reversed" and not pairs)
        or (trial.mistake == "pair-saturation" and not pairs and engine == "qnnpack")
        or (trial.mistake == "pair-saturation" and engine == "onednn" and trial.kind != "linear")
        or (trial.mistake == "no-weight-zero-point" and engine == "onednn")
        or (trial.mistake == "no-relu" and not trial.relu)
        or (trial.mistake == "relu6" and trial.relu)
        or (trial.mistake == "before-relu" and trial.relu)
        or (trial.mistake == "no-clamp" and trial.relu)
        or (trial.mistake == "wraps" and trial.relu)
        or (trial.mistake in {"half-away", "half-up"} and engine == "onednn")
    )  # fmt: skip


def proofs(trial, seed):
    """The evidence for each cause of a trial's difference."""
    p = numbers(np.random.default_rng(seed), trial)
    made = recording(p, trial)
    trace = Trace(made, arithmetic_for(made))
    found = diagnose(trace, 0, golden(p, trial, trial.mistake))
    return [evidence(trace, 0, cause) for cause in found.causes]


def run(trial, seed, target=None):
    """`agrees` is False where the golden model without the mistake is not the simulation; then the
    ids of the causes, before and after further inputs."""
    random = np.random.default_rng(seed)
    p = numbers(random, trial)
    made = recording(p, trial)
    trace = Trace(made, arithmetic_for(made))
    assert np.array_equal(golden(p, trial, ""), made.values[0]), (trial, seed)
    made_by = target or (lambda p, trial: golden(p, trial, trial.mistake))
    made = made_by(p, trial)
    less = LESS.get(trial.mistake)
    shows = less is None or not np.array_equal(made, golden(p, trial, less))
    found = diagnose(trace, 0, made) if shows else None
    if found is None:
        return None
    causes = found.causes
    for _ in range(SEPARATING):
        if len(causes) < 2:
            break
        other = another_input(p, trial, random)
        again = recording(other, trial)
        wanted = made_by(other, trial)
        causes = still_fit(Trace(again, arithmetic_for(again)), 0, wanted, causes)
    return found, causes


def another_input(p, trial, random):
    if trial.kind == "quantize":
        return {
            **p,
            "x": random.permutation(p["x"].ravel()).reshape(p["x"].shape) * np.float32(0.7),
        }
    operands = ("a_q", "b_q") if trial.kind == "residual" else ("x_q",)
    return {**p, **{o: random.integers(0, 256, p[o].shape).astype(np.uint8) for o in operands}}


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
        elif named(found.causes) == {true} and found.explained:
            counts["named uniquely at once"] += 1
        counts["integers that say too little"] += bool(found.doubt)
        if named(causes) == {true}:
            counts["named uniquely with further inputs"] += 1
        elif not causes:
            counts["unexplained"] += 1
            sys.stdout.write(f"unexplained: {trial}, seed {seed}\n")
        elif len(named(causes)) == 1:
            counts["another cause named as the only one"] += 1
        else:
            counts[f"tie at the end: {sorted(named(causes))}"] += 1
    for what, count in counts.most_common():
        sys.stdout.write(f"{count:6d}  {what}\n")


if __name__ == "__main__":
    main()
