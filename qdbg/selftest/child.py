"""The child process: `python -m qdbg.selftest.child`, a task on stdin, answers on stdout."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import warnings
from typing import Any

from qdbg.capture.child import Channel, end_with_parent
from qdbg.capture.level import processor_name
from qdbg.core.container import encode, pack
from qdbg.errors import QdbgError
from qdbg.selftest.cell import Task


def main() -> None:
    """Do one task."""
    channel = Channel()
    task = Task.parse(sys.stdin.buffer.readline())
    threading.Thread(target=end_with_parent, daemon=True).start()
    warnings.simplefilter("ignore")
    try:
        kernel = keep_to(task)
        fuzz: Any = importlib.import_module("qdbg.selftest.fuzz")
        found = fuzz.environment(task, kernel, processor_name())
        channel.say({"torch": found.torch, "processor": found.processor})
        work = fuzz.Fuzz(task, found, channel.say)
        work.deliver = lambda made: channel.deliver(encode(*pack(made)))
        work.prove()
        work.run()
        channel.say({"done": True})
    except QdbgError as error:
        channel.fail(error)
    os._exit(0)  # torch's own clean-up takes long and can only fail


def keep_to(task: Task) -> str:
    """Keep this process to the task's engine and level; says which sums its kernels make.

    Raises CaptureError where they do not keep to it.
    """
    torch: Any = importlib.import_module("torch")
    run: Any = importlib.import_module("qdbg.capture.run")
    isa: Any = importlib.import_module("qdbg.capture.isa")
    torch.set_num_threads(1)
    run.choose_engine(task.engine)
    isa.force(task.level)
    return str(isa.probe(task.engine, task.level))


if __name__ == "__main__":
    main()
