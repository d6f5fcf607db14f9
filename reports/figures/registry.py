"""The registry of figures, and what a figure function gives."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from harness.registry import Registry
from reports.codes import code_order

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from reports.results import StudyResults


@dataclass(frozen=True)
class Drawing:
    """A finished figure.

    Attributes:
        name: File name without suffix; begins with the registered name.
        title: A few words, for headings.
        caption: What is drawn and how to read it, generated from the actual options.
        alt: The content in words, for readers who do not see it.
        figure: The figure at its printed size.
        image: Whether it is mostly pixels, and goes into the page as an image instead of drawing.
        data: The numbers that are drawn, written beside the figure as CSV; None where tables have them.
    """

    name: str
    title: str
    caption: str
    alt: str
    figure: "Figure"
    image: bool = False
    data: "pd.DataFrame | None" = None


class NothingToDraw(Exception):
    """Raised by a figure function with a sentence that says what is missing."""


FigureFunction: TypeAlias = "Callable[[StudyResults], list[Drawing]]"


@dataclass(frozen=True)
class FigureEntry:
    """A figure as it is filed.

    Attributes:
        code: What papers and ``--only`` call it, for example ``F4``; figures that belong together share one.
        name: Its own, the beginning of its file names.
        draw: Draws it from the results of a study: one drawing, or one per dataset.
    """

    code: str
    name: str
    draw: FigureFunction


FIGURES: Registry[FigureEntry] = Registry("figure")
"""Every figure by name."""


def register_figure(code: str, name: str) -> Callable[[FigureFunction], FigureFunction]:
    """Return a decorator that files a figure function under a code and a name."""

    def decorate(draw: FigureFunction) -> FigureFunction:
        FIGURES.register(name)(FigureEntry(code, name, draw))
        return draw

    return decorate


def figures_in_order() -> list[FigureEntry]:
    """Return the figures by the number in their code, those of one code by name."""
    return sorted(FIGURES.values(), key=lambda entry: (code_order(entry.code), entry.name))
