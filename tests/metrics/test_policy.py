"""What counts where a formula gives no value: the whole table, metric by metric."""

import math

import numpy as np
import pytest

from harness.metrics import METRICS, Score, evaluate_case
from harness.metrics.metric import Metric
from harness.metrics.policy import Extent

SHAPE = (4, 10, 12)
SPACING = (3.0, 1.0, 0.5)
DIAGONAL = math.sqrt(12**2 + 10**2 + 6**2)
MILLILITRES = 12 * 10 * 6 / 1000
MOST_LESIONS = 2 * 5 * 6
VOXELS, SLICES = 2 * 4 * 4, 2
"""Of the object where there is one: 48 mm3, a small lesion."""

NONE = None
NO_LESION = "no lesion of this size"
# name: (raw, imputed) of: both empty; truth empty; prediction empty; imputed without a prediction
TABLE: dict[str, tuple[tuple[float | None, float], ...]] = {
    "dsc": ((NONE, 1), (0, 0), (0, 0), (NONE, 0)),
    "iou": ((NONE, 1), (0, 0), (0, 0), (NONE, 0)),
    "sensitivity": ((NONE, 1), (NONE, 0), (0, 0), (NONE, 0)),
    "precision": ((NONE, 1), (0, 0), (NONE, 0), (NONE, 0)),
    "volume_difference": ((0, 0), (0.048, 0.048), (0.048, 0.048), (NONE, MILLILITRES)),
    "avd": ((NONE, 0), (NONE, 100), (100, 100), (NONE, 100)),
    "slice_dsc": ((1, 1), (0.5, 0.5), (0.5, 0.5), (NONE, 0)),
    "hd": ((NONE, 0), (NONE, DIAGONAL), (NONE, DIAGONAL), (NONE, DIAGONAL)),
    "hd95": ((NONE, 0), (NONE, DIAGONAL), (NONE, DIAGONAL), (NONE, DIAGONAL)),
    "hd95_pooled": ((NONE, 0), (NONE, DIAGONAL), (NONE, DIAGONAL), (NONE, DIAGONAL)),
    "assd": ((NONE, 0), (NONE, DIAGONAL), (NONE, DIAGONAL), (NONE, DIAGONAL)),
    "nsd_1mm": ((NONE, 1), (NONE, 0), (NONE, 0), (NONE, 0)),
    "nsd_2mm": ((NONE, 1), (NONE, 0), (NONE, 0), (NONE, 0)),
    "lesion_f1": ((NONE, 1), (0, 0), (0, 0), (NONE, 0)),
    "lesion_recall": ((NONE, 1), (NONE, 0), (0, 0), (NONE, 0)),
    "lesion_precision": ((NONE, 1), (0, 0), (NONE, 0), (NONE, 0)),
    "false_lesions": ((0, 0), (1, 1), (0, 0), (NONE, MOST_LESIONS)),
    "lesion_recall_small": ((NONE, 1), (NONE, 1), (0, 0), (NONE, 0)),
    "lesion_recall_medium": ((NONE, 1), (NONE, 1), (NONE, 1), (NONE, 0)),
    "lesion_recall_large": ((NONE, 1), (NONE, 1), (NONE, 1), (NONE, 0)),
}
SITUATIONS = ("both empty", "truth empty", "prediction empty", "no prediction")


def volume(filled: bool) -> np.ndarray:
    labels = np.zeros(SHAPE, dtype=np.uint8)
    if filled:
        labels[1:3, 2:6, 2:6] = 1
    return labels


def scores(situation: str) -> dict[str, Score]:
    truth = volume(situation in ("prediction empty", "no prediction"))
    prediction = None if situation == "no prediction" else volume(situation == "truth empty")
    return {
        score.metric: score for score in evaluate_case(prediction, truth, SPACING, 2, metrics=tuple(METRICS))
    }


def test_every_metric_has_a_row() -> None:
    assert set(TABLE) == set(METRICS)


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("name", sorted(TABLE))
def test_unusual_cases_follow_the_policy(name: str, situation: str) -> None:
    raw, imputed = TABLE[name][SITUATIONS.index(situation)]
    score = scores(situation)[name]
    assert score.value == pytest.approx(raw) if raw is not None else score.value is None
    assert score.imputed == pytest.approx(imputed)
    no_lesion = METRICS[name].undefined and raw is None and situation != "no prediction"
    assert score.reason == (NO_LESION if no_lesion else situation)


def test_a_missing_prediction_of_an_empty_truth_is_a_failure_too() -> None:
    for score in evaluate_case(None, volume(False), SPACING, 3, metrics=tuple(METRICS)):
        assert score.reason == "no prediction"
        assert score.imputed == METRICS[score.metric].worst(Extent(SHAPE, SPACING))


def test_a_size_without_lesions_is_no_failure_and_has_its_reason() -> None:
    truth = volume(True)
    found = {score.metric: score for score in evaluate_case(truth, truth, SPACING, 2, metrics=tuple(METRICS))}
    assert found["lesion_recall_large"] == Score(1, "lesion_recall_large", None, 1.0, NO_LESION)
    assert {name for name, score in found.items() if score.reason} == {
        "lesion_recall_medium",
        "lesion_recall_large",
    }


@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_undefined_value_has_a_reason(situation: str) -> None:
    for score in scores(situation).values():
        assert score.value is not None or score.reason is not None
        assert math.isfinite(score.imputed)


def test_most_lesions_of_an_image_are_single_voxels_one_apart() -> None:
    full = np.zeros(SHAPE, dtype=np.uint8)
    full[::2, ::2, ::2] = 1
    (score,) = evaluate_case(full, volume(False), SPACING, 2, metrics=("false_lesions",))
    assert score.value == Extent(SHAPE, SPACING).most_components


def test_a_metric_without_a_value_of_two_objects_is_a_mistake() -> None:
    broken = Metric("broken", "Broken", "", "higher", 1, "Nothing.", lambda _: None)
    with pytest.raises(ValueError, match="metric 'broken' gives no value"):
        broken.without_value(1, Extent(SHAPE, SPACING), None)
