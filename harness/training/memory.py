"""Peak memory of an epoch, and what to say when there is not enough."""

import resource
import sys
from pathlib import Path

import torch

from harness.training.job import TrainingJob

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
_RESET_PEAK = "5"  # proc(5): the peak of the resident set becomes what is resident now


class OutOfMemory(RuntimeError):
    """A training did not fit; the message says what to change."""


def reset_peak(device: torch.device) -> None:
    """Forget the peak so far. Where the system cannot, peaks are those of the process's whole life."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        _CLEAR.write_text(_RESET_PEAK)
    except OSError:
        return


def peak_bytes(device: torch.device) -> int:
    """Return the most memory since :func:`reset_peak`: allocated on the GPU, else resident of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        lines = _STATUS.read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration, ValueError):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception says that memory was refused, on the GPU or the host."""
    refused = isinstance(error, RuntimeError) and "DefaultCPUAllocator: can't allocate" in str(error)
    return refused or isinstance(error, torch.OutOfMemoryError | MemoryError)


def explain(error: BaseException, job: TrainingJob, doing: str) -> OutOfMemory:
    """Return the error that names what did not fit and the remedy.

    Args:
        error: What was raised.
        job: The training.
        doing: What was done at the time: ``in epoch 3``.
    """
    protocol = job.protocol
    halved = max(1, protocol.batch_size // 2)
    remedies = ["fewer model.base_channels", "a smaller 'size' of the dataset's slices"]
    if protocol.batch_size > 1:
        remedies.insert(0, f"protocol.batch_size {halved} with protocol.accumulate {protocol.accumulate * 2}")
    if job.device.startswith("cuda"):
        remedies.append("fewer --trials-per-gpu")
        if protocol.precision != "bfloat16":
            remedies.append("protocol.precision bfloat16")
        if job.storage != "mapped":
            remedies.append("--slices mapped")
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    where = "the GPU" if job.device.startswith("cuda") else "this machine"
    return OutOfMemory(
        f"out of memory on {where} {doing} with protocol.batch_size {protocol.batch_size}; "
        f"try {', or '.join(remedies)} ({first})"
    )
