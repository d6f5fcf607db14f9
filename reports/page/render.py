"""Fill the template: one HTML file that needs nothing from outside."""

from pathlib import Path

from reports.escape import printable
from reports.figures.save import SavedFigure
from reports.page.embedding import PAGE_BYTES, downloads
from reports.page.parts import STYLES, asset, environment
from reports.page.sections import figures_by_place, tables_by_place, words
from reports.page.shown_figures import files_of, pictures
from reports.results import StudyResults
from reports.tables.save import SavedTable

_HERE = Path(__file__).parent
_SCRIPTS = ("tables.js", "losses.js", "page.js")


def render_page(
    results: StudyResults,
    tables: list[SavedTable],
    figures: list[SavedFigure],
    skipped: list[str],
) -> str:
    """Return the page as text.

    Args:
        results: Of the study.
        tables: As they were written.
        figures: As they were written.
        skipped: A sentence for every figure and table without data.
    """
    template = environment(_HERE).get_template("report.html.jinja")
    assets = {"style": asset(*STYLES), "theme_script": asset("theme.js"), "script": asset(*_SCRIPTS)}
    fixed = words(results) | assets | {"skipped": skipped}
    embedded = pictures(figures)
    files = [path for saved in tables for path in saved.paths.values()]
    files += [path for saved in figures for path in files_of(saved)]

    def filled(room: int) -> str:
        links = downloads(files, room)
        shown = figures_by_place(figures, embedded, links) | tables_by_place(results, tables, links)
        outside = sum(not link.inside for link in links.values())
        return printable(template.render(fixed | shown, outside=outside))

    bare = filled(room=0)  # what it weighs tells how many downloads it can hold
    return filled(PAGE_BYTES - len(bare.encode()))
