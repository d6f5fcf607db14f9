"""Write a comparison: tables, figures and one self-contained page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.answering.looks import digest_of_scores, record_look
from harness.errors import InputError, nearest
from harness.store import frames
from harness.store.database import Database
from reports.build import ReportOptions
from reports.compare.figures import FIGURES
from reports.compare.page import render_comparison
from reports.compare.shown import Shown, comparison_of
from reports.compare.side_by_side import put_side_by_side
from reports.compare.tables import TABLES
from reports.compare.words import findings, kind, warnings
from reports.figures.journals import journal
from reports.figures.registry import NothingToDraw
from reports.figures.save import SavedFigure, save
from reports.results import StudyResults, load_results
from reports.tables.save import SavedTable
from reports.tables.write import write_words
from reports.written_files import replace_outdated


@dataclass(frozen=True)
class WrittenComparison:
    """What was written.

    Attributes:
        page: The page; None if only some figures and tables were wanted.
        summary: What was found, for the terminal.
        figures: In order.
        tables: In order.
        skipped: A sentence for every figure that there are no data for.
    """

    page: Path | None
    summary: str
    figures: tuple[SavedFigure, ...]
    tables: tuple[SavedTable, ...]
    skipped: tuple[str, ...]


def build_comparison(
    database: Database,
    studies: Sequence[str],
    out: Path,
    prepared: Path,
    artifacts: Path,
    options: ReportOptions | None = None,
) -> WrittenComparison:
    """Write ``compare.html``, ``figures/`` and ``tables/`` for two studies or more.

    As in a report, an unfinished study shows validation results unless ``peek`` is set, and test results
    are recorded as a look of every study before they are written. The same results give the same bytes.

    Args:
        database: Open results database that holds all of them.
        studies: Their names, each once; the first is the one that others are compared with.
        out: Folder to write into; made if absent.
        prepared: Folder of prepared caches.
        artifacts: Folder below which the paths of artifacts lie.
        options: Style and choice (codes FC1.. and TC1..); the usual ones if absent.

    Raises:
        InputError: if a study is unknown, unfinished beside a finished one, or they share no loss or
            metric, or an option is unknown.
    """
    options = options or ReportOptions()
    _check(studies, options.only)
    with journal(options.style):
        options.tell("reading the scores and answering")
        found = [load_results(database, name, prepared, artifacts, options.peek) for name in studies]
        beside = put_side_by_side(found)
        seen = tuple(_looked_at(database, each) for each in beside.studies)
        shown = comparison_of(replace(beside, studies=seen))
        options.tell("making tables and figures")
        tables = _save_tables(shown, out / "tables", options.only)
        figures, skipped = _save_figures(shown, out / "figures", options.only)
    page = None
    if not options.only:
        page = out / "compare.html"
        text = render_comparison(shown, tables, figures, skipped)
        page.write_text(text, encoding="utf-8", newline="\n")
        written: list[SavedFigure | SavedTable] = [*figures, *tables]
        replace_outdated(out, [path for each in written for path in each.files])
    return WrittenComparison(page, _summary(shown), tuple(figures), tuple(tables), tuple(skipped))


def _check(studies: Sequence[str], only: Sequence[str]) -> None:
    for name in studies:
        if list(studies).count(name) > 1:
            raise InputError(f"study {name!r} is given twice; give each study once")
    codes = [code for code, _ in (*FIGURES, *TABLES)]
    for name in only:
        if name.upper() not in codes:
            hint = nearest(name.upper(), codes) or f"; known: {', '.join(codes)}"
            raise InputError(f"a comparison has no figure or table {name!r}{hint}")


def _looked_at(database: Database, results: StudyResults) -> StudyResults:
    """Record the look at a study's test scores and return its results with all looks."""
    if results.part != "test" or not len(results.scores):
        return results
    name = results.document.name
    record_look(database, name, digest_of_scores(results.scores), results.progress.complete)
    return replace(results, looks=frames.looks(database, name))


def _wanted(only: Sequence[str]) -> Callable[[str], bool]:
    codes = {code.upper() for code in only}
    return lambda code: not codes or code in codes


def _save_tables(shown: Shown, folder: Path, only: Sequence[str]) -> list[SavedTable]:
    wanted = _wanted(only)
    made = [(code, make(shown)) for code, make in TABLES if wanted(code)]
    return [SavedTable(code, table, write_words(table, folder)) for code, table in made if table is not None]


def _save_figures(shown: Shown, folder: Path, only: Sequence[str]) -> tuple[list[SavedFigure], list[str]]:
    folder.mkdir(parents=True, exist_ok=True)
    wanted = _wanted(only)
    saved: list[SavedFigure] = []
    skipped: list[str] = []
    for code, draw in FIGURES:
        try:
            drawings = draw(shown) if wanted(code) else []
        except NothingToDraw as reason:
            skipped.append(str(reason))
            continue
        saved += [save(drawing, folder, code) for drawing in drawings]
    return saved, skipped


def _summary(shown: Shown) -> str:
    told = [each.text for each in warnings(shown.beside)]
    return "\n".join([kind(shown.beside), *told, "", *(f"* {each}" for each in findings(shown))])
