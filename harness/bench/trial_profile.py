"""Where the time of a trial goes: the ranges that the trainer marks, by torch's profiler."""

import time
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from harness.training.job import TrainingJob

PARTS = ("data", "forward", "loss", "backward", "step", "validation", "checkpoint", "scoring")
"""In the order of a trial; the trainer marks each as ``lossbench.<part>``."""

_MARK = "lossbench."


@dataclass(frozen=True)
class Profile:
    """Seconds of one trial.

    Attributes:
        total: Start to end.
        parts: Of each part.
    """

    total: float
    parts: Mapping[str, float]

    def shares(self) -> str:
        """Return the parts in percent of the whole, and what none of them holds, as one line."""
        rest = self.total - sum(self.parts.values())
        found = {**{part: self.parts.get(part, 0.0) for part in PARTS}, "other": rest}
        return ", ".join(f"{part} {100 * seconds / self.total:.1f} %" for part, seconds in found.items())


def profile_trial(job: TrainingJob) -> Profile:
    """Train under the profiler, in this process, and return where the time went.

    It sets torch's threads and deterministic mode as a training does: call it in a process of its own.
    """
    import torch

    from harness.training.trainer import train

    began = time.perf_counter()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        for _ in train(job):
            pass
        total = time.perf_counter() - began
    parts = {
        event.key.removeprefix(_MARK): event.cpu_time_total / 1e6
        for event in profiler.key_averages()
        if event.key.startswith(_MARK)
    }
    return Profile(total, parts)


class ProfiledTrial:
    """Work: one trial under the profiler, in a process of its own.

    Args:
        process: Where it runs.
        job: The trial.
    """

    def __init__(self, process: Executor, job: TrainingJob) -> None:
        self._process, self._job = process, job
        self._warm = False
        self.last = Profile(0.0, {})

    def __call__(self) -> float:
        """Train and return the seconds; the first call warms up with a single epoch."""
        protocol = self._job.protocol
        if not self._warm:
            protocol = protocol.model_copy(update={"epochs": 1})
        self._warm = True
        self.last = self._process.submit(profile_trial, replace(self._job, protocol=protocol)).result()
        return self.last.total
