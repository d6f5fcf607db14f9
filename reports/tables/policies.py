"""Table S3: what the policy for undefined values does to means and to the possibly best losses."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from harness.statistics.cell import CellAnswer
from harness.statistics.dataset_answer import DatasetAnswer
from harness.statistics.robustness import Ranking
from harness.statistics.scale import Scale
from harness.statistics.undefined import scale_under
from harness.statistics.wording import title_of
from reports.results import StudyResults
from reports.tables.model import WordTable
from reports.tables.numbers import answers_in_order, number, shown_notes
from reports.tables.registry import AnyTable, NothingToTell, register_table
from reports.tables.score_table import NOTHING, file_name
from reports.tables.standing import POSSIBLY_BEST

_MEANINGS = {
    "worst": "worst: an undefined value is replaced by the worst possible one (a perfect one where truth and "
    "prediction are both empty)",
    "complete": "complete: only cases that are defined in every run of every loss",
    "worst_rank": "worst rank: share of the runs that are worse on a case, undefined ones last; higher is "
    "better",
}


@register_table("S3", "policies")
def policy_tables(results: StudyResults) -> list[AnyTable]:
    """Return one table for each dataset and metric with undefined values.

    Raises:
        NothingToTell: if every value of the compared metrics is defined.
    """
    tables: list[AnyTable] = [
        _table(results, each, cell)
        for each in answers_in_order(results)
        for cell in each.cells
        if cell.block.metric in each.policies and cell.comparison is not None
    ]
    if not tables:
        raise NothingToTell("Table S3: no policy for undefined values was needed where losses were compared.")
    return tables


def _table(results: StudyResults, answer: DatasetAnswer, cell: CellAnswer) -> WordTable:
    metric, title = cell.block.metric, title_of(cell.block.metric)
    sets = answer.policies[metric]
    rankings = {
        policy: ranking
        for policy in sets
        if (ranking := _ranking(results, answer, metric, policy)) is not None
    }
    data = _frame(results, cell, sets, rankings)
    rows = [
        (
            str(loss),
            *(
                _cell(row["mean"], bool(row["possibly_best"]), 2 if row["distance"] else 3)
                for _, row in own.iterrows()
            ),
        )
        for loss, own in data.groupby("loss", sort=False)
    ]
    depends = metric in answer.policy_dependent
    return WordTable(
        f"s3_policies_{file_name(answer.dataset)}_{file_name(metric)}",
        f"{title} on {answer.dataset} under each policy for undefined values.",
        ("Loss", *(_heading(title, policy, cell.block.scale) for policy in rankings)),
        tuple(rows),
        (
            *shown_notes(results, [answer.dataset]),
            "The set of possibly best losses "
            + ("depends on the policy." if depends else "is the same under every policy."),
            f"{POSSIBLY_BEST}: possibly best, by multiple comparisons with the best over patients and "
            "seeds. Means are those of runs that did not collapse"
            + (", geometric for distances." if cell.block.scale.log else "."),
            f"{'; '.join(_MEANINGS[policy] for policy in rankings if policy in _MEANINGS)}.".capitalize(),
        ),
        data,
        (False, *[True] * len(rankings)),
    )


def _frame(
    results: StudyResults,
    cell: CellAnswer,
    sets: Mapping[str, tuple[str, ...]],
    rankings: Mapping[str, Ranking],
) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "dataset": cell.block.dataset,
                "metric": cell.block.metric,
                "loss": loss,
                "policy": policy,
                "mean": _mean(cell.block.scale, ranking, loss),
                "possibly_best": loss in sets[policy],
                "distance": cell.block.scale.log and policy != "worst_rank",
            }
            for loss in results.labels
            if loss in cell.block.runs
            for policy, ranking in rankings.items()
        ]
    )


def _ranking(results: StudyResults, answer: DatasetAnswer, metric: str, policy: str) -> Ranking | None:
    for each in answer.grid.rankings:
        basis = each.basis
        if (basis.metric, basis.policy, basis.checkpoint) == (metric, policy, results.checkpoint) and (
            each.estimand == "per protocol" and each.rule == "mean"
        ):
            return each
    return None


def _mean(scale: Scale, ranking: Ranking, loss: str) -> float:
    """Return the mean of a loss in raw values."""
    if loss not in ranking.losses:
        return float("nan")
    value = float(ranking.values[ranking.losses.index(loss)])
    return float(scale_under(ranking.basis.policy, ranking.basis.metric, scale).raw(value))


def _heading(title: str, policy: str, scale: Scale) -> str:
    words = policy.replace("_", " ")
    if policy == "worst_rank":
        return f"{words} ↑"
    return f"{title}, {words} {'↑' if scale.direction == 'higher' else '↓'}"


def _cell(mean: float, possibly_best: bool, decimals: int) -> str:
    if not np.isfinite(mean):
        return NOTHING
    return number(mean, decimals) + (f" {POSSIBLY_BEST}" if possibly_best else "")
