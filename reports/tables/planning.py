"""Table T7: the seeds and patients that would settle the comparisons that are open."""

import numpy as np

from harness.statistics.cell import CellAnswer
from harness.statistics.pair_plans import PairPlan, pair_table
from harness.statistics.power import POWER
from harness.statistics.scale import Scale
from harness.statistics.seeds_and_cases import MOST_SEEDS
from harness.statistics.wording import title_of
from reports.results import StudyResults
from reports.tables.model import WordTable
from reports.tables.numbers import (
    compared_cells,
    decimals_for,
    effect,
    effect_note,
    effect_title,
    hours,
    number,
    shown_notes,
    why_nothing,
)
from reports.tables.registry import AnyTable, NothingToTell, register_table
from reports.tables.score_table import NOTHING, file_name

_OUTCOMES = {
    "enough": "nothing more: read the interval",
    "seeds": "more seeds",
    "patients": "more patients",
    "both": "more patients and seeds",
    "impossible": "out of reach",
}


@register_table("T7", "planning")
def planning_tables(results: StudyResults) -> list[AnyTable]:
    """Return one table for each dataset and metric with open comparisons.

    Raises:
        NothingToTell: if there is none.
    """
    cells = compared_cells(results)
    if not cells:
        raise NothingToTell(
            f"Table T7: nothing can be planned from losses not compared ({why_nothing(results)})."
        )
    tables: list[AnyTable] = [
        _table(results, cell, cell.comparison.open)
        for cell in cells
        if cell.comparison is not None and cell.comparison.open
    ]
    if not tables:
        raise NothingToTell("Table T7: no comparison with the best loss is open.")
    return tables


def _table(results: StudyResults, cell: CellAnswer, plans: tuple[PairPlan, ...]) -> WordTable:
    block, title = cell.block, title_of(cell.block.metric)
    decimals = decimals_for(plan.detectable for plan in plans)
    both = any(plan.together for plan in plans)
    return WordTable(
        f"t7_planning_{file_name(block.dataset)}_{file_name(block.metric)}",
        f"What would settle the open comparisons with the best loss in {title} on {block.dataset}.",
        (
            "Best mean",
            "Other loss",
            effect_title(cell),
            "Found now",
            "Power now",
            "With any seeds",
            "With any patients",
            "Seeds needed",
            "Patients needed",
            *(["Patients and seeds"] if both else []),
            "More runs",
            "Hours",
            "What it takes",
        ),
        tuple(_row(block.scale, plan, decimals, both) for plan in plans),
        _notes(results, cell, plans),
        pair_table(plans).assign(dataset=block.dataset, metric=block.metric),
        (False, False, *[True] * (9 + both), False),
    )


def _row(scale: Scale, plan: PairPlan, decimals: int, both: bool) -> tuple[str, ...]:
    patients, seeds = plan.together or (None, None)
    return (
        plan.loss_a,
        plan.loss_b,
        effect(scale, plan.difference, decimals),
        _size(scale, plan.detectable, decimals),
        number(plan.power, 2),
        _size(scale, plan.floor_seeds, decimals),
        _size(scale, plan.floor_patients, decimals),
        f">{MOST_SEEDS}" if plan.seeds_needed is None else str(plan.seeds_needed),
        NOTHING if plan.patients_needed is None else f"{plan.patients_needed}",
        *([NOTHING if patients is None else f"{patients} and {seeds}"] if both else []),
        NOTHING if plan.more_runs is None else str(plan.more_runs),
        hours(None if plan.hours is None else 3600 * plan.hours),
        _OUTCOMES[plan.outcome],
    )


def _size(scale: Scale, size: float, decimals: int) -> str:
    """Return a difference of scores without its sign: for distances the larger over the smaller."""
    return number(float(np.exp(size)) if scale.log else size, decimals)


def _notes(results: StudyResults, cell: CellAnswer, plans: tuple[PairPlan, ...]) -> tuple[str, ...]:
    first = plans[0]
    losses = cell.block.losses if cell.comparison is None else cell.comparison.pairs.losses
    level = f"{cell.asked.alpha:.3g} / {len(losses) - 1}"
    return (
        *shown_notes(results, [cell.block.dataset]),
        f"Open: not proven that the other loss is worse, nor that it is as good within the margin. Now: "
        f"{first.patients} patients, and {_seeds(plans)} seeds. {effect_note(cell)}",
        f"Planned is to find a difference of the margin, not the one that was seen, with power {POWER:g}, "
        f"two-sided at {level}. Found now: the smallest difference that these patients and seeds find with "
        "that power; the next columns, what would be found with any number of seeds, or of patients.",
        f"Seeds needed: of both losses with these patients, {MOST_SEEDS} at most; patients needed: with "
        f"these seeds, {NOTHING} if no number suffices. More runs and hours are those of the seeds.",
    )


def _seeds(plans: tuple[PairPlan, ...]) -> str:
    counts = sorted({seeds for plan in plans for seeds in plan.seeds})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
