"""Every loss gives the numbers that were worked out by hand."""

import pytest
import torch

from harness.losses import LOSSES, Batch, parse_loss
from harness.losses.lesion import ConnectedComponents, Parts

VALUES = [
    ("E2", "ce", {}, 0.818862),
    ("E3", "ce", {}, 0.445948),
    ("E4", "ce", {}, 0.520216),
    ("E2", "focal", {}, 0.494995),
    ("E4", "focal", {}, 0.095707),
    ("E2", "topk_ce", {"k": 50.0}, 1.406705),
    ("E2", "topk_ce", {}, 2.302585),
    ("E2", "poly1_ce", {}, 1.243862),
    ("E2", "label_smoothed_ce", {}, 0.834521),
    ("E2", "distance_ce", {}, 0.995179),
    ("E4", "distance_ce", {}, 0.520216),  # every region is one pixel thick: CE
    ("E2", "dice", {}, 0.333333),
    ("E4", "dice", {}, 0.416665),
    ("L5", "dice", {}, 0.485714),
    ("R8", "dice", {}, 0.288135),
    ("E3", "dice", {"absent": "ignore"}, 0.416665),
    ("E3", "dice", {"absent": "smooth"}, 0.708322),
    ("E3", "dice", {"absent": "penalise"}, 0.270832),
    ("E3", "dice", {"absent": "ignore", "reduce": "sample"}, 0.299999),
    ("E3", "dice", {"absent": "smooth", "reduce": "sample"}, 0.824973),
    ("E3", "dice", {"absent": "penalise", "reduce": "sample"}, 0.187500),
    ("E2", "squared_dice", {}, 0.239373),
    ("E4", "squared_dice", {}, 0.197428),
    ("E2", "iou", {}, 0.499999),
    ("E4", "iou", {}, 0.583329),
    ("E2", "gdl", {}, 0.544870),
    ("E3", "gdl", {}, 0.385766),
    ("E3", "gdl", {"reduce": "sample"}, 0.263954),
    ("E4", "gdl", {}, 0.399998),
    ("E2", "tversky", {}, 0.377288),
    ("E2", "tversky", {"fp": 0.5, "fn": 0.5}, 0.333332),
    ("E4", "tversky", {}, 0.410190),
    ("E2", "focal_tversky", {}, 0.481399),
    ("E4", "focal_tversky", {}, 0.510223),
    ("E2", "asymmetric_similarity", {}, 0.375705),
    ("E2", "sensitivity_specificity", {}, 0.174332),
    ("E4", "sensitivity_specificity", {}, 0.068750),
    ("E2", "log_cosh_dice", {}, 0.054556),
    ("E2", "lovasz", {}, 0.558333),
    ("E2", "lovasz", {"include_background": False}, 0.466667),
    ("E3", "lovasz", {}, 0.333333),
    ("E3", "lovasz", {"include_background": False}, 0.300000),
    ("E4", "lovasz", {}, 0.400000),
    ("E2", "mcc", {}, 0.855482),
    ("E4", "mcc", {}, 0.630442),
    ("E2", "penalty_gdl", {}, 0.254871),
    ("E4", "penalty_gdl", {}, 0.159999),
    ("E2", "size_l1", {}, 0.225000),
    ("E4", "size_l1", {}, 0.022222),
    ("E2", "boundary", {}, -0.234987),
    ("E2", "boundary", {"offset": "kervadec"}, 0.027513),
    ("E4", "boundary", {}, -0.008333),
    ("E4", "boundary", {"include_background": True}, -0.011111),
    ("E2", "hausdorff", {}, 0.557500),
    ("E4", "hausdorff", {}, 0.200000),
    ("E2", "boundary_dou", {}, 0.355372),
    ("E2", "boundary_dou", {"include_background": False}, 0.239375),
    ("S12", "boundary_dou", {}, 0.062326),
    ("S12", "boundary_dou", {"include_background": False}, 0.071567),
    ("E4", "boundary_dou", {}, 0.181271),
    ("E4", "generalised_surface", {"weighted": False, "include_background": False}, 0.310715),
    ("E2", "anatomynet", {"eps": 1e-12}, 1.167038),
    ("E4", "anatomynet", {"eps": 1e-12}, 1.249608),
    ("E2", "combo", {}, 0.371382),
    ("E2", "combo", {"beta": 0.8}, 0.455899),
    ("E4", "combo", {}, 0.295485),
    ("E2", "unified_focal", {}, 0.533200),
    ("E2", "unified_focal", {"w_ce": 1.0}, 0.394273),
    ("E2", "unified_focal", {"w_ce": 0.0}, 0.672127),
    ("E4", "unified_focal", {}, 0.405296),
    ("E2", "asymmetric_unified_focal", {}, 0.512383),
    ("E2", "asymmetric_unified_focal", {"w_ce": 1.0}, 0.447001),
    ("E2", "asymmetric_unified_focal", {"w_ce": 0.0}, 0.577766),
    ("E4", "asymmetric_unified_focal", {}, 0.402167),
    ("R8", "blob", {}, 0.440402),
    ("R8", "cc", {"measure": "dice"}, 0.364474),
    ("R8", "cc", {}, 0.632061),
    ("L5", "cldice", {}, 0.176471),
]
SUMS = [
    ("E2", "dice_ce", 1.152194),
    ("E2", "dice_focal", 0.580830),
    ("E2", "dice + focal", 0.828328),
    ("E2", ["dice", {"name": "topk_ce", "k": 50.0}], 1.740038),
    ("E2", "ce_size_l1", 1.043862),
    ("E2", "ce + 0.1*size_l1", 0.841362),
    ("R8", "dice_blob", 1.016673),
    ("R8", "cc_dice_ce", 1.187782),
    ("R8", ["dice", {"name": "cc", "measure": "dice"}], 0.652609),
    ("L5", "dice_cldice", 0.331092),
]
WITH_NEEDS = [
    ("E2", "weighted_ce", {"class_counts": (90, 10)}, 0.906872),
    ("E2", "weighted_ce", {"class_counts": (4, 1)}, 0.889947),  # w = (.5, 2)
    ("E2", "exp_log", {"class_counts": (90, 10)}, 1.067027),
    ("E4", "exp_log", {"class_counts": (80, 15, 5)}, 0.995834),
    ("E2", "boundary", {"spacing": (2, 0.5)}, -0.692022),
    ("E2", "hausdorff", {"spacing": (2, 0.5)}, 1.236250),
    ("E2", "generalised_surface", {"class_counts": (3, 1)}, 0.555719),  # w = (.25, .75)
    ("E4", "generalised_surface", {"class_counts": (15, 10, 6)}, 0.278257),  # w = (.2, .3, .5)
    ("E2", "skeleton_recall", {"skeletons": [[[1, 0], [0, 1]]]}, 0.499998),
]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("case", "name", "parameters", "expected"), VALUES)
def test_worked_number(example, case, name, parameters, expected, dtype):
    logits, labels = example(case)
    loss = LOSSES[name](**parameters)(logits.to(dtype), labels)
    assert loss.dtype == dtype
    assert loss.item() == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("case", "form", "expected"), SUMS)
