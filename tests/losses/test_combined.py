"""Sums of losses: weights, alpha, and needs."""

import pickle

import pytest
import torch
from torch import nn

from harness.losses import ALIASES, LOSSES, CombinedLoss, Loss, parse_loss
from harness.losses.alpha import Constant, Rebalance


class Foreign(nn.Module):
    """A loss that knows nothing of our base class."""

    name, family, needs, reference = "foreign", "region", frozenset({"class_counts"}), "nobody"

    def __init__(self):
        super().__init__()
        self.seen = None

    def forward(self, logits, labels, **needs):
        self.seen = sorted(needs)
        return logits.float().pow(2).mean()


def weights_in_force(loss):
    return loss.current.tolist()


@pytest.mark.parametrize("name", list(LOSSES))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_a_single_loss_has_the_bits_of_the_plain_loss(name, noise, dtype):
    logits, labels = noise(dtype=dtype)
    combined = parse_loss(name).build()
    assert len(combined.losses) == 1
    plain, sum_of_one = LOSSES[name]()(logits, labels), combined(logits, labels)
    assert plain.dtype == sum_of_one.dtype
    assert torch.equal(plain, sum_of_one)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("dice_ce", 1.152194),
        ("dice_focal", 0.580830),
        ("dice + focal", 0.828328),
        ("0.8*dice + 0.2*ce", 0.8 * 0.333333 + 0.2 * 0.818862),
        ("gdl_boundary", 0.544870 - 0.234987),
        ("ce_boundary", 0.818862 - 0.234987),
        ("focal_boundary", 0.494995 - 0.234987),
        ("dice_boundary", 0.333333 - 0.234987),
    ],
)
def test_worked_number_of_a_sum(example, expression, value):
    assert parse_loss(expression).build()(*example("E2")).item() == pytest.approx(value, abs=2e-6)


@pytest.mark.parametrize(
    ("alpha", "value"),
    [
        ({"schedule": "rebalance", "start": 0.7, "floor": 0.7}, 0.310913),
        ({"schedule": "increase", "start": 0.05}, 0.533121),
        ({"schedule": "constant", "start": 0.05}, 0.533121),
    ],
)
def test_worked_number_under_alpha(example, alpha, value):
    loss = parse_loss("gdl + boundary", alpha).build()
    loss.set_epoch(0, 10)
    assert loss(*example("E2")).item() == pytest.approx(value, abs=2e-6)


def test_alpha_multiplies_the_base_weights_of_all_other_terms():
    spec = parse_loss("2*dice + 3*ce + 4*boundary", {"schedule": "rebalance", "on": "boundary"})
    loss = spec.build()
    assert [term.name for term in spec.terms] == ["boundary", "ce", "dice"]
    assert loss.alpha_weights == (1.0, 0.0)
    loss.set_epoch(30, 100)
    assert loss.alpha_weights == pytest.approx((0.7, 0.3))
    assert weights_in_force(loss) == pytest.approx([4 * 0.3, 3 * 0.7, 2 * 0.7])


def test_resuming_gives_the_weights_of_the_epoch():
    through, resumed = (parse_loss("gdl + boundary", {"schedule": "rebalance"}).build() for _ in range(2))
    for epoch in range(41):
        through.set_epoch(epoch, 100)
    resumed.set_epoch(40, 100)
    assert weights_in_force(through) == weights_in_force(resumed)
    assert not through.state_dict()


def test_without_alpha_weights_stay():
    loss = parse_loss("0.5*dice + ce").build()
    assert loss.alpha_weights is None
    loss.set_epoch(5, 10)
    assert weights_in_force(loss) == [1.0, 0.5]


def test_moving_weights_do_not_recompile(noise):
    torch._dynamo.reset()
    logits, labels = noise(dtype=torch.float32)
    maps = torch.randn(2, 3, 6, 5)
    loss = parse_loss("gdl + boundary", {"schedule": "rebalance"}).build()
    compiled = torch.compile(loss, fullgraph=True, backend="eager")
    with torch._dynamo.config.patch(error_on_recompile=True):
        values = []
        for epoch in range(0, 100, 33):
            loss.set_epoch(epoch, 100)
            values.append(compiled(logits, labels, distance_maps=maps).item())
            assert values[-1] == loss(logits, labels, distance_maps=maps).item()
    assert len(set(values)) == 4


