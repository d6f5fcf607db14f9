"""Forest plots: a row per loss with point and interval, a zero line, the margin, and words beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from reports.figures.journals import page_width
from reports.figures.paging import PanelPage, pages, rows_on_page
from reports.figures.row_panels import (
    LegendEntry,
    Words,
    add_legend,
    label_rows,
    legend_height,
    panel_title,
    patch_entry,
    row_pitch,
    write_words,
)
from reports.figures.style import INK, OTHER_COLOUR, LossStyle, grid_of_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Fill: TypeAlias = Literal["ringed", "full", "half", "open"]
"""How the point of a row is filled."""

GREY = "#8a8a8a"
BAND = "#dfe9f0"
_PANEL = 2.9
"""Inches: width of a panel with its words, at least."""

_RATIOS = (0.1, 0.2, 0.33, 0.5, 0.67, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)


@dataclass(frozen=True)
class ForestRow:
    """One loss; NaN instead of numbers leaves the words alone.

    Attributes:
        point: Estimate.
        interval: Its ends.
        style: Of the loss.
        fill: Of the marker.
        words: One for each column at the right.
        thin: Ends of a second interval, drawn thin and grey below the first one.
    """

    point: float
    interval: tuple[float, float]
    style: LossStyle
    fill: Fill
    words: tuple[str, ...]
    thin: tuple[float, float] | None = None


@dataclass(frozen=True)
class ForestPanel:
    """One panel.

    Attributes:
        title: Heading.
        subtitle: Below it, lighter.
        rows: One for each label of the figure.
        margin: Half-width of the band around zero.
        axis_label: Of the horizontal axis.
        ratios: Whether differences are logarithms, ticks then factors.
    """

    title: str
    subtitle: str
    rows: tuple[ForestRow, ...]
    margin: float
    axis_label: str
    ratios: bool = False


@dataclass(frozen=True)
class ForestKey:
    """What all panels share.

    Attributes:
        labels: Of the rows.
        headers: Of the columns of words.
        legend: Its entries.
    """

    labels: tuple[str, ...]
    headers: tuple[str, ...]
    legend: tuple[LegendEntry, ...]


def forest_pages(panels: Sequence[ForestPanel], key: ForestKey) -> list[PanelPage[ForestPanel]]:
    """Return the panels of every page."""
    rows = rows_on_page(_panel_height(len(key.labels)), legend_height(key.legend))
    return pages(panels, _columns() * rows)


def draw_forest(panels: Sequence[ForestPanel], key: ForestKey) -> "Figure":
    """Draw one page."""
    columns = min(_columns(), len(panels))
    rows = -(-len(panels) // columns)
    free = rows * columns > len(panels)
    below = 0.0 if free else legend_height(key.legend)
    height = rows * _panel_height(len(key.labels)) + below
    figure = new_figure(page_width(), height, wspace=0.06, hspace=0.03, h_pad=0.03)
    grid = grid_of_axes(figure, rows, columns)
    axes = [axis for row in grid for axis in row]
    for place, (axis, panel) in enumerate(zip(axes, panels, strict=False)):
        _draw_panel(axis, panel, key, named=place % columns == 0)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    add_legend(figure, key.legend, axes[len(panels)] if free else None)
    return figure


def marker_entry(fill: Fill, label: str) -> LegendEntry:
    """Return a legend entry for a filling."""
    from matplotlib.lines import Line2D

    return LegendEntry(Line2D([], [], ls="", **_marker_look("o", OTHER_COLOUR, fill)), label)


def band_entry(label: str) -> LegendEntry:
    """Return a legend entry for the band of the margin."""
    return patch_entry(BAND, label)


def thin_entry(label: str) -> LegendEntry:
    """Return a legend entry for the second interval."""
    from matplotlib.lines import Line2D

    return LegendEntry(Line2D([], [], color=GREY, lw=0.9), label)


def _columns() -> int:
    return max(1, int(page_width() / _PANEL))


def _panel_height(rows: int) -> float:
    return 0.72 + row_pitch() * max(rows, 3)


def _draw_panel(axis: "Axes", panel: ForestPanel, key: ForestKey, named: bool) -> None:
    axis.axvspan(-panel.margin, panel.margin, color=BAND, lw=0, zorder=0)
    axis.axvline(0, color=INK, lw=0.7, zorder=1)
    for place, row in enumerate(panel.rows):
        _draw_row(axis, place, row)
    label_rows(axis, key.labels, named)
    _ticks(axis, panel)
    axis.set_xlabel(panel.axis_label)
    panel_title(axis, panel.title, panel.subtitle)
    muted = tuple(not np.isfinite(row.point) for row in panel.rows)
    columns = [tuple(row.words[number] for row in panel.rows) for number in range(len(key.headers))]
    write_words(axis, [Words(*each, muted) for each in zip(key.headers, columns, strict=True)])


def _draw_row(axis: "Axes", place: int, row: ForestRow) -> None:
    if row.thin is not None:
        axis.plot(row.thin, [place + 0.27] * 2, color=GREY, lw=0.9, solid_capstyle="butt", zorder=2)
    if not np.isfinite(row.point):
        return
    low, high = row.interval
    axis.plot([low, high], [place] * 2, color=row.style.colour, lw=1.5, solid_capstyle="butt", zorder=3)
    axis.plot([row.point], [place], zorder=4, **_marker_look(row.style.marker, row.style.colour, row.fill))


def _marker_look(marker: str, colour: str, fill: Fill) -> dict[str, Any]:
    look: dict[str, Any] = {"marker": marker, "color": colour, "markersize": 4.2, "markeredgewidth": 0.8}
    if fill == "ringed":
        return look | {"markersize": 5.4, "markeredgecolor": "black", "markeredgewidth": 1.2}
    if fill == "half":
        return look | {"fillstyle": "left", "markerfacecoloralt": "white"}
    return look | ({"markerfacecolor": "white"} if fill == "open" else {})


def _ticks(axis: "Axes", panel: ForestPanel) -> None:
    from matplotlib.ticker import MaxNLocator

    known = [
        value for row in panel.rows for value in (*row.interval, *(row.thin or ())) if np.isfinite(value)
    ]
    low, high = min([-panel.margin, *known]), max([panel.margin, *known])
    room = 0.04 * (high - low)
    axis.set_xlim(low - room, high + room)
    if panel.ratios:
        places = [ratio for ratio in _RATIOS if low - room <= np.log(ratio) <= high + room]
        step = -(-len(places) // 6)
        one = places.index(1.0)
        shown = [ratio for place, ratio in enumerate(places) if (place - one) % step == 0]
        axis.set_xticks([float(np.log(ratio)) for ratio in shown], [f"{ratio:g}" for ratio in shown])
    else:
        axis.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10], min_n_ticks=3))
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "−"))
