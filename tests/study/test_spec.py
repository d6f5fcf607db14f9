"""A study file: strict YAML, all errors at once at their lines, keys that mean the same training."""

import pytest

from harness.errors import InputError
from harness.losses import ALIASES, ALPHA_SCHEDULES, LOSSES, parse_loss
from harness.strict_yaml import read, validate
from harness.study.plan import StudyDataset, fixed_trials, schedule_warnings
from harness.study.spec import Study, load_study
from studies import shipped_studies

GOOD = """\
study: demo
datasets: [msd_hippocampus]
seeds: 3
protocol: {epochs: 4, optimizer: {name: adam, lr: 1e-3}}
losses:
  - {label: CE, loss: ce}
  - {loss: {name: focal, gamma: 3}}
"""


def parse(text: str) -> Study:
    return validate(Study, read(text, "demo.yaml"), "demo.yaml")


def refused(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse(text)
    return str(caught.value)


def trials(study: Study, fingerprint: str = "f" * 64):
    from harness.data.splits import HoldoutSplit

    return fixed_trials(study, [StudyDataset("demo", fingerprint, HoldoutSplit())])


def test_yaml_1_2_numbers_and_made_up_labels():
    study = parse(GOOD)
    assert study.protocol.optimizer.lr == 1e-3
    assert [entry.label for entry in study.losses] == ["CE", "focal(gamma=3)"]


def test_every_error_is_reported_at_its_line_with_the_nearest_key():
    text = GOOD.replace("seeds: 3", "seeds: 0\nsedes: 4").replace("epochs: 4", "epoch: 4")
    message = refused(text).splitlines()
    assert "demo.yaml:3:1: seeds: input should be greater than 0 (got 0)" in message
    assert "demo.yaml:4:1: sedes: unknown key; did you mean 'seeds'?" in message
    assert "demo.yaml:5:12: protocol.epoch: unknown key; did you mean 'epochs'?" in message


def test_unknown_loss_names_the_nearest():
    assert "did you mean 'dice'" in refused(GOOD.replace("loss: ce", "loss: dise"))
    assert refused(GOOD.replace("loss: ce", "loss: dise")).startswith("demo.yaml:6:17: losses.0.loss:")


def test_unknown_parameter_is_refused():
    assert "gama" in refused(GOOD.replace("gamma: 3", "gama: 3"))


def test_alpha_on_a_single_loss_is_refused():
    text = GOOD.replace("loss: ce}", "loss: ce, alpha: {schedule: constant}}")
    assert "alpha needs a sum of at least two losses" in refused(text)


@pytest.mark.parametrize(
    ("alpha", "sentence"),
    [
        (
            "{schedule: rebalance, floor: 1.5}",
            "alpha.floor: input should be less than or equal to 1 (got 1.5)",
        ),
        ("{schedule: rebalance, flor: 0.5}", "alpha.flor: unknown key; did you mean 'floor'?"),
        ("{schedule: rebalnce}", "alpha: unknown schedule 'rebalnce'; did you mean 'rebalance'?"),
        ("{floor: 0.5}", "alpha: required key 'schedule' is missing"),
        ("{schedule: rebalance, step: -0.1, over: 0.5}", "alpha: step and over exclude each other"),
        ("{schedule: constant, on: ce}", "alpha.on must name exactly one loss of gdl, boundary"),
        ("tuned", "alpha: input should be 'tune' (got 'tuned')"),
    ],
)
def test_alpha_is_checked_where_it_stands(alpha, sentence):
    message = refused(GOOD.replace("loss: ce}", f"loss: gdl + boundary, alpha: {alpha}}}"))
    assert message.startswith("demo.yaml:6:")
    assert sentence in message
    assert len(message.splitlines()) == 1


def test_alpha_names_its_loss_in_a_longer_sum():
    text = GOOD.replace("loss: ce}", "loss: gdl + boundary + ce, alpha: {schedule: constant, on: boundary}}")
    spec = parse(text).losses[0].spec()
    assert spec.terms[spec.on].name == "boundary"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("seeds: 3", 'seeds: "3"', "input should be a valid integer"),
        ("seeds: 3", "seeds: 3\nseeds: 4", "duplicate key"),
        ("label: CE", "label: 'focal(gamma=3)'", "stands twice"),
        ("lr: 1e-3", "lr: no", "valid number"),
        ("epochs: 4", "epochs: 4, lr_schedule: {name: cosin}", "did you mean 'cosine'?"),
        ("name: adam", "name: sgdd", "protocol.optimizer: unknown optimizer 'sgdd'; did you mean 'sgd'?"),
        ("lr: 1e-3", "lr: 1e-3, momentum: 0.9", "protocol.optimizer.momentum: unknown key"),
        ("{name: adam, lr: 1e-3}", "adam", "protocol.optimizer: input should be an object (got 'adam')"),
        ("lr: 1e-3", "lr: 1e-3, betas: [0.9, 1]", "protocol.optimizer.betas.1: input should be less than 1"),
        ("epochs: 4", "epochs: 4, clip_gradient: 0", "protocol.clip_gradient: input should be greater"),
        ("epochs: 4", "epochs: 4, accumulate: 0", "protocol.accumulate: input should be greater than 0"),
        ("epochs: 4", "epochs: 4, precision: float16", "protocol.precision: input should be 'float32'"),
    ],
)
def test_wrong_values_are_refused(old, new, sentence):
    assert sentence in refused(GOOD.replace(old, new))


