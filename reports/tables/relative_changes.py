"""Table S7: relative changes to a reference as papers print them, and ours, losses and variants alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.aggregate import seed_statistics
from reports.results import StudyResults
from reports.tables.model import Cell, Column, Row, Table
from reports.tables.notes import listing
from reports.tables.numbers import MINUS, shown_notes, signed
from reports.tables.printed_cells import printed_cell
from reports.tables.published import Place, PrintedColumn, notes_of, printed_columns, printed_frame
from reports.tables.registry import AnyTable, register_table
from reports.tables.score_table import ALL, NOTHING, by_family

_METRIC = "dsc"
_DECIMALS = 1
_TOLERANCE = 1e-6
"""Difference of means up to which the tested difference is that of the means shown."""


@dataclass(frozen=True)
class _Change:
    """Our change of one row in % of the mean of the reference; the interval is NaN if there is none."""

    percent: float
    low: float
    high: float


@dataclass(frozen=True)
class _Part:
    """What is told of one dataset.

    Attributes:
        dataset: Ours.
        printed: Columns of printed changes.
        reference: Label of our row that the changes are to; empty if the study has none.
        ours: Changes by label.
    """

    dataset: str
    printed: list[PrintedColumn]
    reference: str
    ours: dict[str, _Change]


@register_table("S7", "relative_changes")
def relative_change_tables(results: StudyResults) -> list[AnyTable]:
    """Return one table over the datasets for which relative changes are printed; none if there are none."""
    parts = [part for dataset in results.datasets if (part := _part(results, dataset)).printed]
    return [_table(results, parts)] if parts else []


def _part(results: StudyResults, dataset: str) -> _Part:
    columns = printed_columns(results, Place(dataset, dataset), [_METRIC])
    printed = [each for each in columns if each.relative]
    sources = {each.source for each in printed}
    absolute = [each for each in columns if not each.relative and each.source in sources]
    reference = next((label for each in absolute for label in each.numbers), "")
    return _Part(dataset, printed, reference, _changes(results, dataset, reference))


def _changes(results: StudyResults, dataset: str, reference: str) -> dict[str, _Change]:
    """Return our changes by label, without the reference."""
    own = seed_statistics(results.run_values)
    rows = own[(own["dataset"] == dataset) & (own["metric"] == _METRIC)]
    means = {str(label): float(mean) for label, mean in zip(rows["label"], rows["mean"], strict=True)}
    base = means.pop(reference, 0.0)
    if not base > 0:
        return {}
    found = {}
    for label, mean in means.items():
        low, high = _interval(results, dataset, (label, reference), mean - base)
        found[label] = _Change(100 * (mean - base) / base, 100 * low / base, 100 * high / base)
    return found


def _interval(
    results: StudyResults, dataset: str, pair: tuple[str, str], difference: float
) -> tuple[float, float]:
    """Return the 95 % interval of a difference of means; NaN where none, or another one, was tested."""
    nothing = (float("nan"), float("nan"))
    answers = () if results.answer is None else results.answer.datasets
    for cell in (cell for each in answers if each.dataset == dataset for cell in each.cells):
        if cell.block.metric != _METRIC or cell.comparison is None:
            continue
        pairs = cell.comparison.pairs
        if not set(pair) <= set(pairs.losses):
            return nothing
        at = pairs.losses.index(pair[0]), pairs.losses.index(pair[1])
        if abs(float(pairs.difference[at]) - difference) > _TOLERANCE:
            return nothing
        half = float(pairs.half_width(0.025)[at])
        return difference - half, difference + half
    return nothing


def _table(results: StudyResults, parts: Sequence[_Part]) -> Table:
    columns: list[Column] = []
    for part in parts:
        printed = [each.heading(results) for each in part.printed]
        title = printed[0].title
        columns += [Column(part.dataset, title), *printed]
    rows = tuple(
        Row(loss.family, loss.label, tuple(cell for part in parts for cell in _cells(part, loss.label)))
        for loss in by_family(results)
    )
    printed_parts = [each for part in parts for each in part.printed]
    ours = [frame for part in parts if not (frame := _frame(results, part)).empty]
    data = pd.concat([*ours, printed_frame(results, printed_parts)], ignore_index=True)
    caption = "Relative changes of the mean DSC to the reference in %, ours and as printed."
    return Table("s7_relative_changes", caption, tuple(columns), rows, _notes(results, parts), data)


def _cells(part: _Part, label: str) -> list[Cell]:
    if label == part.reference:
        return [Cell("reference")] * (1 + len(part.printed))
    return [
        _cell(part.ours.get(label)),
        *(printed_cell(each.numbers.get(label, ())) for each in part.printed),
    ]


def _cell(change: _Change | None) -> Cell:
    if change is None:
        return Cell(NOTHING)
    mean = signed(change.percent, _DECIMALS)
    ends = [signed(end, _DECIMALS) for end in (change.low, change.high)]
    detail = " to ".join(ends) if np.isfinite(change.low) else ""
    text = f"{mean} ({detail})" if detail else mean
    return Cell(text, value=change.percent, mean=mean.replace(MINUS, "-"), detail=detail)


def _notes(results: StudyResults, parts: Sequence[_Part]) -> tuple[str, ...]:
    references = dict.fromkeys(part.reference for part in parts if part.reference)
    missing = [part.dataset for part in parts if not part.reference]
    none = [f"The study has no such row on {listing(missing)}."] if missing else []
    ours = [
        f"Ours: the mean DSC of a row minus that of the reference ({listing(list(references))}), in % of the "
        "latter; means are those of Table T1. Rows whose label names a variant in parentheses change the "
        "network or the protocol, not the loss.",
        "In brackets behind ours: an approximate 95 % interval, that of the difference over patients and "
        "seeds divided by the mean of the reference, whose own uncertainty is left out; not adjusted for the "
        "number of rows. There is none where losses were not compared, or where runs collapsed or diverged, "
        "since the difference that was tested leaves such runs out.",
    ]
    simulated = [part.dataset for part in parts]
    return (
        *shown_notes(results, simulated),
        *(ours if references else []),
        *none,
        *notes_of([each for part in parts for each in part.printed]),
    )


def _frame(results: StudyResults, part: _Part) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "family": loss.family,
                "label": loss.label,
                "dataset": part.dataset,
                "class_name": ALL,
                "metric": _METRIC,
                "unit": f"relative change to {part.reference}, %",
                "direction": "higher",
                "part": results.part,
                "checkpoint": results.checkpoint,
                "mean": part.ours[loss.label].percent,
                "low": part.ours[loss.label].low,
                "high": part.ours[loss.label].high,
                "source": "",
            }
            for loss in by_family(results)
            if loss.label in part.ours
        ]
    )
