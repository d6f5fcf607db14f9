"""Where every random number of order and augmentation comes from: never from the loss."""

import hashlib
import json
import math
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from harness.errors import InputError


def split_digest(split: BaseModel) -> str:
    """Return the sha256 of a split's canonical JSON."""
    return hashlib.sha256(json.dumps(split.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class BatchTable:
    """Decides order and augmentation of a training, the same for all losses.

    Every stream of numbers starts anew in every epoch: a resumed trial goes on where it stopped without
    any stored state, and what one stream draws moves no other.

    Attributes:
        fingerprint: Of the dataset, hexadecimal.
        split: :func:`split_digest` of the split; empty where no split chose the slices.
        seed: Seed index.
        fold: Fold number.
    """

    fingerprint: str
    split: str = ""
    seed: int = 0
    fold: int = 0

    def generator(self, stream: str, epoch: int) -> np.random.Generator:
        """Return the generator of one stream, such as ``order`` or the name of an augmentation."""
        words = [int(self.fingerprint[:16], 16), int(self.split[:16] or "0", 16), self.seed, self.fold]
        return np.random.default_rng(np.random.SeedSequence([*words, zlib.crc32(stream.encode()), epoch]))

    def order(self, epoch: int, n_slices: int) -> NDArray[np.int64]:
        """Return a permutation of the training slices."""
        return self.generator("order", epoch).permutation(n_slices)

    def oversampled_order(
        self, epoch: int, foreground: NDArray[np.bool_], batch_size: int, share: float
    ) -> NDArray[np.int64]:
        """Return the order of an epoch in which every batch holds a share of slices with foreground.

        Batch by batch, as many slices of :meth:`order` without foreground as needed, the last ones
        first, give way to slices with foreground, which come in turn from permutations of their own.
        An order that is rich enough stays as it is.

        Args:
            epoch: Epoch number, from 0.
            foreground: Whether each training slice holds foreground, ``(n,)``.
            batch_size: Slices per batch; the last one may be smaller.
            share: In [0, 1); rounded up to whole slices.

        Raises:
            InputError: if a share is asked for and no slice holds foreground.
        """
        order = self.order(epoch, len(foreground))
        if share == 0:
            return order
        if not foreground.any():
            raise InputError(
                f"oversample_foreground is {share:g}, but none of the {len(order)} training slices holds "
                "foreground; set it to 0 or choose other training cases"
            )
        there = np.flatnonzero(foreground)
        generator = self.generator("oversampling", epoch)
        rounds = [generator.permutation(there) for _ in range(math.ceil(len(order) / len(there)))]
        substitutes = iter(np.concatenate(rounds))
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]  # a view
            # Less a rounding error by which the product may exceed a whole number.
            wanted = math.ceil(share * len(batch) - 1e-9)
            for place in np.flatnonzero(~foreground[batch])[len(batch) - wanted :]:
                batch[place] = next(substitutes)
        return order
