"""Alpha schedules as study files write them: equal spellings, what keys hash, and what is refused."""

import json
import typing

import pytest
from pydantic import ValidationError

from harness.errors import InputError
from harness.losses import ALPHA_SCHEDULES, Alpha, Schedule, parse_loss
from harness.losses.alpha import Constant, Increase, Linear, Rebalance, WarmStart
from harness.strict_yaml import StrictModel, read, validate


class Study(StrictModel):
    """A model that holds a schedule as study files do."""

    alpha: Alpha


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("{schedule: linear}", "{schedule: linear, form: mix, start: 1.0, end: -0.0, pause: 5}"),
        ("{schedule: cosine, start: 1}", "{schedule: cosine, end: 0, start: 1.0}"),
        ("{schedule: step, hold: 5}", "{schedule: step}"),
        ("{schedule: step, hold_over: 0.1}", "{hold_over: 1e-1, schedule: step, hold: null}"),
        ("{schedule: warm_start}", "{schedule: warm_start, then: {schedule: constant, start: 1}}"),
        (
            "{schedule: warm_start, over: 0.25, form: mix, then: {schedule: increase, cap: 0.5}}",
            "{schedule: warm_start, over: 0.25, then: {schedule: increase, cap: 0.5, form: mix, step: 0.01}}",
        ),
    ],
)
def test_equal_spellings_in_yaml_give_equal_keys(text, same):
    one, other = (
        parse_loss("gdl + boundary", read(f"alpha: {each}", "study.yaml")["alpha"]) for each in (text, same)
    )
    assert one == other
    assert json.dumps(one.canonical()) == json.dumps(other.canonical())
    assert type(one).model_validate(one.canonical()) == one
    assert type(one).model_validate_json(json.dumps(one.canonical()), strict=True) == one


@pytest.mark.parametrize(
    ("schedule", "canonical"),
    [
        (Constant(), {"schedule": "constant", "form": "add", "start": 0.01}),
        (
            Increase(),
            {"schedule": "increase", "form": "add", "start": 0.01, "step": 0.01}
            | {"cap": None, "end": None, "over": None},
        ),
        (
            Rebalance(),
            {"schedule": "rebalance", "form": "mix", "start": 1.0, "step": -0.01, "floor": 0.01}
            | {"over": None, "published_code": False},
        ),
    ],
)
def test_what_trial_keys_hash_stays_as_it_was(schedule, canonical):
    assert schedule.model_dump(mode="json") == canonical


def test_alpha_lists_every_registered_schedule():
    union = typing.get_args(typing.get_args(Alpha)[0])
    assert set(union) == set(ALPHA_SCHEDULES.values())
    for name, schedule in ALPHA_SCHEDULES.items():
        assert schedule.model_fields["schedule"].default == name
        assert schedule().schedule == name  # every field has a default
        assert schedule.reference


def test_a_schedule_without_alpha_is_none():
    class Half(Schedule):
        schedule: str = "half"
        form: str = "mix"

    with pytest.raises(TypeError, match="abstract method"):
        Half()


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
        (
            "{schedule: linear, pause: -1}",
            "alpha.pause: input should be greater than or equal to 0 (got -1)",
        ),
        ("{schedule: linear, pause: 0.05}", "alpha.pause: input should be a valid integer"),
        ("{schedule: linear, pause_over: 1}", "alpha.pause_over: input should be less than 1 (got 1)"),
        ("{schedule: linear, end: 2}", "alpha: end must be <= 1 in the mix form (got 2)"),
        ("{schedule: linear, over: 0.5}", "alpha.over: unknown key"),
        ("{schedule: step, hold: 0}", "alpha.hold: input should be greater than 0 (got 0)"),
        ("{schedule: step, hold_over: 0.6}", "alpha.hold_over: input should be less than or equal to 0.5"),
        ("{schedule: step, hold: 2, hold_over: 0.1}", "alpha: hold and hold_over exclude each other"),
        ("{schedule: warm_start, epochs: 0}", "alpha.epochs: input should be greater than 0 (got 0)"),
        (
            "{schedule: warm_start, then: {schedule: warm_start}}",
            "alpha.then: a warm start cannot follow a warm start; give one with all the epochs of both",
        ),
        ("{schedule: warm_start, then: {start: 1}}", "alpha.then: required key 'schedule' is missing"),
        (
            "{schedule: warm_start, then: {schedule: cosin}}",
            "alpha.then: unknown schedule 'cosin'; did you mean 'cosine'?",
        ),
        (
            "{schedule: warm_start, then: {schedule: linear, pause: -1}}",
            "alpha.then.pause: input should be greater than or equal to 0 (got -1)",
        ),
        (
            "{schedule: warm_start, then: {schedule: linear, paus: 1}}",
            "alpha.then.paus: unknown key; did you mean 'pause'?",
        ),
        ("{schedule: warm_start, form: mixed}", "alpha.form: input should be 'add' or 'mix' (got 'mixed')"),
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
        (
            lambda: Linear(pause=1, pause_over=0.1),
            "pause and pause_over exclude each other: give a number of epochs or the fraction",
        ),
        (lambda: WarmStart(epochs=1, over=0.1), "epochs and over exclude each other"),
        (lambda: WarmStart(then=WarmStart()), "a warm start cannot follow a warm start"),
        (
            lambda: WarmStart(form="add", then=Linear()),
            r"form is that of then, mix \(got add\); give it only once",
        ),
    ],
)
def test_contradictions_are_refused(build, message):
    with pytest.raises(ValidationError, match=message):
        build()
