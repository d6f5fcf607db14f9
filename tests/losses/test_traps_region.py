"""Mistakes around the region losses, each shown not to happen here."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.losses import LOSSES


def two_classes(p1):
    """Logits (1, 2, H, W) whose softmax has the probability p1 (H, W) of class 1."""
    p1 = torch.as_tensor(p1, dtype=torch.float64)
    return torch.stack([1 - p1, p1]).log().unsqueeze(0)


def gradient(loss, logits, labels):
    """Gradient of a loss with respect to the logits."""
    logits = logits.detach().clone().requires_grad_()
    loss(logits, labels).backward()
    return logits.grad


def perfect(labels, classes):
    """Logits of +-50 that say the labels."""
    return 50 * (2.0 * torch.nn.functional.one_hot(labels, classes).movedim(-1, 1).double() - 1)


def test_numerator_of_squared_dice_is_twice_sum_p_t(example):
    logits, labels = example("E2")
    p, t = logits.softmax(1)[:, 1], labels == 1
    expected = 1 - 2 * p[t].sum() / ((p**2).sum() + t.sum())
    torch.testing.assert_close(LOSSES["squared_dice"](eps=1e-12)(logits, labels), expected)


def test_squared_dice_is_dscpp_with_gamma_2_and_noise_robust_dice_with_gamma_2(noise):
    logits, labels = noise(classes=2)
    p, t = logits.softmax(1)[:, 1], (labels == 1).double()
    noise_robust = ((p - t) ** 2).sum() / ((p**2).sum() + (t**2).sum() + 1e-5)
    torch.testing.assert_close(LOSSES["squared_dice"]()(logits, labels), noise_robust)


def test_iou_of_the_mean_is_not_the_mean_of_iou(example):
    logits, labels = example("E4")
    dice, iou = (LOSSES[name](eps=1e-12)(logits, labels).item() for name in ("dice", "iou"))
    assert abs(iou - 2 * dice / (1 + dice)) > 1e-6
    by_class = [
        LOSSES["dice"](eps=1e-12)(*_one_against_rest(logits, labels, label)).item() for label in (1, 2)
    ]
    assert iou == pytest.approx(sum(2 * d / (1 + d) for d in by_class) / 2)


def _one_against_rest(logits, labels, label):
    return two_classes(logits.softmax(1)[0, label]), (labels == label).long()


def test_swapping_the_weights_of_tversky_changes_it(example):
    assert (
        abs(
            LOSSES["tversky"](fp=0.7, fn=0.3)(*example("E2"))
            - LOSSES["tversky"](fp=0.3, fn=0.7)(*example("E2"))
        )
        > 1e-2
    )
    miss, excess = two_classes([[0.1, 0.1]]), two_classes([[0.9, 0.9]])
    labels = torch.tensor([[[0, 1]]])
    assert LOSSES["tversky"]()(miss, labels) > LOSSES["tversky"]()(excess, labels)


def test_focal_tversky_takes_the_power_before_the_mean(example):
    logits, labels = example("E4")
    assert LOSSES["focal_tversky"]()(logits, labels).item() == pytest.approx(0.510223, abs=2e-6)
    assert (LOSSES["tversky"]()(logits, labels) ** 0.75).item() == pytest.approx(0.512553, abs=2e-6)
    assert LOSSES["focal_tversky"].defaults()["exponent"] == 0.75


@pytest.mark.parametrize("name", ["focal_tversky", "mcc", "unified_focal", "exp_log", "penalty_gdl"])
def test_gradient_of_a_perfect_prediction_is_finite(name):
    labels = torch.tensor([[[0, 1, 2, 2]]])
    for scale in (1, 1e3):
        assert torch.isfinite(gradient(LOSSES[name](), scale * perfect(labels, 3), labels)).all()


def test_sensitivity_specificity_with_r_1_ignores_false_positives():
    labels = torch.tensor([[[0, 0, 1, 1]]])
    loss = LOSSES["sensitivity_specificity"](r=1.0)
    some, more = (loss(two_classes([[fp, fp, 0.8, 0.6]]), labels) for fp in (0.1, 0.9))
    assert some == more
    assert LOSSES["sensitivity_specificity"]()(two_classes([[0.9, 0.9, 0.8, 0.6]]), labels) > some


def test_sensitivity_specificity_teaches_an_absent_class():
    labels = torch.zeros(1, 1, 4, dtype=torch.long)
    loss = LOSSES["sensitivity_specificity"]()
    assert loss(two_classes([[0.5] * 4]), labels).item() == pytest.approx(0.9 * 0.25, abs=1e-5)
    assert (gradient(loss, two_classes([[0.5] * 4]), labels)[:, 1] > 0).all()


def test_log_cosh_dice_has_tanh_of_dice_as_its_slope(noise):
    logits, labels = noise()
    D = LOSSES["dice"]()(logits, labels)
    torch.testing.assert_close(LOSSES["log_cosh_dice"]()(logits, labels), D.cosh().log())
    torch.testing.assert_close(
        gradient(LOSSES["log_cosh_dice"](), logits, labels),
        D.tanh() * gradient(LOSSES["dice"](), logits, labels),
    )
    opposite = LOSSES["log_cosh_dice"](eps=1e-12)(-perfect(labels % 2, 2), labels % 2)
    assert opposite.item() == pytest.approx(math.log(math.cosh(1)), abs=1e-6)  # 0.433781, the largest


@pytest.mark.parametrize("reduce", ["batch", "sample"])
@pytest.mark.parametrize("include_background", [True, False])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), classes=st.integers(2, 4))
def test_lovasz_equals_its_definition_pixel_by_pixel(reduce, include_background, seed, classes):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, classes, 3, 2, generator=generator, dtype=torch.float64)
    top = int(torch.randint(1, classes + 1, (), generator=generator))
    labels = torch.randint(0, top, (2, 3, 2), generator=generator)
    p = logits.softmax(1)
    groups = [slice(None)] if reduce == "batch" else [slice(0, 1), slice(1, 2)]
    values = [
        _lovasz_extension(p[group, label].flatten(), (labels[group] == label).flatten())
        for group in groups
        for label in range(0 if include_background else 1, classes)
        if (labels[group] == label).any()
    ]
    loss = LOSSES["lovasz"](reduce=reduce, include_background=include_background)
    expected = sum(values) / len(values) if values else 0.0
    assert loss(logits, labels).item() == pytest.approx(expected, abs=1e-9)


def _lovasz_extension(p, t):
    """Sum over thresholds of the errors: their step times the Jaccard loss of the pixels above."""
    errors = sorted({abs(float(a) - float(b)) for a, b in zip(t, p, strict=True)} | {0.0}, reverse=True)
    error = (t.double() - p).abs()
    total = 0.0
    for high, low in itertools.pairwise(errors):
        wrong = error >= high - 1e-15
        missed, added, V = int((wrong & t).sum()), int((wrong & ~t).sum()), int(t.sum())
        total += (high - low) * (1 - (V - missed) / (V + added))
    return total


def test_lovasz_of_a_hard_prediction_is_1_minus_iou():
    labels, answer = torch.tensor([[[0, 0, 1, 1, 1, 0]]]), torch.tensor([[[0, 1, 1, 1, 0, 0]]])
    loss = LOSSES["lovasz"](include_background=False)(1e3 * perfect(answer, 2), labels)
    assert loss.item() == pytest.approx(1 - 2 / 4)


def test_lovasz_without_any_class_keeps_the_graph():
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    value = LOSSES["lovasz"](include_background=False)(logits, torch.zeros(1, 2, 2, dtype=torch.long))
    value.backward()
    assert value == 0
    assert not logits.grad.any()


def test_mcc_of_an_absent_class_is_a_constant_that_the_policy_replaces():
    logits, labels = torch.randn(1, 2, 4, 4), torch.zeros(1, 4, 4, dtype=torch.long)
    smooth = LOSSES["mcc"](absent="smooth")
    assert smooth(logits, labels).item() == pytest.approx(1)
    assert not gradient(smooth, logits, labels).any()
    assert LOSSES["mcc"]()(logits, labels) == 0
    assert (gradient(LOSSES["mcc"](absent="penalise"), logits, labels)[:, 1] > 0).all()


def test_mcc_of_hard_predictions_is_the_coefficient():
    labels, answer = torch.tensor([[[0, 0, 1, 1, 1, 0, 0]]]), torch.tensor([[[0, 1, 1, 1, 0, 0, 0]]])
    tp, fp, fn, tn = 2, 1, 1, 3
    mcc = (tp * tn - fp * fn) / math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    assert LOSSES["mcc"]()(perfect(answer, 2), labels).item() == pytest.approx(1 - mcc, abs=1e-6)
    assert LOSSES["mcc"]()(perfect(1 - labels, 2), labels).item() == pytest.approx(2, abs=1e-6)


def test_mcc_of_a_large_batch_does_not_overflow():
    labels = torch.zeros(4, 512, 512, dtype=torch.long)
    labels[:, :256] = 1
    assert LOSSES["mcc"]()(torch.zeros(4, 2, 512, 512), labels).item() == pytest.approx(1, abs=1e-6)


def test_ends_and_slopes_of_penalty_gdl():
    G = torch.tensor([0.0, 1.0], requires_grad=True)
    value = G / (1 + 2.5 * (1 - G))
    assert value.tolist() == [0, 1]
    (slopes,) = torch.autograd.grad(value.sum(), G)
    assert slopes.tolist() == pytest.approx([1 / 3.5, 3.5])
    labels = torch.tensor([[[0, 1, 1, 0]]])
    assert LOSSES["penalty_gdl"]()(perfect(labels, 2), labels).item() == pytest.approx(0, abs=1e-6)
    assert LOSSES["penalty_gdl"]()(perfect(1 - labels, 2), labels).item() == pytest.approx(1, abs=1e-4)


def test_uniform_gdl_is_the_micro_dice(noise):
    logits, labels = noise()
    p, t = logits.softmax(1), torch.nn.functional.one_hot(labels, 3).movedim(-1, 1)
    micro = 1 - 2 * (p * t).sum() / (p.sum() + t.sum())
    torch.testing.assert_close(LOSSES["gdl"](weighting="uniform", eps=1e-12)(logits, labels), micro)


def test_size_errors_of_two_images_do_not_cancel_and_absent_classes_count():
    labels = torch.tensor([[[0, 1]], [[0, 1]]])
    too_small, too_large = two_classes([[0.5, 0.0]]), two_classes([[0.5, 1.0]])
    loss = LOSSES["size_l1"]()
    both = torch.cat([too_small, too_large]).clamp(min=-1e3)
    assert loss(both, labels).item() == pytest.approx(0.25)
    absent = torch.zeros(1, 1, 2, dtype=torch.long)
    assert loss(two_classes([[0.5, 0.5]]), absent).item() == pytest.approx(0.5)
