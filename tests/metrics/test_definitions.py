"""Every metric against its definition on small volumes: random, empty, full, single voxels, borders."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.metrics import METRICS, Comparison, evaluate_case
from tests.metrics.definitions import BY_DEFINITION, Case, voxels

SHAPES = hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6)
SPACINGS = st.tuples(*[st.sampled_from([0.3, 0.5, 1.0, 1.3, 4.0, 9.0])] * 3)


@st.composite
def masks(draw: st.DrawFn, shape: tuple[int, ...]) -> np.ndarray:
    kind = draw(st.sampled_from(["dense", "sparse", "empty", "full", "voxel", "border", "boxes"]))
    if kind in ("dense", "sparse"):
        share = {"dense": 0.6, "sparse": 0.12}[kind]
        return np.random.default_rng(draw(st.integers(0, 10**6))).random(shape) < share
    mask = np.full(shape, kind == "full")
    if kind == "voxel":
        mask[tuple(draw(st.integers(0, size - 1)) for size in shape)] = True
    elif kind == "border":
        np.moveaxis(mask, draw(st.integers(0, 2)), 0)[draw(st.sampled_from([0, -1]))] = True
    elif kind == "boxes":
        for _ in range(draw(st.integers(1, 3))):
            corner = [draw(st.integers(0, size - 1)) for size in shape]
            mask[tuple(slice(at, at + draw(st.integers(1, 3))) for at in corner)] = True
    return mask


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, tuple[float, float, float]]:
    shape = draw(SHAPES)
    return draw(masks(shape)), draw(masks(shape)), draw(SPACINGS)


def test_every_metric_has_a_definition() -> None:
    assert set(BY_DEFINITION) == set(METRICS)


@given(pairs())
@settings(max_examples=300, deadline=None)
def test_every_metric_equals_its_definition(
    pair: tuple[np.ndarray, np.ndarray, tuple[float, float, float]],
) -> None:
    prediction, truth, spacing = pair
    case = Case(voxels(prediction), voxels(truth), truth.shape, spacing)
    scores = evaluate_case(prediction.astype(np.uint8), truth.astype(np.uint8), spacing, 2, tuple(METRICS))
    for score in scores:
        expected = BY_DEFINITION[score.metric](case)
        if expected is None:
            assert score.value is None, score
            assert score.reason is not None
        else:
            assert score.value == pytest.approx(expected, abs=1e-9), score
            assert score.imputed == score.value


@given(pairs())
@settings(max_examples=100, deadline=None)
def test_a_mask_compared_with_itself_is_perfect(
    pair: tuple[np.ndarray, np.ndarray, tuple[float, float, float]],
) -> None:
    mask = pair[1].astype(np.uint8)
    for score in evaluate_case(mask, mask, pair[2], 2, tuple(METRICS)):
        assert score.imputed == METRICS[score.metric].perfect(), score


@given(pairs())
@settings(max_examples=100, deadline=None)
def test_background_around_changes_only_the_slice_dsc(
    pair: tuple[np.ndarray, np.ndarray, tuple[float, float, float]],
) -> None:
    prediction, truth, spacing = pair
    assume(1 not in truth.shape)  # an axis of length one has no neighbours
    wide = [np.pad(mask, 2) for mask in (prediction, truth)]
    for name in set(METRICS) - {"slice_dsc"}:
        compute = METRICS[name].compute
        assert compute(Comparison(*wide, spacing)) == compute(Comparison(prediction, truth, spacing))
