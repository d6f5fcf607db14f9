"""Mistakes around the compound losses, each shown not to happen here."""

import pytest
import torch

from harness.losses import LOSSES, parse_loss


def gradient(loss, logits, labels):
    """Gradient of a loss with respect to the logits."""
    logits = logits.detach().clone().requires_grad_()
    loss(logits, labels).backward()
    return logits.grad


def test_sum_and_mean_over_the_classes_differ_in_dice_plus_focal(example):
    logits, labels = example("E4")
    focal = LOSSES["focal"]()(logits, labels)
    summed = LOSSES["anatomynet"]()(logits, labels) - 0.5 * focal
    mean = LOSSES["dice"](include_background=True)(logits, labels)
    torch.testing.assert_close(summed, 3 * mean)


def test_combo_charges_for_false_positives(example):
    """The released file rewards them: raising p on a background pixel must raise the loss."""
    logits, labels = example("E2")
    assert gradient(LOSSES["combo"](w_ce=1.0), logits, labels)[0, 1][labels[0] == 0] > 0
    p, t = logits.softmax(1)[:, 1], (labels == 1).double()
    bce = torch.nn.functional.binary_cross_entropy(p, t)
    torch.testing.assert_close(LOSSES["combo"](w_ce=1.0)(logits, labels), bce / 2)


def test_combo_beta_is_the_price_of_a_miss(example):
    logits, labels = example("E2")
    misses, excess = (LOSSES["combo"](w_ce=1.0, beta=beta)(logits, labels) for beta in (1.0, 0.0))
    p = logits.softmax(1)[:, 1]
    torch.testing.assert_close(misses, -p[labels == 1].log().sum() / 4)
    torch.testing.assert_close(excess, -(1 - p[labels == 0]).log().sum() / 4)


@pytest.mark.parametrize("name", ["unified_focal", "asymmetric_unified_focal"])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0])
def test_unified_focal_of_a_perfect_prediction_is_finite(name, gamma):
    labels = torch.tensor([[[0, 1, 1, 0]]])
    logits = torch.nn.functional.one_hot(labels, 2).movedim(-1, 1) * 2e3 - 1e3
    loss = LOSSES[name](gamma=gamma)
    assert torch.isfinite(gradient(loss, logits, labels)).all()
    if gamma < 1:
        assert loss(logits, labels) <= 1e-3


def test_asymmetric_form_keeps_the_cross_entropy_of_the_rare_class(example):
    logits, labels = example("E2")
    p = logits.softmax(1)[:, 1]
    rare_only = LOSSES["asymmetric_unified_focal"](w_ce=1.0, delta=1.0)(logits, labels)
    torch.testing.assert_close(rare_only, -p[labels == 1].log().sum() / 4)  # a sum over classes, not half


def test_step_balance_is_always_twice_the_hausdorff_loss(noise):
    logits, labels = noise()
    hausdorff = LOSSES["hausdorff"]()(logits, labels)
    balanced = LOSSES["dice_hausdorff"](balance="step")
    torch.testing.assert_close(balanced(logits, labels), 2 * hausdorff, rtol=1e-4, atol=0)


def test_epoch_balance_follows_the_means_of_the_epoch_before(noise):
    loss = LOSSES["dice_hausdorff"]()
    assert loss.alpha_weights is None
    parts = []
    for epoch in range(2):
        loss.set_epoch(epoch, 3)
        for batch in range(3):
            logits, labels = noise(seed=10 * epoch + batch)
            hd, dice = (LOSSES[name]()(logits, labels).item() for name in ("hausdorff", "dice"))
            first = parts[0] if parts else (hd, dice)
            l = (  # noqa: E741 -- as the paper calls it
                first[0] / first[1]
                if epoch == 0
                else sum(h for h, _ in parts[:3]) / sum(d for _, d in parts[:3])
            )
            assert loss(logits, labels).item() == pytest.approx(hd + l * dice, rel=1e-6)
            assert loss.alpha_weights == pytest.approx((l, 1.0), rel=1e-6)
            parts.append((hd, dice))


def test_a_resumed_training_goes_on_with_the_same_ratio(noise):
    begun = parse_loss("dice_hausdorff").build()
    begun.set_epoch(0, 2)
    begun(*noise(seed=1))
    begun(*noise(seed=2))
    resumed = parse_loss("dice_hausdorff").build()
    resumed.load_state_dict(begun.state_dict())
    for loss in (begun, resumed):
        loss.set_epoch(1, 2)
    assert resumed(*noise(seed=3)) == begun(*noise(seed=3))
    assert resumed.alpha_weights == begun.alpha_weights


def test_looking_at_a_loss_without_gradients_moves_no_ratio(noise):
    loss = LOSSES["dice_hausdorff"]()
    with torch.no_grad():
        loss(*noise())
    assert loss.alpha_weights is None


def test_ratio_has_a_cap():
    loss = LOSSES["dice_hausdorff"]()
    loss.totals.copy_(torch.tensor([1.0, 1e-9]))
    loss.set_epoch(1, 2)
    assert loss.alpha_weights == (1e4, 1.0)


def test_the_ratio_is_what_a_training_records(noise):
    sum_ = parse_loss("dice_hausdorff").build()
    sum_(*noise())
    assert sum_.alpha_weights == sum_.losses[0].alpha_weights
    assert parse_loss("dice + ce").build().alpha_weights is None


def test_every_part_of_a_sum_sees_the_same_probabilities(noise):
    """One softmax, and one sum per group: not one per part."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Count(TorchDispatchMode):
        softmaxes = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            self.softmaxes += func.overloadpacket == torch.ops.aten._softmax
            return func(*args, **(kwargs or {}))

    loss = parse_loss("dice + iou + tversky + gdl + boundary").build()
    with Count() as count:
        loss(*noise())
    assert count.softmaxes == 1
