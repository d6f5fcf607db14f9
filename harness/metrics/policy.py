"""The one policy for values that a formula leaves undefined, called ``worst``.

It was fixed before any test score was read. Where the formula gives a number, that number counts.
Where it gives none, the raw value is ``None``, and the reason chooses what counts instead:

=========================== ============= ========================================
reason                      imputed       meaning
=========================== ============= ========================================
both empty                  perfect       neither truth nor prediction has the class
truth empty                 worst         the prediction alone has it
prediction empty            worst         the truth alone has it
no prediction               worst         the trial left no prediction of the case
no lesion of this size      perfect       nothing was there to be found
=========================== ============= ========================================

Perfect is 1 where higher is better, else 0. Worst is 0 where higher is better, else what the unit says:

=========== ========================================================================
unit        worst
=========== ========================================================================
mm          the diagonal of the whole image
ml          the volume of the whole image
per case    the most components that the image can hold
%           100, the value of an empty prediction: the formula knows no largest value
(a share)   1
=========== ========================================================================

Every row of an unusual comparison carries its reason, also where the formula gives a value (DSC 0 of an
empty prediction, say), so that such cases can be counted and other policies applied afterwards. Nothing
is dropped.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np

Unit: TypeAlias = Literal["", "mm", "ml", "%", "per case"]
Direction: TypeAlias = Literal["higher", "lower"]
Reason: TypeAlias = Literal[
    "both empty", "truth empty", "prediction empty", "no prediction", "no lesion of this size"
]

NOTHING_TO_FIND: frozenset[Reason] = frozenset({"both empty", "no lesion of this size"})
"""Reasons that count as perfect."""


@dataclass(frozen=True)
class Extent:
    """The image in which a comparison takes place.

    Attributes:
        shape: Voxels along (Z, H, W).
        spacing: Millimetres per voxel along (Z, H, W).
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]

    @property
    def diagonal(self) -> float:
        """Millimetres from corner to corner."""
        return float(np.linalg.norm(np.multiply(self.shape, self.spacing)))

    @property
    def millilitres(self) -> float:
        """Volume of the image."""
        return prod(self.shape) * prod(self.spacing) / 1000

    @property
    def most_components(self) -> int:
        """The most 26-connected components that fit in: single voxels, one apart."""
        return prod((size + 1) // 2 for size in self.shape)


_WORST_WHERE_LOWER_IS_BETTER: Mapping[Unit, Callable[[Extent], float]] = MappingProxyType(
    {
        "": lambda extent: 1.0,
        "mm": lambda extent: extent.diagonal,
        "ml": lambda extent: extent.millilitres,
        "%": lambda extent: 100.0,
        "per case": lambda extent: float(extent.most_components),
    }
)


def perfect(direction: Direction) -> float:
    """Return the value of a prediction that equals the truth."""
    return 1.0 if direction == "higher" else 0.0


def worst(unit: Unit, direction: Direction, extent: Extent) -> float:
    """Return the value that stands for a failure in an image of this extent."""
    return 0.0 if direction == "higher" else _WORST_WHERE_LOWER_IS_BETTER[unit](extent)
