"""Arrays behind the overlays: image, truth and predictions of one slice, turned as radiologists look."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.data.case import IGNORE, is_photograph
from harness.data.normalise import fit, resample_images
from harness.data.prepared import PreparedCase, PreparedDataset
from harness.store.artifacts import file_state
from reports.results import StudyResults

_RED_GREEN_BLUE = (0.299, 0.587, 0.114)
"""Weights of the colours in the brightness of a photograph."""

_WIDTHS = 30
"""A view shows structures that are wider than one part in so many of its side."""


class View(NamedTuple):
    """A rectangle of pixels: rows and columns, ends excluded."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True)
class SlicePictures:
    """One slice of a case.

    Attributes:
        image: Channel 0, the brightness of photographs, scaled to 0..1.
        truth: Class indices.
        predictions: Class indices by loss label; losses without a prediction are absent.
        pixel: Millimetres of a row and of a column.
        whole: The view on the whole body.
        detail: The view on the foreground.
        photograph: Whether the case is a photograph, shown as stored, without millimetres.
    """

    image: NDArray[np.float64]
    truth: NDArray[np.uint8]
    predictions: dict[str, NDArray[np.uint8]]
    pixel: tuple[float, float]
    whole: View
    detail: View
    photograph: bool


def read_predictions(
    results: StudyResults, dataset: str, seed: int, case: str
) -> dict[str, NDArray[np.uint8]]:
    """Return the predicted volume of a case by loss label, for one seed.

    Files that are not those whose scores the database has, from a training of the same trial elsewhere, say,
    are left out: picture and scores would not belong together.
    """
    rows = results.artifacts
    rows = rows[(rows["dataset"] == dataset) & (rows["seed"] == seed) & (rows["kind"] == "predictions")]
    found: dict[str, NDArray[np.uint8]] = {}
    for label, path, sha256 in zip(rows["label"], rows["path"], rows["sha256"], strict=True):
        file = results.artifact_root / path
        if label not in found and file_state(file, sha256) == "intact":
            with np.load(file, allow_pickle=False) as masks:
                if case in masks.files:
                    found[str(label)] = masks[case]
    return found


def slice_pictures(
    prepared: PreparedDataset, case: PreparedCase, predictions: dict[str, NDArray[np.uint8]]
) -> SlicePictures:
    """Cut the slice with most foreground in truth (else in the predictions) and choose the views."""
    truth = np.array(prepared.truth(case))
    photograph = is_photograph(case.shape, case.spacing)
    area = _foreground(truth).sum((1, 2))
    if not area.any():
        area = np.sum([(mask > 0).sum((1, 2)) for mask in predictions.values()] or [area], axis=0)
    at = int(np.argmax(area))
    channels = _source_channels(prepared, case, at)
    image = turned(_luminance(channels) if photograph else channels[0], photograph)
    masks = {label: turned(mask[at], photograph) for label, mask in predictions.items()}
    truth_slice = turned(truth[at], photograph)
    whole = bounding_view(body(image) | _foreground(truth_slice), 0.03)
    pixel = (float(case.spacing[1]), float(case.spacing[2]))
    return SlicePictures(
        image=windowed(image),
        truth=truth_slice,
        predictions=masks,
        pixel=pixel,
        whole=whole,
        detail=_detail(_foreground(truth_slice), whole, pixel),
        photograph=photograph,
    )


def _foreground(labels: NDArray[Any]) -> NDArray[np.bool_]:
    foreground: NDArray[np.bool_] = (labels > 0) & (labels != IGNORE)
    return foreground


def _source_channels(prepared: PreparedDataset, case: PreparedCase, at: int) -> NDArray[np.float64]:
    """Return the channels ``(C, H, W)`` on the source grid; what the cache cropped away is as dark as air."""
    slices = np.array(prepared.images(case)[at], np.float32)
    air = np.percentile(slices, 2, axis=(1, 2), keepdims=True).astype(np.float32)
    source: NDArray[np.float64] = (
        resample_images(fit(slices - air, case.grid), case.shape[1:]) + air
    ).astype(float)
    return source


