"""From a decoded case to the slice of it that a contact sheet shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.data.case import IGNORE, Case, is_photograph
from harness.errors import InputError, nearest
from reports.figures.pictures import View, body, bounding_view, turned, windowed

ALL_CHANNELS = "all"
COLOURS = ("red", "green", "blue")
_MARGIN = 0.03
_CT_AIR, _FAT, _BONE, _NARROWEST_HU = -500, -150, 250, 25
"""Hounsfield units: nothing but air is below the first; soft tissue lies between the next two."""


@dataclass(frozen=True)
class ContactSheetCase:
    """A case for the sheet.

    Attributes:
        name: Its name.
        patient: Its patient's name.
        site: Centre or scanner, if known.
        case: Its arrays; None if they cannot be read.
        note: What is wrong with it, printed in red.
        slice_number: The slice to show, counted from 1; the one with most foreground if None.
    """

    name: str
    patient: str
    site: str | None = None
    case: Case | None = None
    note: str = ""
    slice_number: int | None = None


@dataclass(frozen=True)
class Picture:
    """One slice of a case, turned as radiologists look at it.

    Attributes:
        panels: Images to show side by side: ``(H, W)`` in 0..1, or ``(H, W, 3)`` in colour.
        labels: ``(H, W)`` class indices.
        pixel: Height and width of a pixel in mm; 1 for photographs.
        view: The part that is shown.
        slice_number: Counted from 1.
        shape: Voxels along (slices, rows, columns) of the volume.
        spacing: Millimetres along them.
        fractions: Share of each foreground class in the volume, in class order.
        is_picture: Whether it is a photograph, shown as stored and measured in pixels.
    """

    panels: tuple[NDArray[np.float64], ...]
    labels: NDArray[np.uint8]
    pixel: tuple[float, float]
    view: View
    slice_number: int
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    fractions: tuple[float, ...]
    is_picture: bool

    @property
    def ignored(self) -> NDArray[np.bool_]:
        """Where the truth is unknown."""
        ignored: NDArray[np.bool_] = self.labels == IGNORE
        return ignored


@dataclass(frozen=True)
class Tile:
    """What the sheet shows of a case; ``picture`` is None if it could not be read."""

    name: str
    patient: str
    site: str | None
    note: str
    picture: Picture | None


def panel_names(channels: Sequence[str], channel: str | None) -> tuple[str, ...]:
    """Return the names of the panels of a tile.

    Args:
        channels: Those of the dataset.
        channel: One of them; ``all`` for one panel each; None for the first, or for one colour picture
            where the channels are red, green and blue.

    Raises:
        InputError: if there is no such channel.
    """
    if channel == ALL_CHANNELS:
        return tuple(channels)
    if channel is None:
        return ("colour",) if _in_colour(channels) else (channels[0],)
    if channel not in channels:
        hint = nearest(channel, channels) or f"; known: {', '.join(channels)}, or {ALL_CHANNELS}"
        raise InputError(f"the dataset has no channel {channel!r}{hint}")
    return (channel,)


def make_tile(
    shown: ContactSheetCase, channels: Sequence[str], panels: Sequence[str], classes: Mapping[int, str]
) -> Tile:
    """Reduce a case to what its tile shows.

    Args:
        shown: The case.
        channels: Those of the dataset.
        panels: From :func:`panel_names`.
        classes: Foreground classes.

    Raises:
        InputError: if the case has no slice of the given number.
    """
    picture = None
    if shown.case is not None:
        at = _slice_of(shown.name, shown.case, shown.slice_number)
        picture = _picture(shown.case, at, channels, panels, classes)
    return Tile(shown.name, shown.patient, shown.site, shown.note, picture)


def _slice_of(name: str, case: Case, wanted: int | None) -> int:
    if wanted is not None:
        if not 1 <= wanted <= len(case.labels):
            raise InputError(f"case {name!r} has no slice {wanted}; its slices are 1..{len(case.labels)}")
        return wanted - 1
    areas = _foreground(case.labels).sum((1, 2))
    return int(np.argmax(areas)) if areas.any() else len(areas) // 2


def _foreground(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    foreground: NDArray[np.bool_] = (labels > 0) & (labels != IGNORE)
    return foreground


def _picture(
    case: Case, at: int, channels: Sequence[str], panels: Sequence[str], classes: Mapping[int, str]
) -> Picture:
    flat = is_photograph(case.labels.shape, case.spacing)
    labels = turned(case.labels[at], flat)
    slices = [turned(channel, flat).astype(float) for channel in case.image[:, at]]
    if panels == ("colour",):
        images = [_colour(np.stack(slices, axis=-1))]
    else:
        region = None if case.mask is None else turned(case.mask[at], flat)
        images = [_windowed(name, slices[channels.index(name)], region) for name in panels]
    # A photograph is shown whole: its dark rim belongs to it.
    inside = np.ones(labels.shape, bool) if flat else body(slices[0]) | (labels > 0)
    counts = np.bincount(case.labels.ravel(), minlength=len(classes) + 1)
    depth, rows, columns = case.labels.shape
    return Picture(
        panels=tuple(images),
        labels=labels,
        pixel=(case.spacing[1], case.spacing[2]),
        view=bounding_view(inside, 0.0 if flat else _MARGIN),
        slice_number=at + 1,
        shape=(depth, rows, columns),
        spacing=case.spacing,
        fractions=tuple(float(counts[index] / case.labels.size) for index in sorted(classes)),
        is_picture=flat,
    )


def _windowed(
    channel: str, image: NDArray[np.float64], region: NDArray[np.bool_] | None
) -> NDArray[np.float64]:
    """Scale an image to 0..1, to what matters: soft tissue on CT, the brain where a mask tells it."""
    if channel.upper() == "CT" or float(image.min()) <= _CT_AIR:
        low, high = _soft_tissue_window(image)
    elif region is not None and region.any():
        low, high = np.percentile(image[region], [0.5, 99.7])
        low = min(low, np.percentile(image, 1))
    else:
        return windowed(image)
    scaled: NDArray[np.float64] = np.clip((image - low) / max(high - low, 1e-9), 0, 1)
    return scaled


def _soft_tissue_window(image: NDArray[np.float64]) -> tuple[float, float]:
    """Return a window around soft tissue, narrow for a brain and wide for an abdomen, in HU."""
    padding = image[0, 0]
    tissue = image[(image > _FAT) & (image < _BONE) & (image != padding)]
    if not tissue.size:
        return float(image.min()), float(image.max())
    middle = float(np.median(tissue))
    half = max(6 * float(np.median(np.abs(tissue - middle))), _NARROWEST_HU)
    return middle - half, middle + half


def _in_colour(channels: Sequence[str]) -> bool:
    return tuple(name.lower() for name in channels) == COLOURS


def _colour(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale a picture to 0..1 by what its numbers can hold, so that colours stay as they were taken."""
    highest = float(image.max())
    full = next((limit for limit in (1.0, 255.0, 65535.0) if highest <= limit), highest)
    scaled: NDArray[np.float64] = np.clip(image / full, 0, 1)
    return scaled
