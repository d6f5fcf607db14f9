"""Every loss gives the numbers that were worked out by hand."""

import pytest
import torch

from harness.geometry import signed_distance_maps
from harness.losses import LOSSES

VALUES = [
    ("E2", "ce", {}, 0.818862),
    ("E3", "ce", {}, 0.445948),
    ("E4", "ce", {}, 0.520216),
    ("E2", "focal", {}, 0.494995),
    ("E4", "focal", {}, 0.095707),
    ("E2", "dice", {}, 0.333333),
    ("E4", "dice", {}, 0.416665),
    ("E3", "dice", {"absent": "ignore"}, 0.416665),
    ("E3", "dice", {"absent": "smooth"}, 0.708322),
    ("E3", "dice", {"absent": "penalise"}, 0.270832),
    ("E3", "dice", {"absent": "ignore", "reduce": "sample"}, 0.299999),
    ("E3", "dice", {"absent": "smooth", "reduce": "sample"}, 0.824973),
    ("E3", "dice", {"absent": "penalise", "reduce": "sample"}, 0.187500),
    ("E2", "gdl", {}, 0.544870),
    ("E3", "gdl", {}, 0.385766),
    ("E3", "gdl", {"reduce": "sample"}, 0.263954),
    ("E4", "gdl", {}, 0.399998),
    ("E2", "boundary", {}, -0.234987),
    ("E4", "boundary", {}, -0.008333),
    ("E4", "boundary", {"include_background": True}, -0.011111),
]
WITH_COUNTS = [
    ("E2", "weighted_ce", (90, 10), 0.906872),
    ("E2", "weighted_ce", (4, 1), 0.889947),  # w = (.5, 2)
    ("E2", "exp_log", (90, 10), 1.067027),
    ("E4", "exp_log", (80, 15, 5), 0.995834),
]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("case", "name", "parameters", "expected"), VALUES)
def test_worked_number(example, case, name, parameters, expected, dtype):
    logits, labels = example(case)
    loss = LOSSES[name](**parameters)(logits.to(dtype), labels)
    assert loss.dtype == dtype
    assert loss.item() == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("case", "name", "counts", "expected"), WITH_COUNTS)
def test_worked_number_with_counts_of_the_training_cases(example, case, name, counts, expected, dtype):
    logits, labels = example(case)
    loss = LOSSES[name]()(logits.to(dtype), labels, class_counts=torch.tensor(counts))
    assert loss.item() == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize(
    ("spacing", "offset", "expected"),
    [((1, 1), "half", -0.234987), ((1, 1), "kervadec", 0.027513), ((2, 0.5), "half", -0.692022)],
)
def test_boundary_loss_of_given_maps(example, spacing, offset, expected):
    logits, labels = example("E2")
    maps = torch.from_numpy(signed_distance_maps(labels[0].numpy(), 2, spacing, offset))[None]
    assert LOSSES["boundary"]()(logits, labels, distance_maps=maps).item() == pytest.approx(
        expected, abs=2e-6
    )


def test_exp_log_of_a_perfect_prediction_is_the_clamp(example):
    _, labels = example("E2")
    logits = torch.stack([1 - labels, labels], 1).double() * 100 - 50
    logits.requires_grad_()
    loss = LOSSES["exp_log"]()(logits, labels, class_counts=torch.tensor([0.9, 0.1]))
    loss.backward()
    assert loss.item() == pytest.approx(0.021032, abs=2e-6)
    assert torch.isfinite(logits.grad).all()


def test_class_weights_of_weighted_ce():
    weights = LOSSES["weighted_ce"]().class_weights
    torch.testing.assert_close(weights(torch.tensor([90.0, 10.0])), torch.tensor([0.2, 1.8]))
    torch.testing.assert_close(weights(torch.tensor([90.0, 10.0, 0.0])), torch.tensor([0.2, 1.8, 0.0]))
    capped = LOSSES["weighted_ce"](max_ratio=3).class_weights(torch.tensor([90.0, 10.0]))
    torch.testing.assert_close(capped, torch.tensor([0.5, 1.5]))
    root = LOSSES["weighted_ce"](power=0.5).class_weights(torch.tensor([90.0, 10.0]))
    torch.testing.assert_close(root, torch.tensor([0.5, 1.5]))


def test_gdl_policies_for_an_absent_class(example):
    logits, labels = example("E3")
    ignored = LOSSES["gdl"]()(logits, labels).item()
    # class 2 is absent: P = .5 over 4 pixels; the two present classes keep the joint loss
    penalised = LOSSES["gdl"](absent="penalise")(logits, labels).item()
    assert penalised == pytest.approx((2 * ignored + 0.5 / 4) / 3, abs=1e-9)
    # smooth: V = (3, 1, 0), w = (1/9, 1, 1), tp = (1.9, .7, 0), P + V = (5.1, 2.4, .5)
    smooth = LOSSES["gdl"](absent="smooth")(logits, labels).item()
    assert smooth == pytest.approx(1 - 2 * (1.9 / 9 + 0.7) / (5.1 / 9 + 2.4 + 0.5), abs=1e-5)


def test_parameters_of_exp_log_act_where_they_should(example):
    logits, labels = example("E2")
    counts = torch.tensor([90, 10])
    parts = [
        LOSSES["exp_log"](w_dice=1, w_ce=0)(logits, labels, class_counts=counts).item(),
        LOSSES["exp_log"](w_dice=0, w_ce=1)(logits, labels, class_counts=counts).item(),
    ]
    assert parts == pytest.approx([0.780412, 2.213489], abs=2e-6)
    plain = LOSSES["exp_log"](w_dice=0, w_ce=1, gamma_ce=1)(logits, labels, class_counts=torch.tensor([1, 1]))
    assert plain.item() == pytest.approx(0.818862 * 2**0.5, abs=2e-6)
    foreground = LOSSES["exp_log"](w_ce=0, w_dice=1, gamma_dice=1, include_background=False)(logits, labels)
    assert foreground.item() == pytest.approx(
        -torch.tensor((2 * 1.7 + 1) / (2.1 + 3 + 1)).log().item(), abs=1e-6
    )
