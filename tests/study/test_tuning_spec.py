"""What a ``tuning`` block means: the losses, their spaces, and what a point of them trains."""

import pytest

from harness.errors import InputError
from harness.losses.search_space import Choice, Real, Whole
from harness.strict_yaml import read, validate
from harness.study.plan import cell_trials, fixed_trials, inner_seeds, plan_trial, tunes
from harness.study.seeds import INNER_SEED
from harness.study.spec import Study
from harness.study.tuned_loss import tuned_losses
from harness.study.tuning_spec import ALPHA_KINDS
from harness.training.protocol import Protocol
from tests.study.tuning_studies import BEGIN, DATASET, TUNE, drawn, parse, point, tuned


def test_a_study_that_says_nothing_tunes_nothing():
    study = validate(Study, read(BEGIN, "demo.yaml"), "demo.yaml")
    assert not tunes(study)
    assert tuned_losses(study) == ()
    assert list(inner_seeds(study)) == []


def test_twenty_configurations_are_the_budget_where_none_is_given():
    assert parse("losses: all").tuning.configurations == 20
    assert Study.model_validate({"study": "a", "datasets": ["b"], "losses": [{"loss": "ce"}]}).tuning == (
        parse("seed: 0").tuning
    )
    by_time = parse("losses: all, hours: 2").tuning
    assert (by_time.configurations, by_time.hours) == (None, 2.0)


def test_bare_names_stand_for_samplers_and_pruners():
    short, long = parse("sampler: tpe, pruner: median"), parse("sampler: {name: tpe}, pruner: {name: median}")
    assert short.tuning == long.tuning
    assert short.tuning.prunes
    assert not parse("pruner: none").tuning.prunes


def test_every_tuned_loss_has_two_labels_and_alpha_tune_finds_its_default_arm():
    found = tuned_losses(parse("losses: [CE]", TUNE))
    assert [(each.label, each.default) for each in found] == [("CE (tuned)", "CE"), ("found", "GDL + BL")]
    without = tuned_losses(parse("losses: [Dice + focal]", "  - {loss: dice + boundary, alpha: tune}\n"))
    assert [(each.label, each.default) for each in without] == [
        ("Dice + focal (tuned)", "Dice + focal"),
        ("dice + boundary (tuned)", None),
    ]


def test_a_loss_is_searched_over_its_own_spaces_and_the_optimisers():
    assert drawn("", "CE (tuned)") == {"learning_rate": Protocol().optimizer.lr_space}
    assert drawn("", "Dice + focal (tuned)") == {
        "learning_rate": Protocol().optimizer.lr_space,
        "focal.gamma": Real(0.0, 5.0),
        "focal.weight": Real(0.1, 10.0, log=True),
    }


def test_where_alpha_moves_the_weights_no_weight_is_drawn():
    found = drawn("", "GDL + BL (tuned)")
    assert not [name for name in found if name.endswith(".weight")]
    assert found["alpha.schedule"] == Choice(tuple(kind for kind in ALPHA_KINDS if kind != "warm_start"))
    assert found["alpha.warm_start"] == Choice((False, True))


def test_spaces_are_narrowed_fixed_and_extended():
    changes = (
        "spaces: {focal: {gamma: {low: 1, high: 3}, weight: [0.5, 2]}, "
        "dice: {eps: {low: 1e-6, high: 1.0, log: true}, weight: 3}}, learning_rate: 1e-3"
    )
    assert drawn(changes, "Dice + focal (tuned)") == {
        "dice.eps": Real(1e-6, 1.0, log=True),
        "focal.gamma": Real(1.0, 3.0),
        "focal.weight": Choice((0.5, 2)),
    }
    space = tuned(changes, "Dice + focal (tuned)").space
    found = space.configuration(point(space, dice__eps=0.5, focal__gamma=2.0, focal__weight=2))
    assert found.learning_rate == 1e-3
    assert [(term.name, term.weight) for term in found.loss.terms] == [("dice", 3.0), ("focal", 2.0)]
    assert found.loss.terms[0].parameters["eps"] == 0.5
    assert found.loss.terms[1].parameters["gamma"] == 2.0


