"""Which lesions count as found."""

import numpy as np
import pytest

from harness.geometry.overlaps import component_overlaps
from harness.metrics import METRICS, Comparison
from harness.metrics.lesion import SIZE_BINS
from harness.metrics.matching import match_lesions

LINE = (1, 1, 120)


def line(*spans: tuple[int, int]) -> np.ndarray:
    """A row of voxels; every span is a lesion."""
    mask = np.zeros(LINE, dtype=bool)
    for start, stop in spans:
        mask[..., start:stop] = True
    return mask


def values(
    prediction: np.ndarray, truth: np.ndarray, spacing: tuple[float, ...] = (1, 1, 1)
) -> dict[str, float | None]:
    comparison = Comparison(prediction, truth, spacing)
    return {name: metric.compute(comparison) for name, metric in METRICS.items()}


def test_found_missed_and_false_lesions() -> None:
    found = values(line((0, 10), (50, 52)), line((1, 11), (30, 40), (80, 84)))
    assert found["lesion_f1"] == pytest.approx(2 / 5)
    assert found["lesion_recall"] == pytest.approx(1 / 3)
    assert found["lesion_precision"] == pytest.approx(1 / 2)
    assert found["false_lesions"] == 1


@pytest.mark.parametrize(("voxels", "recall"), [(10, 0), (11, 1)])
def test_an_iou_of_exactly_a_tenth_is_not_enough(voxels: int, recall: float) -> None:
    assert values(line((0, voxels)), line((0, 100)))["lesion_recall"] == recall


def test_one_prediction_over_two_lesions_finds_one() -> None:
    found = values(line((0, 21)), line((0, 10), (11, 21)))
    assert (found["lesion_recall"], found["false_lesions"]) == (0.5, 0)


def test_two_predictions_in_one_lesion_make_one_false() -> None:
    found = values(line((0, 10), (11, 21)), line((0, 21)))
    assert (found["lesion_recall"], found["lesion_precision"], found["false_lesions"]) == (1, 0.5, 1)


def test_the_better_overlap_is_matched_first() -> None:
    """The long prediction overlaps both lesions; it stands for the large one, the short for the small."""
    found = values(line((0, 16), (18, 20)), line((0, 12), (14, 20)))
    assert found["lesion_recall"] == 1


def test_of_equal_overlaps_the_lesion_that_a_scan_meets_first_is_matched() -> None:
    truth, prediction = line((0, 10), (11, 21)), line((5, 16))
    match = match_lesions(component_overlaps(prediction, truth))
    assert match.found.tolist() == [True, False]
    mirrored = match_lesions(component_overlaps(prediction[..., ::-1], truth[..., ::-1]))
    assert mirrored.found.tolist() == [True, False]


def test_of_equal_overlaps_the_prediction_that_a_scan_meets_first_is_matched() -> None:
    truth, prediction = line((5, 16), (17, 30)), line((0, 10), (11, 21))
    match = match_lesions(component_overlaps(prediction, truth))
    assert (match.found.tolist(), match.predicted) == ([True, True], 2)


def test_lesions_that_touch_at_a_corner_are_one() -> None:
    truth = np.zeros((2, 2, 2), dtype=bool)
    truth[0, 0, 0] = truth[1, 1, 1] = True
    prediction = truth.copy()
    prediction[1, 1, 1] = False
    found = values(prediction, truth)
    assert (found["lesion_recall"], found["lesion_precision"]) == (1, 1)


@pytest.mark.parametrize(
    ("voxels", "bin_of"),
    [(1, "small"), (99, "small"), (100, "medium"), (999, "medium"), (1000, "large"), (1100, "large")],
)
def test_size_bins_are_bounded_by_a_tenth_of_a_millilitre_and_by_one(voxels: int, bin_of: str) -> None:
    truth = np.zeros((1, 10, 110), dtype=bool)
    truth.reshape(-1)[:voxels] = True
    found = values(truth, truth)
    for each in SIZE_BINS:
        assert found[f"lesion_recall_{each.name}"] == (1 if each.name == bin_of else None)


def test_size_is_physical() -> None:
    found = values(line((0, 4)), line((0, 4)), (5, 2, 2.5))
    assert found["lesion_recall_medium"] == 1


def test_recall_by_size_asks_for_the_size_of_the_true_lesion() -> None:
    truth, prediction = line((0, 60), (70, 72)), line((0, 40))
    found = values(prediction, truth, (2, 1, 1))
    assert found["lesion_recall_medium"] == 1
    assert found["lesion_recall_small"] == 0
