"""The benchmark of the metrics on small volumes: what is compared, never how long it took."""

import importlib.util

import numpy as np
import pytest

from harness.bench import BenchOptions, run_benchmark
from harness.bench.measure import Settings
from harness.bench.metrics import OBJECTS, SPACING, Metrics, medpy_calls, monai_hd95, surface_metrics
from harness.metrics import METRICS, Comparison

QUICK = Settings(rounds=1, sample_seconds=1e-6, retries=0)


def measured(name):
    (row,) = run_benchmark("metrics", BenchOptions(only=(name,), size=32, settings=QUICK))
    return row


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_every_object_is_timed_against_both_libraries(name):
    pytest.importorskip("medpy")
    pytest.importorskip("monai")
    row = measured(name)
    assert not row.error
    assert set(row.comparison.against) == {"MedPy", "MONAI"}
    assert row.targets["MONAI"] == 1 / 5
    assert row.targets.get("MedPy") == {"small": 1 / 100, "medium": 1 / 100, "large": 1 / 18}.get(name)


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_the_libraries_compute_the_same_to_a_ten_thousandth_of_a_millimetre(name):
    pytest.importorskip("medpy")
    pytest.importorskip("monai")
    prediction, truth = (each.mask(64) for each in OBJECTS[name])
    found = surface_metrics(prediction, truth, SPACING)
    hd, pooled, assd = medpy_calls(prediction, truth, SPACING)()
    assert found["hd"] == pytest.approx(hd, abs=1e-4)
    assert found["assd"] == pytest.approx(assd, abs=1e-4)
    assert found["hd95"] == pytest.approx(monai_hd95(prediction, truth, SPACING)(), abs=1e-4)
    comparison = Comparison(prediction, truth, SPACING)
    assert METRICS["hd95_pooled"].compute(comparison) == pytest.approx(pooled, abs=1e-4)


def test_without_the_libraries_ours_is_still_timed(monkeypatch):
    found = importlib.util.find_spec
    gone = {"medpy", "monai"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name in gone else found(name, *rest)
    )
    row = measured("small")
    assert row.comparison.against == {}
    cells = row.cells(Metrics.baselines)
    assert cells["vs MedPy (wall)"] == cells["vs MONAI (wall)"] == "not installed"


def test_objects_have_the_sizes_that_their_names_promise():
    voxels = {name: [np.count_nonzero(each.mask(256)) for each in pair] for name, pair in OBJECTS.items()}
    assert max(voxels["small"]) < 2_000
    assert 20_000 < min(voxels["medium"]) <= max(voxels["medium"]) < 100_000
    assert min(voxels["large"]) > 500_000
    far = np.stack([each.mask(256) for each in OBJECTS["far"]])
    assert not far.all(axis=0).any()
