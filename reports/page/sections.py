"""What the template is filled with."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reports.bibliography import bibtex
from reports.figures.save import SavedFigure
from reports.figures.style import FAMILY_COLOURS, OTHER_COLOUR
from reports.methods import methods
from reports.page import content
from reports.page.embedding import Download, text_download
from reports.page.headings import figure_title, grouped, table_title
from reports.page.missing import missing
from reports.page.queries import queries
from reports.page.shown_figures import Picture, is_of_tuning, shown_figure
from reports.page.shown_tables import ShownTable, listing, shown_table, table_is_of_tuning
from reports.page.verdict import possibly_best, study_verdict
from reports.results import StudyResults
from reports.tables.save import SavedTable
from reports.tuning.loss_search import loss_searches
from reports.tuning.words import budget_notes

_DATASETS = "T5"
"""Code of the table of datasets, which stands in the section about data."""


def words(results: StudyResults) -> dict[str, Any]:
    """Return all sections that are neither a figure nor a table that was written."""
    references = bibtex(results)
    return {
        "results": results,
        "banners": content.banners(results),
        "missing": missing(results),
        "verdict": study_verdict(results),
        "possibly_best": possibly_best(results),
        "families": _families(results),
        "tuning_notes": budget_notes(loss_searches(results)) if results.searches else [],
        "failures": _listed("failures", content.failures(results), results),
        "alphas": _listed("alphas", content.alpha_schedules(results), results),
        "environments": _listed("environments", content.environments(results), results),
        "looks": _listed("looks", content.looks(results), results),
        "study_text": content.study_text(results),
        "methods": methods(results),
        "references": references,
        "references_file": text_download("references.bib", references),
        "queries": queries(results),
        "colours": {
            place: FAMILY_COLOURS.get(loss.family, OTHER_COLOUR) for place, loss in enumerate(results.losses)
        },
    }


def figures_by_place(
    figures: Sequence[SavedFigure], pictures: Mapping[str, Picture], links: Mapping[Path, Download]
) -> dict[str, Any]:
    """Return the figures by where they stand; those about tuning have the last numbers."""
    apart = sorted(figures, key=lambda saved: is_of_tuning(saved.drawing.name))
    shown = [
        shown_figure(saved, number, pictures[saved.drawing.name], links)
        for number, saved in enumerate(apart, 1)
    ]
    others = [figure for figure in shown if not figure.of_tuning]
    return {
        "figures": grouped(others, lambda figure: figure.code, figure_title),
        "tuning_figures": [figure for figure in shown if figure.of_tuning],
    }


def tables_by_place(
    results: StudyResults, tables: Sequence[SavedTable], links: Mapping[Path, Download]
) -> dict[str, Any]:
    """Return the tables by where they stand."""
    tuning = [saved for saved in tables if table_is_of_tuning(saved.table)]
    data = [saved for saved in tables if saved.code == _DATASETS]
    rest = [shown_table(each, results.labels, links) for each in tables if each not in [*tuning, *data]]
    return {
        "tables": grouped(rest, lambda table: table.code, table_title),
        "tuning_tables": [shown_table(saved, results.labels, links) for saved in tuning],
        "data_tables": [shown_table(saved, results.labels, links) for saved in data],
    }


def _listed(name: str, found: content.Listing, results: StudyResults) -> ShownTable:
    columns, rows = listing(found.columns, found.rows, results.labels)
    return ShownTable("", name, found.caption, (), columns, rows)


def _families(results: StudyResults) -> list[tuple[str, list[tuple[int, str]]]]:
    """Return family with place and label of its losses, for the filter."""
    found: dict[str, list[tuple[int, str]]] = {}
    for place, loss in enumerate(results.losses):
        found.setdefault(loss.family, []).append((place, loss.label))
    return list(found.items())
