import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from harness.statistics.block import Unanswerable
from harness.statistics.pilot import Pilot, pilot_of
from harness.statistics.power import aim_for
from harness.statistics.study_power import Design, power_of_pilot, power_of_stated
from harness.statistics.variance_components import stated_components

CASE, SEED, REST = 0.03, 0.01, 0.03


def values(
    random: np.random.Generator, losses: int = 6, patients: int = 50, seeds: int = 4, drawn: int | None = None
) -> pd.DataFrame:
    """Scores of losses; of every seed only some patients, drawn anew but the same for all losses."""
    shape = losses, seeds, patients
    y = (
        random.normal(0.8, 0.1, (1, 1, patients))
        + random.normal(0, CASE, (losses, 1, patients))
        + random.normal(0, SEED, (losses, seeds, 1))
        + random.normal(0, REST, shape)
    )
    there = np.zeros((seeds, patients), bool)
    for seed in there:
        seed[random.choice(patients, drawn or patients, replace=False)] = True
    at = np.argwhere(np.broadcast_to(there, shape))
    columns = {"loss": [f"L{i}" for i in at[:, 0]], "seed": at[:, 1], "patient": [f"p{i}" for i in at[:, 2]]}
    return pd.DataFrame(columns | {"score": y[tuple(at.T)]})


def seeds_of(pilot: Pilot) -> NDArray[np.float64]:
    return pilot.components.seed[0] + pilot.components.seed[1]


def test_a_complete_pilot_gives_the_components_of_the_analysis_of_variance() -> None:
    frame = values(np.random.default_rng(3), losses=2, patients=20, seeds=4)
    pilot = pilot_of(frame)
    wide = frame.pivot(index=["seed", "patient"], columns="loss", values="score")
    d = (wide["L0"] - wide["L1"]).rename("d").reset_index()
    squares = anova_lm(ols("d ~ C(patient) + C(seed)", d).fit())["mean_sq"]
    rest = squares["Residual"]
    assert pilot.components.case[0] == pytest.approx((squares["C(patient)"] - rest) / 4)
    assert seeds_of(pilot)[0] == pytest.approx(max(0.0, (squares["C(seed)"] - rest) / 20))
    assert pilot.components.residual[0][0] + pilot.components.residual[1][0] == pytest.approx(rest)
    assert pilot.differences[0] == pytest.approx(d["d"].mean())


def test_patients_drawn_anew_for_every_seed_leave_the_components_right_on_average() -> None:
    random = np.random.default_rng(5)
    pilots = [pilot_of(values(random, drawn=15)) for _ in range(25)]
    case = np.mean([each.components.case.mean() for each in pilots])
    rest = np.mean([each.components.residual[0].mean() for each in pilots])
    seed = np.mean([seeds_of(each).mean() / 2 for each in pilots])
    assert np.sqrt(case) == pytest.approx(np.sqrt(2) * CASE, rel=0.1)
    assert np.sqrt(rest) == pytest.approx(REST, rel=0.12)
    assert SEED < np.sqrt(seed) < 1.4 * SEED  # moderated upwards


def test_the_noise_of_a_pilot_is_the_variance_of_its_differences() -> None:
    random = np.random.default_rng(8)
    pilots = [pilot_of(values(random, losses=3, drawn=12)) for _ in range(50)]
    seen = np.var([each.differences for each in pilots], axis=0, ddof=1).mean()
    assert np.mean([each.noise.mean() for each in pilots]) == pytest.approx(seen, rel=0.35)


def test_patients_that_no_two_seeds_share_still_give_a_plan() -> None:
    frame = values(np.random.default_rng(6), seeds=3, patients=30)
    own = frame["patient"].str[1:].astype(int) % 3 == frame["seed"]
    pilot = pilot_of(frame[own])
    assert (pilot.seeds, pilot.patients) == (3, 30)
    assert (pilot.components.case > 0).all()


def test_a_loss_that_nearly_collapsed_once_does_not_spoil_the_plan_of_the_others() -> None:
    frame = values(np.random.default_rng(12), losses=8, seeds=3, drawn=20)
    bad = frame.assign(score=frame["score"] - 0.4 * ((frame["loss"] == "L3") & (frame["seed"] == 1)))
    before, after = pilot_of(frame), pilot_of(bad)
    assert (before.apart, after.apart) == ((), ("L3",))
    with_it = (after.first == 3) | (after.second == 3)
    assert (seeds_of(after)[with_it] > 0.03).all()
    assert seeds_of(after)[~with_it].max() < 2 * seeds_of(before).max()


def test_a_loss_with_one_seed_is_left_out_and_named() -> None:
    frame = values(np.random.default_rng(7))
    pilot = pilot_of(frame[(frame["loss"] != "L2") | (frame["seed"] == 0)])
    assert pilot.left_out == ("L2",)
    assert "L2" not in pilot.losses
    with pytest.raises(Unanswerable, match="at least 2 seeds of two losses"):
        pilot_of(frame[frame["seed"] == 0])
    with pytest.raises(Unanswerable, match="at least 2 seeds of two losses"):
        pilot_of(frame[frame["loss"] == "L0"])


def test_the_order_of_rows_and_losses_changes_nothing() -> None:
    frame = values(np.random.default_rng(9), losses=3, drawn=20)
    shuffled = pilot_of(frame.sample(frac=1, random_state=1), ["L0", "L1", "L2"])
    assert shuffled.components.case == pytest.approx(pilot_of(frame).components.case)


def test_a_design_is_judged_by_its_pilot() -> None:
    pilot = pilot_of(values(np.random.default_rng(4), drawn=20))
    design = Design(patients=60, seeds=5, losses=6, margin=0.01, patient_hours=2.0)
    found = power_of_pilot(pilot, design, dict.fromkeys(pilot.losses, 0.5))
    low, typical, high = found.detectable
    assert low <= typical <= high
    assert design.aim == aim_for(6)
    best = pilot.losses[int(np.argmax(pilot.means))]
    assert {plan.loss_a for plan in found.leading} == {best}
    assert len(found.leading) == 4 * 5  # purposes x others
    assert all(plan.difference >= 0 for plan in found.leading)
    seen = [plan.difference for plan in found.leading if plan.purpose == "margin" and not plan.pessimistic]
    assert seen == sorted(seen)
    at = (found.grid["patients"] == 60) & (found.grid["seeds"] == 5)
    assert found.grid.loc[at, "detectable"].item() == pytest.approx(typical)
    assert found.discriminability is not None
    assert found.cheapest is not None
    assert found.typical[1].detectable >= found.typical[0].detectable


def test_stated_variances_plan_without_a_pilot() -> None:
    components = stated_components(0.05, 0.01, 0.03)
    found = power_of_stated(components, Design(50, 5, 8, 0.03), {})
    assert found.detectable[0] == found.detectable[2]
    assert found.leading == ()
    assert found.discriminability is None
    assert found.cheapest is None
    assert found.typical[0].hours is None
    fewer = power_of_stated(components, Design(500, 50, 8, 0.03), {}).typical[0]
    assert fewer.outcome == "enough"
    assert fewer.seeds_needed is not None
    assert fewer.seeds_needed < 50
