"""Same job, same bits: seeds, threads and torch's deterministic mode."""

import os
import platform

import numpy as np
import torch

_WEIGHTS_STREAM = 21


def make_repeatable(seed: int, fold: int, threads: int, deterministic: bool) -> None:
    """Set torch up so that a trial's numbers depend on its job only.

    Initial weights are drawn from a stream keyed by (seed, fold), the same for every loss. Order
    and augmentation have their own tables and draw nothing from torch's generator.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.benchmark = not deterministic
    entropy = np.random.SeedSequence([_WEIGHTS_STREAM, seed, fold]).generate_state(2)
    torch.manual_seed(int(entropy[0]) << 32 | int(entropy[1]))


def numerics_class(device: str, threads: int, precision: str, deterministic: bool) -> dict[str, str]:
    """Return what decides the bits besides the job: comparisons inside one class are exact."""
    cuda = device.startswith("cuda")
    return {
        "device": torch.cuda.get_device_name() if cuda else platform.machine(),
        "threads": "-" if cuda else str(threads),
        "precision": precision,
        "layout": "channels_last",
        "deterministic": str(deterministic).lower(),
        "torch": torch.__version__,
    }
