"""Masks stored mirrored against their images are found; right masks and undecidable ones are left alone."""

import json
from dataclasses import asdict
from time import perf_counter

import numpy as np
import pytest
from scipy import ndimage

from harness.data.checks.mirror import MIRRORINGS, MirrorEvidence, mirror_evidence, suspected_mirrors
from harness.data.description import catalogue
from harness.data.layouts import find_cases
from harness.data.read import read_case


def smooth_noise(generator, shape, width=(0.7, 2, 2)):
    noise = ndimage.gaussian_filter(generator.normal(size=shape), width)
    return noise / noise.std()


def brain(number, shape=(8, 48, 40), contrast=2.0):
    """A textured image with some bright lesions, and their mask."""
    generator = np.random.default_rng(number)
    blobs = smooth_noise(generator, shape)
    labels = (blobs > np.quantile(blobs, 0.98)).astype(np.uint8)
    image = np.stack([smooth_noise(generator, shape) + contrast * labels, smooth_noise(generator, shape)])
    return image.astype(np.float32), labels


def evidence(cases, mirrored=(), axes=(2,)):
    """Evidence of cases by name, some of them with their masks mirrored."""
    return {
        f"case_{number}": mirror_evidence(image, np.flip(labels, axes) if number in mirrored else labels, 2)
        for number, (image, labels) in enumerate(cases)
    }


@pytest.fixture(scope="module")
def brains():
    return [brain(number) for number in range(12)]


@pytest.mark.parametrize(
    ("axes", "name"),
    [
        ((2,), "left-right"),
        ((1,), "front-back"),
        ((0,), "up-down"),
        ((1, 2), "left-right and front-back"),
    ],
)
def test_mirrored_masks_are_found_with_their_axis(brains, axes, name):
    found = suspected_mirrors(evidence(brains, mirrored=(3, 7), axes=axes))
    assert [(each.case, each.axis) for each in found] == [("case_3", name), ("case_7", name)]
    assert all(0.5 < each.strength < 1.6 for each in found)


def test_right_masks_are_not_suspected(brains):
    assert suspected_mirrors(evidence(brains)) == []


def test_the_clause_compares_the_case_with_itself_mirrored_and_with_the_others(brains):
    (found,) = suspected_mirrors(evidence(brains, mirrored=(3,)))
    assert found.clause.startswith("the mask fits the image better when mirrored left-right (contrast ")
    assert " instead of " in found.clause
    assert "; other cases " in found.clause


def test_a_case_alone_is_suspected_where_its_mask_shows_clearly(brains):
    assert suspected_mirrors(evidence(brains[:1])) == []
    (found,) = suspected_mirrors(evidence(brains[:1], mirrored=(0,)))
    assert found.axis == "left-right"
    assert "border agreement" in found.clause


def test_a_dataset_of_mirrored_masks_only_is_suspected_as_a_whole(brains):
    found = suspected_mirrors(evidence(brains, mirrored=range(12)))
    assert len(found) >= 10
    assert {each.axis for each in found} == {"left-right"}


def test_masks_that_do_not_show_in_the_image_are_not_suspected():
    for seed in range(4):
        cases = [brain(100 * seed + number, contrast=0.0) for number in range(15)]
        assert suspected_mirrors(evidence(cases)) == []


def test_symmetric_masks_are_undecidable(brains):
    cases = [(image, labels | labels[:, :, ::-1]) for image, labels in brains]
    assert suspected_mirrors(evidence(cases, mirrored=(3,))) == []


def test_dark_structures_count_like_bright_ones(brains):
    cases = [(-image, labels) for image, labels in brains]
    assert [each.case for each in suspected_mirrors(evidence(cases, mirrored=(5,)))] == ["case_5"]


def test_empty_masks_and_missing_classes_say_nothing(brains):
    cases = [*brains, (brains[0][0], np.zeros_like(brains[0][1]))]
    found = evidence(cases)
    assert set(found["case_12"].stored) == {None}
    assert suspected_mirrors(found) == []
    assert suspected_mirrors({"only": found["case_12"]}) == []
    assert suspected_mirrors({}) == []


