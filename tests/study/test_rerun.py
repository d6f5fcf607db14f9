"""A study file that repeats one trial, with the very same key."""

import json
from dataclasses import replace
from typing import Any

import pytest

from harness.data.splits import FixedSplit, HoldoutSplit, KFoldSplit, Split
from harness.errors import InputError
from harness.losses import ALPHA_SCHEDULES
from harness.strict_yaml import read, validate
from harness.study.plan import PlannedTrial, StudyDataset, fixed_trials
from harness.study.rerun import RecordedTrial, rerun
from harness.study.spec import Study, load_study
from studies import shipped_studies

STUDY = """\
study: demo
datasets: [wmh2017]
seeds: 4
losses: [{label: CE, loss: ce}]
"""
HOLDOUT = HoldoutSplit()


def parse(text: str) -> Study:
    return validate(Study, read(text, "demo.yaml"), "demo.yaml")


def planned(study: Study, split: Split = HOLDOUT) -> list[PlannedTrial]:
    return fixed_trials(study, [StudyDataset(str(study.dataset_entries[0].dataset), "f" * 64, split)])


def recorded(study: Study, place: PlannedTrial) -> RecordedTrial:
    """What a database gives back: JSON."""
    return RecordedTrial(
        key=place.trial.key,
        canonical=json.loads(json.dumps(place.trial.canonical())),
        label=place.label,
        dataset=place.dataset,
        fingerprint=place.trial.fingerprint,
        study=study.study,
        text=json.loads(study.model_dump_json()),
        commit="commit abc",
        numerics="x86_64, 1 thread",
    )


def last_trial(written: str, split: Split = HOLDOUT, **changes: Any) -> RecordedTrial:
    study = parse(written)
    return replace(recorded(study, planned(study, split)[-1]), **changes)


def file_of(trial: RecordedTrial) -> Study:
    made = rerun(trial)
    assert (made.key, made.difference) == (trial.key, None)
    return parse(made.text)


@pytest.mark.parametrize("name", shipped_studies())
def test_every_loss_of_the_shipped_studies_is_repeated_with_its_key(name):
    study, _ = load_study(name)
    last = {each.label: each for each in planned(study)}
    for place in last.values():
        trial = replace(recorded(study, place), text={"datasets": ["wmh2017"]}, dataset="wmh2017")
        assert file_of(trial).chosen_seeds == (study.seeds - 1,)


@pytest.mark.parametrize("schedule", sorted(ALPHA_SCHEDULES))
@pytest.mark.parametrize(
    "loss", ["gdl + boundary", "[{name: tversky, fp: 0.3}, {name: tversky, fp: 0.6}]", "0.3*ce + 0.7*dice"]
)
def test_alpha_moves_the_same_loss(schedule, loss):
    text = STUDY.replace("loss: ce", f"loss: {loss}, alpha: {{schedule: {schedule}}}")
    file_of(last_trial(text))


@pytest.mark.parametrize("moved", ["gdl", "boundary", "ce"])
def test_alpha_moves_the_named_one_of_three(moved):
    alpha = f"{{schedule: constant, start: 0.25, on: {moved}}}"
    file_of(last_trial(STUDY.replace("loss: ce", f"loss: gdl + boundary + 2*ce, alpha: {alpha}")))


@pytest.mark.parametrize(
    "split",
    [
        HoldoutSplit(test=0.3, validation=2, train=5, stratify=()),
        HoldoutSplit(test=("1", "yes", "0x10", "a: b"), by="case"),
        FixedSplit(kind="fixed", validation=("1", "2")),
        KFoldSplit(k=3, folds=(("1",), ("2",), ("3",))),
    ],
)
def test_every_split_is_spelled_out(split):
    study = file_of(last_trial(STUDY, split))
    assert study.dataset_entries[0].split == split
    assert study.only.folds == ((2,) if isinstance(split, KFoldSplit) else None)
    assert study.evaluation == ("validation" if isinstance(split, FixedSplit) else "test")


def test_model_and_protocol_are_spelled_out():
    settings = (
        "model: {name: unet2d, base_channels: 5, depth: 2, deep_supervision: true}\n"
        "protocol: {epochs: 3, optimizer: {name: sgd, lr: 1e-7}, lr_schedule: {name: poly}, "
        "augment: [flip_horizontal, {name: rotation, degrees: 7.5}], clip_gradient: 12, compile: true}\n"
    )
    study = file_of(last_trial(STUDY + settings))
    assert study.protocol.optimizer.lr == 1e-7
    assert study.model.options["base_channels"] == 5