def test_worked_number_of_a_sum(example, case, form, expected, dtype):
    logits, labels = example(case)
    assert parse_loss(form).build()(logits.to(dtype), labels).item() == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("case", "name", "needs", "expected"), WITH_NEEDS)
def test_worked_number_with_what_is_known_in_advance(example, case, name, needs, expected, dtype):
    logits, labels = example(case)
    given = {need: torch.tensor(value) for need, value in needs.items()}
    assert LOSSES[name]()(logits.to(dtype), labels, **given).item() == pytest.approx(expected, abs=2e-6)


def test_skeleton_recall_in_its_published_sum(example):
    loss = parse_loss("dice_ce_skeleton_recall").build()
    value = loss(*example("E2"), skeletons=torch.tensor([[[1, 0], [0, 1]]]))
    assert value.item() == pytest.approx(1.652192, abs=2e-6)


def test_penalty_of_the_distance_penalised_ce(example):
    F = LOSSES["distance_ce"]().penalty(Batch.of(*example("E2")))
    torch.testing.assert_close(F, torch.tensor([[[0.292893, 0], [0, 0.292893]]]).double(), atol=1e-6, rtol=0)


def test_boundary_weights_of_the_boundary_dou_loss(example):
    loss = LOSSES["boundary_dou"]()
    for case, expected in (("E2", [-1.0, -1.0]), ("S12", [-1.0, 0.28])):
        batch = Batch.of(*example(case))
        a = loss.boundary_weights(batch, batch.region("batch", include_background=True))
        torch.testing.assert_close(a, torch.tensor(expected).double(), atol=1e-5, rtol=0)


def test_cells_and_their_terms(example):
    batch = Batch.of(*example("R8"))
    assert batch.cells[0, 1].tolist() == [[1, 1, 1, 1, 2, 2, 2, 2]]
    values = ConnectedComponents.dice(batch, Parts.of(batch.cells[:, 1:]))[0, 0]
    assert values[:2].tolist() == pytest.approx([0.150000, 0.578947], abs=1e-6)


def test_ratio_of_dice_and_hausdorff(example):
    step = LOSSES["dice_hausdorff"](balance="step")
    assert step(*example("E2")).item() == pytest.approx(1.115, abs=1e-4)  # twice the Hausdorff loss
    epoch = LOSSES["dice_hausdorff"]()
    epoch.totals.copy_(torch.tensor([2.0, 0.5]))
    epoch.set_epoch(1, 2)
    assert epoch.alpha_weights == (4.0, 1.0)
    assert epoch(*example("E2")).item() == pytest.approx(1.890831, abs=2e-6)


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
