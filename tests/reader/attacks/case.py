"""A hostile file, and how one is registered by what makes it."""

from collections.abc import Callable
from pathlib import Path

from tests.hostile_models import Case
from tests.reader import crafted as c

Maker = Callable[[Path], bytes]
MAKERS: dict[str, tuple[str, Maker]] = {}


def case(says: str, *args: object) -> Callable[[Callable[..., bytes]], Callable[..., bytes]]:
    """Register a maker; decorators above add further cases."""

    def register(maker: Callable[..., bytes]) -> Callable[..., bytes]:
        label = f"{maker.__name__}_{sum(k.startswith(maker.__name__) for k in MAKERS) + 1}"
        MAKERS[label] = (says, lambda marker: maker(marker, *args))
        return maker

    return register


def make_all(folder: Path) -> list[Case]:
    """Write every file into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / "marker"
    cases = []
    for label, (says, maker) in MAKERS.items():
        path = folder / f"{label}.pth"
        path.write_bytes(maker(marker))
        cases.append(Case(label, path, marker, says))
    inside = folder / "folder.pth"
    inside.mkdir(exist_ok=True)
    cases.append(Case("folder", inside, marker, "is a folder"))
    cases.append(Case("missing", folder / "missing.pth", marker, "cannot be read"))
    return cases


def touching(marker: Path) -> str:
    """Python that leaves the marker behind."""
    return f"open({str(marker)!r}, 'w').close()"


def in_state(value: bytes) -> bytes:
    """A model with the value among the root's attributes."""
    return c.archive(c.net(extra=value))


def system_payload(marker: Path) -> bytes:
    """A plain pickle that runs a shell command when it is loaded."""
    return c.call("posix system", c.text(f"touch '{marker}'")) + b"."
