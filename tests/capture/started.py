"""Runs in a process that is started for it: the versicolor sample on every engine of one level.

`started LEVEL FOLDER` leaves each recording in the folder, by the engine's name.
"""

import sys
from pathlib import Path

from qdbg.capture import run
from qdbg.core.container import encode, pack
from qdbg.names import ENGINES
from qdbg.reader import find_forward, read_model
from tests.capture.helpers import request_for

LEVEL, FOLDER = sys.argv[1:]
for engine in ENGINES:
    asked = request_for(engine, LEVEL)
    model = read_model(asked.model)
    made = run.record(asked, model, find_forward(model, None), lambda _: None)
    run.force = lambda _: None  # the flags can be checked and cleared only once in a process
    (Path(FOLDER) / engine).write_bytes(encode(*pack(made)))
