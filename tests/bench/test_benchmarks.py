"""The benchmarks on tiny tensors: which rows there are and what is in them, never how long they took."""

import importlib.util

import numpy as np
import pytest
import torch

from harness.bench import BENCHMARKS, BenchOptions, run_benchmark
from harness.bench.distance_maps import scipy_maps
from harness.bench.losses import TRANSFORMS_THE_PREDICTION, Losses
from harness.bench.measure import Settings
from harness.bench.peers import PEERS
from harness.bench.scene import SPACING, Scene, blob_labels
from harness.errors import InputError
from harness.geometry import signed_distance_maps
from harness.losses import ALIASES, LOSSES, parse_loss

QUICK = Settings(rounds=1, sample_seconds=1e-6, retries=0)
SIZE = 32


def tiny(*only: str, **changes: object) -> BenchOptions:
    return BenchOptions(only=only, size=SIZE, settings=QUICK, **changes)


@pytest.fixture(scope="module")
def scene():
    return Scene.of((4, 4, SIZE, SIZE), "cpu")


def rows(benchmark: str, *only: str, **changes: object):
    return {row.name: row for row in run_benchmark(benchmark, tiny(*only, **changes))}


def test_every_loss_and_every_short_name_is_a_row():
    assert set(Losses(tiny()).names()) == {*LOSSES, *ALIASES}


@pytest.mark.parametrize("name", sorted({*LOSSES, *ALIASES}))
def test_every_loss_can_be_timed(name):
    row = rows("losses", name)[name]
    assert not row.error
    assert row.comparison.against["ce"].busy > 0


@pytest.mark.parametrize("name", sorted({*LOSSES, *ALIASES}))
def test_what_a_loss_needs_is_computed_before_its_step(name, scene):
    needs = parse_loss(name).build().needs
    assert set(scene.needs(needs)) == set(needs)


def test_a_loss_that_raises_is_a_row_with_the_reason(monkeypatch):
    def broken(*_arguments, **_needs):
        raise ValueError("distance maps are missing\nand more")

    monkeypatch.setattr(LOSSES["dice"], "value", broken)
    found = rows("losses", "ce", "dice")
    assert found["dice"].error == "ValueError: distance maps are missing"
    assert found["dice"].verdict == "error"
    assert not found["ce"].error


def test_without_monai_ours_is_still_timed_against_ce(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "monai" else found(name, *rest)
    )
    row = rows("losses", "dice")["dice"]
    assert set(row.comparison.against) == {"ce"}
    assert row.cells(Losses.baselines)["vs peer (wall)"] == "not installed"


@pytest.mark.skipif(not PEERS["dice"].installed, reason="MONAI is not installed (the 'bench' extra)")
def test_a_peer_that_raises_does_not_hide_our_time(monkeypatch):
    monkeypatch.setattr("monai.losses.DiceLoss.forward", lambda *_: 1 / 0)
    row = rows("losses", "dice")["dice"]
    assert set(row.comparison.against) == {"ce"}
    assert row.cells(Losses.baselines)["vs peer (wall)"] == "failed"
    assert row.note == "MONAI DiceLoss: ZeroDivisionError: division by zero"


def test_boundary_family_with_cached_maps_has_a_target_against_ce():
    targets = rows("losses", "boundary", "dice", "gdl_boundary")
    assert targets["boundary"].targets["ce"] == 1.3
    assert "ce" not in targets["dice"].targets
    assert "ce" not in targets["gdl_boundary"].targets
    assert set(LOSSES) >= TRANSFORMS_THE_PREDICTION


def test_hausdorff_has_to_be_twenty_times_faster():
    assert PEERS["hausdorff"].at_most == 1 / 20


def test_rows_can_be_picked_and_unknown_ones_are_refused():
    assert list(rows("losses", "dice", "ce")) == ["ce", "dice"]
    with pytest.raises(InputError, match="benchmark 'losses' has no row 'dise'; did you mean 'dice'"):
        run_benchmark("losses", tiny("dise"))


