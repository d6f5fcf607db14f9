"""The score tables: losses by family, and per dataset (or class) DSC, HD and HD95."""

from collections.abc import Callable

import pandas as pd

from reports.aggregate import patient_values, run_values, seed_statistics
from reports.results import StudyResults
from reports.tables.model import Cell, Column, Mark, Row, Table
from reports.tables.notes import table_notes
from reports.tables.registry import AnyTable, register_table

ARROWS = {"higher": "↑", "lower": "↓"}
"""Direction in which a metric gets better."""

NOTHING = "–"


@register_table("T1", "main")
def main_tables(results: StudyResults) -> list[AnyTable]:
    """Return Table T1."""
    return [main_table(results)]


@register_table("S1", "classes")
def supplements_by_class(results: StudyResults) -> list[AnyTable]:
    """Return the tables by class."""
    return list(class_tables(results))


def main_table(results: StudyResults) -> Table:
    """Return Table T1: mean (SD over seeds) of every loss on every dataset."""
    statistics = seed_statistics(results.run_values)
    columns = [(dataset, metric) for dataset in results.datasets for metric in results.main_metrics()]
    data = _cell_frame(results, statistics, columns)
    return _table(
        results,
        name="t1",
        caption=f"{_subject(results)} on {_part_words(results)}, by loss and dataset.",
        data=data,
        group_title=lambda row: str(row["dataset"]),
        notes=table_notes(results, results.datasets),
    )


def class_tables(results: StudyResults) -> list[Table]:
    """Return one supplementary table for every dataset with more than one foreground class."""
    return [
        _class_table(results, dataset, number)
        for number, dataset in enumerate(
            (name for name in results.datasets if len(results.classes(name)) > 2), 1
        )
    ]


def _class_table(results: StudyResults, dataset: str, number: int) -> Table:
    rows = results.scores[results.scores["dataset"] == dataset]
    by = ["class_index"]
    statistics = seed_statistics(run_values(patient_values(rows, by), by), by)
    names = results.classes(dataset)
    columns = [(dataset, metric) for metric in results.main_metrics()]
    frames = [
        _cell_frame(results, statistics[statistics["class_index"] == index], columns).assign(
            class_name=names[index]
        )
        for index in range(1, len(names))
    ]
    return _table(
        results,
        name=f"s{number}_{file_name(dataset)}_classes",
        caption=f"{_subject(results)} by class on {_part_words(results)} of {dataset}.",
        data=pd.concat(frames, ignore_index=True),
        group_title=lambda row: str(row["class_name"]),
        notes=table_notes(results, [dataset]),
    )


def _cell_frame(
    results: StudyResults, statistics: pd.DataFrame, columns: list[tuple[str, str]]
) -> pd.DataFrame:
    """Return one row per loss and column, losses without scores included."""
    metrics = results.metrics.set_index("name")
    index = [
        (loss.family, loss.label, dataset, metric) for dataset, metric in columns for loss in results.losses
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
    return cells.assign(class_name="all foreground")


def _table(
    results: StudyResults,
    *,
    name: str,
    caption: str,
    data: pd.DataFrame,
    group_title: Callable[[pd.Series], str],
    notes: tuple[str, ...],
) -> Table:
    titles = results.metrics.set_index("name")["title"]
    keys = ["dataset", "class_name", "metric"]
    columns: list[Column] = []
    cells: dict[str, list[Cell]] = {loss.label: [] for loss in results.losses}
    data = data.assign(decimals=0, mark="")
    begun: set[tuple[str, str]] = set()
    for _, column in data.groupby(keys, sort=False):
        head = column.iloc[0]
        decimals = _decimals(column)
        marks = _marks(column, decimals)
        data.loc[column.index, "mark"] = marks
        data.loc[column.index, "decimals"] = decimals
        group = (head["dataset"], head["class_name"])
        first = group not in begun
        begun.add(group)
        columns.append(Column(group_title(head), _column_title(str(titles[head["metric"]]), head)))
        for (_, row), mark in zip(column.iterrows(), marks, strict=True):
            cells[row["label"]].append(_cell(row, decimals, mark, first, results))
    rows = tuple(Row(loss.family, loss.label, tuple(cells[loss.label])) for loss in results.losses)
    return Table(name, caption, tuple(columns), rows, notes, data)


def _column_title(title: str, row: pd.Series) -> str:
    unit = f" ({row['unit']})" if row["unit"] else ""
    return f"{title}{unit} {ARROWS[row['direction']]}"


def _decimals(column: pd.DataFrame) -> int:
    """Three for shares; for millimetres two, or one where a mean has two digits or more."""
    if not column["unit"].iloc[0]:
        return 3
    return 2 if not column["mean"].max() >= 10 else 1


def _marks(column: pd.DataFrame, decimals: int) -> list[Mark]:
    """Mark the best and the second mean; means that print the same share a mark."""
    shown = column["mean"].round(decimals)
    ascending = column["direction"].iloc[0] == "lower"
    levels = sorted(set(shown.dropna()), reverse=not ascending) if shown.notna().sum() > 1 else []
    best = levels[:1]
    second = levels[1:2] if best and int((shown == best[0]).sum()) == 1 else []
    return ["best" if value in best else "second" if value in second else "" for value in shown]


def _cell(row: pd.Series, decimals: int, mark: Mark, first: bool, results: StudyResults) -> Cell:
    failed = int(row["collapsed"] + row["diverged"])
    failures = f"{failed}/{results.seeds}" if first and failed else ""
    if not row["seeds"]:
        return Cell(NOTHING, "", failures)
    missing = row["seeds"] + row["diverged"] < results.seeds
    details = [f"{row['sd']:.{decimals}f}"] if row["seeds"] > 1 else []
    details += [f"{row['seeds']} of {results.seeds} seeds"] if missing and first else []
    text = f"{row['mean']:.{decimals}f}" + (f" ({'; '.join(details)})" if details else "")
    return Cell(text, mark, failures, float(row["mean"]))


def _subject(results: StudyResults) -> str:
    titles = results.metrics.set_index("name")["title"]
    names = [str(titles[name]) for name in results.main_metrics()]
    listed = ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1] if names else "Scores"
    return f"{listed}, mean (SD over seeds)," if results.seeds > 1 else listed


def _part_words(results: StudyResults) -> str:
    return "the test patients" if results.part == "test" else "the VALIDATION patients"


def file_name(dataset: str) -> str:
    """Return a dataset's name with everything but letters, digits, - and _ made -."""
    return "".join(character if character.isalnum() or character in "-_" else "-" for character in dataset)
