"""Write the coverage table from what `qdbg selftest --json` printed:

qdbg selftest --budget 30m --json > /tmp/coverage.json; python -m tests.coverage /tmp/coverage.json
"""

import json
import sys
from pathlib import Path

from qdbg.headless.coverage import short

TABLE = Path(__file__).parents[1] / "qdbg" / "selftest" / "coverage.md"


def cell(count):
    if count is None:
        return "·"
    if count["differences"]:
        return f"≠ {count['differences']}"
    refused = "○" if count["refused"] else ""
    return f"{refused} {short(count['compared'])}".strip() if count["compared"] else "○"


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
    TABLE.write_text(
        f"""# Coverage

`qdbg selftest --budget {data["budget"]} --seed {data["seed"]}` with torch {data["torch"]} on
{data["processor"]}: {compared:,} integers compared, {different:,} of them differ;
{caught} of {seeded} seeded faults caught. Made by `python -m tests.coverage`.

A number: integers compared, none differs. ○: calls that are captured and not simulated; some of
them beside a number, all of them without one. ≠: integers that differ. ·: the engine has no such
call, or it is not drawn.

{table(data)}

What is not simulated, and why:

{reasons(data)}
""",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
