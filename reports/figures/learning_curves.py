"""F1: validation DSC against the epoch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from reports.figures.family_panels import KEY_LINE, FamilyRows, family_rows, write_key
from reports.figures.label_placement import apart
from reports.figures.paging import PAGE_HEIGHT, dataset_pages
from reports.figures.registry import Drawing, NothingToDraw, register_figure
from reports.figures.style import (
    LossStyle,
    drawing_style,
    grid_of_axes,
    new_figure,
    panels,
    row_name,
    styles,
)
from reports.results import ListedLoss, StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation

_TALL, _LOWEST = 1.35, 0.75
"""Inches: height of a panel, and the least of it."""
_HEAD = 0.6
"""Inches: what stands above and below the panels of a family."""
_MARK: dict[str, Any] = {"markersize": 2.6, "markeredgewidth": 0}
_LEAD = 8.0
"""Points from the end of a curve to its number."""


@dataclass(frozen=True)
class _End:
    """The number at the end of a curve."""

    value: float
    written: "Annotation"


@register_figure("F1", "learning_curves")
def learning_curves(results: StudyResults) -> list[Drawing]:
    """Draw validation DSC: a panel for each family and dataset, the datasets of a family in a column."""
    curves = seed_curves(results.curves, "val_dsc")
    if curves.empty:
        raise NothingToDraw("No learning curve: no trial has recorded an epoch.")
    laid = family_rows(panels([loss for loss in results.losses if loss.label not in results.external]))
    drawings = []
    for page in dataset_pages(results, lambda datasets: _height(laid, datasets, _TALL)):
        shown = curves[curves["dataset"].isin(page.datasets)]
        with drawing_style():
            figure = _draw(results, shown, laid, page.datasets)
        best = shown.groupby("label")["value"].max().reindex(results.labels).dropna()
        name, title = f"learning_curves{page.suffix}", f"Learning curves{page.where}"
        data = over_seeds(shown, results.datasets, results.labels)
        words = _caption(results, shown)
        drawings.append(Drawing(name, title, words, _alt(results, best), figure, data=data))
    return drawings


def _height(laid: FamilyRows, datasets: int, tall: float) -> float:
    return sum(datasets * (tall + 0.1) + _HEAD + KEY_LINE * key for key in laid.keys)


def _draw(
    results: StudyResults, curves: pd.DataFrame, laid: FamilyRows, datasets: tuple[str, ...]
) -> "Figure":
    number = len(datasets)
    spare = PAGE_HEIGHT - _height(laid, number, 0.0)
    tall = max(_LOWEST, min(_TALL, spare / (number * len(laid.rows))))
    ratios = [ratio for key in laid.keys for ratio in (*[tall] * number, KEY_LINE * key)]
    figure = new_figure(laid.width, _height(laid, number, tall), w_pad=0.03, h_pad=0.03)
    axes = grid_of_axes(figure, len(ratios), laid.columns, sharex=True, height_ratios=ratios)
    look = styles(results.losses)
    ends: list[tuple[Axes, list[_End]]] = []
    for place, row in enumerate(laid.rows):
        *rows, keys = axes[place * (number + 1) : (place + 1) * (number + 1)]
        for axis in (*keys, *(axis for each in rows for axis in each[len(row) :])):
            axis.set_axis_off()
        for dataset, each in zip(datasets, rows, strict=True):
            own = curves[curves["dataset"] == dataset]
            each[0].set_ylabel(f"{row_name(dataset)}\nvalidation DSC, better ↑")
            for axis, (_, members) in zip(each, row, strict=False):
                axis.tick_params(labelleft=axis is each[0])
                ends.append((axis, _draw_panel(axis, own, members, look)))
        for column, (family, members) in enumerate(row):
            rows[0][column].set_title(family)
            rows[-1][column].set_xlabel("epoch")
            rows[-1][column].tick_params(labelbottom=True)
            _write_key(keys[column], curves, members, look, laid.room)
    figure.draw_without_rendering()  # numbers need to know how high panels are
    for axis, some in ends:
        _move_apart(axis, some)
    return figure


def _write_key(
    axis: "Axes", curves: pd.DataFrame, members: list[ListedLoss], look: dict[str, LossStyle], room: float
) -> None:
    """Name the curves of a family; a loss without one is not named."""
    from matplotlib.lines import Line2D

    known = set(curves["label"])
    labels = [loss.label for loss in members if loss.label in known]
    drawn = [look[label] for label in labels]
    samples = [
        Line2D([], [], color=each.shade, ls=each.line, lw=each.width, marker=each.marker, **_MARK)
        for each in drawn
    ]
    write_key(axis, samples, labels, room)


def seed_curves(curves: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return one curve per dataset, loss and seed, the mean over folds, in the column ``value``."""
    groups = curves.groupby(["dataset", "label", "seed", "epoch"], as_index=False)
    return groups.agg(value=(column, "mean"))


def over_seeds(curves: pd.DataFrame, datasets: Sequence[str], labels: Sequence[str]) -> pd.DataFrame:
    """Return median, smallest and largest value of every epoch, datasets and losses in their order."""
    found = curves.groupby(["dataset", "label", "epoch"], observed=True)["value"]
    table = found.agg(median="median", smallest="min", largest="max", seeds="count").reset_index()
    places = {name: place for place, name in enumerate((*datasets, *labels))}
    order = table.assign(d=table["dataset"].map(places), loss=table["label"].map(places))
    return table.loc[order.sort_values(["d", "loss", "epoch"]).index].reset_index(drop=True)


