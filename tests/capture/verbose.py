"""Runs in a child process: whether oneDNN says that it ran the convolution of an engine.

`verbose LEVEL ENGINE…` prints one JSON object.
"""

import json
import os
import sys
import tempfile

import torch

from qdbg.capture.isa import force


def says(engine):
    """Whether it does for this one."""
    torch.backends.quantized.engine = engine
    conv = torch.ao.nn.quantized.Conv2d(16, 16, 3)
    x = torch.full((1, 16, 8, 8), 255, dtype=torch.uint8)
    with tempfile.TemporaryFile("w+b") as said, verbose:
        os.dup2(said.fileno(), 1)
        conv(torch._make_per_tensor_quantized_tensor(x, 1.0, 0))
        said.seek(0)
        return b"exec,cpu,convolution" in said.read()


LEVEL, *ENGINES = sys.argv[1:]
verbose = torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON)
force(LEVEL)
sys.stdout.write(json.dumps({engine: says(engine) for engine in ENGINES}) + "\n")
