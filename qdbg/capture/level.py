"""CPU levels: what this machine has, and what makes PyTorch's libraries keep to a lower one."""

from __future__ import annotations

import importlib
import platform
from functools import cache
from pathlib import Path

from qdbg.errors import CaptureError
from qdbg.names import LEVELS

CPUINFO = Path("/proc/cpuinfo")
SIMULATE = "without running it, {} can still be simulated: --arith fbgemm-{}"

AVX512_CORE = ("avx512f", "avx512cd", "avx512dq", "avx512bw", "avx512vl")
"""What AVX-512 means to FBGEMM and oneDNN, as Linux and cpuinfo both spell it."""

NEEDS: dict[str, tuple[str, ...]] = {
    "avx2": ("avx2",),
    "avx512": ("avx2", *AVX512_CORE),
    "vnni": ("avx2", *AVX512_CORE, "avx512_vnni"),
}
"""The flags that a machine of each level has, as Linux spells them."""

VARIABLES: dict[str, dict[str, str]] = {
    "avx2": {
        "FBGEMM_ENABLE_INSTRUCTIONS": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
    },
    "avx512": {
        "FBGEMM_ENABLE_INSTRUCTIONS": "AVX512",
        "ONEDNN_MAX_CPU_ISA": "AVX512_CORE",
        "ATEN_CPU_CAPABILITY": "avx512",
    },
    "vnni": {
        "FBGEMM_ENABLE_INSTRUCTIONS": "AVX512_E1",
        "ONEDNN_MAX_CPU_ISA": "AVX512_CORE_VNNI",
        "ATEN_CPU_CAPABILITY": "avx512",
    },
}
"""Read by FBGEMM, oneDNN and ATen once, when torch is loaded."""


def machine_level() -> str:
    """The highest of LEVELS that this machine has. Raises CaptureError where it has none."""
    machine = platform.machine()
    if machine.lower() not in {"x86_64", "amd64"}:
        raise CaptureError(
            f"this machine's processor is {machine or 'unknown'}",
            expected="x86-64, whose kernels qdbg knows",
            remedy="a session recorded elsewhere can still be opened and replayed",
        )
    flags = machine_flags()
    for level in reversed(LEVELS):
        if flags.issuperset(NEEDS[level]):
            return level
    raise CaptureError("this machine's processor has no AVX2", expected="avx2, avx512 or vnni")


def forced_level(cpu: str) -> str:
    """The level that `--cpu` stands for. Raises CaptureError if it is above the machine's."""
    if cpu != "native" and cpu not in LEVELS:
        known = ", ".join(("native", *LEVELS))
        raise CaptureError(f"there is no CPU level {cpu!r}", expected=f"one of {known}")
    machine = machine_level()
    if cpu == "native":
        return machine
    if LEVELS.index(cpu) > LEVELS.index(machine):
        raise CaptureError(
            f"--cpu {cpu} is above this machine's level, {machine}",
            expected=" or ".join(LEVELS[: LEVELS.index(machine) + 1]),
            remedy=SIMULATE.format(cpu, cpu),
        )
    return cpu


@cache
def machine_has(flag: str) -> bool | None:
    """Whether the processor has the flag, in Linux's spelling; None where the system is silent."""
    return flag in machine_flags() if _cpuinfo_lines() else None


def machine_flags() -> frozenset[str]:
    """The processor's flags, as Linux spells them; elsewhere only those that levels need."""
    for line in _cpuinfo_lines():
        key, _, value = line.partition(":")
        if key.strip() == "flags":
            return frozenset(value.split())
    return _flags_by_numpy()


def processor_name() -> str:
    """The processor's own name, `AMD EPYC …`."""
    for line in _cpuinfo_lines():
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            return value.strip()
    return platform.processor() or platform.machine() or "unknown"


def _cpuinfo_lines() -> list[str]:
    try:
        return CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _flags_by_numpy() -> frozenset[str]:
    """numpy looks at the processor too; its table is private, but the only portable one here."""
    for name in ("numpy._core._multiarray_umath", "numpy.core._multiarray_umath"):
        try:
            features = importlib.import_module(name).__cpu_features__
        except (ImportError, AttributeError):
            continue
        groups = {
            "AVX2": ("avx2",),
            "AVX512_SKX": AVX512_CORE,
            "AVX512_CLX": ("avx512_vnni",),
        }
        return frozenset(f for key, fs in groups.items() if features.get(key) for f in fs)
    return frozenset()