def test_ignored_voxels_are_no_surroundings(brains):
    image, labels = brains[0]
    ignored = np.where(ndimage.binary_dilation(labels, iterations=4) & (labels == 0), 255, labels)
    assert set(mirror_evidence(image, ignored.astype(np.uint8), 2).stored) == {None}


def test_a_constant_channel_has_no_contrast(brains):
    image = brains[0][0].copy()
    image[1] = 7
    numbers = mirror_evidence(image, brains[0][1], 2).stored
    assert numbers[3] == numbers[4] == 0
    assert np.isfinite(numbers).all()


def test_a_picture_is_mirrored_left_right_or_up_down():
    cases = [brain(number, shape=(1, 90, 80)) for number in range(10)]
    (found,) = suspected_mirrors(evidence(cases, mirrored=(2,), axes=(1,)))
    assert found.axis == "up-down"


def test_axes_are_named_after_the_plane(brains):
    found = evidence(brains, mirrored=(2,), axes=(1,))
    assert suspected_mirrors(found, "coronal")[0].axis == "up-down"
    assert suspected_mirrors(found, "sagittal")[0].axis == "up-down"
    found = evidence(brains, mirrored=(2,), axes=(0,))
    assert suspected_mirrors(found, "coronal")[0].axis == "front-back"


def test_scale_and_offset_of_the_image_do_not_matter(brains):
    image, labels = brains[0]
    plain, scaled = mirror_evidence(image, labels, 2), mirror_evidence(5000 * image + 9000, labels, 2)
    assert np.allclose(plain.stored, scaled.stored, atol=0.02)


def test_evidence_survives_json(brains):
    for each in evidence([*brains[:1], (brains[0][0], np.zeros_like(brains[0][1]))]).values():
        assert MirrorEvidence.from_json(json.loads(json.dumps(asdict(each), allow_nan=False))) == each


def test_evidence_is_cheap():
    image = np.random.default_rng(0).normal(size=(2, 48, 256, 256)).astype(np.float32)
    labels = np.zeros((48, 256, 256), np.uint8)
    labels[5:40, 40:200, 40:220] = 1
    start = perf_counter()
    mirror_evidence(image, labels, 2)
    assert perf_counter() - start < 2  # 0.05 s on an idle core


def read_evidence(root, name, every=1, mirrored=(), axes=(2,)):
    description = catalogue()[name]
    found = {}
    for files in find_cases(root / name, description)[::every]:
        case = read_case(files, description)
        labels = np.flip(case.labels, axes) if files.case in mirrored else case.labels
        found[files.case] = mirror_evidence(case.image, labels, description.n_classes)
    return found


@pytest.mark.real_data
def test_the_three_masks_that_upstream_stores_mirrored_are_found(shared_data):
    wrong = ["101228", "101627", "112776"]
    found = suspected_mirrors(read_evidence(shared_data, "tabriz_ms_wmh", mirrored=wrong))
    assert [(each.case, each.axis) for each in found] == [(case, "left-right") for case in wrong]


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "every"), [("tabriz_ms_wmh", 1), ("chase_db1", 2), ("msd_hippocampus", 3)])
def test_real_masks_as_stored_are_not_suspected(shared_data, name, every):
    assert suspected_mirrors(read_evidence(shared_data, name, every)) == []


@pytest.mark.real_data
@pytest.mark.parametrize("axes", [axes for axes in MIRRORINGS.values() if len(axes) == 1])
def test_mirrored_hippocampi_are_found_though_they_are_hard_to_tell(shared_data, axes):
    description = catalogue()["msd_hippocampus"]
    names = [files.case for files in find_cases(shared_data / "msd_hippocampus", description)[::3]]
    found = suspected_mirrors(read_evidence(shared_data, "msd_hippocampus", 3, names[::10], axes))
    assert {each.case for each in found} <= set(names[::10])
    assert len(found) >= 0.7 * len(names[::10])
