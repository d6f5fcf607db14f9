"""One table as Markdown, CSV, LaTeX, HTML and plain text."""

from pathlib import Path

from reports.escape import markdown, one_line
from reports.tables.html import as_html
from reports.tables.latex import as_latex, words_as_latex
from reports.tables.model import Cell, Table, WordTable, runs_of

__all__ = [
    "as_csv",
    "as_html",
    "as_latex",
    "as_markdown",
    "as_plain_text",
    "words_as_csv",
    "words_as_latex",
    "words_as_markdown",
    "write_table",
    "write_words",
]

_CSV_COLUMNS = {
    "dataset": "dataset",
    "class_name": "class",
    "family": "family",
    "label": "loss",
    "metric": "metric",
    "unit": "unit",
    "direction": "better",
    "part": "part",
    "checkpoint": "checkpoint",
    "mean": "mean",
    "sd": "sd_over_seeds",
    "low": "low",
    "high": "high",
    "seeds": "seeds",
    "planned": "seeds_planned",
    "collapsed": "runs_collapsed",
    "diverged": "runs_diverged",
    "mark": "mark",
    "standing": "standing",
    "source": "source",
}


def write_table(table: Table, folder: Path) -> dict[str, Path]:
    """Write a table in all formats and return the file of each, by suffix."""
    texts = {
        "md": as_markdown(table),
        "csv": as_csv(table),
        "tex": as_latex(table),
        "html": as_html(table),
    }
    return _write(texts, table.name, folder)


def write_words(table: WordTable, folder: Path) -> dict[str, Path]:
    """Write a table of words in all formats and return the file of each, by suffix."""
    texts = {
        "md": words_as_markdown(table),
        "csv": words_as_csv(table),
        "tex": words_as_latex(table),
        "html": as_html(table),
    }
    return _write(texts, table.name, folder)


def _write(texts: dict[str, str], name: str, folder: Path) -> dict[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = {suffix: folder / f"{name}.{suffix}" for suffix in texts}
    for suffix, text in texts.items():
        paths[suffix].write_text(text, encoding="utf-8", newline="\n")
    return paths


def as_csv(table: Table) -> str:
    """Return one line per cell, with full precision."""
    known = {name: title for name, title in _CSV_COLUMNS.items() if name in table.data}
    frame = table.data[list(known)].rename(columns=known)
    return frame.to_csv(index=False, float_format="%.8g", lineterminator="\n")


def words_as_csv(table: WordTable) -> str:
    """Return the content in full precision."""
    return table.data.to_csv(index=False, float_format="%.8g", lineterminator="\n")


def as_markdown(table: Table) -> str:
    """Return a GitHub table with the notes below."""
    groups = [column.group for column in table.columns]
    titles = [
        f"{markdown(group)}: {markdown(column.heading)}"
        for group, column in zip(groups, table.columns, strict=True)
    ]
    lines = [f"**{markdown(table.caption)}**", "", _piped(["Loss", *titles])]
    lines.append(_piped([":--", *["--:"] * len(table.columns)]))
    for family, rows in table.families():
        lines.append(_piped([f"*{markdown(family)}*", *[""] * len(table.columns)]))
        lines += [_piped([markdown(row.label), *map(_markdown_cell, row.cells)]) for row in rows]
    notes = [f"- {markdown(note)}" for note in table.notes]
    return "\n".join([*lines, "", *notes]) + "\n"


def words_as_markdown(table: WordTable) -> str:
    """Return a GitHub table with the notes below."""
    lines = [f"**{markdown(table.caption)}**", "", _piped([*map(markdown, table.columns)])]
    sides = ["--:" if table.is_number(at) else ":--" for at in range(len(table.columns))]
    lines.append(_piped(sides))
    lines += [_piped([*map(markdown, row)]) for row in table.rows]
    return "\n".join([*lines, "", *(f"- {markdown(note)}" for note in table.notes)]) + "\n"


def as_plain_text(table: Table) -> str:
    """Return our own numbers in aligned columns for the terminal; ``*`` follows the best mean of a column."""
    own = [at for at, column in enumerate(table.columns) if not column.published]
    lines = [["loss", *(table.columns[at].title for at in own)]]
    lines += [[one_line(row.label), *(_plain_cell(row.cells[at]) for at in own)] for row in table.rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
    parts, position = [" " * widths[0]], 1
    for group, span in runs_of(table.columns[at].group for at in own):
        last = position + span - 1
        room = sum(widths[position : last + 1]) + 3 * (span - 1)
        widths[last] += max(0, len(one_line(group)) - room)
        parts.append(one_line(group).ljust(room))
        position = last + 1
    rule = "|-" + "-|-".join("-" * width for width in widths) + "-|"
    aligned = [_aligned(line, widths) for line in lines]
    return "\n".join([_piped(parts), aligned[0], rule, *aligned[1:]])


def _aligned(line: list[str], widths: list[int]) -> str:
    padded = [line[0].ljust(widths[0])]
    padded += [text.rjust(width) for text, width in zip(line[1:], widths[1:], strict=True)]
    return "| " + " | ".join(padded) + " |"


def _piped(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _markdown_cell(cell: Cell) -> str:
    text = {"best": f"**{cell.text}**", "second": f"<u>{cell.text}</u>", "": cell.text}[cell.mark]
    return text + (f" <sup>{markdown(cell.superscript)}</sup>" if cell.superscript else "")


def _plain_cell(cell: Cell) -> str:
    mark = "*" if cell.mark == "best" else " "
    return cell.text + (f" [{cell.failures}]" if cell.failures else "") + mark
