"""What every augmentation keeps; a new one is tested here by being registered."""

import numpy as np
import pytest

from harness.data.augment import AUGMENTATIONS, Appearance, Isometry, Warp, parse_augmentations
from harness.data.batches import BatchTable
from harness.data.case import IGNORE
from harness.data.derived import DERIVED
from harness.geometry import signed_distance_maps

torch = pytest.importorskip("torch")

EVERY = sorted(AUGMENTATIONS)
WARPS = [name for name in EVERY if issubclass(AUGMENTATIONS[name], Warp)]
ISOMETRIES = [name for name in EVERY if issubclass(AUGMENTATIONS[name], Isometry)]
PER_SLICE = ("distance_maps", "voxel_distance_maps", "components", "cells", "skeletons")


def always(name):
    return {"name": name, "probability": 1.0}


def sometimes(name):
    return {"name": name, "probability": 0.5}


def images_and_labels(batches):
    return torch.cat([batch.images for batch in batches]), torch.cat([batch.labels for batch in batches])


def equal(first, second):
    return all(map(torch.equal, images_and_labels(first), images_and_labels(second)))


@pytest.mark.parametrize("name", EVERY)
def test_losses_with_different_needs_see_the_same_batches(blobs, epoch_of, name):
    plain = epoch_of(blobs, [sometimes(name)])
    assert equal(plain, epoch_of(blobs, [sometimes(name)], PER_SLICE))
    assert equal(plain, epoch_of(blobs, [sometimes(name)], ["spacing", "class_counts"]))


