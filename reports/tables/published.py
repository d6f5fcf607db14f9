"""Numbers printed in papers, in columns of their own beside ours."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from harness.published import PublishedNumber, Source
from reports.results import StudyResults
from reports.tables.model import Column, Row, Table
from reports.tables.printed_cells import printed_cell, printed_notes
from reports.tables.printed_rows import numbers_beside
from reports.tables.score_table import ARROWS, column_title

_REFERENCE = "Dice + CE"
"""What printed relative changes are changes to."""

_NOT_OURS: Mapping[str, str] = {"nsd": "NSD, tolerance unknown"}
"""Titles of printed metrics that are none of ours."""


@dataclass(frozen=True)
class Place:
    """Where printed numbers go.

    Attributes:
        group: Title above the columns of a table.
        dataset: Ours.
        class_name: Ours; empty for all foreground classes together.
    """

    group: str
    dataset: str
    class_name: str = ""


@dataclass(frozen=True)
class PrintedColumn:
    """A column of printed numbers.

    Attributes:
        place: Where it stands.
        metric: Of ours, beside which it stands; or the metric as printed if it is none of ours.
        source: Where they stand.
        printed_dataset: The dataset as printed if that tells columns apart, else empty.
        relative: Whether these are relative changes.
        numbers: By label of our loss.
    """

    place: Place
    metric: str
    source: Source
    printed_dataset: str
    relative: bool
    numbers: Mapping[str, Sequence[PublishedNumber]]

    def heading(self, results: StudyResults) -> Column:
        """Return what stands above it."""
        source = self.source
        table = source.table.partition(",")[0] if source.table.startswith("Table") else ""
        words = ", ".join(filter(None, [source.short, table, self.printed_dataset]))
        return Column(self.place.group, self._title(results), words)

    def _title(self, results: StudyResults) -> str:
        known = results.metrics[results.metrics["name"] == self.metric]
        if known.empty:
            return f"{_NOT_OURS[self.metric]} {ARROWS['higher']}"
        metric = known.iloc[0]
        if self.relative:
            return (
                f"Relative change of {metric['title']} to {_REFERENCE}, % {ARROWS[str(metric['direction'])]}"
            )
        units = {number.unit for numbers in self.numbers.values() for number in numbers}
        shown = metric.to_dict() | {"unit": ", ".join(sorted(units))}
        return column_title(str(metric["title"]), pd.Series(shown))


def with_published(
    results: StudyResults,
    table: Table,
    places: Sequence[Place],
    metrics: Sequence[str],
    others: bool = False,
) -> Table:
    """Return a table of scores with the numbers that papers print for its losses, and notes on them.

    Args:
        results: Of the study.
        table: Of scores.
        places: Which of its groups of columns have printed numbers.
        metrics: Ours, beside which printed numbers are shown.
        others: Whether printed metrics that are none of ours are shown too.
    """
    printed = [each for place in places for each in printed_columns(results, place, metrics, others)]
    if not printed:
        return table
    shown: list[int | PrintedColumn] = []
    start = 0
    for group, width in table.groups():
        shown += range(start, start + width)
        shown += [each for each in printed if each.place.group == group]
        start += width
    columns = tuple(table.columns[each] if isinstance(each, int) else each.heading(results) for each in shown)
    rows = tuple(
        Row(
            row.family,
            row.label,
            tuple(
                row.cells[each] if isinstance(each, int) else printed_cell(each.numbers.get(row.label, ()))
                for each in shown
            ),
        )
        for row in table.rows
    )
    data = pd.concat([table.data, printed_frame(results, printed)], ignore_index=True)
    return replace(table, columns=columns, rows=rows, notes=(*table.notes, *notes_of(printed)), data=data)


def nearest_metrics(results: StudyResults, dataset: str) -> list[str]:
    """Return our metrics beside those of the main table that are nearest to printed numbers, if scored."""
    scored = set(results.run_values.loc[results.run_values["dataset"] == dataset, "metric"])
    found = {
        number.nearest: None
        for numbers in numbers_beside(results, dataset).values()
        for number in numbers
        if number.nearest in scored - {*results.main_metrics()}
    }
    return list(found)


def printed_columns(
    results: StudyResults, place: Place, metrics: Sequence[str], others: bool = False
) -> list[PrintedColumn]:
    """Return the columns of printed numbers of a place, relative changes after the metric itself.

    Args:
        results: Of the study.
        place: Where they go.
        metrics: Ours, beside which printed numbers are shown.
        others: Whether printed metrics that are none of ours are shown too.
    """
    ours = {str(name) for name in results.metrics["name"]}
    found: dict[tuple[Source, str, str, bool], dict[str, list[PublishedNumber]]] = {}
    for label, number in _numbers_at(results, place):
        metric = number.nearest if number.nearest in metrics else number.metric
        if metric in metrics or (others and metric not in ours):
            key = (number.source, metric, number.printed_dataset, number.relative)
            found.setdefault(key, {}).setdefault(label, []).append(number)
    order = [*metrics, *_NOT_OURS]
    keys = sorted(found, key=lambda key: (key[0].citation, key[0].table, key[3], order.index(key[1])))
    told = {key: key[2] if _several(keys, key) else "" for key in keys}
    return [
        PrintedColumn(place, metric, source, told[key], relative, found[key])
        for key in keys
        for source, metric, _, relative in [key]
    ]


def _several(keys: Sequence[tuple[Source, str, str, bool]], key: tuple[Source, str, str, bool]) -> bool:
    """Return whether a source prints the dataset more than once."""
    return len({other[2] for other in keys if other[0] == key[0]}) > 1


def _numbers_at(results: StudyResults, place: Place) -> Iterator[tuple[str, PublishedNumber]]:
    foreground = results.classes(place.dataset)[1:]
    for label, numbers in numbers_beside(results, place.dataset).items():
        for number in numbers:
            only = not place.class_name and foreground == [number.class_name]
            if number.class_name == place.class_name or only:
                yield label, number


def notes_of(printed: Sequence[PrintedColumn]) -> list[str]:
    """Say where printed numbers come from, and why they cannot be read like ours."""
    notes = []
    for source in dict.fromkeys(each.source for each in printed):
        own = [each for each in printed if each.source == source]
        cells = [tuple(numbers) for each in own for numbers in each.numbers.values()]
        simulated = sorted({each.place.dataset for each in own if each.place.dataset.endswith("-sim")})
        notes.append(printed_notes(source, cells, simulated))
    return notes


def printed_frame(results: StudyResults, printed: Sequence[PrintedColumn]) -> pd.DataFrame:
    """Return one row per printed number, for the CSV file."""
    families = {loss.label: loss.family for loss in results.losses}
    metrics = results.metrics.set_index("name")
    rows = [
        {
            "family": families[label],
            "label": label,
            "dataset": each.place.dataset,
            "metric": each.metric,
            "unit": number.unit,
            "direction": metrics["direction"].get(each.metric, "higher"),
            "class_name": ", ".join(filter(None, [each.place.class_name, "as printed"])),
            "mean": number.value,
            "sd": number.spread,
            "mark": "",
            "standing": "",
            "source": ", ".join(
                filter(None, [number.source.citation, number.source.table, each.printed_dataset])
            ),
        }
        for each in printed
        for label, numbers in each.numbers.items()
        for number in numbers
    ]
    return pd.DataFrame(rows)
