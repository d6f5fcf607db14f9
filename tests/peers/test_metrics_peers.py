"""Overlap and surface metrics beside MedPy and MONAI on the same masks.

MedPy and MONAI share our surface (face-neighbour erosion, everything beyond the volume outside:
MONAI crops to the union of both masks first, but pads the crop with background, so the border needs
no exception). Two things differ and are shown below: MedPy's HD95 pools both directions, and both
take every voxel of a volume with one slice for surface.
"""

import warnings

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from harness.metrics import evaluate_case

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    medpy = pytest.importorskip("medpy.metric.binary")
    monai = pytest.importorskip("monai.metrics")

SPACINGS = [(1.0, 1.0, 1.0), (3.0, 0.96, 0.96), (0.5, 2.0, 1.3)]


def random_blobs(seed: int, shape: tuple[int, ...] = (12, 40, 36)) -> np.ndarray:
    """Smooth random objects, several of which touch the border."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2.5, mode="nearest")
    return noise > np.quantile(noise, 0.8)


def ours(prediction: np.ndarray, truth: np.ndarray, spacing: tuple[float, ...]) -> dict[str, float]:
    scores = evaluate_case(prediction.astype(np.uint8), truth.astype(np.uint8), spacing, 2)
    return {score.metric: score.imputed for score in scores}


def monai_hausdorff(
    prediction: np.ndarray, truth: np.ndarray, spacing: tuple[float, ...], percentile: float | None
) -> float:
    as_batch = [torch.from_numpy(mask)[None, None].float() for mask in (prediction, truth)]
    return monai.compute_hausdorff_distance(
        *as_batch, include_background=True, percentile=percentile, spacing=list(spacing)
    ).item()


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("seed", range(4))
def test_dsc_and_hd_equal_medpy(seed: int, spacing: tuple[float, ...]) -> None:
    prediction, truth = random_blobs(seed), random_blobs(seed + 100)
    scores = ours(prediction, truth, spacing)
    assert scores["dsc"] == pytest.approx(medpy.dc(prediction, truth), abs=1e-12)
    assert scores["hd"] == pytest.approx(medpy.hd(prediction, truth, voxelspacing=spacing), abs=1e-9)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("seed", range(4))
def test_hd_and_hd95_equal_monai(seed: int, spacing: tuple[float, ...]) -> None:
    prediction, truth = random_blobs(seed), random_blobs(seed + 100)
    scores = ours(prediction, truth, spacing)
    assert scores["hd"] == pytest.approx(monai_hausdorff(prediction, truth, spacing, None), abs=1e-4)
    assert scores["hd95"] == pytest.approx(monai_hausdorff(prediction, truth, spacing, 95), abs=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_objects_that_fill_the_border_equal_monai_and_medpy(seed: int) -> None:
    prediction = np.ones((6, 20, 20), dtype=bool)
    truth = ~random_blobs(seed, (6, 20, 20))
    scores = ours(prediction, truth, (2, 1, 1))
    assert scores["hd"] == pytest.approx(medpy.hd(prediction, truth, voxelspacing=(2, 1, 1)), abs=1e-9)
    assert scores["hd95"] == pytest.approx(monai_hausdorff(prediction, truth, (2, 1, 1), 95), abs=1e-4)


def test_medpy_pools_both_directions_and_so_loses_a_missed_lesion() -> None:
    """A lesion is missed: 6.6 % of the truth's surface, 2.2 % of both surfaces together."""
    prediction, truth = np.zeros((2, 3, 60, 60), dtype=bool)
    prediction[:, 2:32, 2:32] = True
    prediction[1, 3:31, 3:31] = False  # hollow: many surface voxels, all close to the truth
    truth[1, 2:32, 2:32] = True
    truth[1, 50:58, 50:58] = True  # missed
    spacing = (1.0, 1.0, 1.0)
    directed = ours(prediction, truth, spacing)["hd95"]
    assert directed == pytest.approx(monai_hausdorff(prediction, truth, spacing, 95), abs=1e-4)
    assert directed > 30
    assert medpy.hd95(prediction, truth) < 2


def test_a_volume_of_one_slice_equals_the_peers_in_2d() -> None:
    prediction, truth = random_blobs(1, (40, 40)), random_blobs(2, (40, 40))
    scores = ours(prediction[None], truth[None], (1, 0.7, 1.2))
    assert scores["hd"] == pytest.approx(medpy.hd(prediction, truth, voxelspacing=(0.7, 1.2)), abs=1e-9)
    assert scores["hd95"] == pytest.approx(monai_hausdorff(prediction, truth, (0.7, 1.2), 95), abs=1e-4)


def test_the_peers_take_every_voxel_of_one_slice_for_surface() -> None:
    """A hole in the prediction's middle: the surfaces are 4 voxels apart, the sets are not."""
    truth = np.zeros((1, 21, 21), dtype=bool)
    truth[0, 5:16, 5:16] = True
    prediction = truth.copy()
    prediction[0, 10, 10] = False
    assert ours(prediction, truth, (1, 1, 1))["hd"] == pytest.approx(4)
    assert medpy.hd(prediction, truth) == pytest.approx(1)
    assert monai_hausdorff(prediction, truth, (1, 1, 1), None) == pytest.approx(1)
