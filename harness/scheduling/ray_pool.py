"""Long-lived Ray actors that keep their imports warm and train one trial after another."""

import logging
import os
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.scheduling.executor import Failure, Message, describe
from harness.store.ownership import machine, process_is_gone
from harness.training.job import Event, TrainingJob

TRIALS_PER_WORKER = 50
"""A worker is replaced after this many trials, so that no leak grows for ever."""

_OBJECT_STORE_BYTES = 100 * 1024**2  # arrays travel through memory-mapped files, not through Ray

_TEMPORARY = Path("/tmp") if Path("/tmp").is_dir() else Path(tempfile.gettempdir())
_FOLDER_PREFIX = "lb-"  # short: Ray puts sockets there, whose paths are limited to 107 bytes

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_REPORT_URL": "http://127.0.0.1:1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_worker_niceness": "0",  # 15 by default: starves beside anything else
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    # glibc would give memory back after every step and fault it in again: a tenth of a float32 step.
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
}


class Worker:
    """The actor: imports torch once, then trains job after job."""

    def train(self, job: TrainingJob) -> Iterator[Event]:
        """Yield the events of one training."""
        from harness.training.trainer import train

        yield from train(job)


@dataclass
class _Place:
    """One worker and what it is doing."""

    actor: Any
    trials: int = 0
    key: str | None = None
    events: Any = None


class RayExecutor:
    """A pool of worker actors on this machine.

    Args:
        workers: Number of actors; each trains one trial at a time.
        gpus_per_worker: Share of a GPU that each actor reserves; 0 on the CPU.
    """

    def __init__(self, workers: int, gpus_per_worker: float = 0.0) -> None:
        os.environ.update(_ENVIRONMENT)
        import ray

        self._ray = ray
        self._folder = _new_folder()
        terminate = signal.getsignal(signal.SIGTERM)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(
                address="local",
                num_cpus=workers,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=_OBJECT_STORE_BYTES,
                _temp_dir=self._folder,
            )
        signal.signal(signal.SIGTERM, terminate)  # Ray replaces the handler
        self._worker = ray.remote(num_cpus=1, num_gpus=gpus_per_worker, max_restarts=0, max_task_retries=0)(
            Worker
        )
        self._places = [_Place(self._worker.remote()) for _ in range(workers)]

    @property
    def free(self) -> int:
        """Number of idle workers."""
        return sum(place.key is None for place in self._places)

    def submit(self, job: TrainingJob) -> None:
        """Start a job on an idle worker."""
        place = next(place for place in self._places if place.key is None)
        if place.trials >= TRIALS_PER_WORKER:
            self._renew(place)
        place.key, place.trials = job.key, place.trials + 1
        place.events = place.actor.train.options(num_returns="streaming").remote(job)

    def wait(self, seconds: float) -> list[Message]:
        """Return the next event of every worker that has one."""
        busy = {place.events: place for place in self._places if place.key is not None}
        if not busy:
            return []
        ready, _ = self._ray.wait(list(busy), num_returns=len(busy), timeout=0)
        if not ready:
            ready, _ = self._ray.wait(list(busy), num_returns=1, timeout=seconds)
        return [message for events in ready for message in self._next(busy[events])]

    def _next(self, place: _Place) -> list[Message]:
        key = place.key
        assert key is not None
        try:
            return [(key, self._ray.get(next(place.events)))]
        except StopIteration:
            place.key = place.events = None
            return []
        except self._ray.exceptions.RayTaskError as error:
            place.key = place.events = None
            return [(key, Failure("error", describe(error.cause or error), str(error)))]
        except self._ray.exceptions.RayError as error:
            place.key = place.events = None
            self._renew(place)
            return [(key, Failure("crash", f"the worker process died ({type(error).__name__})", str(error)))]

    def _renew(self, place: _Place) -> None:
        self._ray.kill(place.actor, no_restart=True)
        place.actor, place.trials = self._worker.remote(), 0

    def cancel(self) -> None:
        """Kill all workers."""
        for place in self._places:
            self._ray.kill(place.actor, no_restart=True)
            place.key = place.events = None

    def close(self) -> None:
        """End the local Ray cluster and delete its temporary files."""
        self._ray.shutdown()
        shutil.rmtree(self._folder, ignore_errors=True)


def _new_folder() -> str:
    """Make Ray's temporary folder, and delete those of drivers on this machine that were killed."""
    mine = f"{_FOLDER_PREFIX}{machine()}-"
    for folder in _TEMPORARY.glob(f"{mine}*-*"):
        process = folder.name.removeprefix(mine).partition("-")[0]
        if process.isdigit() and process_is_gone(int(process)):
            shutil.rmtree(folder, ignore_errors=True)
    return tempfile.mkdtemp(prefix=f"{mine}{os.getpid()}-", dir=_TEMPORARY)
