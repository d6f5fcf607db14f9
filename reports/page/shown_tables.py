"""Tables as the page shows them: what every cell sorts by, and which losses a row is about."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

from reports.escape import one_line
from reports.page.embedding import Download
from reports.tables import Table, WordTable
from reports.tables.model import Cell
from reports.tables.registry import AnyTable
from reports.tables.save import SavedTable

LONG = 30
"""Rows from which a table is folded."""

_WORTH_FILTERING = 12
"""Rows from which a table has a box to filter them."""

_ONE_LINE = 32
"""Letters of a cell that is not broken into lines."""

_NUMBER = re.compile(r"[<>≤≥≈~]?\s*([+−-]?\d[\d,]*(?:\.\d+)?(?:e[+−-]?\d+)?)(?=$|[\s%([/,;†★])")
_EMPTY = frozenset({"", "–", "-", "—", "not a number", "none"})
_REFERENCE = "reference"
"""Columns of this title name a loss that the row is not about."""

CLASSES = {
    "safe": "proven to be within the margin of the best of the others, or better, and no run collapsed",
    "possibly best": "the data do not exclude that it is the best",
    "inferior": "proven not to be the best",
    "inferior beyond the margin": "proven to be worse than the best by more than the margin",
    "collapsed": "fewer than two runs did not collapse or diverge",
    "one seed": "one run of use says nothing about a loss",
    "not compared": "too little data to be compared",
    "no run": "no finished run",
}
"""Classes of losses with their meanings, in the order in which they sort."""

Kind = Literal["text", "number"]


@dataclass(frozen=True)
class ShownColumn:
    """A column that can be sorted.

    Attributes:
        title: Above it.
        kind: How it sorts.
        falling: Whether the best values are large, so that these come first.
        published: Whether others printed these numbers.
        wraps: Whether its texts are so long that they take several lines.
    """

    title: str
    kind: Kind
    falling: bool = False
    published: bool = False
    wraps: bool = False


@dataclass(frozen=True)
class ShownCell:
    """A cell.

    Attributes:
        text: What is in it.
        value: What it sorts by in a column of numbers; None comes last.
        mark: Whether it is the best or second best of its column, or a loss's class.
        superscript: Above the line.
    """

    text: str
    value: float | None = None
    mark: str = ""
    superscript: str = ""


@dataclass(frozen=True)
class ShownRow:
    """A row.

    Attributes:
        cells: One per column.
        losses: Places of the losses that it is about; it is hidden if one of them is.
        family: Of its loss, where rows stand by family.
    """

    cells: tuple[ShownCell, ...]
    losses: tuple[int, ...] = ()
    family: str = ""


@dataclass(frozen=True)
class ShownTable:
    """A table on the page.

    Attributes:
        code: What papers call it.
        name: Its own.
        caption: One sentence.
        groups: Titles above columns, with the number of columns; empty without.
        columns: All of them.
        rows: In order.
        notes: Below it.
        downloads: Its files.
        keep_open: Whether it is never folded.
    """

    code: str
    name: str
    caption: str
    groups: tuple[tuple[str, int], ...]
    columns: tuple[ShownColumn, ...]
    rows: tuple[ShownRow, ...]
    notes: tuple[str, ...] = ()
    downloads: tuple[Download, ...] = ()
    keep_open: bool = False

    @property
    def folded(self) -> bool:
        """Whether it is so long that it opens on request only."""
        return len(self.rows) > LONG and not self.keep_open

    @property
    def filtered(self) -> bool:
        """Whether it has a box to filter its rows."""
        return len(self.rows) >= _WORTH_FILTERING

    @property
    def families(self) -> list[tuple[str, list[ShownRow]]]:
        """The rows by family, in order."""
        return [(family, list(rows)) for family, rows in groupby(self.rows, lambda row: row.family)]


def shown_table(
    saved: SavedTable, labels: Sequence[str], links: Mapping[Path, Download] | None = None
) -> ShownTable:
    """Return a table for the page.

    Args:
        saved: As it was written.
        labels: Of the losses, in order.
        links: By file.
    """
    files = tuple(links[path] for path in saved.paths.values()) if links else ()
    table = saved.table
    if isinstance(table, Table):
        return _score_table(saved.code, table, labels, files)
    return word_table(saved.code, table, labels, files)


def word_table(
    code: str, table: WordTable, labels: Sequence[str], files: tuple[Download, ...] = ()
) -> ShownTable:
    """Return a table of words for the page."""
    kinds: list[Kind] = ["number" if numeric else "text" for numeric in table.numeric]
    columns, rows = listing(table.columns, table.rows, labels, kinds)
    return ShownTable(code, table.name, table.caption, (), columns, rows, table.notes, files)


def listing(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    labels: Sequence[str],
    numeric: Sequence[Kind] = (),
) -> tuple[tuple[ShownColumn, ...], tuple[ShownRow, ...]]:
    """Return columns and rows of words with what they sort by: a column of numbers by the first in each cell.

    Args:
        titles: Of the columns.
        rows: Of words.
        labels: Of the losses, in order.
        numeric: How columns sort; found out if empty.
    """
    kinds = numeric or [_kind([row[at] for row in rows]) for at in range(len(titles))]
    columns = tuple(ShownColumn(title, kind, "↑" in title) for title, kind in zip(titles, kinds, strict=True))
    places = _places(labels)
    about = [at for at, title in enumerate(titles) if not title.casefold().startswith(_REFERENCE)]
    shown = []
    for row in rows:
        cells = tuple(
            ShownCell(text, number_in(text) if kind == "number" else None, class_mark(text))
            for text, kind in zip(row, kinds, strict=True)
        )
        named = [places[row[at]] for at in about if row[at] in places]
        shown.append(ShownRow(cells, tuple(dict.fromkeys(named))))
    return columns, tuple(shown)


def class_mark(text: str) -> str:
    """Return the look of the class of a loss; empty if it is something else.

    >>> class_mark("Possibly best")
    'class-possibly-best'
    """
    word = text.casefold()
    return "class-" + word.replace(" ", "-") if word in CLASSES else ""


def number_in(text: str) -> float | None:
    """Return the number that a text begins with.

    >>> number_in("−0.012 [−0.03, 0.01]"), number_in("< 0.001"), number_in("1,234 runs"), number_in("–")
    (-0.012, 0.001, 1234.0, None)
    """
    found = _NUMBER.match(text.strip())
    return float(found[1].replace("−", "-").replace(",", "")) if found else None


def _kind(cells: Sequence[str]) -> Kind:
    told = [text for text in cells if text.strip().casefold() not in _EMPTY]
    return "number" if told and all(number_in(text) is not None for text in told) else "text"


def _places(labels: Sequence[str]) -> dict[str, int]:
    return {text: place for place, label in enumerate(labels) for text in (label, one_line(label))}


def _score_table(code: str, table: Table, labels: Sequence[str], files: tuple[Download, ...]) -> ShownTable:
    places = _places(labels)
    rows = tuple(
        ShownRow(
            (ShownCell(row.label), *map(_score, row.cells)),
            (places[row.label],) if row.label in places else (),
            row.family,
        )
        for _, members in table.families()
        for row in members
    )
    columns = [
        ShownColumn(column.heading, "number", "↑" in column.title, bool(column.published))
        for column in table.columns
    ]
    groups = (("", 1), *table.groups())
    first = ShownColumn("Loss", "text")
    return ShownTable(code, table.name, table.caption, groups, (first, *columns), rows, table.notes, files)


def _score(cell: Cell) -> ShownCell:
    return ShownCell(cell.text, cell.value, cell.mark, cell.superscript)


def table_is_of_tuning(table: AnyTable) -> bool:
    """Whether a table stands in the section about tuning."""
    return table.name.startswith(("t4_", "tuning_"))
