"""What stands around a debugged forward: the app, session files, and a sweep over a data set.

    python -m tests.benchmark_sessions

Times of the clock on one thread, medians, each beside its own measure of the same run: an empty
app of Textual, PyTorch's plain quantized forward of ResNet-18, and the same forwards
of the digits without qdbg. Run it on a quiet machine.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from tests.benchmark import EMPTY, QDBG, RUNS, opening, pressing
from tests.benchmark_nets import ROOT, Net, resident, table

MOVES = [b"j", b"k", b"l", b")", b"(", b"\x04", b"\x15", b"G", b"g"]
"""Keys that move in the table of a result: elements, channels, pages, ends."""


def clocked(work, runs=RUNS):
    """Milliseconds of the clock."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1000)
    return times


def session_of(net):
    """What the app has of one run of the net."""
    from qdbg.debugger import Debugger  # noqa: PLC0415 - only in the child
    from qdbg.session import Session  # noqa: PLC0415 - likewise

    with net.torch.inference_mode():
        recording = net.recording(net.capture())
    ran = replace(recording.environment, torch=net.torch.__version__, kernel="saturating pairs")
    return Session.of(Debugger(replace(recording, environment=ran)))


def put(data, path):
    """Replace a file of the same bytes, safe from a power failure: what the disk takes for it."""
    fresh = path.with_suffix(".tmp")
    with fresh.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(path)


def saved(net, folder):
    """Rows on the session file of ResNet-18; saves, forwards and bare writes take turns."""
    from qdbg.session import load, save  # noqa: PLC0415 - only in the child

    session, path = session_of(net), folder / "resnet18.qdbg"
    save(session, path)
    data, other = path.read_bytes(), folder / "bytes"
    work = [net.plain, lambda: save(session, path), lambda: put(data, other)]
    with net.torch.inference_mode():
        took = [[each for one in work for each in clocked(one, 1)] for _ in range(RUNS)]
    forward, whole, disk = map(statistics.median, zip(*took, strict=True))
    yield "saving the session of ResNet-18", whole, forward
    yield "… its bytes alone: write, fsync, replace", disk, forward
    before = resident("VmRSS")
    kept = load(path)
    grown = (resident("VmRSS") - before) / 1e6
    yield "opening it", statistics.median(clocked(lambda: load(path))), forward
    del kept
    sys.stdout.write(f"memory that the opened session takes: {grown:.1f} MB\n")


def shown(folder):
    """Rows on the app beside an empty one."""
    empty, own = [sys.executable, "-c", EMPTY], [*QDBG, str(folder / "resnet18.qdbg")]
    (first,) = opening(empty, [b"step 0"])
    paint, opened = opening(own, [b"resnet18.qdbg", b"step "])
    yield "first paint of the app on it", paint, first
    yield "its main screen", opened, first
    (_, bare), _ = pressing(empty, b"step 0", [b"n", b"N"])
    (_, slow), _ = pressing(own, b"step ", MOVES)
    yield "a key in its first result, 95th percentile", slow, bare


def digits(engine):
    """Milliseconds of PyTorch's forwards of all digits, one after the other, and how many."""
    import torch  # noqa: PLC0415 - only in the child

    from qdbg.capture import run  # noqa: PLC0415 - likewise
    from qdbg.reader import find_forward, read_model  # noqa: PLC0415 - likewise
    from qdbg.sets import sample_set  # noqa: PLC0415 - likewise

    torch.backends.quantized.engine = engine
    model = read_model(ROOT / "models" / "digits.pth")
    _, _, forward, _ = run.prepare(model, find_forward(model, ROOT / "models" / "digits.py"))
    samples = sample_set("digits")
    fed = [torch.from_numpy(samples.row(i).values.copy()) for i in range(len(samples))]
    with torch.inference_mode():
        forward(fed[0])
        (took,) = clocked(lambda: [forward(each) for each in fed], 1)
    return took, len(samples)


def sweep():
    """A row on a sweep, and its throughput."""
    plain, count = digits("fbgemm")
    command = [*QDBG, "sweep", "models/digits.pth", "--samples", "digits", "--engine", "fbgemm"]
    (took,) = clocked(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True), 1)  # noqa: S603 - our own command
    yield f"qdbg sweep of {count} digits", took, plain
    for name, whole in (("qdbg sweep", took), ("PyTorch alone", plain)):
        sys.stdout.write(f"{name}: {count / whole * 1000:.0f} samples a second\n")


def rows():
    """Name, milliseconds, milliseconds of what it is compared with."""
    net = Net("resnet18", "fbgemm", "avx2")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield from saved(net, folder)
        yield from shown(folder)
        yield from sweep()


def main(arguments):
    """Print the table."""
    table("tests.benchmark_sessions", arguments, rows)


if __name__ == "__main__":
    main(sys.argv[1:])
