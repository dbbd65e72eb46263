"""The child process: `python -m qdbg.capture.child`, a request on stdin, answers on stdout.

torch is imported here and nowhere else. Whatever it prints goes to stderr, where the parent
keeps the last lines for the case that this process dies.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from collections.abc import Mapping

from qdbg.capture.request import error_fields, parse_request
from qdbg.core.container import encode, pack
from qdbg.core.runs import pack_runs
from qdbg.errors import QdbgError


class Channel:
    """The way to the parent: a private copy of stdout, which is then given to the noise."""

    def __init__(self) -> None:
        self._stream = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)

    def progress(self, text: str) -> None:
        """A few words on what happens now."""
        self._say({"progress": text})

    def fail(self, error: QdbgError) -> None:
        """The end, for a reason that the user can act on."""
        self._say(error_fields(error))

    def deliver(self, data: bytes) -> None:
        """The recording, or some of the runs."""
        self._say({"bytes": len(data)}, data)

    def say(self, message: Mapping[str, object]) -> None:
        """One message of another kind."""
        self._say(message)

    def _say(self, message: Mapping[str, object], data: bytes = b"") -> None:
        self._stream.write(json.dumps(message).encode("ascii") + b"\n" + data)
        self._stream.flush()


def main() -> None:
    """Answer one request."""
    channel = Channel()
    line = sys.stdin.buffer.readline()
    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        request = parse_request(line)
        channel.progress("reading the model file")
        reader = importlib.import_module("qdbg.reader")
        model = reader.read_model(request.model)
        forward = reader.find_forward(model, request.source, request.trust)
        channel.progress("importing torch")
        run = importlib.import_module("qdbg.capture.run")
        if request.batch:
            many = importlib.import_module("qdbg.capture.many")
            for runs in many.record_many(request, model, forward, channel.progress):
                channel.deliver(encode(*pack_runs(runs)))
            channel.say({"done": True})
        else:
            recording = run.record(request, model, forward, channel.progress)
            channel.deliver(encode(*pack(recording)))
    except QdbgError as error:
        channel.fail(error)
    os._exit(0)  # torch's own clean-up takes long and can only fail


def end_with_parent() -> None:
    """stdin ends when the parent does, however it dies."""
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
