"""The prepared cache: idempotent, atomic, exact, and fingerprinted by content."""

import shutil

import numpy as np
import pytest

from harness.data.batches import BatchTable, TrainingSlices, _flip
from harness.data.normalise import fit
from harness.data.prepare import prepare
from harness.errors import InputError
from tests.conftest import write_discs

torch = pytest.importorskip("torch")


def test_second_call_opens_the_same_cache(discs, discs_data, prepared_discs):
    before = sorted(path.stat().st_mtime_ns for path in prepared_discs.folder.iterdir())
    again = prepare(discs, discs_data, prepared_discs.folder.parent)
    assert again == prepared_discs
    assert sorted(path.stat().st_mtime_ns for path in prepared_discs.folder.iterdir()) == before


def test_fingerprint_follows_voxels_and_options_only(discs, discs_data, prepared_discs, tmp_path):
    elsewhere = tmp_path / "copy"
    shutil.copytree(discs_data / "discs", elsewhere / "discs")
    assert prepare(discs, elsewhere, tmp_path / "a").fingerprint == prepared_discs.fingerprint
    renamed = discs.model_copy(update={"title": "Another title"})
    assert prepare(renamed, elsewhere, tmp_path / "b").fingerprint == prepared_discs.fingerprint
    cropped = discs.model_copy(update={"size": (16, 16)})
    assert prepare(cropped, elsewhere, tmp_path / "c").fingerprint != prepared_discs.fingerprint
    write_discs(elsewhere / "discs", patients=1, size=28)
    (elsewhere / "discs" / "labels" / "p1.nii.gz").write_bytes(
        (elsewhere / "discs" / "labels" / "p2.nii.gz").read_bytes()
    )
    assert prepare(discs, elsewhere, tmp_path / "d").fingerprint != prepared_discs.fingerprint


def test_failure_leaves_nothing_behind(discs, discs_data, tmp_path):
    shutil.copytree(discs_data / "discs", tmp_path / "data" / "discs")
    (tmp_path / "data" / "discs" / "images" / "p5_a.nii.gz").write_bytes(b"broken")
    with pytest.raises(InputError, match="case 'p5'"):
        prepare(discs, tmp_path / "data", tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_slices_restack_to_the_source_volume(prepared_discs):
    for case in prepared_discs.cases:
        restacked = prepared_discs.restack(case, np.array(prepared_discs.labels(case)))
        np.testing.assert_array_equal(restacked, prepared_discs.truth(case))


@pytest.mark.parametrize("shape", [(9, 12), (16, 16), (17, 31), (8, 40)])
def test_fit_and_back_keeps_what_was_inside(shape):
    array = np.random.default_rng(1).normal(size=(2, *shape))
    window = fit(array, (16, 16))
    back = fit(window, shape)
    kept = back != 0
    np.testing.assert_array_equal(back[kept], array[kept])
    assert kept.sum() == 2 * min(shape[0], 16) * min(shape[1], 16)


def test_images_are_normalised_per_case(prepared_discs, discs_data):
    for case in prepared_discs.cases:
        inner = fit(np.array(prepared_discs.images(case)), case.shape[1:])
        assert inner.mean(axis=(0, 2, 3)) == pytest.approx(0, abs=1e-5)
        assert inner.std(axis=(0, 2, 3)) == pytest.approx(1, abs=1e-4)


def test_every_loss_sees_the_same_batches(prepared_discs):
    table = BatchTable(prepared_discs.fingerprint, seed=1, fold=0)
    cases, cpu = prepared_discs.cases[:4], torch.device("cpu")
    plain = TrainingSlices(prepared_discs, cases, frozenset(), cpu)
    with_maps = TrainingSlices(prepared_discs, cases, frozenset({"distance_maps"}), cpu)
    both = ("flip_horizontal", "flip_vertical")
    for first, second in zip(
        plain.batches(table, 3, 4, both), with_maps.batches(table, 3, 4, both), strict=True
    ):
        assert torch.equal(first.images, second.images)
        assert torch.equal(first.labels, second.labels)


def test_horizontal_flip_mirrors_columns_only():
    batch = torch.arange(2 * 2 * 3).reshape(2, 2, 3)
    flipped = _flip(batch, torch.tensor([[True, False], [False, True]]))
    assert torch.equal(flipped[0], batch[0].flip(-1))
    assert torch.equal(flipped[1], batch[1].flip(0))


def test_order_moves_with_seed_and_epoch():
    orders = {
        tuple(BatchTable("ab" * 8, seed, 0).order(epoch, 50)) for seed in range(3) for epoch in range(3)
    }
    assert len(orders) == 9


def test_a_folder_may_have_the_archives_own_name(discs, discs_data, tmp_path):
    official = discs.model_copy(update={"folders": ("Task99_Discs",)})
    shutil.copytree(discs_data / "discs", tmp_path / "Task99_Discs")
    assert official.folder_in(tmp_path).name == "Task99_Discs"
    assert official.folder_in(discs_data).name == "discs"
    assert official.folder_in(tmp_path / "nowhere").name == "discs"
