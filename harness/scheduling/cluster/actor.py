"""The actor that trains: a process that keeps its imports warm from trial to trial."""

import importlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.scheduling.cluster.scratch import sending_back
from harness.scheduling.executor import Happening, Said
from harness.scheduling.orders import Orders
from harness.scheduling.worker import Train, run_job


@dataclass(frozen=True)
class WorkerFacts:
    """Where a worker is.

    Attributes:
        process: Its id.
        gpu: Index of the GPU that Ray gave it, empty on a CPU.
    """

    process: int
    gpu: str


class Worker:
    """Runs one job after another.

    Args:
        entry: ``module:function`` of the generator function that runs a job.
        sends_back: Whether files of jobs may have to travel to the driver's machine.
    """

    def __init__(self, entry: str, sends_back: bool = False) -> None:
        logging.getLogger("harness").setLevel(logging.INFO)
        module, _, function = entry.partition(":")
        train: Train = getattr(importlib.import_module(module), function)
        self._train = _sending_back(train) if sends_back else train
        self._orders: dict[str, Orders] = {}
        self._where = ""

    def ready(self) -> WorkerFacts:
        """Answer once imports are done."""
        import ray

        self._where = f"worker process {os.getpid()} on {_address()}"
        return WorkerFacts(os.getpid(), ",".join(map(str, ray.get_gpu_ids())))

    def run(self, key: str, job: Any) -> Iterator[Happening]:
        """Yield what happens to a job."""
        yield Said(self._where)
        orders = self._orders_for(key)
        judged = getattr(job, "judged", False)  # an errand that is no training has no such field
        try:
            yield from run_job(job, self._train, orders.stopping, goes_on=orders.goes_on if judged else None)
        finally:
            self._orders.pop(key, None)

    def stop(self, key: str) -> None:
        """Let a job stop after its epoch; called from another thread."""
        self._orders_for(key).stop()

    def answer(self, key: str, goes_on: bool) -> None:
        """Let a judged job go on or end after its epoch; called from another thread."""
        if key in self._orders:  # it may have stopped meanwhile
            self._orders[key].answer(goes_on)

    def _orders_for(self, key: str) -> Orders:
        return self._orders.setdefault(key, Orders())


def _sending_back(train: Train) -> Train:
    def train_and_send(job: Any) -> Iterator[Any]:
        return sending_back(job, train(job))

    return train_and_send


def _address() -> str:
    from ray.util import get_node_ip_address

    address: str = get_node_ip_address()  # type: ignore[no-untyped-call]
    return address