def test_fixed_keeps_what_the_study_declares():
    declared = "  - {label: mine, loss: [dice, {name: focal, gamma: 3.5, weight: 0.25}]}\n"
    changes = "spaces: {focal: {gamma: fixed, weight: fixed}}"
    assert list(drawn(changes, "mine (tuned)", declared)) == ["learning_rate"]
    space = tuned(changes, "mine (tuned)", declared).space
    focal = space.configuration({"learning_rate": 1e-3}).loss.terms[1]
    assert (focal.parameters["gamma"], focal.weight) == (3.5, 0.25)
    no_rate = tuned("learning_rate: fixed", "Dice + focal (tuned)").space
    assert no_rate.configuration(point(no_rate)).learning_rate is None  # the protocol's


def test_a_drawn_weight_is_a_factor_on_the_declared_one():
    declared = "  - {label: mine, loss: 0.8*dice + 0.2*focal}\n"
    space = tuned("", "mine (tuned)", declared).space
    found = space.configuration(point(space, focal__weight=5.0)).loss
    assert [(term.name, term.weight) for term in found.terms] == [("dice", 0.8), ("focal", 1.0)]


def test_whole_parameters_are_drawn_whole():
    changes = "alpha: {constant: , warm_start: {over: fixed, epochs: {low: 2, high: 10}}}"
    assert drawn(changes, "GDL + BL (tuned)")["alpha.warm_start.epochs"] == Whole(2, 10)
    space = tuned(changes, "GDL + BL (tuned)").space
    found = space.alpha(point(space, alpha__warm_start=True, alpha__warm_start__epochs=7))
    assert found == {"schedule": "warm_start", "epochs": 7, "then": {"schedule": "constant", "start": 1e-3}}


def test_a_loss_that_stands_twice_has_two_sets_of_parameters():
    twins = "  - {label: T, loss: [{name: tversky, fp: 0.3}, {name: tversky, fp: 0.7}]}\n"
    names = list(drawn("", "T (tuned)", twins))
    assert names == [
        "learning_rate",
        "tversky.fp",
        "tversky.fn",
        "tversky#2.fp",
        "tversky#2.fn",
        "tversky#2.weight",
    ]
    space = tuned("", "T (tuned)", twins).space
    values = point(space, **{"tversky__fp": 0.2, "tversky#2.fp": 0.5, "tversky#2.weight": 4.0})
    terms = space.configuration(values).loss.terms
    assert [(term.parameters["fp"], term.weight) for term in terms] == [(0.2, 1.0), (0.5, 4.0)]


def test_dimensions_are_drawn_only_where_their_condition_holds():
    space = tuned("", "GDL + BL (tuned)").space
    cold = point(space, alpha__schedule="constant")
    assert set(cold) == {
        "learning_rate",
        "gdl.weighting",
        "alpha.warm_start",
        "alpha.schedule",
        "alpha.constant.start",
    }
    warm = point(space, alpha__schedule="rebalance", alpha__warm_start=True, alpha__warm_start__over=0.25)
    assert {"alpha.warm_start.over", "alpha.rebalance.floor", "alpha.rebalance.over"} < set(warm)
    found = space.configuration(warm).loss.alpha
    assert found is not None
    assert found.schedule == "warm_start"
    assert found.weights(0, 20) == (1.0, 0.0)
    assert found.weights(19, 20)[1] > 0


def test_one_kind_of_schedule_alone_is_no_choice():
    changes = "alpha: {increase: {end: 0.5, over: [0.5, 1.0]}}"
    assert list(drawn(changes, "GDL + BL (tuned)")) == [
        "learning_rate",
        "gdl.weighting",
        "alpha.increase.start",
        "alpha.increase.over",
    ]
    space = tuned(changes, "GDL + BL (tuned)").space
    found = space.alpha(point(space, alpha__increase__over=0.5))
    assert found == {"schedule": "increase", "end": 0.5, "start": 0.001, "over": 0.5}


