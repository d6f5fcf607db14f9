"""Figures as the page shows them: light drawings as drawings, heavy ones as pictures."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from reports.figures.save import SavedFigure
from reports.page.embedding import Download, compact_png, data_address, pixels

_LIGHT_DRAWING = 150_000
"""Bytes of SVG up to which a figure is part of the document."""

_LIGHT_DRAWINGS = 2_000_000
"""Bytes of SVG that all of them may take: every line is an element that the browser lays out."""

_SIZE = re.compile(r'<svg[^>]*? viewBox="[-\d.]+ [-\d.]+ ([\d.]+) ([\d.]+)"', re.DOTALL)
_TUNING = "tuning_"
"""How the names of figures begin that stand in the section about tuning."""

_LIFE_SIZE = 96 / 72 * 1.2
"""CSS pixels per point: a little larger than in print, for screens are further away."""


@dataclass(frozen=True)
class Picture:
    """How a figure is embedded.

    Attributes:
        svg: A light drawing; empty otherwise.
        image: The address of a picture, which holds it; empty otherwise.
        width: In CSS pixels, at which it is shown where there is room.
        height: The same.
    """

    svg: Markup
    image: str
    width: int
    height: int

    @property
    def weight(self) -> int:
        """Bytes in the page."""
        return len(self.svg) + len(self.image)


@dataclass(frozen=True)
class ShownFigure:
    """A figure on the page.

    Attributes:
        code: What papers call it.
        number: Its place on the page.
        name: Its own.
        title: A few words.
        caption: Sentences.
        alt: Its content in words.
        picture: Embedded.
        downloads: Its files.
    """

    code: str
    number: int
    name: str
    title: str
    caption: str
    alt: str
    picture: Picture
    downloads: tuple[Download, ...]

    @property
    def of_tuning(self) -> bool:
        """Whether it stands in the section about tuning."""
        return is_of_tuning(self.name)


def is_of_tuning(name: str) -> bool:
    """Whether the figure of that name stands in the section about tuning."""
    return name.startswith(_TUNING)


def files_of(saved: SavedFigure) -> tuple[Path, ...]:
    """Return the files of a figure that can be downloaded."""
    return tuple(path for path in (saved.pdf, saved.png, saved.csv) if path is not None)


def pictures(figures: Iterable[SavedFigure]) -> dict[str, Picture]:
    """Return every figure's picture by name; the lightest drawings stay drawings, as many as may."""
    found: dict[str, Picture] = {}
    room = _LIGHT_DRAWINGS
    for saved in sorted(figures, key=lambda each: (len(each.svg), each.drawing.name)):
        inline = 0 < len(saved.svg) <= min(_LIGHT_DRAWING, room)
        room -= len(saved.svg) if inline else 0
        found[saved.drawing.name] = _drawn(saved.svg) if inline else _pictured(saved)
    return found


def shown_figure(
    saved: SavedFigure, number: int, picture: Picture, links: Mapping[Path, Download]
) -> ShownFigure:
    """Return a figure for the page.

    Args:
        saved: As it was written.
        number: Its place on the page.
        picture: Its own.
        links: By file.
    """
    drawing = saved.drawing
    files = tuple(links[path] for path in files_of(saved))
    return ShownFigure(
        saved.code, number, drawing.name, drawing.title, drawing.caption, drawing.alt, picture, files
    )


def _drawn(svg: str) -> Picture:
    size = _SIZE.search(svg)
    width, height = (float(size[1]), float(size[2])) if size else (500.0, 350.0)
    return Picture(Markup(svg), "", round(width * _LIFE_SIZE), round(height * _LIFE_SIZE))


def _pictured(saved: SavedFigure) -> Picture:
    if saved.jpeg:
        content, kind = saved.jpeg, "image/jpeg"
    else:
        content, kind = compact_png(saved.png), "image/png"
    across, down = pixels(content)
    drawn = _SIZE.search(saved.svg)
    width = float(drawn[1]) * _LIFE_SIZE if drawn else across / 220 * 72 * _LIFE_SIZE
    return Picture(Markup(""), data_address(content, kind), round(width), round(width * down / across))
