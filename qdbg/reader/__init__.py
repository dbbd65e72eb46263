"""The reader: model file → layers, and the order in which forward calls them. Never torch."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import MappingProxyType

from qdbg.core.program import Layer, Model
from qdbg.errors import ModelError
from qdbg.reader.archive import Archive
from qdbg.reader.decode import BYTES, decode
from qdbg.reader.forward import Forward, find_forward
from qdbg.reader.graph import forward_in
from qdbg.reader.layers import layers_of
from qdbg.reader.plain import plain
from qdbg.reader.tensors import Tensors

__all__ = ["Forward", "find_forward", "read_model"]


def read_model(path: Path) -> Model:
    """Decode a file of torch.save without running anything in it.

    Raises ModelError for a file that is damaged, hostile, or not a converted model.
    """
    try:
        with Archive(path) as archive:
            layers, forward = _layers(path, archive)
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except ModelError as error:
        found, expected, remedy = map(plain, (error.found, error.expected, error.remedy))
        raise ModelError(found, expected=expected, remedy=remedy) from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error
    return Model(str(path), digest, MappingProxyType(layers), forward)


def _layers(path: Path, archive: Archive) -> tuple[dict[str, Layer], tuple[str, str] | None]:
    if archive.size("byteorder") > BYTES or archive.size("data.pkl") > BYTES:
        raise ModelError(f"{path.name} describes more layers than any model has")
    if "byteorder" in archive and archive.read("byteorder") != b"little":
        raise ModelError(f"{path.name} was saved on a big-endian machine")
    try:
        root = decode(archive.read("data.pkl"))
        layers = layers_of(root, Tensors(archive))
        archive.check_rest()
    except (RecursionError, MemoryError) as error:
        raise ModelError(f"{path.name} is nested deeper or is larger than any model") from error
    except ModelError as error:
        remedy = error.remedy or "Save the whole converted model anew: torch.save(model, path)."
        raise ModelError(
            f"{path.name}: {error.found}", expected=error.expected, remedy=remedy
        ) from error
    return layers, forward_in(root)
