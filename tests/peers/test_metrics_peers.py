"""Metrics beside MedPy, MONAI and DeepMind's surface-distance on the same masks.

MedPy and MONAI share our surface (face-neighbour erosion, everything beyond the volume outside:
MONAI crops to the union of both masks first, but pads the crop with background, so the border needs
no exception) and the unweighted counting of its voxels. What differs is shown below and stands with its
size in docs/metrics.md: which HD95, the weighting by area, and volumes of one slice.
"""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from harness.metrics import METRICS, Comparison

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    medpy = pytest.importorskip("medpy.metric.binary")
    monai = pytest.importorskip("monai.metrics")
    deepmind = pytest.importorskip("surface_distance")

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
SPACINGS = [(1.0, 1.0, 1.0), (3.0, 0.96, 0.96), (0.5, 2.0, 1.3)]


def random_blobs(seed: int, shape: tuple[int, ...] = (12, 40, 36)) -> np.ndarray:
    """Smooth random objects, several of which touch the border."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2.5, mode="nearest")
    return noise > np.quantile(noise, 0.8)


def ours(prediction: np.ndarray, truth: np.ndarray, spacing: tuple[float, ...]) -> dict[str, float]:
    comparison = Comparison(prediction, truth, spacing)
    return {name: metric.compute(comparison) for name, metric in METRICS.items()}


def batch(mask: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(mask))[None, None].float()


def monai_hausdorff(
    prediction: np.ndarray, truth: np.ndarray, spacing: tuple[float, ...], percentile: float | None
) -> float:
    return monai.compute_hausdorff_distance(
        batch(prediction),
        batch(truth),
        include_background=True,
        percentile=percentile,
        spacing=list(spacing),
    ).item()


def monai_assd(prediction: np.ndarray, truth: np.ndarray, spacing: tuple[float, ...]) -> float:
    return monai.compute_average_surface_distance(
        batch(prediction), batch(truth), include_background=True, symmetric=True, spacing=list(spacing)
    ).item()


def monai_nsd(
    prediction: np.ndarray,
    truth: np.ndarray,
    spacing: tuple[float, ...],
    tolerance: float,
    subvoxels: bool = False,
) -> float:
    return monai.compute_surface_dice(
        batch(prediction),
        batch(truth),
        [float(tolerance)],
        include_background=True,
        spacing=list(spacing),
        use_subvoxels=subvoxels,
    ).item()


@pytest.mark.parametrize("seed", range(4))
def test_overlap_equals_medpy_and_deepmind(seed: int) -> None:
    prediction, truth = random_blobs(seed), random_blobs(seed + 100)
    scores = ours(prediction, truth, (1, 1, 1))
    for name, peer in (("dsc", "dc"), ("iou", "jc"), ("sensitivity", "recall"), ("precision", "precision")):
        assert scores[name] == pytest.approx(getattr(medpy, peer)(prediction, truth), abs=1e-12)
    assert scores["dsc"] == pytest.approx(deepmind.compute_dice_coefficient(truth, prediction), abs=1e-12)
    assert scores["avd"] == pytest.approx(100 * abs(medpy.ravd(prediction, truth)), abs=1e-9)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("seed", range(4))
def test_distances_equal_medpy(seed: int, spacing: tuple[float, ...]) -> None:
    prediction, truth = random_blobs(seed), random_blobs(seed + 100)
    scores = ours(prediction, truth, spacing)
    for name, peer in (("hd", medpy.hd), ("hd95_pooled", medpy.hd95), ("assd", medpy.assd)):
        assert scores[name] == pytest.approx(peer(prediction, truth, voxelspacing=spacing), abs=1e-9)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("seed", range(4))
def test_distances_equal_monai(seed: int, spacing: tuple[float, ...]) -> None:
    prediction, truth = random_blobs(seed), random_blobs(seed + 100)
    scores = ours(prediction, truth, spacing)
    assert scores["hd"] == pytest.approx(monai_hausdorff(prediction, truth, spacing, None), abs=1e-4)
    assert scores["hd95"] == pytest.approx(monai_hausdorff(prediction, truth, spacing, 95), abs=1e-4)
    assert scores["assd"] == pytest.approx(monai_assd(prediction, truth, spacing), abs=1e-4)
    for tolerance in (1, 2):
        peer = monai_nsd(prediction, truth, spacing, tolerance)
        assert scores[f"nsd_{tolerance}mm"] == pytest.approx(peer, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_deepmind_weighs_by_area_and_puts_the_surface_between_the_voxels(seed: int) -> None:
    prediction, truth = random_blobs(seed), random_blobs(seed + 100)
    spacing = (3.0, 0.96, 0.96)
    scores, surfaces = (
        ours(prediction, truth, spacing),
        deepmind.compute_surface_distances(truth, prediction, spacing),
    )
    cell = np.linalg.norm(spacing)
    assert scores["hd"] == pytest.approx(deepmind.compute_robust_hausdorff(surfaces, 100), abs=cell)
    for tolerance in (1, 2):
        peer = deepmind.compute_surface_dice_at_tolerance(surfaces, tolerance)
        assert scores[f"nsd_{tolerance}mm"] == pytest.approx(peer, abs=0.15)
        assert monai_nsd(prediction, truth, spacing, tolerance, subvoxels=True) == pytest.approx(
            peer, abs=1e-4
        )


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
    assert medpy.hd95(prediction, truth) == pytest.approx(ours(prediction, truth, spacing)["hd95_pooled"])
    assert medpy.hd95(prediction, truth) < 2


def test_a_volume_of_one_slice_equals_the_peers_in_2d() -> None:
    prediction, truth = random_blobs(1, (40, 40)), random_blobs(2, (40, 40))
    scores = ours(prediction[None], truth[None], (1, 0.7, 1.2))
    assert scores["hd"] == pytest.approx(medpy.hd(prediction, truth, voxelspacing=(0.7, 1.2)), abs=1e-9)
    assert scores["hd95"] == pytest.approx(monai_hausdorff(prediction, truth, (0.7, 1.2), 95), abs=1e-4)


def test_the_peers_take_every_voxel_of_one_slice_for_surface() -> None:
    """The surfaces are 4 voxels apart, the sets are not."""
    prediction, truth, spacing = slice_case()
    assert ours(prediction, truth, spacing)["hd"] == pytest.approx(4)
    assert medpy.hd(prediction, truth) == pytest.approx(1)
    assert monai_hausdorff(prediction, truth, spacing, None) == pytest.approx(1)


def ball(centre: tuple[float, ...], radius: float) -> np.ndarray:
    """A ball in mm in a volume of 16x64x64 voxels of 3x1x1 mm."""
    grid = np.ogrid[:16, :64, :64]
    return sum((g * s - c) ** 2 for g, s, c in zip(grid, (3, 1, 1), centre, strict=True)) <= radius**2


def lesion_case() -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    """The first example of docs/metrics.md: a lesion found, another one missed."""
    truth = ball((24, 24, 24), 15) | ball((24, 54, 54), 4)
    return ball((24, 26, 25), 14), truth, (3.0, 1.0, 1.0)


def slice_case() -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    """The second: a volume of one slice, a square of 11x11 with a hole in the prediction's middle."""
    truth = np.zeros((1, 21, 21), dtype=bool)
    truth[0, 5:16, 5:16] = True
    prediction = truth.copy()
    prediction[0, 10, 10] = False
    return prediction, truth, (1.0, 1.0, 1.0)


