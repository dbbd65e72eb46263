"""Scripts that need PyTorch at a CPU level, forked from a process that has imported it.

The child's side is `main`, which the fork server runs.
"""

import contextlib
import io
import json
import runpy
import sys
import warnings

from qdbg.capture import child_process
from qdbg.capture.child import Channel

LIMIT = 240
"""Seconds for a script."""


def printed(level, module, *words):
    """The last line that `python -m module words…` prints in a process of that level."""
    with child_process(level, __name__) as child:
        child.send(json.dumps([module, *map(str, words)]).encode() + b"\n")
        message = child.receive(LIMIT)
    assert message is not None, f"{module} gave no answer in {LIMIT} s"
    return message["printed"].splitlines()[-1]


def main():
    channel = Channel()
    module, *words = json.loads(sys.stdin.readline())
    sys.argv[1:] = words
    warnings.simplefilter("ignore")
    with contextlib.redirect_stdout(io.StringIO()) as out:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    channel.say({"printed": out.getvalue()})
