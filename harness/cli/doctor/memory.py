"""Main memory: of the machine, and what a container lets us have of it."""

import os
from collections.abc import Iterator

from harness.cli.doctor.base import GIB, Finding, Setup, check, gibibytes
from harness.cli.doctor.cgroup import ControlGroups
from harness.data.parallel import usable_cores

LOWEST = 2 * GIB
"""Ray's own processes take half of it, and one worker with torch the other half."""

PER_WORKER = GIB


@check("memory", "machine")
def look(_setup: Setup) -> Iterator[Finding]:
    """Compare memory with what one worker for each core takes."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    yield judge(physical, ControlGroups().memory_bytes(), usable_cores())


def judge(physical: int, limit: int | None, cores: int) -> Finding:
    """Return what is to be said of memory.

    Args:
        physical: Bytes of the machine.
        limit: Bytes that a container may use; None: there is no limit.
        cores: Workers that would run.
    """
    limited = limit is not None and limit < physical
    usable = limit if limit is not None and limited else physical
    told = gibibytes(physical)
    if limited:
        told = f"{gibibytes(usable)} (a container's limit) of {told}"
    if usable < LOWEST:
        return Finding(told, "broken", f"give it at least {gibibytes(LOWEST)}")
    if usable < cores * PER_WORKER:
        workers = max(1, int(usable // PER_WORKER))
        mend = f"give --workers {workers}, or more memory: a worker takes about {gibibytes(PER_WORKER)}"
        return Finding(f"{told} for {cores} workers", "warning", mend)
    return Finding(told)
