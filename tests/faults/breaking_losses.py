"""Losses that break while they train, and trainings on a GPU that is not there.

All are cross-entropy, and most break once: in the middle of the second epoch, unless the folder of markers
holds a file of their name. So a study whose markers lie there already is the same study, undisturbed.
"""

import errno
import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from harness.training.job import EpochRecord, EpochScore, Finished, Started, TrainingJob
from harness.training.memory import OutOfMemory

MARKERS = "LOSSBENCH_TEST_MARKERS"
"""Environment variable: the folder of markers, which also tells the processes of one test from others."""

FULL_FOLDER = "LOSSBENCH_TEST_FULL_FOLDER"
"""Environment variable: a folder on the disk that is filled."""

BALLAST = "ballast"

STEP = 5
"""When they break, from 1; the discs have 3 steps in an epoch of batches of 4."""

_CHECKPOINT_SECONDS = 31.0  # longer than trainings let pass between two checkpoints


def is_first(name: str) -> bool:
    """Whether nobody has asked for this name before, in any process."""
    try:
        (Path(os.environ[MARKERS]) / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


class Breaking(torch.nn.Module):
    family, needs, reference = "distribution", frozenset(), "none"
    name = "breaking"

    def __init__(self):
        super().__init__()
        self.steps = 0

    def forward(self, logits, labels):
        value = torch.nn.functional.cross_entropy(logits, labels)
        if self.training:
            self.steps += 1
            value = self.step(value)
        return value

    def step(self, value):
        if self.steps == STEP and is_first(type(self).__name__):
            self.break_down()
        return value

    def break_down(self):
        """Do harm, once."""


class Killed(Breaking):
    def break_down(self):
        os.kill(os.getpid(), signal.SIGKILL)


class KilledEveryTime(Breaking):
    def step(self, value):
        if self.steps == STEP:
            os.kill(os.getpid(), signal.SIGKILL)
        return value


class KilledAfterACheckpoint(Breaking):
    def step(self, value):
        if self.steps == 1 and is_first("slow"):
            time.sleep(_CHECKPOINT_SECONDS)
        return super().step(value)

    def break_down(self):
        os.kill(os.getpid(), signal.SIGKILL)


class Slow(Breaking):
    """Takes long enough to be killed by somebody else."""

    def step(self, value):
        time.sleep(0.1)
        return value


class Greedy(Breaking):
    """Is refused memory by the system: no allocation fits into the address space."""

    def break_down(self):
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (used + 2**27, hard))
        try:
            torch.empty(2**33, dtype=torch.uint8)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))  # other threads want memory, too


class Hung(Breaking):
    def break_down(self):
        time.sleep(1e6)


class HungEveryTime(Breaking):
    def step(self, value):
        if self.steps == STEP:
            time.sleep(1e6)
        return value


class Unpicklable(Exception):
    """Cannot travel between processes, nor tell what is wrong in characters that are some."""

    def __init__(self, message):
        super().__init__(message)
        self.of_this_process = lambda: None

    def __reduce__(self):
        raise TypeError("an exception that cannot be pickled")


class Raising(Breaking):
    """Raises until the file ``mended`` lies among the markers."""

    def step(self, value):
        if self.steps == STEP and not (Path(os.environ[MARKERS]) / "mended").exists():
            print("the loss says a word before it raises")
            raise Unpicklable("no luck with \udcff\nand a second line")
        return value


class NotANumber(Breaking):
    def step(self, value):
        return value * float("nan") if self.steps == STEP else value


class FillsTheDisk(Breaking):
    def break_down(self):
        fill(Path(os.environ[FULL_FOLDER]))


def fill(folder: Path) -> None:
    """Write ballast until not a byte more finds place."""
    with (folder / BALLAST).open("wb", buffering=0) as stream:
        for size in (2**20, 2**12, 1):
            try:
                while True:
                    stream.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def train_on_a_small_gpu(job: TrainingJob) -> Iterator[Started | EpochRecord | Finished]:
    """Stand for a training that finds too little memory, until it has the GPU for itself.

    Raises:
        OutOfMemory: if a neighbour trains at the same time, or has done so since this process began.
    """
    folder = Path(os.environ[MARKERS])
    mine = folder / f"running-{job.key}"
    mine.touch()
    try:
        yield Started({"device": "made up"}, 0)
        time.sleep(0.3)
        if job.loss.expression == "dice" and (is_first(f"tried-{job.key}") or _neighbours(mine)):
            raise OutOfMemory(f"out of memory beside {len(_neighbours(mine))} neighbours")
        records = []
        for epoch in range(2):
            time.sleep(0.1)
            records.append(_record(epoch))
            yield records[-1]
        if job.loss.expression == "dice" and _neighbours(mine):
            raise OutOfMemory("a neighbour came")
        yield Finished("done", None, None, False, 1, 0.5, tuple(records), (), {}, "made up", 1.0)
    finally:
        mine.unlink()


def _neighbours(mine: Path) -> list[Any]:
    return [path for path in mine.parent.glob("running-*") if path != mine]


def _record(epoch: int) -> EpochRecord:
    return EpochRecord(epoch, 0.5, 0.5, 1e-3, None, None, 0.1, scores=(EpochScore(1, "dsc", 0.5, 0),))