def test_unknown_benchmark_and_device_are_refused():
    with pytest.raises(InputError, match="unknown benchmark 'loses'; did you mean 'losses'"):
        run_benchmark("loses", tiny())
    with pytest.raises(InputError, match="unknown device 'tpu'"):
        run_benchmark("losses", tiny(device="tpu"))


def test_threads_are_set_for_the_rows_and_put_back(monkeypatch):
    during = []
    monkeypatch.setattr(Losses, "row", lambda self, name: during.append(torch.get_num_threads()))
    before = torch.get_num_threads()
    run_benchmark("losses", tiny("ce", threads=before + 1))
    assert during == [before + 1]
    assert torch.get_num_threads() == before


def test_progress_hears_of_every_row_before_it_begins():
    heard = []
    run_benchmark("losses", tiny("ce", "dice"), lambda *told: heard.append(told))
    assert heard == [(0, 2, "ce"), (1, 2, "dice")]


@pytest.mark.parametrize("name", ["2d", "3d"])
def test_distance_maps_are_timed_against_scipy(name):
    row = rows("distance_maps", name)[name]
    assert not row.error
    assert set(row.comparison.against) == {"scipy"} == set(row.targets)


def test_scipy_by_hand_computes_the_same_maps():
    volume = blob_labels((6, SIZE, SIZE), 4)
    np.testing.assert_allclose(
        scipy_maps(volume, 4, SPACING), signed_distance_maps(volume, 4, SPACING), atol=1e-4
    )


def test_every_benchmark_has_a_title_and_names_its_rows():
    for benchmark in BENCHMARKS.values():
        assert benchmark.title()
        assert benchmark(tiny()).names()


def test_labels_are_structures_of_every_class_not_noise(scene):
    labels = scene.labels
    assert labels.unique().tolist() == [0, 1, 2, 3]
    assert (labels[:, :, 1:] == labels[:, :, :-1]).float().mean() > 0.9
    assert ((scene.logits.argmax(1) == labels).float().mean()) > 0.8
    assert Scene.of((1, 2, 16, 16), "cpu").labels.unique().tolist() == [0, 1]


def test_peers_are_of_registered_names():
    assert set(PEERS) <= {*LOSSES, *ALIASES}


@pytest.mark.parametrize("name", sorted(PEERS))
def test_peer_gives_a_finite_value_and_gradient(name, scene):
    peer = PEERS[name]
    if not peer.installed:
        pytest.skip("MONAI is not installed (the 'bench' extra)")
    logits = scene.logits.detach().requires_grad_()
    value = peer.build(4)(logits, scene.labels)
    value.backward()
    assert value.isfinite()
    assert logits.grad.isfinite().all()
    assert logits.grad.any()


@pytest.mark.parametrize("name", sorted(PEERS))
def test_peer_without_a_note_computes_the_same(name, scene):
    peer = PEERS[name]
    if peer.note or not peer.installed:
        pytest.skip("the formulas differ, or MONAI is not installed")
    logits, ours = scene.logits.detach(), parse_loss(name).build()
    value = ours(logits, scene.labels, **scene.needs(ours.needs))
    torch.testing.assert_close(peer.build(4)(logits, scene.labels), value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["prepare", "load", "batch"])
def test_data_is_timed_against_what_people_write_by_hand(name):
    row = rows("data", name)[name]
    assert not row.error
    assert row.comparison.against["nibabel"].busy > 0
    assert ("volumes/s" in row.note) == (name == "prepare")


def test_the_volume_loaded_by_hand_is_the_prepared_one(tmp_path):
    from harness.bench.data import description, load_by_hand, write_volume
    from harness.data.prepare import prepare

    write_volume(tmp_path / "volumes" / "v0", SIZE, 0)
    prepared = prepare(description(SIZE), tmp_path, tmp_path / "cache")
    _, labels = load_by_hand(tmp_path / "volumes" / "v0")
    np.testing.assert_array_equal(prepared.labels(prepared.cases[0]), labels.transpose(2, 1, 0))
