"""Build a study's report: tables, figures and one page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.answering.answer_files import write_answer
from harness.answering.looks import digest_of_scores, record_look
from harness.store import frames
from harness.store.database import Database
from reports.choice import choose
from reports.figures.journals import DEFAULT, journal
from reports.figures.save import SavedFigure
from reports.figures.save_all import save_figures, worthwhile_processes
from reports.page import render_page
from reports.page.content import banners
from reports.results import StudyResults, load_results
from reports.tables import as_plain_text, main_table
from reports.tables.save import SavedTable, save_tables
from reports.written_files import replace_outdated


def _silent(_: str) -> None:
    return None


@dataclass(frozen=True)
class ReportOptions:
    """What a report is to be.

    Attributes:
        style: The journal that figures are drawn for.
        only: Codes or names of the figures and tables that are wanted; all of them and the page if empty.
        peek: Show test results although the study is unfinished.
        tell: Is called with what is being done, in a few words.
        workers: Processes that draw; as many as are worth it if None. With more than one the caller must be
            importable (``if __name__ == "__main__":`` in scripts).
    """

    style: str = DEFAULT
    only: Sequence[str] = ()
    peek: bool = False
    tell: Callable[[str], None] = field(default=_silent, repr=False)
    workers: int | None = 1


@dataclass(frozen=True)
class WrittenReport:
    """What was written.

    Attributes:
        page: The page; None if only some figures and tables were wanted.
        summary: The main table for the terminal.
        figures: In order.
        tables: In order.
        skipped: A sentence for every figure and table that the study has no data for.
    """

    page: Path | None
    summary: str
    figures: tuple[SavedFigure, ...] = ()
    tables: tuple[SavedTable, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def files(self) -> list[Path]:
        """Every figure and table that was written, in all formats."""
        written: list[SavedFigure | SavedTable] = [*self.figures, *self.tables]
        return [path for each in written for path in each.files]


def build_report(
    database: Database,
    study: str,
    out: Path,
    prepared: Path,
    artifacts: Path,
    options: ReportOptions | None = None,
) -> WrittenReport:
    """Write ``report.html``, ``figures/``, ``tables/``, ``verdict.md`` and ``decision.json`` for a study.

    An unfinished study shows validation results. Test results of a finished one, or of any with
    ``peek``, count as a look at the test set and are recorded as such before they are written. The
    same results give the same bytes.

    Args:
        database: Open results database.
        study: Name of the study.
        out: Folder to write into; made if absent.
        prepared: Folder of prepared caches, for images.
        artifacts: Folder below which the paths of artifacts lie, for predictions.
        options: Style and choice; the usual ones if absent.

    Raises:
        InputError: if there is no such study, none of its trials is finished, or an option is unknown.
    """
    options = options or ReportOptions()
    choice = choose(options.only)
    with journal(options.style):
        options.tell("reading the scores and answering")
        results = load_results(database, study, prepared, artifacts, options.peek)
        if results.part == "test" and len(results.scores):
            record_look(database, study, digest_of_scores(results.scores), results.progress.complete)
            results = replace(results, looks=frames.looks(database, study))
        options.tell("making the tables")
        tables, untold = save_tables(results, out / "tables", choice.tables)
        workers = worthwhile_processes(results) if options.workers is None else options.workers
        figures, undrawn = save_figures(results, out / "figures", choice.figures, options.tell, workers)
    skipped = [*untold, *undrawn]
    page = out / "report.html" if choice.everything else None
    written = WrittenReport(page, _summary(results), tuple(figures), tuple(tables), tuple(skipped))
    if page is not None:
        options.tell("filling the page")
        text = render_page(results, tables, figures, skipped)
        page.write_text(text, encoding="utf-8", newline="\n")
        if results.answer is not None:
            write_answer(results.answer, out)
        replace_outdated(out, written.files)
    return written


def _summary(results: StudyResults) -> str:
    lines = [
        results.document.title or results.document.name,
        *(banner.text for banner in banners(results)),
        "",
    ]
    legend = (
        "* best mean of the column, which is no test of a difference; (...) SD over seeds; "
        "[k/n] k of n runs collapsed or diverged"
    )
    return "\n".join([*lines, as_plain_text(main_table(results)), "", legend])
