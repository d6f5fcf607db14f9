"""What every registered loss must do, whoever wrote it."""

import inspect
import json
from typing import get_args

import pytest
import torch

from harness.losses import LOSSES, Loss, parse_loss
from harness.losses.base import Family, Need, constructor_parameters
from tests.losses.one_of_each import quick_for_one_of_each

NOT_ZERO_WHEN_PERFECT = {
    "boundary": "is negative inside the object",
    "exp_log": "ends at its clamp, about 0.02",
    "label_smoothed_ce": "has its optimum at the smoothed labels",
}
TRANSFORMS_IN_THE_STEP = {"hausdorff", "dice_hausdorff"}
"""Their distances follow the prediction: no compiler can trace them."""
NOT_SYMMETRIC = {
    "cc": "a pixel as near to two components goes to the one with the lower number",
    "skeleton_recall": "thinning is not symmetric",
}
every_loss = pytest.mark.parametrize("name", list(LOSSES))


def label_cases(classes):
    """Labels (2, 8, 8) that have made losses of other people divide by zero."""
    generator = torch.Generator().manual_seed(1)
    random = torch.randint(0, classes, (2, 8, 8), generator=generator)
    one_pixel = torch.zeros_like(random)
    one_pixel[0, 3, 4] = 1
    return {
        "all classes": random,
        "absent class": random.clamp(max=classes - 2),
        "absent in one image": torch.stack([random[0], random[1].clamp(max=classes - 2)]),
        "empty": torch.zeros_like(random),
        "full": torch.ones_like(random),
        "one pixel": one_pixel,
    }


def finite(loss, logits, labels):
    """Value and gradient of a loss, asserted to be finite."""
    logits = logits.clone().requires_grad_()
    value = loss(logits, labels)
    value.backward()
    assert value.shape == ()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()
    return value.detach(), logits.grad


def saturated(labels, classes, right):
    """Logits of +-1e4, all right or all wrong."""
    answer = labels if right else (labels + 1) % classes
    hot = torch.nn.functional.one_hot(answer, classes).permute(0, 3, 1, 2)
    return 1e4 * (2.0 * hot - 1)


@every_loss
def test_declares_itself(name):
    loss = LOSSES[name]
    assert issubclass(loss, Loss)
    assert loss.name == name
    assert loss.family in get_args(Family)
    assert loss.needs <= set(get_args(Need))
    assert loss.reference
    assert "::" in inspect.getdoc(loss), "the docstring shows the formula"
    for parameter in constructor_parameters(loss).values():
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert parameter.annotation is not parameter.empty
        assert parameter.default is not parameter.empty
        assert parameter.name not in {"name", "weight", "on", "ignore_label"}
    defaults = loss.defaults()
    assert json.loads(json.dumps(defaults)) == defaults
    assert loss(**defaults).ignore_label is None
    assert loss(ignore_label=255).ignore_label == 255
    assert parse_loss(name).terms[0].parameters == defaults


