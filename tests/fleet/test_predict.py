"""Counts over many runs are those of the runs one by one, and what is not known is not counted."""

from dataclasses import replace

import numpy as np
import pytest

from qdbg.core.arithmetic import INT16, i32
from qdbg.core.presets import ARITHMETICS
from qdbg.core.program import FIRST_CONSTANT, INPUT, Program
from qdbg.core.quantity import QTensor
from qdbg.core.runs import Links, same_node, stacked
from qdbg.engine.trace import Trace
from qdbg.fleet.feed import COMPUTED, DECIDED, DERIVED, UNSEEN, Fleet, Machine, Result
from qdbg.fleet.predict import Predictor
from qdbg.fleet.sweep import sweep, sweep_part
from qdbg.fleet.tally import by_sample, tally
from qdbg.fleet.verify import Predicted, Verdict
from qdbg.fleet.workers import PART, Workers, parts_of
from qdbg.headless.forecast_text import tally_words
from qdbg.names import ARITHMETIC_NAMES
from tests.fleet.synthetic import LINKS, alone, runs_of, with_input
from tests.synthetic import recording

NAMES = ("fbgemm-avx2", "onednn-avx2", "qnnpack-vnni", "fbgemm-vnni")
MACHINES = [Machine(name, ARITHMETICS[name]) for name in NAMES]


@pytest.mark.parametrize("feed", ["captured", "simulated"])
def test_counts_are_those_of_single_traces(feed):
    runs = runs_of()
    names = list(ARITHMETIC_NAMES)
    for name, counts in zip(names, sweep_part(runs, names, feed), strict=True):
        traces = [Trace(alone(runs, n), ARITHMETICS[name], feed) for n in range(len(runs))]
        for call, counted in enumerate(counts.values()):
            each = [trace.comparisons[call] for trace in traces]
            assert counted.differences == sum(c.differences for c in each)
            assert counted.elements == sum(c.elements for c in each)
            assert counted.max_delta == max(c.max_delta for c in each)
            own = [n for n, c in enumerate(each) if c.differences]
            assert (counted.samples, counted.first) == (len(own), own[0] if own else None)
            if runs.nodes[call].output is not None:
                assert counted.histogram.total() == counted.differences


@pytest.mark.parametrize("count", [1, PART, PART + 1, 3 * PART])
def test_parts_add_up_to_the_whole(count):
    runs = runs_of(count)
    heard = []
    found = sweep([runs], ["textbook", "fbgemm-avx2"], "captured", Workers(1), heard.append)
    assert found == sweep_part(runs, ["textbook", "fbgemm-avx2"], "captured")
    assert sum(heard) == count
    assert sum(len(part) for part in parts_of([runs])) == count


def test_two_workers_count_the_same():
    runs = runs_of(2 * PART + 3)
    one, two = (sweep([runs], NAMES, "simulated", Workers(jobs), lambda n: None) for jobs in (1, 2))
    assert one == two


