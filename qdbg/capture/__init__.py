"""Run a model by PyTorch in a child process and bring back every integer; no torch in here."""

from qdbg.capture.level import machine_level
from qdbg.capture.parent import Cancelled, capture, capture_many, child_process
from qdbg.capture.prefork import importing_torch_once
from qdbg.capture.request import Request

__all__ = [
    "Cancelled",
    "Request",
    "capture",
    "capture_many",
    "child_process",
    "importing_torch_once",
    "machine_level",
]