def table_row(
    title: str, name: str, prediction: np.ndarray, truth: np.ndarray, spacing: tuple[float, ...]
) -> str:
    """What docs/metrics.md says about a metric: ours, MedPy, MONAI, surface-distance."""
    surfaces = deepmind.compute_surface_distances(truth, prediction, spacing)
    pair = (prediction, truth)
    peers: dict[str, tuple[Callable[[], float] | None, ...]] = {
        "dsc": (lambda: medpy.dc(*pair), None, lambda: deepmind.compute_dice_coefficient(truth, prediction)),
        "hd": (
            lambda: medpy.hd(*pair, voxelspacing=spacing),
            lambda: monai_hausdorff(*pair, spacing, None),
            lambda: deepmind.compute_robust_hausdorff(surfaces, 100),
        ),
        "hd95": (
            None,
            lambda: monai_hausdorff(*pair, spacing, 95),
            lambda: deepmind.compute_robust_hausdorff(surfaces, 95),
        ),
        "hd95_pooled": (lambda: medpy.hd95(*pair, voxelspacing=spacing), None, None),
        "assd": (
            lambda: medpy.assd(*pair, voxelspacing=spacing),
            lambda: monai_assd(*pair, spacing),
            lambda: sum(deepmind.compute_average_surface_distance(surfaces)) / 2,
        ),
        "nsd_1mm": (
            None,
            lambda: monai_nsd(*pair, spacing, 1),
            lambda: deepmind.compute_surface_dice_at_tolerance(surfaces, 1),
        ),
    }
    values = [ours(*pair, spacing)[name], *(peer and float(peer()) for peer in peers[name])]
    cells = ["" if value is None else f"{value:.3f}" for value in values]
    return f"| {title} | {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("DSC", "dsc"),
        ("HD", "hd"),
        ("HD95, larger of the directed", "hd95"),
        ("HD95, pooled", "hd95_pooled"),
        ("ASSD", "assd"),
        ("NSD at 1 mm", "nsd_1mm"),
    ],
)
@pytest.mark.parametrize("case", [lesion_case, slice_case])
def test_the_page_shows_how_far_the_libraries_are_apart(
    case: Callable[[], tuple[np.ndarray, np.ndarray, tuple[float, ...]]], title: str, name: str
) -> None:
    assert table_row(title, name, *case()) in PAGE
