"""F1, second part: the training loss, every loss on axes of its own."""

from typing import TYPE_CHECKING

import pandas as pd

from reports.figures.family_panels import wrapped
from reports.figures.journals import page_width
from reports.figures.learning_curves import draw_band, label_epochs, over_seeds, seed_curves, whole_epochs
from reports.figures.paging import PAGE_HEIGHT, dataset_pages
from reports.figures.registry import Drawing, NothingToDraw, register_figure
from reports.figures.style import (
    LossStyle,
    drawing_style,
    grid_of_axes,
    new_figure,
    row_name,
    styles,
)
from reports.results import ListedLoss, StudyResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANEL = 1.2
"""Inches: the least width of a panel."""


@register_figure("F1", "training_losses")
def training_losses(results: StudyResults) -> list[Drawing]:
    """Draw the training loss; its values cannot be compared between losses, only its course."""
    curves = seed_curves(results.curves, "train_loss")
    if curves.empty:
        raise NothingToDraw("No training loss: no trial has recorded an epoch.")
    losses = [loss for loss in results.losses if loss.label not in results.external]
    fitting = int(page_width() // _PANEL)
    columns = -(-len(losses) // -(-len(losses) // fitting))
    blocks = -(-len(losses) // columns)
    drawings = []
    titles = _titles(losses, columns)
    for page in dataset_pages(results, lambda datasets: _height(blocks * datasets, titles)):
        shown = curves[curves["dataset"].isin(page.datasets)]
        with drawing_style():
            figure = _draw(results, shown, titles, page.datasets, columns)
        name, title = f"training_losses{page.suffix}", f"Training losses{page.where}"
        data = over_seeds(shown, results.datasets, results.labels)
        drawings.append(Drawing(name, title, _caption(results), _alt(results), figure, data=data))
    return drawings


def _titles(losses: list[ListedLoss], columns: int) -> dict[str, str]:
    """Return what stands above the panel of each loss."""
    room = 72 * (page_width() - 0.3) / columns - 20
    with drawing_style():
        # Bold letters are wider than those that are measured.
        return {loss.label: wrapped(loss.label, room / 1.08) for loss in losses}


def _height(rows: int, titles: dict[str, str]) -> float:
    second = 0.1 if any("\n" in title for title in titles.values()) else 0.0
    return 0.3 + rows * min(1.15 + second, max(0.62 + second, (PAGE_HEIGHT - 0.3) / rows))


def _draw(
    results: StudyResults,
    curves: pd.DataFrame,
    titles: dict[str, str],
    datasets: tuple[str, ...],
    columns: int,
) -> "Figure":
    import matplotlib as mpl

    labels = list(titles)
    blocks = -(-len(labels) // columns)
    figure = new_figure(page_width(), _height(blocks * len(datasets), titles))
    axes = grid_of_axes(figure, blocks * len(datasets), columns, sharex=True)
    look = styles(results.losses)
    for position, dataset in enumerate(datasets):
        own = curves[curves["dataset"] == dataset]
        for place in range(blocks * columns):
            axis = axes[position * blocks + place // columns][place % columns]
            if place >= len(labels):
                axis.set_axis_off()
                continue
            label = labels[place]
            style = look[label]
            axis.set_title(titles[label], fontsize=mpl.rcParams["xtick.labelsize"], color=style.shade)
            curve = own[own["label"] == label]
            if len(curve):
                whole_epochs(axis)
                draw_band(axis, curve, LossStyle(style.colour, style.shade, "-", ""))
            if place % columns == 0:
                axis.set_ylabel(f"{row_name(dataset)}\ntraining loss")
    label_epochs(axes)
    return figure


def _caption(results: StudyResults) -> str:
    spread = "median and range over seeds" if results.seeds > 1 else "one seed"
    return (
        f"Mean training loss of every epoch, {spread}. Each panel has its own scale, because values of "
        "different losses cannot be compared; a compound whose weights move changes its scale as they do."
    )


def _alt(results: StudyResults) -> str:
    return f"{len(results.losses)} small line charts per dataset, the training loss of each loss by epoch."
