"""What a planned study would cost: measured by earlier trials or by short probes, scheduled on workers."""

import heapq
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cli.home import Home
from harness.cli.output import progress_bar
from harness.cli.plan_cell import PlannedCell
from harness.cli.preparation import ReadyDataset
from harness.scheduling.costs import Cost, Costs
from harness.scheduling.order import makespan, ordered
from harness.scheduling.packing import device_memory
from harness.scheduling.trial_forms import DriverOptions, Folders, job_of
from harness.store.database import open_if_there
from harness.study.plan import PlannedTrial
from harness.training import probe
from harness.training.determinism import device_name
from harness.training.job import TrainingJob

_GIB = 2**30
PROBING_SECONDS = 60.0
"""What all probes together should take at most; each is given half a second of steps at least."""

_AROUND_A_PROBE, _START = 1.5, 5.0
"""Seconds of opening and scoring beside the steps of each probe, and of the process that runs them all."""


@dataclass(frozen=True)
class Forecast:
    """The cost of what is left of a study.

    Attributes:
        workers: Trials at a time.
        seconds: On one worker, of the cells whose cost is known; None if it is known of none.
        wall_seconds: The same on all workers.
        unknown: Cells of which no cost is known.
        memory_bytes: Of the largest trials that may run at the same time; None if unknown.
        machine_bytes: What the machine, or its GPUs, have.
        device: ``cpu`` or ``cuda``.
    """

    workers: int
    seconds: float | None
    wall_seconds: float | None
    unknown: int
    memory_bytes: int | None
    machine_bytes: int
    device: str

    def as_json(self) -> dict[str, Any]:
        """Return all of it for other programs."""
        return {
            "workers": self.workers,
            "device": self.device,
            "hours on one worker": _hours(self.seconds),
            "hours on all workers": _hours(self.wall_seconds),
            "cells without times": self.unknown,
            "GiB together": _gib(self.memory_bytes),
            "GiB of the machine": _gib(self.machine_bytes),
        }

    def sentence(self) -> str | None:
        """Return the times for people, None if nothing is known."""
        if self.seconds is None or self.wall_seconds is None:
            return None
        least = "at least " if self.unknown else ""
        workers = "1 worker" if self.workers == 1 else f"{self.workers} workers"
        memory = _gib(self.memory_bytes)
        fits = "" if memory is None else f"; {memory:.1f} of {_gib(self.machine_bytes):.1f} GiB of memory"
        alone = "" if self.workers == 1 else f" ({span(self.seconds)} on one)"
        return f"to train: {least}{span(self.wall_seconds)} on {workers}{alone}{fits}"

    def warnings(self) -> Iterator[str]:
        """Yield a sentence if the trials do not fit side by side."""
        if self.memory_bytes is None or self.memory_bytes <= self.machine_bytes:
            return
        where = "the GPU has" if self.device == "cuda" else "this machine has"
        fitting = int(self.workers * self.machine_bytes / self.memory_bytes)
        remedy = (
            f"give --workers {fitting}"
            if fitting
            else "set a smaller protocol.batch_size or model.base_channels"
        )
        yield (
            f"{self.workers} trials at a time need about {_gib(self.memory_bytes):.1f} GiB of memory, "
            f"{where} {_gib(self.machine_bytes):.1f}: {remedy}"
        )


def known_costs(home: Home, ready: Sequence[ReadyDataset | None], device: str) -> Costs:
    """Return what the results database knows of the study's datasets on this machine's kind of device."""
    fingerprints = [each.prepared.fingerprint for each in ready if each is not None]
    return Costs.from_database(open_if_there(home.database_url), fingerprints, device_name(device))


def forecast(cells: Sequence[PlannedCell], costs: Costs, workers: int, device: str) -> Forecast:
    """Return the cost of what is left, from the schedule that a run would follow.

    Args:
        cells: Of the study.
        costs: What is known of their trials.
        workers: Trials at a time.
        device: ``cpu`` or ``cuda``.
    """
    left = [planned for cell in cells for planned in cell.left]
    searched = [planned for planned in left if planned.trial.purpose == "search"]
    rest = sorted(
        (planned for planned in left if planned.trial.purpose == "study"), key=lambda each: each.trial.seed
    )
    lengths = [costs.seconds(planned) for planned in (*searched, *ordered(rest, costs, workers))]
    known = [seconds for seconds in lengths if seconds is not None]
    absent = sum(cell.ready is None for cell in cells)
    nothing = bool(lengths or absent) and not known
    budgets = sum(cell.search_seconds for cell in cells)
    return Forecast(
        workers=workers,
        seconds=None if nothing else sum(known) + budgets,
        wall_seconds=None if nothing else makespan(known, workers) + budgets / workers,
        unknown=absent + len(unmeasured(cells, costs)),
        memory_bytes=_together(left, costs, workers),
        machine_bytes=device_memory(device) * _gpus(device),
        device=device,
    )


