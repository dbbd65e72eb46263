"""Asking for a capture in one line."""

from pathlib import Path

from qdbg.capture import Request, capture
from qdbg.samples import named_sample

MODELS = Path(__file__).resolve().parents[2] / "models"


def request_for(engine, cpu="native", sample="versicolor", model="iris_qat.pth", **changes):
    fields = {"source": None, "trust": False, "sample": named_sample(sample)} | changes
    return Request(model=MODELS / model, engine=engine, cpu=cpu, **fields)


def run(request, progress=lambda text: None, cancelled=lambda: False):
    return capture(request, progress, cancelled)
