"""The machine that trains or scores, without anything that names a person or a place."""

import os
import platform
import shutil
import subprocess
from collections import Counter
from functools import cache
from itertools import count
from pathlib import Path

_GIB = 2**30
_ASK_NVIDIA = ("--query-gpu=name,driver_version", "--format=csv,noheader")


@cache
def hardware_facts() -> dict[str, str]:
    """Return system, processor, cores, memory and, where there are GPUs, their names and driver.

    Memory is a class (``64 GiB``), so that nearly equal machines are one environment; cores are those that
    this process may use.
    """
    facts = {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": _cores(),
    }
    memory = _memory_bytes()
    if memory:
        facts["memory"] = memory_class(memory)
    return facts | _gpu_facts()


def memory_class(size: int) -> str:
    """Return the smallest of 1, 1.5, 2, 3, 4, 6, 8 ... GiB that holds ``size`` bytes.

    >>> memory_class(67_322_011_648)
    '64 GiB'
    """
    classes = (step * 2**power for power in count() for step in (1.0, 1.5))
    return f"{next(each for each in classes if each * _GIB >= size):g} GiB"


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _cores() -> str:
    total = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else total
    return str(total) if usable == total else f"{usable} of {total}"


@cache
def processor() -> str:
    """Return the name of the processor's model, ``unknown`` if the system does not tell."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _gpu_facts() -> dict[str, str]:
    """Return names of GPUs and version of NVIDIA's driver, asked of its own program."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return {}
    try:
        told = subprocess.run(
            [program, *_ASK_NVIDIA], capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return gpus_told(told)


def gpus_told(lines: str) -> dict[str, str]:
    """Return the facts in what NVIDIA's program tells, one line ``name, driver`` for each GPU.

    >>> gpus_told("NVIDIA A100, 570.86\\nNVIDIA A100, 570.86")
    {'gpus': '2 x NVIDIA A100', 'driver': '570.86'}
    """
    told = [line.rpartition(",") for line in lines.splitlines() if "," in line]
    names = Counter(name.strip() for name, _, _ in told)
    if not names:
        return {}
    listed = (f"{number} x {name}" if number > 1 else name for name, number in names.items())
    return {"gpus": ", ".join(listed), "driver": told[0][2].strip()}
