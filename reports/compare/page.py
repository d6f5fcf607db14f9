"""The page of a comparison: one HTML file that needs nothing from outside."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reports.compare.shown import Shown
from reports.compare.words import findings, kind, warnings
from reports.escape import printable
from reports.figures.save import SavedFigure
from reports.figures.style import FAMILY_COLOURS, OTHER_COLOUR
from reports.page.embedding import PAGE_BYTES, Download, downloads
from reports.page.parts import SCRIPTS, STYLES, asset, environment
from reports.page.shown_figures import files_of, pictures, shown_figure
from reports.page.shown_tables import ShownRow, ShownTable, word_table
from reports.tables.model import WordTable
from reports.tables.save import SavedTable

_HERE = Path(__file__).parent
_TEXT_BYTES = 2_000_000
"""What of a page is neither picture nor download, at most about."""

_STEPS = (1.0, 3.0, 6.0, 10.0)
"""Margins from which on a difference has the next shade."""

PARTS = {
    "FC1": "Before and after",
    "FC2": "Against the reference",
    "FC3": "Agreement of rankings",
    "TC1": "What each study says",
    "TC2": "Means and standings",
    "TC3": "Against the reference",
    "TC4": "Changes",
    "TC5": "Agreement of rankings",
    "TC6": "Study files",
}
"""Words for codes, in the contents."""


def render_comparison(
    shown: Shown, tables: Sequence[SavedTable], figures: Sequence[SavedFigure], skipped: Sequence[str]
) -> str:
    """Return the page as text.

    Args:
        shown: The comparison.
        tables: As they were written.
        figures: As they were written.
        skipped: A sentence for every figure without data.
    """
    drawn = pictures(figures)
    room = max(0, PAGE_BYTES - _TEXT_BYTES - sum(picture.weight for picture in drawn.values()))
    files = [path for each in tables for path in _files(each)]
    links = downloads([*files, *(path for each in figures for path in files_of(each))], room)
    template = environment(_HERE).get_template("compare.html.jinja")
    page = template.render(
        **_words(shown),
        tables=[_table(shown, saved, links) for saved in tables],
        figures=[
            shown_figure(saved, number, drawn[saved.drawing.name], links)
            for number, saved in enumerate(figures, 1)
        ],
        parts=PARTS,
        skipped=skipped,
        style=asset(*STYLES),
        theme_script=asset("theme.js"),
        script=asset(*SCRIPTS),
    )
    return printable(page)


def _words(shown: Shown) -> dict[str, Any]:
    beside = shown.beside
    families = [loss.family for loss in beside.losses]
    return {
        "beside": beside,
        "kind": kind(beside),
        "banners": warnings(beside),
        "findings": findings(shown),
        "colours": {at: FAMILY_COLOURS.get(family, OTHER_COLOUR) for at, family in enumerate(families)},
        "looks": [
            (results.document.name, len(results.looks), int(results.looks["complete"].sum()))
            for results in beside.studies
        ],
    }


def _table(shown: Shown, saved: SavedTable, links: Mapping[Path, Download]) -> ShownTable:
    table = saved.table
    if not isinstance(table, WordTable):
        raise TypeError(f"a comparison has tables of words only (got {type(table).__name__})")
    found = word_table(saved.code, table, shown.beside.labels, tuple(links[path] for path in _files(saved)))
    shades = _shades(shown, table)
    return replace(found, rows=tuple(_shaded(row, found, shades) for row in found.rows)) if shades else found


def _shaded(row: ShownRow, table: ShownTable, shades: Mapping[tuple[str, str], str]) -> ShownRow:
    first = row.cells[0].text
    cells = tuple(
        replace(cell, mark=shades.get((first, column.title), ""))
        for cell, column in zip(row.cells, table.columns, strict=True)
    )
    return replace(row, cells=cells)


def _files(saved: SavedTable) -> list[Path]:
    """Return the files of a table that the page does not show itself."""
    return [path for suffix, path in saved.paths.items() if suffix != "html"]


def _shades(shown: Shown, table: WordTable) -> dict[tuple[str, str], str]:
    """Return the shade of a difference by loss and column: its sign and how many margins it is, in steps."""
    if table.name != "reference_differences":
        return {}
    names = {(each.study, each.dataset): shown.beside.place_name(each) for each in shown.beside.places}
    found = {}
    for row in table.data.to_dict("records"):
        value = float(row["difference"])
        step = sum(abs(value) >= edge for edge in _STEPS)
        place = str(row["loss"]), names[str(row["study"]), str(row["dataset"])]
        found[place] = f"class-{'above' if value > 0 else 'below'}-{step}"
    return found
