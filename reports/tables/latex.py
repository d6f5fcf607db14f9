"""Tables as LaTeX: booktabs, numbers aligned at the decimal point by siunitx, no wider than a page.

A table of scores that is too wide becomes several, one after the other; a table of words breaks the lines of
its words, or lies on its side. What is too long for a page becomes a longtable. Everything compiles with
pdflatex, whatever a loss is called.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from reports.escape import latex
from reports.tables.latex_page import SEPARATION, Body, breakable, environment, heading, text_width
from reports.tables.latex_words import words_body
from reports.tables.model import Cell, Column, Row, Table, WordTable, runs_of

PORTRAIT = 450.0
"""Text width of A4 with margins of 25 mm, in points."""

_LABEL = 150.0
_HEAD = 15
_SYMBOLS = {"†": r"$\dagger$", "★": r"$\star$"}
_NUMBER = re.compile(r"(?P<sign>[+-]?)(?P<whole>\d+)(?:\.(?P<decimals>\d+))?")


@dataclass(frozen=True)
class _Scores:
    """A column of scores as LaTeX has it.

    Attributes:
        column: The column.
        at: Its place in the table.
        shape: One or two columns of numbers.
        span: How many.
        width: In points, about.
    """

    column: Column
    at: int
    shape: str
    span: int
    width: float


def as_latex(table: Table) -> str:
    """Return complete table environments: one, or several where one would be wider than a page."""
    panels = _panels(table)
    found = []
    for number, panel in enumerate(panels, 1):
        last = number == len(panels)
        part = f" Part {number} of {len(panels)}." if len(panels) > 1 else ""
        name = table.name + (f"-{number}" if len(panels) > 1 else "")
        below = table.notes if last else (f"Notes stand below part {len(panels)}.",)
        found.append(environment(_panel_body(table, panel), table.caption + part, name, below))
    return "\n".join(found)


def words_as_latex(table: WordTable) -> str:
    """Return a complete table environment; an appendix of pages if there are many rows."""
    return environment(words_body(table), table.caption, table.name, table.notes)


def _panels(table: Table) -> list[list[_Scores]]:
    """Divide the columns so that each part fits a page; the columns of a group stay together if they can."""
    columns = [_scores(table, at) for at in range(len(table.columns))]
    room = PORTRAIT - _label_width(table)
    groups = [list(group) for _, group in groupby(columns, key=lambda each: each.column.group)]
    panels: list[list[_Scores]] = [[]]
    for group in groups:
        if panels[-1] and _width([*panels[-1], *group]) > room:
            panels.append([])
        for each in group:
            if panels[-1] and _width([*panels[-1], each]) > room:
                panels.append([])
            panels[-1].append(each)
    return panels


def _width(columns: Sequence[_Scores]) -> float:
    return sum(each.width for each in columns)


def _label_width(table: Table) -> float:
    return max([20.0, *(min(_LABEL, text_width(row.label)) for row in table.rows)]) + 2 * SEPARATION


def _scores(table: Table, at: int) -> _Scores:
    column = table.columns[at]
    cells = [row.cells[at] for row in table.rows]
    means = _format([_mean(cell) for cell in cells])
    spreads = [cell.spread for cell in cells if cell.spread]
    last = max(cells, key=lambda cell: (len(cell.superscript + cell.detail), bool(cell.spread)))
    after = (")" if spreads and not last.spread else "") + _after(last)
    plain = last.superscript + last.detail
    numbers = max([len(_mean(cell)) + len(cell.spread) + 2 * bool(cell.spread) for cell in cells])
    width = text_width("0" * numbers) + text_width(plain) + 4 * SEPARATION
    width = max(width, max(map(text_width, heading(column.heading, _HEAD))) + 2 * SEPARATION)
    space = f"table-space-text-post={{{after}}}" if after else ""
    if not spreads:
        options = [f"table-format={means}", space]
        return _Scores(column, at, f"S[{','.join(filter(None, options))}]", 1, width)
    options = [f"table-format={_format(spreads)}", "table-space-text-pre={(}", space]
    shape = rf"S[table-format={means}]@{{\hspace{{0.4em}}}}S[{','.join(filter(None, options))}]"
    return _Scores(column, at, shape, 2, width)


def _mean(cell: Cell) -> str:
    return cell.mean or cell.text


def _format(numbers: Sequence[str]) -> str:
    """Return how many digits siunitx is to leave room for."""
    found = [match for match in map(_NUMBER.fullmatch, numbers) if match]
    whole = max((len(match["whole"]) for match in found), default=1)
    decimals = max((len(match["decimals"] or "") for match in found), default=0)
    sign = "+" if any(match["sign"] for match in found) else ""
    return f"{sign}{whole}.{decimals}" if decimals else f"{sign}{whole}"


def _after(cell: Cell) -> str:
    """Return what follows the numbers: the end of a bracket, and what stands above the line."""
    detail = f"; {latex(cell.detail)}" if cell.detail and cell.spread else ""
    bracket = f"{detail})" if cell.spread else f" ({latex(cell.detail)})" if cell.detail else ""
    return bracket + _superscript(cell)


def _superscript(cell: Cell) -> str:
    symbols = "".join(_SYMBOLS.get(character, character) for character in cell.superscript)
    return rf"\textsuperscript{{{symbols}}}" if symbols else ""


def _panel_body(table: Table, panel: Sequence[_Scores]) -> Body:
    groups = runs_of(each.column.group for each in panel for _ in range(each.span))
    rules, start = [], 2
    for _, span in groups:
        rules.append(rf"\cmidrule(lr){{{start}-{start + span - 1}}}")
        start += span
    head = [
        " & ".join(["", *(rf"\multicolumn{{{span}}}{{c}}{{{latex(name)}}}" for name, span in groups)])
        + r" \\",
        " ".join(rules),
        " & ".join(["Loss", *map(_head, panel)]) + r" \\",
    ]
    rows, columns = [], start - 1
    for number, (family, members) in enumerate(table.families()):
        rule = r"\midrule" + "\n" if number else ""
        rows.append(rf"{rule}\multicolumn{{{columns}}}{{@{{}}l}}{{\emph{{{latex(family)}}}}} \\*")
        rows += [_row(row, panel) for row in members]
    broad = max((text_width(row.label) for row in table.rows), default=0.0) > _LABEL
    label = rf">{{\raggedright\arraybackslash}}p{{{_LABEL:.0f}pt}}" if broad else "l"
    width = _label_width(table) + _width(panel)
    shape = f"@{{}}{label}{''.join(each.shape for each in panel)}@{{}}"
    return Body(shape, tuple(head), tuple(rows), width, len(rows) + len(table.families()))


def _head(each: _Scores) -> str:
    style = r"\itshape " if each.column.published else ""
    lines = r"\\".join(style + latex(line) for line in heading(each.column.heading, _HEAD))
    stacked = rf"\begin{{tabular}}[b]{{@{{}}c@{{}}}}{lines}\end{{tabular}}"
    return rf"\multicolumn{{{each.span}}}{{c}}{{{stacked}}}"


def _row(row: Row, panel: Sequence[_Scores]) -> str:
    cells = [text for each in panel for text in _cell(row.cells[each.at], each.span)]
    return " & ".join([breakable(row.label), *cells]) + r" \\"


def _cell(cell: Cell, span: int) -> list[str]:
    mean = _mean(cell)
    if not _NUMBER.fullmatch(mean):
        whole = f"{latex(cell.text)}{_superscript(cell)}"
        return [rf"\multicolumn{{{span}}}{{c}}{{{whole}}}"]
    after = _after(cell)
    if span == 1:
        return [_marked(cell.mark, mean, after)]
    number = _marked(cell.mark, mean)
    if cell.spread:
        return [number, f"{{(}} {cell.spread} {{{after}}}"]
    return [number, f"{{{after}}}" if after else ""]


def _marked(mark: str, mean: str, after: str = "") -> str:
    """Mark a number without hiding it from siunitx: a rule of its width is drawn back from its end."""
    rule = rf"\llap{{\underline{{\phantom{{{mean}}}}}}}" if mark == "second" else ""
    behind = f" {{{rule}{after}}}" if rule or after else ""
    return (r"\bfseries " if mark == "best" else "") + mean + behind