@every_loss
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("case", list(label_cases(2)))
@pytest.mark.parametrize(
    "dtype",
    [
        torch.float64,
        torch.float16,  # the narrowest range; test_safety.py has all types with all classes
        pytest.param(torch.float32, marks=pytest.mark.full),
        pytest.param(torch.bfloat16, marks=pytest.mark.full),
    ],
)
def test_finite_value_and_gradient(name, classes, case, dtype):
    labels = label_cases(classes)[case]
    logits = torch.randn(2, classes, 8, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    value, gradient = finite(LOSSES[name](), logits, labels)
    assert gradient.dtype == dtype
    assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


@every_loss
@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("case", list(label_cases(2)))
def test_finite_for_saturated_logits(name, right, case):
    labels = label_cases(4)[case]
    value, _ = finite(LOSSES[name](), saturated(labels, 4, right), labels)
    if right and name not in NOT_ZERO_WHEN_PERFECT:
        assert value <= 1e-3


@every_loss
def test_half_precision_logits_are_computed_in_float32(name):
    labels = label_cases(3)["all classes"]
    logits = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)).half()
    loss = LOSSES[name]()
    expected = loss(logits.float(), labels)
    torch.testing.assert_close(loss(logits, labels), expected, rtol=0, atol=0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(loss(logits.float(), labels), expected, rtol=0, atol=0)


@every_loss
def test_gradient_equals_finite_differences(name):
    labels = label_cases(3)["absent in one image"][:, :3, :4]
    logits = torch.randn(2, 3, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    loss = LOSSES[name]()
    loss(logits, labels)  # a ratio that the first batch sets stays from now on
    assert torch.autograd.gradcheck(lambda z: loss(z, labels), logits.requires_grad_())


@every_loss
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_any_integer_labels(name, dtype):
    labels = label_cases(3)["all classes"]
    logits = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert LOSSES[name]()(logits, labels.to(dtype)) == LOSSES[name]()(logits, labels)


@every_loss
@pytest.mark.parametrize("ignore_label", [255, -1, 1])
def test_ignored_pixels_have_no_value_and_no_gradient(name, ignore_label):
    labels = label_cases(3)["all classes"].clone()
    ignored = torch.rand(labels.shape, generator=torch.Generator().manual_seed(2)) < 0.3
    labels[ignored] = ignore_label
    ignored = labels == ignore_label
    logits = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    loss = LOSSES[name](ignore_label=ignore_label)
    value, gradient = finite(loss, logits, labels)
    assert not gradient.movedim(1, -1)[ignored].any()
    assert gradient.movedim(1, -1)[~ignored].any()
    changed = torch.where(ignored[:, None], torch.full_like(logits, torch.inf), logits)
    assert loss(changed, labels) == value


@every_loss
def test_a_batch_of_ignored_pixels_only_is_a_zero_that_keeps_the_graph(name):
    logits = torch.randn(2, 3, 4, 4)
    value, gradient = finite(LOSSES[name](ignore_label=9), logits, torch.full((2, 4, 4), 9))
    assert value.item() == pytest.approx(0, abs=2e-2)  # exp-log: its clamp
    assert not gradient.any()


@pytest.mark.parametrize("name", sorted(set(LOSSES) - TRANSFORMS_IN_THE_STEP))
def test_cropping_ignored_columns_changes_nothing_but_maps(name, needs_of):
    labels = label_cases(3)["all classes"].clone()
    logits = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    labels[..., 5:] = 255
    needs = needs_of(logits, labels, 255)
    cropped = {need: x if need in {"class_counts", "spacing"} else x[..., :5] for need, x in needs.items()}
    whole = LOSSES[name](ignore_label=255)(logits, labels, **needs)
    crop = LOSSES[name]()(logits[..., :5], labels[..., :5], **cropped)
    torch.testing.assert_close(whole, crop)


@every_loss
def test_order_of_images_does_not_matter(name, noise):
    logits, labels = noise(batch=3)
    order = [2, 0, 1]
    loss = LOSSES[name]()
    torch.testing.assert_close(loss(logits[order], labels[order]), loss(logits, labels))


@every_loss
def test_order_of_the_foreground_classes_does_not_matter(name, noise):
    logits, labels = noise(classes=4)
    order = torch.tensor([0, 3, 1, 2])
    loss = LOSSES[name]()
    torch.testing.assert_close(loss(logits[:, order], order.argsort()[labels]), loss(logits, labels))


@every_loss
@pytest.mark.parametrize("turn", ["columns", "rows", "quarter"])
def test_flips_and_quarter_turns_change_nothing(name, turn, noise, needs_of):
    move = {
        "columns": lambda x: x.flip(-1),
        "rows": lambda x: x.flip(-2),
        "quarter": lambda x: x.rot90(1, (-2, -1)),
    }[turn]
    logits, labels = noise(height=9, width=9)
    needs = needs_of(logits, labels)
    moved = {need: x if need in {"class_counts", "spacing"} else move(x) for need, x in needs.items()}
    loss = LOSSES[name]()
    torch.testing.assert_close(loss(move(logits), move(labels), **moved), loss(logits, labels, **needs))
    if name not in NOT_SYMMETRIC:
        torch.testing.assert_close(loss(move(logits), move(labels)), loss(logits, labels))


@every_loss
def test_takes_only_the_needs_that_it_declares(name, noise, needs_of):
    logits, labels = noise()
    loss = LOSSES[name]()
    needs = needs_of(logits, labels)
    undeclared = {need: value for need, value in needs.items() if need not in loss.needs | {"spacing"}}
    assert loss(logits, labels, **undeclared) == loss(logits, labels)
    for need in loss.needs - {"spacing"}:  # means something together with maps only
        other = needs[need].flip(0) if need == "class_counts" else needs[need].rot90(2, (-2, -1))
        assert loss(logits, labels, **needs | {need: other}) != loss(logits, labels, **needs), need


@every_loss
def test_what_is_given_equals_what_is_computed(name, noise, needs_of):
    logits, labels = noise(classes=4)
    labels[1] = labels[1].clamp(max=2)
    labels[0, 0] = 255
    loss = LOSSES[name](ignore_label=255)
    spacing = torch.tensor([[2.0, 2.0]])
    given = needs_of(logits, labels, 255) | {"spacing": torch.tensor([[3.0, 2.0, 2.0]] * 2)}
    del given["class_counts"]
    torch.testing.assert_close(
        loss(logits, labels, **given), loss(logits, labels, spacing=spacing.expand(2, 2))
    )


@every_loss
def test_no_distance_transform_in_the_step(name, noise, needs_of, monkeypatch):
    """Given what it declares, a loss computes none of it; Hausdorff follows the prediction."""
    logits, labels = noise()
    loss = LOSSES[name]()
    needs = {need: value for need, value in needs_of(logits, labels).items() if need in loss.needs}

    def refuse(*_):
        raise AssertionError("computed although it was given")

    for function in ("signed_distance_maps", "components", "class_cells", "skeleton_tube"):
        monkeypatch.setattr(f"harness.losses.needs.{function}", refuse)
    if name not in TRANSFORMS_IN_THE_STEP:
        monkeypatch.setattr("harness.losses.needs.boundary_distances", refuse)
    loss(logits, labels, **needs)


@every_loss
def test_channels_last_gives_the_same(name, noise):
    logits, labels = noise()
    loss = LOSSES[name]()
    torch.testing.assert_close(
        loss(logits.contiguous(memory_format=torch.channels_last), labels), loss(logits, labels)
    )


@pytest.mark.parametrize("name", quick_for_one_of_each(LOSSES))
def test_compiles_without_a_graph_break(name, noise, needs_of):
    torch._dynamo.reset()
    logits, labels = noise(dtype=torch.float32)
    needs = needs_of(logits, labels, 255)
    loss = LOSSES[name](ignore_label=255)
    expected = loss(logits, labels, **needs)
    compiled = torch.compile(loss, fullgraph=name not in TRANSFORMS_IN_THE_STEP, backend="eager")
    torch.testing.assert_close(compiled(logits, labels, **needs), expected)


@every_loss
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_as_on_the_cpu(name, noise):
    logits, labels = noise()
    loss = LOSSES[name]()
    torch.testing.assert_close(loss(logits.cuda(), labels.cuda()).cpu(), loss(logits, labels))


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (torch.zeros(2, 1, 4, 4), torch.zeros(2, 4, 4).long(), "at least 2 \\(got 1\\); overlapping regions"),
        (torch.zeros(2, 4, 4), torch.zeros(2, 4, 4).long(), "logits must be floating point \\(B, C, H, W\\)"),
        (torch.zeros(2, 3, 4, 4).long(), torch.zeros(2, 4, 4).long(), "got torch.int64"),
        (
            torch.zeros(2, 3, 4, 4),
            torch.zeros(2, 1, 4, 4).long(),
            "labels must be .* \\(2, 4, 4\\) \\(got \\(2, 1",
        ),
        (torch.zeros(2, 3, 4, 4), torch.zeros(2, 4, 4), "labels must be integers \\(got torch.float32\\)"),
        (
            torch.zeros(2, 3, 4, 4),
            torch.zeros(2, 4, 4).bool(),
            "labels must be integers \\(got torch.bool\\)",
        ),
        (torch.zeros(2, 3, 4, 4), torch.full((2, 4, 4), 3), "must lie in 0..2 \\(got 3\\).* ignore_label=3"),
        (torch.zeros(2, 3, 4, 4), torch.full((2, 4, 4), -1), "must lie in 0..2 \\(got -1\\)"),
    ],
)
@every_loss
def test_wrong_input_is_refused_with_a_sentence(name, logits, labels, message):
    with pytest.raises(ValueError, match=message):
        LOSSES[name]()(logits, labels)


