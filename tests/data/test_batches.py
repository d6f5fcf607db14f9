"""Batches: the same for every loss, repeatable, and rich in foreground where that is asked for."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data import storage
from harness.data.augment import VOLUME_ARRAYS, parse_augmentations
from harness.data.batches import BatchTable, TrainingSlices, split_digest
from harness.data.derived import DERIVED
from harness.data.prepared import PreparedDataset
from harness.data.splits import HoldoutSplit, KFoldSplit
from harness.data.storage import SlicesInFiles, SlicesInMemory
from harness.errors import InputError

torch = pytest.importorskip("torch")

CPU = torch.device("cpu")
FLIPS = parse_augmentations(["flip_horizontal", "flip_vertical"])


def table_of(seed=0):
    return BatchTable("ab" * 32, split_digest(HoldoutSplit()), seed, 0)


def test_every_loss_sees_the_same_batches(prepared_discs):
    plain, with_maps = (
        TrainingSlices(prepared_discs, prepared_discs.cases[:4], frozenset(needs), CPU, FLIPS)
        for needs in ((), ("distance_maps", "spacing"))
    )
    batches = (slices.batches(table_of(), 3, 4, 0.5) for slices in (plain, with_maps))
    for first, second in zip(*batches, strict=True):
        assert torch.equal(first.images, second.images)
        assert torch.equal(first.labels, second.labels)


def test_an_epoch_shows_every_slice_once(prepared_discs):
    slices = TrainingSlices(prepared_discs, prepared_discs.cases, frozenset(), CPU)
    shown = torch.cat([batch.images for batch in slices.batches(table_of(), 0, 5)])
    stored = np.concatenate([prepared_discs.images(case) for case in prepared_discs.cases])
    assert sorted(image.numpy().tobytes() for image in shown) == sorted(image.tobytes() for image in stored)


def test_order_moves_with_seed_and_epoch():
    orders = {tuple(table_of(seed).order(epoch, 50)) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9


def test_the_digest_of_a_split_tells_splits_apart():
    splits = [HoldoutSplit(), HoldoutSplit(test=3), KFoldSplit(), KFoldSplit(k=4)]
    assert len({split_digest(split) for split in splits}) == len(splits)
    assert split_digest(HoldoutSplit(test=0.2)) == split_digest(HoldoutSplit())


@settings(deadline=None)  # a loaded machine is no error
@given(
    share=st.integers(0, 99).map(lambda percent: percent / 100),
    batch_size=st.integers(1, 12),
    foreground=st.lists(st.booleans(), min_size=1, max_size=60).filter(any),
    epoch=st.integers(0, 3),
)
def test_every_batch_holds_the_share_of_foreground(share, batch_size, foreground, epoch):
    foreground = np.array(foreground)
    order = table_of().oversampled_order(epoch, foreground, batch_size, share)
    plain = table_of().order(epoch, len(foreground))
    assert len(order) == len(foreground)
    for start in range(0, len(order), batch_size):
        batch = slice(start, start + batch_size)
        size, there = len(order[batch]), foreground[order[batch]].sum()
        before = foreground[plain[batch]].sum()
        assert there == max(before, math.ceil(round(share * size, 6)))
        replaced = order[batch] != plain[batch]
        assert replaced.sum() == there - before
        assert not foreground[plain[batch][replaced]].any()
    assert (order == table_of().oversampled_order(epoch, foreground, batch_size, share)).all()


def test_substitutes_are_dealt_out_evenly():
    foreground = np.arange(100) < 10
    order = table_of().oversampled_order(0, foreground, 10, 0.5)
    times = np.bincount(order, minlength=100)[:10]
    assert times.sum() >= 50
    assert times.max() - times.min() <= 2


def test_a_share_of_foreground_in_real_batches(prepared_discs):
    """Each case of the discs has one empty slice of three."""
    slices = TrainingSlices(prepared_discs, prepared_discs.cases, frozenset(), CPU)
    for batch in slices.batches(table_of(), 0, 4, 0.9):
        assert (batch.labels > 0).any((1, 2)).all()


def test_foreground_cannot_be_oversampled_where_there_is_none(prepared_discs, monkeypatch):
    labels = PreparedDataset.labels
    monkeypatch.setattr(PreparedDataset, "labels", lambda self, case: np.zeros_like(labels(self, case)))
    slices = TrainingSlices(prepared_discs, prepared_discs.cases, frozenset(), CPU)
    with pytest.raises(
        InputError, match=r"oversample_foreground is 0.33, but none of the 24 training slices"
    ):
        next(slices.batches(table_of(), 0, 4, 0.33))
    assert len(list(slices.batches(table_of(), 0, 4))) == 6


def test_warps_are_refused_where_a_loss_needs_maps_of_volumes(prepared_discs):
    augment = parse_augmentations(["flip_horizontal", "rotation", "elastic"])
    for need in ("distance_maps_3d", "voxel_distance_maps_3d"):
        with pytest.raises(
            InputError, match=rf"needs {need}, .* asks for elastic, rotation; .*dimensions: 2"
        ):
            TrainingSlices(prepared_discs, prepared_discs.cases, frozenset({need}), CPU, augment)
        isometries = parse_augmentations(["flip_horizontal", "rotate90", "shift"])
        slices = TrainingSlices(prepared_discs, prepared_discs.cases, frozenset({need}), CPU, isometries)
        assert next(slices.batches(table_of(), 0, 4)).needs[need].shape == (4, 2, 32, 32)


@pytest.mark.parametrize("name", sorted(DERIVED))
def test_arrays_that_one_slice_does_not_determine_are_known(name):
    """Every other array of a volume is that of its slices, one by one."""
    labels = np.zeros((3, 16, 16), np.uint8)
    labels[1, 4:9, 3:12], labels[2, 6:8, 5:9], labels[2, 12:14, 2:5] = 1, 2, 1
    spacing = (2.0, 0.5, 1.0)
    volume = DERIVED[name](labels, 3, spacing)
    slices = np.concatenate([DERIVED[name](image[None], 3, spacing) for image in labels])
    assert np.array_equal(volume, slices) == (name not in VOLUME_ARRAYS)


def test_quarter_turns_are_refused_for_oblong_slices(prepared_discs, monkeypatch):
    images = PreparedDataset.images
    monkeypatch.setattr(PreparedDataset, "images", lambda self, case: images(self, case)[..., :30])
    with pytest.raises(InputError, match="'rotate90' needs square slices, but these are 32 x 30 pixels"):
        TrainingSlices(
            prepared_discs, prepared_discs.cases, frozenset(), CPU, parse_augmentations(["rotate90"])
        )


def test_slices_stay_in_the_files_where_memory_is_short(prepared_discs, monkeypatch):
    images = sum(prepared_discs.images(case).nbytes for case in prepared_discs.cases)
    labels = sum(prepared_discs.labels(case).nbytes for case in prepared_discs.cases)
    enough = 2 * (images + labels)
    for free, kind in ((enough, SlicesInMemory), (enough - 1, SlicesInFiles), (None, SlicesInMemory)):
        monkeypatch.setattr(storage, "_free_bytes", lambda device, free=free: free)
        slices = TrainingSlices(prepared_discs, prepared_discs.cases, frozenset(), CPU)
        assert isinstance(slices._store, kind)


def test_the_free_memory_is_known_here():
    assert storage._free_bytes(CPU) > 2**20
