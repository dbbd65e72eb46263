"""Hexadecimal text as $readmemh and $writememh know it: words, @ addresses, comments."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from qdbg.core.program import Node
from qdbg.core.quantity import Array
from qdbg.errors import GoldenError
from qdbg.golden.dump import Dump, Numbers

WORD = re.compile(r"(?:0x)?([0-9a-f]+)", re.IGNORECASE)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
TO_THE_END = re.compile(r"(//|#).*")
REVERSED = "with the bytes of each word reversed"
NUMBER = 8
"""Bytes of the widest word that is one number."""
WIDEST = 1024
"""Bytes of a word."""
MOST = 2**24
"""Characters of a file, and bytes of its words."""
NEGATIVE = 0x80
FLOAT = 4
"""Bytes of a float32."""


def hex_dump(text: str, path: Path) -> Dump:
    """The words of one layer, named by the file. Raises GoldenError."""
    words, digits = _words(text, path)
    width = (digits + 1) // 2
    if width > WIDEST:
        raise GoldenError(f"{path} has a word of {width} bytes", expected=f"at most {WIDEST}")
    if width * len(words) > MOST:
        raise GoldenError(f"{path} has words of 1 to {width} bytes", expected="words of one width")
    data = bytes.fromhex("".join(word.zfill(2 * width) for word in words))
    table = np.frombuffer(data, np.uint8).reshape(len(words), width)
    size = f"{len(words)} words of {width} byte{'s' if width > 1 else ''}"
    return Dump(path.stem, str(path), size, lambda node, n: _numbers(table, node, n), by_stem=True)


def _words(text: str, path: Path) -> tuple[list[str], int]:
    """The words in the order of their addresses, and the most digits that one has."""
    if len(text) > MOST:
        raise GoldenError(f"{path} has {len(text)} characters", expected=f"at most {MOST}")
    parts: list[tuple[int, list[str]]] = [(0, [])]
    text = COMMENT.sub(lambda found: "\n" * found[0].count("\n"), text)
    for number, line in enumerate(text.splitlines(), start=1):
        for token in TO_THE_END.sub("", line).replace(",", " ").split():
            word = WORD.fullmatch(token.removeprefix("@").replace("_", ""))
            if word is None:
                raise _no_word(path, number, token)
            if token.startswith("@"):
                parts.append((int(word[1], 16), []))
            else:
                parts[-1][1].append(word[1])
    return _joined([part for part in parts if part[1]], path)


def _no_word(path: Path, number: int, token: str) -> GoldenError:
    remedy = ""
    if token.startswith(":"):
        remedy = "Intel HEX is not read: 'objcopy -I ihex -O verilog' makes words of it."
    return GoldenError(
        f"{path}, line {number}: {token[:40]!r} is no word",
        expected="hexadecimal digits, or @ and an address",
        remedy=remedy,
    )


def _joined(parts: list[tuple[int, list[str]]], path: Path) -> tuple[list[str], int]:
    if not parts:
        raise GoldenError(f"{path} holds no words")
    words: list[str] = []
    parts.sort(key=lambda part: part[0])
    start = parts[0][0]
    for address, more in parts:
        if address != start + len(words):
            what = "gives no word" if address > start + len(words) else "gives two words"
            at = min(address, start + len(words))
            raise GoldenError(f"{path} {what} for the address @{at:x}")
        words += more
    return words, max(len(word) for word in words)


def _numbers(table: Array, node: Node, size: int) -> list[Numbers]:
    """The table's rows are words, each with its highest byte first."""
    count, width = table.shape
    if node.output is None:
        return _floats(table, size)
    if count == size and width <= NUMBER:
        signed = width > 1 or node.dtype == "qint8"
        return _each(table, signed=signed)
    if width > 1 and (count - 1) * width < size <= count * width:
        kind = np.int8 if node.dtype == "qint8" else np.uint8
        found = [(table, "in the order of the written bytes"), (table[:, ::-1], REVERSED)]
        return [
            Numbers(flat[:size].view(kind), words if number else None)
            for number, (rows, words) in enumerate(found)
            if not (flat := np.ascontiguousarray(rows).reshape(-1))[size:].any()
        ]
    return []


def _each(table: Array, *, signed: bool) -> list[Numbers]:
    """A number per word, two's complement."""
    width = table.shape[1]
    found = []
    for rows, words in ((table, None), (table[:, ::-1], REVERSED))[: 1 if width == 1 else 2]:
        fill = np.where(rows[:, :1] >= NEGATIVE, 255, 0) if signed else np.zeros((len(rows), 1))
        wide = np.concatenate(
            [np.repeat(fill.astype(np.uint8), NUMBER - width, axis=1), rows], axis=1
        )
        found.append(Numbers(np.ascontiguousarray(wide).view(">i8").reshape(-1), words))
    return found


def _floats(table: Array, size: int) -> list[Numbers]:
    """The bits of float32 numbers: a word each, or their bytes."""
    count, width = table.shape
    if count * width != size * FLOAT or width not in (1, FLOAT):
        return []
    flat = np.ascontiguousarray(table).reshape(-1)
    usual, other = (">f4", "<f4") if width == FLOAT else ("<f4", ">f4")
    return [Numbers(flat.view(usual)), Numbers(flat.view(other), REVERSED)]
