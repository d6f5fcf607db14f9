"""Trials that train nothing, to be run by the workers of a pool: what is left is the scheduling.

Torch is not imported here, nor by what is imported here, and a worker is given an errand instead of the whole
job, whose loss and split would import it: a worker that sleeps stays small, so that a machine of two cores
can play a cluster of sixty-four.
"""

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.training.job import CaseScore, EpochRecord, Event, Finished, Started, TrainingJob

CASE, METRIC = "case000", "dsc"
"""What a trial with numbers is scored on, and by what."""

EPOCHS = 3
"""Of a trial with numbers."""

TORCH, PROCESS = "torch imported", "process"
"""Facts that trials tell of their worker: ``yes`` or ``no``, and the id of its process."""


@dataclass(frozen=True)
class Errand:
    """What a worker is given.

    Attributes:
        key: Of the trial.
        seconds: How long it lasts.
    """

    key: str
    seconds: float


def errand(job: TrainingJob) -> Errand:
    """Return the errand for a job, whose model has an option ``seconds``."""
    return Errand(job.key, job.model_options["seconds"])


def no_op(job: Errand) -> Iterator[Event]:
    """Begin and end."""
    yield _started()
    yield _finished()


def sleep(job: Errand) -> Iterator[Event]:
    """Sleep, then end."""
    yield _started()
    time.sleep(job.seconds)
    yield _finished()


def numbered(job: Errand) -> Iterator[Event]:
    """Give a curve and a score that follow from the trial's key alone, sleeping before every point."""
    yield Started({}, 0, {PROCESS: str(os.getpid())})
    curve = []
    for epoch in range(EPOCHS):
        time.sleep(job.seconds / EPOCHS)
        value = number_of(job.key, epoch)
        curve.append(EpochRecord(epoch, 1 - value, value, 1e-3, None, None, 0.0))
        yield curve[-1]
    value = number_of(job.key, EPOCHS)
    scores = tuple(
        CaseScore(CASE, "test", checkpoint, 1, METRIC, value, value, None) for checkpoint in ("best", "last")
    )
    yield _finished(tuple(curve), scores, max(record.val_dsc for record in curve))


def tuned(config: dict[str, Any]) -> dict[str, int]:
    """Sleep as a function for Ray Tune does, and return the trial's number."""
    time.sleep(config["seconds"])
    return {"number": config["number"]}


def number_of(key: str, index: int) -> float:
    """Return a number in 0..1 that only this trial has at this place."""
    digest = hashlib.sha256(f"{key} {index}".encode()).digest()
    return int.from_bytes(digest[:6]) / 256**6


def _started() -> Started:
    return Started({}, 0, {TORCH: "yes" if "torch" in sys.modules else "no"})


def _finished(
    curve: tuple[EpochRecord, ...] = (),
    scores: tuple[CaseScore, ...] = (),
    best_val_dsc: float | None = None,
) -> Finished:
    return Finished("done", None, None, False, None, best_val_dsc, curve, scores, {}, "none", 0.0)
