"""What a ``tuning`` block must not say is refused at its line, with the remedy."""

import pytest

from harness.study.tuned_loss import tuned_losses
from tests.study.tuning_studies import TUNE, parse, point, refused, tuned


@pytest.mark.parametrize(
    ("tuning", "place", "sentence"),
    [
        ("sampler: tep", "sampler", "unknown name 'tep'; did you mean 'tpe'?"),
        ("sampler: {startup: 3}", "sampler", "required key 'name' is missing"),
        ("sampler: {name: tpe, strtup: 3}", "sampler.strtup", "unknown key; did you mean 'startup'?"),
        ("sampler: {name: tpe, startup: 0}", "sampler.startup", "input should be greater than 0 (got 0)"),
        ("pruner: medain", "pruner", "unknown name 'medain'; did you mean 'median'?"),
        ("pruner: {name: median, warmup: 1}", "pruner.warmup", "input should be less than 1 (got 1)"),
        ("pruner: {name: percentile, keep: 100}", "pruner.keep", "input should be less than 100 (got 100)"),
        ("pruner: {name: hyperband, factor: 1}", "pruner.factor", "greater than or equal to 2 (got 1)"),
        ("metric: dcs", "metric", "unknown metric 'dcs'; did you mean 'dsc'?"),
        (
            "pruner: median, metric: hd95",
            "tuning",
            "pruner 'median' judges by the validation DSC of every epoch and does not go with metric 'hd95'",
        ),
        ("configurations: 5, hours: 2", "tuning", "configurations and hours exclude each other: give one"),
        ("configurations: 0", "configurations", "input should be greater than 0 (got 0)"),
        ("hours: 0", "hours", "input should be greater than 0 (got 0)"),
        ("inner_seeds: 0", "inner_seeds", "input should be greater than 0 (got 0)"),
        ("seed: -1", "seed", "input should be greater than or equal to 0 (got -1)"),
        ("configuration: 5", "configuration", "unknown key; did you mean 'configurations'?"),
        ("losses: al", "losses", "input should be 'all' (got 'al')"),
        ("losses: [CE, Dise + focal]", "losses", "no loss 'Dise + focal'; did you mean 'Dice + focal'?"),
        ("losses: [X]", "losses", "the study has no loss 'X'; it has CE, Dice + focal, GDL + BL"),
    ],
)
def test_a_wrong_value_is_refused_at_its_line_with_the_remedy(tuning, place, sentence):
    message = refused(tuning)
    assert message.startswith("demo.yaml:8:")
    assert place in message
    assert sentence in message


@pytest.mark.parametrize(
    ("spaces", "place", "sentence"),
    [
        ("{focl: {gamma: 1}}", "focl", "no tuned loss has a part 'focl'; did you mean 'focal'?"),
        ("{dice: {gamma: 1}}", "dice.gamma", "loss 'dice' has no parameter 'gamma'; it has"),
        ("{focal: {gama: 1}}", "focal.gama", "did you mean 'gamma'?"),
        ("{focal: {gamma: [1]}}", "focal.gamma", "give at least two values to choose from, or a single"),
        ("{focal: {gamma: []}}", "focal.gamma", "give at least two values to choose from"),
        ("{focal: {gamma: [1, 1]}}", "focal.gamma", "a value stands twice"),
        ("{focal: {gamma: {low: 3, high: 1}}}", "focal.gamma", "low must be < high (got 3 and 1)"),
        ("{focal: {gamma: {low: 1, high: 1}}}", "focal.gamma", "low must be < high (got 1 and 1)"),
        (
            "{focal: {gamma: {low: 0, high: 1, log: true}}}",
            "focal.gamma",
            "low must be > 0 on a logarithmic scale (got 0)",
        ),
        ("{focal: {gamma: {low: 0, high: .inf}}}", "focal.gamma", "must be finite (got 0 and inf)"),
        ("{focal: {gamma: {low: 1}}}", "focal.gamma.high", "required key is missing"),
        ("{focal: {gamma: {low: -1, high: 1}}}", "focal.gamma", "loss 'focal': gamma must be >= 0 (got -1)"),
        ("{focal: {gamma: -1}}", "focal.gamma", "loss 'focal': gamma must be >= 0 (got -1)"),
        ("{focal: {gamma: fixd}}", "focal.gamma", "gamma: input should be a valid number (got 'fixd')"),
        ("{focal: {gamma: true}}", "focal.gamma", "gamma: input should be a valid number (got True)"),
        ("{dice: {reduce: [batch, mean]}}", "dice.reduce", "should be 'batch' or 'sample' (got 'mean')"),
        ("{focal: {weight: two}}", "focal.weight", "a weight must be a number >= 0 (got 'two')"),
        ("{focal: {weight: [true, false]}}", "focal.weight", "a weight must be a number >= 0 (got True)"),
        ("{focal: {weight: {low: -1, high: 1}}}", "focal.weight", "a weight must be a number >= 0 (got -1"),
        ("{dice: }", "dice", "input should be an object"),
    ],
)
def test_a_wrong_space_of_a_loss_is_refused_where_it_stands(spaces, place, sentence):
    message = refused(f"losses: all, spaces: {spaces}")
    assert message.startswith("demo.yaml:8:")
    assert f": tuning.spaces.{place}: " in message
    assert sentence in message


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("0", "a learning rate must be a number > 0 (got 0)"),
        ("-1e-3", "a learning rate must be a number > 0 (got -0.001)"),
        (".inf", "a learning rate must be a number > 0 (got inf)"),
        ("true", "a learning rate must be a number > 0 (got True)"),
        ("fix", "a learning rate must be a number > 0 (got 'fix')"),
        ("[0, 1e-3]", "a learning rate must be a number > 0 (got 0)"),
        ("{low: 0, high: 1}", "a learning rate must be a number > 0 (got 0.0)"),
        ("[1e-3]", "give at least two values to choose from"),
        ("{low: 1e-2, high: 1e-3}", "low must be < high (got 0.01 and 0.001)"),
    ],
)
def test_a_wrong_learning_rate_is_refused(given, sentence):
    message = refused(f"losses: all, learning_rate: {given}")
    assert message.startswith("demo.yaml:8:")
    assert f"tuning.learning_rate: {sentence}" in message


