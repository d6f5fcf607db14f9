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

import ray
import torch

from harness.training.job import EpochRecord, Finished, Started, TrainingJob
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
            print("the loss says a word before it raises")  # noqa: T201
            raise Unpicklable("no luck with \udcff\nand a second line")
        return value


class NotANumber(Breaking):
    def step(self, value):
        return value * float("nan") if self.steps == STEP else value


class FillsTheDisk(Breaking):
    def break_down(self):
        fill(Path(os.environ[FULL_FOLDER]))


def fill(folder: Path, leave: int = 0) -> None:
    """Write ballast until no more than ``leave`` bytes find place, in steps of what a disk gives out."""
    with (folder / BALLAST).open("ab", buffering=0) as stream:
        for size in (2**20, 2**12, 1):
            try:
                while _free(folder) > leave + size - 1:
                    stream.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def _free(folder: Path) -> int:
    facts = os.statvfs(folder)
    return facts.f_bavail * facts.f_frsize


def train_on_a_small_gpu(job: TrainingJob) -> Iterator[Started | EpochRecord | Finished]:
    """Stand for a training of which ``dice`` needs the whole GPU, and finds too little memory at first.

    Raises:
        OutOfMemory: on the first attempt at ``dice``, and on every one that has a neighbour.
    """
    gpu = "-".join(map(str, ray.get_gpu_ids()))
    mine = Path(os.environ[MARKERS]) / f"running-on-{gpu}-{job.key}"
    mine.touch()
    try:
        yield Started({"device": "made up"}, 0)
        time.sleep(0.3)
        _need_memory(job, mine, at_first=is_first(f"tried-{job.key}"))
        records = []
        for epoch in range(2):
            time.sleep(0.1)
            records.append(_record(epoch))
            yield records[-1]
        _need_memory(job, mine)
    finally:
        mine.unlink()  # before the result, after which the next one may begin
    yield Finished("done", None, None, False, 1, 0.5, tuple(records), (), {}, "made up", 1.0)


def _need_memory(job: TrainingJob, mine: Path, at_first: bool = False) -> None:
    neighbours = [path for path in mine.parent.glob(mine.name.replace(job.key, "*")) if path != mine]
    if job.loss.expression == "dice" and (at_first or neighbours):
        raise OutOfMemory(f"out of memory beside {len(neighbours)} neighbours")


def _record(epoch: int) -> EpochRecord:
    return EpochRecord(epoch, 0.5, 0.5, 1e-3, None, None, 0.1)
