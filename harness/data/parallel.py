"""Case after case, or several side by side in processes."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any, TypeVar

Result = TypeVar("Result")


def run_each(
    work: Callable[..., Result], jobs: Mapping[int, tuple[Any, ...]], workers: int
) -> Iterator[tuple[int, Result]]:
    """Yield (number, result) of every job as it is done; the first exception cancels the others.

    With several workers, processes are spawned: ``work`` must be a function of a module, and the
    caller importable (``if __name__ == "__main__":`` in scripts).

    Args:
        work: Called with a job's arguments.
        jobs: Number -> arguments.
        workers: Processes; with one, or one job, all happens in this process and in order.
    """
    if workers == 1 or len(jobs) < 2:
        yield from ((number, work(*job)) for number, job in jobs.items())
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=spawn, initializer=_end_with_parent) as pool:
        pending = {pool.submit(work, *job): number for number, job in jobs.items()}
        try:
            for done in as_completed(pending):
                yield pending.pop(done), done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def usable_cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _end_with_parent() -> None:
    """End this process when the one that started it is killed: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
