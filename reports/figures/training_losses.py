"""F1, second part: the training loss, every loss on axes of its own."""

from reports.figures.journals import page_width
from reports.figures.learning_curves import draw_band, label_epochs, seed_curves, whole_epochs
from reports.figures.registry import Drawing, NothingToDraw, register_figure
from reports.figures.style import (
    LossStyle,
    drawing_style,
    grid_of_axes,
    new_figure,
    row_name,
    short,
    styles,
)
from reports.results import StudyResults

_COLUMNS = 5


@register_figure("F1", "training_losses")
def training_losses(results: StudyResults) -> list[Drawing]:
    """Draw the training loss; its values cannot be compared between losses, only its course."""
    curves = seed_curves(results.curves, "train_loss")
    if curves.empty:
        raise NothingToDraw("No training loss: no trial has recorded an epoch.")
    losses = [loss for loss in results.losses if loss.label not in results.external]
    with drawing_style():
        blocks = -(-len(losses) // _COLUMNS)
        columns = -(-len(losses) // blocks)
        rows = blocks * len(results.datasets)
        figure = new_figure(page_width(), 0.3 + 1.15 * rows)
        axes = grid_of_axes(figure, rows, columns, sharex=True)
        look = styles(results.losses)
        for position, dataset in enumerate(results.datasets):
            own = curves[curves["dataset"] == dataset]
            for place in range(blocks * columns):
                axis = axes[position * blocks + place // columns][place % columns]
                if place >= len(losses):
                    axis.set_axis_off()
                    continue
                label = losses[place].label
                style = look[label]
                axis.set_title(short(label, 22), fontsize=6.5, color=style.shade)
                curve = own[own["label"] == label]
                if len(curve):
                    whole_epochs(axis)
                    draw_band(axis, curve, LossStyle(style.colour, style.shade, "-", ""), "")
                if place % columns == 0:
                    axis.set_ylabel(f"{row_name(dataset)}\ntraining loss")
        label_epochs(axes)
    return [Drawing("training_losses", "Training losses", _caption(results), _alt(results), figure)]


def _caption(results: StudyResults) -> str:
    spread = "median and range over seeds" if results.seeds > 1 else "one seed"
    return (
        f"Mean training loss of every epoch, {spread}. Each panel has its own scale, because values of "
        "different losses cannot be compared; a compound whose weights move changes its scale as they do."
    )


def _alt(results: StudyResults) -> str:
    return f"{len(results.losses)} small line charts per dataset, the training loss of each loss by epoch."
