"""What study files say about losses: equal spellings are equal, and mistakes are named."""

import doctest
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harness.losses
from harness.errors import InputError
from harness.losses import LossSpec, parse_loss
from harness.losses.alpha import Rebalance
from harness.strict_yaml import read

EQUAL = [
    ["dice", {"name": "dice"}, ["dice"], "1*dice", "1.0 * dice", {"name": "dice", "eps": 1e-5}],
    ["dice + ce", "ce+dice", ["dice", "ce"], "dice_ce", {"name": "dice_ce"}, ["ce", {"name": "dice"}]],
    ["0.8*dice + 0.2*ce", [{"name": "dice", "weight": 0.8}, "0.2*ce"], " .2*ce+8e-1 * dice "],
    ["2*dice + 2*ce", "2*dice_ce", {"name": "dice_ce", "weight": 2}, "dice + dice + 2*ce"],
    [{"name": "focal", "gamma": 3}, {"name": "focal", "gamma": 3.0, "class_weights": None}],
    ["dice", "dice + 0*ce", [{"name": "ce", "weight": 0}, "dice"]],
    ["dice", "harness.losses.region:Dice", {"name": "harness.losses.region:Dice"}],
    [
        {"name": "focal", "class_weights": [1, 2]},
        {"name": "focal", "class_weights": [1.0, 2.0], "weight": 1},
    ],
]


@pytest.mark.parametrize("spellings", EQUAL)
def test_equal_spellings_give_equal_specifications(spellings):
    first, *others = map(parse_loss, spellings)
    for other in others:
        assert other == first
        assert hash(other) == hash(first)
        assert json.dumps(other.canonical()) == json.dumps(first.canonical())


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(["dice", "ce", "gdl", "boundary", "focal"]), unique=True, min_size=1), st.data()
)
def test_order_of_a_sum_does_not_matter(names, data):
    weights = {name: data.draw(st.sampled_from([0.5, 1, 2])) for name in names}
    shuffled = data.draw(st.permutations(names))
    text = " + ".join(f"{weights[name]}*{name}" for name in shuffled)
    spec = parse_loss([{"name": name, "weight": weights[name]} for name in names])
    assert parse_loss(text) == spec
    assert parse_loss(spec.expression) == spec


def test_canonical_form_is_complete_and_can_be_read_back():
    spec = parse_loss("gdl + boundary", {"schedule": "rebalance", "over": 0.5})
    canonical = spec.canonical()
    assert canonical == {
        "terms": [
            {
                "weight": 1.0,
                "name": "boundary",
                "parameters": {
                    "offset": "half",
                    "unit": "mm",
                    "dimensions": 2,
                    "normalise": False,
                    "empty_penalty": 0.0,
                    "include_background": False,
                },
            },
            {
                "weight": 1.0,
                "name": "gdl",
                "parameters": {
                    "weighting": "inverse_square",
                    "reduce": "batch",
                    "include_background": True,
                    "absent": "ignore",
                    "eps": 1e-5,
                },
            },
        ],
        "alpha": {
            "schedule": "rebalance",
            "form": "mix",
            "start": 1.0,
            "step": None,
            "floor": 0.01,
            "over": 0.5,
            "published_code": False,
        },
        "on": 0,
    }
    assert LossSpec.model_validate(json.loads(json.dumps(canonical))) == spec
    assert len({spec, LossSpec.model_validate(canonical), parse_loss("gdl")}) == 2


def test_number_types_follow_the_declaration():
    parameters = parse_loss({"name": "exp_log", "eps": 2, "gamma_ce": 1}).terms[0].parameters
    assert isinstance(parameters["eps"], float)
    assert isinstance(parameters["gamma_ce"], float)


def test_a_study_file_is_read_as_it_is():
    document = read("loss: [{name: focal, gamma: 1e0}, 0.5*dice]\nalpha: {schedule: constant}", "study.yaml")
    spec = parse_loss(document["loss"], document["alpha"])
    assert spec.expression == "focal(gamma=1) + 0.5*dice"
    assert spec.terms[1].parameters["gamma"] == 1.0


