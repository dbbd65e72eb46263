"""A converted model, saved by torch.save, and what qdbg makes of the file."""

import warnings

import torch
import torch.ao.quantization as tq

from qdbg.capture.run import prepare, watch
from qdbg.capture.tape import Tape
from qdbg.reader import find_forward, read_model


def converted(model, engine, sample):
    """As users convert it: prepared, calibrated, converted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = model.eval()
        model.qconfig = tq.get_default_qconfig(engine)
        tq.prepare(model, inplace=True)
        with torch.inference_mode():
            for scale in (0.5, 1, 2):
                model(sample * scale)
        return tq.convert(model, inplace=True)


def by_qdbg(path, sample, source=None):
    """The output of the decoded file, the tape, and whether recording changed nothing."""
    model = read_model(path)
    forward = find_forward(model, source)
    backend, modules, run, line_of = prepare(model, forward)
    with torch.no_grad():
        tape = Tape(modules, sample, lambda text: None, line_of, model.layers)
        same = watch(run, backend, tape, sample, lambda text: None)
        return run(sample), tape, same
