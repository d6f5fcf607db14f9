from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.statistics.block import Unanswerable, build_block
from harness.statistics.scale import Scale, scale_of
from harness.statistics.undefined import (
    POLICIES,
    patient_values,
    scale_under,
    two_part_table,
    undefined_counts,
    undefined_reasons,
)

DIAGONAL = 200.0


def frame(rows: dict[tuple[str, int], list[float]], metric: str = "hd95", **columns: Any) -> pd.DataFrame:
    """One row for each class 1 and 2: patient p has the cases one and two, patient q the case one."""
    cells = [(p, c, k) for p, c in (("p", "one"), ("p", "two"), ("q", "one")) for k in (1, 2)]
    found = pd.DataFrame(
        [
            ("d", metric, loss, seed, *cell, value)
            for (loss, seed), values in rows.items()
            for cell, value in zip(cells, values, strict=True)
        ],
        columns=["dataset", "metric", "loss", "seed", "patient", "case", "class_index", "value"],
    )
    imputed = found["value"].fillna(0.0 if metric == "dsc" else DIAGONAL)
    reason = np.where(found["value"].isna(), "prediction empty", None)
    return found.assign(imputed=imputed, reason=reason, **columns)


NAN = float("nan")
SOME = {
    ("a", 0): [1.0, 3.0, 4.0, 6.0, 10.0, 20.0],
    ("a", 1): [1.0, 3.0, NAN, 6.0, 10.0, 20.0],
    ("b", 0): [2.0, 4.0, 5.0, 7.0, 11.0, 21.0],
    ("b", 1): [2.0, 4.0, 5.0, 7.0, 11.0, 21.0],
}


def table(values: pd.DataFrame, metric: str | None = None) -> dict[tuple[str, int], list[float]]:
    chosen = values if metric is None else values[values["metric"] == metric]
    return {
        (str(loss), int(seed)): part.sort_values("patient")["value"].tolist()
        for (loss, seed), part in chosen.groupby(["loss", "seed"])
    }


def test_a_patient_is_the_mean_over_its_cases_of_the_means_over_classes() -> None:
    found = table(patient_values(frame(SOME)))
    assert found["a", 0] == pytest.approx([(2 + 5) / 2, 15])
    assert found["a", 1] == pytest.approx([(2 + (DIAGONAL + 6) / 2) / 2, 15])


def test_complete_leaves_the_same_classes_of_cases_out_of_every_run() -> None:
    found = table(patient_values(frame(SOME), "complete"))
    assert found["a", 0] == found["a", 1] == pytest.approx([(2 + 6) / 2, 15])
    assert found["b", 0] == pytest.approx([(3 + 7) / 2, 16])


def test_complete_drops_a_patient_that_some_run_does_not_define_at_all() -> None:
    rows = {run: [*values[:4], NAN, NAN] if run == ("b", 1) else values for run, values in SOME.items()}
    values = patient_values(frame(rows), "complete")
    assert set(values["patient"]) == {"p"}
    assert len(values) == 4


def states(**of: str) -> pd.DataFrame:
    """State of both seeds of a loss."""
    return pd.DataFrame(
        [(loss, seed, state) for loss, state in of.items() for seed in (0, 1)],
        columns=["loss", "seed", "state"],
    )


def test_runs_that_collapsed_do_not_decide_what_is_defined() -> None:
    rows = {**SOME, ("gone", 0): [NAN] * 6, ("gone", 1): [NAN] * 6}
    with pytest.raises(Unanswerable, match="no case has a value in every run"):
        patient_values(frame(rows), "complete")
    told = states(a="scored", b="scored", gone="collapsed")
    found = table(patient_values(frame(rows), "complete", states=told))
    assert found["a", 0] == pytest.approx([4, 15])
    assert found["gone", 0] == [DIAGONAL, DIAGONAL]
    ranks = table(patient_values(frame(rows), "worst_rank", states=told))
    plain = table(patient_values(frame(SOME), "worst_rank"))
    assert ranks["a", 1] == pytest.approx(plain["a", 1])
    assert ranks["gone", 1] == [pytest.approx(0.125 / 4), 0]


