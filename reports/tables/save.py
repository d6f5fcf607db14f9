"""Make the tables of a report and write each in every format."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.results import StudyResults
from reports.tables.model import Table
from reports.tables.registry import AnyTable, NothingToTell, TableEntry
from reports.tables.write import write_table, write_words


@dataclass(frozen=True)
class SavedTable:
    """A table on disk.

    Attributes:
        code: What papers and ``--only`` call it.
        table: The table.
        paths: Its file by suffix.
    """

    code: str
    table: AnyTable
    paths: dict[str, Path]

    @property
    def files(self) -> list[Path]:
        """All that was written."""
        return list(self.paths.values())


def save_tables(
    results: StudyResults, folder: Path, entries: Sequence[TableEntry]
) -> tuple[list[SavedTable], list[str]]:
    """Make and write tables.

    Args:
        results: Of the study.
        folder: To write into; made if absent.
        entries: Which tables, in their order.

    Returns:
        The tables, and a sentence for each that has nothing to tell.
    """
    saved: list[SavedTable] = []
    skipped: list[str] = []
    for entry in entries:
        try:
            tables = entry.make(results)
        except NothingToTell as reason:
            skipped.append(str(reason))
            continue
        saved += [SavedTable(entry.code, table, _write(table, folder)) for table in tables]
    return saved, skipped


def _write(table: AnyTable, folder: Path) -> dict[str, Path]:
    return write_table(table, folder) if isinstance(table, Table) else write_words(table, folder)
