"""Limits of open files and of processes.

Measured with Ray 2.60: the busiest process (its node manager) opens 50 files and 3 for each worker, a worker
40; Ray's own processes have 150 threads, a worker 23 before torch starts its own.
"""

import resource
from collections.abc import Iterator

from harness.cli.doctor.base import Finding, Setup, check
from harness.cli.doctor.cgroup import ControlGroups
from harness.data.parallel import usable_cores

RECOMMENDED_FILES = 8192
"""What Ray itself recommends; a head node holds connections of every worker in the cluster."""

FILES, FILES_PER_WORKER = 256, 8
TASKS, TASKS_PER_WORKER = 256, 40


@check("open files", "limits")
def files(_setup: Setup) -> Iterator[Finding]:
    """Compare the limit of open files with what Ray opens."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield judge_files(soft, hard, usable_cores())


def judge_files(soft: int, hard: int, workers: int) -> Finding:
    """Return what is to be said of the limit of open files.

    Args:
        soft: In force.
        hard: Up to which Ray raises it by itself.
        workers: That would run.
    """
    told = f"{_told(soft)}, which Ray raises up to {_told(hard)}" if soft != hard else _told(soft)
    if hard == resource.RLIM_INFINITY or hard >= RECOMMENDED_FILES:
        return Finding(told)
    needed = FILES + FILES_PER_WORKER * workers
    mend = f"raise the limit: ulimit -n {RECOMMENDED_FILES} (as root, or LimitNOFILE= of the service)"
    if hard < needed:
        return Finding(f"{told}; {workers} workers need {needed}", "broken", mend)
    return Finding(f"{told}; enough for this machine, not for a cluster", "warning", mend)


@check("processes", "limits")
def processes(_setup: Setup) -> Iterator[Finding]:
    """Compare the limits of processes and threads with what Ray starts."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    yield judge_processes(soft, ControlGroups().tasks(), usable_cores())


def judge_processes(soft: int, group: int | None, workers: int) -> Finding:
    """Return what is to be said of the limit of processes.

    Args:
        soft: Of this user; threads count.
        group: Of a container; None: there is no limit.
        workers: That would run.
    """
    needed = TASKS + TASKS_PER_WORKER * workers
    if group is not None and group < needed:
        mend = f"start the container with --pids-limit {2 * needed} or none"
        return Finding(f"a container's limit of {group}; {workers} workers need {needed}", "broken", mend)
    if soft != resource.RLIM_INFINITY and soft < needed:
        mend = f"raise the limit: ulimit -u {2 * needed}"
        return Finding(f"{soft}; {workers} workers need {needed}, threads included", "broken", mend)
    return Finding(_told(soft))


def _told(limit: int) -> str:
    return "no limit" if limit == resource.RLIM_INFINITY else str(limit)