@pytest.mark.parametrize(
    "label", ["a: b # c", "'\"", "line\nstudy: x", "\x1b[31m<b>$(rm)\\", "\u2028é", "null", "1"]
)
def test_hostile_names_stay_data(label):
    made = rerun(last_trial(STUDY, label=label, study=f"x\nstudy: y {label}", numerics=label, commit=label))
    assert parse(made.text).losses[0].label == label
    assert parse(made.text).study.startswith("rerun-")


def test_the_file_trains_one_trial_under_a_name_of_its_own():
    study = file_of(last_trial(STUDY))
    assert study.study.startswith("rerun-")
    assert study.seeds == 4
    assert [each.trial.seed for each in planned(study)] == [3]


def test_the_header_tells_commit_numerics_and_the_manifest_that_is_needed():
    text = STUDY.replace("wmh2017", "../lists/discs.yaml")
    made = rerun(last_trial(text, dataset="discs"))
    comments = [line for line in made.text.splitlines() if line.startswith("#")]
    for told in ("commit abc", "x86_64, 1 thread", "manifest discs.yaml", "lossbench db merge", "f" * 64):
        assert any(told in line for line in comments), told
    assert parse(made.text).dataset_entries[0].dataset == "discs.yaml"


def test_what_a_study_replaces_of_a_dataset_is_kept():
    entry = "{dataset: wmh2017, labels: {0: 0, 1: 1, 2: ignore}, size: [64, 64], split: published}"
    found = file_of(last_trial(STUDY.replace("wmh2017", entry))).dataset_entries[0]
    assert (found.labels, found.size) == ({0: 0, 1: 1, 2: "ignore"}, (64, 64))
    assert found.split == HoldoutSplit()


def test_simulated_and_real_data_of_one_name_are_told_apart():
    entry = "{dataset: wmh2017, simulate: {cases: 8}}"
    text = STUDY.replace("[wmh2017]", f"[other.yaml, {entry}]")
    simulated = file_of(last_trial(text, dataset="wmh2017-sim")).dataset_entries[0]
    assert simulated.simulate is not None
    assert file_of(last_trial(text, dataset="hearts")).dataset_entries[0].dataset == "other.yaml"


def test_a_dataset_that_cannot_be_told_is_refused():
    text = STUDY.replace("[wmh2017]", "[a.yaml, b.yaml]")
    with pytest.raises(InputError, match="does not tell which entry of its study's datasets is 'hearts'"):
        rerun(last_trial(text, dataset="hearts"))
    assert file_of(last_trial(text, dataset="b")).dataset_entries[0].dataset == "b.yaml"


def test_without_a_study_the_name_of_the_dataset_is_taken():
    assert file_of(last_trial(STUDY, text={}, study="")).dataset_entries[0].dataset == "wmh2017"
    with pytest.raises(InputError, match="does not tell"):
        rerun(last_trial(STUDY, text={}, dataset="wmh2017-sim"))


def test_a_configuration_of_a_search_becomes_a_trial_of_a_study():
    study = parse(STUDY)
    place = planned(study)[-1]
    searched = PlannedTrial(place.dataset, place.label, place.trial.model_copy(update={"purpose": "search"}))
    made = rerun(recorded(study, searched))
    assert made.key == place.trial.key
    assert made.difference is not None
    assert "was tried in a search" in made.difference
    assert "was tried in a search" in made.text


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"key_version": 0}, "this program makes keys of version 1, not 0"),
        ({"protocol": {"epochs": 200}}, "has more settings, in protocol"),
    ],
)
def test_another_key_is_told_with_its_reason(changed, sentence):
    trial = last_trial(STUDY)
    canonical = {**trial.canonical, **changed}
    made = rerun(replace(trial, canonical=canonical, key="0" * 64))
    assert made.difference is not None
    assert sentence in made.difference


def test_a_loss_that_this_program_does_not_know_is_refused_with_the_commit_that_does():
    trial = last_trial(STUDY)
    text = json.dumps(trial.canonical).replace('"name": "ce"', '"name": "gone"')
    with pytest.raises(InputError, match=r"cannot read what it trained .*'gone'.* check out commit abc"):
        rerun(replace(trial, canonical=json.loads(text)))
    with pytest.raises(InputError, match="cannot read what it trained"):
        rerun(replace(trial, canonical={**trial.canonical, "loss": {"name": "ce"}}))


def test_the_modules_of_own_classes_are_known_for_provenance():
    own = STUDY.replace("loss: ce", "loss: tests.training.losses:RunningMean")
    assert planned(parse(STUDY))[0].trial.plugin_modules() == set()
    assert planned(parse(own))[0].trial.plugin_modules() == {"tests.training.losses"}
    file_of(last_trial(own))
