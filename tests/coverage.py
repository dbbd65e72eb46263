"""Write the coverage table from what `qdbg selftest --json` printed:

qdbg selftest --budget 30m --json > /tmp/coverage.json; python -m tests.coverage /tmp/coverage.json
"""

import json
import sys
from pathlib import Path

from qdbg.headless.coverage import EXHAUSTIVE, PARAMETERS, exhausted, reached, short
from qdbg.selftest.cell import Count

TABLE = Path(__file__).parents[1] / "qdbg" / "selftest" / "coverage.md"


def cell(count):
    if count is None:
        return "·"
    if count["differences"]:
        return f"≠ {count['differences']}"
    if not count["compared"]:
        return "○"
    marks = [
        "○" if count["refused"] else "",
        EXHAUSTIVE if exhausted(Count(**count)) else "",
        short(count["compared"]),
    ]
    return " ".join(mark for mark in marks if mark)


def claimed(data):
    """Engine and level, op and what was counted, wherever something was simulated."""
    return [
        (f"{each['engine']} {each['cpu']}", op, Count(**count))
        for each in data["cells"]
        for op, count in each["ops"].items()
        if count["compared"]
    ]


def behind(data):
    """The cells that have too few integers, by op."""
    found = {}
    for cell_name, op, count in claimed(data):
        if not reached(count):
            found.setdefault(op, []).append(f"{cell_name} {short(count.compared)}")
    return "\n".join(f"- {op}: {', '.join(cells)}" for op, cells in sorted(found.items()))


def table(data):
    cells = data["cells"]
    ops = sorted({op for each in cells for op in each["ops"]})
    heads = [f"{each['engine']} {each['cpu']}" for each in cells]
    rows = [[op, *(cell(each["ops"].get(op)) for each in cells)] for op in ops]
    lines = [["op", *heads], ["---"] * (len(heads) + 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def reasons(data):
    found = {
        (op, count["reason"])
        for each in data["cells"]
        for op, count in each["ops"].items()
        if count["reason"]
    }
    return "\n".join(f"- {op}: {reason}" for op, reason in sorted(found))


def main():
    data = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    seeded = sum(len(each["faults"]) for each in data["cells"])
    caught = sum(sum(each["faults"].values()) for each in data["cells"])
    different = sum(c["differences"] for each in data["cells"] for c in each["ops"].values())
    compared = sum(c["compared"] for each in data["cells"] for c in each["ops"].values())
    cells = claimed(data)
    enough = sum(reached(count) for _, _, count in cells)
    whole = sum(exhausted(count) for _, _, count in cells)
    most = max(each["seconds"] for each in data["cells"])
    less = behind(data)
    TABLE.write_text(
        f"""# Coverage

`qdbg selftest --budget {data["budget"]} --seed {data["seed"]}` with torch {data["torch"]} on
{data["processor"]}: {compared:,} integers compared, {different:,} of them differ;
{caught} of {seeded} seeded faults caught. Made by `python -m tests.coverage`.

{enough:,} of {len(cells):,} claimed cells have a million integers or more, or all inputs there
are; {whole:,} have all inputs. The longest cell took {most:.0f} seconds.

A number: integers compared, none differs. {EXHAUSTIVE}: and, with {PARAMETERS} drawn parameters or
more, every byte was met (of an op with two operands: every pair of bytes). ○: calls that are
captured and not simulated; some of them beside a number, all of them without one. ≠: integers
that differ. ·: the engine has no such call, or it is not drawn.

{table(data)}

{"Below a million:" if less else "No claimed cell is below a million."}

{less}

What is not simulated, and why:

{reasons(data)}
""",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
