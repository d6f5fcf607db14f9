"""F5: which ranks each loss takes in the draws, and which it may have."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from reports.figures.answered import design_sentence, left_out
from reports.figures.comparison_panels import (
    ComparisonPanel,
    comparison_panels,
    metric_title,
    percent,
    shown_losses,
    together_sentence,
)
from reports.figures.journals import page_width
from reports.figures.paging import pages, rows_on_page
from reports.figures.registry import Drawing, register_figure
from reports.figures.row_panels import (
    LegendEntry,
    Words,
    add_legend,
    family_entries,
    label_rows,
    label_width,
    legend_height,
    panel_title,
    patch_entry,
    row_pitch,
    write_words,
)
from reports.figures.style import INK, OTHER_COLOUR, drawing_style, grid_of_axes, new_figure, styles
from reports.results import StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure

_BAR = "#e4e4e4"
_WIDEST = 1.35
"""Diameter of a blob of all draws, in ranks; up to 1.4, two blobs of half the draws each do not overlap."""

_NARROWEST_RANK, _NARROWEST_PANEL, _WORDS = 0.085, 1.62, 0.5
"""Inches of a rank, of a panel, and of the words beside it."""

_SMALLEST = 0.005
"""Share of draws below which a blob is no more than a speck."""

_EXAMPLES = (0.5, 0.1, 0.02)
"""Shares of draws in the legend."""


@register_figure("F5", "rank_sets")
def rank_sets(results: StudyResults) -> list[Drawing]:
    """Draw shares of draws as blobs over bars of the sets of ranks."""
    panels = comparison_panels(results, "ranks")
    known = {loss for panel in panels for loss in panel.losses}
    labels = [label for label in shown_losses(results, panels) if label in known]
    data, caption, alt = _data(labels, panels), _caption(results, panels), _alt(labels, panels)
    drawings = []
    with drawing_style():
        rows = rows_on_page(_panel_height(labels), legend_height(_legend(results)))
        for page in pages(panels, _columns(labels) * rows):
            figure = _draw(results, page.panels, labels)
            drawings.append(
                Drawing(page.name("rank_sets"), page.title("Ranks"), caption, alt, figure, data=data)
            )
    return drawings


def _columns(labels: Sequence[str]) -> int:
    panel = max(_NARROWEST_PANEL, _NARROWEST_RANK * len(labels)) + _WORDS
    return max(1, int((page_width() - label_width(labels)) / panel))


def _panel_height(labels: Sequence[str]) -> float:
    return 0.72 + row_pitch() * max(len(labels), 3)


def _draw(results: StudyResults, panels: Sequence[ComparisonPanel], labels: Sequence[str]) -> "Figure":
    columns = min(_columns(labels), len(panels))
    rows = -(-len(panels) // columns)
    free = rows * columns > len(panels)
    legend = _legend(results)
    height = rows * _panel_height(labels) + (0.0 if free else legend_height(legend))
    figure = new_figure(page_width(), height, wspace=0.06, hspace=0.03, h_pad=0.03)
    axes = [axis for row in grid_of_axes(figure, rows, columns) for axis in row]
    blobs = [
        _draw_panel(axis, panel, results, labels, named=place % columns == 0)
        for place, (axis, panel) in enumerate(zip(axes, panels, strict=False))
    ]
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    add_legend(figure, legend, axes[len(panels)] if free else None)
    _scale_blobs(figure, axes[: len(panels)], blobs, legend)
    return figure


def _draw_panel(
    axis: "Axes", panel: ComparisonPanel, results: StudyResults, labels: Sequence[str], named: bool
) -> "PathCollection":
    """Draw one panel; the blobs have their shares as sizes."""
    look, ranks = styles(results.losses), len(panel.losses)
    x, y, shares, colours = [], [], [], []
    lines = [panel.standings.get(label, "no run") for label in labels]
    for place, label in enumerate(labels):
        if label not in panel.losses:
            continue
        at = panel.losses.index(label)
        first, last = panel.ranks[at]
        lines[place] = f"{first}" if first == last else f"{first}–{last}"
        axis.barh(place, last - first + 0.8, left=first - 0.4, height=0.72, color=_BAR, lw=0, zorder=1.5)
        own = panel.stability.ranks[panel.stability.losses.index(label)]
        shown = np.flatnonzero(own >= _SMALLEST)
        x += [int(rank) + 1 for rank in shown]
        y += [place] * len(shown)
        shares += [float(own[rank]) for rank in shown]
        colours += [look[label].colour] * len(shown)
        middle = int(panel.stability.percentiles[panel.stability.losses.index(label), 1])
        axis.plot([middle] * 2, [place - 0.36, place + 0.36], color=INK, lw=0.9, zorder=4)
    label_rows(axis, labels, named)
    axis.grid(visible=False, axis="x")
    axis.set_xlim(0.3, ranks + 0.7)
    axis.set_xticks(_rank_ticks(ranks))
    axis.set_xlabel(f"Rank by {metric_title(results)}, better ←")
    panel_title(axis, panel.title, panel.subtitle)
    muted = tuple(label not in panel.losses for label in labels)
    write_words(axis, [Words("rank set", tuple(lines), muted)])
    return axis.scatter(x, y, s=shares, c=colours, lw=0, zorder=3)


def _rank_ticks(ranks: int) -> list[int]:
    step = 1 if ranks <= 12 else 5 if ranks <= 60 else 10
    return list(range(1, ranks + 1)) if step == 1 else [1, *range(step, ranks + 1, step)]


def _scale_blobs(
    figure: "Figure", axes: Sequence["Axes"], blobs: Sequence["PathCollection"], legend: Sequence[LegendEntry]
) -> None:
    """Make areas proportional to shares, as large as the narrowest panel of the page allows."""
    figure.draw_without_rendering()
    pitches = [72 * row_pitch()]
    for axis in axes:
        low, high = axis.get_xlim()
        pitches.append(72 * page_width() * axis.get_position().width / (high - low))
    widest = round(_WIDEST * min(pitches), 2)
    for each in blobs:
        each.set_sizes(np.asarray(each.get_sizes()) * widest**2)
    drawn = [handle for where in (*figure.legends, *_legends(figure)) for handle in where.legend_handles]
    for share, handle in zip(_EXAMPLES, drawn, strict=False):
        handle.set_markersize(widest * np.sqrt(share))


def _legends(figure: "Figure") -> list[Any]:
    return [axis.get_legend() for axis in figure.axes if axis.get_legend() is not None]


def _legend(results: StudyResults) -> list[LegendEntry]:
    from matplotlib.lines import Line2D

    blobs = [
        LegendEntry(
            Line2D([], [], ls="", marker="o", color=OTHER_COLOUR, markeredgewidth=0, markersize=4),
            f"{percent(share)} of the draws",
        )
        for share in _EXAMPLES
    ]
    middle = Line2D([], [], ls="", marker="|", color=INK, markersize=6, markeredgewidth=0.9)
    return [
        *blobs,
        LegendEntry(middle, "median rank"),
        patch_entry(_BAR, "rank set"),
        *family_entries(results.losses),
    ]


def _caption(results: StudyResults, panels: Sequence[ComparisonPanel]) -> str:
    level = percent(1 - max(panel.best.alpha for panel in panels))
    draws = panels[0].stability.draws
    return (
        f"Ranks by {metric_title(results)}. {design_sentence(results)} Areas of blobs: share of {draws:,} "
        "joint draws of patients and seeds in which a loss takes a rank, equal losses sharing the smaller "
        f"one; shares below {percent(_SMALLEST)} are not drawn; stroke: the median. They describe how stable "
        "the ranking is, and are no confidence. Bars and numbers at the right: ranks that a loss may have, "
        "from one more than the losses proven better to all but those proven worse, with the crossed "
        "variance of patients and seeds and Holm's correction over the comparisons of that loss; the set of "
        f"a single loss has a level of {level}.{together_sentence(panels)} Losses are in the order of "
        "expected regret." + left_out(results)
    )


def _alt(labels: Sequence[str], panels: Sequence[ComparisonPanel]) -> str:
    parts = []
    for panel in panels:
        sets = dict(zip(panel.losses, panel.ranks, strict=True))
        told = [f"{label} {sets[label][0]} to {sets[label][1]}" for label in labels if label in sets]
        parts.append(f"{panel.title}: {', '.join(told)}")
    return (
        f"Blobs of the shares of ranks, over bars of the ranks that each loss may have. {'. '.join(parts)}."
    )


def _data(labels: Sequence[str], panels: Sequence[ComparisonPanel]) -> pd.DataFrame:
    rows = []
    for panel in panels:
        for label in labels:
            if label not in panel.losses:
                continue
            first, last = panel.ranks[panel.losses.index(label)]
            at = panel.stability.losses.index(label)
            for rank, share in enumerate(panel.stability.ranks[at], start=1):
                rows.append(
                    {
                        "dataset": panel.name,
                        "loss": label,
                        "rank": rank,
                        "share_of_draws": share,
                        "median_rank": int(panel.stability.percentiles[at, 1]),
                        "set_first": first,
                        "set_last": last,
                    }
                )
    return pd.DataFrame(rows)
