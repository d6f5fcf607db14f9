"""Random changes of training slices, batched and on the device.

Four kinds: isometries of the pixel grid move distance maps and all else that follows from the labels
along, exactly; warps (linear ones and displacements) are composed into one sampling grid, after which
those arrays are computed anew from the warped labels, on the CPU, for the warped slices only; changes of
appearance touch the images alone. All numbers come from tables (:mod:`harness.data.tables`) that no loss
moves. To add one, subclass a kind in :mod:`harness.data.augment.base` and register it.
"""

from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias, Union

from pydantic import AfterValidator, BeforeValidator, Discriminator, TypeAdapter

from harness.data.augment.base import (
    AUGMENTATIONS,
    Appearance,
    Augmentation,
    Displacement,
    Frame,
    Isometry,
    LinearWarp,
    Warp,
    rows_of,
)
from harness.data.augment.epoch import EpochDraws, merge
from harness.data.augment.intensity import Intensity
from harness.data.augment.isometries import FlipHorizontal, FlipVertical, Rotate90, Shift
from harness.data.augment.warps import Elastic, Rotation, Scale
from harness.errors import InputError

VOLUME_ARRAYS = frozenset({"distance_maps_3d", "voxel_distance_maps_3d"})
"""Derived arrays that one slice by itself does not determine."""


def _resolved(entry: Any) -> Any:
    """Return a bare name as a mapping; refuse a name that nothing is registered under."""
    name = entry.get("name") if isinstance(entry, dict) else entry
    if isinstance(name, str):
        try:
            AUGMENTATIONS[name]
        except InputError as error:
            raise ValueError(str(error)) from None
    return {"name": entry} if isinstance(entry, str) else entry


def _distinct(augment: tuple[Any, ...]) -> tuple[Any, ...]:
    """Refuse an augmentation that stands twice, and sort: the order in a study file means nothing."""
    names = [each.name for each in augment]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"augmentation {twice[0]!r} stands twice; keep one of them")
    return tuple(sorted(augment, key=lambda each: str(each.name)))


AugmentationEntry: TypeAlias = Annotated[  # type: ignore[valid-type]
    Annotated[Union[tuple(AUGMENTATIONS.values())], Discriminator("name")],  # noqa: UP007
    BeforeValidator(_resolved),
]
"""One augmentation in a study file: its name, or a mapping of its name and parameters."""

Augmentations: TypeAlias = Annotated[tuple[AugmentationEntry, ...], AfterValidator(_distinct)]
"""All augmentations of a study, each with all its parameters, sorted by name."""


def parse_augmentations(entries: Sequence[str | dict[str, Any] | Augmentation]) -> tuple[Augmentation, ...]:
    """Return augmentations from names or mappings, as a study file has them.

    Raises:
        ValidationError: as pydantic reports it.
    """
    parsed: tuple[Augmentation, ...] = TypeAdapter(Augmentations).validate_python(tuple(entries))
    return parsed


def margin_of(augment: Sequence[Augmentation]) -> int:
    """Return how far, in pixels, slices may leave their frame."""
    return sum(each.margin for each in augment if isinstance(each, Isometry))


def check_augmentations(
    augment: Sequence[Augmentation], needs: frozenset[str], size: tuple[int, int]
) -> None:
    """Refuse augmentations that cannot be had.

    Args:
        augment: All augmentations of a training.
        needs: What its loss needs.
        size: (height, width) of a slice.

    Raises:
        InputError: if a loss needs an array of whole volumes and slices are warped, or if slices are to
            be turned and are not square.
    """
    volumes = sorted(needs & VOLUME_ARRAYS)
    warps = [each.name for each in augment if isinstance(each, Warp)]
    if volumes and warps:
        raise InputError(
            f"the loss needs {volumes[0]}, which cannot be computed from one warped slice, and 'augment' "
            f"asks for {', '.join(warps)}; give the loss 'dimensions: 2' or keep to flips, rotate90 and shift"
        )
    turned = [each.name for each in augment if isinstance(each, Isometry) and each.square_only]
    if turned and size[0] != size[1]:
        raise InputError(
            f"augmentation {turned[0]!r} needs square slices, but these are {size[0]} x {size[1]} pixels; "
            "set the dataset's 'size' to a square or leave it out"
        )


__all__ = [
    "AUGMENTATIONS",
    "VOLUME_ARRAYS",
    "Appearance",
    "Augmentation",
    "AugmentationEntry",
    "Augmentations",
    "Displacement",
    "Elastic",
    "EpochDraws",
    "FlipHorizontal",
    "FlipVertical",
    "Frame",
    "Intensity",
    "Isometry",
    "LinearWarp",
    "Rotate90",
    "Rotation",
    "Scale",
    "Shift",
    "Warp",
    "check_augmentations",
    "margin_of",
    "merge",
    "parse_augmentations",
    "rows_of",
]
