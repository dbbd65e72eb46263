"""What it costs to debug a whole net: ResNet-18 and MobileNetV2 at 224×224, one image, one thread.

    python -m tests.benchmark_nets [resnet18|mobilenetv2] [ENGINE-LEVEL …]

Without arguments every net on every level, and after them `tests.benchmark_peers` and
`tests.benchmark_sessions`.

Every row is a process of its own, with the engine and the CPU level that PyTorch is kept to. Times
are medians of processor time, as multiples of PyTorch's plain quantized forward in the same
process: running on tape, simulating every call and comparing every integer, and both together.
Memory is the peak of the process above what it held with the model loaded and run, and the bytes
that stay afterwards as a multiple of what the layers put out. Run it on a quiet machine.
"""

import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

from qdbg.capture.level import VARIABLES, machine_level
from qdbg.names import LEVELS

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "models" / "imagenet_shapes.py"
NETS = ("resnet18", "mobilenetv2")
CELLS = (
    "fbgemm-avx2",
    "fbgemm-vnni",
    "full-avx2",
    "onednn-avx2",
    "onednn-vnni",
    "qnnpack-avx2",
    "qnnpack-vnni",
)
"""`full` is fbgemm without reduce_range: bytes up to 255, so that pairs do saturate."""
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
RUNS = 11
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def resident(field):
    """Bytes of the process: `VmRSS` now, `VmHWM` the most since `reset`."""
    line = next(each for each in STATUS.read_text().splitlines() if each.startswith(field))
    return int(line.split()[1]) * 1024


def held(arrays):
    """Bytes of the arrays, memory that several share counted once."""
    return sum({a.__array_interface__["data"][0]: a.nbytes for a in arrays}.values())


class Net:
    """A quantized net in this process, live and as qdbg reads it from its file."""

    def __init__(self, name, engine, level):
        import torch  # noqa: PLC0415 - after the level is set

        from models import imagenet_shapes  # noqa: PLC0415
        from qdbg.capture import isa, run  # noqa: PLC0415
        from qdbg.reader import find_forward, read_model  # noqa: PLC0415
        from tests.released import HERE  # noqa: PLC0415

        self.torch = torch
        torch.set_num_threads(1)
        isa.force(level)
        own = "fbgemm" if engine == "full" else engine
        self.live = imagenet_shapes.quantized(name, own, full_range=engine == "full")
        self.x = imagenet_shapes.image()
        self.arithmetic = HERE[f"{own}-{level}"]
        self.engine, self.level = own, level
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "net.pth"
            torch.save(self.live, path)
            self.model = read_model(path)
            forward = find_forward(self.model, SOURCE)
            self.backend, self.modules, self.run, self.line_of = run.prepare(self.model, forward)

    def plain(self):
        """One forward of the live module."""
        return self.live(self.x)

    def capture(self):
        """One forward on tape."""
        from qdbg.capture.tape import Tape  # noqa: PLC0415

        tape = Tape(self.modules, self.x, lambda _: None, self.line_of, self.model.layers)
        self.backend.tape = tape
        try:
            with tape:
                self.run(self.x)
        finally:
            self.backend.tape = None
        return tape

    def recording(self, tape):
        """What a capture process hands to the debugger."""
        from qdbg.core.program import Environment, Program, Recording  # noqa: PLC0415
        from qdbg.core.quantity import readonly  # noqa: PLC0415

        version = str(self.torch.__version__)
        environment = Environment(self.engine, self.level, version, "", "", True)
        program = Program(tuple(tape.nodes), self.model.layers)
        fed = readonly(self.x.numpy())
        values, constants = tuple(tape.values), tuple(tape.constants)
        return Recording("net", "", "random", fed, environment, program, values, constants)

    def simulate(self, recording):
        """Every call simulated and compared."""
        from qdbg.engine.trace import Trace  # noqa: PLC0415

        trace = Trace(recording, self.arithmetic)
        return trace, trace.comparisons


def timed(work):
    """Seconds of the processor, which other processes disturb less, and what it gave."""
    start = time.process_time()
    made = work()
    return time.process_time() - start, made


def rounds(net):
    """Seconds of one plain forward, one on tape, and of simulating and comparing that one."""
    plain, _ = timed(net.plain)
    capture, tape = timed(net.capture)
    recording = net.recording(tape)
    simulate, _ = timed(lambda: net.simulate(recording))
    return plain, capture, simulate


