"""Mistakes put into a golden model of random layers: is each one named, and nothing else?

`python -m tests.assumptions.trials --trials 2000` prints the figures.
"""

import argparse
import sys
from collections import Counter

import numpy as np

from qdbg.engine.arithmetics import arithmetic_for
from qdbg.engine.diagnose import diagnose, still_fit
from qdbg.engine.evidence import evidence
from qdbg.engine.trace import Trace
from tests.assumptions.drawn import (
    ENGINES,
    WEIGHTED,
    Trial,
    another_input,
    numbers,
    recording,
)
from tests.assumptions.golden import IDS, add, layer, quantize

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
