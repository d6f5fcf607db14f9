"""Processor cores and threads: what may be used, and what the environment sets against it."""

import os
from collections.abc import Iterator, Mapping

from harness.cli.doctor.base import Finding, Setup, check
from harness.cli.doctor.cgroup import ControlGroups
from harness.data.parallel import usable_cores

_NUMBERS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
_BINDING = {
    "OMP_PROC_BIND": {"true", "close", "spread", "primary", "master"},
    "KMP_AFFINITY": None,
    "GOMP_CPU_AFFINITY": None,
}
"""Pin threads to cores, by the values that do; None: any."""


@check("cores", "machine")
def cores(_setup: Setup) -> Iterator[Finding]:
    """Compare the cores that are seen with those that may be used."""
    yield judge_cores(os.cpu_count() or 1, usable_cores(), ControlGroups().cores())


def judge_cores(seen: int, usable: int, quota: float | None) -> Finding:
    """Return what is to be said of the cores.

    Args:
        seen: Of the machine.
        usable: That the scheduler lets us run on.
        quota: Processors' worth of time that a container may use.
    """
    told = f"{usable} of {seen} cores usable" if usable < seen else f"{seen} cores"
    if quota is None or quota >= usable:
        return Finding(told)
    workers = max(1, int(quota))
    return Finding(
        f"{told}, but a container's limit of {quota:g} cores' time",
        "warning",
        f"give --workers {workers}, or raise the limit: {usable} workers would slow each other down",
    )


@check("threads", "machine")
def threads(_setup: Setup) -> Iterator[Finding]:
    """Read what the environment says of threads."""
    found = list(judge_threads(os.environ, usable_cores()))
    yield from found or [Finding("nothing in the environment sets threads against us")]


def judge_threads(environment: Mapping[str, str], usable: int) -> Iterator[Finding]:
    """Yield what in the environment slows trials down.

    Args:
        environment: Names and values.
        usable: Cores.
    """
    why = "a trial has one thread and one core"
    for name in _NUMBERS:
        number = environment.get(name, "").partition(",")[0]
        if number.isdigit() and int(number) > 1:
            worse = f", more than the {usable} cores" if int(number) > usable else ""
            yield Finding(f"{name}={number}{worse}", "warning", f"unset {name}: {why}")
    for name, values in _BINDING.items():
        value = environment.get(name)
        if value and (values is None or value.partition(",")[0].lower() in values):
            yield Finding(f"{name}={value}", "warning", f"unset {name}: it may pin all workers to one core")
    for name in ("OMP_WAIT_POLICY", "KMP_BLOCKTIME"):
        value = environment.get(name, "")
        if value.lower() in {"active", "infinite"}:
            yield Finding(f"{name}={value}", "warning", f"unset {name}: idle threads would keep cores busy")
