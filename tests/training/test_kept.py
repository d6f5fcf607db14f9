"""What a trial kept is read with care: masks that do not fit a case are refused by name."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data.prepared import PreparedDataset, find_prepared
from harness.errors import InputError
from harness.metrics import METRICS
from harness.training.kept import read_masks, score_masks

Array = np.ndarray[Any, Any]


@pytest.fixture
def truths(prepared_discs: PreparedDataset) -> dict[str, Array]:
    """Masks as good as can be, of two cases."""
    return {case.case: np.array(prepared_discs.truth(case)) for case in prepared_discs.cases[:2]}


def test_masks_are_read_back_and_scored_beside_known_values(
    prepared_discs: PreparedDataset, truths: dict[str, Array], tmp_path: Path
) -> None:
    np.savez(tmp_path / "masks.npz", **truths)
    masks = read_masks(tmp_path / "masks.npz", list(truths))
    known = {(case, 1): 0.75 for case in truths}
    found = score_masks(prepared_discs, masks, ("iou",), known)
    assert [(case, score.metric, score.value) for case, score in found.scores] == [
        (case, "iou", 1.0) for case in truths
    ]
    assert (found.drift, found.mean_drift) == (0.25, 0.25)


def test_a_file_that_is_cut_short_or_lacks_a_case_is_refused(
    truths: dict[str, Array], tmp_path: Path
) -> None:
    path = tmp_path / "masks.npz"
    np.savez(path, **truths)
    with pytest.raises(InputError, match=r"'masks\.npz' has no mask of case 'p9'"):
        read_masks(path, [*truths, "p9"])
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InputError, match=r"'masks\.npz' cannot be read: it is cut short"):
        read_masks(path, list(truths))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda mask: mask[1:], r"the mask of case 'p0' has the shape \(2, 28, 28\), the case \(3, 28, 28\)"),
        (lambda mask: mask + np.uint8(7), "holds other values than the classes 0 to 1"),
        (lambda mask: mask.astype(float), "holds other values than the classes 0 to 1"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(
    change: Callable[[Array], Array], said: str, prepared_discs: PreparedDataset, truths: dict[str, Array]
) -> None:
    with pytest.raises(InputError, match=said):
        score_masks(prepared_discs, {"p0": change(truths["p0"])}, ("dsc",), {})


def boom(_: object) -> float:
    raise ZeroDivisionError("boom")


@pytest.mark.parametrize(
    ("compute", "said"),
    [
        (boom, "metric 'broken' fails on case 'p0': ZeroDivisionError: boom; mend it, or name the others"),
        (lambda _: float("nan"), "metric 'broken' gives nan on case 'p0'"),
        (lambda _: None, "metric 'broken' fails on case 'p0': ValueError"),
    ],
)
def test_a_metric_that_fails_is_named_with_the_case(
    compute: Callable[[object], float],
    said: str,
    prepared_discs: PreparedDataset,
    truths: dict[str, Array],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = replace(METRICS["iou"], name="broken", compute=compute)
    monkeypatch.setattr(METRICS, "_entries", {**METRICS._entries, "broken": broken})
    with pytest.raises(InputError, match=said):
        score_masks(prepared_discs, truths, ("dsc", "broken", "iou"), {})


def test_a_cache_is_found_by_fingerprint_beside_damaged_ones(
    prepared_discs: PreparedDataset, tmp_path: Path
) -> None:
    for name in ("a", "z"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.json").write_text("{")
    (tmp_path / "m").symlink_to(prepared_discs.folder)
    found = find_prepared(tmp_path, prepared_discs.fingerprint)
    assert found is not None
    assert found.cases == prepared_discs.cases
    assert find_prepared(tmp_path, "0" * 64) is None