def test_model_options_are_checked():
    assert "unknown" in refused(GOOD + "model: {name: unet3d}\n")
    assert "no option 'base_chanels'" in refused(GOOD + "model: {name: unet2d, base_chanels: 8}\n")


def test_overrides_replace_values_anywhere(tmp_path):
    path = tmp_path / "demo.yaml"
    path.write_text(GOOD)
    overrides = (
        "protocol.epochs=9",
        "model.base_channels=8",
        "datasets.0.size=[32, 32]",
        "losses.0.loss=dice",
    )
    study, _ = load_study(str(path), overrides)
    assert study.protocol.epochs == 9
    assert study.model.options == {"base_channels": 8}
    assert study.dataset_entries[0].size == (32, 32)
    assert study.losses[0].loss == "dice"
    with pytest.raises(InputError, match=r"expected key\.path=value"):
        load_study(str(path), ("epochs",))


def test_unknown_study_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'quickstart'"):
        load_study("quikstart")


@pytest.mark.parametrize("name", shipped_studies())
def test_shipped_studies_are_valid(name):
    study, _ = load_study(name)
    assert study.study == name
    # The boundary loss alone is a row of the tables of its paper.
    expected = ("seeds", "part of a sum")
    assert not [text for text in schedule_warnings(study) if not any(word in text for word in expected)]


def test_equal_trainings_have_equal_keys_however_they_are_written():
    first = parse(GOOD)
    second = parse(
        GOOD.replace("loss: ce", "loss: {name: ce}").replace("demo", "other")
        + "model: {name: unet2d, base_channels: 32, depth: 4}\n"
    )
    assert [each.trial.key for each in trials(first)] == [each.trial.key for each in trials(second)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("lr: 1e-3", "lr: 2e-3"),
        ("epochs: 4", "epochs: 5"),
        ("epochs: 4", "epochs: 4, precision: bfloat16"),
        ("epochs: 4", "epochs: 4, deterministic: false"),
        ("epochs: 4", "epochs: 4, accumulate: 2"),
        ("epochs: 4", "epochs: 4, clip_gradient: 12"),
        ("epochs: 4", "epochs: 4, compile: true"),
        ("epochs: 4", "epochs: 4, lr_schedule: {name: poly}"),
        ("name: adam, lr: 1e-3", "name: adamw, lr: 1e-3"),
        ("loss: ce", "loss: dice"),
    ],
)
def test_whatever_moves_the_numbers_moves_the_key(old, new):
    before, after = trials(parse(GOOD))[0], trials(parse(GOOD.replace(old, new)))[0]
    assert before.trial.key != after.trial.key


def test_dataset_fold_and_purpose_move_the_key():
    one = trials(parse(GOOD))[0].trial
    others = [
        trials(parse(GOOD), "e" * 64)[0].trial,
        one.model_copy(update={"fold": 1}),
        one.model_copy(update={"purpose": "search"}),
        one.model_copy(update={"seed": 2}),
    ]
    assert len({one.key, *(other.key for other in others)}) == 5


