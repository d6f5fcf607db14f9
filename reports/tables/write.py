"""One table as Markdown, CSV, LaTeX (booktabs) and plain text; HTML is made by the page's template."""

from pathlib import Path

from reports.escape import latex, markdown, one_line
from reports.tables.model import Cell, Table, WordTable

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
    "seeds": "seeds",
    "planned": "seeds_planned",
    "collapsed": "runs_collapsed",
    "diverged": "runs_diverged",
    "mark": "mark",
}


def write_table(table: Table, folder: Path) -> dict[str, Path]:
    """Write a table in all formats and return the file of each, by suffix."""
    texts = {"md": as_markdown(table), "csv": as_csv(table), "tex": as_latex(table)}
    return _write(texts, table.name, folder)


def write_words(table: WordTable, folder: Path) -> dict[str, Path]:
    """Write a table of words in all formats and return the file of each, by suffix."""
    csv = table.data.to_csv(index=False, float_format="%.8g", lineterminator="\n")
    return _write(
        {"md": words_as_markdown(table), "csv": csv, "tex": words_as_latex(table)}, table.name, folder
    )


def _write(texts: dict[str, str], name: str, folder: Path) -> dict[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = {suffix: folder / f"{name}.{suffix}" for suffix in texts}
    for suffix, text in texts.items():
        paths[suffix].write_text(text, encoding="utf-8", newline="\n")
    return paths


def as_csv(table: Table) -> str:
    """Return one line per cell, with full precision."""
    frame = table.data[list(_CSV_COLUMNS)].rename(columns=_CSV_COLUMNS)
    return frame.to_csv(index=False, float_format="%.8g", lineterminator="\n")


def as_markdown(table: Table) -> str:
    """Return a GitHub table with the notes below."""
    groups = [column.group for column in table.columns]
    titles = [
        f"{markdown(group)}: {markdown(column.title)}"
        for group, column in zip(groups, table.columns, strict=True)
    ]
    lines = [f"**{markdown(table.caption)}**", "", _piped(["Loss", *titles])]
    lines.append(_piped([":--", *["--:"] * len(table.columns)]))
    for family, rows in table.families():
        lines.append(_piped([f"*{markdown(family)}*", *[""] * len(table.columns)]))
        lines += [_piped([markdown(row.label), *map(_markdown_cell, row.cells)]) for row in rows]
    notes = [f"- {markdown(note)}" for note in table.notes]
    return "\n".join([*lines, "", *notes]) + "\n"


def as_latex(table: Table) -> str:
    """Return a complete ``table`` environment for the booktabs package."""
    columns = len(table.columns)
    groups, rules, start = [], [], 2
    for group, width in table.groups():
        groups.append(rf"\multicolumn{{{width}}}{{c}}{{{latex(group)}}}")
        rules.append(rf"\cmidrule(lr){{{start}-{start + width - 1}}}")
        start += width
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{latex(table.caption)}}}",
        rf"\label{{tab:{table.name.replace('_', '-')}}}",
        rf"\begin{{tabular}}{{l{'r' * columns}}}",
        r"\toprule",
        " & ".join(["", *groups]) + r" \\",
        " ".join(rules),
        " & ".join(["Loss", *(latex(column.title) for column in table.columns)]) + r" \\",
    ]
    for family, rows in table.families():
        lines += [r"\midrule", rf"\multicolumn{{{columns + 1}}}{{l}}{{\emph{{{latex(family)}}}}} \\"]
        lines += [" & ".join([latex(row.label), *map(_latex_cell, row.cells)]) + r" \\" for row in rows]
    return "\n".join([*lines, *_latex_end(table.notes)]) + "\n"


def words_as_markdown(table: WordTable) -> str:
    """Return a GitHub table with the notes below."""
    lines = [f"**{markdown(table.caption)}**", "", _piped([*map(markdown, table.columns)])]
    lines.append(_piped([":--"] * len(table.columns)))
    lines += [_piped([*map(markdown, row)]) for row in table.rows]
    return "\n".join([*lines, "", *(f"- {markdown(note)}" for note in table.notes)]) + "\n"


def words_as_latex(table: WordTable) -> str:
    """Return a complete ``table`` environment for the booktabs package."""
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{latex(table.caption)}}}",
        rf"\label{{tab:{table.name.replace('_', '-')}}}",
        rf"\begin{{tabular}}{{{'l' * len(table.columns)}}}",
        r"\toprule",
        " & ".join(map(latex, table.columns)) + r" \\",
        r"\midrule",
    ]
    lines += [" & ".join(map(latex, row)) + r" \\" for row in table.rows]
    return "\n".join([*lines, *_latex_end(table.notes)]) + "\n"


def _latex_end(notes: tuple[str, ...]) -> list[str]:
    """Return the end of a table, with its notes as wide as the page."""
    return [
        r"\bottomrule",
        r"\end{tabular}",
        r"\par\smallskip",
        r"\begin{minipage}{\linewidth}\footnotesize",
        *map(latex, notes),
        r"\end{minipage}",
        r"\end{table}",
    ]


def as_plain_text(table: Table) -> str:
    """Return aligned columns for the terminal; ``*`` follows the best mean of a column."""
    lines = [["loss", *(column.title for column in table.columns)]]
    lines += [[one_line(row.label), *map(_plain_cell, row.cells)] for row in table.rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
    parts, position = [" " * widths[0]], 1
    for group, span in table.groups():
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
    return text + (f" <sup>{cell.failures}</sup>" if cell.failures else "")


def _latex_cell(cell: Cell) -> str:
    text = latex(cell.text)
    text = {"best": rf"\textbf{{{text}}}", "second": rf"\underline{{{text}}}", "": text}[cell.mark]
    return text + (rf"\textsuperscript{{{cell.failures}}}" if cell.failures else "")


def _plain_cell(cell: Cell) -> str:
    mark = "*" if cell.mark == "best" else " "
    return cell.text + (f" [{cell.failures}]" if cell.failures else "") + mark
