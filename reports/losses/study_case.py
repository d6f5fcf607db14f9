"""One slice of a study with an imperfect prediction, and the study's own losses on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from harness.data.case import IGNORE
from harness.data.prepared import PreparedCase, PreparedDataset, find_prepared
from harness.errors import InputError
from harness.losses.expression import LossSpec, parse_loss
from harness.store.schema import EXTERNAL
from reports.figures.pictures import SlicePictures, read_predictions, slice_pictures
from reports.figures.selection import choose_cases, reference_loss
from reports.losses.gradients import AnatomyCase, GradientMap, gradient_of
from reports.results import ListedLoss, StudyResults

_SOFT = 1.5
"""Pixels: standard deviation of the Gaussian that softens a mask."""
_SHIFT = 2
"""Pixels that the truth is moved down and to the right where no prediction is kept."""
_FLOOR = 0.01
"""Probability that a softened mask leaves to the other classes together."""
_LONGEST = 320
"""Pixels: larger slices are cut."""
_SEED = 0


@dataclass(frozen=True)
class StudyCase:
    """The slice and how it was chosen.

    Attributes:
        case: What is drawn.
        dataset: Its name in the study.
        chosen: The rule, as the end of a sentence that begins with "the case".
    """

    case: AnatomyCase
    dataset: str
    chosen: str


def study_case(results: StudyResults) -> StudyCase | None:
    """Return a slice of the first dataset whose prepared cache is here; None without any.

    The case is the one at the median of the reference loss's DSC with seed index 0, the slice the one with
    most foreground. The logits are those of the kept prediction of that loss, softened; without one those of
    the truth, moved and softened.
    """
    for dataset in results.datasets:
        fingerprints = results.cases.loc[results.cases["dataset"] == dataset, "fingerprint"]
        prepared = find_prepared(results.prepared, str(fingerprints.iloc[0])) if len(fingerprints) else None
        chosen = [one for one in choose_cases(results, dataset, _SEED) if one.why.startswith("50th")]
        if prepared is None or not chosen:
            continue
        found = next((case for case in prepared.cases if case.case == chosen[0].case), None)
        if found is None:
            continue
        reference = reference_loss(results).label
        kept = read_predictions(results, dataset, _SEED, found.case) if results.part == "test" else {}
        own = {reference: kept[reference]} if reference in kept else {}
        pictures = slice_pictures(prepared, found, own)
        told = f"nearest to the median DSC under {reference}, seed index {_SEED}"
        counts = _training_counts(results, dataset, prepared)
        return StudyCase(_anatomy(prepared, found, pictures, reference, counts), dataset, told)
    return None


def study_maps(results: StudyResults, case: AnatomyCase) -> tuple[dict[str, GradientMap], list[ListedLoss]]:
    """Return the gradient of each of the study's losses on a slice, by label, and the losses left out.

    Options are those of the trials; weights that move are those of the last epoch. Left out are networks
    trained elsewhere and losses that cannot be built here.
    """
    epochs = max(1, int(results.document.resolved.get("protocol", {}).get("epochs", 1)))
    ignore = None if case.known.all() else IGNORE
    found: dict[str, GradientMap] = {}
    lacking: list[ListedLoss] = []
    for loss in results.losses:
        spec = _specification(results, loss)
        if spec is None:
            lacking.append(loss)
        else:
            found[loss.label] = gradient_of(spec.build(ignore), case, epochs - 1, epochs)
    return found, lacking


def _specification(results: StudyResults, loss: ListedLoss) -> LossSpec | None:
    """Return the loss as the trials have it, else as its expression says; None if it cannot be built here."""
    if loss.family == EXTERNAL:
        return None
    trials = results.trials.loc[results.trials["label"] == loss.label, "canonical"]
    told = trials.iloc[0].get("loss") if len(trials) else None
    try:
        if isinstance(told, Mapping) and "terms" in told:
            return LossSpec.model_validate(dict(told))
        return parse_loss(loss.expression)
    except (InputError, ValueError):
        return None


def _training_counts(results: StudyResults, dataset: str, prepared: PreparedDataset) -> NDArray[np.int64]:
    """Return pixels per class of the cases that are not shown; of all if there are no others."""
    shown = set(results.scores.loc[results.scores["dataset"] == dataset, "case"].astype(str))
    others = [case for case in prepared.cases if case.case not in shown] or list(prepared.cases)
    return np.asarray(np.sum([case.voxels for case in others], axis=0), np.int64)


def _anatomy(
    prepared: PreparedDataset,
    case: PreparedCase,
    pictures: SlicePictures,
    reference: str,
    counts: NDArray[np.int64],
) -> AnatomyCase:
    classes = len(prepared.classes)
    window = _window(pictures)
    truth = pictures.truth[window]
    known = truth[(truth > 0) & (truth != IGNORE)]
    index = int(np.bincount(known).argmax()) if known.size else 1
    if reference in pictures.predictions:
        mask = pictures.predictions[reference][window]
        origin = (
            f"the kept mask of {reference}, softened by a Gaussian of {_SOFT:g} pixels (no logits are kept)"
        )
    else:
        mask = ndimage.shift(np.where(truth == IGNORE, 0, truth), _SHIFT, order=0)
        origin = (
            f"no prediction is kept, so the truth itself, moved by {_SHIFT} pixels down and to the right and "
            f"softened by a Gaussian of {_SOFT:g} pixels"
        )
    slices = f", slice with most foreground of {case.shape[0]}" if case.shape[0] > 1 else ""
    return AnatomyCase(
        image=pictures.image[window],
        labels=np.ascontiguousarray(truth),
        logits=_logits(mask, classes),
        spacing=pictures.pixel,
        class_counts=counts,
        class_index=index,
        class_name=prepared.classes[index],
        unit="px" if pictures.photograph else "mm",
        title=prepared.title,
        case=f"case {case.case}{slices}",
        prediction=origin,
    )


def _logits(mask: NDArray[Any], classes: int) -> NDArray[np.float64]:
    """Return the logarithm of softened class probabilities, ``(classes, H, W)``."""
    soft = np.array(
        [ndimage.gaussian_filter((mask == index).astype(float), _SOFT) for index in range(classes)]
    )
    return np.log((1 - _FLOOR) * soft + _FLOOR / classes)


def _window(pictures: SlicePictures) -> tuple[slice, slice]:
    """Return the body's part of the slice, of at most so many rows and columns around the foreground."""
    view, detail = pictures.whole, pictures.detail
    rows = _cut(view.top, view.bottom, (detail.top + detail.bottom) // 2)
    columns = _cut(view.left, view.right, (detail.left + detail.right) // 2)
    return rows, columns


def _cut(first: int, last: int, middle: int) -> slice:
    if last - first <= _LONGEST:
        return slice(first, last)
    start = min(max(middle - _LONGEST // 2, first), last - _LONGEST)
    return slice(start, start + _LONGEST)