@pytest.mark.parametrize(
    ("form", "alpha", "moved"),
    [
        ("gdl + boundary", {}, "boundary"),
        ("boundary + gdl", {}, "boundary"),
        ("dice + ce", {}, "ce"),
        ("ce + dice", {}, "dice"),
        ("dice_ce", {}, "ce"),
        ("gdl + boundary", {"on": "gdl"}, "gdl"),
        ("dice_ce + boundary", {"on": "boundary"}, "boundary"),
        ("dice + gdl + ce", {"on": "harness.losses.generalised_dice:GeneralisedDice"}, "gdl"),
        ([{"name": "focal", "gamma": 1}, {"name": "focal", "gamma": 3}], {}, "focal"),
    ],
)
def test_alpha_moves_the_boundary_term_else_the_second_as_written(form, alpha, moved):
    spec = parse_loss(form, {"schedule": "rebalance", **alpha})
    assert spec.terms[spec.on].name == moved
    assert spec.alpha == Rebalance()


def test_second_as_written_of_equal_names_is_found_in_canonical_order():
    spec = parse_loss(
        [{"name": "focal", "gamma": 3}, {"name": "focal", "gamma": 1}], {"schedule": "constant", "start": 2}
    )
    assert spec.terms[spec.on].parameters["gamma"] == 1.0


def test_a_schedule_object_is_taken_as_it_is():
    assert parse_loss("gdl + boundary", Rebalance(over=1)).alpha == Rebalance(over=1)


@pytest.mark.parametrize(
    ("form", "alpha", "expression", "family", "needs"),
    [
        ("boundary + gdl", None, "gdl + boundary", "compound", {"distance_maps"}),
        ("ce + dice", None, "dice + ce", "compound", set()),
        ("ce + dice", {"schedule": "constant"}, "ce + dice", "compound", set()),
        ("0.25*dice", None, "0.25*dice", "region", set()),
        ("exp_log", None, "exp_log", "compound", {"class_counts"}),
        ({"name": "gdl", "eps": 1, "reduce": "sample"}, None, "gdl(reduce=sample, eps=1)", "region", set()),
    ],
)
def test_what_people_and_the_data_side_see(form, alpha, expression, family, needs):
    spec = parse_loss(form, alpha)
    assert spec.expression == expression
    assert spec.family == family
    assert spec.needs == needs
    assert spec.build().needs == needs


