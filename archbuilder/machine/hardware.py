"""The machine as it is known without TensorFlow: processor, memory, graphics cards."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path

from archbuilder.errors import ArchbuilderError

INSTRUCTIONS = {
    "avx2": "AVX2", "avx512f": "AVX-512", "avx512_bf16": "AVX-512 bf16", "amx_bf16": "AMX bf16", "asimd": "NEON",
    "bf16": "bf16",
}  # fmt: skip
"""The instructions that decide the speed of a training, by their names in Linux."""


def processor() -> str:
    """The model of the processor; outside Linux, Python knows only the family."""
    return next(_cpu_lines("model name"), platform.processor() or platform.machine())


def instructions() -> list[str]:
    """The vector instructions that matter, as far as Linux tells."""
    flags = next(_cpu_lines("flags"), next(_cpu_lines("Features"), "")).split()
    return [name for flag, name in INSTRUCTIONS.items() if flag in flags]


def cores() -> int:
    """The number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def memory() -> int | None:
    """The memory of the machine, or what its container may take, in bytes."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    limit = _text("/sys/fs/cgroup/memory.max").strip()
    return min(total, int(limit)) if limit.isdigit() else total


def require_memory(needed: int, what: str) -> None:
    """Raises ArchbuilderError where something needs more bytes than the machine has."""
    there = memory()
    if there is not None and needed > there:
        raise ArchbuilderError(f"{what} {gib(needed)} of memory, and there are {gib(there)}")


def gib(amount: int) -> str:
    """An amount of memory as text."""
    return f"{amount / 2**30:,.1f} GiB"


def nvidia_cards() -> list[tuple[str, int]]:
    """The name and the memory in MiB of each card that NVIDIA's driver knows of."""
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [line.rpartition(",") for line in done.stdout.splitlines() if line.strip()]
    return [(name.strip(), int(amount) if amount.strip().isdigit() else 0) for name, _, amount in rows]


def _cpu_lines(key: str) -> Iterator[str]:
    lines = (line.partition(":") for line in _text("/proc/cpuinfo").splitlines())
    return (value.strip() for name, _, value in lines if name.strip() == key)


def _text(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except OSError:
        return ""
