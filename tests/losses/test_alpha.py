"""Alpha schedules: the published tables, the ends, and what is refused."""

import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.errors import InputError
from harness.losses import ALPHA_SCHEDULES, Alpha, unfinished
from harness.losses.alpha import Constant, Increase, Rebalance
from harness.strict_yaml import StrictModel, read, validate

NEW = {
    "constant": Constant(),
    "increase": Increase(),
    "rebalance": Rebalance(),
    "published": Rebalance(published_code=True),
}


class Study(StrictModel):
    """A model that holds a schedule as study files do."""

    alpha: Alpha


@pytest.mark.parametrize(
    ("epoch", "rebalance", "published"),
    [
        (0, 1.00, (1.00, 0.01)),
        (5, 0.95, (0.95, 0.06)),
        (6, 0.94, (0.94, 0.07)),
        (25, 0.75, (0.75, 0.26)),
        (50, 0.50, (0.50, 0.51)),
        (94, 0.06, (0.10, 0.95)),
        (99, 0.01, (0.10, 1.00)),
        (150, 0.01, (0.10, 1.51)),
        (199, 0.01, (0.10, 2.00)),
    ],
)
def test_published_table(epoch, rebalance, published):
    assert NEW["rebalance"].weights(epoch, 200) == pytest.approx((rebalance, 1 - rebalance), abs=1e-12)
    assert NEW["published"].weights(epoch, 200) == pytest.approx(published, abs=1e-12)


def test_first_rebalance_epoch_is_the_region_loss_alone():
    assert NEW["rebalance"].weights(0, 200) == (1.0, 0.0)


def test_constant_adds_the_same_at_every_epoch():
    assert {NEW["constant"].weights(epoch, 50) for epoch in range(50)} == {(1.0, 0.01)}
    assert Constant(form="mix", start=0.25).weights(3, 9) == (0.25, 0.75)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Increase(), {0: 0.01, 10: 0.11, 199: 2.0}),
        (Increase(start=1.0, step=0.01), {0: 1.0, 50: 1.5}),
        (Increase(cap=0.05), {0: 0.01, 4: 0.05, 5: 0.05, 199: 0.05}),
        (Increase(end=0.5, over=0.5, start=0.1), {0: 0.1, 199: 0.5, 100: 0.5, 50: 0.1 + 0.4 * 50 / 99.5}),
    ],
)
def test_increase_adds_more_and_more(schedule, expected):
    for epoch, alpha in expected.items():
        assert schedule.weights(epoch, 200) == pytest.approx((1.0, alpha), abs=1e-12)


@pytest.mark.parametrize("epochs", [2, 3, 10, 101, 200])
@pytest.mark.parametrize("over", [0.1, 0.5, 1.0])
def test_over_means_the_same_for_short_and_long_trainings(epochs, over):
    schedule = Rebalance(over=over, start=0.9, floor=0.1)
    alphas = [schedule.weights(epoch, epochs)[0] for epoch in range(epochs)]
    assert alphas[0] == 0.9
    assert alphas[-1] == pytest.approx(0.1)
    arrived = [epoch / (epochs - 1) >= over - 1e-12 for epoch in range(epochs)]
    assert [alpha == pytest.approx(0.1) for alpha in alphas] == arrived
    assert alphas == sorted(alphas, reverse=True)


@pytest.mark.parametrize(
    "schedule", [*NEW.values(), Rebalance(over=0.5, start=0.7), Increase(over=1, end=2, start=0.5)]
)
def test_one_epoch_gives_the_start(schedule):
    start = schedule.start
    expected = (start, 1 - start) if schedule.form == "mix" else (1.0, start)
    if getattr(schedule, "published_code", False):
        expected = (1.0, 0.01)
    assert schedule.weights(0, 1) == pytest.approx(expected)


@given(st.integers(1, 300), st.data())
def test_weights_of_mix_sum_to_one_and_do_not_depend_on_the_past(epochs, data):
    epoch = data.draw(st.integers(0, epochs - 1))
    schedule = data.draw(st.sampled_from([Rebalance(), Rebalance(over=0.3), Rebalance(step=-0.003, floor=0)]))
    w_R, w_B = schedule.weights(epoch, epochs)
    assert w_R + w_B == 1
    assert schedule.floor - 1e-12 <= w_R <= schedule.start
    assert (w_R, w_B) == Rebalance.model_validate(schedule.model_dump()).weights(epoch, epochs)


