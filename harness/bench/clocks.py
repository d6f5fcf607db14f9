"""Clocks: how long so many calls take, busy and by the clock on the wall."""

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias

Work: TypeAlias = Callable[[], object]


class Times(NamedTuple):
    """Seconds of one sample.

    Attributes:
        busy: CPU time of all threads of the process, or time on the GPU between two events. It leaves
            out what other processes took, so it comes first.
        wall: What somebody waits.
    """

    busy: float
    wall: float


class Clock(Protocol):
    """Anything that can time work."""

    def time(self, work: Work, repetitions: int) -> Times:
        """Return what ``repetitions`` calls in a row take together."""
        ...


class CpuClock:
    """Times work on the CPU."""

    def time(self, work: Work, repetitions: int) -> Times:
        """Return CPU time of the process and wall time."""
        wall, busy = time.perf_counter(), time.process_time()
        for _ in range(repetitions):
            work()
        return Times(time.process_time() - busy, time.perf_counter() - wall)


class CudaClock:
    """Times work on the current GPU, whose calls return before it is done."""

    def time(self, work: Work, repetitions: int) -> Times:
        """Return the time between two events in the GPU's queue, and wall time until it is empty."""
        import torch

        begin = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
        wall = time.perf_counter()
        begin.record()
        for _ in range(repetitions):
            work()
        end.record()
        torch.cuda.synchronize()
        return Times(begin.elapsed_time(end) / 1000, time.perf_counter() - wall)


def clock_of(device: str) -> Clock:
    """Return the clock for work on a device, ``cpu`` or ``cuda``."""
    return CudaClock() if device == "cuda" else CpuClock()
