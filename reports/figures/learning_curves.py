"""F1: validation DSC against the epoch."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reports.figures.journals import page_width
from reports.figures.paging import dataset_pages
from reports.figures.registry import Drawing, NothingToDraw, register_figure
from reports.figures.style import (
    LossStyle,
    drawing_style,
    grid_of_axes,
    new_figure,
    panels,
    row_name,
    short,
    styles,
)
from reports.results import ListedLoss, StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL = 1.55
"""Inches: the least width of a panel."""


@register_figure("F1", "learning_curves")
def learning_curves(results: StudyResults) -> list[Drawing]:
    """Draw validation DSC, one row per dataset and one panel per family."""
    curves = seed_curves(results.curves, "val_dsc")
    if curves.empty:
        raise NothingToDraw("No learning curve: no trial has recorded an epoch.")
    families = panels([loss for loss in results.losses if loss.label not in results.external])
    columns = min(int(page_width() // _PANEL), len(families))
    blocks = -(-len(families) // columns)
    drawings = []
    for page in dataset_pages(results, lambda datasets: _height(datasets * blocks)):
        shown = curves[curves["dataset"].isin(page.datasets)]
        with drawing_style():
            figure = _draw(results, shown, families, page.datasets, columns)
        best = shown.groupby("label")["value"].max().reindex(results.labels).dropna()
        name, title = f"learning_curves{page.suffix}", f"Learning curves{page.where}"
        data = over_seeds(shown, results.datasets, results.labels)
        drawings.append(Drawing(name, title, _caption(results), _alt(results, best), figure, data=data))
    return drawings


def _height(rows: int) -> float:
    return 0.35 + 1.75 * rows


def _draw(
    results: StudyResults,
    curves: pd.DataFrame,
    families: list[tuple[str, list[ListedLoss]]],
    datasets: tuple[str, ...],
    columns: int,
) -> "Figure":
    blocks = -(-len(families) // columns)
    figure = new_figure(page_width(), _height(len(datasets) * blocks))
    axes = grid_of_axes(figure, len(datasets) * blocks, columns, sharex=True, sharey="row")
    look = styles(results.losses)
    for position, dataset in enumerate(datasets):
        own = curves[curves["dataset"] == dataset]
        for place in range(blocks * columns):
            axis = axes[position * blocks + place // columns][place % columns]
            if place >= len(families):
                axis.set_axis_off()
                continue
            family, members = families[place]
            axis.set_title(family)
            _draw_panel(axis, own, members, look)
            if place % columns == 0:
                axis.set_ylabel(f"{row_name(dataset)}\nvalidation DSC, better ↑")
    label_epochs(axes)
    return figure


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


def draw_band(axis: "Axes", curve: pd.DataFrame, style: LossStyle, label: str) -> None:
    """Draw the median over seeds as a line and their range as a band."""
    over_seeds = curve.groupby("epoch")["value"].agg(["median", "min", "max"])
    axis.fill_between(
        over_seeds.index, over_seeds["min"], over_seeds["max"], color=style.colour, alpha=0.18, lw=0
    )
    axis.plot(
        over_seeds.index, over_seeds["median"], color=style.shade, ls=style.line, lw=style.width, label=label
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
) -> None:
    for loss in members:
        curve = curves[curves["label"] == loss.label]
        if len(curve):
            last = curve[curve["epoch"] == curve["epoch"].max()]["value"].median()
            draw_band(axis, curve, look[loss.label], f"{short(loss.label, 22)}  {last:.2f}")
    if not axis.lines:
        return
    whole_epochs(axis)
    top = max(0.1, math.ceil(10 * float(curves["value"].max())) / 10)
    axis.set_ylim(0, top)
    # Rising curves leave the lower right free, a curve that stays low the upper left.
    ends = [np.asarray(line.get_ydata(), float) for line in axis.lines]
    lowest = min((float(values[-1]) for values in ends if len(values) > 1), default=top)
    axis.legend(
        loc="lower right" if lowest > 0.35 * top else "upper left",
        frameon=True,
        framealpha=0.85,
        edgecolor="none",
    )


def _caption(results: StudyResults) -> str:
    spread = "median (line) and range (band) over seeds" if results.seeds > 1 else "one seed"
    folds = "; a seed's curve is the mean over its folds" if max(results.folds.values()) > 1 else ""
    return (
        f"Validation DSC after every epoch, {spread}{folds}. Panels are families of losses, colours too; "
        f"line styles tell members apart{_arms(results)}; the number beside a loss is its median at the last "
        "epoch. A cross ends the curve of a run that stopped "
        "early. Training losses have different units and are drawn in a figure of their own."
    )


def _arms(results: StudyResults) -> str:
    return (
        ", a thick line is the tuned arm of a loss" if any(loss.tuned_from for loss in results.losses) else ""
    )


def _alt(results: StudyResults, best: pd.Series) -> str:
    highest = ", ".join(f"{label} {value:.2f}" for label, value in best.items())
    number = len(results.losses)
    return f"Line charts of validation DSC by epoch for {number} losses. Highest value: {highest}."
