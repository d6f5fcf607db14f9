"""Same job, same bits: seeds, threads, torch's deterministic mode, and what else decides the bits."""

import os
import platform
import random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.training.hardware import processor
from harness.training.job import TrainingJob

_WEIGHTS_STREAM = 21


def make_repeatable(job: TrainingJob) -> None:
    """Set torch up so that a trial's numbers depend on its job only.

    Initial weights are drawn from a stream keyed by (seed, fold), the same for every loss. Order
    and augmentation have their own tables and draw nothing from a generator; the generators of Python
    and numpy are seeded for networks and losses of other people.
    """
    deterministic = job.protocol.deterministic
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(job.threads)
    torch.use_deterministic_algorithms(deterministic)
    # Deterministic mode fills every new tensor with NaN before an operation overwrites it: a tenth of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not deterministic
    set_gpu_products(job.protocol.precision)
    words = np.random.SeedSequence([_WEIGHTS_STREAM, job.seed, job.fold]).generate_state(2)
    torch.manual_seed(int(words[0]) << 32 | int(words[1]))
    random.seed(int(words[0]))
    np.random.seed(int(words[1]))  # noqa: NPY002


def set_gpu_products(precision: str) -> None:
    """Let a GPU multiply float32 as ``precision`` says.

    torch's own default is tf32 for convolutions: ten bits of mantissa where float32 was asked for.
    """
    products = "tf32" if precision == "tf32" else "ieee"
    torch.backends.cuda.matmul.fp32_precision = products
    torch.backends.cudnn.conv.fp32_precision = products  # type: ignore[attr-defined]


def random_states() -> dict[str, Any]:
    """Return the states of all generators, as tensors and plain numbers that a checkpoint can hold."""
    version, words, gauss = random.getstate()
    _, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "python": [version, list(words), gauss],
        "numpy": [torch.from_numpy(np.asarray(keys).astype(np.int64)), *rest],
    }


def restore_random_states(states: dict[str, Any]) -> None:
    """Put all generators back to where :func:`random_states` found them."""
    torch.set_rng_state(states["torch"])
    if states["cuda"]:
        torch.cuda.set_rng_state_all(states["cuda"])
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words), gauss))
    keys, *rest = states["numpy"]
    assert isinstance(keys, Tensor)
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002


def numerics_facts(job: TrainingJob) -> dict[str, str]:
    """Return what decides the bits besides the job: trials that agree in all of it are comparable exactly."""
    protocol = job.protocol
    device = {"device": device_name(job.device)}
    if job.device.startswith("cuda"):
        device |= {
            "cuda": str(torch.version.cuda),
            "cudnn": str(torch.backends.cudnn.version()),  # type: ignore[no-untyped-call]
        }
    else:
        device |= {"threads": str(job.threads)}
    return device | {
        "precision": protocol.precision,
        "layout": "channels_last",
        "compile": "compiled" if protocol.compile else "eager",
        "deterministic": "deterministic" if protocol.deterministic else "not deterministic",
        "torch": torch.__version__,
    }


def device_name(device: str) -> str:
    """Return the kind of a device, by which numbers and times compare.

    A GPU's name, or ``x86_64 AVX512 AMD EPYC``: processors of one instruction set have other kernels all the
    same (bfloat16 by AMX or AVX512), and other caches, by which sums are cut into blocks.
    """
    if device.startswith("cuda"):
        return torch.cuda.get_device_name() if torch.cuda.is_available() else device
    name = processor().replace(",", " ")  # commas part the facts of a numerics class
    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()} {name}"


def numerics_class(facts: dict[str, str]) -> str:
    """Return the facts as one line, for tables and for comparing: ``NVIDIA H200, CUDA 12.8, ...``."""
    threads = "{} thread" if facts.get("threads") == "1" else "{} threads"
    named = {"cuda": "CUDA {}", "cudnn": "cuDNN {}", "torch": "torch {}", "threads": threads}
    return ", ".join(named.get(key, "{}").format(value) for key, value in facts.items())
