"""Figures that would be taller than a page are cut: one for every dataset."""

from collections.abc import Callable
from dataclasses import dataclass

from reports.results import StudyResults
from reports.tables.scores import file_name

PAGE_HEIGHT = 9.5
"""Inches that a figure may take on a page of a journal, its caption below."""


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


def dataset_pages(results: StudyResults, height: Callable[[int], float]) -> list[DatasetPage]:
    """Return one page with all datasets if it is not too tall, else one for each.

    Args:
        results: Of the study.
        height: Inches of a figure by its number of datasets.
    """
    if len(results.datasets) == 1 or height(len(results.datasets)) <= PAGE_HEIGHT:
        return [DatasetPage(results.datasets)]
    return [DatasetPage((name,), f"_{file_name(name)}", f" on {name}") for name in results.datasets]
