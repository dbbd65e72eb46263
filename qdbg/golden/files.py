"""The arrays of a dump file by name, read without running anything in it."""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qdbg.core.quantity import Array
from qdbg.errors import GoldenError

SUFFIXES = (".npz",)
FORMATS = ".npz with arrays named by layer, or a .py file of functions"
MAX_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Dump:
    """One array of a file."""

    name: str
    where: str
    array: Array
    by_stem: bool = False

    def fits(self, size: int) -> bool:
        """Whether it has that many numbers."""
        return self.array.size == size


def read_dumps(path: Path) -> list[Dump]:
    """Every array of the file. Raises GoldenError."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
                raise GoldenError(f"{path} is too large")
            return [
                Dump(name.removesuffix(".npy"), f"{path.name}[{name.removesuffix('.npy')}]",
                     np.lib.format.read_array(io.BytesIO(archive.read(name)), allow_pickle=False))
                for name in archive.namelist()
            ]  # fmt: skip
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError, zlib.error) as error:
        raise GoldenError(f"{path} cannot be read: {error}") from error