def test_a_fixed_alpha_is_the_declared_one():
    study = parse("losses: all, alpha: fixed, spaces: {gdl: {weighting: fixed}}")
    space = {each.label: each.space for each in tuned_losses(study)}["GDL + BL (tuned)"]
    assert [each.name for each in space.dimensions] == ["learning_rate"]
    assert space.configuration({"learning_rate": 1e-3}).loss == study.losses[2].spec()
    assert space.alpha({}) == study.losses[2].spec().alpha.model_dump(exclude_none=True)


@pytest.mark.parametrize("on", ["boundary", "ce", "gdl"])
def test_alpha_moves_the_loss_that_the_study_names(on):
    longer = f"  - {{label: L, loss: gdl + boundary + ce, alpha: {{schedule: rebalance, on: {on}}}}}\n"
    space = tuned("", "L (tuned)", longer).space
    loss = space.configuration(point(space)).loss
    assert loss.on is not None
    assert loss.terms[loss.on].name == on
    fixed = tuned("alpha: fixed, spaces: {gdl: {weighting: fixed}}", "L (tuned)", longer).space
    assert fixed.configuration(point(fixed)).loss == parse("seed: 0", longer).losses[3].spec()


def test_a_point_trains_with_its_learning_rate_and_the_rest_of_the_protocol():
    study = parse("losses: [CE], inner_seeds: 2")
    (search,) = tuned_losses(study)
    found = search.space.configuration({"learning_rate": 3e-3})
    (arm, *_) = cell_trials(study, DATASET, search.label, found.loss, 0, found.learning_rate)
    declared = next(each for each in fixed_trials(study, [DATASET]) if each.label == "CE")
    assert arm.trial.protocol.optimizer.lr == 3e-3
    assert arm.trial.key != declared.trial.key
    same_rate = search.space.configuration({"learning_rate": study.protocol.optimizer.lr})
    (again, *_) = cell_trials(study, DATASET, search.label, same_rate.loss, 0, same_rate.learning_rate)
    assert again.trial.key == declared.trial.key  # the same training is not repeated for another label


def test_inner_seeds_are_none_of_the_study():
    study = parse("losses: all, inner_seeds: 3")
    assert list(inner_seeds(study)) == [INNER_SEED, INNER_SEED + 1, INNER_SEED + 2]
    assert not set(inner_seeds(study)) & set(study.chosen_seeds)
    (search, *_) = tuned_losses(study)
    loss = search.space.configuration({"learning_rate": 1e-3}).loss
    trial = plan_trial(study, DATASET, search.label, loss, INNER_SEED, 0, purpose="search").trial
    assert trial.purpose == "search"


def keys(study: Study) -> list[str]:
    return [each.trial.key for each in fixed_trials(study, [DATASET])]


def test_neither_the_block_nor_where_a_schedule_was_found_moves_a_key():
    plain = validate(Study, read(BEGIN, "demo.yaml"), "demo.yaml")
    tuning = parse("losses: all, configurations: 3, seed: 4, sampler: tpe, pruner: median, inner_seeds: 2")
    assert keys(plain) == keys(tuning)
    told = BEGIN.replace("over: 1.0}", "over: 1.0, tuned_in: other / demo / fold 0 / found}")
    transferred = validate(Study, read(told, "demo.yaml"), "demo.yaml")
    assert transferred.losses[2].tuned_in == "other / demo / fold 0 / found"
    assert keys(transferred) == keys(plain)


def test_a_schedule_of_another_study_is_no_known_loss_and_is_not_searched():
    entry = "  - {label: theirs, loss: gdl + boundary, alpha: {from_study: other, fold: 1}}\n"
    study = parse("seed: 0", entry)
    assert not study.losses[3].is_known
    assert [each.label for each in fixed_trials(study, [DATASET])].count("theirs") == 0
    assert not [name for name in drawn("", "theirs (tuned)", entry) if name.startswith("alpha")]
    with pytest.raises(InputError, match=r"alpha\.from_studi: unknown key"):
        parse("seed: 0", entry.replace("{from_study: other,", "{from_study: other, from_studi: x,"))
