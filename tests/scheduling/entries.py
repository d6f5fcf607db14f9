"""Jobs for pools that train nothing, and the functions that run them."""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.training.job import EpochRecord, Event, Finished, Started, TrainingJob

TRAINED = "trained.txt"
"""In the folder of a job: a line for every epoch that was begun."""


@dataclass(frozen=True)
class Job:
    """What a pool asks of a job, what happens in it, and how many epochs of how many seconds it has."""

    key: str
    prepared: Path = Path("a")
    epochs: int = 1
    seconds: float = 0.0
    act: str = "sleep"
    judged: bool = False


def run(job: Job) -> Iterator[Event]:
    """Do what the job says."""
    return ACTS[job.act](job)


def sleep(job: Job) -> Iterator[Event]:
    """Sleep through the epochs; the process tells its id."""
    yield Started({"process": str(os.getpid())}, 0)
    for epoch in range(job.epochs):
        time.sleep(job.seconds)
        yield EpochRecord(epoch, 0.5, 0.6, 1e-3, None, None, job.seconds)
    yield Finished("done", None, None, False, 0, 0.6, (), (), {}, "float32", 1.0)


def curve(job: TrainingJob) -> Iterator[Event]:
    """Give a point of a rising curve for every epoch, and write down that it was begun."""
    job.folder.mkdir(parents=True, exist_ok=True)
    yield Started({"device": "none"}, 0)
    points = []
    for epoch in range(job.protocol.epochs):
        with (job.folder / TRAINED).open("a") as stream:
            stream.write(f"{epoch}\n")
        points.append(EpochRecord(epoch, 0.5, val_dsc(epoch), 1e-3, None, None, 0.5))
        yield points[-1]
    best = points[-1]
    yield Finished("done", None, None, False, best.epoch, best.val_dsc, (*points,), (), {}, "none", 9.0)


def val_dsc(epoch: int) -> float:
    """What :func:`curve` tells of an epoch."""
    return 0.1 + 0.01 * epoch


def die(job: Job) -> Iterator[Event]:
    """End the process in the middle of an epoch."""
    yield Started({"process": str(os.getpid())}, 0)
    os._exit(9)


def speak(job: Job) -> Iterator[Event]:
    """Print, then raise."""
    sys.stdout.write("reading volumes\n")
    yield Started({}, 0)
    sys.stdout.write("half way\n")
    raise ValueError("labels are upside down")


ACTS = {"sleep": sleep, "die": die, "speak": speak}
