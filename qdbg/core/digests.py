"""SHA-256 of arrays and of texts, by which a file tells that it is whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import numpy as np

from qdbg.core.quantity import Array


def digest(array: Array) -> str:
    """Over dtype, shape and bytes, so that none of them can change unseen."""
    head = f"{array.dtype.str}{list(array.shape)}".encode()
    found = hashlib.sha256(head)
    found.update(bytes_of(array))
    return found.hexdigest()


def bytes_of(array: Array) -> memoryview:
    """The array's numbers, row-major."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def text_digest(content: Mapping[str, object]) -> str:
    """Of JSON, whatever the order of its keys is."""
    return hash_of(canonical(content))


def canonical(content: Mapping[str, object]) -> str:
    """As JSON, the keys in their order. Raises ValueError for what is no number or infinite."""
    return json.dumps(content, sort_keys=True, allow_nan=False)


def hash_of(text: str) -> str:
    """SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
