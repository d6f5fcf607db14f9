"""GPUs: what the driver sees, what torch sees, and whether each computes."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from harness.cli.doctor.base import GIB, Finding, Setup, check

_ASK = ("--query-gpu=name,memory.total,driver_version,compute_mode", "--format=csv,noheader,nounits")
_INSTALL = "install a CUDA build of torch that suits the driver (see pytorch.org, 'Get Started')"


@dataclass(frozen=True)
class SeenGpu:
    """A GPU as NVIDIA's driver tells it."""

    name: str
    mebibytes: str
    driver: str
    compute_mode: str


@check("gpu", "machine")
def look(_setup: Setup) -> Iterator[Finding]:
    """Ask the driver and torch, and compute a convolution on every GPU."""
    seen, trouble = ask_driver()
    if trouble is not None:
        yield trouble
    import torch

    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            yield _computes(index)
        yield from (each for each in map(compute_mode, seen) if each.state != "fine")
    else:
        yield without_torch(seen, torch.version.cuda, os.environ.get("CUDA_VISIBLE_DEVICES"))


def ask_driver() -> tuple[list[SeenGpu], Finding | None]:
    """Return the GPUs that NVIDIA's own program lists, and what is wrong with the program."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return [], None
    try:
        told = subprocess.run([program, *_ASK], capture_output=True, text=True, timeout=15, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        told = subprocess.CompletedProcess(program, 1, "", str(error))
    if told.returncode != 0:
        said = (told.stdout + told.stderr).strip().splitlines() or ["no reason given"]
        mend = "install the driver again, or restart the machine after an update of it"
        return [], Finding(f"nvidia-smi fails: {said[0]}", "warning", mend)
    rows = [line.split(", ") for line in told.stdout.splitlines()]
    return [SeenGpu(*row) for row in rows if len(row) == 4], None


def without_torch(seen: list[SeenGpu], build: str | None, visible: str | None) -> Finding:
    """Return why torch has no GPU.

    Args:
        seen: What the driver lists.
        build: CUDA version that torch was built for; None: built without.
        visible: ``CUDA_VISIBLE_DEVICES``.
    """
    if not seen:
        return Finding("no NVIDIA GPU; studies train on the CPU")
    gpus = f"the driver ({seen[0].driver}) sees {len(seen)} x {seen[0].name}"
    if build is None:
        return Finding(f"{gpus}, but torch is a CPU build", "warning", _INSTALL)
    if visible is not None and visible.strip() in {"", "-1"}:
        mend = "unset CUDA_VISIBLE_DEVICES, or list the GPUs to use in it"
        return Finding(f"{gpus}, but CUDA_VISIBLE_DEVICES={visible!r} hides them", "warning", mend)
    return Finding(f"{gpus}, but torch for CUDA {build} cannot use it", "broken", _INSTALL)


def compute_mode(gpu: SeenGpu) -> Finding:
    """Return whether several trials can share a GPU."""
    if gpu.compute_mode in {"Default", "[N/A]"}:
        return Finding(f"{gpu.name} can be shared")
    return Finding(
        f"{gpu.name} is in compute mode {gpu.compute_mode}",
        "warning",
        "keep --trials-per-gpu at 1, or let processes share it: nvidia-smi --compute-mode=DEFAULT",
    )


def _computes(index: int) -> Finding:
    import torch

    name = torch.cuda.get_device_name(index)
    try:
        device = torch.device("cuda", index)
        free, total = torch.cuda.mem_get_info(device)
        images, weights = torch.ones(1, 1, 8, 8, device=device), torch.ones(1, 1, 3, 3, device=device)
        result = float(torch.nn.functional.conv2d(images, weights).sum())
    except RuntimeError as error:
        said = str(error).strip().splitlines()[0]
        mend = f"free the GPU if others fill it (nvidia-smi lists them), else {_INSTALL}"
        return Finding(f"GPU {index}, {name}, does not compute: {said}", "broken", mend)
    if abs(result - 324.0) > 1e-3:  # 36 outputs of 9 ones
        return Finding(f"GPU {index}, {name}, computes {result} for 324", "broken", "do not use this GPU")
    return Finding(f"GPU {index}: {name}, {free / GIB:.0f} of {total / GIB:.0f} GiB free, computes")
