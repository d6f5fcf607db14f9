"""How many trials share a GPU: as many as make it faster, found by running short probes side by side."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Literal, TypeAlias

from harness.errors import InputError
from harness.training import determinism, memory
from harness.training.job import TrainingJob
from harness.training.probe import SECONDS, Steps, fingerprint_of, opened

PACKING_FILE = "packing.json"
"""Name of the file in the home folder that keeps what was measured."""

LEVELS = (1, 2, 3, 4, 6, 8, 12, 16)
MOST_TRIALS = 16
GAIN = 1.05
"""Steps per second must grow by so much from one level to the next."""

RESERVE = 0.1
"""Share of the memory that stays free."""

_MOST_SECONDS = 300.0
_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")

Reason: TypeAlias = Literal["no gain", "memory", "most"]


@dataclass(frozen=True)
class PackedRate:
    """What trials did side by side on one device.

    Attributes:
        trials: How many.
        steps_per_second: Of all together.
        memory_bytes: Of the device in use, all trials together.
    """

    trials: int
    steps_per_second: float
    memory_bytes: int


@dataclass(frozen=True)
class Packing:
    """How many trials share a device, and why.

    Attributes:
        trials: How many.
        reason: Why not more: ``no gain`` in steps per second, no ``memory``, or ``most`` were allowed.
        measured: Every level that ran.
    """

    trials: int
    reason: Reason
    measured: tuple[PackedRate, ...]

    def sentence(self) -> str:
        """Return the choice and what it rests on, for people.

        >>> Packing(1, "memory", (PackedRate(1, 10.0, 2**30),)).sentence()
        '1 trial per GPU (1: 10.0 steps/s, 1.0 GiB); more do not fit into its memory'
        """
        levels = "; ".join(
            f"{rate.trials}: {rate.steps_per_second:.1f} steps/s, {rate.memory_bytes / 2**30:.1f} GiB"
            for rate in self.measured
        )
        noun = "trial" if self.trials == 1 else "trials"
        return f"{self.trials} {noun} per GPU ({levels}); {_REASONS[self.reason]}"


_REASONS: dict[Reason, str] = {
    "no gain": "more are not faster",
    "memory": "more do not fit into its memory",
    "most": "more are not tried",
}


def choose(
    measure: Callable[[int], PackedRate | None], memory_total: int, most: int = MOST_TRIALS
) -> Packing:
    """Pack trials while the device gets faster by 5 % with every level and its memory holds them.

    Args:
        measure: Runs so many trials side by side; returns None if they do not fit.
        memory_total: Bytes of the device.
        most: Trials that are tried at most, at least 1.

    Raises:
        InputError: if not even one trial fits.
    """
    measured: list[PackedRate] = []
    for trials in (level for level in LEVELS if level <= most):
        if measured and not _room_for(trials, measured[-1], memory_total):
            return Packing(measured[-1].trials, "memory", tuple(measured))
        found = measure(trials)
        if found is None and not measured:
            raise InputError(
                "not even one trial fits into the memory of the GPU; "
                "set a smaller protocol.batch_size or model.base_channels"
            )
        if found is None or (measured and not _room_for(trials, found, memory_total)):
            return Packing(measured[-1].trials, "memory", tuple(measured))
        measured.append(found)
        if len(measured) > 1 and found.steps_per_second < GAIN * measured[-2].steps_per_second:
            return Packing(measured[-2].trials, "no gain", tuple(measured))
    return Packing(measured[-1].trials, "most", tuple(measured))


def trials_per_gpu(job: TrainingJob, home_folder: Path) -> Packing:
    """Return how many trials like ``job`` share its GPU, measured once and kept in the home folder.

    Args:
        job: One of them; neither its folder nor its checkpoint is touched.
        home_folder: Where ``packing.json`` lies.

    Raises:
        InputError: if not even one fits, or the probe fails.
    """
    kept = home_folder / PACKING_FILE
    known = _read(kept)
    name = packing_name(job)
    if name not in known:
        known[name] = choose(lambda trials: side_by_side(job, trials), device_memory(job.device))
        _write(kept, known)
    return known[name]


def packing_name(job: TrainingJob) -> str:
    """Return what decides the packing, as one line: device, dataset, model, batch, precision, loss."""
    protocol = job.protocol
    options = json.dumps(job.model_options, sort_keys=True)
    parts = (
        determinism.device_name(job.device),
        fingerprint_of(job),
        f"{job.model} {options}",
        f"batch {protocol.batch_size}",
        protocol.precision,
        "compiled" if protocol.compile else "eager",
        job.storage,
        job.loss.expression,
    )
    return ", ".join(parts)


def device_memory(device: str) -> int:
    """Return the bytes of a device: of the GPU, or of this machine or container."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.mem_get_info(torch.device(device))[1]
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(machine, int(_CONTAINER_LIMIT.read_text()))
    except (OSError, ValueError):  # no container, or one without a limit
        return machine


