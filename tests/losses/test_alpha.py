"""Alpha schedules: the published tables, the ends, and what is refused."""

import itertools
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.losses import Schedule, unfinished
from harness.losses.alpha import Constant, Cosine, Increase, Linear, Rebalance, Step, WarmStart

NEW = {
    "constant": Constant(),
    "increase": Increase(),
    "rebalance": Rebalance(),
    "published": Rebalance(published_code=True),
    "linear": Linear(),
    "cosine": Cosine(),
    "step": Step(),
    "warm_start": WarmStart(),
}
FITTING = [
    *NEW.values(),
    Linear(pause_over=0.2, start=0.3, end=0.9),
    Cosine(form="add", start=0.0, end=3.0),
    Step(hold_over=0.1),
    WarmStart(over=0.3, then=Linear(pause_over=0.1)),
    WarmStart(epochs=3, then=Rebalance(published_code=True)),
]


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


@pytest.mark.parametrize(
    ("epoch", "linear", "cosine", "step"),
    [
        (0, 1, 1, 1),
        (5, 1, 0.993719, 0.947368),
        (6, 0.989362, 0.990964, 0.947368),
        (25, 0.787234, 0.850737, 0.736842),
        (50, 0.521277, 0.492067, 0.473684),
        (94, 0.053191, 0.006281, 0.052632),
        (99, 0, 0, 0),
    ],
)
def test_table_of_the_mixes_over_a_hundred_epochs(epoch, linear, cosine, step):
    for name, expected in {"linear": linear, "cosine": cosine, "step": step}.items():
        w_R, w_B = NEW[name].weights(epoch, 100)
        assert w_R == pytest.approx(expected, abs=5e-7)
        assert w_B == 1 - w_R
        if expected in {0, 1}:
            assert w_R == expected


@pytest.mark.parametrize(
    ("schedule", "epochs", "expected"),
    [
        (Linear(pause=0), 5, [1, 0.75, 0.5, 0.25, 0]),
        (Linear(pause=2, start=0.2, end=0.8), 5, [0.2, 0.2, 0.2, 0.5, 0.8]),
        (Linear(pause=1, form="add", start=0, end=4), 4, [0, 0, 2, 4]),
        (Cosine(), 3, [1, 0.5, 0]),
        (Cosine(), 2, [1, 0]),
        (Step(hold=2), 6, [1, 1, 0.5, 0.5, 0, 0]),
        (Step(hold=2), 7, [1, 1, 0.5, 0.5, 0, 0, 0]),
        (Step(hold=5), 10, [1] * 5 + [0] * 5),
        (Step(hold=1, start=0.9, end=0.3), 4, [0.9, 0.7, 0.5, 0.3]),
    ],
)
def test_small_trainings_worked_by_hand(schedule, epochs, expected):
    alphas = [schedule.alpha(epoch, epochs) for epoch in range(epochs)]
    assert alphas == pytest.approx(expected, abs=1e-12)
    assert alphas[0] == expected[0]
    assert alphas[-1] == expected[-1]


def test_warm_start_is_the_region_loss_alone_and_then_the_sum():
    weights = [WarmStart().weights(epoch, 200) for epoch in range(200)]
    assert weights == [(1.0, 0.0)] * 50 + [(1.0, 1.0)] * 150


@pytest.mark.parametrize("then", [Rebalance(published_code=True), Linear(), Increase(), Cosine(form="add")])
def test_warm_start_leads_to_any_schedule_as_if_the_training_began_there(then):
    schedule = WarmStart(epochs=10, then=then)
    assert {schedule.weights(epoch, 60) for epoch in range(10)} == {(1.0, 0.0)}
    later = [schedule.weights(epoch, 60) for epoch in range(10, 60)]
    assert later == [then.weights(epoch, 50) for epoch in range(50)]


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
    "schedule",
    [
        *FITTING,
        Rebalance(over=0.5, start=0.7),
        Increase(over=1, end=2, start=0.5),
        Linear(pause=0, start=0.6),
        Step(hold=1, start=0.6),
    ],
)
def test_one_epoch_gives_the_start(schedule):
    start = 1.0 if isinstance(schedule, WarmStart) else schedule.start
    expected = (start, 1 - start) if schedule.form == "mix" else (1.0, start)
    if getattr(schedule, "published_code", False):
        expected = (1.0, 0.01)
    if isinstance(schedule, WarmStart):
        expected = (1.0, 0.0)
    assert schedule.weights(0, 1) == pytest.approx(expected)


@given(st.integers(1, 300), st.data())
def test_weights_of_mix_sum_to_one_and_do_not_depend_on_the_past(epochs, data):
    epoch = data.draw(st.integers(0, epochs - 1))
    schedule = data.draw(st.sampled_from([Rebalance(), Rebalance(over=0.3), Rebalance(step=-0.003, floor=0)]))
    w_R, w_B = schedule.weights(epoch, epochs)
    assert w_R + w_B == 1
    assert schedule.floor - 1e-12 <= w_R <= schedule.start
    assert (w_R, w_B) == Rebalance.model_validate(schedule.model_dump()).weights(epoch, epochs)


_shares = st.floats(0, 1).map(lambda value: value + 0.0)
_fractions = st.floats(0.001, 0.999)
_mixes = st.one_of(
    st.builds(Constant, form=st.just("mix"), start=_shares),
    st.builds(Linear, start=_shares, end=_shares, pause=st.integers(0, 20)),
    st.builds(Linear, start=_shares, end=_shares, pause_over=_fractions),
    st.builds(Cosine, start=_shares, end=_shares),
    st.builds(Step, start=_shares, end=_shares, hold=st.integers(1, 20)),
    st.builds(Step, start=_shares, end=_shares, hold_over=_fractions.map(lambda value: value / 2)),
)
_warm = st.builds(WarmStart, epochs=st.integers(1, 30), then=_mixes) | st.builds(
    WarmStart, over=_fractions, then=_mixes
)


