"""Declared search spaces: of every loss, every alpha schedule and every optimiser."""

from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from harness.losses import ALPHA_SCHEDULES, LOSSES, Choice, Real, Whole, parse_loss
from harness.losses.base import constructor_parameters, spaces_of
from harness.training.protocol import Optimizer, Protocol

NOT_SEARCHED = {
    "eps": "keeps a formula defined where there is nothing to divide by",
    "empty_penalty": "a policy for absent classes, like 'absent'",
    "dimensions": "which distances are meant, not how strongly they count",
}
"""Numeric parameters without a space, whichever loss has them, and why."""

TUNABLE = [name for name, loss in LOSSES.items() if loss.spaces]
every_tunable_loss = pytest.mark.parametrize("name", TUNABLE)
SCHEDULES = sorted(set(ALPHA_SCHEDULES) - {"warm_start"})


def points(spaces):
    """A strategy for one value of every parameter."""
    return st.fixed_dictionaries({name: values(space) for name, space in spaces.items()})


def values(space):
    match space:
        case Real():
            return st.floats(space.low, space.high)
        case Whole():
            return st.integers(space.low, space.high)
        case Choice():
            return st.sampled_from(space.values)


def batches():
    """Logits and labels (2, 24, 24) of 3 classes: random, without foreground, all right, all wrong."""
    labels = torch.zeros(2, 24, 24, dtype=torch.long)
    labels[0, 1:22, 1:22], labels[1, 3:8, 3:20], labels[1, 15, 4] = 1, 2, 1
    logits = torch.randn(2, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    hot = torch.nn.functional.one_hot(labels, 3).permute(0, 3, 1, 2)
    saturated = 1e4 * (2.0 * hot - 1)
    return [(logits, labels), (logits, torch.zeros_like(labels)), (saturated, labels), (-saturated, labels)]


def value_and_gradient(name, parameters, logits, labels):
    logits = logits.clone().requires_grad_()
    value = LOSSES[name](**parameters)(logits, labels)
    value.backward()
    return value.detach(), logits.grad


def assert_trains(name, parameters):
    for logits, labels in batches():
        value, gradient = value_and_gradient(name, parameters, logits, labels)
        assert torch.isfinite(value), parameters
        assert torch.isfinite(gradient).all(), parameters


@pytest.mark.parametrize("name", list(LOSSES))
def test_spaces_are_of_parameters_and_hold_the_defaults(name):
    defaults = LOSSES[name].defaults()
    assert set(LOSSES[name].spaces) <= set(constructor_parameters(LOSSES[name]))
    for key, space in LOSSES[name].spaces.items():
        assert isinstance(space, Real | Whole | Choice)
        assert defaults[key] in space
        if isinstance(defaults[key], int) and not isinstance(defaults[key], bool):
            assert not isinstance(space, Real), "would draw fractions of a whole number"


@pytest.mark.parametrize("name", list(LOSSES))
def test_a_number_without_a_space_has_a_reason(name):
    loss = LOSSES[name]
    numbers = {
        key
        for key, default in loss.defaults().items()
        if isinstance(default, int | float) and not isinstance(default, bool)
    }
    assert numbers - set(loss.spaces) <= set(NOT_SEARCHED)
    assert not set(loss.spaces) & set(NOT_SEARCHED)


@every_tunable_loss
@pytest.mark.filterwarnings("ignore:cldice")
def test_the_ends_train(name):
    spaces = LOSSES[name].spaces
    for key, space in spaces.items():
        for end in space.ends:
            assert_trains(name, {key: end})
    for corner in (0, -1):
        assert_trains(name, {key: space.ends[corner] for key, space in spaces.items()})


@every_tunable_loss
@pytest.mark.filterwarnings("ignore:cldice")
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_what_lies_between_trains(name, data):
    assert_trains(name, data.draw(points(LOSSES[name].spaces)))


@every_tunable_loss
@pytest.mark.filterwarnings("ignore:cldice")
def test_every_searched_parameter_matters(name):
    logits, labels = batches()[0]
    for key, space in LOSSES[name].spaces.items():
        gradients = [value_and_gradient(name, {key: end}, logits, labels)[1] for end in space.ends]
        assert not torch.equal(gradients[0], gradients[-1])


def test_a_loss_of_somebody_else_needs_no_spaces():
    class Foreign(nn.Module):
        name, family, needs, reference = "foreign", "region", frozenset(), "nobody"

        def __init__(self, *, scale: float = 1.0) -> None:
            super().__init__()

    assert spaces_of(Foreign) == {}
    assert spaces_of(LOSSES["focal"]) == {"gamma": Real(0.0, 5.0)}


def test_a_subclass_has_the_spaces_of_its_base_and_its_own():
    assert set(LOSSES["focal_tversky"].spaces) == {"fp", "fn", "exponent"}
    assert set(LOSSES["penalty_gdl"].spaces) == {"weighting", "k"}


@pytest.mark.parametrize("name", list(ALPHA_SCHEDULES))
def test_spaces_are_of_fields_and_hold_the_defaults(name):
    schedule = ALPHA_SCHEDULES[name].model_validate({"schedule": name})
    assert schedule.spaces, "a schedule that cannot be tuned"
    for key, space in schedule.spaces.items():
        default = getattr(schedule, key)
        assert default is None or default in space


@given(st.data(), st.integers(1, 300))
def test_every_point_of_every_schedule_fits_every_training(data, epochs):
    kind = data.draw(st.sampled_from(SCHEDULES))
    alpha = {"schedule": kind, **data.draw(points(ALPHA_SCHEDULES[kind].spaces))}
    if data.draw(st.booleans()):
        warm_start = data.draw(points(ALPHA_SCHEDULES["warm_start"].spaces))
        alpha = {"schedule": "warm_start", **warm_start, "then": alpha}
    schedule = parse_loss("gdl + boundary", alpha).alpha
    assert all(weight >= 0 for epoch in (0, epochs - 1) for weight in schedule.weights(epoch, epochs))


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize("corner", [0, -1])
@pytest.mark.parametrize("epochs", [1, 2, 3, 300])
def test_the_ends_of_every_schedule_fit_every_training(kind, corner, epochs):
    alpha = {key: space.ends[corner] for key, space in ALPHA_SCHEDULES[kind].spaces.items()}
    schedule = parse_loss("gdl + boundary", {"schedule": kind, **alpha}).alpha
    assert all(weight >= 0 for weight in schedule.weights(epochs - 1, epochs))


@pytest.mark.parametrize("optimizer", [get_args(kind)[0] for kind in get_args(get_args(Optimizer)[0])])
def test_every_optimiser_has_a_range_of_learning_rates(optimizer):
    name = get_args(optimizer.model_fields["name"].annotation)[0]
    assert optimizer(name=name).lr in optimizer.lr_space
    for lr in optimizer.lr_space.ends:
        given = Protocol.model_validate({"optimizer": {"name": name, "lr": lr}}).optimizer
        assert (type(given), given.lr) == (optimizer, lr)


@pytest.mark.parametrize(
    ("space", "inside", "outside", "text"),
    [
        (Real(0.5, 5), [0.5, 2, 5.0], [0.4, 5.1, True, "1", float("nan"), None], "0.5 to 5"),
        (Real(1e-4, 1e-2, log=True), [1e-4, 1e-3], [0], "0.0001 to 0.01, logarithmic"),
        (Whole(3, 25), [3, 10, 25.0], [2, 3.5, True, "3"], "3 to 25"),
        (Whole(1, 64, log=True), [1, 64], [0, 65], "1 to 64, logarithmic"),
        (Choice(("a", "b", 0.5)), ["a", 0.5], ["c", True], "a, b or 0.5"),
        (Choice((False, True)), [True, False], [1, 0, "true"], "false or true"),
        (Choice((1, 2)), [1, 2.0], [True, 3], "1 or 2"),
    ],
)
def test_a_space_says_what_it_holds(space, inside, outside, text):
    assert all(value in space for value in inside)
    assert not any(value in space for value in outside)
    assert all(end in space for end in space.ends)
    assert str(space) == text


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Real(2, 1), r"low must be < high \(got 2 and 1\)"),
        (lambda: Real(1, 1), "low must be < high"),
        (lambda: Real(1, float("inf")), "low and high must be finite"),
        (lambda: Real(float("nan"), 1), "low and high must be finite"),
        (lambda: Real(0, 1, log=True), r"low must be > 0 on a logarithmic scale \(got 0\)"),
        (lambda: Whole(0, 4, log=True), "low must be > 0 on a logarithmic scale"),
        (lambda: Whole(5, 4), "low must be < high"),
        (lambda: Choice(()), "at least two values"),
        (lambda: Choice(("a",)), "at least two values"),
        (lambda: Choice((1, 1.0)), "a value stands twice"),
    ],
)
def test_a_space_that_is_none_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
