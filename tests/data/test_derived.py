"""What follows from the labels: right, computed once, and moved exactly as the images are."""

import os

import numpy as np
import pytest

from harness.data.augment import parse_augmentations
from harness.data.batches import BatchTable, TrainingSlices
from harness.data.case import IGNORE
from harness.data.derived import DERIVED
from harness.data.description import describe
from harness.data.prepare import prepare
from harness.data.prepared import open_prepared
from harness.errors import InputError
from harness.geometry import component_cells, components, signed_distance_maps, skeleton_tube
from harness.losses import LOSSES
from tests.conftest import write_nifti

torch = pytest.importorskip("torch")

MANIFEST = """\
name: spots
title: Spots of two classes
layout: files
files: {channels: ["{case}_image.nii.gz"], label: "{case}_label.nii.gz", patient: "(p[0-9])"}
channels: [a]
classes: {1: red, 2: blue}
labels: {0: 0, 1: 1, 2: 2, 3: ignore}
size: [12, 14]
"""
SPACINGS = {"p0": (0.5, 0.75, 3.0), "p1": (1.0, 1.25, 2.0)}
BOTH = ("flip_horizontal", "flip_vertical")


@pytest.fixture(scope="module")
def spots(tmp_path_factory):
    """Two cases of four slices with spots, some ignored pixels, and spacings of their own."""
    root = tmp_path_factory.mktemp("spots")
    generator = np.random.default_rng(2)
    for case, spacing in SPACINGS.items():
        label = generator.choice([0, 1, 2, 3], p=[0.85, 0.07, 0.06, 0.02], size=(14, 12, 4)).astype(np.uint8)
        label[..., 0] = 0
        label[3:10, 4:10, 1] = 1  # wide enough to have a skeleton
        write_nifti(root / "spots" / f"{case}_label.nii.gz", label, spacing)
        image = generator.normal(size=label.shape).astype(np.float32)
        write_nifti(root / "spots" / f"{case}_image.nii.gz", image, spacing)
    (root / "spots.yaml").write_text(MANIFEST)
    return prepare(describe("spots.yaml", root), root, tmp_path_factory.mktemp("cache"))


def slices_with(dataset, *needs, augment=BOTH):
    cpu = torch.device("cpu")
    return TrainingSlices(dataset, dataset.cases, frozenset(needs), cpu, parse_augmentations(augment))


def batches(dataset, slices, epoch=0):
    return slices.batches(BatchTable(dataset.fingerprint), epoch, 3)


@pytest.mark.parametrize("unit", [False, True])
def test_distance_maps_are_those_of_each_slice(spots, unit):
    for case in spots.cases:
        spacing = (1.0, 1.0) if unit else case.spacing[1:]
        found = spots.derived(case, "voxel_distance_maps" if unit else "distance_maps")
        assert found.dtype == np.float32
        for labels, maps in zip(spots.labels(case), found, strict=True):
            np.testing.assert_array_equal(maps, signed_distance_maps(labels, 3, spacing))


@pytest.mark.parametrize("unit", [False, True])
def test_distance_maps_in_3d_see_the_neighbouring_slices(spots, unit):
    for case in spots.cases:
        spacing = (1.0, 1.0, 1.0) if unit else case.spacing
        found = spots.derived(case, "voxel_distance_maps_3d" if unit else "distance_maps_3d")
        volume = signed_distance_maps(spots.labels(case), 3, spacing)
        assert found.shape == (4, 3, 12, 14)
        np.testing.assert_array_equal(found.swapaxes(0, 1), volume)
        assert found[0, 1].min() > 0  # the empty slice has its distance to the next one


def test_components_cells_and_skeletons_are_those_of_each_slice(spots):
    for case in spots.cases:
        for z, labels in enumerate(spots.labels(case)):
            numbers = components(labels, 3)
            found = {name: spots.derived(case, name)[z] for name in ("components", "cells", "skeletons")}
            np.testing.assert_array_equal(found["components"], numbers)
            assert not found["cells"][0].any()
            for label in (1, 2):
                cells = component_cells(np.where(labels == label, numbers, 0), case.spacing[1:])
                np.testing.assert_array_equal(found["cells"][label], cells)
            np.testing.assert_array_equal(found["skeletons"], skeleton_tube((labels == 1) | (labels == 2)))
            assert not found["skeletons"][labels == IGNORE].any()
    assert found["components"].dtype == found["cells"].dtype == np.int16
    assert found["skeletons"].dtype == bool


def test_component_numbers_beyond_16_bits_get_more():
    labels = np.zeros((1, 400, 400), dtype=np.uint8)
    labels[:, ::2, ::2] = 1
    found = DERIVED["components"](labels, 2, (1.0, 1.0, 1.0))
    assert found.dtype == np.int32
    assert found.max() == 40_000


