"""Table S5: every pair of losses."""

from collections.abc import Iterator

import pandas as pd

from harness.statistics.cell import CellAnswer, Comparison
from harness.statistics.versus import words_of_pairs
from harness.statistics.wording import title_of
from reports.results import StudyResults
from reports.tables.model import WordTable
from reports.tables.numbers import (
    compared_cells,
    decimals_for,
    effect,
    effect_note,
    effect_title,
    interval,
    p_text,
    shown_notes,
    why_nothing,
)
from reports.tables.registry import AnyTable, NothingToTell, register_table
from reports.tables.score_table import file_name

MOST_ROWS = 60
"""Pairs that are printed; the CSV file has all."""


@register_table("S5", "pairs")
def pair_tables(results: StudyResults) -> list[AnyTable]:
    """Return all pairs of each dataset and metric.

    Raises:
        NothingToTell: if losses were compared nowhere.
    """
    cells = compared_cells(results)
    if not cells:
        raise NothingToTell(f"Table S5: losses were not compared ({why_nothing(results)}).")
    return [_table(results, cell, cell.comparison) for cell in cells if cell.comparison is not None]


def _table(results: StudyResults, cell: CellAnswer, comparison: Comparison) -> WordTable:
    block = cell.block
    data = pd.DataFrame(_rows(results, cell, comparison))
    decimals = decimals_for(data["standard_error"])
    shown = tuple(
        (
            str(row["loss_a"]),
            str(row["loss_b"]),
            effect(block.scale, row["difference_of_scores"], decimals),
            interval(block.scale, row["low"], row["high"], decimals),
            p_text(row["p_holm"]),
            p_text(row["p_tost"]),
            str(row["words"]),
        )
        for _, row in data.head(MOST_ROWS).iterrows()
    )
    return WordTable(
        f"s5_pairs_{file_name(block.dataset)}_{file_name(block.metric)}",
        f"All pairs of losses in {title_of(block.metric)} on {block.dataset}.",
        ("Loss", "Other loss", effect_title(cell), "95 % interval", "p (Holm)", "p (TOST)", "The first is"),
        shown,
        _notes(results, cell, len(data)),
        data,
        (False, False, True, True, True, True, False),
    )


def _rows(results: StudyResults, cell: CellAnswer, comparison: Comparison) -> Iterator[dict[str, object]]:
    pairs = comparison.pairs
    half, same = pairs.half_width(0.025), pairs.equivalence_p(cell.asked.margin)
    words = words_of_pairs(pairs, comparison.holm, cell.asked.margin, cell.asked.alpha)
    order = [pairs.losses.index(label) for label in results.labels if label in pairs.losses]
    for place, i in enumerate(order):
        for j in order[place + 1 :]:
            difference = float(pairs.difference[i, j])
            yield {
                "dataset": cell.block.dataset,
                "metric": cell.block.metric,
                "loss_a": pairs.losses[i],
                "loss_b": pairs.losses[j],
                "scale": "-log" if cell.block.scale.log else "identity",
                "difference_of_scores": difference,
                "low": difference - float(half[i, j]),
                "high": difference + float(half[i, j]),
                "standard_error": float(pairs.error[i, j]),
                "df": float(pairs.df[i, j]),
                "p": float(pairs.p[i, j]),
                "p_holm": float(comparison.holm[i, j]),
                "p_tost": float(same[i, j]),
                "p_wilcoxon_holm_conditional_on_seeds": float(comparison.case_only.adjusted[i, j]),
                "words": words[i][j],
            }


def _notes(results: StudyResults, cell: CellAnswer, pairs: int) -> tuple[str, ...]:
    order = (
        "The losses with the least expected regret come first"
        if pairs <= MOST_ROWS
        else f"Shown are {MOST_ROWS} of {pairs} pairs, those of the losses with the least expected regret; "
        "the CSV file of this table has all of them"
    )
    return (
        *shown_notes(results, [cell.block.dataset]),
        f"{order}. {effect_note(cell)}",
        f"Interval and p: t tests with crossed variances of {len(cell.block.patients)} patients and the "
        f"seeds, without collapsed runs; p (Holm) is adjusted over all {pairs} pairs, p (TOST) of a "
        "difference beyond the margin is not adjusted. 'Not resolved' is no proof that two losses are "
        "equal.",
    )
