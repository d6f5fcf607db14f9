"""Numbers printed in papers, in columns of their own beside ours."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from harness.published import PublishedNumber, Source, published_for
from reports.results import StudyResults
from reports.tables.model import Cell, Column, Row, Table
from reports.tables.notes import listing
from reports.tables.score_table import NOTHING, column_title

_WHOLE = ("", "average")
"""Labels of numbers for all structures together."""


@dataclass(frozen=True)
class _Printed:
    """A column of printed numbers.

    Attributes:
        dataset: Ours.
        metric: Ours.
        source: Where they stand.
        numbers: By label of our loss.
    """

    dataset: str
    metric: str
    source: Source
    numbers: Mapping[str, Sequence[PublishedNumber]]


def with_published(results: StudyResults, table: Table) -> Table:
    """Return a table of scores with the numbers that papers print for its losses, and notes on them.

    Args:
        results: Of the study.
        table: With one group of columns for each dataset, of its main metrics.
    """
    printed = list(_columns(results))
    if not printed:
        return table
    places: list[int | _Printed] = []
    start = 0
    for group, width in table.groups():
        places += range(start, start + width)
        places += [each for each in printed if each.dataset == group]
        start += width
    columns = tuple(
        table.columns[each] if isinstance(each, int) else _column(results, each) for each in places
    )
    rows = tuple(
        Row(
            row.family,
            row.label,
            tuple(
                row.cells[each] if isinstance(each, int) else _cell(each.numbers.get(row.label, ()))
                for each in places
            ),
        )
        for row in table.rows
    )
    data = pd.concat([table.data, _frame(results, printed)], ignore_index=True)
    return replace(table, columns=columns, rows=rows, notes=(*table.notes, *_notes(printed)), data=data)


def _columns(results: StudyResults) -> Iterator[_Printed]:
    metrics = results.main_metrics()
    units = results.metrics.set_index("name")["unit"]
    for dataset in results.datasets:
        found: dict[tuple[Source, str], dict[str, list[PublishedNumber]]] = {}
        for loss in results.losses:
            for number in published_for(dataset, loss.expression):
                if (
                    number.metric in metrics
                    and number.label in _WHOLE
                    and number.unit.removesuffix(" as printed") == units[number.metric]
                ):
                    own = found.setdefault((number.source, number.metric), {})
                    own.setdefault(loss.label, []).append(number)
        ordered = sorted(found, key=lambda key: (key[0].citation, key[0].table, metrics.index(key[1])))
        for source, metric in ordered:
            yield _Printed(dataset, metric, source, found[source, metric])


def _column(results: StudyResults, printed: _Printed) -> Column:
    metric = results.metrics[results.metrics["name"] == printed.metric].iloc[0]
    source = printed.source
    table = source.table.partition(",")[0] if source.table.startswith("Table") else ""
    words = ", ".join(filter(None, [source.short, table]))
    return Column(printed.dataset, column_title(str(metric["title"]), metric), words)


def _cell(numbers: Sequence[PublishedNumber]) -> Cell:
    told = [number for number in numbers if number.value is not None]
    if not told:
        return Cell(NOTHING)
    if len(told) > 1:
        return Cell(
            " / ".join(" ".join(filter(None, _texts(number))) for number in told), value=told[0].value
        )
    mean, spread = _texts(told[0])
    text = f"{mean} {spread}" if spread else mean
    return Cell(text, value=told[0].value, mean=mean, spread=spread.strip("()"))


def _texts(number: PublishedNumber) -> tuple[str, str]:
    """Return a number and its spread in brackets with as many decimals as are printed."""
    digits = number.printed.partition(" ")[0].rstrip("%").partition(".")[2]
    decimals = (len(digits) if digits.isdigit() else 0) + 2 * ("%" in number.printed)
    spread = "" if number.spread is None else f"({number.spread:.{decimals}f})"
    return f"{number.value:.{decimals}f}", spread


def _notes(printed: Sequence[_Printed]) -> list[str]:
    """Say where printed numbers come from, and why they cannot be read like ours."""
    notes = []
    for source in dict.fromkeys(each.source for each in printed):
        numbers = [
            number
            for each in printed
            if each.source == source
            for found in each.numbers.values()
            for number in found
        ]
        other = dict.fromkeys(number.metric.upper() for number in numbers if not number.comparable)
        quantity = f" Not the same quantity as ours: {', '.join(other)}." if other else ""
        made_up = sorted({each.dataset for each in printed if each.source == source and _simulated(each)})
        theirs = f" They are of real patients, ours on {listing(made_up)} are simulated." if made_up else ""
        rows = dict.fromkeys(
            number.loss + (f" ({number.setting})" if number.setting else "") for number in numbers
        )
        notes.append(
            f"Printed (heads in italics): copied from {source.citation}, {source.table} ({source.url}); not "
            f"measured here, and compared with ours by no test.{theirs} Evaluated on {source.evaluation}. In "
            f"brackets: {source.spread}. Metrics: {source.metric_note}.{quantity} {source.caveat} Rows as "
            f"printed: {'; '.join(rows)}."
        )
    return notes


def _simulated(printed: _Printed) -> bool:
    return printed.dataset.endswith("-sim")


def _frame(results: StudyResults, printed: Sequence[_Printed]) -> pd.DataFrame:
    families = {loss.label: loss.family for loss in results.losses}
    metrics = results.metrics.set_index("name")
    rows = [
        {
            "family": families[label],
            "label": label,
            "dataset": each.dataset,
            "metric": each.metric,
            "unit": metrics["unit"][each.metric],
            "direction": metrics["direction"][each.metric],
            "class_name": "as printed",
            "mean": number.value,
            "sd": number.spread,
            "mark": "",
            "standing": "",
            "source": f"{number.source.citation}, {number.source.table}",
        }
        for each in printed
        for label, numbers in each.numbers.items()
        for number in numbers
    ]
    return pd.DataFrame(rows)
