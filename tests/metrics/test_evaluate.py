import math

import numpy as np
import pytest

from harness.data.case import IGNORE as DATA_IGNORE
from harness.errors import InputError
from harness.metrics import IGNORE, METRICS, Comparison, Score, comparison, evaluate_case

SHAPE = (4, 10, 12)
SPACING = (3.0, 1.0, 0.5)


def volume(*boxes: tuple[int, tuple[slice, slice, slice]]) -> np.ndarray:
    labels = np.zeros(SHAPE, dtype=np.uint8)
    for value, box in boxes:
        labels[box] = value
    return labels


LEFT = (slice(1, 3), slice(2, 6), slice(2, 6))
SHIFTED = (slice(1, 3), slice(2, 6), slice(4, 8))
CORNER = (slice(0, 1), slice(0, 1), slice(0, 1))


def by_metric(scores: list[Score], class_index: int = 1) -> dict[str, Score]:
    return {score.metric: score for score in scores if score.class_index == class_index}


def test_ignore_is_the_number_of_the_data_room() -> None:
    assert IGNORE == DATA_IGNORE


def test_scores_come_class_by_class_in_the_order_asked() -> None:
    scores = evaluate_case(volume((1, LEFT)), volume((2, LEFT)), SPACING, 4, metrics=("hd", "dsc"))
    assert [(s.class_index, s.metric) for s in scores] == [
        (c, m) for c in (1, 2, 3) for m in ("hd", "dsc")
    ]  # fmt: skip


def test_shifted_box_has_the_values_of_the_closed_form() -> None:
    scores = by_metric(evaluate_case(volume((1, SHIFTED)), volume((1, LEFT)), SPACING, 2))
    assert scores["dsc"].value == pytest.approx(0.5)
    assert scores["hd"].value == pytest.approx(2 * 0.5)
    assert scores["hd95"].value == pytest.approx(1.0)
    assert all(s.reason is None and s.imputed == s.value for s in scores.values())


def test_perfect_prediction() -> None:
    truth = volume((1, LEFT), (2, CORNER))
    for score in evaluate_case(truth, truth, SPACING, 3):
        assert score.value == score.imputed == (1 if score.metric == "dsc" else 0)


def test_classes_are_independent() -> None:
    truth = volume((1, LEFT), (2, CORNER))
    prediction = volume((2, CORNER))
    scores = evaluate_case(prediction, truth, SPACING, 3)
    assert by_metric(scores, 1)["dsc"].reason == "prediction empty"
    assert by_metric(scores, 2)["dsc"].value == 1


def test_ignored_voxels_are_removed_from_both() -> None:
    truth = volume((1, LEFT), (IGNORE, CORNER))
    prediction = volume((1, LEFT), (1, CORNER))
    scores = by_metric(evaluate_case(prediction, truth, SPACING, 2))
    assert scores["dsc"].value == 1
    assert scores["hd"].value == 0
    assert prediction[0, 0, 0] == 1  # the caller's array is left alone


def test_a_wholly_ignored_truth_is_empty() -> None:
    truth = np.full(SHAPE, IGNORE, dtype=np.uint8)
    assert {s.reason for s in evaluate_case(volume((1, LEFT)), truth, SPACING, 2)} == {"both empty"}


def test_full_volumes_and_single_voxels() -> None:
    full = np.ones(SHAPE, dtype=np.uint8)
    assert by_metric(evaluate_case(full, full, SPACING, 2))["hd"].value == 0
    far = volume((1, (slice(3, 4), slice(9, 10), slice(11, 12))))
    scores = by_metric(evaluate_case(far, volume((1, CORNER)), SPACING, 2))
    assert scores["hd"].value == pytest.approx(math.sqrt(9**2 + 9**2 + 5.5**2))
    assert scores["hd"].value == scores["hd95"].value
    assert scores["dsc"] == Score(1, "dsc", 0.0, 0.0, None)


def test_one_voxel_against_the_full_volume_measures_to_the_surface() -> None:
    full, one = np.ones((1, 9, 9), dtype=np.uint8), np.zeros((1, 9, 9), dtype=np.uint8)
    one[0, 4, 4] = 1
    scores = by_metric(evaluate_case(one, full, (1, 1, 1), 2))
    assert scores["hd"].value == pytest.approx(4 * math.sqrt(2))


@pytest.mark.parametrize(
    ("shared", "users"),
    [
        ("surface_distances", ("hd", "hd95", "hd95_pooled", "assd", "nsd_1mm", "nsd_2mm")),
        ("component_overlaps", ("lesion_f1", "lesion_recall", "lesion_recall_small", "false_lesions")),
    ],
)
def test_what_metrics_share_is_computed_once_and_only_when_asked(
    shared: str, users: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    original = getattr(comparison, shared)
    monkeypatch.setattr(comparison, shared, lambda *a: calls.append(1) or original(*a))
    truth = volume((1, LEFT))
    evaluate_case(truth, truth, SPACING, 2, metrics=("dsc",))
    assert calls == []
    evaluate_case(truth, truth, SPACING, 2, metrics=users)
    assert calls == [1]


def test_comparison_of_an_empty_mask_has_no_distances() -> None:
    truth = volume((1, LEFT)) == 1
    assert Comparison(np.zeros_like(truth), truth, SPACING).distances is None


def test_any_integer_type_will_do() -> None:
    for dtype in (np.int8, np.int64, np.uint16):
        score = evaluate_case(volume((1, LEFT)).astype(dtype), volume((1, LEFT)), SPACING, 2)[0]
        assert score.value == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"prediction": np.zeros((4, 10, 11), dtype=np.uint8)}, r"one shape \(got \(4, 10, 11\)"),
        ({"spacing": (1, 1)}, "spacing must be 3 positive numbers"),
        ({"spacing": (1, 0, 1)}, "spacing must be 3 positive numbers"),
        ({"truth": np.zeros((10, 12), dtype=np.uint8)}, r"give one slice as \(1, H, W\)"),
        ({"truth": np.zeros(SHAPE)}, "truth must hold integer class indices"),
        ({"truth": np.full(SHAPE, 2, dtype=np.uint8)}, r"truth holds label 2, .* classes 0\.\.1"),
        ({"prediction": np.full(SHAPE, 255, dtype=np.uint8)}, "prediction holds label 255"),
        ({"prediction": np.full(SHAPE, -1)}, "prediction holds label -1"),
        ({"n_classes": 1}, r"n_classes must lie in 2\.\.255"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(change: dict[str, object], sentence: str) -> None:
    arguments = {"prediction": volume(), "truth": volume(), "spacing": SPACING, "n_classes": 2, **change}
    with pytest.raises(ValueError, match=sentence):
        evaluate_case(**arguments)  # type: ignore[arg-type]


def test_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'hd95'"):
        evaluate_case(volume(), volume(), SPACING, 2, metrics=("hd_95",))


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_describes_itself(name: str) -> None:
    metric = METRICS[name]
    assert metric.name == name
    assert metric.title
    assert metric.description.endswith(".")
    assert metric.version >= 1
    assert metric.direction == ("lower" if metric.unit else "higher")


def test_tolerances_and_size_limits_stand_in_what_the_database_keeps() -> None:
    assert "within 1 mm" in METRICS["nsd_1mm"].description
    assert "within 2 mm" in METRICS["nsd_2mm"].description
    assert "below 0.1 ml" in METRICS["lesion_recall_small"].description
    assert "1 ml (1000 mm3) or more" in METRICS["lesion_recall_large"].description
