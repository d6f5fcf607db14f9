"""Choose what runs the trials: this process, a private Ray, or a cluster."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.cli.home import Home
from harness.cli.output import stderr
from harness.errors import InputError
from harness.scheduling.executor import Executor
from harness.scheduling.inline import InlineExecutor
from harness.scheduling.trial_forms import DriverOptions, Folders, job_of
from harness.study.plan import PlannedTrial

if TYPE_CHECKING:
    from harness.cli.running import RunOptions


@contextmanager
def executor_for(
    options: "RunOptions",
    device: str,
    folders: Folders,
    planned: Sequence[PlannedTrial],
    wanted: DriverOptions,
    home: Home,
) -> Iterator[Executor]:
    """Give the executor that the options ask for, and close it.

    Args:
        options: From the command line.
        device: ``cpu`` or ``cuda``.
        folders: Where trials read and write.
        planned: The fixed trials, of which the first is the probe of ``--trials-per-gpu auto``.
        wanted: How the driver runs them.
        home: Keeps what the probe found.

    Raises:
        InputError: if no cluster answers.
    """
    executor: Executor
    if options.local:
        executor = InlineExecutor()
    else:
        from harness.scheduling.cluster.pool import PoolOptions, RayExecutor

        executor = RayExecutor(
            PoolOptions(
                workers=options.workers,
                trials_per_gpu=_trials_per_gpu(options, device, folders, planned, wanted, home),
                address=options.address,
                cores=len(os.sched_getaffinity(0)),
                datasets=folders.prepared,
                artifacts=folders.artifacts,
            )
        )
    try:
        yield executor
    finally:
        executor.close()


def _trials_per_gpu(
    options: "RunOptions",
    device: str,
    folders: Folders,
    planned: Sequence[PlannedTrial],
    wanted: DriverOptions,
    home: Home,
) -> int:
    """Return how many trials share a GPU; 0 on the CPU."""
    if device == "cpu":
        return 0
    if options.trials_per_gpu != "auto":
        return options.trials_per_gpu
    import torch

    from harness.scheduling.packing import trials_per_gpu

    if not torch.cuda.is_available():
        raise InputError(
            "--trials-per-gpu auto measures on this machine, which has no GPU; give a number instead"
        )
    if not planned:
        raise InputError(
            "--trials-per-gpu auto needs a trial to measure; the study only tunes: give a number"
        )
    stderr.print("measuring how many trials share a GPU best", highlight=False)
    packing = trials_per_gpu(job_of(planned[0], folders, wanted), home.root)
    stderr.print(f"{packing.trials} trials share a GPU", highlight=False)
    return packing.trials
