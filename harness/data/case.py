"""What a case is: first as files on disk, then as decoded arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

IGNORE = 255
"""Class index of voxels that give no loss, gradient or score."""


@dataclass(frozen=True)
class CaseFiles:
    """Where the files of one case lie, as a layout found them.

    A layout names every file that a case should have, whether it is there or not.

    Attributes:
        case: Unique name inside the dataset.
        patient: Name of the patient, the unit of every split.
        channels: One file per image channel, in the order of the dataset's ``channels``
            (a single 4D NIfTI or an RGB picture may stand for several).
        label: The label map; the first of ``structures`` if there are any.
        mask: Region used for intensity normalisation, where the dataset has one.
        site: Centre or scanner, where the archive tells it.
        structures: One mask per class, in the order in which they are merged, where the dataset has
            such masks instead of a label map.
        problems: What the layout found wrong with the case beside missing files, each a clause that
            ends with the remedy.
    """

    case: str
    patient: str
    channels: tuple[Path, ...]
    label: Path
    mask: Path | None = None
    site: str | None = None
    structures: tuple[Path, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def by_kind(self) -> tuple[tuple[str, Path], ...]:
        """Every file of the case with what it is: image, label or mask; images first."""
        labels = self.structures or (self.label,)
        masks = (self.mask,) if self.mask else ()
        return (
            *(("image", path) for path in self.channels),
            *(("label", path) for path in labels),
            *(("mask", path) for path in masks),
        )

    @property
    def all_files(self) -> tuple[Path, ...]:
        """Every file of the case, channels first."""
        return tuple(path for _, path in self.by_kind)


@dataclass(frozen=True)
class ImageFiles:
    """Where the images of a case lie that has no labels.

    Attributes:
        case: Its name.
        channels: As in :class:`CaseFiles`.
        mask: Region used for intensity normalisation, where the channels need it.
    """

    case: str
    channels: tuple[Path, ...]
    mask: Path | None = None

    @property
    def by_kind(self) -> tuple[tuple[str, Path], ...]:
        """Every file of the case with what it is: image or mask; images first."""
        masks = (self.mask,) if self.mask else ()
        return (*(("image", path) for path in self.channels), *(("mask", path) for path in masks))


@dataclass(frozen=True)
class Case:
    """One decoded case as a stack of slices.

    For axial slices the array axes (Z, H, W) run to superior, anterior and right: the RAS axes z, y,
    x of a NIfTI file. A photograph is one slice with its rows and columns as stored.

    Attributes:
        image: ``(C, Z, H, W)`` float32, intensities as stored.
        labels: ``(Z, H, W)`` uint8 class indices, :data:`IGNORE` where the truth is unknown.
        mask: ``(Z, H, W)`` bool, or None where the dataset has no mask file.
        spacing: Millimetres per voxel along (Z, H, W); (1, 1, 1) pixels for photographs.
    """

    image: NDArray[np.float32]
    labels: NDArray[np.uint8]
    mask: NDArray[np.bool_] | None
    spacing: tuple[float, float, float]


def is_photograph(shape: Sequence[int], spacing: Sequence[float]) -> bool:
    """Whether a case of this shape and spacing is a photograph: one slice, and pixels of no known size."""
    return shape[0] == 1 and tuple(spacing) == (1.0, 1.0, 1.0)