def test_worst_rank_is_the_share_of_runs_that_are_worse() -> None:
    found = table(patient_values(frame(SOME), "worst_rank"))
    # class 1 of case two: a seed 1 is undefined, b 5 and 5, a seed 0 4 mm; elsewhere a ties with a, b with b
    assert found["a", 0] == pytest.approx([np.mean([0.75, 0.75, 0.875, 0.75]), 0.75])
    assert found["a", 1] == pytest.approx([np.mean([0.75, 0.75, 0.125, 0.75]), 0.75])
    assert found["b", 0] == pytest.approx([np.mean([0.25, 0.25, 0.5, 0.25]), 0.25])


def test_worst_rank_counts_a_class_that_nobody_has_as_found() -> None:
    scores = frame({("a", 0): [NAN, *[1.0] * 5], ("b", 0): [NAN, *[1.0] * 5]})
    scores.loc[(scores["loss"] == "a") & scores["value"].isna(), ["imputed", "reason"]] = [0.0, "both empty"]
    found = table(patient_values(scores, "worst_rank"))
    assert found["a", 0][0] > 0.5 > found["b", 0][0]


def test_two_parts_are_the_rate_and_the_distance_that_all_define() -> None:
    values = patient_values(frame(SOME), "two_part")
    rates = table(values, "hd95 undefined")
    assert rates["a", 1] == pytest.approx([0.25, 0])
    assert rates["b", 0] == [0, 0]
    assert table(values, "hd95 where defined") == table(patient_values(frame(SOME), "complete"))
    told = two_part_table(frame(SOME)).set_index("loss")
    assert told.loc["a", "rate"] == pytest.approx(1 / 12)
    assert told.loc["a", "own"] == pytest.approx((44 + 40) / 11)
    assert told.loc["a", "common"] == pytest.approx(40 / 5)
    assert scale_under("two_part", "hd95 undefined", scale_of("hd95")) == Scale("lower")
    assert scale_under("worst_rank", "hd95", scale_of("hd95")) == Scale("higher")
    assert scale_under("complete", "hd95", scale_of("hd95")) == scale_of("hd95")


@pytest.mark.parametrize("policy", POLICIES)
def test_where_all_is_defined_every_policy_puts_the_same_loss_first(policy: str) -> None:
    rows = {run: values for run, values in SOME.items() if run != ("a", 1)}
    values = patient_values(frame(rows), policy)
    metric = str(values["metric"].iloc[-1])
    scale = scale_under(policy, metric, scale_of("hd95"))
    found = table(values, metric)
    assert scale.scores(np.array(found["a", 0])).mean() > scale.scores(np.array(found["b", 0])).mean()


@pytest.mark.parametrize("policy", POLICIES)
def test_order_of_rows_does_not_matter(policy: str) -> None:
    scores = frame(SOME)
    shuffled = scores.sample(frac=1, random_state=1)
    names = sorted(set(patient_values(scores, policy)["metric"]))
    for metric in names:
        found, expected = (table(patient_values(each, policy), metric) for each in (shuffled, scores))
        assert found.keys() == expected.keys()
        np.testing.assert_allclose(list(found.values()), list(expected.values()))


@pytest.mark.parametrize("policy", POLICIES)
def test_datasets_and_metrics_are_kept_apart(policy: str) -> None:
    scores = pd.concat([frame(SOME), frame(SOME).assign(dataset="e", value=5.0), frame(SOME, "dsc")])
    values = patient_values(scores, policy)
    alone = patient_values(frame(SOME), policy)
    own = values[(values["dataset"] == "d") & values["metric"].str.startswith("hd95")]
    assert own.reset_index(drop=True).equals(alone)


def test_values_go_into_a_block() -> None:
    rows = {
        (loss, seed): np.random.default_rng(seed).gamma(2, 3, 6).tolist() for loss in "ab" for seed in (0, 1)
    }
    values = patient_values(frame(rows))
    block = build_block(values, states(a="scored", b="scored"), scale_of("hd95"))
    assert block.losses == ("a", "b")
    assert block.patients == ("p", "q")


