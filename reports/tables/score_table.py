"""From means over seeds to a table of scores: losses by family, columns by dataset or class."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from reports.results import FAMILIES, ListedLoss, StudyResults
from reports.tables.model import Cell, Column, Mark, Row, Table

ARROWS = {"higher": "↑", "lower": "↓"}
"""Direction in which a metric gets better."""

NOTHING = "–"
ALL = "all foreground"
"""Stands for the mean over the foreground classes."""

_KEYS = ["dataset", "class_name", "metric", "checkpoint"]
_MOST_DECIMALS = 4


def column_title(title: str, row: pd.Series) -> str:
    """Return a metric's title with its unit and the arrow of its better direction."""
    unit = f" ({row['unit']})" if row["unit"] else ""
    return f"{title}{unit} {ARROWS[row['direction']]}"


@dataclass(frozen=True)
class ScoreTable:
    """What makes a table of scores apart from its numbers.

    Attributes:
        name: File name without suffix.
        caption: One sentence.
        notes: Below it.
        group: Title above a column, from its first row of data.
        standings: Symbols of losses, by dataset and metric.
        failures: Whether runs that failed are counted beside the scores.
    """

    name: str
    caption: str
    notes: tuple[str, ...]
    group: Callable[[pd.Series], str]
    standings: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    failures: bool = True


def by_family(results: StudyResults) -> list[ListedLoss]:
    """Return the losses by family, within one in the order of all tables and figures."""
    known = {family: place for place, family in enumerate(FAMILIES)}

    def place(loss: ListedLoss) -> tuple[int, str]:
        return known.get(loss.family, len(known)), "" if loss.family in known else loss.family

    return sorted(results.losses, key=place)


def cell_frame(
    results: StudyResults, statistics: pd.DataFrame, columns: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """Return one row per loss and column, losses without scores included.

    Args:
        results: Of the study.
        statistics: From :func:`reports.aggregate.seed_statistics`.
        columns: Dataset and metric of each.
    """
    metrics = results.metrics.set_index("name")
    index = [
        (loss.family, loss.label, dataset, metric)
        for dataset, metric in columns
        for loss in by_family(results)
    ]
    cells = pd.DataFrame(index, columns=["family", "label", "dataset", "metric"])
    cells = cells.merge(statistics, how="left", on=["dataset", "label", "metric"])
    cells["unit"] = cells["metric"].map(metrics["unit"])
    cells["direction"] = cells["metric"].map(metrics["direction"])
    runs = results.runs.groupby(["dataset", "label"], as_index=False).agg(
        collapsed=("collapsed", "sum"), diverged=("diverged", "sum"), scored=("scored", "sum")
    )
    cells = cells.merge(runs, how="left", on=["dataset", "label"])
    counts = ["seeds", "collapsed", "diverged", "scored"]
    cells[counts] = cells[counts].fillna(0).astype(int)
    cells["planned"] = results.seeds
    cells["part"], cells["checkpoint"] = results.part, results.checkpoint
    return cells.assign(class_name=ALL)


def score_table(results: StudyResults, data: pd.DataFrame, wanted: ScoreTable) -> Table:
    """Return a table of scores.

    Args:
        results: Of the study.
        data: From :func:`cell_frame`.
        wanted: The rest.
    """
    titles = results.metrics.set_index("name")["title"]
    data = data.assign(decimals=0, mark="", standing="", source="")
    for _, own in data.groupby(["dataset", "metric"], sort=False):
        data.loc[own.index, "decimals"] = _decimals(own)
    columns: list[Column] = []
    cells: dict[str, list[Cell]] = {loss.label: [] for loss in results.losses}
    begun: set[str] = set()
    for _, column in data.groupby(_KEYS, sort=False):
        head = column.iloc[0]
        group = wanted.group(head)
        marks = _marks(column)
        symbols = wanted.standings.get((head["dataset"], head["metric"]), {})
        data.loc[column.index, "mark"] = marks
        data.loc[column.index, "standing"] = [symbols.get(label, "") for label in column["label"]]
        columns.append(Column(group, column_title(str(titles[head["metric"]]), head)))
        first = wanted.failures and group not in begun
        begun.add(group)
        for (_, row), mark in zip(column.iterrows(), marks, strict=True):
            cells[row["label"]].append(_cell(row, mark, first, symbols.get(row["label"], "")))
    rows = tuple(Row(loss.family, loss.label, tuple(cells[loss.label])) for loss in by_family(results))
    return Table(wanted.name, wanted.caption, tuple(columns), rows, wanted.notes, data)


def subject(results: StudyResults, metrics: Sequence[str]) -> str:
    """Return what captions begin with: the metrics, and what is told of them."""
    titles = results.metrics.set_index("name")["title"]
    names = [str(titles[name]) for name in metrics]
    listed = ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1] if names else "Scores"
    return f"{listed}, mean (SD over seeds)," if results.seeds > 1 else listed


def part_words(results: StudyResults) -> str:
    """Return whose results are shown."""
    return "the test patients" if results.part == "test" else "the VALIDATION patients"


def file_name(dataset: str) -> str:
    """Return a dataset's name with everything but letters, digits, - and _ made -."""
    return "".join(character if character.isalnum() or character in "-_" else "-" for character in dataset)


def _decimals(column: pd.DataFrame) -> int:
    """Return how many decimals leave two digits of the usual spread; at most three of a share.

    Without spreads three for shares; else two, or one where a mean has two digits or more.
    """
    share = not column["unit"].iloc[0]
    spreads = column["sd"].to_numpy(float)
    spreads = spreads[np.isfinite(spreads) & (spreads > 0)]
    if not len(spreads):
        return 3 if share else 2 if not column["mean"].max() >= 10 else 1
    wanted = 1 - int(np.floor(np.log10(np.median(spreads))))
    return int(np.clip(wanted, 2, 3)) if share else int(np.clip(wanted, 0, _MOST_DECIMALS))


def _marks(column: pd.DataFrame) -> list[Mark]:
    """Mark the best and the second mean; means that print the same share a mark."""
    shown = column["mean"].round(int(column["decimals"].iloc[0]))
    ascending = column["direction"].iloc[0] == "lower"
    levels = sorted(set(shown.dropna()), reverse=not ascending) if shown.notna().sum() > 1 else []
    best = levels[:1]
    second = levels[1:2] if best and int((shown == best[0]).sum()) == 1 else []
    return ["best" if value in best else "second" if value in second else "" for value in shown]


def _cell(row: pd.Series, mark: Mark, first: bool, standing: str) -> Cell:
    failed, planned = int(row["collapsed"] + row["diverged"]), int(row["planned"])
    failures = f"{failed}/{planned}" if first and failed else ""
    if not row["seeds"]:
        return Cell(NOTHING, "", failures)
    decimals = int(row["decimals"])
    mean = f"{row['mean']:.{decimals}f}"
    spread = f"{row['sd']:.{decimals}f}" if row["seeds"] > 1 else ""
    missing = row["seeds"] + row["diverged"] < planned
    detail = f"{row['seeds']} of {planned} seeds" if missing and first else ""
    inside = "; ".join(filter(None, [spread, detail]))
    text = f"{mean} ({inside})" if inside else mean
    return Cell(text, mark, failures, float(row["mean"]), standing, mean, spread, detail)
