"""Mistakes around the boundary losses, each shown not to happen here."""

import pytest
import torch

from harness.losses import LOSSES, Batch


def square(size, side):
    """Labels (1, size, size) with a centred square of class 1."""
    labels = torch.zeros(1, size, size, dtype=torch.long)
    start = (size - side) // 2
    labels[0, start : start + side, start : start + side] = 1
    return labels


def noisy_logits(labels, classes=2, seed=0):
    """Random logits for some labels, float64."""
    shape = (len(labels), classes, *labels.shape[1:])
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gradient(loss, logits, labels, **needs):
    """Gradient of a loss with respect to the logits."""
    logits = logits.detach().clone().requires_grad_()
    loss(logits, labels, **needs).backward()
    return logits.grad


def phi_of(labels, spacing=None, classes=2, **parameters):
    """The map that a boundary loss uses, of class 1."""
    needs = {} if spacing is None else {"spacing": torch.tensor(spacing)}
    batch = Batch.of(torch.zeros(len(labels), classes, *labels.shape[1:]), labels, **needs)
    return LOSSES["boundary"](**parameters).phi(batch)[:, 1]


ROW = torch.tensor([[[0, 0, 1, 1, 0, 0]]])


@pytest.mark.parametrize(
    ("spacing", "parameters", "expected"),
    [
        (None, {}, [1.5, 0.5, -0.5, -0.5, 0.5, 1.5]),
        (None, {"offset": "kervadec"}, [2, 1, 0, 0, 1, 2]),
        ((1.0, 0.5), {"offset": "kervadec"}, [1, 0.5, 0.5, 0.5, 0.5, 1]),  # never negative: as published
        ((1.0, 0.5), {}, [0.75, 0.25, -0.25, -0.25, 0.25, 0.75]),
        ((1.0, 0.5), {"unit": "voxel"}, [1.5, 0.5, -0.5, -0.5, 0.5, 1.5]),
        ((1.0, 0.5), {"unit": "voxel", "offset": "kervadec"}, [2, 1, 0, 0, 1, 2]),
    ],
)
def test_zero_level_and_unit_of_the_map(spacing, parameters, expected):
    torch.testing.assert_close(phi_of(ROW, spacing, **parameters)[0, 0], torch.tensor(expected).float())


def test_map_over_the_diagonal_of_the_image():
    labels = torch.zeros(1, 3, 4, dtype=torch.long)
    labels[0, 1, 1] = 1
    torch.testing.assert_close(phi_of(labels, normalise=True), phi_of(labels) / 5)
    by_mm = phi_of(labels, (2.0, 2.0), normalise=True)
    torch.testing.assert_close(by_mm, phi_of(labels) / 5)
    torch.testing.assert_close(phi_of(labels, (2.0, 2.0), normalise=True, unit="voxel"), by_mm)


def test_a_penalty_pushes_down_a_class_that_is_absent_but_not_one_that_fills_the_image():
    empty, full = torch.zeros(1, 3, 3, dtype=torch.long), torch.ones(1, 3, 3, dtype=torch.long)
    loss = LOSSES["boundary"](empty_penalty=2.0)
    logits = torch.zeros(1, 2, 3, 3)
    assert loss(logits, empty).item() == pytest.approx(0.5 * 2.0)
    assert loss(logits, full) == 0
    assert (gradient(loss, logits, empty)[:, 1] > 0).all()


def test_maps_of_volumes_must_be_given():
    loss = LOSSES["boundary"](dimensions=3)
    assert loss.needs == {"distance_maps_3d"}
    with pytest.raises(ValueError, match="distance_maps_3d cannot be computed from a batch of slices"):
        loss(torch.zeros(1, 2, 1, 6), ROW)
    maps = torch.randn(1, 2, 1, 6)
    given = loss(torch.zeros(1, 2, 1, 6), ROW, distance_maps_3d=maps)
    torch.testing.assert_close(given, LOSSES["boundary"]()(torch.zeros(1, 2, 1, 6), ROW, distance_maps=maps))


def test_needs_follow_the_parameters():
    boundary = LOSSES["boundary"]
    assert boundary().needs == {"distance_maps"}
    assert boundary(unit="voxel").needs == {"voxel_distance_maps"}
    assert boundary(unit="voxel", dimensions=3).needs == {"voxel_distance_maps_3d"}
    assert boundary(offset="kervadec").needs == {"distance_maps", "spacing"}