@pytest.mark.parametrize(
    ("given", "place", "sentence"),
    [
        ("fix", "alpha", "input should be 'fixed' (got 'fix')"),
        ("[]", "alpha", "at least 1 item"),
        ("[rebalnce]", "alpha", "unknown alpha schedule 'rebalnce'; did you mean 'rebalance'?"),
        ("[warm_start]", "alpha", "a warm start leads to another schedule: name at least one more"),
        ("{rebalance: {flor: 1}}", "alpha.rebalance.flor", "did you mean 'floor'?"),
        ("{rebalance: {floor: 2}}", "alpha.rebalance.floor", "less than or equal to 1 (got 2)"),
        (
            "{rebalance: {floor: {low: 0, high: 2}}}",
            "alpha.rebalance.floor",
            "alpha.rebalance.floor = 2.0: alpha.floor: input should be less than or equal to 1 (got 2.0)",
        ),
        ("{increase: {over: fixed}}", "alpha.increase", "over and end go together"),
        ("{rebalance: {step: -0.1}}", "alpha.rebalance", "step and over exclude each other"),
        ("{rebalance: {schedule: [step, linear]}}", "alpha.rebalance.schedule", "no key 'schedule' to draw"),
        ("{constant: , warm_start: {then: [a, b]}}", "alpha.warm_start.then", "no key 'then' to draw"),
        (
            "{constant: , warm_start: {over: fixed, epochs: {low: 1, high: 25}}}",
            "alpha.warm_start.epochs",
            "epochs must be < 20, the epochs of the training (got 25)",
        ),
        (
            "{step: {hold_over: fixed, hold: {low: 1, high: 8}}, "
            "warm_start: {over: fixed, epochs: {low: 1, high: 8}}}",
            "alpha.warm_start",
            "with the 12 epochs after the warm start: hold must be at most half of 12 epochs (got 8)",
        ),
    ],
)
def test_a_wrong_alpha_is_refused_where_it_stands(given, place, sentence):
    message = refused(f"losses: all, alpha: {given}")
    assert message.startswith("demo.yaml:8:")
    assert f": tuning.{place}" in message
    assert sentence in message
    assert '"name"' not in message  # nobody wrote the sum as JSON


def test_cmaes_wants_numbers_and_names_what_is_none():
    message = refused("losses: all, sampler: cmaes, alpha: [rebalance]")
    assert "tuning.sampler: cmaes needs numbers that are always drawn" in message
    assert "'GDL + BL (tuned)' has choices (gdl.weighting); take tpe, or fix them" in message
    study = parse("losses: all, sampler: cmaes, alpha: [rebalance], spaces: {gdl: {weighting: fixed}}")
    assert len(tuned_losses(study)) == 3


def test_a_declared_schedule_that_is_too_long_is_refused_where_it_is_declared():
    long = "  - {label: L, loss: gdl + boundary, alpha: {schedule: warm_start, epochs: 30}}\n"
    message = refused("losses: all, alpha: fixed", long)
    assert message.startswith("demo.yaml:8:")
    assert "losses.3.alpha: " in message


def test_a_loss_without_anything_to_tune_is_refused():
    message = refused("losses: [CE], learning_rate: fixed")
    assert "demo.yaml:8:1: tuning: nothing is left to tune for loss 'CE'" in message
    assert "leave it out of losses, or do not fix its learning rate" in message


def test_alpha_tune_needs_schedules_to_try():
    message = refused("alpha: fixed", TUNE)
    assert "demo.yaml:9:" in message
    assert "loss 'found' has no schedule to keep; name kinds to try" in message


@pytest.mark.parametrize(
    ("loss", "arm"),
    [("{label: CE (tuned), loss: dice}", "CE"), ("{loss: ce, label: GDL + BL (tuned)}", "GDL + BL")],
)
def test_the_label_of_a_tuned_arm_is_taken(loss, arm):
    message = refused("losses: all", f"  - {loss}\n")
    assert message.startswith("demo.yaml:8:")
    assert f"stands twice: the tuned arm of {arm!r} has it, too; give another one" in message
    parse("losses: [Dice + focal]", f"  - {loss}\n")


def test_alpha_between_two_of_a_kind_can_be_tuned_but_not_they():
    twins = "  - {label: T, loss: [{name: tversky, fp: 0.3}, {name: tversky, fp: 0.7}], alpha: tune}\n"
    assert "has 'tversky' twice and alpha between them" in refused("seed: 1", twins)
    fixed = tuned("spaces: {tversky: {fp: fixed, fn: fixed}}", "T", twins).space
    found = fixed.configuration(point(fixed)).loss
    assert found.on is not None
    assert found.terms[found.on].parameters["fp"] == 0.7  # the second, as in the file
    assert [term.parameters["fp"] for term in found.terms] == [0.3, 0.7]