def test_trials_cross_losses_and_seeds():
    places = [(each.label, each.trial.seed) for each in trials(parse(GOOD))]
    assert len(places) == len(set(places)) == 6


def test_schedules_that_cannot_take_effect_are_warned_about():
    text = GOOD.replace("loss: ce}", "loss: gdl + boundary, alpha: {schedule: rebalance, step: -0.01}}")
    warnings = " ".join(schedule_warnings(parse(text)))
    assert "the learning rate cannot drop" in warnings
    assert "loss 'CE': alpha schedule 'rebalance' stops at 0.97" in warnings
    assert "3 seeds" in warnings


def test_a_term_alone_is_warned_about():
    assert "loss 'CE': boundary is meant as part of a sum" in " ".join(
        schedule_warnings(parse(GOOD.replace("loss: ce}", "loss: boundary}")))
    )
    assert "part of a sum" not in " ".join(
        schedule_warnings(parse(GOOD.replace("loss: ce}", "loss: gdl + boundary}")))
    )


def test_a_schedule_that_is_longer_than_the_training_is_refused():
    text = GOOD.replace("loss: ce}", "loss: gdl + boundary, alpha: {schedule: linear}}")
    message = refused(text)
    assert "demo.yaml:6:39: losses.0.alpha: " in message
    assert "pause must be < 3, the last of 4 epochs (got 5)" in message
    assert "pause_over" in message
    parse(text.replace("epochs: 4", "epochs: 10"))


def test_the_study_of_all_losses_leaves_none_out():
    study, _ = load_study("all_losses")
    terms = {term.name for entry in study.losses for term in entry.spec().terms}
    single = {entry.spec().terms[0].name for entry in study.losses if len(entry.spec().terms) == 1}
    assert terms >= set(LOSSES), f"add {sorted(set(LOSSES) - terms)} to studies/all_losses.yaml"
    assert single == set(LOSSES)
    sums = {entry.spec().terms for entry in study.losses}
    assert {name for name in ALIASES if parse_loss(name).terms not in sums} == set()
    schedules = {entry.alpha.schedule for entry in study.losses if entry.alpha}
    assert schedules == set(ALPHA_SCHEDULES)


DATASET = "datasets: [msd_hippocampus]"


def entry(text: str):
    return parse(GOOD.replace(DATASET, f"datasets: [{text}]")).dataset_entries[0]


def test_a_study_replaces_what_it_names_of_a_dataset(tmp_path):
    found = entry(
        "{dataset: wmh2017, split: published, labels: {0: 0, 1: 1, 2: ignore}, size: [128, 128], "
        "resample: {inplane_mm: 2.0}}"
    ).describe(tmp_path)
    assert found.labels == {0: 0, 1: 1, 2: "ignore"}
    assert found.ignores
    assert found.chosen_split.test[:3] == ("2", "6", "21")
    assert (found.size, found.resample.rows_columns) == ((128, 128), (2.0, 2.0))
    plain = entry("wmh2017").describe(tmp_path)
    assert (plain.labels[2], plain.ignores) == (0, False)
    assert found.normalise == plain.normalise


def test_a_split_that_the_dataset_does_not_list_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(
        InputError, match="dataset 'wmh2017' has no split 'publishd'; did you mean 'published'"
    ):
        entry("{dataset: wmh2017, split: publishd}").describe(tmp_path)


def test_labels_that_do_not_fit_the_dataset_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"dataset 'wmh2017' of the study.* labels point to classes \[7\]"):
        entry("{dataset: wmh2017, labels: {0: 0, 1: 7}}").describe(tmp_path)


def test_curves_that_cannot_come_are_warned_about():
    study = parse(GOOD.replace("epochs: 4", "epochs: 4, metrics_every: 9"))
    assert any(
        "metrics_every 9 is longer than the training of 4" in text for text in schedule_warnings(study)
    )
    study = parse(GOOD.replace("epochs: 4", "epochs: 4, metrics_every: 4"))
    assert not any("metrics_every" in text for text in schedule_warnings(study))
