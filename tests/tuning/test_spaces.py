"""Search spaces: what is drawn by default, and that every point of every space is a schedule."""

import hashlib
import json
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InputError
from harness.losses import ALPHA_SCHEDULES, parse_loss
from harness.tuning.spaces import ALPHA_SPACES, alpha_spaces

WITHOUT_SPACE = {"warm_start"}
EVERY_SPACE = alpha_spaces(set(ALPHA_SCHEDULES) - WITHOUT_SPACE)


def test_every_schedule_has_a_space_or_is_known_to_have_none():
    assert set(EVERY_SPACE) == set(ALPHA_SCHEDULES) - WITHOUT_SPACE


def test_a_study_that_names_no_kinds_draws_as_ever():
    # A change of this text would start every search in every database anew.
    plain = {
        name: {key: astuple(each) for key, each in space.items()} for name, space in ALPHA_SPACES.items()
    }
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
    assert list(ALPHA_SPACES) == ["constant", "increase", "rebalance"]
    assert digest == "6998e69625320d048d323136779c229a393aaf25ad280d9dd4c1d69a3fb6fd66"


@given(st.data(), st.integers(1, 300))
def test_every_point_of_every_space_fits_every_training(data, epochs):
    kind = data.draw(st.sampled_from(sorted(EVERY_SPACE)))
    alpha = {"schedule": kind}
    for key, space in EVERY_SPACE[kind].items():
        alpha[key] = data.draw(st.floats(space.low, space.high))
    schedule = parse_loss("gdl + boundary", alpha).alpha
    assert all(weight >= 0 for weight in schedule.weights(epochs - 1, epochs))


def test_the_order_of_the_kinds_does_not_matter():
    assert list(alpha_spaces(["step", "cosine", "constant"])) == list(
        alpha_spaces(["constant", "step", "cosine", "step"])
    )


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ([], "name at least one alpha schedule to tune, of constant, increase"),
        (["cosin"], "alpha schedule 'cosin' has no search space; did you mean 'cosine'?"),
        (["warm_start"], "alpha schedule 'warm_start' has no search space; those that have one: constant,"),
    ],
)
def test_kinds_that_cannot_be_tuned_are_refused(kinds, message):
    with pytest.raises(InputError) as error:
        alpha_spaces(kinds)
    assert message in str(error.value)
