"""The inside of a table of words in LaTeX: numbers aligned, long words in lines."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from reports.escape import latex
from reports.tables.latex_page import LANDSCAPE, SEPARATION, Body, breakable, heading, text_width, word_width
from reports.tables.model import WordTable

PORTRAIT = 445.0
_NARROW = 9
"""Characters of a line in the head of a narrow column."""

_FLEXIBLE = 24
"""Characters from which a column may break its lines."""

_LEAST = 48.0
_NUMBER = re.compile(r"(?P<less>< ?)?(?P<sign>[+−-])?(?P<whole>\d+)(?:\.(?P<decimals>\d+))?(?P<after> †)?")
_NOTHING = "–"


@dataclass(frozen=True)
class _Column:
    """A column as LaTeX has it.

    Attributes:
        shape: ``l``, ``r`` or a column of siunitx; empty if lines may break.
        width: That it would like, in points.
        least: That it needs.
    """

    shape: str
    width: float
    least: float


def words_body(table: WordTable) -> Body:
    """Return the inside of a table of words."""
    columns = [_column(table, at) for at in range(len(table.columns))]
    gaps = 2 * SEPARATION * len(columns)
    wide = gaps + sum(each.least for each in columns) > PORTRAIT
    room = (LANDSCAPE if wide else PORTRAIT) - gaps
    widths = _widths(columns, room)
    shapes = [
        each.shape or rf">{{\raggedright\arraybackslash}}p{{{width:.0f}pt}}"
        for each, width in zip(columns, widths, strict=True)
    ]
    heads = [
        _head(table, at, each, width) for at, (each, width) in enumerate(zip(columns, widths, strict=True))
    ]
    cells = [[row[at] for row in table.rows] for at in range(len(columns))]
    formatted = [_cells(own, each.shape) for own, each in zip(cells, columns, strict=True)]
    rows = tuple(" & ".join(row) + r" \\" for row in zip(*formatted, strict=True))
    height = sum(_lines(row, columns, widths) for row in table.rows)
    shape = f"@{{}}{''.join(shapes)}@{{}}"
    return Body(shape, (" & ".join(heads) + r" \\",), rows, sum(widths) + gaps, height, wide)


def _column(table: WordTable, at: int) -> _Column:
    cells = [row[at] for row in table.rows]
    widest = max((text_width(cell) for cell in cells), default=0.0)
    lines = heading(table.columns[at], max(_NARROW, int(widest / text_width("0"))))
    width = max([widest, *map(text_width, lines)])
    if table.is_number(at):
        return _Column(_numbers(cells), width, width)
    if widest <= text_width("0" * _FLEXIBLE):
        return _Column("l", width, width)
    return _Column("", width, max([_LEAST, *map(word_width, [*cells, table.columns[at]])]))


def _numbers(cells: Sequence[str]) -> str:
    """Return a column of siunitx if every cell is a number or nothing, else one aligned to the right."""
    found = [_NUMBER.fullmatch(cell) for cell in cells if cell not in {_NOTHING, ""}]
    matches = [match for match in found if match]
    if not matches or len(matches) < len(found):
        return "r"
    whole = max(len(match["whole"]) for match in matches)
    decimals = max(len(match["decimals"] or "") for match in matches)
    sign = "+" if any(match["sign"] for match in matches) else ""
    less = ",table-space-text-pre={$<$}" if any(match["less"] for match in matches) else ""
    after = r",table-space-text-post={$\dagger$}" if any(match["after"] for match in matches) else ""
    places = f".{decimals}" if decimals else ""
    return f"S[table-format={sign}{whole}{places}{less}{after}]"


def _widths(columns: Sequence[_Column], room: float) -> list[float]:
    """Share the room that is left among the columns whose lines may break."""
    fixed = sum(each.width for each in columns if each.shape)
    flexible = [each for each in columns if not each.shape]
    wanted = sum(each.width for each in flexible)
    spare = room - fixed - sum(each.least for each in flexible)
    more = sum(each.width - each.least for each in flexible)
    share = 1.0 if fixed + wanted <= room else max(0.0, spare / more) if more > 0 else 0.0
    return [each.width if each.shape else each.least + share * (each.width - each.least) for each in columns]


def _head(table: WordTable, at: int, column: _Column, width: float) -> str:
    title = table.columns[at]
    if not column.shape:
        return latex(title)
    room = max(_NARROW, int(width / text_width("0")))
    lines = r"\\".join(map(latex, heading(title, room)))
    side = "l" if column.shape == "l" else "r" if column.shape == "r" else "c"
    return rf"{{\begin{{tabular}}[b]{{@{{}}{side}@{{}}}}{lines}\end{{tabular}}}}"


def _cells(cells: Sequence[str], shape: str) -> list[str]:
    if not shape.startswith("S"):
        return [breakable(cell) if not shape else latex(cell) for cell in cells]
    return [_number(cell) for cell in cells]


def _number(cell: str) -> str:
    match = _NUMBER.fullmatch(cell)
    if match is None:
        return f"{{{latex(cell)}}}" if cell else ""
    number = cell.removeprefix(match["less"] or "").removesuffix(match["after"] or "").replace("−", "-")
    before, after = "{$<$} " if match["less"] else "", r" {$\dagger$}" if match["after"] else ""
    return f"{before}{number}{after}"


def _lines(row: Sequence[str], columns: Sequence[_Column], widths: Sequence[float]) -> int:
    return max(
        1 if each.shape else math.ceil(text_width(cell) / max(width, 1.0))
        for cell, each, width in zip(row, columns, widths, strict=True)
    )
