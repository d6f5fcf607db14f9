"""Table T2: the verdict on every loss, on each dataset and over all of them."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from harness.statistics.cell import CellAnswer, LossRow
from harness.statistics.collapse_rate import CollapseRate, collapse_rate
from harness.statistics.dataset_answer import DatasetAnswer
from harness.statistics.multiplicity import rank_sets
from harness.statistics.study_answer import OverDatasets, StudyAnswer
from harness.statistics.wording import headline, title_of
from reports.results import StudyResults
from reports.tables.model import WordTable
from reports.tables.numbers import answers_in_order, decimals_for, hours, number, per_cent, shown_notes
from reports.tables.registry import AnyTable, NothingToTell, register_table
from reports.tables.score_table import NOTHING, file_name

_CPU = re.compile(r"x86|amd64|i[3-6]86|arm|aarch|cpu", re.IGNORECASE)
_COLLAPSE = (
    "Collapsed: k of n runs collapsed or diverged, and the one-sided upper 95 % bound of that rate (Clopper "
    "and Pearson). A loss with fewer than two runs of use is called collapsed and stands outside the "
    "comparisons."
)
_DRAWS = (
    "P(best) and expected regret come from joint draws of patients and seeds ({draws}): the share of "
    "draws in which the loss is first, and how far it is behind the best on average, {unit}, collapsed "
    "runs included. They describe the stability of the ranking and are no confidence levels."
)
_CLASSES = (
    "Class, over patients and seeds, at level {alpha:.3g}: safe, proven within the margin of the best and "
    "without collapse; possibly best, not excluded; inferior, proven worse than the best; inferior beyond "
    "the margin, by more than the margin."
)


@register_table("T2", "verdict")
def verdict_tables(results: StudyResults) -> list[AnyTable]:
    """Return the verdict on every dataset, and over them if there are several.

    Raises:
        NothingToTell: if nothing can be said yet.
    """
    if results.answer is None:
        raise NothingToTell(f"Table T2: there is no verdict yet: {results.no_answer}.")
    over = results.answer.over_datasets
    together: list[AnyTable] = [] if over is None else [_over_table(results, results.answer, over)]
    return [*together, *(_dataset_table(results, each) for each in answers_in_order(results))]


def _dataset_table(results: StudyResults, answer: DatasetAnswer) -> WordTable:
    cell, boundary = answer.primary, answer.boundary
    title = title_of(cell.block.metric)
    classes = {} if boundary is None else {row.loss: row.standing for row in boundary.rows}
    rows = _ordered(results, cell.rows)
    second = () if boundary is None else (f"Class in {title_of(boundary.block.metric)}",)
    decimals = _decimals(cell)
    shown = tuple(
        (
            row.loss,
            number(row.mean, decimals),
            _capital(row.standing),
            NOTHING if row.ranks is None else _ranks(row.ranks),
            number(row.p_best, 2),
            number(row.regret, max(3, decimals)),
            *([_capital(classes.get(row.loss, NOTHING))] if second else []),
            _collapsed(row.collapse),
            hours(cell.asked.costs.seconds.get(row.loss)),
        )
        for row in rows
    )
    return WordTable(
        f"t2_verdict_{file_name(answer.dataset)}",
        f"Verdict on every loss in {title} on {answer.dataset}.",
        (
            "Loss",
            title,
            "Class",
            "Ranks",
            "P(best)",
            "Expected regret",
            *second,
            "Collapsed",
            f"{_machine(results)} per run",
        ),
        shown,
        _dataset_notes(results, answer),
        pd.DataFrame([_dataset_data(answer, row, classes) for row in rows]),
        (False, True, False, True, True, True, *([False] if second else []), True, True),
    )


def _dataset_notes(results: StudyResults, answer: DatasetAnswer) -> tuple[str, ...]:
    cell = answer.primary
    told: list[str] = []
    if cell.comparison is not None:
        title = title_of(cell.block.metric)
        unit = (
            "as a difference of logarithms" if cell.block.scale.log else f"in {title_of(cell.block.metric)}"
        )
        geometric = ", that of the geometric mean" if cell.block.scale.log else ""
        told = [
            f"{title} is the mean{geometric} over patients and seeds without collapsed runs. Ranks: those "
            f"that the loss may have (level {1 - cell.asked.alpha:.3g} for each loss).",
            _CLASSES.format(alpha=cell.asked.alpha),
            _DRAWS.format(draws=f"{cell.asked.draws:,}", unit=unit),
        ]
    return (
        *shown_notes(results, [answer.dataset]),
        *headline(answer),
        *told,
        _COLLAPSE,
        f"{_machine(results)} per run: of training, mean over runs, all folds of a run together.",
    )


def _dataset_data(answer: DatasetAnswer, row: LossRow, classes: dict[str, str]) -> dict[str, object]:
    ranks = row.ranks or (None, None)
    return {
        "dataset": answer.dataset,
        "metric": answer.primary.block.metric,
        "loss": row.loss,
        "class": row.standing,
        "mean": row.mean,
        "low": row.interval[0],
        "high": row.interval[1],
        "mean_with_collapsed_runs": row.itt,
        "sd_over_seeds": row.sd_seeds,
        "sd_over_patients": row.sd_patients,
        "seeds": row.seeds,
        "best_rank": ranks[0],
        "worst_rank": ranks[1],
        "p_best": row.p_best,
        "p_within_margin": row.within,
        "expected_regret": row.regret,
        "boundary_class": classes.get(row.loss, ""),
        **_collapse_data(row.collapse),
        "seconds_per_run": answer.primary.asked.costs.seconds.get(row.loss),
    }


def _over_table(results: StudyResults, answer: StudyAnswer, over: OverDatasets) -> WordTable:
    data = _over_data(results, answer, over)
    count = len(over.several.datasets)
    return WordTable(
        "t2_verdict_over_datasets",
        f"Verdict on every loss in {title_of(answer.metric)} over these {count} datasets.",
        (
            "Loss",
            "Class",
            "Ranks",
            "Mean rank",
            "P(best)",
            "Expected regret",
            "Collapsed",
            f"{_machine(results)} per run",
        ),
        tuple(_over_row(row) for row in data),
        _over_notes(results, answer, over),
        pd.DataFrame(data),
        (False, False, *[True] * 6),
    )


def _over_data(results: StudyResults, answer: StudyAnswer, over: OverDatasets) -> list[dict[str, object]]:
    stable, best = over.stability, over.best
    regret = dict(zip(stable.listed, stable.regret, strict=True))
    p_best = dict(zip(stable.losses, stable.best, strict=True))
    ranks = dict(zip(over.pairs.losses, rank_sets(over.pairs, best.alpha), strict=True))
    mean_rank = dict(zip(over.ranks.losses, over.ranks.mean, strict=True))
    data = []
    for loss in results.labels:
        rates = [each.primary.block.runs[loss] for each in answer.datasets if loss in each.primary.block.runs]
        seconds = [each.primary.asked.costs.seconds.get(loss, np.nan) for each in answer.datasets]
        low, high = ranks.get(loss, (None, None))
        data.append(
            {
                "loss": loss,
                "class": best.standing(loss) if loss in best.losses else "not compared on every dataset",
                "best_rank": low,
                "worst_rank": high,
                "mean_rank": mean_rank.get(loss, np.nan),
                "p_best": p_best.get(loss, np.nan),
                "expected_regret": regret.get(loss, np.nan),
                **_collapse_data(
                    collapse_rate(sum(each.useless for each in rates), sum(each.counted for each in rates))
                ),
                "seconds_per_run": float(np.mean(seconds)) if np.isfinite(seconds).all() else np.nan,
            }
        )
    return data


def _over_row(row: dict[str, object]) -> tuple[str, ...]:
    frame = pd.Series(row)
    ranks = NOTHING if frame["best_rank"] is None else _ranks((frame["best_rank"], frame["worst_rank"]))
    return (
        str(frame["loss"]),
        _capital(str(frame["class"])),
        ranks,
        number(float(frame["mean_rank"]), 1),
        number(float(frame["p_best"]), 2),
        number(float(frame["expected_regret"]), 3),
        f"{frame['collapsed']}/{frame['runs']} (≤ {per_cent(float(frame['collapse_bound']))})",
        hours(float(frame["seconds_per_run"])),
    )


def _over_notes(results: StudyResults, answer: StudyAnswer, over: OverDatasets) -> tuple[str, ...]:
    title = title_of(answer.metric)
    unit = f"in {title}"
    if over.several.in_margins:
        unit = "in margins, for these are unequal on the datasets"
    new = (
        "Nothing here speaks of a dataset that is not among them."
        if over.new is None
        else "Every dataset counts the same; this table speaks of these datasets, not of a new one."
    )
    return (
        *shown_notes(results, over.several.datasets),
        _chosen(over),
        new,
        _CLASSES.format(alpha=over.best.alpha),
        "Ranks: those that the loss may have in the mean over the datasets. Mean rank: of its ranks on the "
        "datasets; it forgets by how much a loss is ahead.",
        _DRAWS.format(draws=f"{answer.results.plan.draws:,}", unit=unit),
        f"{_COLLAPSE} Here runs on all datasets are counted together.",
        f"{_machine(results)} per run: of training, mean over runs and datasets, all folds of a run "
        "together.",
    )


def _chosen(over: OverDatasets) -> str:
    advice = over.recommendation
    if advice.loss is None:
        return f"No loss can be recommended over these datasets: {advice.why}."
    return {
        "proven": f"{advice.loss} is recommended, proven to be within the margin of the best, or the best.",
        "not proven": f"{advice.loss} is the best guess, not proven.",
    }.get(advice.strength, f"No loss can be recommended over {advice.loss}.")


def _collapse_data(rate: CollapseRate) -> dict[str, object]:
    return {"collapsed": rate.useless, "runs": rate.runs, "collapse_bound": rate.bound}


def _collapsed(rate: CollapseRate) -> str:
    return f"{rate.useless}/{rate.runs} (≤ {per_cent(rate.bound)})" if rate.runs else NOTHING


def _ordered(results: StudyResults, rows: Sequence[LossRow]) -> list[LossRow]:
    by_loss = {row.loss: row for row in rows}
    return [by_loss[label] for label in results.labels if label in by_loss]


def _decimals(cell: CellAnswer) -> int:
    if cell.comparison is None or cell.block.scale.log:
        return 1 if cell.block.scale.log else 3
    return decimals_for(cell.comparison.pairs.error[np.triu_indices(len(cell.comparison.pairs.losses), 1)])


def _ranks(ranks: tuple[int, int]) -> str:
    return f"{ranks[0]} to {ranks[1]}" if ranks[1] > ranks[0] else str(ranks[0])


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _machine(results: StudyResults) -> str:
    """Return what hours are counted in."""
    facts = [each for each in results.trials["environment"] if isinstance(each, dict)]
    devices = {str(each["device"]) for each in facts if each.get("device")}
    kinds = {"CPU hours" if _CPU.search(device) else "GPU hours" for device in devices}
    return kinds.pop() if len(kinds) == 1 else "Hours"
