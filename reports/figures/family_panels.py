"""Panels of families in rows, and the key of each family below its panel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from reports.figures.journals import page_width
from reports.figures.row_panels import text_width
from reports.figures.style import drawing_style, short
from reports.results import ListedLoss

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FamilyPanel: TypeAlias = tuple[str, list[ListedLoss]]
"""A family and the losses of it that share a panel."""

KEY_LINE = 0.125
"""Inches: a line of a key."""

_LEAST, _MOST = 1.55, 3.2
"""Inches: width of a panel with what stands beside it."""
_BESIDE, _SAMPLE = 0.5, 30.0
"""Inches that labels of the y axis take of a page, points that the sample of a line takes of a column."""
_LONGEST = 120


@dataclass(frozen=True)
class FamilyRows:
    """Panels of families as they stand on a page.

    Attributes:
        rows: Of about equal length.
        width: Of the figure, in inches.
        room: Points for a name in a key.
        keys: Lines of the longest key below each row.
    """

    rows: list[list[FamilyPanel]]
    width: float
    room: float
    keys: list[int]

    @property
    def columns(self) -> int:
        """Panels of a row."""
        return len(self.rows[0])


def family_rows(found: Sequence[FamilyPanel]) -> FamilyRows:
    """Return the panels, one at least, in as few rows as the page is wide enough for."""
    count = -(-len(found) // max(1, int(page_width() / _LEAST)))
    per_row = -(-len(found) // count)
    rows = [list(found[start : start + per_row]) for start in range(0, len(found), per_row)]
    width = min(page_width(), _MOST * per_row)
    room = 72 * (width - _BESIDE) / per_row - _SAMPLE
    with drawing_style():
        keys = [max(_lines(members, room) for _, members in row) for row in rows]
    return FamilyRows(rows, width, room, keys)


def write_key(axis: "Axes", lines: Sequence[Any], labels: Sequence[str], room: float) -> None:
    """Write a key into axes of its own, from their upper left corner.

    Args:
        axis: Below a panel; nothing else is drawn there.
        lines: A sample for each label.
        labels: Of losses.
        room: Points for a name.
    """
    names = [wrapped(label, room) for label in labels]
    axis.legend(lines, names, loc="upper left", borderaxespad=0, handlelength=2.6)


def wrapped(label: str, room: float) -> str:
    """Return a label on two lines at most, none wider than ``room`` points, cut with an ellipsis."""
    lines = [""]
    for word in short(label, _LONGEST).split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and text_width(longer) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    rest = " ".join(lines[1:])
    return "\n".join(_cut(line, room) for line in (lines[0], rest) if line)


def _lines(members: Sequence[ListedLoss], room: float) -> int:
    return sum(wrapped(loss.label, room).count("\n") + 1 for loss in members)


def _cut(line: str, room: float) -> str:
    if text_width(line) <= room:
        return line
    while len(line) > 1 and text_width(f"{line}…") > room:
        line = line[:-1].rstrip()
    return f"{line}…"
