"""Runs as a process of its own, for Dask starts its workers from it: parts on a cluster give what
they give here, by the cluster that qdbg starts and by one that runs already."""

import distributed

from qdbg.core.presets import ARITHMETICS
from qdbg.fleet.feed import Machine
from qdbg.fleet.predict import Predictor
from qdbg.fleet.sweep import sweep
from qdbg.fleet.workers import PART, Workers
from tests.fleet.synthetic import runs_of

NAMES = ["textbook", "fbgemm-avx2"]


def swept(portions, workers):
    return sweep(portions, NAMES, "simulated", workers, lambda done: None)


def predicted(portions, workers):
    predictor = Predictor([Machine(name, ARITHMETICS[name]) for name in NAMES])
    predictor.take_all(portions, workers, lambda done, total: None, keep=False)
    return [(each.tallies, each.pairs, each.bounds, each.outputs) for each in predictor.forecasts]


def main():
    portions = [runs_of(PART + 6)]  # so many that they make two parts
    assert swept(portions, Workers(2, "dask")) == swept(portions, Workers(1))
    cluster = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**cluster) as running:
        there = Workers(2, f"dask={running.scheduler_address}")
        assert predicted(portions, there) == predicted(portions, Workers(1))


if __name__ == "__main__":
    main()
