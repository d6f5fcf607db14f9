"""Variants of network and protocol: one more row for each loss, under its own trials."""

import pytest

from harness.answering.shown import arm_labels
from harness.data.splits import HoldoutSplit
from harness.errors import InputError
from harness.strict_yaml import read, validate
from harness.study.plan import StudyDataset, fixed_trials, schedule_warnings
from harness.study.spec import Study
from harness.study.variants import rows

BASE = """\
study: ablation
datasets: [wmh2017]
seeds: 5
protocol: {epochs: 10, optimizer: {name: sgd, lr: 1e-2}, augment: [flip_horizontal]}
model: {name: unet2d, base_channels: 4, depth: 2}
losses:
  - {label: CE, loss: ce}
  - {label: Dice + CE, loss: dice + ce}
"""

DATASET = StudyDataset("wmh2017", "f" * 64, HoldoutSplit(test=2, validation=2))


def study(more: str) -> Study:
    return validate(Study, read(BASE + more, "ablation.yaml"), "ablation.yaml")


def test_every_loss_gets_a_row_for_every_variant_behind_its_own():
    found = study("variants:\n  - {label: batch norm, model: {norm: batch}}\n")
    labels = ["CE", "CE (batch norm)", "Dice + CE", "Dice + CE (batch norm)"]
    assert [row.label for row in rows(found)] == labels
    assert list(arm_labels(found.model_dump(mode="json"))) == labels


def test_a_variant_may_be_for_some_losses_only():
    found = study("variants:\n  - {label: ReLU, model: {activation: relu}, losses: [Dice + CE]}\n")
    assert [row.label for row in rows(found)] == ["CE", "Dice + CE", "Dice + CE (ReLU)"]
    assert list(arm_labels(found.model_dump(mode="json"))) == ["CE", "Dice + CE", "Dice + CE (ReLU)"]


def test_only_what_a_variant_names_is_other_in_its_trials():
    found = study(
        "variants:\n"
        "  - {label: batch norm, model: {norm: batch}, losses: [CE]}\n"
        "  - {label: slower, protocol: {optimizer: {lr: 1e-3}, epochs: 20}, losses: [CE]}\n"
        "  - {label: adam, protocol: {optimizer: {name: adam}}, losses: [CE]}\n"
        "  - {label: kervadec, model: {name: kervadec}, losses: [CE]}\n"
    )
    trials = {each.label: each.trial for each in fixed_trials(found, [DATASET]) if each.trial.seed == 0}
    base, norm = trials["CE"], trials["CE (batch norm)"]
    assert norm.model.options == {**base.model.options, "norm": "batch"}
    assert norm.protocol == base.protocol
    slower = trials["CE (slower)"].protocol
    assert (slower.optimizer.name, slower.optimizer.lr, slower.epochs) == ("sgd", 1e-3, 20)
    assert slower.augment == base.protocol.augment
    assert trials["CE (adam)"].protocol.optimizer.lr == 1e-3  # the default of another optimiser, not sgd's
    assert trials["CE (kervadec)"].model.options == {}
    assert len({trial.key for trial in trials.values()}) == len(trials)


def test_rows_as_declared_keep_the_keys_of_a_study_without_variants():
    plain = fixed_trials(study(""), [DATASET])
    more = fixed_trials(study("variants:\n  - {label: ReLU, model: {activation: relu}}\n"), [DATASET])
    assert [each.trial.key for each in more if "(" not in each.label] == [each.trial.key for each in plain]


def test_contrasts_may_name_a_variant():
    found = study(
        "variants:\n  - {label: no augmentation, protocol: {augment: []}, losses: [CE]}\n"
        "contrasts:\n  - {name: augmentation helps, plus: [CE], minus: [CE (no augmentation)]}\n"
    )
    assert found.contrasts[0].minus == ("CE (no augmentation)",)


def test_an_arm_that_is_only_tuned_is_not_varied():
    found = study(
        "  - {label: tuned, loss: gdl + boundary, alpha: tune}\n"
        "variants:\n  - {label: ReLU, model: {activation: relu}}\n"
    )
    labels = ["CE", "CE (ReLU)", "Dice + CE", "Dice + CE (ReLU)", "tuned"]
    assert list(arm_labels(found.model_dump(mode="json"))) == labels


def test_warnings_of_a_schedule_name_the_row():
    found = study(
        "  - {label: BL, loss: gdl + boundary, alpha: {schedule: rebalance, step: -0.1, floor: 0.1}}\n"
        "variants:\n  - {label: short, protocol: {epochs: 4}}\n"
    )
    told = [each for each in schedule_warnings(found) if "BL" in each]
    assert len(told) == 1
    assert told[0].startswith("loss 'BL (short)'")


@pytest.mark.parametrize(
    ("variants", "where", "told"),
    [
        ("[{label: a, model: {norm: group}}]", "9:", "norm"),
        ("[{label: a, protocol: {epoch: 3}}]", "variants.0.protocol", "did you mean 'epochs'"),
        ("[{label: a, protocol: {epochs: 0}}]", "variants.0.protocol.epochs", "greater than 0"),
        ("[{label: a}]", "variants.0", "changes something"),
        ("[{label: a, model: {norm: batch}, losses: [DICE]}]", "variants.0.losses", "no loss 'DICE'"),
        ("[{label: a, model: {norm: batch}}, {label: a, model: {norm: none}}]", "variants.1.label", "twice"),
        ("[{label: a, model: {norm: batch}, loss: CE}]", "variants.0.loss", "did you mean 'losses'"),
    ],
)
def test_mistakes_are_told_at_their_place(variants: str, where: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        study(f"variants: {variants}\n")
    assert where in str(caught.value)
    assert told in str(caught.value)


def test_a_schedule_too_long_for_a_variant_is_refused():
    with pytest.raises(InputError, match=r"losses\.2\.alpha"):
        study(
            "  - {label: W, loss: gdl + boundary, alpha: {schedule: warm_start, epochs: 6, "
            "then: {schedule: constant}}}\n"
            "variants:\n  - {label: short, protocol: {epochs: 4}}\n"
        )


def test_no_variant_for_tuned_arms_alone():
    text = BASE[: BASE.index("losses:")] + (
        "losses:\n  - {label: T, loss: gdl + boundary, alpha: tune}\n"
        "variants:\n  - {label: ReLU, model: {activation: relu}}\n"
    )
    with pytest.raises(InputError, match="no loss can be varied"):
        validate(Study, read(text, "ablation.yaml"), "ablation.yaml")