def side_by_side(job: TrainingJob, trials: int, seconds: float = SECONDS) -> PackedRate | None:
    """Run the steps of so many trainings at the same time, each in a process of its own.

    Args:
        job: What each of them trains.
        trials: How many.
        seconds: How long steps are measured once all are warm.

    Returns:
        What they did together, or None if they did not fit into memory.

    Raises:
        InputError: if one fails for another reason.
    """
    context = get_context("spawn")
    barrier = context.Barrier(trials)
    pipes = [context.Pipe(duplex=False) for _ in range(trials)]
    workers = []
    try:
        for _, sender in pipes:
            worker = context.Process(target=_train_a_while, args=(job, seconds, barrier, sender), daemon=True)
            worker.start()
            workers.append(worker)
            sender.close()  # so that the death of a worker ends its pipe
        told = _collect([receiver for receiver, _ in pipes], barrier)
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()
    return _together(job, told)


@dataclass(frozen=True)
class _Told:
    """What one process says: its pace and the memory it saw, or what went wrong."""

    rate: float = 0.0
    memory_bytes: int = 0
    error: str = ""
    no_memory: bool = False


def _train_a_while(job: TrainingJob, seconds: float, barrier: Any, told: Connection) -> None:
    try:
        training, _ = opened(job)
        steps = Steps(training)
        memory.reset_peak(training.device)
        piece = steps.warm_up()
        barrier.wait()
        taken, spent = steps.measure(piece, seconds)
        barrier.wait()  # memory is read while all still hold theirs
        used = _memory_in_use(job.device) or memory.peak_bytes(training.device)
        barrier.wait()
        told.send(_Told(taken / spent, used))
    except Exception as error:
        barrier.abort()
        told.send(_Told(error=f"{type(error).__name__}: {error}", no_memory=memory.is_out_of_memory(error)))


def _memory_in_use(device: str) -> int:
    """Return the bytes in use on a GPU by all processes; 0 for a CPU, whose processes know their own."""
    if not device.startswith("cuda"):
        return 0
    import torch

    free, total = torch.cuda.mem_get_info(torch.device(device))
    return total - free


def _collect(receivers: list[Connection], barrier: Any) -> list[_Told]:
    """Return what every process tells; when one dies or is too slow, the others are not kept waiting."""
    deadline = time.monotonic() + _MOST_SECONDS
    told: list[_Told] = []
    waiting = list(receivers)
    while waiting:
        ready = wait(waiting, max(0.0, deadline - time.monotonic()))
        if not ready:
            return [*told, _Told(error=f"no answer within {_MOST_SECONDS:.0f} s")]
        for receiver in ready:
            assert isinstance(receiver, Connection)
            waiting.remove(receiver)
            try:
                told.append(receiver.recv())
            except EOFError:  # killed: the system does so when memory is short
                barrier.abort()
                told.append(_Told(error="the process died", no_memory=True))
    return told


def _together(job: TrainingJob, told: list[_Told]) -> PackedRate | None:
    if any(each.no_memory for each in told):
        return None
    broken = [each.error for each in told if each.error]
    if broken:  # those that waited for the one that failed say only that the barrier broke
        first = next((error for error in broken if "BrokenBarrier" not in error), broken[0])
        raise InputError(
            f"cannot measure how many trials share the device: {first.splitlines()[0]}; "
            "give --trials-per-gpu a number"
        )
    sizes = [each.memory_bytes for each in told]
    used = max(sizes) if job.device.startswith("cuda") else sum(sizes)
    return PackedRate(len(told), sum(each.rate for each in told), used)


def _room_for(trials: int, last: PackedRate, memory_total: int) -> bool:
    """Return whether so many trials fit, each as large as those that ran."""
    return last.memory_bytes / last.trials * trials <= (1 - RESERVE) * memory_total


def _read(path: Path) -> dict[str, Packing]:
    """Return what was measured before; nothing if the file is not there or cannot be read."""
    try:
        return {name: _packing(stored) for name, stored in json.loads(path.read_text()).items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _packing(stored: dict[str, Any]) -> Packing:
    rates = tuple(PackedRate(**rate) for rate in stored["measured"])
    return Packing(stored["trials"], stored["reason"], rates)


def _write(path: Path, known: dict[str, Packing]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".partial.json")
    scratch.write_text(json.dumps({name: asdict(packing) for name, packing in known.items()}, indent=1))
    scratch.replace(path)
