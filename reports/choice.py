"""Which figures and tables a report has: all of them, or those that were asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import InputError, nearest
from reports.figures import FigureEntry, figures_in_order
from reports.tables import TableEntry, tables_in_order


@dataclass(frozen=True)
class Choice:
    """Figures and tables, each in order.

    Attributes:
        figures: To be drawn.
        tables: To be written.
        everything: Whether nothing was left out.
    """

    figures: tuple[FigureEntry, ...]
    tables: tuple[TableEntry, ...]
    everything: bool = True


def choose(only: Sequence[str] = ()) -> Choice:
    """Return the figures and tables with some codes or names, all of them if none is given.

    >>> [entry.name for entry in choose(["t1"]).tables]
    ['t1']

    Raises:
        InputError: if a code or name is unknown.
    """
    figures, tables = figures_in_order(), tables_in_order()
    every: list[FigureEntry | TableEntry] = [*figures, *tables]
    if not only:
        return Choice(tuple(figures), tuple(tables))
    wanted = {name.casefold() for name in only}
    known = {text.casefold() for entry in every for text in (entry.code, entry.name)}
    for name in only:
        if name.casefold() not in known:
            codes = list(dict.fromkeys(entry.code for entry in every))
            hint = nearest(name, [*codes, *sorted(known)]) or f"; known: {', '.join(codes)}"
            raise InputError(f"no figure or table {name!r}{hint}")
    return Choice(
        tuple(entry for entry in figures if {entry.code.casefold(), entry.name.casefold()} & wanted),
        tuple(entry for entry in tables if {entry.code.casefold(), entry.name.casefold()} & wanted),
        everything=False,
    )