def test_pairs_are_those_of_a_plain_loop():
    runs = runs_of(20, seed=3)
    predictor = Predictor(MACHINES)
    results = predictor.take(runs)
    place = NAMES.index("fbgemm-avx2")
    found = predictor.forecasts[place].pairs
    total = 0
    for call, path in ((1, "fc1"), (3, "fc2")):
        x = i32(results[call - 1][place].values[:, 0])
        w = i32(runs.first.program.layers[path].weight.q)
        wanted = {}
        for channel, row in enumerate(w):
            for pair in range(row.size // 2):
                k = slice(2 * pair, 2 * pair + 2)
                sums = (x[:, k] * row[k]).sum(axis=1)
                excess = np.maximum(sums - INT16[1], INT16[0] - sums)
                if (excess > 0).any():
                    wanted[channel, pair] = (int((excess > 0).sum()), int(excess.max()))
        own = found[f"{path}:linear"]
        assert {key: (cut.times, cut.excess) for key, cut in own.items()} == wanted
        assert all(cut.samples == cut.times for cut in own.values())
        total += len(wanted)
    assert total > 5
    assert not any(predictor.forecasts[NAMES.index("fbgemm-vnni")].pairs.values())


def test_classes_and_labels():
    runs = runs_of(30, seed=1)
    captured = runs.values[4][:, 0].argmax(axis=1)
    labels = np.where(np.arange(30) < 20, captured, 9)
    predictor = Predictor(MACHINES, labels)
    results = predictor.take(runs)
    for forecast, result in zip(predictor.forecasts, results[4], strict=True):
        out, after = forecast.outputs, result.values[:, 0].argmax(axis=1)
        flipped = [f.sample for f in out.flips]
        assert flipped == np.flatnonzero(captured != after).tolist()
        assert (out.samples, out.labelled, out.right_captured) == (30, 30, 20)
        assert out.right == np.count_nonzero(after == labels)
    assert predictor.forecasts[0].outputs.flips
    assert not predictor.forecasts[3].outputs.flips


# ------------------------------------------------------------------- what is not known


def with_constant(links):
    """fc2 takes a tensor that unrecorded operations made, in the place of ReLU's result."""
    runs = runs_of(links=links)
    nodes = list(runs.nodes)
    nodes[3] = replace(nodes[3], inputs=(FIRST_CONSTANT,))
    program = Program(tuple(nodes), runs.first.program.layers)
    held = runs.values[2]
    constant = QTensor(held[0], nodes[2].output)
    first = replace(runs.first, program=program, constants=(constant,))
    return replace(runs, first=first, constants=(held,))


@pytest.mark.parametrize(
    ("links", "reason"),
    [
        (replace(LINKS, derived=frozenset({0})), DERIVED),
        (replace(LINKS, computed=frozenset({0})), COMPUTED),
        (Links(frozenset(), frozenset(), 3, (4,), True), DECIDED),
    ],
)
def test_what_the_simulation_cannot_follow_is_not_predicted(links, reason):
    runs = with_constant(links)
    (machine,) = (m for m in MACHINES if m.name == "fbgemm-avx2")
    results = [each[0] for _, each in Fleet(runs, [machine], "simulated").calls()]
    changed = results[1].different(runs.values[1]).any(axis=(1, 2))
    assert changed.any()
    unknown = set(range(len(runs))) if reason == COMPUTED else set(np.flatnonzero(changed))
    assert set(results[3].unknown) == unknown
    assert set(results[3].unknown.values()) == {reason}
    assert all("follows fc2:linear" in why for why in results[4].unknown.values())
    captured = [m for m in MACHINES if m.name == "fbgemm-vnni"]
    for _, (own,) in Fleet(runs, captured, "simulated").calls():
        assert not own.unknown


def test_a_constant_that_depends_on_nothing_is_fed_as_it_is():
    runs = with_constant(LINKS)
    for _, found in Fleet(runs, MACHINES, "simulated").calls():
        assert not any(result.unknown for result in found)


def test_calls_that_were_not_seen_on_an_engine_are_not_predicted():
    runs = runs_of(3)
    memory = {(node.name, node.shape): node for node in runs.nodes[:3]}
    machine = Machine("fbgemm-avx2", ARITHMETICS["fbgemm-avx2"], memory)
    results = [each[0] for _, each in Fleet(runs, [machine], "simulated").calls()]
    assert [len(result.unknown) for result in results] == [0, 0, 0, 3, 3]
    assert set(results[3].unknown.values()) == {UNSEEN}


def test_an_operand_that_is_not_recorded_is_a_reason():
    runs = runs_of(3)
    nodes = list(runs.nodes)
    nodes[1] = replace(nodes[1], inputs=(-2,))
    program = Program(tuple(nodes), runs.first.program.layers)
    runs = replace(runs, first=replace(runs.first, program=program))
    predictor = Predictor(MACHINES)
    predictor.take(runs)
    for forecast in predictor.forecasts:
        assert (forecast.status, forecast.outputs.unknown) == (3, 3)
        assert forecast.tallies["fc1:linear"].unknown == 3 * 16
        assert forecast.bounds["fc1:linear"].status == "unknown"


# ------------------------------------------------------------------------ verification


def predicted(runs):
    results = [each[0] for _, each in Fleet(runs, MACHINES[3:], "simulated").calls()]
    return Predicted([(runs, results)])


def test_verification_compares_every_value():
    runs, verdict = runs_of(), Verdict("fbgemm-vnni")
    check = predicted(runs)
    check.check(runs, verdict)
    check.finish(verdict)
    assert verdict.holds
    assert verdict.compared == sum(value.size for value in runs.values)
    assert verdict.samples == len(runs)


def test_verification_notices_one_wrong_integer():
    runs, verdict = runs_of(), Verdict("fbgemm-vnni")
    check = predicted(runs)
    wrong = [value.copy() for value in runs.values]
    wrong[2][7, 0, 5] ^= 1
    check.check(replace(runs, values=tuple(wrong)), verdict)
    check.finish(verdict)
    assert not verdict.holds
    assert (verdict.differences, verdict.first) == (1, ("relu:relu", 7))


def test_verification_notices_calls_that_are_missing_or_new():
    runs, missing, new = runs_of(), Verdict("m"), Verdict("n")
    check = predicted(runs)
    check.check(runs.part(0, 9), missing)
    check.finish(missing)
    assert not missing.holds
    assert missing.foreign == sorted(node.name for node in runs.nodes)
    nodes = (*runs.nodes[:4], replace(runs.nodes[4], name="other"))
    renamed = replace(runs.first, program=Program(nodes, runs.first.program.layers))
    predicted(runs).check(replace(runs, first=renamed), new)
    assert new.foreign == ["other"]


def test_nodes_are_the_same_but_for_their_memory():
    one = runs_of(1).nodes[1]
    other = replace(one, strides=(16, 2), repeatable=False)
    assert same_node(one, other, memory=False)
    assert not same_node(one, other)
    assert not same_node(one, replace(one, inputs=(INPUT,)), memory=False)


def test_runs_of_several_samples_count_the_samples_that_differ_and_name_the_first():
    batch, count = 4, 5
    whole = [recording(3, "fbgemm-vnni", rows=batch)]
    random = np.random.default_rng(8)
    for _ in range(count - 1):
        fed = (random.normal(size=(batch, 4)) * 2 + 1).astype(np.float32)
        whole.append(with_input(whole[0], fed))
    single = [with_input(recording(3, "fbgemm-vnni"), row[None]) for r in whole for row in r.input]
    together = stacked(whole, range(0, batch * count, batch), LINKS)
    apart = stacked(single, range(batch * count), LINKS)
    (found,), (expected,) = (sweep_part(r, ["fbgemm-avx2"], "captured") for r in (together, apart))
    assert 0 < expected["fc1:linear"].samples < batch * count
    for name, own in expected.items():
        assert (found[name].samples, found[name].first) == (own.samples, own.first)


@pytest.mark.parametrize("turned", [1, 2])
def test_behind_a_call_that_turns_the_axes_all_samples_of_a_run_count(turned):
    """Also where the first axis is as long as the batch by chance."""
    runs = stacked([recording(3, "fbgemm-vnni", rows=4)], [8], LINKS)
    nodes = tuple(
        replace(node, op="permute") if call == turned else node
        for call, node in enumerate(runs.nodes)
    )
    program = Program(nodes, runs.first.program.layers)
    runs = replace(runs, first=replace(runs.first, program=program))
    value = runs.values[2]
    other = value ^ (np.arange(value.size).reshape(value.shape) == 40)
    found = tally(runs, 2, Result(other, {}, ()))
    assert (found.differences, found.samples, found.first, found.by_run) == (1, 4, 8, True)
    assert tally_words(found, "iris").endswith(
        "in up to 4 samples, max |Δ| 1, first iris:8 or after"
    )


@pytest.mark.parametrize(("axis", "by_run"), [(0, True), (1, False)])
def test_samples_that_are_joined_along_the_batch_are_told_apart_no_more(axis, by_run):
    made = recording(3, "fbgemm-vnni", rows=4)
    nodes = made.program.nodes
    cat = replace(nodes[2], op="cat", inputs=(1, 1), settings={"dim": axis})
    program = Program((*nodes[:2], cat, *nodes[3:]), made.program.layers)
    assert by_sample(program, 4) == (True, True, not by_run, not by_run, not by_run)
