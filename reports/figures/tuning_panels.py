"""What the figures of tuning share: which panels there are, names of files, units of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.statistics.expected_validation import Values
from reports.figures.style import MEMBERS_PER_PANEL, LossStyle, panels, short, styles
from reports.results import StudyResults
from reports.tables.scores import file_name
from reports.tuning.loss_search import LossSearch, loss_searches, searched_datasets, tuned_losses

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Panel:
    """A panel of curves.

    Attributes:
        dataset: Whose searches.
        title: Above it.
        members: Drawn in colour.
        others: Drawn in grey behind them.
    """

    dataset: str
    title: str
    members: tuple[LossSearch, ...]
    others: tuple[LossSearch, ...] = ()


def curve_panels(results: StudyResults, *, independent: bool) -> list[list[Panel]]:
    """Return the panels of every page of curves, of searches with or without independent configurations.

    Few losses share a panel per dataset, all on one page. Many are cut into families, one page per
    dataset, the others behind them in grey.
    """
    pages: list[list[Panel]] = []
    together: list[Panel] = []
    for dataset in searched_datasets(results):
        here = [search for search in loss_searches(results, dataset) if search.independent is independent]
        if len(here) <= MEMBERS_PER_PANEL:
            together += [Panel(dataset, dataset, tuple(here))] if here else []
            continue
        by_label = {search.label: search for search in here}
        page = []
        for family, losses in panels([search.loss for search in here]):
            members = tuple(by_label[loss.label] for loss in losses)
            page.append(Panel(dataset, family, members, tuple(each for each in here if each not in members)))
        pages.append(page)
    return ([together] if together else []) + pages


def tuned_styles(results: StudyResults) -> dict[str, LossStyle]:
    """Return the style of every tuned arm."""
    known = {loss.label for loss in results.losses}
    unlisted = [loss for loss in tuned_losses(loss_searches(results)) if loss.label not in known]
    return styles([*results.losses, *unlisted])


def plain(label: str, limit: int) -> str:
    """Return the label of a tuned arm for a figure that shows no others."""
    return short(label.removesuffix(" (tuned)"), limit)


def page_name(base: str, number: int, pages: Sequence[object], dataset: str) -> str:
    """Return the file name of a page: the base alone for a single one."""
    return base if len(pages) == 1 else f"{base}_{number}_{file_name(dataset)}"


def time_unit(hours: float) -> tuple[str, float]:
    """Return the unit in which a time reads well, and how many of it make an hour."""
    if hours >= 0.5:
        return "hours", 1.0
    return ("minutes", 60.0) if hours >= 0.5 / 60 else ("seconds", 3600.0)


def frame(axis: "Axes", curves: Sequence[Values], room: float = 0.12) -> None:
    """Show nearly all of some curves: a beginning far from where all others are may lie outside.

    Args:
        axis: Where.
        curves: None empty.
        room: Part of the range that is left free below and above.
    """
    values = np.concatenate(curves)
    ends = [float(curve[-1]) for curve in curves]
    low, high = (float(end) for end in np.quantile(values, (0.1, 0.9)))
    low, high = min(low, *ends), max(high, *ends)
    low, high = max(float(values.min()), 2 * low - high), min(float(values.max()), 2 * high - low)
    margin = room * max(high - low, 0.02)
    axis.set_ylim(low - margin, high + margin)
    axis.set_xlim(left=0)
