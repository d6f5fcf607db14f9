"""Build a study's report: tables, figures and one page."""

from dataclasses import dataclass, replace
from pathlib import Path

from harness.answering.looks import digest_of_scores, record_look
from harness.store import frames
from harness.store.database import Database
from reports.figures.save import save_figures
from reports.page import render_page
from reports.page.content import banners
from reports.results import StudyResults, load_results
from reports.tables import Table, as_plain_text, class_tables, main_table, write_table, write_words
from reports.tables.tuning import tuning_tables


@dataclass(frozen=True)
class WrittenReport:
    """What was written.

    Attributes:
        page: The page; ``figures`` and ``tables`` lie beside it.
        summary: The main table for the terminal.
    """

    page: Path
    summary: str


def build_report(
    database: Database, study: str, out: Path, prepared: Path, artifacts: Path, *, peek: bool = False
) -> WrittenReport:
    """Write ``report.html``, ``figures/`` and ``tables/`` for a study.

    An unfinished study shows validation results. Test results of a finished one, or of any with
    ``peek``, count as a look at the test set and are recorded as such before they are written. The
    same results give the same bytes.

    Args:
        database: Open results database.
        study: Name of the study.
        out: Folder to write into; made if absent.
        prepared: Folder of prepared caches, for images.
        artifacts: Folder below which the paths of artifacts lie, for predictions.
        peek: Show test results although the study is unfinished.

    Raises:
        InputError: if there is no such study, or none of its trials is finished.
    """
    results = load_results(database, study, prepared, artifacts, peek)
    if results.part == "test" and len(results.scores):
        record_look(database, study, digest_of_scores(results.scores), results.progress.complete)
        results = replace(results, looks=frames.looks(database, study))
    tables = [main_table(results), *class_tables(results)]
    written = [(table, write_table(table, out / "tables")) for table in tables]
    tuning = [(table, write_words(table, out / "tables")) for table in tuning_tables(results)]
    figures, skipped = save_figures(results, out / "figures")
    page = out / "report.html"
    text = render_page(results, written, figures, skipped, tuning)
    page.write_text(text, encoding="utf-8", newline="\n")
    return WrittenReport(page, _summary(results, tables[0]))


def _summary(results: StudyResults, table: Table) -> str:
    lines = [
        results.document.title or results.document.name,
        *(banner.text for banner in banners(results)),
        "",
    ]
    legend = (
        "* best mean of the column, which is no test of a difference; (...) SD over seeds; "
        "[k/n] k of n runs collapsed or diverged"
    )
    return "\n".join([*lines, as_plain_text(table), "", legend])
