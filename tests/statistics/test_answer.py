"""The whole answer: its rule, its words, its properties, and hostile input."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from harness.statistics.block import Unanswerable
from harness.statistics.conditional import ConditionalRegret, Interaction
from harness.statistics.decision import decision, plan_hash
from harness.statistics.plan import AnalysisPlan
from harness.statistics.recommendation import Costs
from harness.statistics.results import Results
from harness.statistics.simulated_scores import Truth, simulate
from harness.statistics.study_answer import Advice, StudyAnswer, answer_study
from harness.statistics.wording import settling, verdict, warnings


def tidy(
    means: tuple[float, ...],
    *,
    patients: int = 30,
    seeds: int = 5,
    dataset: str = "d",
    metric: str = "dsc",
    names: tuple[str, ...] = (),
    random: int = 0,
    **how: float,
) -> pd.DataFrame:
    scores = simulate(Truth(means=means, patients=patients, **how), seeds, np.random.default_rng(random))
    labels = names or tuple(f"L{i}" for i in range(len(means)))
    parts = [
        pd.DataFrame(
            {
                "dataset": dataset,
                "metric": metric,
                "loss": label,
                "seed": np.tile(np.arange(seeds), patients),
                "patient": np.repeat([f"p{i}" for i in range(patients)], seeds),
                "value": each.ravel(),
            }
        )
        for label, each in zip(labels, scores, strict=True)
    ]
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(case=frame["patient"])


def results(frame: pd.DataFrame, bad: dict[tuple[str, int], str] | None = None, **how: object) -> Results:
    runs = frame[["dataset", "loss", "seed"]].drop_duplicates(ignore_index=True)
    states = [
        (bad or {}).get((loss, seed), "scored") for loss, seed in zip(runs["loss"], runs["seed"], strict=True)
    ]
    plan = how.pop("plan", AnalysisPlan(draws=500))
    return Results(frame, runs.assign(state=states), tuple(dict.fromkeys(frame["loss"])), plan, **how)


def answer(frame: pd.DataFrame, bad: dict[tuple[str, int], str] | None = None, **how: object) -> StudyAnswer:
    return answer_study(results(frame, bad, **how))


def cell(found: StudyAnswer):
    return found.datasets[0].primary


def test_a_clear_winner_is_proven() -> None:
    found = answer(tidy((0.1, 0.0, 0.0, 0.0, 0.0), patients=60))
    assert (cell(found).recommendation.loss, cell(found).recommendation.strength) == ("L0", "proven")
    assert "On d take L0: over patients and seeds its DSC is proven" in verdict(found)[0]
    assert cell(found).names("inferior beyond the margin") == ("L1", "L2", "L3", "L4")


def test_a_reference_that_may_be_the_best_is_not_given_up_for_a_small_gain() -> None:
    frame = tidy((0.0, 0.002, -0.1, -0.1, -0.1), patients=200, names=("CE", "B", "C", "D", "E"))
    found = answer(frame, plan=AnalysisPlan(draws=500, references=("CE",)))
    advice = cell(found).recommendation
    assert (advice.loss, advice.strength, advice.reference) == ("CE", "none over the reference", "CE")
    assert "no loss can be recommended over CE" in verdict(found)[0]


def test_among_losses_of_equal_worth_the_faster_one_is_taken() -> None:
    frame = tidy((0.0, -0.1, -0.1, -0.1), patients=60)
    twin = frame[frame["loss"] == "L0"].assign(loss="twin")
    both = pd.concat([frame, twin], ignore_index=True)
    slow = {"L0": 100.0, "twin": 50.0}
    assert cell(answer(both, costs={"d": Costs(slow)})).recommendation.loss == "twin"
    assert cell(answer(both, costs={"d": Costs({"L0": 50.0, "twin": 100.0})})).recommendation.loss == "L0"


def test_a_loss_that_collapses_in_every_seed_stands_outside_and_is_listed() -> None:
    frame = tidy((0.0, -0.02, -0.6))
    found = answer(frame, {("L2", seed): "collapsed" for seed in range(5)})
    row = next(row for row in cell(found).rows if row.loss == "L2")
    assert row.standing == "collapsed"
    assert (row.collapse.useless, row.collapse.runs) == (5, 5)
    assert np.isfinite(row.itt)
    assert not np.isfinite(row.mean)
    assert any("L2 5/5" in text for text in warnings(found))


def test_when_everything_collapsed_there_is_no_answer() -> None:
    frame = tidy((0.0, 0.0))
    found = answer(frame, {(loss, seed): "collapsed" for loss in ("L0", "L1") for seed in range(5)})
    assert cell(found).recommendation.strength == "no answer"
    assert "every run of every loss collapsed" in verdict(found)[0]


def test_one_seed_is_refused_and_shown_for_what_it_is() -> None:
    found = answer(tidy((0.1, 0.0), seeds=1))
    assert cell(found).comparison is None
    assert "one seed says nothing about a loss" in verdict(found)[0]
    assert "these trained networks, not these losses" in verdict(found)[1]
    assert list(cell(found).networks.behind) == ["L1"]


def test_fewer_than_five_seeds_are_exploratory() -> None:
    assert any(
        "exploratory, seeds of use: L0 3, L1 3" in text
        for text in warnings(answer(tidy((0.1, 0.0), seeds=3)))
    )
    assert not any("exploratory" in text for text in warnings(answer(tidy((0.1, 0.0), seeds=5))))


def test_a_dataset_with_three_patients_says_so_and_the_others_are_answered() -> None:
    small = tidy((0.0, -0.1), patients=3, dataset="small")
    found = answer(pd.concat([tidy((0.0, -0.1)), small], ignore_index=True))
    assert found.datasets[0].primary.comparison is not None
    assert "3 patients; an interval needs at least 5" in found.datasets[1].primary.recommendation.why
    assert found.over_datasets is None
    assert any("no answer over datasets" in note for note in found.notes)


def test_a_missing_score_is_named() -> None:
    with pytest.raises(Unanswerable, match=r"'L0', seed 1, lacks patient 'p0'"):
        answer(tidy((0.0, -0.1)).drop(index=1))


def test_unequal_seeds_are_compared_with_what_they_have() -> None:
    frame = tidy((0.0, -0.1))
    frame = frame[~((frame["loss"] == "L1") & (frame["seed"] > 1))]
    assert list(cell(answer(frame)).block.seeds) == [5, 2]


def test_constant_scores_are_equal_not_different() -> None:
    frame = tidy((0.0, 0.0, 0.0)).assign(value=0.5)
    found = answer(frame)
    assert set(cell(found).comparison.pairs.p.ravel()) == {1.0}
    assert cell(found).names("safe") == ("L0", "L1", "L2")
    json.dumps(decision(found), allow_nan=False)


def test_infinite_distances_are_undefined_and_the_policy_is_named() -> None:
    frame = tidy((0.0, 0.0, 0.0), metric="hd95").assign(unit="mm", direction="lower")
    frame["value"] = 1 + 10 * (1 - frame["value"]).clip(lower=0)
    frame["imputed"] = frame["value"]
    hit = (frame["loss"] == "L1") & frame["patient"].isin([f"p{i}" for i in range(12)])
    frame.loc[hit, "value"] = np.inf
    frame.loc[hit, "imputed"] = 200.0
    found = answer_study(results(frame), metric="hd95")
    assert found.datasets[0].policy_dependent == ("hd95",)
    assert "depends on the policy for undefined values" in verdict(found)[0]
    assert any("undefined values of HD95" in text for text in warnings(found))


def test_order_of_losses_patients_and_seeds_changes_nothing() -> None:
    frame = tidy((0.0, -0.01, -0.02, -0.03, -0.04))
    shuffled = frame.sample(frac=1, random_state=1).reset_index(drop=True)
    turned = {"p0": "p9", "p9": "p0"}
    first, second = answer(frame), answer(shuffled)
    named = {row.loss: row for row in cell(second).rows}
    for row in cell(first).rows:
        other = named[row.loss]
        assert (row.lower, row.upper, row.mean) == pytest.approx((other.lower, other.upper, other.mean))
        assert row.ranks == other.ranks
        assert row.regret == pytest.approx(other.regret)
    renamed = answer(frame.assign(patient=frame["patient"].replace(turned)))
    assert cell(renamed).comparison.pairs.p == pytest.approx(cell(first).comparison.pairs.p)


def test_a_constant_shifts_means_only() -> None:
    frame = tidy((0.0, -0.01, -0.02))
    first, second = answer(frame), answer(frame.assign(value=frame["value"] + 0.1))
    assert cell(second).comparison.pairs.p == pytest.approx(cell(first).comparison.pairs.p)
    assert cell(second).rows[0].mean == pytest.approx(cell(first).rows[0].mean + 0.1)


def test_scaling_scores_and_margin_together_changes_no_claim() -> None:
    frame = tidy((0.0, -0.01, -0.02))
    first = answer(frame)
    second = answer(
        frame.assign(value=frame["value"] * 100), plan=AnalysisPlan(draws=500, margins={"dsc": 1.0})
    )
    assert cell(second).comparison.pairs.p == pytest.approx(cell(first).comparison.pairs.p)
    assert [row.standing for row in cell(second).rows] == [row.standing for row in cell(first).rows]


def test_a_terrible_loss_changes_other_pairs_through_moderation_only() -> None:
    frame = tidy((0.0, -0.01, -0.02, -0.03, -0.04, -0.05))
    more = pd.concat([frame, tidy((-0.6,), names=("bad",), random=9)], ignore_index=True)
    first, second = cell(answer(frame)).comparison, cell(answer(more)).comparison
    assert second.pairs.difference[:6, :6] == pytest.approx(first.pairs.difference)
    assert np.abs(second.pairs.p[:6, :6] - first.pairs.p).max() < 0.05


def test_several_datasets_are_answered_together_and_one_by_one() -> None:
    frame = pd.concat(
        [tidy((0.05, 0.0, 0.0, 0.0, 0.0), dataset=name, random=i) for i, name in enumerate("abc")],
        ignore_index=True,
    )
    found = answer(frame, plan=AnalysisPlan(draws=500, references=("L1",)))
    assert found.over_datasets.recommendation.loss == "L0"
    assert found.over_datasets.new is not None
    assert "Over these 3 datasets take L0" in verdict(found)[0]
    (paid,) = (sentence for sentence in verdict(found) if "always L1" in sentence)
    decimals = {len(number) for number in re.findall(r"0\.(\d+)", paid)}
    assert len(decimals) == 1

    only = answer_study(results(frame), datasets=["b"])
    assert [each.dataset for each in only.datasets] == ["b"]
    again = next(each for each in found.datasets if each.dataset == "b")
    assert only.datasets[0].primary.comparison.stability.regret == pytest.approx(
        again.primary.comparison.stability.regret
    )


def test_advice_by_a_descriptor_says_it_in_words() -> None:
    found = answer(pd.concat([tidy((0.05, 0.0), dataset=name) for name in "abc"], ignore_index=True))
    assert found.over_datasets is not None
    slope = Interaction("L0", "foreground_fraction", -0.1, -0.2, -0.05, 0.001, 0.02, 90)
    advice = Advice(slope, "L1", ConditionalRegret(0.1, 0.05, 3))
    advised = replace(found, over_datasets=replace(found.over_datasets, advice=(advice,)))
    assert any(
        "where the foreground share of the image is smaller (q 0.02)" in each for each in verdict(advised)
    )


def test_open_comparisons_say_what_would_settle_them() -> None:
    few = settling(cell(answer(tidy((0.0, -0.002, -0.3, -0.3, -0.3), patients=12))))
    assert "impossible with this test set" in few[0]
    many = settling(
        cell(
            answer(
                tidy((0.0, -0.002, -0.3, -0.3, -0.3), patients=400, seeds=3, seed_sd=0.02),
                plan=AnalysisPlan(draws=500, margins={"dsc": 0.02}),
                costs={"d": Costs({f"L{i}": 3600.0 for i in range(5)})},
            )
        )
    )
    assert "seeds of both would find 0.02" in many[0]
    assert "hours" in many[0]


def test_the_verdict_is_short_and_never_says_no_difference() -> None:
    frame = pd.concat([tidy((0.0,) * 6, dataset=name) for name in "abcdef"], ignore_index=True)
    sentences = verdict(answer(frame))
    assert len(sentences) <= 12
    assert "no difference" not in " ".join(sentences)
    assert "significant" not in " ".join(sentences)


def test_losses_dropped_at_an_earlier_look_are_listed_as_that() -> None:
    found = answer(
        tidy((0.0, -0.01, -0.3)), dropped={"d": {"L2": "inferior at look 1 (3 seeds)"}}, alphas={"d": 0.02}
    )
    assert cell(found).rows[2].standing == "inferior at look 1 (3 seeds)"
    assert cell(found).comparison.best.losses == ("L0", "L1")
    assert cell(found).asked.alpha == 0.02


def test_the_decision_is_json_and_the_same_twice() -> None:
    frame = tidy((0.0, -0.01, -0.02))
    first, second = (json.dumps(decision(answer(frame)), allow_nan=False) for _ in range(2))
    assert first == second
    document = json.loads(first)
    row = document["datasets"][0]["metrics"][0]["table"][0]
    assert {"mean", "sd_seeds", "interval", "collapse", "standing", "ranks", "p_best", "regret"} <= row.keys()
    assert document["plan_hash"] == plan_hash(AnalysisPlan(draws=500))


def test_a_hundred_losses_are_answered() -> None:
    found = answer(tidy(tuple(-0.001 * i for i in range(100)), patients=20, seeds=3))
    assert len(cell(found).rows) == 100
