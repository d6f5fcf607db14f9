"""F12, second part: the confidence bands of expected validation, every loss in a panel of its own.

Not registered: :mod:`reports.figures.tuning_curves` gives both parts.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from reports.figures.journals import page_width
from reports.figures.learning_curves import whole_epochs
from reports.figures.registry import Drawing
from reports.figures.style import (
    LossStyle,
    drawing_style,
    grid_of_axes,
    new_figure,
    row_name,
)
from reports.figures.tuning_panels import frame, plain, tuned_styles
from reports.results import StudyResults
from reports.tuning.loss_search import LossSearch, loss_searches, objective, searched_datasets, tuned_losses

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 5
_OTHERS = "#b8b8b8"


def band_drawings(results: StudyResults) -> list[Drawing]:
    """Draw expected validation with its band; nothing where no search has one."""
    searches = [
        search for search in loss_searches(results) if search.band is not None and len(search.expected) > 1
    ]
    if not searches:
        return []
    labels = [loss.label for loss in tuned_losses(searches)]
    datasets = [name for name in searched_datasets(results) if any(name == each.dataset for each in searches)]
    metric = objective(results, searches[0].folds[0].metric)
    arrow = "↑" if searches[0].higher_is_better else "↓"
    look = tuned_styles(results)
    with drawing_style():
        blocks = -(-len(labels) // _COLUMNS)
        columns = max(-(-len(labels) // blocks), 2)
        figure = new_figure(page_width(), 0.3 + 1.35 * blocks * len(datasets))
        axes = grid_of_axes(figure, blocks * len(datasets), columns, sharex=True)
        for position, dataset in enumerate(datasets):
            here = {search.label: search for search in searches if search.dataset == dataset}
            shown = 0
            for place in range(blocks * columns):
                axis = axes[position * blocks + place // columns][place % columns]
                if place >= len(labels) or labels[place] not in here:
                    axis.set_axis_off()
                    continue
                label = labels[place]
                axis.set_title(plain(label, 24), fontsize=6.5, color=look[label].shade)
                _draw(axis, here[label], [*here.values()], look[label])
                if place % columns == 0 or not shown:
                    axis.set_ylabel(f"{row_name(dataset)}\nval. {metric}, better {arrow}")
                else:
                    axis.tick_params(labelleft=False)
                shown += 1
        _label_configurations(axes)
        figure.align_ylabels()
    return [
        Drawing(
            "tuning_curves_bands", "Bands of expected validation", _caption(metric), _alt(searches), figure
        )
    ]


def _draw(axis: "Axes", search: LossSearch, everyone: Sequence[LossSearch], style: LossStyle) -> None:
    n = np.arange(1, len(search.expected) + 1)
    for other in everyone:
        if other is not search:
            axis.plot(np.arange(1, len(other.expected) + 1), other.expected, color=_OTHERS, lw=0.6, zorder=1)
    assert search.band is not None
    low, high = (np.clip(limit, -1e6, 1e6) for limit in search.band)
    axis.fill_between(n, low, high, color=style.colour, alpha=0.2, lw=0, zorder=2)
    for limit in (low, high):
        axis.plot(n, limit, color=style.colour, lw=0.6, zorder=2)
    axis.plot(
        n, search.expected, color=style.shade, lw=1.3, marker="o" if len(n) == 1 else "", ms=3, zorder=3
    )
    whole_epochs(axis)
    frame(axis, [each.expected for each in everyone], room=0.6)


def _label_configurations(axes: "list[list[Axes]]") -> None:
    """Label the lowest axes of every column."""
    for column in zip(*axes, strict=True):
        for axis in [axis for axis in column if axis.axison][-1:]:
            axis.set_xlabel("configurations")
            axis.tick_params(labelbottom=True)


def _caption(metric: str) -> str:
    return (
        f"Expected best validation {metric} of n configurations (line) with its confidence band, which holds "
        "for all n together (95 %); where it leaves the panel it is cut off. Few configurations say little "
        "about how good a rarer one might be, so upper limits lie high. Grey: the other losses."
    )


def _alt(searches: Sequence[LossSearch]) -> str:
    parts = [
        f"{search.label} on {search.dataset}: {search.expected[-1]:.2f} ({search.band[0][-1]:.2f} to "
        f"{search.band[1][-1]:.2f})"
        for search in searches
        if search.band is not None
    ]
    return f"Line charts with bands, one per loss. At the full budget: {'; '.join(parts)}."