def unmeasured(cells: Iterable[PlannedCell], costs: Costs) -> list[PlannedCell]:
    """Return the cells with trials to train of which nothing is known."""
    return [cell for cell in cells if cell.left and costs.of(cell.left[0]) is None]


def to_probe(cells: Iterable[PlannedCell], costs: Costs) -> list[PlannedCell]:
    """Return the cells with trials to train whose own loss was never timed on this device."""
    return [cell for cell in cells if cell.left and not _timed(costs.of(cell.left[0]))]


def _timed(cost: Cost | None) -> bool:
    return cost is not None and cost.origin != "same dataset and model"


def add_probes(cells: Sequence[PlannedCell], costs: Costs, device: str) -> list[str]:
    """Probe one trial of every cell, note what it cost, and return a sentence for each that failed.

    Args:
        cells: From :func:`to_probe`.
        costs: Gets what is measured.
        device: ``cpu`` or ``cuda``.
    """
    if not cells:
        return []
    failed = []
    jobs = [_job(cell, device) for cell in cells]
    with progress_bar("measuring") as progress:
        progress(0, len(cells))
        for number, (cell, found) in enumerate(
            zip(cells, probe.probes(jobs, _steps_seconds(len(cells))), strict=True)
        ):
            progress(number + 1, len(cells))
            if isinstance(found, probe.ProbeFailed):
                failed.append(
                    f"{cell.label!r} on dataset {cell.dataset!r} cannot be measured: {found.reason}"
                )
            else:
                cost = Cost(found.epoch_seconds, found.other_seconds, found.peak_bytes, "probe")
                costs.add_probe(cell.left[0], cost)
    return failed


def sentences(cost: Forecast, unprobed: int) -> Iterator[str]:
    """Yield what the table does not say.

    Args:
        cost: What is expected.
        unprobed: Cells that a probe would measure.
    """
    if told := cost.sentence():
        yield told
    if unprobed:
        cells = "1 cell" if unprobed == 1 else f"{unprobed} cells"
        about = span(probing_seconds(unprobed))
        yield f"no times of their own yet: {cells}; --probe measures them in about {about}"


def probing_seconds(cells: int) -> float:
    """Return about how long it takes to probe so many cells."""
    return _START + cells * (_steps_seconds(cells) + _AROUND_A_PROBE)


def default_workers(device: str) -> int:
    """Return how many trials a run has at a time if it is told nothing: one per CPU core, or per GPU."""
    return _gpus(device) if device == "cuda" else len(os.sched_getaffinity(0))


def span(seconds: float) -> str:
    """Return a duration for people.

    >>> span(40), span(1500), span(30_000), span(300_000)
    ('40 s', '25 min', '8.3 h', '3.5 days')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6_000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86_400:.1f} days"


def _steps_seconds(cells: int) -> float:
    return min(probe.SECONDS, max(0.5, (PROBING_SECONDS - _START) / cells - _AROUND_A_PROBE))


def _job(cell: PlannedCell, device: str) -> TrainingJob:
    """Return the job of a cell's last trial, which is none of a search: those score less."""
    assert cell.ready is not None
    planned = cell.left[-1]
    folders = Folders({planned.trial.fingerprint: cell.ready.prepared.folder.resolve()}, Path())
    # Its folder is not there, and a probe makes none.
    return job_of(planned, folders, DriverOptions(device, keep_models=False))


def _together(left: Iterable[PlannedTrial], costs: Costs, workers: int) -> int | None:
    """Return the bytes of the largest trials that may run at the same time."""
    peaks = [peak for planned in left if (peak := costs.peak_bytes(planned)) is not None]
    return sum(heapq.nlargest(workers, peaks)) if peaks else None


def _gpus(device: str) -> int:
    if device != "cuda":
        return 1
    import torch

    return torch.cuda.device_count()


def _hours(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds / 3600, 4)


def _gib(size: int | None) -> float | None:
    return None if size is None else round(size / _GIB, 2)