@pytest.mark.parametrize("name", EVERY)
def test_batches_do_not_depend_on_their_size(blobs, epoch_of, name):
    one = epoch_of(blobs, [sometimes(name)], batch_size=1)
    for size in (3, 10):
        for first, second in zip(
            images_and_labels(one),
            images_and_labels(epoch_of(blobs, [sometimes(name)], batch_size=size)),
            strict=True,
        ):
            torch.testing.assert_close(first, second, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", EVERY)
def test_it_acts_with_its_probability_and_anew_in_every_epoch(blobs, epoch_of, name):
    never = epoch_of(blobs, [{"name": name, "probability": 0.0}])
    assert equal(never, epoch_of(blobs, []))
    assert not equal(never, epoch_of(blobs, [always(name)]))
    assert equal(epoch_of(blobs, [sometimes(name)]), epoch_of(blobs, [sometimes(name)]))
    assert not equal(epoch_of(blobs, [sometimes(name)], epoch=1), epoch_of(blobs, [sometimes(name)]))


@pytest.mark.parametrize("name", EVERY)
def test_another_augmentation_does_not_move_its_draws(blobs, epoch_of, name):
    others = [{"name": other, "probability": 0.0} for other in EVERY if other != name]
    alone, among = epoch_of(blobs, [sometimes(name)]), epoch_of(blobs, [*others, sometimes(name)])
    assert equal(alone, among)


@pytest.mark.parametrize("name", EVERY)
def test_its_own_probability_does_not_move_its_draws(blobs, epoch_of, name):
    """A slice that is changed at probability one half is changed alike at one."""
    order = images_and_labels(epoch_of(blobs, []))
    half, one = (images_and_labels(epoch_of(blobs, [each(name)])) for each in (sometimes, always))
    for image, at_half, at_one in zip(order[0], half[0], one[0], strict=True):
        assert torch.equal(at_half, image) or torch.equal(at_half, at_one)


@pytest.mark.parametrize("name", EVERY)
def test_images_and_labels_move_together(drawn_labels, epoch_of, name):
    images, labels = images_and_labels(epoch_of(drawn_labels, [always(name)]))
    if issubclass(AUGMENTATIONS[name], Appearance):
        assert torch.equal(labels, images_and_labels(epoch_of(drawn_labels, []))[1])
    elif issubclass(AUGMENTATIONS[name], Isometry):
        assert torch.equal(images[:, 0].long(), labels)
    else:
        for code in (0, 1, 2, IGNORE):  # between pixels of one code the image shows that code
            flat = torch.nn.functional.max_pool2d((images - code).abs(), 3, stride=1, padding=1) < 1e-4
            assert (labels[flat[:, 0]] == code).all()
            assert flat.any(), code


@pytest.mark.parametrize("name", EVERY)
def test_labels_stay_codes_and_the_ignored_stay_ignored(blobs, epoch_of, name):
    _, labels = images_and_labels(epoch_of(blobs, [always(name)]))
    assert labels.unique().tolist() == [0, 1, 2, IGNORE]


@pytest.mark.parametrize("name", EVERY)
def test_mapped_slices_give_the_bits_of_slices_in_memory(blobs, epoch_of, name):
    memory, mapped = (
        epoch_of(blobs, [sometimes(name)], (*PER_SLICE, "spacing", "class_counts"), storage=storage)
        for storage in ("memory", "mapped")
    )
    assert equal(memory, mapped)
    for first, second in zip(memory, mapped, strict=True):
        assert first.needs.keys() == second.needs.keys()
        for need, array in first.needs.items():
            assert array.dtype == second.needs[need].dtype
            assert torch.equal(array, second.needs[need]), need


@pytest.mark.parametrize("name", EVERY)
def test_its_name_stands_for_all_its_defaults(name):
    (bare,), (written,) = parse_augmentations([name]), parse_augmentations([{"name": name}])
    assert bare == written == AUGMENTATIONS[name](name=name)
    dumped = bare.model_dump(mode="json")
    assert dumped["name"] == name
    assert 0 < dumped["probability"] <= 1
    assert parse_augmentations([dumped]) == (bare,)
    assert AUGMENTATIONS[name].__doc__


@pytest.mark.parametrize("name", [name for name in ISOMETRIES if name != "shift"])
def test_moved_maps_are_the_maps_of_the_moved_labels(blobs, epoch_of, name):
    """On oblong pixels: the spacing of a slice on its side has changed places."""
    for batch in epoch_of(blobs, [sometimes(name)], (*PER_SLICE, "spacing")):
        for place, label in enumerate(batch.labels.numpy().astype(np.uint8)):
            spacing = tuple(batch.needs["spacing"][place].tolist())
            for need in ("distance_maps", "voxel_distance_maps"):
                expected = DERIVED[need](label[None], 3, spacing)[0]
                np.testing.assert_allclose(batch.needs[need][place], expected, atol=1e-5)


@pytest.mark.parametrize("name", WARPS)
def test_maps_of_warped_slices_are_those_of_the_warped_labels(blobs, epoch_of, name):
    for batch in epoch_of(blobs, [sometimes(name)], (*PER_SLICE, "spacing")):
        for place, label in enumerate(batch.labels.numpy().astype(np.uint8)):
            spacing = tuple(batch.needs["spacing"][place].tolist())
            maps = signed_distance_maps(label, 3, spacing[1:])
            np.testing.assert_allclose(batch.needs["distance_maps"][place], maps, atol=1e-5)
            for need in PER_SLICE[1:]:
                expected = DERIVED[need](label[None], 3, spacing)[0]
                np.testing.assert_allclose(batch.needs[need][place], expected, atol=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_only_warped_slices_cost_distance_transforms(blobs, epoch_of, monkeypatch, name):
    from harness.data import derived

    epoch_of(blobs, [sometimes(name)], ["distance_maps"])  # fills the cache
    plain, _ = images_and_labels(epoch_of(blobs, []))
    changed, _ = images_and_labels(epoch_of(blobs, [sometimes(name)]))
    calls = []
    maps = derived.signed_distance_maps
    monkeypatch.setattr(derived, "signed_distance_maps", lambda *args: calls.append(1) or maps(*args))
    epoch_of(blobs, [sometimes(name)], ["distance_maps"])
    if name in WARPS:
        moved = sum(not torch.equal(*pair) for pair in zip(plain, changed, strict=True))
        assert 0 < moved < len(plain)
        assert len(calls) == moved
    else:
        assert calls == []


def test_every_stream_is_keyed_by_dataset_split_seed_fold_and_epoch():
    base = {"fingerprint": "ab" * 32, "split": "cd" * 32, "seed": 0, "fold": 0}
    changes = ({}, {"fingerprint": "12" * 32}, {"split": "34" * 32}, {"seed": 1}, {"fold": 1})
    tables = [BatchTable(**base | change) for change in changes]
    drawn = [table.generator("order", epoch).random() for table in tables for epoch in range(2)]
    drawn.append(tables[0].generator("shift", 0).random())
    assert len(set(drawn)) == len(drawn)
    assert tables[0].generator("order", 1).random() == drawn[1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
@pytest.mark.parametrize("name", EVERY)
def test_a_gpu_gives_the_batches_of_the_cpu(blobs, epoch_of, name):
    cpu, gpu = (
        epoch_of(blobs, [sometimes(name)], (*PER_SLICE, "spacing"), device=device)
        for device in ("cpu", "cuda")
    )
    for first, second in zip(cpu, gpu, strict=True):
        assert second.images.is_cuda
        torch.testing.assert_close(first.images, second.images.cpu(), rtol=1e-4, atol=1e-4)
        # A warped pixel that falls between two others may go either way.
        assert (first.labels != second.labels.cpu()).float().mean() < 0.005
        if name not in WARPS:
            for need, array in first.needs.items():
                assert torch.equal(array, second.needs[need].cpu()), need
