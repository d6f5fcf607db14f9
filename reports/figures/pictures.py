"""Arrays behind the overlays: image, truth and predictions of one slice, turned as radiologists look."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.data.case import IGNORE
from harness.data.normalise import fit
from harness.data.prepared import PreparedCase, PreparedDataset, open_prepared
from reports.results import StudyResults


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
        image: Channel 0, scaled to 0..1.
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


def find_prepared(folder: Path, fingerprint: str) -> PreparedDataset | None:
    """Return the cache of a dataset, or None if it is not here."""
    for index in sorted(folder.glob("*/index.json")):
        if json.loads(index.read_text()).get("fingerprint") == fingerprint:
            return open_prepared(index.parent)
    return None


def read_predictions(
    results: StudyResults, dataset: str, seed: int, case: str
) -> dict[str, NDArray[np.uint8]]:
    """Return the predicted volume of a case by loss label, for one seed."""
    rows = results.artifacts
    rows = rows[(rows["dataset"] == dataset) & (rows["seed"] == seed) & (rows["kind"] == "predictions")]
    found: dict[str, NDArray[np.uint8]] = {}
    for label, path in zip(rows["label"], rows["path"], strict=True):
        file = results.artifact_root / path
        if label not in found and file.is_file():
            with np.load(file, allow_pickle=False) as masks:
                if case in masks.files:
                    found[str(label)] = masks[case]
    return found


def slice_pictures(
    prepared: PreparedDataset, case: PreparedCase, predictions: dict[str, NDArray[np.uint8]]
) -> SlicePictures:
    """Cut the slice with most foreground in truth (else in the predictions) and choose the views."""
    truth = np.array(prepared.truth(case))
    photograph = case.shape[0] == 1 and tuple(case.spacing) == (1.0, 1.0, 1.0)
    area = _foreground(truth).sum((1, 2))
    if not area.any():
        area = np.sum([(mask > 0).sum((1, 2)) for mask in predictions.values()] or [area], axis=0)
    at = int(np.argmax(area))
    image = turned(_source_image(prepared, case, at), photograph)
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


def _source_image(prepared: PreparedDataset, case: PreparedCase, at: int) -> NDArray[np.float64]:
    """Channel 0 on the source grid; what the cache cropped away is shown as dark as air."""
    image = np.array(prepared.images(case)[at, 0], float)
    air = np.percentile(image, 2)
    source: NDArray[np.float64] = fit(image - air, case.shape[1:]).astype(float) + air
    return source


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
    """Return a square around the foreground, at least 40 % of the body's longer side."""
    box = bounding_view(foreground, 0.0) if foreground.any() else whole
    extents = ((box.bottom - box.top) * pixel[0], (box.right - box.left) * pixel[1])
    lengths = ((whole.bottom - whole.top) * pixel[0], (whole.right - whole.left) * pixel[1])
    side = max(1.35 * max(extents), 0.4 * max(lengths))
    rows = _span(box.top, box.bottom, side / pixel[0], whole.top, whole.bottom)
    columns = _span(box.left, box.right, side / pixel[1], whole.left, whole.right)
    return View(*rows, *columns)


def _span(low: int, high: int, length: float, first: int, last: int) -> tuple[int, int]:
    """Return a range of that length around (low, high), moved into (first, last)."""
    length = min(round(length), last - first)
    start = round((low + high - length) / 2)
    start = min(max(start, first), last - length)
    return start, start + length
