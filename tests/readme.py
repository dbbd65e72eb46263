"""The key table of the README, made of the command table: `python -m tests.readme` writes it."""

from itertools import zip_longest
from pathlib import Path

from qdbg.commands import COMMANDS, GROUPS
from qdbg.keys import key_sign

README = Path(__file__).parents[1] / "README.md"
START, END = "<!-- keys: written by python -m tests.readme -->\n", "<!-- /keys -->"


ABREAST = 3


def table():
    """Every command that has keys, three in a row, to be read down the columns."""
    cells = [
        f"{' '.join(f'`{key_sign(key)}`' for key in command.keys)} | "
        + command.help.replace("|", r"\|")  # a bar would end the cell
        for group in GROUPS
        for command in COMMANDS
        if command.group == group and command.keys
    ]
    count = -(-len(cells) // ABREAST)
    columns = [cells[start : start + count] for start in range(0, len(cells), count)]
    head = f"|{' keys | what they do |' * ABREAST}\n|{' --- | --- |' * ABREAST}\n"
    return head + "".join(
        f"| {' | '.join(row)} |\n" for row in zip_longest(*columns, fillvalue=" | ")
    )


def with_table(text):
    """The text with the table between its two marks."""
    before, _, rest = text.partition(START)
    return before + START + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