def test_derived_arrays_are_computed_once(spots, monkeypatch):
    first = {name: spots.derived(spots.cases[0], name) for name in DERIVED}
    for name, array in first.items():
        path = spots.folder / f"00000-{name}.npy"
        assert array.filename == path
        os.utime(path, (1, 1))
    monkeypatch.setattr(DERIVED, "_entries", dict.fromkeys(DERIVED, None))
    again = open_prepared(spots.folder)
    for name, array in first.items():
        np.testing.assert_array_equal(again.derived(again.cases[0], name), array)
        assert (spots.folder / f"00000-{name}.npy").stat().st_mtime == 1


def test_what_is_not_derived_is_refused(spots):
    with pytest.raises(
        InputError, match="unknown derived array 'distance_map'; did you mean 'distance_maps'"
    ):
        spots.derived(spots.cases[0], "distance_map")
    with pytest.raises(InputError, match="unknown derived array 'truth'"):
        spots.derived(spots.cases[0], "truth")
    with pytest.raises(
        ValueError, match="the loss needs depth, mood, which no prepared dataset holds; known"
    ):
        slices_with(spots, "mood", "distance_maps", "depth")


@pytest.mark.parametrize(
    "name", ["distance_maps", "voxel_distance_maps", "distance_maps_3d", "voxel_distance_maps_3d"]
)
def test_distance_maps_of_flipped_images_are_the_flipped_maps(spots, name):
    """Against maps of the flipped labels; in 3D a whole volume has to be flipped alike."""
    if name.endswith("3d"):
        case = spots.cases[0]
        args = (spots.n_classes, case.spacing)
        labels = np.array(spots.labels(case))
        for axis in (-1, -2):
            np.testing.assert_allclose(
                DERIVED[name](np.flip(labels, axis), *args),
                np.flip(spots.derived(case, name), axis),
                atol=1e-6,
            )
        return
    for batch in batches(spots, slices_with(spots, name, "spacing")):
        for labels, maps, spacing in zip(
            batch.labels, batch.needs[name], batch.needs["spacing"], strict=True
        ):
            size = spacing[1:].tolist() if name == "distance_maps" else (1.0, 1.0)
            np.testing.assert_allclose(maps, signed_distance_maps(labels.numpy(), 3, size), atol=1e-6)


def test_every_derived_array_is_flipped_with_its_image(spots):
    """Each slice of a batch is one stored slice in one of four positions: image and arrays alike."""
    slices = slices_with(spots, *DERIVED)
    stored = {
        name: torch.from_numpy(np.concatenate([spots.derived(case, name) for case in spots.cases]))
        for name in DERIVED
    }
    images, labels = (
        torch.from_numpy(np.concatenate([of(case) for case in spots.cases]))
        for of in (spots.images, spots.labels)
    )
    positions = set()
    for batch in (batch for epoch in range(6) for batch in batches(spots, slices, epoch)):
        assert set(batch.needs) == set(DERIVED)
        for place, image in enumerate(batch.images):
            index, axes = next(
                (index, axes)
                for index in range(len(slices))
                for axes in ((), (-1,), (-2,), (-1, -2))
                if torch.equal(image, images[index].flip(axes))
            )
            positions.add(axes)
            assert torch.equal(batch.labels[place], labels[index].flip(axes).long())
            for name, array in stored.items():
                assert torch.equal(batch.needs[name][place], array[index].flip(axes)), name
    assert len(positions) == 4


def test_spacing_rows_belong_to_their_slices(spots):
    plain = slices_with(spots, "spacing", augment=())
    images = torch.from_numpy(np.concatenate([spots.images(case) for case in spots.cases]))
    seen = set()
    for batch in batches(spots, plain):
        assert batch.needs["spacing"].shape == (len(batch.images), 3)
        assert batch.needs["spacing"].dtype == torch.float32
        for image, row in zip(batch.images, batch.needs["spacing"], strict=True):
            index = next(i for i in range(len(plain)) if torch.equal(image, images[i]))
            assert tuple(row.tolist()) == pytest.approx(spots.cases[index // 4].spacing)
            seen.add(tuple(row.tolist()))
    assert seen == {(3.0, 0.75, 0.5), (2.0, 1.25, 1.0)}


def test_class_counts_are_those_of_all_training_slices(spots):
    labels = np.concatenate([spots.labels(case) for case in spots.cases])
    for batch in batches(spots, slices_with(spots, "class_counts")):
        assert batch.needs["class_counts"].tolist() == [(labels == label).sum() for label in range(3)]


def test_nothing_is_loaded_that_no_loss_needs(discs, discs_data, tmp_path):
    fresh = prepare(discs, discs_data, tmp_path)
    (batch, *_) = batches(fresh, slices_with(fresh))
    assert batch.needs == {}
    assert not [path for path in fresh.folder.iterdir() if path.stem[6:] in DERIVED]


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_the_data_gives_every_registered_loss_what_it_needs(spots, name):
    loss = LOSSES[name](ignore_label=IGNORE)
    batch = next(batches(spots, slices_with(spots, *loss.needs)))
    assert set(batch.needs) == loss.needs
    logits = torch.randn(len(batch.labels), 3, 12, 14, generator=torch.Generator().manual_seed(0))
    assert torch.isfinite(loss(logits, batch.labels, **batch.needs))
