"""Table T3: every loss against each reference that the study named before."""

import pandas as pd

from harness.statistics.cell import CellAnswer
from harness.statistics.conventional import HEADING
from harness.statistics.versus import Against, Versus
from harness.statistics.wording import title_of
from reports.results import StudyResults
from reports.tables.model import WordTable
from reports.tables.notes import listing
from reports.tables.numbers import (
    compared_cells,
    decimals_for,
    effect,
    effect_note,
    effect_title,
    interval,
    number,
    p_text,
    per_cent,
    shown_notes,
    why_nothing,
)
from reports.tables.registry import AnyTable, NothingToTell, register_table
from reports.tables.score_table import file_name


@register_table("T3", "reference")
def reference_tables(results: StudyResults) -> list[AnyTable]:
    """Return one table for each dataset and metric on which a reference was compared.

    Raises:
        NothingToTell: if there is none.
    """
    cells = compared_cells(results)
    if not cells:
        raise NothingToTell(f"Table T3: losses were not compared ({why_nothing(results)}).")
    tables: list[AnyTable] = [
        _table(results, cell, cell.comparison.versus)
        for cell in cells
        if cell.comparison is not None and cell.comparison.versus
    ]
    if not tables:
        raise NothingToTell("Table T3: the study names no reference that was compared.")
    return tables


def _table(results: StudyResults, cell: CellAnswer, versus: tuple[Versus, ...]) -> WordTable:
    block = cell.block
    decimals = decimals_for(row.difference.standard_error for each in versus for row in each.rows)
    order = {label: place for place, label in enumerate(results.labels)}
    found = [
        (each.reference, row)
        for each in versus
        for row in sorted(each.rows, key=lambda row: order.get(row.loss, len(order)))
    ]
    title, references = title_of(block.metric), listing([each.reference for each in versus])
    return WordTable(
        f"t3_reference_{file_name(block.dataset)}_{file_name(block.metric)}",
        f"{title} of every loss against {references} on {block.dataset}.",
        (
            "Loss",
            "Reference",
            effect_title(cell),
            "95 % interval",
            "p (Holm)",
            "p (TOST)",
            f"Wilcoxon p, {HEADING}",
            "Rank-biserial",
            "P(superior)",
            "Harmed",
            "Helped",
            "What may be said",
        ),
        tuple(_row(cell, reference, row, decimals) for reference, row in found),
        _notes(results, cell),
        pd.DataFrame([_data(cell, reference, row) for reference, row in found]),
        (False, False, *[True] * 9, False),
    )


def _row(cell: CellAnswer, reference: str, row: Against, decimals: int) -> tuple[str, ...]:
    scale, found, sizes = cell.block.scale, row.difference, row.effect
    return (
        row.loss,
        reference,
        effect(scale, found.difference, decimals),
        interval(scale, found.low, found.high, decimals),
        p_text(row.p),
        p_text(row.equivalent_p),
        p_text(row.case_only_p),
        number(sizes.rank_biserial, 2),
        number(sizes.superiority, 2),
        per_cent(sizes.harmed),
        per_cent(sizes.helped),
        row.words,
    )


def _notes(results: StudyResults, cell: CellAnswer) -> tuple[str, ...]:
    return (
        *shown_notes(results, [cell.block.dataset]),
        f"N = {len(cell.block.patients)} patients; collapsed runs do not enter. {effect_note(cell)}",
        "Interval and p: a t test with crossed variances of patients and seeds. p (Holm) of no difference "
        "is adjusted over the comparisons with the same reference; p (TOST) of a difference beyond the "
        "margin is not adjusted.",
        f"The Wilcoxon p, adjusted likewise, is {HEADING}: it tests the trained networks over patients and "
        "says nothing of another training of the same losses. It is here because the field prints it.",
        "Effect sizes: matched-pairs rank-biserial correlation of the patients' means over seeds; "
        "P(superior), the probability that a run of the loss beats one of the reference on a patient; "
        "share of patients that the loss makes worse (harmed) or better (helped) by more than the margin.",
        "'Not resolved' is no proof that two losses are equal.",
    )


def _data(cell: CellAnswer, reference: str, row: Against) -> dict[str, object]:
    found, sizes = row.difference, row.effect
    return {
        "dataset": cell.block.dataset,
        "metric": cell.block.metric,
        "loss": row.loss,
        "reference": reference,
        "scale": "-log" if cell.block.scale.log else "identity",
        "difference_of_scores": found.difference,
        "low": found.low,
        "high": found.high,
        "standard_error": found.standard_error,
        "df": found.df,
        "p": found.p,
        "p_holm": row.p,
        "p_tost": row.equivalent_p,
        "p_wilcoxon_holm_conditional_on_seeds": row.case_only_p,
        "margin": cell.asked.margin,
        "rank_biserial": sizes.rank_biserial,
        "p_superior": sizes.superiority,
        "hodges_lehmann": sizes.hodges_lehmann,
        "harmed": sizes.harmed,
        "helped": sizes.helped,
        "patients": found.patients,
        "words": row.words,
    }
