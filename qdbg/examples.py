"""What is shipped to try qdbg on: sessions in the package, models in the repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parent
REPOSITORY = PACKAGE.parent


@dataclass(frozen=True, slots=True)
class Example:
    """Something to open."""

    file: Path
    words: tuple[str, ...]
    """What follows the file on the command line."""
    about: str

    @property
    def argv(self) -> list[str]:
        """The command line that opens it."""
        return [str(self.file), *self.words]

    @property
    def title(self) -> str:
        """The file without its folder, and what follows it."""
        return " ".join((self.file.name, *self.words))


SESSIONS = PACKAGE / "examples"
MODELS = REPOSITORY / "models"
MYSTERY = SESSIONS / "mystery.qdbg"
EXAMPLES = (
    Example(
        MYSTERY,
        ("--arith", "textbook"),
        "PyTorch without VNNI beside the textbook's arithmetic: 8 of 16 channels differ",
    ),
    Example(
        SESSIONS / "versicolor.qdbg",
        (),
        "the same flower on a CPU with VNNI, where no pair of products saturates",
    ),
    Example(
        SESSIONS / "beyond_calibration.qdbg",
        (),
        "an input beyond what the model was calibrated on: results are cut off",
    ),
    Example(
        MODELS / "iris_qat.pth",
        ("--sample", "versicolor"),
        "the model itself, run by PyTorch on this machine now",
    ),
    Example(
        MODELS / "digits.pth",
        ("--sample", "digits:3"),
        "a convolutional net on an image, run by PyTorch on this machine now",
    ),
)
"""The sessions need neither PyTorch nor a certain CPU."""


def examples() -> tuple[Example, ...]:
    """Those that are there: an installed package comes without the models."""
    return tuple(example for example in EXAMPLES if example.file.is_file())
