"""The block of patients, losses and seeds, and what it refuses."""

import numpy as np
import pandas as pd
import pytest

from harness.statistics.block import Unanswerable, build_block
from harness.statistics.crossed import parts_of_block
from harness.statistics.scale import Scale, scale_of


def values(losses: tuple[str, ...] = ("A", "B"), seeds: int = 3, metric: str = "dsc") -> pd.DataFrame:
    rows = [
        {
            "dataset": "d",
            "metric": metric,
            "loss": loss,
            "seed": seed,
            "patient": f"p{i}",
            "value": 0.5 + 0.01 * i,
        }
        for loss in losses
        for seed in range(seeds)
        for i in range(6)
    ]
    return pd.DataFrame(rows)


def states(frame: pd.DataFrame, **other: str) -> pd.DataFrame:
    runs = frame[["loss", "seed"]].drop_duplicates().assign(state="scored")
    for run, state in other.items():
        loss, seed = run.split("_")
        runs = runs[~((runs["loss"] == loss) & (runs["seed"] == int(seed)))]
        runs = pd.concat([runs, pd.DataFrame([{"loss": loss, "seed": int(seed), "state": state}])])
    return runs


def test_seeds_may_differ_in_number_between_losses() -> None:
    frame = values()
    frame = frame[~((frame["loss"] == "B") & (frame["seed"] == 2))]
    block = build_block(frame, states(frame), Scale())
    assert list(block.seeds) == [3, 2]
    assert [each.shape for each in block.scores] == [(6, 3), (6, 2)]


def test_collapsed_runs_leave_the_comparison_but_not_the_count() -> None:
    frame = values()
    block = build_block(frame, states(frame, A_2="collapsed"), Scale())
    assert list(block.seeds) == [2, 3]
    assert (block.runs["A"].useless, block.runs["A"].counted) == (1, 3)
    assert block.raw["A"].shape == (6, 3)


def test_a_diverged_run_counts_with_the_worst_value() -> None:
    frame = values()
    frame = frame[~((frame["loss"] == "A") & (frame["seed"] == 2))]
    block = build_block(frame, states(frame, A_2="diverged"), Scale())
    assert block.raw["A"][:, 2].tolist() == [0.0] * 6
    distances = values(metric="hd")
    distances = distances[~((distances["loss"] == "A") & (distances["seed"] == 2))]
    worst = {f"p{i}": 100.0 + i for i in range(6)}
    block = build_block(distances, states(distances, A_2="diverged"), scale_of("hd"), worst=worst)
    assert block.raw["A"][:, 2].tolist() == list(worst.values())


def test_a_run_that_the_machine_failed_is_dropped_and_listed() -> None:
    frame = values()
    frame = frame[~((frame["loss"] == "A") & (frame["seed"] == 1))]
    block = build_block(frame, states(frame, A_1="failed"), Scale())
    assert block.runs["A"].failed == (1,)
    assert list(block.seeds) == [2, 3]


def test_a_loss_with_one_run_of_use_stands_outside() -> None:
    frame = values()
    block = build_block(frame, states(frame, A_1="collapsed", A_2="collapsed"), Scale())
    assert (block.losses, block.collapsed) == (("B",), ("A",))


def test_a_missing_patient_is_named() -> None:
    frame = values().drop(index=7)
    with pytest.raises(
        Unanswerable, match=r"1 scores are missing, first that of patient 'p1' under 'A', seed 1"
    ):
        build_block(frame, states(frame), Scale())


def test_an_infinite_value_is_named() -> None:
    frame = values()
    frame.loc[3, "value"] = np.inf
    with pytest.raises(
        Unanswerable, match=r"1 values are infinite, first that of patient 'p3'.*leave them empty"
    ):
        build_block(frame, states(frame), Scale())


def test_two_values_of_a_patient_are_refused() -> None:
    frame = pd.concat([values(), values().head(1)])
    with pytest.raises(Unanswerable, match="two values in one run"):
        build_block(frame, states(frame), Scale())


def test_without_a_seed_or_a_loss_the_rest_stays() -> None:
    frame = values(("A", "B", "C"))
    block = build_block(frame, states(frame, A_0="collapsed"), Scale())
    assert block.without(["B"]).losses == ("A", "C")
    assert block.without(seed=1).losses == ("B", "C")
    assert list(block.without(seed=1).seeds) == [2, 2]


def test_distances_are_scored_by_their_logarithm_and_come_back() -> None:
    scale = scale_of("hd95", eps=0.25)
    raw = np.array([0.0, 1.0, 30.0])
    assert (np.diff(scale.scores(raw)) < 0).all()
    assert scale.raw(scale.scores(raw)) == pytest.approx(raw)
    assert scale.margin() == pytest.approx(np.log(1.1))
    assert scale.margin(1.2) == pytest.approx(np.log(1.2))
    assert scale_of("dsc").margin() == 0.01
    assert scale_of("false_lesions").scores(raw).tolist() == [0.0, -1.0, -30.0]


def test_losses_that_are_left_out_still_lend_their_seed_variance() -> None:
    random = np.random.default_rng(0)
    frame = values(("A", "B", "C", "D", "E", "F"), seeds=4)
    frame["value"] += random.normal(0, 0.02, 24).repeat(6)
    whole = build_block(frame, states(frame), Scale())
    rest = whole.without(["C", "D", "E", "F"])
    assert rest.prior == parts_of_block(whole).variances.prior
    kept = parts_of_block(rest).variances.moderated
    assert kept == pytest.approx(parts_of_block(whole).variances.moderated[:2])
