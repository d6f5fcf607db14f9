"""Score a finished trial anew from what it has kept: the masks of its test cases, and its network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile
from zlib import error as ZlibError

import numpy as np
import torch
from numpy.typing import NDArray

from harness.data.prepared import PreparedCase, PreparedDataset
from harness.errors import InputError
from harness.metrics import Score, evaluate_case, find_metric
from harness.training import model_file
from harness.training.memory import is_out_of_memory
from harness.training.prediction import autocast_of, build_network
from harness.training.scoring import CaseEvaluator

Masks = Mapping[str, NDArray[np.uint8]]
"""Predicted classes ``(Z, H, W)`` by name of the case."""

_PREPARE_AGAIN = (
    "remove that folder and run the study again: it is prepared anew, done trials are not trained"
)


@dataclass(frozen=True)
class ScoredAnew:
    """Scores of some cases.

    Attributes:
        scores: Name of the case beside each.
        drift: Largest difference of a case's DSC from the known one.
        mean_drift: Difference of the mean DSC from the known one.
    """

    scores: tuple[tuple[str, Score], ...]
    drift: float
    mean_drift: float


def read_masks(path: Path, cases: Sequence[str]) -> Masks:
    """Read the masks that a trial kept of some cases.

    Args:
        path: The file that :meth:`harness.training.scoring.CaseEvaluator.scores` wrote.
        cases: Names of the cases.

    Raises:
        InputError: if the file cannot be read, or lacks a case.
    """
    try:
        with np.load(path, allow_pickle=False) as kept:
            missing = sorted(set(cases) - set(kept.files))
            masks = {case: kept[case] for case in cases if case not in missing}
    except (OSError, ValueError, EOFError, KeyError, BadZipFile, ZlibError):
        raise InputError(f"{path.name!r} cannot be read: it is cut short, or holds no masks") from None
    if missing:
        raise InputError(f"{path.name!r} has no mask of case {missing[0]!r}")
    return masks


def predict_again(path: Path, prepared: PreparedDataset, cases: Sequence[str], device: torch.device) -> Masks:
    """Predict some cases with the network that a trial kept, as its training did.

    Args:
        path: The network's file.
        prepared: The dataset.
        cases: Names of the cases; with those of the training, bits are the same on the same machine.
        device: Where to predict.

    Raises:
        InputError: if the file is none, the network cannot be built, or memory is refused.
    """
    stored = model_file.load(path)
    network = build_network(stored, device)
    try:
        evaluator = CaseEvaluator(prepared, _cases(prepared, cases), device, autocast_of(stored))
    except (OSError, ValueError, EOFError):
        raise _damaged(prepared) from None
    try:
        return {case.case: mask for case, mask in evaluator.predict(network)}
    except Exception as error:  # a network may be somebody else's code: anything may come
        if is_out_of_memory(error):
            raise InputError("out of memory; give fewer --workers, or --device cpu") from error
        raise InputError(
            f"network {stored.model!r} fails on the cases: {type(error).__name__}: {error}"
        ) from error


def score_masks(
    prepared: PreparedDataset,
    masks: Masks,
    metrics: Sequence[str],
    known: Mapping[tuple[str, int], float],
) -> ScoredAnew:
    """Score masks against the truth in the cache.

    Args:
        prepared: The dataset.
        masks: Of the cases to score.
        metrics: Names of registered metrics, or import paths.
        known: DSC that was stored of them by case and class, for comparison; may be empty.

    Raises:
        InputError: if a mask does not fit its case, the cache is damaged, or a metric fails.
    """
    found: list[tuple[str, Score]] = []
    differences: list[float] = []
    names = {find_metric(metric).name for metric in metrics}
    asked = tuple(dict.fromkeys([*metrics, *(["dsc"] if known and "dsc" not in names else [])]))
    for case in _cases(prepared, tuple(masks)):
        truth = _truth(prepared, case)
        _require_fit(case, masks[case.case], prepared.n_classes)
        for score in _scores(masks[case.case], truth, case, prepared.n_classes, asked):
            place = case.case, score.class_index
            if score.metric == "dsc" and place in known:
                differences.append(score.imputed - known[place])
            if score.metric in names:
                found.append((case.case, score))
    drift = max(map(abs, differences), default=0.0)
    return ScoredAnew(tuple(found), drift, abs(sum(differences)) / max(1, len(differences)))


def _cases(prepared: PreparedDataset, names: Sequence[str]) -> tuple[PreparedCase, ...]:
    cases = prepared.cases_named(names)
    if len(cases) < len(names):
        raise _damaged(prepared)
    return cases


def _truth(prepared: PreparedDataset, case: PreparedCase) -> NDArray[np.uint8]:
    try:
        truth = np.array(prepared.truth(case))
    except (OSError, ValueError, EOFError):
        raise _damaged(prepared) from None
    voxels = np.bincount(truth.ravel(), minlength=prepared.n_classes)[: prepared.n_classes]
    if truth.shape != case.shape or tuple(voxels.tolist()) != case.voxels:
        raise _damaged(prepared)
    return truth


def _damaged(prepared: PreparedDataset) -> InputError:
    return InputError(
        f"the cache {prepared.folder.name!r} of dataset {prepared.name!r} is damaged; {_PREPARE_AGAIN}"
    )


def _require_fit(case: PreparedCase, mask: NDArray[np.uint8], n_classes: int) -> None:
    where = f"the mask of case {case.case!r}"
    if mask.shape != case.shape:
        raise InputError(f"{where} has the shape {mask.shape}, the case {case.shape}")
    if mask.dtype.kind not in "iu" or (mask.size and int(mask.max()) >= n_classes):
        raise InputError(f"{where} holds other values than the classes 0 to {n_classes - 1}")


def _scores(
    mask: NDArray[np.uint8],
    truth: NDArray[np.uint8],
    case: PreparedCase,
    n_classes: int,
    metrics: Sequence[str],
) -> list[Score]:
    try:
        scores = evaluate_case(mask, truth, case.spacing, n_classes, metrics)
    except Exception as error:  # a metric may be somebody else's code: anything may come
        if len(metrics) > 1:  # find out which
            for metric in metrics:
                _scores(mask, truth, case, n_classes, (metric,))
        raise InputError(
            f"metric {metrics[0]!r} fails on case {case.case!r}: {type(error).__name__}: {error}; "
            "mend it, or name the others with --metrics"
        ) from error
    for score in scores:
        value = score.imputed if score.value is None else score.value
        if not np.isfinite(value):
            raise InputError(
                f"metric {score.metric!r} gives {value} on case {case.case!r}; give None where undefined"
            )
    return scores
