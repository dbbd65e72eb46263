"""The key table of the README, made of the command table: `python -m tests.readme` writes it."""

from pathlib import Path

from qdbg.commands import COMMANDS, GROUPS, key_sign

README = Path(__file__).parents[1] / "README.md"
START, END = "<!-- keys: written by python -m tests.readme -->\n", "<!-- /keys -->"


def table():
    """One row per command that has keys."""
    rows = ["| keys | what they do |\n", "| --- | --- |\n"]
    for group in GROUPS:
        for command in COMMANDS:
            if command.group == group and command.keys:
                keys = " ".join(f"`{key_sign(key)}`" for key in command.keys)
                rows.append(f"| {keys} | {command.help} |\n")
    return "".join(rows)


def with_table(text):
    """The text with the table between its two marks."""
    before, _, rest = text.partition(START)
    return before + START + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