@pytest.mark.parametrize("value", [np.inf, -np.inf, NAN])
def test_an_infinite_distance_is_an_undefined_one(value: float) -> None:
    rows = {run: [value if np.isnan(each) else each for each in values] for run, values in SOME.items()}
    scores = frame(SOME).assign(value=frame(rows)["value"])
    assert table(patient_values(scores)) == table(patient_values(frame(SOME)))
    assert undefined_counts(scores)["undefined"].tolist() == [1, 0]


def test_without_a_stored_value_the_worst_that_is_there_stands_for_it() -> None:
    plain = frame(SOME).drop(columns=["imputed", "reason", "class_index"])
    assert table(patient_values(plain[plain["case"] == "one"].drop_duplicates(["loss", "seed", "patient"])))[
        "a", 0
    ] == [1.0, 10.0]
    assert table(patient_values(frame(SOME).drop(columns="imputed")))["a", 1][0] == (2 + (21 + 6) / 2) / 2
    shares = frame({("a", 0): [NAN, *[0.5] * 5]}, "dsc").drop(columns="imputed")
    assert table(patient_values(shares))["a", 0][0] == pytest.approx((0.25 + 0.5) / 2)


def test_distances_that_no_run_has_are_the_diagonal_or_a_question() -> None:
    scores = frame({("a", 0): [NAN] * 6, ("b", 0): [NAN] * 6})
    assert table(patient_values(scores))["a", 0] == [DIAGONAL] * 2
    assert set(patient_values(scores, "two_part")["metric"]) == {"hd95 undefined"}
    with pytest.raises(Unanswerable, match="there is no value at all"):
        patient_values(scores.drop(columns="imputed"))


def test_a_score_that_is_missing_or_doubled_is_named() -> None:
    scores = frame(SOME)
    with pytest.raises(Unanswerable, match="'b', seed 1, lacks patient 'q', case 'one', class 2"):
        patient_values(scores.iloc[:-1])
    with pytest.raises(Unanswerable, match="'a', seed 0, has 2 values of patient 'p', case 'one', class 1"):
        patient_values(pd.concat([scores, scores.iloc[:1]]))
    with pytest.raises(ValueError, match="no policy 'best'"):
        patient_values(scores, "best")
    with pytest.raises(Unanswerable, match="no scores"):
        patient_values(scores.iloc[:0])


def test_undefined_values_are_counted_for_every_loss_with_their_reasons() -> None:
    scores = pd.concat([frame(SOME), frame({run: [0.5] * 6 for run in SOME}, "dsc")])
    scores.iloc[-1, scores.columns.get_loc("value")] = 0.0
    scores.iloc[-1, scores.columns.get_loc("reason")] = "prediction empty"
    counts = undefined_counts(scores)
    told = [(row.metric, row.loss, row.scores, row.undefined) for row in counts.itertuples()]
    assert told == [("hd95", "a", 12, 1), ("hd95", "b", 12, 0), ("dsc", "a", 12, 0), ("dsc", "b", 12, 0)]
    reasons = undefined_reasons(scores)
    assert [
        (row.metric, row.loss, row.reason, row.scores, row.undefined) for row in reasons.itertuples()
    ] == [
        ("hd95", "a", "prediction empty", 1, 1),
        ("dsc", "b", "prediction empty", 1, 0),
    ]
    assert undefined_reasons(frame({("a", 0): [1.0] * 6})).empty


@pytest.mark.full
def test_a_million_scores_take_seconds() -> None:
    from time import process_time

    losses, patients = [f"loss {i}" for i in range(50)], [f"patient {i}" for i in range(1000)]
    index = pd.MultiIndex.from_product(
        [["d"], ["hd95"], losses, range(5), patients, range(4)],
        names=["dataset", "metric", "loss", "seed", "patient", "class_index"],
    )
    scores = index.to_frame(index=False)
    scores["value"] = np.random.default_rng(1).gamma(2, 3, len(scores))
    started = process_time()
    patient_values(scores)
    assert process_time() - started < 2
