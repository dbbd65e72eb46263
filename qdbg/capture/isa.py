"""Child only: keep every library in torch to one CPU level, and look whether it worked.

The environment variables do not reach all choices: FBGEMM's groupwise kernels, QNNPACK and the
x86 engine's choice of library ask cpuinfo. Its flags lie in an exported struct, and are cleared
there before the first op. In 2.15 libtorch has one beside libc10, which all libraries take then.
"""

from __future__ import annotations

import ctypes
import re
import sys
from pathlib import Path

import torch

from qdbg.capture.level import AVX512_CORE, machine_flags
from qdbg.core.versions import MEASURED
from qdbg.errors import CaptureError

LIBRARY = {"linux": "libtorch.so", "darwin": "libc10.dylib", "win32": "c10.dll"}
WIDE = ("avx512", "avx10", "amx", "avxvnni", "avx_vnni", "avx_ne")
"""Beginnings of the names of all flags above AVX2."""
KEPT: dict[str, frozenset[str]] = {
    "avx2": frozenset(),
    "avx512": frozenset(AVX512_CORE),
    "vnni": frozenset((*AVX512_CORE, "avx512vnni")),
}
"""Which of those a machine of each level has, as cpuinfo spells them."""
KNOWN = {
    "sse4_2": "sse4_2",
    "aes": "aes",
    "fma3": "fma",
    "avx2": "avx2",
    "bmi2": "bmi2",
    "avx512f": "avx512f",
    "avx512vl": "avx512vl",
    "avx512vnni": "avx512_vnni",
}
"""cpuinfo's and Linux's names of flags by which the struct's layout is checked."""
INPUTS, OUTPUTS = 64, 16
BYTE, WEIGHT, SCALE = 255, 127, 10000.0
PAIR_LIMIT = 32767


def force(level: str) -> None:
    """Clear the flags above the level. Raises CaptureError if they are not where they should."""
    flags = _flags()
    for name, address in flags.items():
        if name.startswith(WIDE) and name not in KEPT[level]:
            address.value = False
    lacking = [name for name in ("avx2", *KEPT[level]) if not flags[name].value]
    if lacking:
        raise CaptureError(f"torch does not see {', '.join(sorted(lacking))} on this machine")
    found = torch.backends.cpu.get_cpu_capability()
    wanted = "AVX2" if level == "avx2" else "AVX512"
    if found != wanted:
        raise CaptureError(f"torch runs its {found} kernels at level {level}", expected=wanted)


def probe(engine: str, level: str) -> str:
    """Which sums the kernels make: `exact sums` or `saturating pairs`, seen on a small Linear.

    Raises CaptureError if it is not what this engine does on a machine of this level.
    """
    kernels = {
        _rounded(INPUTS * BYTE * WEIGHT): "exact sums",
        _rounded(INPUTS // 2 * PAIR_LIMIT): "saturating pairs",
    }
    found = _probe_linear()
    seen = kernels.get(found)
    exact = engine == "qnnpack" or level == "vnni"
    wanted = "exact sums" if exact else "saturating pairs"
    if seen != wanted:
        raise CaptureError(
            f"the {engine} engine, kept to level {level}, made {seen or f'the byte {found}'}",
            expected=wanted,
            remedy="this build of torch does not keep to the level; --cpu native may still work",
        )
    return wanted


def _rounded(total: int) -> int:
    return round(total / SCALE)


def _probe_linear() -> int:
    """The one byte that all outputs share; −1 if they do not."""
    w = torch.full((OUTPUTS, INPUTS), WEIGHT, dtype=torch.int8)
    x = torch.full((1, INPUTS), BYTE, dtype=torch.uint8)
    weight = torch._make_per_tensor_quantized_tensor(w, 1.0, 0)
    packed = torch.ops.quantized.linear_prepack(weight, torch.zeros(OUTPUTS))
    fed = torch._make_per_tensor_quantized_tensor(x, 1.0, 0)
    result = torch.ops.quantized.linear(fed, packed, SCALE, 0)
    values = {int(v) for v in result.int_repr().flatten()}
    return values.pop() if len(values) == 1 else -1


def _flags() -> dict[str, ctypes.c_bool]:
    """cpuinfo's flags by name, in place."""
    folder = Path(torch.__file__).parent
    header = folder / "include" / "cpuinfo.h"
    names = _names(header)
    try:
        library = ctypes.CDLL(str(folder / "lib" / LIBRARY.get(sys.platform, "libc10.so")))
        library.cpuinfo_initialize()
        block = (ctypes.c_bool * len(names)).in_dll(library, "cpuinfo_isa")
    except (OSError, ValueError, AttributeError) as error:
        raise _unreachable(str(error)) from error
    start = ctypes.addressof(block)
    flags = {name: ctypes.c_bool.from_address(start + i) for i, name in enumerate(names)}
    machine = machine_flags()
    if not {"avx2", "avx512vnni"} <= set(flags):
        raise _unreachable(f"{header.name} does not describe them")
    for name, linux in KNOWN.items():
        if linux in machine and not flags[name].value:
            raise _unreachable(f"{name} is not where {header.name} says")
    return flags


def _names(header: Path) -> list[str]:
    """The fields of cpuinfo's struct on x86-64: those for 32-bit x86 alone are left out."""
    try:
        text = header.read_text(encoding="utf-8")
    except OSError as error:
        raise _unreachable(f"{header.name} cannot be read") from error
    struct = re.search(r"struct cpuinfo_x86_isa \{(.*?)\n\};", text, re.DOTALL)
    if struct is None:
        raise _unreachable(f"{header.name} describes no flags")
    body = re.sub(r"#if CPUINFO_ARCH_X86\n.*?#endif", "", struct[1], flags=re.DOTALL)
    return re.findall(r"^\s*bool (\w+);", body, re.MULTILINE)


def _unreachable(why: str) -> CaptureError:
    return CaptureError(
        f"the CPU flags of torch {torch.__version__} cannot be reached: {why}",
        expected=f"torch for x86-64; those of {MEASURED} are known",
    )
