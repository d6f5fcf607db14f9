"""Where pixels go: against brute force, scipy and physical space."""

import math

import numpy as np
import pytest
from scipy import ndimage

from harness.data.augment import (
    Elastic,
    EpochDraws,
    FlipHorizontal,
    FlipVertical,
    Frame,
    Rotate90,
    Rotation,
    Scale,
    Shift,
    parse_augmentations,
)
from harness.data.tables import BatchTable
from harness.geometry import signed_distance_maps
from tests.data.augment.conftest import SIZE

torch = pytest.importorskip("torch")

CPU = torch.device("cpu")
ALL_ISOMETRIES = ["flip_horizontal", "flip_vertical", "rotate90", {"name": "shift", "pixels": 3}]


def draws(augment, n, height=24, width=24, extent=48.0):
    frame = Frame(n, 1, height, width, extent)
    return EpochDraws(augment, BatchTable("ab" * 8), 0, frame, CPU)


def grid(n, height=24, width=24):
    return torch.arange(float(n * height * width)).reshape(n, height, width)


def test_horizontal_flips_mirror_columns_and_vertical_flips_rows():
    array = grid(2, 4, 5)
    everything = slice(0, 2)
    for augmentation, axis in ((FlipHorizontal(probability=1.0), -1), (FlipVertical(probability=1.0), -2)):
        turned = draws([augmentation], 2, 4, 5).turn(array.clone(), everything)
        assert torch.equal(turned, array.flip(axis))


def test_quarter_turns_are_equally_likely_and_swap_the_spacing():
    n = 400
    drawn = draws([Rotate90()], n, 3, 3)
    array = grid(n, 3, 3)
    turned = drawn.turn(array.clone(), slice(0, n))
    spacing = drawn.turned_spacing(np.tile([3.0, 0.5, 0.75], (n, 1)), slice(0, n))
    turns = [
        next(k for k in range(4) if torch.equal(after, torch.rot90(before, k)))
        for before, after in zip(array, turned, strict=True)
    ]
    assert np.bincount(turns) == pytest.approx(n / 4, abs=35)
    for quarters, row in zip(turns, spacing.tolist(), strict=True):
        assert row == ([3.0, 0.75, 0.5] if quarters % 2 else [3.0, 0.5, 0.75])


def test_shifts_are_whole_pixels_either_way():
    offsets = draws([Shift(pixels=2)], 300).offsets
    assert np.unique(offsets, axis=0).tolist() == [[row, col] for row in range(-2, 3) for col in range(-2, 3)]


def placements(case, dataset, margin):
    """Yield every position that the isometries can give a slice: image, label, map and spacing."""
    pad = ((0, 0), (0, 0), (margin, margin), (margin, margin))
    images = np.pad(dataset.images(case), pad)[:, 0]
    labels = np.pad(dataset.labels(case), pad[1:])
    for image, label in zip(images, labels, strict=True):
        maps = signed_distance_maps(label, 3, case.slice_spacing[1:])
        for top in range(2 * margin + 1):
            for left in range(2 * margin + 1):
                window = np.s_[..., top : top + SIZE, left : left + SIZE]
                for quarters in range(4):
                    for mirrored in (False, True):
                        yield [
                            np.rot90(array[window], quarters, (-2, -1))[..., :: -1 if mirrored else 1]
                            for array in (image, label, maps)
                        ]


def test_all_isometries_together_move_images_labels_and_maps_of_the_plane_beyond_the_frame(blobs, epoch_of):
    """Maps are those of the padded plane, cut out: they know of what the shift pushed out of the frame."""
    by_image = {
        np.ascontiguousarray(image).tobytes(): (label, maps)
        for case in blobs.cases
        for image, label, maps in placements(case, blobs, 3)
    }
    cut_off = 0
    for batch in epoch_of(blobs, ALL_ISOMETRIES, ["distance_maps", "spacing"]):
        for place, image in enumerate(batch.images[:, 0].numpy()):
            label, maps = by_image[np.ascontiguousarray(image).tobytes()]
            np.testing.assert_array_equal(batch.labels[place], label)
            np.testing.assert_array_equal(batch.needs["distance_maps"][place], maps)
            of_frame = signed_distance_maps(label, 3, batch.needs["spacing"][place, 1:].tolist())
            cut_off += not np.allclose(of_frame, maps)
    assert cut_off > 0  # the maps of the frame alone would have been others


def fixed(monkeypatch, kind, matrix):
    monkeypatch.setattr(kind, "matrices", lambda self, generator, n: np.tile(matrix, (n, 1, 1)))


def turn_by(degrees):
    angle = math.radians(degrees)
    return np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])


def warped(augment, image, label, spacing):
    drawn = draws(augment, 1, *image.shape)
    images, labels, places = drawn.warp(
        torch.from_numpy(image)[None, None], torch.from_numpy(label)[None], spacing, slice(0, 1)
    )
    assert places.tolist() == [0]
    return images[0, 0].numpy(), labels[0].numpy()


@pytest.fixture
def disc():
    rows, columns = np.mgrid[:30, :26]
    label = ((rows - 9) ** 2 + (columns - 15) ** 2 <= 36).astype(np.uint8)
    return ndimage.gaussian_filter(label.astype(np.float32), 1.0), label