def draw_band(axis: "Axes", curve: pd.DataFrame, style: LossStyle, place: int = 0) -> None:
    """Draw the median over seeds as a line and their range as a band.

    Args:
        axis: To draw on.
        curve: One row for each seed and epoch.
        style: Of the loss.
        place: Of the loss in its panel: losses have their few marks at different epochs.
    """
    over_seeds = curve.groupby("epoch")["value"].agg(["median", "min", "max"])
    axis.fill_between(
        over_seeds.index, over_seeds["min"], over_seeds["max"], color=style.colour, alpha=0.18, lw=0
    )
    step = max(1, len(over_seeds) // 4)
    axis.plot(
        over_seeds.index,
        over_seeds["median"],
        color=style.shade,
        ls=style.line,
        lw=style.width,
        marker=style.marker,
        markevery=(place % step, step),
        **_MARK,
    )
    # A seed that stopped early ends in a cross.
    ends = curve.groupby("seed")["epoch"].max()
    for seed, end in ends[ends < ends.max()].items():
        last = curve[(curve["seed"] == seed) & (curve["epoch"] == end)]["value"].iloc[0]
        axis.plot([end], [last], marker="x", ms=4, mew=1.2, color=style.shade, ls="none")


def label_epochs(axes: list[list["Axes"]]) -> None:
    """Label the lowest axes of every column, also where the grid's last row is not full."""
    for column in zip(*axes, strict=True):
        lowest = [axis for axis in column if axis.axison][-1:]
        for axis in lowest:
            axis.set_xlabel("epoch")
            axis.tick_params(labelbottom=True)


def whole_epochs(axis: "Axes") -> None:
    """Put ticks at whole epochs only."""
    from matplotlib.ticker import MaxNLocator

    axis.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))


def _draw_panel(
    axis: "Axes", curves: pd.DataFrame, members: list[ListedLoss], look: dict[str, LossStyle]
) -> list[_End]:
    """Draw the curves of a family; return the numbers at their ends, at the heights of the ends."""
    if curves.empty:
        return []
    whole_epochs(axis)
    first, last = float(curves["epoch"].min()), float(curves["epoch"].max())
    axis.set_xlim(first - 0.03 * (last - first or 10), last if last > first else last + 0.3)
    highest = float(np.nan_to_num(curves["value"].max()))
    axis.set_ylim(0, max(0.1, math.ceil(10 * highest) / 10))
    ends = []
    for place, loss in enumerate(members):
        curve = curves[curves["label"] == loss.label].dropna(subset="value")
        if len(curve):
            draw_band(axis, curve, look[loss.label], place)
            ends.append(_write_end(axis, curve, last, look[loss.label].shade))
    return ends


def _write_end(axis: "Axes", curve: pd.DataFrame, last: float, colour: str) -> _End:
    """Write the median at the last epoch beside the panel; a line leads to it where the curve gets there."""
    import matplotlib as mpl

    value = float(curve[curve["epoch"] == curve["epoch"].max()]["value"].median())
    reaches = curve["epoch"].max() == last
    written = axis.annotate(
        f"{value:.2f}",
        (1.0, value),
        (_LEAD, 0),
        xycoords=axis.get_yaxis_transform(),
        textcoords="offset points",
        va="center",
        color=colour,
        fontsize=mpl.rcParams["ytick.labelsize"],
        arrowprops={
            "arrowstyle": "-",
            "color": colour,
            "lw": 0.6,
            "shrinkA": 1,
            "shrinkB": 1,
            "relpos": (0, 0.5),
        }
        if reaches
        else None,
        annotation_clip=False,
    )
    return _End(value, written)


def _move_apart(axis: "Axes", ends: list[_End]) -> None:
    """Move the numbers at the right edge of a panel so far that they do not touch."""
    if not ends:
        return
    low, high = axis.get_ylim()
    points = axis.get_window_extent().height * 72 / axis.figure.dpi
    ordered = sorted(ends, key=lambda end: end.value)
    heights = [points * (end.value - low) / (high - low) for end in ordered]
    gap = 1.15 * float(ordered[0].written.get_fontsize())
    for end, before, height in zip(ordered, heights, apart(heights, gap, (0.0, points)), strict=True):
        end.written.set_position((_LEAD, height - before))


def _caption(results: StudyResults, curves: pd.DataFrame) -> str:
    spread = "median (line) and range (band) over seeds" if results.seeds > 1 else "one seed"
    folds = "; a seed's curve is the mean over its folds" if max(results.folds.values()) > 1 else ""
    final = "its median at its last epoch" if results.seeds > 1 else "its value at its last epoch"
    return (
        f"Validation DSC after every epoch, {spread}{folds}. Columns are families of losses, colours too; "
        f"lines and marks tell members apart{_arms(results)}, and the key below a family holds for all "
        f"panels above it. The number at the right of a curve, in its colour, is {final}; numbers that would "
        f"touch are moved apart, and a short line leads from the end of the curve{_early(curves)}. A cross "
        "ends the curve of a run that stopped early. Training losses have different units and are drawn in a "
        "figure of their own."
    )


def _early(curves: pd.DataFrame) -> str:
    """Say why a number has no line to it."""
    last = curves.groupby(["dataset", "label"])["epoch"].max()
    ended = (last < last.groupby("dataset").transform("max")).any()
    return ", but not to the number of a loss all of whose runs stopped early" if ended else ""


def _arms(results: StudyResults) -> str:
    return (
        ", a thick line is the tuned arm of a loss" if any(loss.tuned_from for loss in results.losses) else ""
    )


def _alt(results: StudyResults, best: pd.Series) -> str:
    highest = ", ".join(f"{label} {value:.2f}" for label, value in best.items())
    number = len(results.losses)
    return f"Line charts of validation DSC by epoch for {number} losses. Highest value: {highest}."
