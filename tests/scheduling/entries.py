"""Jobs for pools that train nothing, and the functions that run them."""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.training.job import EpochRecord, Event, Finished, Started


@dataclass(frozen=True)
class Job:
    """What a pool asks of a job, what happens in it, and how many epochs of how many seconds it has."""

    key: str
    prepared: Path = Path("a")
    epochs: int = 1
    seconds: float = 0.0
    act: str = "sleep"


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
