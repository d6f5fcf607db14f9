"""Panels by family, packed into rows of a page: who stands where, in columns and rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.results import FAMILIES


@dataclass(frozen=True)
class Group:
    """Neighbouring panels of one family.

    Attributes:
        family: Whose panels these are.
        names: The losses, left to right.
        column: Of the first one.
        continued: Whether the family began in a row above.
    """

    family: str
    names: tuple[str, ...]
    column: int
    continued: bool


def rows_of_groups(families: Mapping[str, Sequence[str]], columns: int) -> list[list[Group]]:
    """Return the rows of a page: every family in order, small ones beside another where they fit.

    Args:
        families: Names by family, in the order wanted.
        columns: Panels per row.
    """
    rows: list[list[Group]] = []
    for family, names in families.items():
        place = next((row for row in rows if _free(row, columns) >= len(names)), None)
        if place is not None and names:
            place.append(Group(family, tuple(names), columns - _free(place, columns), continued=False))
            continue
        for start in range(0, len(names), columns):
            rows.append([Group(family, tuple(names[start : start + columns]), 0, continued=start > 0)])
    return rows


def by_family(losses: Mapping[str, str]) -> dict[str, list[str]]:
    """Return names by family, the known families first.

    Args:
        losses: Family by name, in the order wanted within a family.
    """
    order = [*FAMILIES, *sorted(set(losses.values()) - set(FAMILIES))]
    found = {family: [name for name in losses if losses[name] == family] for family in order}
    return {family: names for family, names in found.items() if names}


def _free(row: list[Group], columns: int) -> int:
    return columns - sum(len(group.names) for group in row)