def test_each_part_sees_the_needs_that_it_declares(noise):
    logits, labels = noise(dtype=torch.float16)
    foreign = Foreign()
    loss = CombinedLoss([LOSSES["boundary"](), foreign])
    assert loss.needs == {"distance_maps", "class_counts"}
    maps = torch.randn(2, 3, 6, 5)
    loss(logits, labels, distance_maps=maps, class_counts=torch.ones(3), skeletons=torch.ones(1))
    assert foreign.seen == ["class_counts"]
    loss(logits, labels, distance_maps=maps)
    assert foreign.seen == []


def test_a_part_with_a_forward_of_its_own_is_called_through_it(noise):
    class Doubled(Loss):
        name, family, reference = "doubled", "region", "nobody"

        def forward(self, logits, labels, **needs):
            return 2 * super().forward(logits, labels, **needs)

        def value(self, batch):
            return batch.z.mean()

    logits, labels = noise()
    assert CombinedLoss([Doubled()])(logits, labels) == 2 * logits.mean()


def test_parts_hear_the_epoch():
    heard = []

    class Listening(Loss):
        name, family, reference = "listening", "region", "nobody"

        def set_epoch(self, epoch, epochs):
            heard.append((epoch, epochs))

        def value(self, batch):
            return batch.z.mean()

    CombinedLoss([Listening()]).set_epoch(3, 10)
    assert heard == [(3, 10)]


def test_gradient_of_a_sum_is_the_sum_of_gradients(noise):
    logits, labels = noise()
    logits.requires_grad_()
    sum_of_both = torch.autograd.grad(parse_loss("dice + 0.5*ce").build()(logits, labels), logits)[0]
    dice, ce = (torch.autograd.grad(LOSSES[name]()(logits, labels), logits)[0] for name in ("dice", "ce"))
    torch.testing.assert_close(sum_of_both, dice + 0.5 * ce)


def test_ignore_label_reaches_every_part(noise):
    logits, labels = noise()
    labels[0] = 255
    loss = parse_loss("dice + ce").build(ignore_label=255)
    assert [part.ignore_label for part in loss.losses] == [255, 255]
    torch.testing.assert_close(loss(logits, labels), parse_loss("dice + ce").build()(logits[1:], labels[1:]))


def test_survives_pickling_with_its_weights(example):
    loss = parse_loss("gdl + boundary", {"schedule": "rebalance"}).build()
    loss.set_epoch(50, 100)
    assert torch.equal(pickle.loads(pickle.dumps(loss))(*example("E2")), loss(*example("E2")))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: CombinedLoss([]), "one weight per loss"),
        (lambda: CombinedLoss([LOSSES["dice"]()], [1, 2]), r"one weight per loss \(got 2 for 1\)"),
        (lambda: CombinedLoss([LOSSES["dice"]()], alpha=Constant(), on=0), "alpha needs at least 2 losses"),
        (
            lambda: CombinedLoss([LOSSES["dice"](), LOSSES["ce"]()], alpha=Rebalance(), on=2),
            r"index of the one it moves \(got 2\)",
        ),
        (
            lambda: CombinedLoss([LOSSES["dice"](), LOSSES["ce"](ignore_label=255)]),
            "must have the same ignore_label",
        ),
    ],
)
def test_wrong_sums_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("name", list(ALIASES))
def test_aliases_are_documented_sums_of_registered_losses(name):
    alias = ALIASES[name]
    assert alias.doc
    assert alias.reference
    assert name not in LOSSES
    spec = parse_loss(name)
    assert len(spec.terms) > 1
    assert {term.name for term in spec.terms} <= set(LOSSES)
    assert spec == parse_loss(alias.expression)