def _luminance(channels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the brightness of a photograph ``(H, W)``, colours weighted as eyes see them (ITU-R BT.601).

    The cache has normalised every colour for itself, so each is scaled to 0..1 first.
    """
    if len(channels) != len(_RED_GREEN_BLUE):
        first: NDArray[np.float64] = channels[0]
        return first
    scaled = np.stack([windowed(channel) for channel in channels])
    brightness: NDArray[np.float64] = np.tensordot(_RED_GREEN_BLUE, scaled, 1)
    return brightness


def turned(array: NDArray[Any], photograph: bool) -> NDArray[Any]:
    """Rows run to anterior and columns to right in the cache; show anterior up and right on the left."""
    return array if photograph else array[::-1, ::-1]


def windowed(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an image scaled to 0..1, cut at the 1st percentile and at the 99.5th of the body."""
    inside = image[body(image)]
    low = float(np.percentile(image, 1))
    high = float(np.percentile(inside, 99.5)) if inside.size else float(image.max())
    scaled: NDArray[np.float64] = np.clip((image - low) / max(high - low, 1e-9), 0, 1)
    return scaled


def body(image: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return what is brighter than air."""
    low, high = np.percentile(image, [2, 99])
    bright: NDArray[np.bool_] = image > low + 0.08 * (high - low)
    return bright


def bounding_view(mask: NDArray[np.bool_], margin: float) -> View:
    """Return the smallest view on a mask, widened by a share of the image; all of it if it is empty."""
    if not mask.any():
        return View(0, mask.shape[0], 0, mask.shape[1])
    ends = []
    for axis in (1, 0):
        places = np.flatnonzero(mask.any(axis))
        extra = round(margin * mask.shape[1 - axis])
        ends += [max(0, int(places[0]) - extra), min(mask.shape[1 - axis], int(places[-1]) + 1 + extra)]
    return View(*ends)


def _detail(foreground: NDArray[np.bool_], whole: View, pixel: tuple[float, float]) -> View:
    """Return a square around the foreground, at least 40 % of the body's longer side.

    Where structures are so thin that outlines would cover them, it is the smaller square with most of them.
    """
    box = bounding_view(foreground, 0.0) if foreground.any() else whole
    extents = ((box.bottom - box.top) * pixel[0], (box.right - box.left) * pixel[1])
    lengths = ((whole.bottom - whole.top) * pixel[0], (whole.right - whole.left) * pixel[1])
    side = min(max(1.35 * max(extents), 0.4 * max(lengths)), max(lengths))
    legible = max(_WIDTHS * _stroke(foreground, pixel), 0.25 * max(lengths))
    if foreground.any() and legible < side:
        box, side = _densest(foreground, legible, pixel), legible
    rows = _span(box.top, box.bottom, side / pixel[0], whole.top, whole.bottom)
    columns = _span(box.left, box.right, side / pixel[1], whole.left, whole.right)
    return View(*rows, *columns)


def _stroke(foreground: NDArray[np.bool_], pixel: tuple[float, float]) -> float:
    """Return how wide the foreground is, were it one long strip: twice its area over its outline (mm)."""
    padded = np.pad(foreground, 1)
    down, across = pixel
    outline = across * np.diff(padded, axis=0).sum() + down * np.diff(padded, axis=1).sum()
    return float(2 * down * across * foreground.sum() / max(float(outline), 1e-9))


def _densest(foreground: NDArray[np.bool_], side: float, pixel: tuple[float, float]) -> View:
    """Return the square of that side (mm) with most foreground, the first of equal ones."""
    rows, columns = (
        min(max(1, round(side / step)), size) for step, size in zip(pixel, foreground.shape, strict=True)
    )
    total = np.pad(foreground.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    inside = (
        total[rows:, columns:] - total[:-rows, columns:] - total[rows:, :-columns] + total[:-rows, :-columns]
    )
    top, left = np.unravel_index(int(inside.argmax()), inside.shape)
    return View(int(top), int(top) + rows, int(left), int(left) + columns)


def _span(low: int, high: int, length: float, first: int, last: int) -> tuple[int, int]:
    """Return a range of that length around (low, high), moved into (first, last)."""
    length = min(round(length), last - first)
    start = round((low + high - length) / 2)
    start = min(max(start, first), last - length)
    return start, start + length
