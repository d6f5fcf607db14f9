"""Everything that tables, figures and the page of a comparison read."""

from dataclasses import dataclass

from reports.compare.agreement import Agreement, agreement
from reports.compare.changes import Change, changes
from reports.compare.side_by_side import SideBySide


@dataclass(frozen=True)
class Shown:
    """A comparison of studies.

    Attributes:
        beside: The studies and what they share.
        changes: Before and after on shared datasets.
        agreement: Of the rankings.
    """

    beside: SideBySide
    changes: tuple[Change, ...]
    agreement: Agreement


def comparison_of(beside: SideBySide) -> Shown:
    """Return the comparison of studies that were put side by side."""
    return Shown(beside, tuple(changes(beside)), agreement(beside))
