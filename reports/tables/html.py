"""Tables as HTML: the bare table with its meaning, escaped, without any style."""

from collections.abc import Sequence
from html import escape

from reports.escape import printable
from reports.tables.model import Cell, Table, WordTable


def as_html(table: Table | WordTable) -> str:
    """Return a ``table`` element, and its notes as a list behind it."""
    inside = _scores(table) if isinstance(table, Table) else _words(table)
    lines = [f'<table id="{_text(table.name)}">', f"<caption>{_text(table.caption)}</caption>", *inside]
    return "\n".join([*lines, "</table>", *_notes(table.notes)]) + "\n"


def _scores(table: Table) -> list[str]:
    groups = "".join(
        f'<th scope="colgroup" colspan="{width}">{_text(name)}</th>' for name, width in table.groups()
    )
    titles = "".join(
        f'<th scope="col">{_emphasised(column.heading) if column.published else _text(column.heading)}</th>'
        for column in table.columns
    )
    lines = [
        "<thead>",
        f"<tr><td></td>{groups}</tr>",
        f'<tr><th scope="col">Loss</th>{titles}</tr>',
        "</thead>",
    ]
    for family, rows in table.families():
        span = len(table.columns) + 1
        lines += ["<tbody>", f'<tr><th scope="rowgroup" colspan="{span}">{_text(family)}</th></tr>']
        lines += [
            f'<tr><th scope="row">{_text(row.label)}</th>{"".join(map(_cell, row.cells))}</tr>'
            for row in rows
        ]
        lines.append("</tbody>")
    return lines


def _words(table: WordTable) -> list[str]:
    titles = "".join(f'<th scope="col">{_text(title)}</th>' for title in table.columns)
    lines = ["<thead>", f"<tr>{titles}</tr>", "</thead>", "<tbody>"]
    for number, row in enumerate(table.rows):
        cells = [f'<th scope="row">{_text(row[0])}</th>']
        for at, text in enumerate(row[1:], 1):
            cells.append(f"<td{_sorted_by(table.value(number, at))}>{_text(text)}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return [*lines, "</tbody>"]


def _cell(cell: Cell) -> str:
    text = _text(cell.text)
    text = {"best": f"<strong>{text}</strong>", "second": f"<u>{text}</u>", "": text}[cell.mark]
    above = f"<sup>{_text(cell.superscript)}</sup>" if cell.superscript else ""
    return f"<td{_sorted_by(cell.value)}>{text}{above}</td>"


def _sorted_by(value: float | None) -> str:
    return "" if value is None else f' data-value="{value!r}"'


def _notes(notes: Sequence[str]) -> list[str]:
    return ["<ul>", *(f"<li>{_text(note)}</li>" for note in notes), "</ul>"] if notes else []


def _emphasised(text: str) -> str:
    return f"<em>{_text(text)}</em>"


def _text(text: str) -> str:
    return escape(printable(text))
