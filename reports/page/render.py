"""Fill the template: one HTML file that needs nothing from outside."""

import base64
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports.escape import printable
from reports.figures.save import SavedFigure
from reports.figures.style import FAMILY_COLOURS, OTHER_COLOUR
from reports.methods import methods
from reports.page import content
from reports.results import StudyResults
from reports.tables import Table, WordTable
from reports.tables.save import SavedTable
from reports.tuning.loss_search import loss_searches
from reports.tuning.words import budget_notes

_HERE = Path(__file__).parent
_TYPES = {
    "csv": "text/csv",
    "md": "text/markdown",
    "tex": "application/x-tex",
    "pdf": "application/pdf",
    "png": "image/png",
}
_LARGEST_EMBEDDED = 1_000_000
"""Bytes: larger downloads are linked beside the page."""
_TUNING = "tuning_"
"""How the names of figures begin that stand in the section about tuning."""
_LONG = 30
"""Rows from which a table of words is folded."""


@dataclass(frozen=True)
class _Download:
    label: str
    name: str
    address: str


@dataclass(frozen=True)
class _ShownTable:
    table: Table
    downloads: list[_Download]


@dataclass(frozen=True)
class _ShownWords:
    table: WordTable
    downloads: list[_Download]

    @property
    def folded(self) -> bool:
        """Whether it is so long that it opens on request only."""
        return len(self.table.rows) > _LONG


@dataclass(frozen=True)
class _ShownFigure:
    number: int
    name: str
    title: str
    caption: str
    alt: str
    svg: Markup
    image: str
    downloads: list[_Download]

    @property
    def of_tuning(self) -> bool:
        """Whether it stands in the section about tuning."""
        return self.name.startswith(_TUNING)


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
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environments, mixed = content.environments(results)
    shown = [
        _ShownTable(saved.table, [_download(path) for path in saved.paths.values()])
        for saved in tables
        if isinstance(saved.table, Table)
    ]
    apart = sorted(figures, key=lambda saved: saved.drawing.name.startswith(_TUNING))
    numbered = [_figure(saved, number) for number, saved in enumerate(apart, 1)]
    page = environment.get_template("report.html.jinja").render(
        results=results,
        banners=content.banners(results),
        tables=shown,
        figures=[figure for figure in numbered if not figure.of_tuning],
        tuning_figures=[figure for figure in numbered if figure.of_tuning],
        tuning_tables=[
            _ShownWords(saved.table, [_download(path) for path in saved.paths.values()])
            for saved in tables
            if isinstance(saved.table, WordTable)
        ],
        tuning_notes=budget_notes(loss_searches(results)) if results.searches else [],
        skipped=skipped,
        failures=content.failures(results),
        datasets=content.datasets(results),
        alphas=content.alpha_schedules(results),
        environments=environments,
        mixed_numerics=mixed,
        looks=content.looks(results),
        study_text=content.study_text(results),
        methods=methods(results),
        colours={loss.family: FAMILY_COLOURS.get(loss.family, OTHER_COLOUR) for loss in results.losses},
        style=Markup((_HERE / "report.css").read_text(encoding="utf-8")),
        script=Markup((_HERE / "report.js").read_text(encoding="utf-8")),
    )
    return printable(page)


def _figure(saved: SavedFigure, number: int) -> _ShownFigure:
    drawing = saved.drawing
    data = [] if saved.csv is None else [_download(saved.csv)]
    return _ShownFigure(
        number=number,
        name=drawing.name,
        title=drawing.title,
        caption=drawing.caption,
        alt=drawing.alt,
        svg=Markup(saved.svg),
        image=_data_address(saved.jpeg, "image/jpeg") if saved.jpeg else "",
        downloads=[_download(saved.pdf), _download(saved.png, embed=bool(saved.svg)), *data],
    )


def _download(path: Path, embed: bool = True) -> _Download:
    """Return a link that holds the file itself, or leads to it if it is large or not to be embedded."""
    if embed and path.stat().st_size <= _LARGEST_EMBEDDED:
        address = _data_address(path.read_bytes(), _TYPES[path.suffix[1:]])
    else:
        address = f"{path.parent.name}/{path.name}"
    return _Download(
        {"md": "Markdown", "tex": "LaTeX"}.get(path.suffix[1:], path.suffix[1:].upper()), path.name, address
    )


def _data_address(content: bytes, content_type: str) -> str:
    return f"data:{content_type};base64,{base64.b64encode(content).decode()}"
