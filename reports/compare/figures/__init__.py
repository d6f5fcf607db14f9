"""Figures of a comparison: changes on one dataset, differences from the reference, agreement of rankings."""

from collections.abc import Callable, Sequence

from reports.compare.figures.changes import changes_on_datasets
from reports.compare.figures.rankings import rank_agreement
from reports.compare.figures.reference import reference_differences
from reports.compare.shown import Shown
from reports.figures.registry import Drawing

FIGURES: Sequence[tuple[str, Callable[[Shown], list[Drawing]]]] = (
    ("FC1", changes_on_datasets),
    ("FC2", reference_differences),
    ("FC3", rank_agreement),
)
"""In the order of the page."""

__all__ = ["FIGURES"]
