"""Which dimensions of a search mattered, and the learning rate's raw values, which show the direction."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from reports.figures.journals import page_width
from reports.figures.registry import Drawing, NothingToDraw, register_figure
from reports.figures.style import (
    INK,
    LossStyle,
    drawing_style,
    grid_of_axes,
    new_figure,
    row_name,
    short,
)
from reports.figures.tuning_panels import plain, tuned_styles
from reports.results import StudyResults
from reports.tuning.loss_search import loss_searches, objective, searched_datasets, tuned_losses

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEARNING_RATE = "learning_rate"
_COLUMNS = 5
_LINE = 0.15
"""Inches per row of the list of dimensions."""
_LONG = 9
"""Rows from which the list stands in two columns."""
_MARKERS = "osD^vPX<>"


@register_figure("FS2", "tuning_importance")
def tuning_importance(results: StudyResults) -> list[Drawing]:
    """Draw the importance of every dimension, and the value against the learning rate."""
    if not results.searches:
        return []
    drawings = [*_importance(results), *_learning_rates(results)]
    if not drawings:
        raise NothingToDraw("No importance of what was tuned: too few configurations have a value.")
    return drawings


def _importance(results: StudyResults) -> list[Drawing]:
    data = _shares(results)
    if data.empty:
        return []
    means = data.groupby(["dataset", "loss", "dimension"], sort=False)["importance"].mean().reset_index()
    labels = [loss.label for loss in tuned_losses(loss_searches(results)) if loss.label in set(means["loss"])]
    datasets = [name for name in searched_datasets(results) if name in set(means["dataset"])]
    columns = _columns(labels, means)
    look = tuned_styles(results)
    with drawing_style():
        lengths = [sum(_length(label, means) for label in column) for column in columns]
        height = 0.55 + _LINE * max(lengths) + (0.2 if len(datasets) > 1 else 0)
        figure = new_figure(page_width(), height, wspace=0.08)
        (axes,) = grid_of_axes(figure, 1, len(columns))
        for axis, column in zip(axes, columns, strict=True):
            _draw_list(axis, column, means, datasets, look)
            axis.set_ylim(max(lengths) - 0.4, -0.6)
        if len(datasets) > 1:
            handles = [_dot(axes[0], INK, marker) for marker in _markers(datasets).values()]
            figure.legend(handles, [*map(short, datasets)], loc="outside upper left", ncols=4)
    caption = (
        "How much each dimension matters: its share of what tells the better half of a search's "
        "configurations from all of them (PED-ANOVA, Watanabe et al., IJCAI 2023); the shares of a loss sum "
        "to 1. Means over folds; marks are datasets, colours families. Left out: dimensions that only some "
        "configurations have, and losses with one dimension. Importance has no direction, and with few "
        "configurations it is rough: see the raw values."
    )
    top = means.loc[means.groupby(["dataset", "loss"], sort=False)["importance"].idxmax()]
    most = "; ".join(
        f"{row.loss} on {row.dataset}: {row.dimension} {row.importance:.2f}" for row in top.itertuples()
    )
    alt = f"Dot plot of the importance of every tuned dimension by loss. Most important: {most}."
    title = "Importance of what was tuned"
    return [Drawing("tuning_importance", title, caption, alt, figure, data=data)]


def _shares(results: StudyResults) -> pd.DataFrame:
    from harness.tuning.importance import importances

    rows = [
        (search.dataset, search.label, history.fold, name, share)
        for search in loss_searches(results)
        for history in search.folds
        for name, share in _worth_saying(importances(history)).items()
    ]
    return pd.DataFrame(rows, columns=["dataset", "loss", "fold", "dimension", "importance"])


def _worth_saying(shares: Mapping[str, float]) -> Mapping[str, float]:
    """Leave out the only dimension of a search: its share is 1 in any case."""
    return shares if len(shares) > 1 else {}


def _length(label: str, means: pd.DataFrame) -> int:
    """Rows of a loss: its name, its dimensions and a gap."""
    return 2 + int(means[means["loss"] == label]["dimension"].nunique())


def _columns(labels: Sequence[str], means: pd.DataFrame) -> list[list[str]]:
    """Return one column, or two of about the same length."""
    total = sum(_length(label, means) for label in labels)
    if total < _LONG or len(labels) < 2:
        return [list(labels)]
    first: list[str] = []
    while sum(_length(label, means) for label in first) < total / 2:
        first.append(labels[len(first)])
    return [first, list(labels[len(first) :])] if len(first) < len(labels) else [first]


def _draw_list(
    axis: "Axes",
    labels: Sequence[str],
    means: pd.DataFrame,
    datasets: Sequence[str],
    look: dict[str, LossStyle],
) -> None:
    ticks: dict[int, str] = {}
    row = 0
    for label in labels:
        own = means[means["loss"] == label]
        axis.text(
            0, row, plain(label, 44), fontsize=7, fontweight="bold", va="center", color=look[label].shade
        )
        for dimension in own["dimension"].unique():
            row += 1
            ticks[row] = short(str(dimension), 26)
            shares = own[own["dimension"] == dimension].set_index("dataset")["importance"]
            axis.plot([0, shares.max()], [row, row], color=look[label].colour, lw=1.6, alpha=0.35, zorder=1)
            for dataset, marker in _markers(datasets).items():
                if dataset in shares.index:
                    axis.plot(
                        [shares[dataset]], [row], marker, ms=4, color=look[label].shade, mew=0, zorder=3
                    )
        row += 2
    axis.set_yticks([*ticks], [*ticks.values()])
    axis.tick_params(axis="y", length=0)
    axis.grid(visible=False, axis="y")
    axis.spines["left"].set_visible(False)
    axis.set_xlim(-0.015, 1.03)
    axis.set_xlabel("share of importance")


def _markers(datasets: Sequence[str]) -> dict[str, str]:
    return {name: _MARKERS[place % len(_MARKERS)] for place, name in enumerate(datasets)}


def _dot(axis: "Axes", colour: str, marker: str) -> Any:
    return axis.plot([], [], marker, ms=4, color=colour, mew=0)[0]


def _learning_rates(results: StudyResults) -> list[Drawing]:
    data = _points(results)
    if data.empty:
        return []
    labels = [loss.label for loss in tuned_losses(loss_searches(results)) if loss.label in set(data["loss"])]
    datasets = [name for name in searched_datasets(results) if name in set(data["dataset"])]
    look = tuned_styles(results)
    first = loss_searches(results)[0]
    metric, higher = objective(results, first.folds[0].metric), first.higher_is_better
    with drawing_style():
        blocks = -(-len(labels) // _COLUMNS)
        columns = max(-(-len(labels) // blocks), min(3, _COLUMNS))
        figure = new_figure(page_width(), 0.3 + 1.25 * blocks * len(datasets))
        axes = grid_of_axes(figure, blocks * len(datasets), columns, sharex=True, sharey="row")
        for position, dataset in enumerate(datasets):
            for place in range(blocks * columns):
                axis = axes[position * blocks + place // columns][place % columns]
                if place >= len(labels):
                    axis.set_axis_off()
                    continue
                label = labels[place]
                axis.set_title(plain(label, 24), fontsize=6.5, color=look[label].shade)
                own = data[data["dataset"] == dataset]
                _scatter(axis, own[own["loss"] == label], look[label], _limits(own["value"], higher))
                if place % columns == 0:
                    axis.set_ylabel(f"{row_name(dataset)}\nval. {metric}")
        _rate_axis(axes, data)
    folds = " of all folds" if any(len(search.folds) > 1 for search in loss_searches(results)) else ""
    caption = (
        f"Validation {metric} of every configuration{folds} against its learning rate. A ring marks the "
        "configuration that was chosen. All other dimensions vary too, which is what spreads points of one "
        "learning rate. Triangles at the edge lie beyond it. Pruned and failed configurations have no "
        "value and are not shown."
    )
    best = data[data["chosen"]]
    alt = "Scatter plots of validation value against learning rate, one per loss. Chosen: " + "; ".join(
        f"{row.loss} on {row.dataset} {row.learning_rate:.2g}" for row in best.itertuples()
    )
    title = "Value against learning rate"
    return [Drawing("tuning_importance_learning_rate", title, caption, f"{alt}.", figure, data=data)]


def _points(results: StudyResults) -> pd.DataFrame:
    rows = []
    for search in loss_searches(results):
        for history in search.folds:
            best = history.best
            for each in history.tried:
                rate = each.parameters.get(_LEARNING_RATE)
                if each.value is not None and isinstance(rate, int | float):
                    chosen = best is not None and each.number == best.number
                    rows.append(
                        (search.dataset, search.label, history.fold, each.number, rate, each.value, chosen)
                    )
    columns = ["dataset", "loss", "fold", "number", _LEARNING_RATE, "value", "chosen"]
    return pd.DataFrame(rows, columns=columns)


def _limits(values: "pd.Series[Any]", higher_is_better: bool) -> tuple[float, float]:
    """Return a range in which good values can be told apart; it has no room for diverged ones."""
    middle, best = float(values.median()), float(values.max() if higher_is_better else values.min())
    far = middle - 2.5 * (best - middle)
    low, high = sorted((far, best))
    low, high = max(low, float(values.min())), min(high, float(values.max()))
    margin = 0.1 * max(high - low, 0.01)
    return low - margin, high + margin


def _scatter(axis: "Axes", points: pd.DataFrame, style: LossStyle, limits: tuple[float, float]) -> None:
    look: dict[str, Any] = {"color": style.colour, "alpha": 0.75, "lw": 0, "zorder": 2}
    axis.scatter(points[_LEARNING_RATE], points["value"], s=9, **look)
    for end, beyond, marker in (
        (limits[0], points["value"] < limits[0], "v"),
        (limits[1], points["value"] > limits[1], "^"),
    ):
        rates = points.loc[beyond, _LEARNING_RATE]
        axis.scatter(rates, [end] * len(rates), s=16, marker=marker, clip_on=False, **look)
    best = points[points["chosen"]]
    axis.scatter(best[_LEARNING_RATE], best["value"], s=26, facecolor="none", edgecolor=INK, lw=0.8, zorder=3)
    axis.set_ylim(*limits)


def _rate_axis(axes: "list[list[Axes]]", data: pd.DataFrame) -> None:
    """Scale and label the learning rate, also below panels that have nothing under them."""
    low, high = float(data[_LEARNING_RATE].min()), float(data[_LEARNING_RATE].max())
    for column in zip(*axes, strict=True):
        shown = [axis for axis in column if axis.axison]
        for axis in shown:
            axis.set_xscale("log")
            axis.set_xlim(low / 1.5, high * 1.5)
            # Matplotlib's own labels need mathematics, which labels of users forbid.
            axis.xaxis.set_major_formatter(lambda value, _: f"{value:.0e}".replace("e-0", "e-"))
            axis.minorticks_off()
        for axis in shown[-1:]:
            axis.set_xlabel("learning rate")
            axis.tick_params(labelbottom=True)