@pytest.mark.parametrize("epoch", [-1, 10])
def test_epoch_outside_the_training_is_refused(epoch):
    with pytest.raises(ValueError, match=r"epoch must lie in 0..9 \(got "):
        NEW["rebalance"].weights(epoch, 10)


@pytest.mark.parametrize(
    ("schedule", "epochs", "warning"),
    [
        (Rebalance(), 100, None),
        (Rebalance(), 99, "stops at 0.02 after 99 epochs and never reaches its floor 0.01"),
        (Rebalance(), 1, "stops at 1 after 1 epoch"),
        (Rebalance(over=1), 3, None),
        (Rebalance(published_code=True), 91, None),
        (Rebalance(published_code=True), 50, "never reaches its floor 0.1"),
        (Increase(), 5, None),
        (Increase(cap=0.5), 10, "'increase' stops at 0.1 after 10 epochs and never reaches its cap 0.5"),
        (Increase(end=0.5, over=0.5), 10, None),
        (Constant(), 1, None),
    ],
)
def test_a_schedule_that_cannot_finish_is_warned_about(schedule, epochs, warning):
    sentence = unfinished(schedule, epochs)
    assert sentence is None if warning is None else warning in sentence


def test_equal_spellings_are_equal():
    assert Rebalance() == Rebalance(step=-0.01) == Rebalance(step=None, over=None, start=1.0)
    assert Rebalance().model_dump()["step"] == -0.01
    assert Rebalance(over=0.5).step is None
    assert Increase() == Increase(step=0.01)
    for schedule in NEW.values():
        assert type(schedule).model_validate(schedule.model_dump()) == schedule


def test_alpha_lists_every_registered_schedule():
    union = typing.get_args(typing.get_args(Alpha)[0])
    assert set(union) == set(ALPHA_SCHEDULES.values())
    for name, schedule in ALPHA_SCHEDULES.items():
        assert schedule.model_fields["schedule"].default == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{schedule: rebalance, floor: 1.5}",
            "alpha.floor: input should be less than or equal to 1 (got 1.5)",
        ),
        ("{schedule: rebalance, step: 0.01}", "alpha.step: input should be less than 0 (got 0.01)"),
        ("{schedule: rebalance, over: 0}", "alpha.over: input should be greater than 0 (got 0)"),
        ("{schedule: rebalance, flor: 0.5}", "alpha.flor: unknown key; did you mean 'floor'?"),
        ("{schedule: rebalance, start: one}", "alpha.start: input should be a valid number (got 'one')"),
        ("{schedule: increase, step: 0}", "alpha.step: input should be greater than 0 (got 0)"),
        (
            "{schedule: constant, start: -1}",
            "alpha.start: input should be greater than or equal to 0 (got -1)",
        ),
    ],
)
def test_a_study_file_hears_what_is_wrong_and_where(text, message):
    with pytest.raises(InputError) as error:
        validate(Study, read(f"alpha: {text}", "study.yaml"), "study.yaml")
    assert message in str(error.value)
    assert str(error.value).startswith("study.yaml:1:")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Rebalance(step=-0.1, over=0.5), "step and over exclude each other"),
        (lambda: Increase(step=0.1, over=0.5, end=1), "step and over exclude each other"),
        (lambda: Rebalance(floor=0.5, start=0.2), r"floor must be <= start \(got 0.5 > 0.2\)"),
        (lambda: Rebalance(published_code=True, floor=0.2), "published_code fixes the schedule"),
        (lambda: Rebalance(published_code=True, over=0.2), "published_code fixes the schedule"),
        (lambda: Increase(over=0.5), "over and end go together"),
        (lambda: Increase(end=0.5), "over and end go together"),
        (lambda: Increase(over=0.5, end=1, cap=2), "cap goes with step"),
        (lambda: Increase(cap=0.5, start=0.6), r"cap must be >= start \(got 0.5 < 0.6\)"),
        (lambda: Increase(form="mix"), "the mix form needs a cap or an end"),
        (lambda: Increase(form="mix", cap=2), r"cap must be <= 1 in the mix form \(got 2\)"),
        (lambda: Constant(form="mix", start=2), r"start must be <= 1 in the mix form \(got 2\)"),
    ],
)
def test_contradictions_are_refused(build, message):
    with pytest.raises(ValidationError, match=message):
        build()
