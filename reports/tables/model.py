"""What a table is before it is written as Markdown, CSV, LaTeX or HTML."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

Mark = Literal["", "best", "second"]


@dataclass(frozen=True)
class Column:
    """A column of numbers.

    Attributes:
        group: What it stands under, a dataset or a class.
        title: Name with unit and the arrow of the better direction.
    """

    group: str
    title: str


@dataclass(frozen=True)
class Cell:
    """One number as it is printed.

    Attributes:
        text: For example ``0.812 (0.010)``.
        mark: Whether it is the best or second best mean of its column.
        failures: ``k/n`` if k of n runs collapsed or diverged.
        value: The mean, for sorting; None if there is none.
    """

    text: str
    mark: Mark = ""
    failures: str = ""
    value: float | None = None


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
        found: list[tuple[str, int]] = []
        for column in self.columns:
            if found and found[-1][0] == column.group:
                found[-1] = (column.group, found[-1][1] + 1)
            else:
                found.append((column.group, 1))
        return found

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
    """

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    data: pd.DataFrame
