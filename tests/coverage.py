"""Write the coverage table from what `qdbg selftest --json` printed, on one machine after another:

qdbg selftest --budget 30m --json > run.json; python -m tests.coverage run.json

A run replaces the columns of the cells that it fuzzed. Other columns stay, under the run that they
come from: coverage.json keeps what was counted. A run of another release than the columns' has a
line of its own. Refuses a run of some ops alone, and one whose process died.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from qdbg.core.versions import PRESETS, RULES, release_of
from qdbg.headless.coverage import (
    ABSENT,
    DIFFERENT,
    EXHAUSTIVE,
    PARAMETERS,
    REFUSED,
    exhausted,
    reached,
    reasons_of,
    short,
)
from qdbg.names import ENGINES, LEVELS
from qdbg.selftest.cell import Count

TABLE = Path(__file__).parents[1] / "qdbg" / "selftest" / "coverage.md"
KEPT = TABLE.with_suffix(".json")
FEW = 12
"""So many ops below a million are named with their cells; of more the number is told."""


def name_of(cell):
    """`fbgemm vnni`, or `fbgemm vnni emulated` where no CPU of that level ran PyTorch."""
    return " ".join([cell["engine"], cell["cpu"], *(["emulated"] if "emulated" in cell else [])])


def refuse(data):
    """Exit for a run of which no table is made."""
    if data.get("cases"):
        sys.exit(f"a run of {', '.join(data['cases'])} alone has no whole columns: leave out --op")
    for cell in data["cells"]:
        if cell["ended"]:
            sys.exit(f"the process of {name_of(cell)} came to no end: {cell['ended']}")


def commit():
    """Of the checkout; empty outside of one."""
    git = shutil.which("git")
    if git is None:
        return ""
    ask = [git, "rev-parse", "--short", "HEAD"]
    done = subprocess.run(ask, capture_output=True, text=True, check=False, cwd=TABLE.parent)  # noqa: S603 - our own words
    return done.stdout.strip()


def summary(data, at):
    """What the document says about a run."""
    counts = [count for cell in data["cells"] for count in cell["ops"].values()]
    return {
        "id": f"{data['date']} {data['seed']}",
        "date": data["date"][:10],
        **{key: data[key] for key in ("torch", "processor", "seed", "budget")},
        "qdbg": " ".join(word for word in (data["qdbg"], at) if word),
        "compared": sum(count["compared"] for count in counts),
        "differences": sum(count["differences"] for count in counts),
        "faults": sum(len(cell["faults"]) for cell in data["cells"]),
        "caught": sum(sum(cell["faults"].values()) for cell in data["cells"]),
        **({"note": data["note"]} if "note" in data else {}),
    }


def merged(kept, data, at=""):
    """What is kept, with the cells of a new run in place of older ones."""
    refuse(data)
    run = summary(data, at)
    releases = {release_of(each["torch"]): each for each in kept["releases"]}
    if release_of(data["torch"]) != PRESETS:
        releases[release_of(data["torch"])] = run | whole(data)
        return {**kept, "releases": [releases[name] for name in RULES if name in releases]}
    cells = {name_of(cell): cell for cell in kept["cells"]}
    for cell in data["cells"]:
        ops = {
            op: {key: number for key, number in count.items() if number}
            for op, count in cell["ops"].items()
        }
        facts = {key: cell[key] for key in ("engine", "cpu", "emulated") if key in cell}
        cells[name_of(cell)] = {**facts, "run": run["id"], "ops": ops}
    left = sorted(cells.values(), key=place)
    used = {cell["run"] for cell in left}
    runs = [*(each for each in kept["runs"] if each["id"] != run["id"]), run]
    runs = sorted((each for each in runs if each["id"] in used), key=lambda each: each["id"])
    return {"runs": runs, "cells": left, "releases": kept["releases"]}


def whole(data):
    """How many engines and levels a run has, how many of their ops, and of how many enough."""
    counts = [Count(**count) for cell in data["cells"] for count in cell["ops"].values()]
    claimed = [count for count in counts if count.compared]
    return {
        "cells": len(data["cells"]),
        "claimed": len(claimed),
        "enough": sum(map(reached, claimed)),
    }


def place(cell):
    """Where its column stands."""
    return ENGINES.index(cell["engine"]), LEVELS.index(cell["cpu"]), "emulated" in cell


def entry(count):
    """One place of the table."""
    if count is None:
        return ABSENT
    if count.differences:
        return f"{DIFFERENT} {count.differences}"
    if not count.compared:
        return REFUSED
    marks = [
        REFUSED if count.refused else "",
        EXHAUSTIVE if exhausted(count) else "",
        short(count.compared),
    ]
    return " ".join(mark for mark in marks if mark)


def rows(lines):
    head, *others = [[str(word) for word in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *others))


def table(cells, letters):
    heads = ["op", "inputs", *(f"{name_of(cell)} {letters[cell['run']]}" for cell in cells)]
    counted = [{op: Count(**count) for op, count in cell["ops"].items()} for cell in cells]
    lines = [heads]
    for op in sorted({op for counts in counted for op in counts}):
        inputs = max((counts[op].inputs for counts in counted if op in counts), default=0)
        entries = [entry(counts.get(op)) for counts in counted]
        lines.append([op, f"{inputs:,}" if inputs else "", *entries])
    return rows(lines)


def runs_table(runs, cells, letters):
    lines = [["run", "date", "torch", "CPU", "seed", "budget", "qdbg", "integers compared",
              "differ", "seeded faults caught", "columns"]]  # fmt: skip
    for run in runs:
        columns = ", ".join(name_of(cell) for cell in cells if cell["run"] == run["id"])
        facts = (run[key] for key in ("date", "torch", "processor", "seed", "budget", "qdbg"))
        caught = f"{run['caught']:,} of {run['faults']:,}"
        counted = (f"{run['compared']:,}", f"{run['differences']:,}", caught)
        lines.append([letters[run["id"]], *facts, *counted, columns])
    return rows(lines)


def releases_table(releases):
    lines = [["torch", "date", "CPU", "seed", "budget", "qdbg", "integers compared", "differ",
              "seeded faults caught", "engines and levels",
              "ops of these with a million, or all inputs"]]  # fmt: skip
    for run in releases:
        facts = (run[key] for key in ("torch", "date", "processor", "seed", "budget", "qdbg"))
        caught = f"{run['caught']:,} of {run['faults']:,}"
        counted = (f"{run['compared']:,}", f"{run['differences']:,}", caught, run["cells"])
        lines.append([*facts, *counted, f"{run['enough']:,} of {run['claimed']:,}"])
    return rows(lines)


def of_run(run, cells, letters):
    """What is to be said of one run: its age, its cells below a million, its reasons."""
    own = [cell for cell in cells if cell["run"] == run["id"]]
    counted = [{op: Count(**count) for op, count in cell["ops"].items()} for cell in own]
    claimed = [
        (op, name_of(cell), count)
        for cell, counts in zip(own, counted, strict=True)
        for op, count in counts.items()
        if count.compared
    ]
    enough = sum(reached(count) for _, _, count in claimed)
    whole = sum(exhausted(count) for _, _, count in claimed)
    behind = {}
    for op, cell, count in claimed:
        if not reached(count):
            behind.setdefault(op, []).append(f"{cell} {short(count.compared)}")
    lines = [
        f"## Run {letters[run['id']]}",
        f"{enough:,} of {len(claimed):,} claimed cells have a million integers or more, or all"
        f" inputs there are; {whole:,} have all inputs.",
    ]
    lines += [run["note"]] if "note" in run else []
    if behind and len(behind) <= FEW:
        below = "\n".join(f"- {op}: {', '.join(names)}" for op, names in sorted(behind.items()))
        lines += ["Below a million:", below]
    elif behind:
        lines.append(f"{len(behind)} ops have cells below a million: the table has their numbers.")
    reasons = [f"- {line.removeprefix(REFUSED).strip()}" for line in reasons_of(counted)]
    lines += ["What is not simulated, and why:", "\n".join(reasons)] if reasons else []
    return "\n\n".join(lines)


def ages(runs, cells, letters):
    """In words which columns are older than the last run."""
    last = runs[-1]
    levels = {cell["cpu"] for cell in cells if cell["run"] == last["id"]}
    for run in runs[:-1]:
        columns = ", ".join(name_of(cell) for cell in cells if cell["run"] == run["id"])
        yield (
            f"The columns of run {letters[run['id']]} ({columns}) are of {run['date']} and were not"
            f" run again since: run {letters[last['id']]} fuzzed {' and '.join(sorted(levels))}"
            " alone."
        )


def document(kept):
    """The table as it is committed."""
    runs, cells = kept["runs"], kept["cells"]
    letters = {run["id"]: chr(ord("A") + place) for place, run in enumerate(runs)}
    others = []
    if kept["releases"]:
        others = [
            "## Other releases",
            f"The columns are of PyTorch {PRESETS}. The same cases, by other releases:",
            releases_table(kept["releases"]),
        ]
    parts = [
        "# Coverage",
        "`qdbg selftest` on one machine after another, put together by `python -m tests.coverage`.",
        runs_table(runs, cells, letters),
        *ages(runs, cells, letters),
        f"A number: integers compared, none differs. {EXHAUSTIVE}: and, with {PARAMETERS} drawn"
        f" parameters or more,\nall inputs were met, as many as the column `inputs` says: every"
        f" byte, or every pair of bytes of two operands.\n{REFUSED}: calls that are captured and"
        " not simulated; some of them beside a number, all of them without one.\n"
        f"{DIFFERENT}: integers that differ. {ABSENT}: the engine has no such call, or it is not"
        " drawn.",
        table(cells, letters),
        *others,
        *(of_run(run, cells, letters) for run in reversed(runs)),
    ]
    return "\n\n".join(parts) + "\n"


def main():
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    for path in sys.argv[1:]:
        kept = merged(kept, json.loads(Path(path).read_text(encoding="utf-8")), commit())
    KEPT.write_text(json.dumps(kept, separators=(",", ":"), ensure_ascii=False) + "\n", "utf-8")
    TABLE.write_text(document(kept), encoding="utf-8")


if __name__ == "__main__":
    main()