def fits(schedule: Schedule, epochs: int) -> bool:
    try:
        schedule.check(epochs)
    except ValueError:
        return False
    return True


@given(_mixes | _warm, st.integers(1, 250))
def test_any_mix_stays_between_its_ends_and_sums_to_one(schedule, epochs):
    assume(fits(schedule, epochs))
    weights = [schedule.weights(epoch, epochs) for epoch in range(epochs)]
    ends = [getattr(schedule, key) for key in ("start", "end") if hasattr(schedule, key)] or [0, 1]
    for w_R, w_B in weights:
        assert math.isfinite(w_R)
        assert w_R + w_B == 1
        assert min(ends) - 1e-12 <= w_R <= max(ends) + 1e-12
        assert w_B >= 0
    read = type(schedule).model_validate_json(schedule.model_dump_json(), strict=True)
    assert read == schedule
    # A resumed training asks only for the epochs that are left.
    for epoch in range(epochs // 2, epochs):
        assert read.weights(epoch, epochs) == weights[epoch]


@given(_mixes, st.integers(2, 250))
def test_any_mix_goes_one_way_from_start_to_end(schedule, epochs):
    assume(fits(schedule, epochs))
    alphas = [schedule.weights(epoch, epochs)[0] for epoch in range(epochs)]
    falls = getattr(schedule, "end", 0) < schedule.start
    assert alphas[0] == schedule.start
    assert alphas[-1] == getattr(schedule, "end", schedule.start)
    for before, after in itertools.pairwise(alphas):
        assert (after <= before + 1e-12) if falls else (after >= before - 1e-12)
    assert unfinished(schedule, epochs) is None


@given(st.integers(2, 300), st.data())
def test_a_fraction_means_the_length_in_epochs_that_it_is(epochs, data):
    pause = data.draw(st.integers(0, epochs - 2))
    hold = data.draw(st.integers(1, epochs // 2))
    first = data.draw(st.integers(1, epochs - 1))
    pairs = [
        (Step(hold=hold), Step(hold_over=hold / epochs)),
        (WarmStart(epochs=first), WarmStart(over=first / epochs)),
    ]
    if pause:
        pairs.append((Linear(pause=pause), Linear(pause_over=pause / (epochs - 1))))
    for in_epochs, as_fraction in pairs:
        for epoch in range(epochs):
            expected = in_epochs.weights(epoch, epochs)
            assert as_fraction.weights(epoch, epochs) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("fraction", "epochs", "first"),
    [(0.25, 200, 50), (0.29, 100, 29), (0.07, 100, 7), (0.001, 10, 1), (0.999999999999, 10, 9), (0.5, 2, 1)],
)
def test_a_fraction_is_cut_to_whole_epochs_and_leaves_one(fraction, epochs, first):
    schedule = WarmStart(over=fraction)
    alone = [epoch for epoch in range(epochs) if schedule.weights(epoch, epochs) == (1.0, 0.0)]
    assert alone == list(range(first))


@pytest.mark.parametrize(
    ("schedule", "enough", "message"),
    [
        (Linear(), 7, "pause must be < 5, the last of 6 epochs (got 5); shorten it, train longer, or give"),
        (Linear(pause=0), 2, None),
        (Step(), 10, "hold must be at most half of 9 epochs (got 5); shorten it, train longer, or give"),
        (WarmStart(), 51, "epochs must be < 50, the epochs of the training (got 50); shorten the warm start"),
        (
            WarmStart(epochs=4, then=Linear()),
            11,
            "then, with the 6 epochs after the warm start: pause must be < 5",
        ),
        (
            WarmStart(over=0.5, then=Step()),
            19,
            "then, with the 9 epochs after the warm start: hold must be at most half of 9 epochs (got 5)",
        ),
    ],
)
def test_a_training_that_is_too_short_is_refused_before_and_during(schedule, enough, message):
    schedule.check(enough)
    schedule.weights(enough - 1, enough)
    if message is None:
        return
    for refused in (schedule.check, lambda epochs: schedule.weights(0, epochs)):
        with pytest.raises(ValueError) as error:  # noqa: PT011 -- the sentence is checked below
            refused(enough - 1)
        assert message in str(error.value)
    assert message in unfinished(schedule, enough - 1)


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
        (Linear(), 7, None),
        (Linear(), 1, "'linear' stops at 1 after 1 epoch and never reaches its end 0; train longer"),
        (Cosine(), 1, "'cosine' stops at 1 after 1 epoch"),
        (Step(), 1, "'step' stops at 1 after 1 epoch"),
        (WarmStart(), 51, None),
        (WarmStart(), 1, "'warm_start' ends with 1 epoch, before then begins; train longer"),
        (WarmStart(epochs=1), 1, "before then begins"),
        (
            WarmStart(then=Rebalance()),
            100,
            "after the warm start, alpha schedule 'rebalance' stops at 0.51 after 50 epochs",
        ),
        (WarmStart(epochs=100, then=Rebalance()), 200, None),
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
    assert Linear() == Linear(pause=5) == Linear(pause=None, pause_over=None, end=0)
    assert Step() == Step(hold=5, form="mix")
    assert WarmStart() == WarmStart(epochs=50, form="add", then=Constant(form="add", start=1))
    assert WarmStart(form="mix", then={"schedule": "linear"}) == WarmStart(then=Linear())
    assert WarmStart(then=Linear()).form == "mix"
    for schedule in FITTING:
        assert type(schedule).model_validate(schedule.model_dump()) == schedule
        assert type(schedule).model_validate(schedule.model_dump(exclude_none=True)) == schedule
