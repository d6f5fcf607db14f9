"""Score a folder of predictions against a folder of truths: first look at all cases, then score them."""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.cli.data_options import cores
from harness.data.case import IGNORE
from harness.data.checks.examine import digest
from harness.data.label_folders import LabelFiles, LabelFolder, match_folders
from harness.data.label_map import LabelMap, label_map_of, to_classes, unknown_codes
from harness.data.label_pairs import Grid, codes_in, read_pair, stored_shape
from harness.data.layouts import named_group
from harness.data.parallel import run_each
from harness.errors import InputError
from harness.metrics import METRICS, Score, evaluate_case

USUAL_METRICS = ("dsc", "sensitivity", "precision", "hd", "hd95", "assd", "lesion_f1")
"""What is shown unless others are asked for."""

_PROBLEMS_SHOWN = 5
_VOXELS_PER_PROCESS = 50_000_000
"""A process takes about as long to start as one needs to score so many."""
_FINGERPRINT_VERSION = 1

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class LabelTexts:
    """Label maps and class names as the user wrote them; None where absent."""

    labels: str | None = None
    pred_labels: str | None = None
    classes: str | None = None


@dataclass(frozen=True)
class ScoreRequest:
    """What to score, and how.

    Attributes:
        truth: The true label maps.
        prediction: The predicted ones.
        only: Names of the cases that count; all if None.
        texts: Label maps and class names.
        grid: How the two are put on one grid.
        patient: Regular expression whose first group names the patient of a case; None: every case is one.
        metrics: Names of the metrics.
        workers: Cases at a time, in processes; None: as many as the data are worth.
    """

    truth: LabelFolder
    prediction: LabelFolder
    only: Sequence[str] | None = None
    texts: LabelTexts = field(default_factory=LabelTexts)
    grid: Grid = field(default_factory=Grid)
    patient: str | None = None
    metrics: tuple[str, ...] = ("dsc",)
    workers: int | None = 1


@dataclass(frozen=True)
class ScoredCase:
    """The scores of one case.

    Attributes:
        case: Its name.
        patient: Its patient's name.
        shape: Voxels along (Z, H, W).
        spacing: Millimetres along (Z, H, W).
        voxels: True voxels of each class, background first.
        truth: Digest of the true class indices.
        prediction: Digest of the predicted ones; empty where there is no prediction.
        scores: One per class and metric.
    """

    case: str
    patient: str
    shape: tuple[int, ...]
    spacing: tuple[float, float, float]
    voxels: tuple[int, ...]
    truth: str
    prediction: str
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class ScoredFolders:
    """The scores of all cases, in natural order."""

    cases: tuple[ScoredCase, ...]
    classes: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """sha256 over class names, and name, patient, spacing and decoded truth of every case."""
        truths = [(each.case, each.patient, each.spacing, each.truth) for each in self.cases]
        return _sha256([_FINGERPRINT_VERSION, self.classes, truths])

    @property
    def predictions(self) -> str:
        """sha256 over the decoded predictions of every case."""
        return _sha256([(each.case, each.prediction) for each in self.cases])


@dataclass(frozen=True)
class _Look:
    """What the first look at a case tells; ``problem`` is a sentence, or empty."""

    truth: tuple[float, ...] = ()
    prediction: tuple[float, ...] = ()
    odd_spacing: bool = False
    problem: str = ""


def score_folders(request: ScoreRequest, progress: Progress = lambda done, total: None) -> ScoredFolders:
    """Score every true label map; one without prediction counts as the worst.

    Args:
        request: What to score, and how.
        progress: Called as (steps done, steps in all): every case is a step twice.

    Raises:
        InputError: if folders, files, grids, labels or metrics do not fit together; no case is scored then.
    """
    for name in request.metrics:
        METRICS[name]
    files = match_folders(request.truth, request.prediction, request.only)
    patients = [_patient(request, each.case) for each in files]
    steps = _Steps(progress, 2 * len(files))
    workers = request.workers or worthwhile(sum(math.prod(stored_shape(each.truth)) for each in files))
    jobs: dict[int, tuple[Any, ...]] = {n: (each, request.grid) for n, each in enumerate(files)}
    looks = steps.through(run_each(_look, jobs, workers))
    _refuse([look.problem for look in looks if look.problem])
    codes = {int(code) for look in looks for code in look.truth if code.is_integer()}
    texts = request.texts
    label_map = label_map_of(texts.labels, texts.pred_labels, texts.classes, codes)
    _refuse(_code_problems(files, looks, label_map))
    jobs = {n: (each, patients[n], request.grid, label_map, request.metrics) for n, each in enumerate(files)}
    cases = steps.through(run_each(_score, jobs, workers))
    return ScoredFolders(tuple(cases), label_map.classes, tuple(_warnings(files, looks, texts, codes)))


