"""Write figures so that the same results give the same bytes."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from reports.figures.registry import Drawing
from reports.figures.style import drawing_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_IDENTIFIER = re.compile(r'(\bid="|href="#|url\(#)')
_PROLOGUE = re.compile(r"^.*?(?=<svg)", re.DOTALL)


@dataclass(frozen=True)
class SavedFigure:
    """A figure on disk, with its words.

    Attributes:
        code: What papers and ``--only`` call it.
        drawing: Title, caption and alternative text.
        pdf: Vector file.
        png: Pixel file.
        svg: For the page, inline; empty if the figure is an image.
        jpeg: For the page, smaller than the PNG; empty if the figure is a drawing.
        csv: Its numbers; None where tables have them.
    """

    code: str
    drawing: Drawing
    pdf: Path
    png: Path
    svg: str
    jpeg: bytes
    csv: Path | None = None

    @property
    def files(self) -> list[Path]:
        """All that was written."""
        svg = [self.pdf.with_suffix(".svg")] if self.svg else []
        return [self.pdf, self.png, *svg, *([self.csv] if self.csv is not None else [])]


def save(drawing: Drawing, folder: Path, code: str) -> SavedFigure:
    """Write a drawing as PDF and PNG, without dates, and its numbers."""
    pdf, png, svg = (folder / f"{drawing.name}.{suffix}" for suffix in ("pdf", "png", "svg"))
    with drawing_style(), _without_layout():
        _freeze_layout(drawing.figure)
        _write(drawing, pdf)
        _write(drawing, png)
        text, picture = "", BytesIO()
        if drawing.image:
            drawing.figure.savefig(picture, format="jpeg", dpi=220, pil_kwargs={"quality": 88})
        else:
            _write(drawing, svg)
            text = _inline(svg.read_text(encoding="utf-8"), drawing)
    csv = _write_data(drawing, folder)
    return SavedFigure(code, drawing, pdf, png, text, picture.getvalue(), csv)


def _write_data(drawing: Drawing, folder: Path) -> Path | None:
    if drawing.data is None:
        return None
    path = folder / f"{drawing.name}.csv"
    text = drawing.data.to_csv(index=False, float_format="%.8g", lineterminator="\n")
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def save_as(drawing: Drawing, path: Path) -> None:
    """Write a drawing in the one format that the suffix of ``path`` names: .pdf, .png or .svg."""
    with drawing_style(), _without_layout():
        _freeze_layout(drawing.figure)
        _write(drawing, path)


def _write(drawing: Drawing, path: Path) -> None:
    date_of = {".pdf": "CreationDate", ".png": "Software", ".svg": "Date"}
    dots = 300 if drawing.image or path.suffix == ".pdf" else 200
    drawing.figure.savefig(path, dpi=dots, metadata={date_of[path.suffix]: None})


@contextmanager
def _without_layout() -> Iterator[None]:
    """Keep matplotlib from giving a figure another layout engine when its own is taken away."""
    import matplotlib as mpl

    with mpl.rc_context({"figure.constrained_layout.use": False, "figure.autolayout": False}):
        yield


def _freeze_layout(figure: "Figure") -> None:
    """Compute the layout once, not for every file, and round it.

    The solver's last digits change from run to run, which can move the border of a pixel.
    """
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    figure.set_layout_engine(None)  # "none" leaves a placeholder, for which every file is drawn twice
    for axis in figure.axes:
        x, y, width, height = axis.get_position(original=True).bounds
        axis.set_position((round(x, 5), round(y, 5), round(width, 5), round(height, 5)))


def _inline(svg: str, drawing: Drawing) -> str:
    """Return SVG for an HTML page: no prologue, identifiers of its own, hidden from screen readers."""
    body = _PROLOGUE.sub("", svg, count=1)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = _IDENTIFIER.sub(lambda match: f"{match[1]}{drawing.name}-", body)
    return body.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