@pytest.mark.parametrize("degrees", [90.0, 30.0, -71.0])
def test_a_rotation_is_that_of_scipy(monkeypatch, disc, degrees):
    image, label = disc
    fixed(monkeypatch, Rotation, turn_by(degrees))
    spacing = np.array([[3.0, 0.8, 0.8]])
    found, found_label = warped([Rotation(probability=1.0)], image, label, spacing)
    options = {"reshape": False, "mode": "grid-constant"}
    np.testing.assert_allclose(found, ndimage.rotate(image, degrees, order=1, **options), atol=1e-4)
    assert (found_label != ndimage.rotate(label, degrees, order=0, **options)).mean() < 0.01


def test_a_rotation_respects_oblong_pixels(monkeypatch, disc):
    image, label = disc
    fixed(monkeypatch, Rotation, turn_by(40.0))
    spacing = np.array([[3.0, 0.5, 1.5]])
    found, _ = warped([Rotation(probability=1.0)], image, label, spacing)
    # In pixels: turn in millimetres, between the two changes of unit.
    matrix = np.diag(1 / spacing[0, 1:]) @ turn_by(40.0) @ np.diag(spacing[0, 1:])
    centre = (np.array(image.shape) - 1) / 2
    expected = ndimage.affine_transform(
        image, matrix, centre - matrix @ centre, order=1, mode="grid-constant"
    )
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_half_plane_lies_at_the_angle_of_its_rotation(monkeypatch):
    rows, columns = np.mgrid[:64, :48] - np.array([31.5, 23.5])[:, None, None]
    spacing = np.array([[1.0, 0.5, 1.25]])
    label = (rows > 0).astype(np.uint8)
    fixed(monkeypatch, Rotation, turn_by(25.0))
    _, found = warped([Rotation(probability=1.0)], label.astype(np.float32), label, spacing)
    # The normal of its edge pointed down; counter-clockwise on the screen, it now points down and right.
    normal = (math.cos(math.radians(25)), math.sin(math.radians(25)))
    distance = normal[0] * rows * 0.5 + normal[1] * columns * 1.25
    inside_the_source = np.hypot(rows * 0.5, columns * 1.25) < 15
    known = inside_the_source & (np.abs(distance) > 0.5)
    np.testing.assert_array_equal(found[known], (distance > 0)[known])


def test_a_scale_enlarges_around_the_centre(monkeypatch):
    rows, columns = np.mgrid[:41, :41] - 20
    label = (np.hypot(rows, columns) <= 8).astype(np.uint8)
    fixed(monkeypatch, Scale, np.eye(2) / 1.5)
    _, found = warped([Scale(probability=1.0)], label.astype(np.float32), label, np.ones((1, 3)))
    assert found.sum() == pytest.approx(1.5**2 * label.sum(), rel=0.06)
    assert ndimage.center_of_mass(found) == pytest.approx((20, 20))


def test_factors_and_angles_fill_their_ranges():
    generator = np.random.default_rng(0)
    factors = 1 / Scale(smallest=0.5, largest=2.0).matrices(generator, 4000)[:, 0, 0]
    assert 0.5 <= factors.min() < 0.52
    assert 1.95 < factors.max() <= 2.0
    assert np.median(factors) == pytest.approx(1.0, abs=0.05)
    matrices = Rotation(degrees=20.0).matrices(generator, 4000)
    angles = np.degrees(np.arctan2(matrices[:, 0, 1], matrices[:, 0, 0]))
    assert -20 <= angles.min() < -19.5
    assert 19.5 < angles.max() <= 20
    np.testing.assert_allclose(
        matrices @ matrices.swapaxes(1, 2), np.tile(np.eye(2), (4000, 1, 1)), atol=1e-12
    )


def elastic_field(elastic, spacing, size, n=200):
    frame = Frame(n, 1, size, size, 64.0)
    coefficients = torch.from_numpy(elastic.coefficients(np.random.default_rng(0), frame))
    points = (spacing * (torch.arange(size) - (size - 1) / 2)).expand(n, -1)
    return elastic.field(coefficients, points, points, frame)


def test_the_elastic_amplitude_is_the_root_mean_square_in_millimetres():
    field = elastic_field(Elastic(amplitude=3.0, knots=16.0), 1.0, 64)
    assert field.square().mean((0, 2, 3)).sqrt().tolist() == pytest.approx([3.0, 3.0], rel=0.05)
    steps = torch.cat([field.diff(dim=2).flatten(), field.diff(dim=3).flatten()]).abs()
    assert steps.max() < 1.5  # smooth, and nearly nowhere folded
    assert (steps > 1).float().mean() < 1e-3


def test_the_elastic_field_lies_in_physical_space():
    """Pixels of half the size see the same field: at even places between, the mean of two neighbours."""
    elastic = Elastic(amplitude=3.0, knots=16.0)
    coarse, fine = elastic_field(elastic, 1.0, 64, 5), elastic_field(elastic, 0.5, 128, 5)
    halved = fine.unfold(2, 2, 2).unfold(3, 2, 2).mean((-2, -1))
    torch.testing.assert_close(coarse, halved, rtol=0, atol=0.02)


def test_warps_are_one_sampling(monkeypatch, disc):
    """A rotation and the rotation back leave the image as it was: nothing is interpolated twice."""
    image, label = disc
    fixed(monkeypatch, Rotation, turn_by(30.0))
    fixed(monkeypatch, Scale, turn_by(-30.0) * 0.999)
    spacing = np.ones((1, 3))
    found, _ = warped([Rotation(probability=1.0), Scale(probability=1.0)], image, label, spacing)
    np.testing.assert_allclose(found, image, atol=0.01)


def test_the_order_in_the_study_file_means_nothing():
    assert parse_augmentations(["scale", "elastic"]) == parse_augmentations(["elastic", "scale"])
