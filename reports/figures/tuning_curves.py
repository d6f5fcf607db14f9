"""F12: what tuning may be expected to find, against configurations, epochs and time."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from harness.statistics.expected_validation import Values
from reports.figures.journals import page_width
from reports.figures.learning_curves import whole_epochs
from reports.figures.registry import Drawing, NothingToDraw, register_figure
from reports.figures.style import LossStyle, drawing_style, grid_of_axes, new_figure, row_name, short
from reports.figures.tuning_bands import band_drawings
from reports.figures.tuning_panels import (
    Panel,
    curve_panels,
    frame,
    page_name,
    plain,
    time_unit,
    tuned_styles,
)
from reports.results import StudyResults
from reports.tables.notes import listing
from reports.tuning.loss_search import LossSearch, loss_searches, objective
from reports.tuning.words import budget_notes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 4
_BACKGROUND = "#d0d0d0"
_LINE = 1.4
_LEGEND_COLUMNS = 4
_ENTRY = 9.8
"""Points: height of a line of a legend."""


@register_figure("F12", "tuning_curves")
def tuning_curves(results: StudyResults) -> list[Drawing]:
    """Draw expected validation of independent configurations, and the best so far of all others."""
    if not results.searches:
        return []
    pages = [(page, kind) for kind in (True, False) for page in curve_panels(results, independent=kind)]
    look = tuned_styles(results)
    drawings = []
    for number, (page, independent) in enumerate(pages, 1):
        kept = [panel for panel in page if any(len(search.expected) for search in panel.members)]
        if not kept:
            continue
        searches = [search for panel in kept for search in panel.members]
        with drawing_style():
            figure = _draw(results, kept, independent, look)
        title = "Expected validation by budget of tuning" if independent else "Best configuration so far"
        drawings.append(
            Drawing(
                page_name("tuning_curves", number, pages, kept[0].dataset),
                title,
                _caption(results, searches, kept, independent),
                _alt(results, searches, independent),
                figure,
                data=_data(searches, independent),
            )
        )
    drawings += band_drawings(results)
    if not drawings:
        raise NothingToDraw("No tuning curve: no configuration has a value yet.")
    return drawings


def _draw(
    results: StudyResults, panels: Sequence[Panel], independent: bool, look: dict[str, LossStyle]
) -> "Figure":
    """Draw budget above time, or beside it for a single panel."""
    alone = len(panels) == 1
    columns = 2 if alone else min(_COLUMNS, len(panels))
    blocks = 1 if alone else -(-len(panels) // columns)
    rows = 1 if alone else 2 * blocks
    families = any(panel.others for panel in panels)
    # The names of a family stand between its title and its panel, where they hide no curve.
    named = max(len(panel.members) for panel in panels) if families else 0
    searches = [search for panel in panels for search in panel.members]
    entries = -(-len({search.label for search in searches}) // _LEGEND_COLUMNS)
    names = named * _ENTRY / 72 * blocks + (0 if families else 0.16 * entries)
    figure = new_figure(page_width(), 0.3 + (2.3 if alone else 1.75) * rows + names)
    axes = grid_of_axes(figure, rows, columns)
    hours = max(float(_course(search, independent, True)[0][-1]) for search in searches if _known(search))
    for place in range(blocks * columns if not alone else 1):
        block, column = divmod(place, columns)
        pair = (axes[0][0], axes[0][1]) if alone else (axes[2 * block][column], axes[2 * block + 1][column])
        if place >= len(panels):
            for axis in pair:
                axis.set_axis_off()
            continue
        _draw_pair(pair, panels[place], independent, look, hours)
        pair[0].set_title(short(panels[place].title, 34), pad=5 + named * _ENTRY)
        first = searches[0].folds[0]
        arrow = "↑" if first.higher_is_better else "↓"
        for axis in pair if column == 0 else ():
            if axis is pair[0] or not alone:
                axis.set_ylabel(f"validation {objective(results, first.metric)}, better {arrow}")
    if not families:
        _key(figure, axes, searches)
    if families and not alone:
        figure.suptitle(row_name(panels[0].dataset), x=0.005, ha="left", fontsize=8, fontweight="bold")
    figure.align_ylabels()
    return figure


def _draw_pair(
    pair: "tuple[Axes, Axes]", panel: Panel, independent: bool, look: dict[str, LossStyle], hours: float
) -> None:
    unit, factor = time_unit(hours)
    for axis, in_hours in zip(pair, (False, True), strict=True):
        scale = factor if in_hours else 1.0
        for search in panel.others:
            if _known(search):
                x, y = _course(search, independent, in_hours)
                axis.plot(x * scale, y, color=_BACKGROUND, lw=0.7, drawstyle=_style(independent), zorder=1)
        for search in panel.members:
            if _known(search):
                _draw_course(axis, search, independent, in_hours, scale, look[search.label])
        frame(axis, [_course(search, independent, False)[1] for search in _all_known(panel)])
        if in_hours:
            axis.set_xlabel(f"{unit} of one worker" + ("" if independent else ", spent"))
        else:
            axis.set_xlabel("configurations" if independent else "epochs spent")
            whole_epochs(axis)
        if panel.others and not in_hours:
            axis.legend(loc="lower left", bbox_to_anchor=(-0.03, 1.0), borderaxespad=0.0)


def _draw_course(
    axis: "Axes", search: LossSearch, independent: bool, in_hours: bool, scale: float, style: LossStyle
) -> None:
    x, y = _course(search, independent, in_hours)
    look: dict[str, Any] = {"drawstyle": _style(independent), "label": plain(search.label, 30)}
    axis.plot(x * scale, y, color=style.shade, ls=style.line, lw=_LINE, zorder=3, **look)
    axis.plot(x[-1:] * scale, y[-1:], "o", ms=2.6, mew=0, color=style.shade, zorder=4)


def _style(independent: bool) -> str:
    return "default" if independent else "steps-post"


def _known(search: LossSearch) -> bool:
    return len(search.expected) > 0


def _course(search: LossSearch, independent: bool, in_hours: bool) -> tuple[Values, Values]:
    """Return budget and value, where there is a value."""
    if not independent:
        return search.best_so_far(in_hours)
    n = np.arange(1, len(search.expected) + 1, dtype=float)
    return n * (search.hours_per_configuration if in_hours else 1.0), search.expected


def _all_known(panel: Panel) -> list[LossSearch]:
    return [search for search in (*panel.members, *panel.others) if _known(search)]


def _key(figure: "Figure", axes: "list[list[Axes]]", searches: Sequence[LossSearch]) -> None:
    """Name the losses once, above all panels."""
    found: dict[str, Any] = {}
    for axis in (axis for row in axes for axis in row):
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    order = [name for name in dict.fromkeys(plain(search.label, 30) for search in searches) if name in found]
    figure.legend(
        [found[name] for name in order],
        order,
        loc="outside upper left",
        ncols=_LEGEND_COLUMNS,
        columnspacing=1.6,
    )


def _caption(
    results: StudyResults, searches: Sequence[LossSearch], panels: Sequence[Panel], independent: bool
) -> str:
    metric = objective(results, searches[0].folds[0].metric)
    parts = list(budget_notes(searches))
    if independent:
        parts.append(
            f"Lines: expected best validation {metric} of n configurations, over all subsets of those tried; "
            "against time, n times the mean cost of a configuration."
        )
        if any(len(search.folds) > 1 for search in searches):
            parts.append("Losses searched on several folds: the mean over folds.")
    else:
        parts.append(
            f"Steps: best validation {metric} known when that much was spent, pruned and failed "
            "configurations included. These configurations are not independent, so there are no bands."
        )
        if any(len(search.folds) > 1 for search in searches):
            parts.append("Losses searched on several folds: the mean over folds, spent per fold.")
    parts.append("Curves may begin outside the panel; dots are their ends.")
    if any(panel.others for panel in panels):
        parts.append("Panels are families; grey: all other losses.")
    without = [f"{search.label} on {search.dataset}" for search in searches if not _known(search)]
    if without:
        parts.append(f"Without any value: {listing(without)}.")
    return " ".join(parts)


def _alt(results: StudyResults, searches: Sequence[LossSearch], independent: bool) -> str:
    courses = [(search, _course(search, independent, False)[1]) for search in searches if _known(search)]
    ends = [
        f"{search.label} on {search.dataset} from {curve[0]:.2f} to {curve[-1]:.2f}"
        for search, curve in courses
    ]
    metric = objective(results, loss_searches(results)[0].folds[0].metric)
    what = "expected best" if independent else "best so far of"
    return f"Line charts of the {what} validation {metric} by budget: {'; '.join(ends)}."


def _data(searches: Sequence[LossSearch], independent: bool) -> pd.DataFrame:
    rows = [row for search in searches if _known(search) for row in _rows(search, independent)]
    return pd.DataFrame(rows)


def _rows(search: LossSearch, independent: bool) -> Iterator[dict[str, Any]]:
    place = {"dataset": search.dataset, "loss": search.label, "folds": len(search.folds)}
    if independent:
        hours = search.hours_per_configuration
        low, high = search.band or (np.full(len(search.expected), np.nan),) * 2
        for n, (value, least, most) in enumerate(zip(search.expected, low, high, strict=True), 1):
            yield {
                **place,
                "configurations": n,
                "hours": n * hours,
                "expected": value,
                "low": least,
                "high": most,
            }
        return
    for in_hours in (False, True):
        for spent, best in zip(*search.best_so_far(in_hours), strict=True):
            yield {**place, "budget": "hours" if in_hours else "epochs", "spent": spent, "best_so_far": best}
