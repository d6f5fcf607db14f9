"""Changes of intensity; nothing that follows from the labels moves."""

from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from harness.data.augment.base import (
    AUGMENTATIONS,
    Appearance,
    Frame,
    ImageChange,
    Probability,
    index_of,
    rows_of,
)

_NOISE_PLACES = 2**20
"""From how many places of the noise of an epoch a slice may take its own."""


@AUGMENTATIONS.register("intensity")
class Intensity(Appearance):
    """Change contrast, gain and offset of every channel by itself and add Gaussian noise.

    For the normalised intensities x of one channel, with lo and hi the extremes of the slice::

        x' = gain * (lo + (hi - lo) ((x - lo) / (hi - lo))^exponent) + offset + sigma * normal

    Drawn for each slice and channel: gain uniform in 1 -+ ``gain``, offset in -+ ``offset``, sigma in
    0 .. ``noise``, exponent log-uniform between 1 / (1 + ``contrast``) and 1 + ``contrast``. Offset and
    noise are in the unit of normalised images. The normals of an epoch are drawn once, and each slice
    takes a stretch of them.
    """

    words: ClassVar[str] = "changes of intensity"

    name: Literal["intensity"] = "intensity"
    gain: Annotated[float, Field(ge=0, lt=1)] = 0.1
    offset: Annotated[float, Field(ge=0)] = 0.1
    contrast: Annotated[float, Field(ge=0)] = 0.3
    noise: Annotated[float, Field(ge=0)] = 0.1
    probability: Probability = 0.5

    def draw(self, generator: np.random.Generator, frame: Frame, device: torch.device) -> ImageChange:
        """Draw the tables of an epoch and return the function that applies them."""
        chosen = self.chosen(generator, frame)
        gain, offset, exponent, sigma = (
            rows_of(table, device)[..., None, None] for table in self._channels(generator, frame)
        )
        volume = frame.channels * frame.height * frame.width
        starts = torch.from_numpy(generator.integers(_NOISE_PLACES, size=frame.slices)).to(device)
        length = _NOISE_PLACES + volume if self.noise else volume
        normals = rows_of(generator.standard_normal(length, dtype=np.float32), device).unfold(0, volume, 1)

        def change(images: Tensor, positions: slice) -> Tensor:
            places_in_batch = np.flatnonzero(chosen[positions])
            if not len(places_in_batch):
                return images
            where = index_of(places_in_batch, device)
            at = where + positions.start
            some = images[where]
            if self.contrast:
                some = _contrast(some, exponent[at])
            some = torch.addcmul(offset[at], some, gain[at])
            if self.noise:
                some.addcmul_(normals[starts[at]].view_as(some), sigma[at])
            return images.index_copy(0, where, some)

        return change

    def _channels(self, generator: np.random.Generator, frame: Frame) -> list[NDArray[np.float64]]:
        """Draw gain, offset, exponent and sigma, each ``(n, C)``."""
        drawn = generator.random((4, frame.slices, frame.channels))
        both_ways = 2 * drawn - 1
        return [
            1 + self.gain * both_ways[0],
            self.offset * both_ways[1],
            (1 + self.contrast) ** both_ways[2],
            self.noise * drawn[3],
        ]


def _contrast(images: Tensor, exponent: Tensor) -> Tensor:
    """Bend intensities ``(B, C, H, W)`` between the extremes of each slice and channel."""
    lowest = images.amin((-2, -1), keepdim=True)
    span = images.amax((-2, -1), keepdim=True) - lowest
    # A flat channel divides zero by one, and stays.
    share = (images - lowest).div_(span.where(span > 0, 1)).pow_(exponent)
    return torch.addcmul(lowest, share, span)