def test_parameters_reach_the_module():
    loss = parse_loss([{"name": "focal", "gamma": 3, "class_weights": [1, 2]}, "gdl"]).build(ignore_label=255)
    focal = loss.losses[0]
    assert focal.gamma == 3.0
    assert focal.class_weights.tolist() == [1.0, 2.0]
    assert focal.ignore_label == 255


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("dise", "unknown loss 'dise'; did you mean 'dice'?"),
        ("dice + bondary", "unknown loss 'bondary'; did you mean 'boundary'?"),
        ("dice_ec", "unknown loss 'dice_ec'; did you mean 'dice_ce'?"),
        ("xyzzy", "unknown loss 'xyzzy'; known: anatomynet, "),
        ({"name": "focal", "gama": 3}, "loss 'focal': gama: unknown key; did you mean 'gamma'?"),
        ({"name": "focal", "gamma": -1}, "loss 'focal': gamma must be >= 0 (got -1)"),
        ({"name": "focal", "gamma": "3"}, "loss 'focal': gamma: input should be a valid number (got '3')"),
        ({"name": "focal", "gamma": True}, "loss 'focal': gamma: input should be a valid number (got True)"),
        ({"name": "focal", "gamma": float("inf")}, "loss 'focal': gamma: input should be a finite number"),
        ({"name": "dice", "reduce": "all"}, "reduce: input should be 'batch' or 'sample' (got 'all')"),
        ({"name": "dice", "ignore_label": 255}, "ignore_label is a property of the dataset"),
        (
            {"name": "dice_ce", "eps": 1},
            "loss 'dice_ce' is the sum dice + ce and has no parameters of its own",
        ),
        ({"name": "dice", "weight": -1}, "loss 'dice': weight must be a number >= 0 (got -1)"),
        ({"name": "dice", "weight": "1"}, "loss 'dice': weight must be a number >= 0 (got '1')"),
        ({"name": "dice", "weight": float("nan")}, "weight must be a number >= 0 (got nan)"),
        ({"gamma": 3}, "a loss given as a mapping needs a 'name'"),
        ("0*dice", "the weights of loss '0*dice' sum to zero"),
        ([{"name": "dice", "weight": 0}, "0*ce"], "sum to zero"),
        ("1e999*dice", "a weight must be finite (got 1e999)"),
        ("dice ++ ce", "cannot read the loss 'dice ++ ce' from '+ ce' on"),
        ("dice +", "cannot read the loss 'dice +' from '' on"),
        ("dice - ce", "cannot read the loss 'dice - ce' from 'dice - ce' on"),
        ("-1*dice", "cannot read the loss '-1*dice'"),
        ("", "cannot read the loss ''"),
        ([], "a loss is a name, a sum such as"),
        (3, "(got 3)"),
        (None, "(got None)"),
    ],
)
def test_mistakes_in_a_loss_are_named(form, message):
    with pytest.raises(InputError) as error:
        parse_loss(form)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("form", "alpha", "message"),
    [
        (
            "gdl",
            {"schedule": "constant"},
            "loss 'gdl': alpha needs a sum of at least two losses (got gdl alone)",
        ),
        ("gdl + 0*ce", {"schedule": "constant"}, "at least two losses"),
        ("dice + ce + boundary", {"schedule": "constant"}, "alpha needs 'on: NAME', the loss that it moves"),
        ("dice + ce", {"schedule": "constant", "on": "gdl"}, "exactly one loss of dice, ce (got 'gdl')"),
        ("dice + ce", {"schedule": "constant", "on": "cee"}, "unknown loss 'cee'; did you mean 'ce'?"),
        ("dice + ce", {"schedule": "constant", "on": 1}, "alpha.on must be the name of a loss"),
        (
            [{"name": "focal", "gamma": 1}, {"name": "focal", "gamma": 3}],
            {"schedule": "constant", "on": "focal"},
            "exactly one loss of focal, focal (got 'focal')",
        ),
        (
            ["boundary", {"name": "boundary", "include_background": True}],
            {"schedule": "constant"},
            "alpha needs 'on: NAME'",
        ),
        (
            "dice + ce",
            {"start": 1},
            "alpha needs a 'schedule', one of constant, cosine, increase, linear, rebalance, step, "
            "warm_start (got None)",
        ),
        ("dice + ce", "tune", "alpha must be a mapping such as {schedule: rebalance} (got 'tune')"),
        (
            "dice + ce",
            {"schedule": "rebalence"},
            "loss 'dice + ce': unknown alpha schedule 'rebalence'; did you mean 'rebalance'?",
        ),
        (
            "dice + ce",
            {"schedule": "rebalance", "floor": 1.5},
            "loss 'dice + ce': alpha.floor: input should be less than or equal to 1 (got 1.5)",
        ),
        (
            "dice + ce",
            {"schedule": "rebalance", "flor": 0.5},
            "loss 'dice + ce': alpha.flor: unknown key; did you mean 'floor'?",
        ),
        ("dice + ce", {"schedule": "rebalance", "step": -0.1, "over": 1}, "step and over exclude each other"),
    ],
)
def test_mistakes_in_alpha_are_named(form, alpha, message):
    with pytest.raises(InputError) as error:
        parse_loss(form, alpha)
    assert message in str(error.value)


def test_example_of_the_package():
    assert doctest.testmod(harness.losses).failed == 0
