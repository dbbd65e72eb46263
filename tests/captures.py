"""Captures that several tests ask for: each one starts PyTorch in a child, which takes seconds."""

from contextlib import contextmanager

import pytest

import qdbg.capture
import qdbg.headless.fleet
import qdbg.headless.recording
from qdbg.capture import prefork
from qdbg.capture.level import forced_level
from qdbg.capture.request import request_line
from qdbg.errors import QdbgError


@contextmanager
def each_child_started_for_itself():
    """As long as this lasts, none is forked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefork._Current, "servers", None)
        yield


@contextmanager
def each_request_runs_once():
    """As long as this lasts: asked for again, a capture gives or raises what it did before."""
    capture, many = qdbg.capture.capture, qdbg.capture.capture_many
    once = remembering(capture)
    all_at_once = remembering(lambda *asked: list(many(*asked)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(qdbg.capture, "capture", once)
        patch.setattr(qdbg.headless.fleet, "capture", once)
        patch.setattr(qdbg.headless.recording, "capture_many", all_at_once)
        yield


def remembering(capture):
    known = {}

    def run(request, progress, cancelled):
        line = request_line(request, forced_level(request.cpu))
        key = line, request.model.read_bytes()
        if key not in known:
            try:
                known[key] = capture(request, progress, cancelled), None
            except QdbgError as refused:
                known[key] = None, refused
        made, refused = known[key]
        if refused is not None:
            raise refused
        return made

    return run
