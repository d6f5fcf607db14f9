"""What a study asks of its scores: checked before anything is trained."""

from typing import Any

import pytest

from harness.errors import InputError
from harness.strict_yaml import read, validate
from harness.study.spec import Study

STUDY = """\
study: demo
datasets: [wmh2017]
losses:
  - {label: CE, loss: ce}
  - {label: Dice, loss: dice}
  - {label: Both, loss: dice_ce}
tuning: {losses: [CE]}
"""


def study(more: str = "") -> Study:
    return validate(Study, read(STUDY + more, "demo.yaml"), "demo.yaml")


def test_a_study_without_a_plan_has_the_usual_one() -> None:
    analysis = study().analysis
    assert (analysis.metric, analysis.boundary, analysis.alpha, analysis.looks) == ("dsc", "hd95", 0.05, 1)
    assert study().contrasts == ()


def test_contrasts_take_losses_and_their_tuned_arms() -> None:
    found = study("contrasts: [{name: tuning helps, plus: [CE (tuned)], minus: [CE]}]\n").contrasts
    assert [(each.name, each.plus, each.minus) for each in found] == [
        ("tuning helps", ("CE (tuned)",), ("CE",))
    ]


def test_margins_may_differ_between_datasets_simulated_or_not() -> None:
    own = "analysis: {margins: {dsc: 0.02, hd95: 1.2}, dataset_margins: {wmh2017-sim: {dsc: 0.03}}}\n"
    assert study(own).analysis.dataset_margins == {"wmh2017-sim": {"dsc": 0.03}}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (
            "contrasts: [{name: a, plus: [Dcie], minus: [CE]}]",
            "demo.yaml:8:30: contrasts.0.plus.0: the study has no loss 'Dcie'; did you mean 'Dice'?",
        ),
        (
            "contrasts: [{name: a, plus: [CE], minus: [CE]}]",
            "loss 'CE' stands on both sides of the contrast",
        ),
        ("contrasts: [{name: a, plus: [CE, CE], minus: [Dice]}]", "'CE' stands twice on one side"),
        ("contrasts: [{name: a, plus: [CE], minus: []}]", "contrasts.0.minus"),
        (
            "contrasts: [{name: a, plus: [CE], minus: [Dice]}, {name: a, plus: [Dice], minus: [CE]}]",
            "contrasts.1.name: contrast 'a' stands twice",
        ),
        ("analysis: {metric: dcs}", "unknown metric 'dcs'; did you mean 'dsc'?"),
        ("analysis: {metric: hd95}", "metric and boundary are both 'hd95'"),
        ("analysis: {margins: {hd95: 0.1}}", "must be above 1: 1.1 for ten per cent (got 0.1)"),
        ("analysis: {margins: {dsc: 0}}", "analysis.margins.dsc: input should be greater than 0"),
        ("analysis: {margin: {dsc: 1}}", "analysis.margin: unknown key; did you mean 'margins'?"),
        ("analysis: {alpha: 1}", "analysis.alpha: input should be less than 0.5"),
        ("analysis: {references: [dice]}", "analysis.references: the study has no loss 'dice'; did you mean"),
        (
            "analysis: {dataset_margins: {wmh2018: {dsc: 0.1}}}",
            "no dataset 'wmh2018'; did you mean 'wmh2017'?",
        ),
        ("analysis: {looks: 0}", "analysis.looks"),
    ],
)
def test_what_does_not_fit_the_study_is_told_at_its_line(more: str, told: str) -> None:
    with pytest.raises(InputError) as found:
        study(more)
    assert told in str(found.value)


def test_all_faults_are_told_at_once() -> None:
    more: Any = "contrasts: [{name: a, plus: [A], minus: [B]}]\nanalysis: {references: [C]}\n"
    with pytest.raises(InputError) as found:
        study(more)
    assert len(str(found.value).splitlines()) == 3
