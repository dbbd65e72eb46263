"""More hostile model files: `python -m tests.reader.attacks FOLDER` writes them all."""

from tests.reader.attacks import bombs, code, containers, contents, names, numbers
from tests.reader.attacks.case import MAKERS, Case, make_all, system_payload

__all__ = [
    "MAKERS",
    "Case",
    "bombs",
    "code",
    "containers",
    "contents",
    "make_all",
    "names",
    "numbers",
    "system_payload",
]
