"""Figures that would be taller than a page go over several: by panels, or by datasets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from reports.results import StudyResults
from reports.tables.scores import file_name

PAGE_HEIGHT = 9.5
"""Inches that a figure may take on a page of a journal, its caption below."""

Panel = TypeVar("Panel")


@dataclass(frozen=True)
class PanelPage(Generic[Panel]):
    """Some of the panels of a figure.

    Attributes:
        panels: In order.
        number: Of the page, from 1.
        of: Number of pages.
    """

    panels: list[Panel]
    number: int
    of: int

    def name(self, figure: str) -> str:
        """Return the file name."""
        return page_name(figure, self.number, self.of)

    def title(self, words: str) -> str:
        """Return the title, with the page where there are several."""
        return words if self.of == 1 else f"{words}, {self.number} of {self.of}"


@dataclass(frozen=True)
class DatasetPage:
    """What one figure shows.

    Attributes:
        datasets: In order.
        suffix: Of the figure's name.
        where: For its title.
    """

    datasets: tuple[str, ...]
    suffix: str = ""
    where: str = ""


def rows_on_page(height: float, around: float = 0.0) -> int:
    """Return how many rows of panels a page holds, one at least.

    Args:
        height: Inches of a row.
        around: Inches above and below all rows.
    """
    return max(1, int((PAGE_HEIGHT - around) / height))


def pages(panels: Sequence[Panel], most: int) -> list[PanelPage[Panel]]:
    """Return as few pages as hold all panels, about the same number on each.

    Args:
        panels: One at least.
        most: Panels of a page.
    """
    count = -(-len(panels) // most)
    size = -(-len(panels) // count)
    parts = [list(panels[start : start + size]) for start in range(0, len(panels), size)]
    return [PanelPage(part, number, len(parts)) for number, part in enumerate(parts, 1)]


def page_name(figure: str, number: int, of: int) -> str:
    """Return the file name of a page, numbered from 1 where there are several."""
    return figure if of == 1 else f"{figure}_{number}"


def dataset_name(figure: str, dataset: str, of: int) -> str:
    """Return the file name of what shows one dataset, named where there are several."""
    return figure if of == 1 else f"{figure}_{file_name(dataset)}"


def dataset_pages(results: StudyResults, height: Callable[[int], float]) -> list[DatasetPage]:
    """Return one page with all datasets if it is not too tall, else one for each.

    Args:
        results: Of the study.
        height: Inches of a figure by its number of datasets.
    """
    count = len(results.datasets)
    if count == 1 or height(count) <= PAGE_HEIGHT:
        return [DatasetPage(results.datasets)]
    return [DatasetPage((name,), dataset_name("", name, count), f" on {name}") for name in results.datasets]