def measure(name, engine, level, runs):
    """One row, as plain data."""
    net = Net(name, engine, level)
    with net.torch.inference_mode():
        for _ in range(3):
            net.plain()
        before = resident("VmRSS")
        RESET.write_text("5")
        recording = net.recording(net.capture())
        trace, comparisons = net.simulate(recording)
        peak = resident("VmHWM") - before
        times = [rounds(net) for _ in range(runs)] or [(0, 0, 0)]
    nodes, values = recording.program.nodes, recording.values
    calls = [node for node in nodes if node.op != "identity"]
    put_out = sum(v.nbytes for n, v in zip(nodes, values, strict=True) if n.op != "identity")
    kept = [*values, *(getattr(each, "q", each) for each in recording.constants)]
    refused = Counter(c.reason for c in comparisons if c.status == "not simulated")
    medians = (statistics.median(each) for each in zip(*times, strict=True))
    return {
        **dict(zip(("plain", "capture", "simulate"), medians, strict=True)),
        "peak": peak,
        "kept": (held(kept) + trace.kept_bytes) / put_out,
        "outputs": put_out,
        "calls": len(calls),
        "elements": sum(c.elements for c in comparisons if c.status != "not simulated"),
        "differences": sum(c.differences for c in comparisons),
        "refused": dict(refused),
    }


def child(name, cell, runs):
    """Measure in a process that is kept to the level."""
    level = cell.rpartition("-")[2]
    return subprocess.run(  # noqa: S603 - this very file
        [sys.executable, "-m", "tests.benchmark_nets", "--child", name, cell, str(runs)],
        env=os.environ | VARIABLES[level] | THREADS | {"PYTHONWARNINGS": "ignore"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def row(name, cell):
    """Measure and print."""
    done = child(name, cell, RUNS)
    if done.returncode:
        sys.stdout.write(f"{name:<12}{cell:<14}{done.stderr.strip()[-300:]}\n")
        return
    found = json.loads(done.stdout.splitlines()[-1])
    plain = found["plain"]
    capture, simulate = found["capture"] / plain, found["simulate"] / plain
    sys.stdout.write(
        f"{name:<12}{cell:<14}{plain * 1000:7.1f} ms{capture:8.2f} ×{simulate:8.2f} ×"
        f"{capture + simulate:8.2f} ×{found['peak'] / 1e6:8.0f} MB{found['kept']:7.2f} ×"
        f"{found['elements']:>12,}{found['differences']:>8}\n"
    )
    for reason, count in found["refused"].items():
        sys.stdout.write(f"{'':<12}not simulated: {count} of {found['calls']} calls, {reason}\n")


def table(module, arguments, rows):
    """Print what `rows` gives in a process of its own on one thread: name, milliseconds, and those
    of what it is compared with."""
    if not arguments:
        subprocess.run(  # noqa: S603 - a module beside this one
            [sys.executable, "-m", module, "--child"],
            env=os.environ | THREADS | {"PYTHONWARNINGS": "ignore"}, cwd=ROOT, check=True,
        )  # fmt: skip
        return
    warnings.simplefilter("ignore")
    for name, took, other in rows():
        sys.stdout.write(f"{name:<53}{took:10.1f} ms{took / other:12.2f} × {other:.2f} ms\n")
        sys.stdout.flush()


def main(arguments):
    """Print the table."""
    if arguments[:1] == ["--child"]:
        warnings.simplefilter("ignore")
        name, cell, runs = arguments[1:]
        engine, _, level = cell.rpartition("-")
        sys.stdout.write(json.dumps(measure(name, engine, level, int(runs))) + "\n")
        return
    reached = LEVELS[: LEVELS.index(machine_level()) + 1]
    cells = [a for a in arguments if a not in NETS] or CELLS
    sys.stdout.write(
        f"{'net':<12}{'engine-level':<14}{'plain':>10}{'tape':>10}{'simulate':>10}{'both':>10}"
        f"{'peak':>11}{'kept':>9}{'compared':>12}{'differ':>8}\n"
    )
    for name in [a for a in arguments if a in NETS] or NETS:
        for cell in cells:
            if cell.rpartition("-")[2] in reached:
                row(name, cell)
                sys.stdout.flush()
    if not arguments:
        for more in ("tests.benchmark_peers", "tests.benchmark_sessions"):
            importlib.import_module(more).main([])  # they import this one


if __name__ == "__main__":
    main(sys.argv[1:])
