"""Mistakes that published implementations make, each shown not to happen here."""

import math

import pytest
import torch

from harness.geometry import signed_distance_maps
from harness.losses import LOSSES


def gradient(loss, logits, labels, **needs):
    """Gradient of a loss with respect to the logits."""
    logits = logits.detach().clone().requires_grad_()
    loss(logits, labels, **needs).backward()
    return logits.grad


@pytest.mark.parametrize("name", ["dice", "gdl"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_sums_of_a_large_image_do_not_overflow(name, dtype):
    labels = torch.zeros(1, 384, 384, dtype=torch.long)
    labels[:, :300] = 1
    logits = torch.zeros(1, 2, 384, 384, dtype=dtype)
    loss = LOSSES[name]()
    assert loss(logits, labels) == loss(logits.float(), labels)
    assert 0.3 < loss(logits, labels) < 0.7
    assert gradient(loss, logits, labels).any()


@pytest.mark.parametrize("reduce", ["batch", "sample"])
def test_gdl_with_an_absent_class_keeps_its_gradient(example, reduce):
    logits, labels = example("E3")
    assert gradient(LOSSES["gdl"](reduce=reduce), logits, labels).abs().max() > 0.01


def test_eps_of_gdl_does_not_depend_on_the_size_of_the_structures():
    labels = torch.zeros(8, 256, 256, dtype=torch.long)
    labels[:, :128] = 1
    assert LOSSES["gdl"]()(torch.zeros(8, 2, 256, 256), labels).item() == pytest.approx(0.5, abs=1e-6)


def test_absent_class_under_each_policy():
    logits, labels = torch.zeros(1, 2, 256, 256), torch.zeros(1, 256, 256, dtype=torch.long)
    ignored, smooth, penalised = (LOSSES["dice"](absent=a) for a in ("ignore", "smooth", "penalise"))
    assert ignored(logits, labels) == 0
    assert not gradient(ignored, logits, labels).any()
    assert smooth(logits, labels).item() == pytest.approx(1)
    assert gradient(smooth, logits, labels).abs().max() < 1e-10
    assert penalised(logits, labels).item() == pytest.approx(0.5)
    assert (gradient(penalised, logits, labels)[:, 1] > 0).all()


def test_boundary_gradient_is_the_map_over_the_number_of_values():
    labels = torch.tensor([[[0, 1, 2], [0, 1, 1]], [[2, 2, 0], [1, 0, 0]]])
    maps = torch.stack(
        [torch.from_numpy(signed_distance_maps(y.numpy(), 3, (1, 1))) for y in labels]
    ).double()
    z = torch.randn(2, 3, 2, 3, dtype=torch.float64)
    p = z.softmax(1).requires_grad_()
    # log p are logits whose softmax is p; the tangent along p is exact because sum p = 1
    LOSSES["boundary"]()(p.log(), labels, distance_maps=maps).backward()
    expected = maps / (2 * 2 * 2 * 3)  # B |K| H W
    expected[:, 0] = 0
    projected = expected - (expected * p.detach()).sum(1, keepdim=True)
    torch.testing.assert_close(p.grad, projected)


def test_two_classes_have_the_same_boundary_gradient_with_and_without_background(example):
    logits, labels = example("E2")
    without, with_background = LOSSES["boundary"](), LOSSES["boundary"](include_background=True)
    torch.testing.assert_close(gradient(without, logits, labels), gradient(with_background, logits, labels))


def test_given_maps_equal_computed_ones(noise):
    logits, labels = noise(classes=4)
    labels[1] = labels[1].clamp(max=2)
    labels[0, 0] = 255
    maps = torch.stack([torch.from_numpy(signed_distance_maps(y.numpy(), 4, (1, 1))) for y in labels])
    loss = LOSSES["boundary"](ignore_label=255)
    assert loss(logits, labels, distance_maps=maps) == loss(logits, labels)


def test_empty_and_full_labels_teach_the_boundary_loss_nothing():
    logits = torch.randn(1, 2, 5, 5)
    for value in (0, 1):
        labels = torch.full((1, 5, 5), value)
        assert LOSSES["boundary"]()(logits, labels) == 0
        assert not gradient(LOSSES["boundary"](), logits, labels).any()


def test_scale_of_class_weights_cancels(noise):
    logits, labels = noise()
    loss, counts = LOSSES["weighted_ce"](), torch.tensor([70.0, 20.0, 10.0])
    expected = loss(logits, labels, class_counts=counts)
    torch.testing.assert_close(loss(logits, labels, class_counts=7 * counts), expected)


@pytest.mark.parametrize("name", ["weighted_ce", "exp_log"])
def test_a_class_that_no_training_case_holds_is_harmless(name, noise):
    logits, labels = noise()
    value = LOSSES[name]()(logits, labels, class_counts=torch.tensor([90, 10, 0]))
    assert math.isfinite(value)


def test_focal_with_a_small_gamma_survives_a_perfect_pixel():
    logits = torch.tensor([[[[60.0]], [[-60.0]]]])
    labels = torch.zeros(1, 1, 1, dtype=torch.long)
    assert torch.isfinite(gradient(LOSSES["focal"](gamma=0.5), logits, labels)).all()


def test_class_weights_of_focal_follow_the_true_class(example):
    logits, labels = example("E2")
    weighted = LOSSES["focal"](class_weights=(0.0, 2.0))(logits, labels)
    plain = LOSSES["focal"](ignore_label=0)(logits, labels)  # the three pixels of class 1
    torch.testing.assert_close(weighted, 2 * plain * 3 / 4)
    with pytest.raises(ValueError, match="one value per class, 2 in all"):
        LOSSES["focal"](class_weights=(1.0, 1.0, 1.0))(logits, labels)


def test_exp_log_takes_the_power_per_class_before_the_mean(example):
    logits, labels = example("E4")
    loss = LOSSES["exp_log"](w_ce=0, w_dice=1)(logits, labels).item()
    dice = [(2 * tp + 1) / (size + 1) for tp, size in ((0.6, 1.9), (0.5, 2.0), (0.7, 2.1))]
    assert loss == pytest.approx(sum((-math.log(d)) ** 0.3 for d in dice) / 3, abs=1e-6)
    mean_first = (-math.log(sum(dice) / 3)) ** 0.3
    assert abs(loss - mean_first) > 1e-5


def test_an_image_without_any_kept_class_leaves_the_mean_of_gdl(noise):
    logits, labels = noise()
    labels[1] = 0
    loss = LOSSES["gdl"](reduce="sample", include_background=False)
    torch.testing.assert_close(loss(logits, labels), loss(logits[:1], labels[:1]))
    assert not gradient(loss, logits, labels)[1].any()
