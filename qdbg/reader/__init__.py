"""The reader: model file → layers, and the order in which forward calls them. Never torch."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import MappingProxyType

from qdbg.core.program import Model
from qdbg.errors import ModelError
from qdbg.reader.archive import Archive
from qdbg.reader.decode import decode
from qdbg.reader.forward import Forward, find_forward
from qdbg.reader.layers import layers_of
from qdbg.reader.tensors import Tensors

__all__ = ["Forward", "find_forward", "read_model"]


def read_model(path: Path) -> Model:
    """Decode a file of torch.save without running anything in it.

    Raises ModelError for a file that is damaged, hostile, or not a converted model.
    """
    archive = Archive(path)
    if "byteorder" in archive and archive.read("byteorder") != b"little":
        raise ModelError(f"{path.name} was saved on a big-endian machine")
    try:
        layers = layers_of(decode(archive.read("data.pkl")), Tensors(archive))
    except RecursionError as error:
        raise ModelError(f"{path.name} is nested deeper than any model") from error
    except ModelError as error:
        remedy = error.remedy or "Save the whole converted model anew: torch.save(model, path)."
        raise ModelError(
            f"{path.name}: {error.found}", expected=error.expected, remedy=remedy
        ) from error
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Model(str(path), digest, MappingProxyType(layers))
