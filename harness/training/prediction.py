"""Segment slices with the weights that a trial kept."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.errors import InputError
from harness.models import build_model
from harness.training.determinism import set_gpu_products
from harness.training.memory import is_out_of_memory
from harness.training.model_file import StoredModel
from harness.training.scoring import SLICES_AT_ONCE


class Segmenter:
    """A trained network in the precision of its training.

    Args:
        stored: The network.
        device: Where to run it; a CPU takes ``tf32`` as float32.

    Raises:
        InputError: if the network cannot be built, or the weights are those of another one.
    """

    def __init__(self, stored: StoredModel, device: torch.device) -> None:
        self._device = device
        self._autocast = autocast_of(stored)
        self._model = build_network(stored, device)

    @torch.inference_mode()
    def classes(self, slices: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return the most probable class ``(Z, h, w)`` of every pixel of slices ``(Z, C, h, w)``.

        Raises:
            InputError: if memory is refused.
        """
        try:
            parts = [
                self._most_probable(torch.from_numpy(slices[start : start + SLICES_AT_ONCE]))
                for start in range(0, len(slices), SLICES_AT_ONCE)
            ]
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            gpu = self._device.type == "cuda"
            height, width = slices.shape[-2:]
            raise InputError(
                f"out of memory on {'the GPU' if gpu else 'this machine'} with {SLICES_AT_ONCE} slices of "
                f"{height} x {width} pixels; end other programs that use it"
                + (", or give --device cpu" if gpu else "")
            ) from error
        return torch.cat(parts).numpy()

    def _most_probable(self, images: Tensor) -> Tensor:
        batch = images.to(self._device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, self._autocast, enabled=self._autocast is not None):
            logits = self._model(batch)
        classes: Tensor = logits.argmax(1).byte().cpu()
        return classes


def build_network(stored: StoredModel, device: torch.device) -> nn.Module:
    """Return a stored network on a device, for evaluation, with GPU products as in its training.

    Raises:
        InputError: if the network cannot be built, or the weights are those of another one.
    """
    set_gpu_products(stored.precision)
    try:
        model = build_model(stored.model, stored.in_channels, stored.n_classes, **stored.options)
        model.load_state_dict(stored.weights)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError(
            f"network {stored.model!r} of trial {stored.key[:12]!r} cannot be built from its file "
            f"({str(error).splitlines()[0]}); use the version of its code that trained it"
        ) from None
    placed: nn.Module = model.eval().to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return placed


def autocast_of(stored: StoredModel) -> torch.dtype | None:
    """Return the precision of a stored network's forward pass, None for float32."""
    return torch.bfloat16 if stored.precision == "bfloat16" else None


def choose_device(wanted: str) -> torch.device:
    """Return the device that ``auto``, ``cpu`` or ``cuda`` means on this machine.

    Raises:
        InputError: if it is another word, or there is no GPU.
    """
    if wanted not in {"auto", "cpu", "cuda"}:
        raise InputError(f"unknown device {wanted!r}; use auto, cpu or cuda")
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise InputError("device 'cuda' was asked for, but torch finds no GPU; use --device cpu")
    return torch.device("cuda" if available and wanted != "cpu" else "cpu")