def test_an_empty_prediction_still_has_a_gradient_in_the_hausdorff_loss():
    labels = square(9, 3)
    logits = torch.zeros(1, 2, 9, 9)
    logits[:, 0] = 3
    inside = gradient(LOSSES["hausdorff"](), logits, labels)[0, 1][labels[0] == 1]
    assert (inside < 0).all()


def test_a_false_positive_costs_more_the_farther_it_lies_off():
    labels = torch.zeros(1, 1, 30, dtype=torch.long)
    labels[0, 0, :5] = 1
    values = []
    for place in (7, 15, 28):
        answer = labels.clone()
        answer[0, 0, place] = 1
        logits = 20 * (2.0 * torch.nn.functional.one_hot(answer, 2).movedim(-1, 1) - 1)
        values.append(LOSSES["hausdorff"]()(logits, labels).item())
    assert values[0] < values[1] < values[2]


def test_spacing_changes_the_hausdorff_loss():
    labels = square(9, 3)
    logits = noisy_logits(labels)
    loss = LOSSES["hausdorff"]()
    unit, double = (loss(logits, labels, spacing=torch.tensor([s, s])) for s in (1.0, 2.0))
    torch.testing.assert_close(double, 4 * unit)


@pytest.mark.parametrize(("side", "a"), [(1, -1.0), (2, -1.0), (6, -1 / 9), (7, 1 / 49), (20, 0.62)])
def test_boundary_dou_adapts_to_the_share_of_the_boundary(side, a):
    """a = 1 - 2 E / S: negative below 7 x 7."""
    labels = square(30, side)
    batch = Batch.of(torch.zeros(1, 2, 30, 30, dtype=torch.float64), labels)
    loss = LOSSES["boundary_dou"](include_background=False)
    found = loss.boundary_weights(batch, batch.region("batch", include_background=False))
    assert found.item() == pytest.approx(a, abs=1e-4)


def test_boundary_dou_of_thin_structures_is_the_squared_dice():
    labels = square(12, 2)
    logits = noisy_logits(labels)
    torch.testing.assert_close(
        LOSSES["boundary_dou"](include_background=False)(logits, labels),
        LOSSES["squared_dice"]()(logits, labels),
        atol=1e-5,
        rtol=0,
    )


def test_boundary_dou_drops_an_absent_class():
    labels = square(12, 4)
    logits = noisy_logits(labels, classes=3)
    with_absent = LOSSES["boundary_dou"](include_background=False)(logits, labels)
    p = logits.softmax(1)
    merged = torch.stack([p[:, 0] + p[:, 2], p[:, 1]], 1).log()
    torch.testing.assert_close(with_absent, LOSSES["boundary_dou"](include_background=False)(merged, labels))


def test_surface_loss_of_two_classes_does_not_depend_on_weights_or_background():
    labels = square(10, 4)
    logits = noisy_logits(labels)
    values = [
        LOSSES["generalised_surface"](include_background=background)(
            logits, labels, class_counts=torch.tensor(counts)
        )
        for counts in ([1.0, 1.0], [99.0, 1.0])
        for background in (True, False)
    ]
    for value in values[1:]:
        torch.testing.assert_close(value, values[0], atol=1e-5, rtol=0)


def test_surface_loss_is_0_for_the_truth_and_1_for_its_opposite():
    labels = square(10, 4)
    hot = 2.0 * torch.nn.functional.one_hot(labels, 2).movedim(-1, 1).double() - 1
    assert LOSSES["generalised_surface"]()(50 * hot, labels).item() == pytest.approx(0, abs=1e-6)
    assert LOSSES["generalised_surface"]()(-50 * hot, labels).item() == pytest.approx(1, abs=1e-6)


def test_surface_loss_of_background_only_is_not_the_constant_1():
    labels = torch.zeros(2, 6, 6, dtype=torch.long)
    logits = noisy_logits(labels)
    assert LOSSES["generalised_surface"]()(logits, labels) == 0
    one_empty = torch.cat([square(6, 2), labels[:1]])
    loss = LOSSES["generalised_surface"](weighted=False)
    torch.testing.assert_close(loss(logits, one_empty), loss(logits[:1], one_empty[:1]))


def test_an_absent_class_does_not_dominate_the_surface_loss_unless_asked():
    labels = square(10, 4)
    logits = noisy_logits(labels, classes=3)
    ignored, diagonal = (
        LOSSES["generalised_surface"](weighted=False, absent=absent)(logits, labels)
        for absent in ("ignore", "diagonal")
    )
    p_2 = logits.softmax(1)[:, 2]
    assert abs(diagonal - (1 - ((1 - p_2) ** 2).mean())) < 0.1  # 200 per pixel against a few
    assert abs(ignored - diagonal) > 1e-3
