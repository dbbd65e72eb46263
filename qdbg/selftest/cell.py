"""One engine on one CPU level: what is asked of the child that fuzzes it, and what it answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Task:
    """What one child does."""

    engine: str
    level: str
    cases: tuple[str, ...]
    """Which generators draw; all where it is empty."""
    seed: int
    budget: float
    """Seconds of fuzzing; proving that faults are caught comes before and takes from them."""
    faults: tuple[str, ...] | None = None
    """Which seeded faults to prove; None for all that show on this engine and level."""
    least: int = 2
    """How many cases every generator draws, however small the budget is."""

    @property
    def cell(self) -> str:
        """`fbgemm avx2`: where the child works."""
        return f"{self.engine} {self.level}"

    def line(self) -> bytes:
        """As the child reads it."""
        return json.dumps(asdict(self)).encode("ascii") + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Task:
        """The task that `line` wrote."""
        fields = json.loads(line)
        named = None if fields["faults"] is None else tuple(fields["faults"])
        return cls(**{**fields, "cases": tuple(fields["cases"]), "faults": named})


@dataclass(slots=True)
class Count:
    """What became of the calls of one op."""

    calls: int = 0
    compared: int = 0
    """Integers (or float32 numbers) of simulated calls."""
    differences: int = 0
    refused: int = 0
    """Calls that are not simulated."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Why they are not: how many calls by reason."""
    exhaustive: int = 0
    """Simulated calls whose operands ran through all that there is, each with parameters drawn
    anew: the op works element by element."""
    inputs: int = 0
    """How many inputs that is: 256 bytes, or 65536 pairs of bytes; 0 for other ops."""

    def refuse(self, reason: str) -> None:
        """A call is not simulated for this reason."""
        self.refused += 1
        self.reasons[reason] = self.reasons.get(reason, 0) + 1


@dataclass(slots=True)
class Findings:
    """What one child found so far."""

    engine: str
    level: str
    counts: dict[str, Count] = field(default_factory=dict)
    """By op."""
    faults: dict[str, bool] = field(default_factory=dict)
    """Whether each seeded fault was caught."""
    differences: list[Mapping[str, Any]] = field(default_factory=list)
    """Small cases that differ: `case`, `seed`, `size`, `op`."""
    recordings: list[bytes] = field(default_factory=list)
    """Those cases, recorded, in the same order."""
    running: str = ""
    """The case that runs, or ran last, and its seed: `conv2d, seed 7`."""
    ended: str = ""
    """How the child died; empty where it came to its end."""
    refused: int = 0
    """Cases that PyTorch itself refused."""
    seconds: float = 0.0
    """How long the child ran."""
    budget: float = 0.0
    """How long it was to run."""
    done: bool = False
    """Whether it came to its end."""
    torch: str = ""
    processor: str = ""

    @property
    def missed(self) -> list[str]:
        """The seeded faults that were not caught."""
        return [name for name, caught in self.faults.items() if not caught]

    def hear(self, message: Mapping[str, Any] | bytes) -> None:
        """Take up one of the child's answers."""
        if isinstance(message, bytes):
            self.recordings.append(message)
            return
        self.running = message.get("running", self.running)
        self.torch = message.get("torch", self.torch)
        self.processor = message.get("processor", self.processor)
        self.refused = message.get("refused", self.refused)
        self.done = message.get("done", self.done)
        self.faults |= message.get("faults", {})
        if "difference" in message:
            self.differences.append(message["difference"])
        self.counts |= {op: Count(**row) for op, row in message.get("counts", {}).items()}