@pytest.mark.parametrize(
    ("needs", "message"),
    [
        (
            {"distance_maps": torch.zeros(2, 1, 6, 5)},
            "distance_maps must be .* \\(2, 3, 6, 5\\) \\(got \\(2, 1",
        ),
        ({"class_counts": torch.zeros(2)}, "class_counts must be \\(C,\\) = \\(3,\\) \\(got \\(2,\\)\\)"),
        ({"spacing": torch.ones(3, 2)}, "spacing must be \\(B, 2\\) or .* \\(got \\(3, 2\\)\\)"),
        ({"components": torch.ones(2, 3, 6, 5)}, "components must be \\(B, H, W\\) = \\(2, 6, 5\\)"),
        ({"cells": torch.ones(2, 6, 5)}, "cells must be \\(B, C, H, W\\) = \\(2, 3, 6, 5\\)"),
    ],
)
def test_needs_of_the_wrong_shape_are_refused(noise, needs, message):
    with pytest.raises(ValueError, match=message):
        LOSSES["ce"]()(*noise(), **needs)


def test_an_unknown_need_is_refused_with_the_known_ones(noise):
    with pytest.raises(TypeError, match="takes no 'maps'; it can take class_counts, spacing, distance_maps"):
        LOSSES["ce"]()(*noise(), maps=torch.zeros(1))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: LOSSES["topk_ce"](k=0), "k must be > 0 \\(got 0\\)"),
        (lambda: LOSSES["topk_ce"](k=101), "k must lie in 0..100 \\(got 101\\)"),
        (lambda: LOSSES["poly1_ce"](epsilon1=-2), "epsilon1 must be >= -1"),
        (lambda: LOSSES["tversky"](fp=-0.1), "fp must be >= 0"),
        (lambda: LOSSES["boundary"](dimensions=4), "dimensions must be one of 2, 3 \\(got 4\\)"),
        (lambda: LOSSES["cldice"](iterations=0), "iterations must be >= 1"),
        (lambda: LOSSES["focal"](gamma=-1), "gamma must be >= 0 \\(got -1\\)"),
        (lambda: LOSSES["focal"](class_weights=(1, -1)), "class_weights must be >= 0"),
        (lambda: LOSSES["dice"](eps=0), "eps must be > 0 \\(got 0\\)"),
        (lambda: LOSSES["dice"](reduce="image"), "reduce must be one of batch, sample \\(got 'image'\\)"),
        (lambda: LOSSES["gdl"](absent="drop"), "absent must be one of ignore, smooth, penalise"),
        (lambda: LOSSES["weighted_ce"](max_ratio=0.5), "max_ratio must be >= 1 \\(got 0.5\\)"),
        (lambda: LOSSES["weighted_ce"](power=-1), "power must be >= 0"),
        (lambda: LOSSES["exp_log"](gamma_ce=0), "gamma_ce must be > 0"),
    ],
)
def test_constructor_checks_ranges(build, message):
    with pytest.raises(ValueError, match=message):
        build()
