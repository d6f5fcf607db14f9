"""What a table is before it is written as Markdown, CSV, LaTeX or HTML."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import pandas as pd

Mark = Literal["", "best", "second"]

_NUMBER = re.compile(r"[+-]?\d[\d,]*(\.\d+)?")


@dataclass(frozen=True)
class Column:
    """A column of numbers.

    Attributes:
        group: What it stands under, a dataset or a class.
        title: Name with unit and the arrow of the better direction.
        published: Who printed these numbers, as in ``Kervadec et al. 2019, Table 1``; empty for our own.
    """

    group: str
    title: str
    published: str = ""

    @property
    def heading(self) -> str:
        """The title, and whose numbers these are if they are not ours."""
        return f"{self.title}, printed: {self.published}" if self.published else self.title


@dataclass(frozen=True)
class Cell:
    """One number as it is printed.

    Attributes:
        text: For example ``0.812 (0.010)``.
        mark: Whether it is the best or second best mean of its column.
        failures: ``k/n`` if k of n runs collapsed or diverged.
        value: The mean, for sorting; None if there is none.
        standing: ``†`` if the loss may be the best, ``★`` if it is safe, or both.
        mean: The mean alone, as in ``text``.
        spread: The standard deviation alone, as in ``text``; empty if there is none.
        detail: What follows it in brackets, for example ``2 of 3 seeds``.
    """

    text: str
    mark: Mark = ""
    failures: str = ""
    value: float | None = None
    standing: str = ""
    mean: str = ""
    spread: str = ""
    detail: str = ""

    @property
    def superscript(self) -> str:
        """What stands above the line: its standing, then its failures."""
        return " ".join(filter(None, [self.standing, self.failures]))


@dataclass(frozen=True)
class Row:
    """One loss."""

    family: str
    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A table with everything that its readers need to know.

    Attributes:
        name: File name without suffix.
        caption: One sentence.
        columns: Of numbers; the label of the loss stands before them.
        rows: In order; rows of one family stand together.
        notes: Sentences below the table.
        data: The frame that the cells come from, one row per cell.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    data: pd.DataFrame

    def groups(self) -> list[tuple[str, int]]:
        """Return the column groups in order, each with its number of columns."""
        return runs_of(column.group for column in self.columns)

    def families(self) -> list[tuple[str, list[Row]]]:
        """Return the rows by family, in order."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            found.setdefault(row.family, []).append(row)
        return list(found.items())


@dataclass(frozen=True)
class WordTable:
    """A table whose cells are words, or numbers in words.

    Attributes:
        name: File name without suffix.
        caption: One sentence.
        columns: Titles.
        rows: As many cells each as there are columns.
        notes: Sentences below the table.
        data: The same content for CSV, numbers in full precision.
        numeric: Which columns hold numbers, to be aligned and sorted as such; none if empty.
    """

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    data: pd.DataFrame
    numeric: tuple[bool, ...] = ()

    def is_number(self, column: int) -> bool:
        """Return whether a column holds numbers."""
        return bool(self.numeric) and self.numeric[column]

    def value(self, row: int, column: int) -> float | None:
        """Return what sorts a cell of a column of numbers: its first number; None if it has none."""
        found = _NUMBER.search(self.rows[row][column].replace("−", "-"))
        return float(found[0].replace(",", "")) if found and self.is_number(column) else None


def runs_of(names: Iterable[str]) -> list[tuple[str, int]]:
    """Return names in order, each with how often it stands there in a row.

    >>> runs_of(["a", "a", "b"])
    [('a', 2), ('b', 1)]
    """
    return [(name, len(list(group))) for name, group in groupby(names)]