class _Steps:
    """Counts results as they come and returns them in order."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0
        progress(0, total)

    def through(self, results: Any) -> list[Any]:
        found = {}
        for number, result in results:
            found[number] = result
            self._done += 1
            self._progress(self._done, self._total)
        return [found[number] for number in sorted(found)]


def worthwhile(voxels: int) -> int:
    """Return how many processes are worth starting to score so many voxels."""
    return min(cores(None), 1 + voxels // _VOXELS_PER_PROCESS)


def _patient(request: ScoreRequest, case: str) -> str:
    if request.patient is None:
        return case
    return named_group(request.patient, case, case, "patient", "--patient")


def _look(files: LabelFiles, grid: Grid) -> _Look:
    try:
        pair = read_pair(files, grid)
    except InputError as error:
        return _Look(problem=str(error))
    predicted = () if pair.prediction is None else tuple(codes_in(pair.prediction).tolist())
    return _Look(tuple(codes_in(pair.truth).tolist()), predicted, pair.odd_spacing)


def _score(
    files: LabelFiles, patient: str, grid: Grid, label_map: LabelMap, metrics: tuple[str, ...]
) -> ScoredCase:
    pair = read_pair(files, grid)
    truth = np.ascontiguousarray(to_classes(pair.truth, label_map.truth))
    predicted = None
    if pair.prediction is not None:
        predicted = np.ascontiguousarray(to_classes(pair.prediction, label_map.prediction))
    counts = np.bincount(truth.ravel(), minlength=IGNORE + 1)[: label_map.n_classes]
    return ScoredCase(
        case=files.case,
        patient=patient,
        shape=truth.shape,
        spacing=pair.spacing,
        voxels=tuple(counts.tolist()),
        truth=digest(truth),
        prediction="" if predicted is None else digest(predicted),
        scores=tuple(evaluate_case(predicted, truth, pair.spacing, label_map.n_classes, metrics)),
    )


def _code_problems(files: Sequence[LabelFiles], looks: Sequence[_Look], label_map: LabelMap) -> list[str]:
    problems = []
    for each, look in zip(files, looks, strict=True):
        for kind, stored, known, option in (
            ("truth", look.truth, label_map.truth, "--labels"),
            ("prediction", look.prediction, label_map.prediction, "--pred-labels"),
        ):
            strange = unknown_codes(stored, known)
            if strange:
                problems.append(_code_problem(each.case, kind, strange, known, option, label_map))
    return problems


def _code_problem(
    case: str, kind: str, strange: list[float], known: Any, option: str, label_map: LabelMap
) -> str:
    more = f" and {len(strange) - 1} other values" if len(strange) > 1 else ""
    where = (
        f"case {case!r}: the {kind} holds label {strange[0]:g}{more}, not in the label map {sorted(known)}"
    )
    if any(not float(code).is_integer() for code in strange):
        return f"{where}; store whole class indices, not fractions or probabilities"
    if kind == "prediction" and label_map.truth.get(int(strange[0])) == IGNORE:
        return f"{where}, because truths ignore it; say what it means there with --pred-labels"
    return f"{where}; say with {option} which class it is, or 0 for background"


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        more = len(problems) - _PROBLEMS_SHOWN
        shown = [*problems[:_PROBLEMS_SHOWN], *([f"and {more} cases more"] if more > 0 else [])]
        raise InputError("\n".join(shown))


def _warnings(
    files: Sequence[LabelFiles], looks: Sequence[_Look], texts: LabelTexts, codes: set[int]
) -> list[str]:
    found = []
    missing = [each.case for each in files if each.prediction is None]
    if missing:
        shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        found.append(
            f"{len(missing)} of {len(files)} truths have no prediction ({shown}): they get the worst value "
            "of every metric; --only FILE scores a part of the cases"
        )
    if not (texts.labels or texts.classes) and IGNORE in codes and codes - {0, IGNORE}:
        found.append(
            f"label {IGNORE} is scored as a class of its own; if it marks voxels of unknown truth, write "
            f"'{IGNORE}: ignore' into --labels"
        )
    odd = sum(look.odd_spacing for look in looks)
    if odd:
        found.append(f"pixdim and affine tell different voxel sizes in {odd} truths; pixdim is believed")
    return found


def _sha256(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
