"""F2: the raw data, every patient's value under every loss."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.figures.journals import page_width
from reports.figures.paging import PAGE_HEIGHT, dataset_pages
from reports.figures.registry import Drawing, NothingToDraw, register_figure
from reports.figures.style import (
    INK,
    LossStyle,
    drawing_style,
    grid_of_axes,
    metric_label,
    new_figure,
    short,
    styles,
)
from reports.results import StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_METRICS = ("dsc", "hd95")
_ENOUGH_FOR_DENSITY = 8
_TOO_MANY_POINTS_TO_DRAW = 5000


@register_figure("F2", "case_scores")
def case_scores(results: StudyResults) -> list[Drawing]:
    """Draw patient values as points, box and density, with the seed means above them."""
    metrics = [name for name in _METRICS if name in results.main_metrics()]
    if results.patients.empty or not metrics:
        raise NothingToDraw("No patient values: no run is complete yet.")
    drawings = []
    for page in dataset_pages(results, lambda datasets: _height(datasets, len(results.losses))):
        with drawing_style():
            height = _height(len(page.datasets), len(results.losses))
            figure = new_figure(page_width(), height, wspace=0.06, hspace=0.04)
            axes = grid_of_axes(figure, len(page.datasets), len(metrics), sharey=True)
            for row, dataset in zip(axes, page.datasets, strict=True):
                for axis, metric in zip(row, metrics, strict=True):
                    _draw_metric(axis, results, dataset, metric)
                row[0].set_title(_row_title(results, dataset))
        name, title = f"case_scores{page.suffix}", f"Patient values{page.where}"
        alt = _alt(results, metrics, page.datasets)
        data = _data(results, metrics, page.datasets)
        drawings.append(Drawing(name, title, _caption(results, metrics), alt, figure, data=data))
    return drawings


def _height(datasets: int, losses: int) -> float:
    """Return inches; the rows of many losses move closer together."""
    row = min(0.27, max(0.15, (PAGE_HEIGHT - 0.95) / losses))
    return 0.45 + datasets * (0.5 + row * losses)


def _data(results: StudyResults, metrics: list[str], datasets: Sequence[str]) -> pd.DataFrame:
    """Return the points: means over seeds of every patient."""
    values = results.patients
    values = values[values["metric"].isin(metrics) & values["dataset"].isin(datasets)]
    keys = ["dataset", "metric", "label", "patient"]
    table = values.groupby(keys, observed=True)["value"].agg(mean_over_seeds="mean", seeds="count")
    return table.reset_index()


def _draw_metric(axis: "Axes", results: StudyResults, dataset: str, metric: str) -> None:
    values = _of(results.patients, dataset, metric)
    runs = _of(results.run_values, dataset, metric)
    unit = results.metrics.set_index("name").loc[metric, "unit"]
    _scale(axis, values["value"].to_numpy(), bool(unit))
    look = styles(results.losses)
    crowded = len(values) > _TOO_MANY_POINTS_TO_DRAW
    for place, label in enumerate(results.labels):
        by_patient = values[values["label"] == label].groupby("patient")["value"].mean()
        if len(by_patient):
            _draw_rain(axis, place, by_patient.to_numpy(), look[label], crowded)
            _draw_seeds(axis, place, runs[runs["label"] == label]["value"].to_numpy())
    axis.set_ylim(len(results.labels) - 0.45, -0.62)
    axis.set_yticks(range(len(results.labels)), [short(label) for label in results.labels])
    axis.tick_params(axis="y", length=0)
    axis.grid(visible=False, axis="y")
    axis.spines["left"].set_visible(False)
    axis.set_xlabel(metric_label(results, metric) + (", logarithmic above 1" if unit else ""))


def _scale(axis: "Axes", values: NDArray[Any], distance: bool) -> None:
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    if not distance:
        axis.set_xlim(
            max(0.0, np.floor(10 * low - 0.2) / 10) - 0.01, min(1.0, np.ceil(10 * high + 0.2) / 10) + 0.01
        )
        return
    axis.set_xscale("symlog", linthresh=1.0, linscale=0.5)
    left, right = (0.8 * low if low > 1 else -0.05), max(10.0, 1.25 * high)
    axis.set_xticks(_ticks(left, right))
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.minorticks_off()
    axis.set_xlim(left, right)


def _ticks(left: float, right: float) -> list[float]:
    """Return round numbers for a logarithmic axis, at least three where the range allows it."""
    found: list[float] = []
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)):
        ticks = [0.0, *(step * 10.0**power for power in range(6) for step in steps)]
        found = [tick for tick in ticks if left <= tick <= right]
        if len(found) >= 3:
            break
    return found


def _draw_rain(axis: "Axes", place: int, values: NDArray[Any], style: LossStyle, crowded: bool) -> None:
    """Half a violin above the line, a thin box on it, points below."""
    if len(values) >= _ENOUGH_FOR_DENSITY and np.ptp(values) > 0:
        at, density = _density(axis, values)
        axis.fill_between(
            at, place - 0.08 - 0.36 * density, place - 0.08, color=style.colour, alpha=0.35, lw=0
        )
    low, middle, high = np.percentile(values, [25, 50, 75])
    axis.plot([low, high], [place, place], color=style.colour, lw=2.6, solid_capstyle="butt", alpha=0.8)
    axis.plot([middle, middle], [place - 0.09, place + 0.09], color=INK, lw=0.9)
    # Low-discrepancy jitter: points spread evenly and fall in the same place every time.
    jitter = 0.13 + 0.2 * np.modf(np.argsort(np.argsort(values, kind="stable"), kind="stable") * 0.618034)[0]
    # A level of their own: pixels of all losses make one picture, not one each.
    look: dict[str, Any] = {"color": style.colour, "alpha": 0.75, "lw": 0, "zorder": 1.1}
    axis.scatter(values, place + jitter, s=3.5, rasterized=crowded, **look)


def _draw_seeds(axis: "Axes", place: int, means: NDArray[Any]) -> None:
    axis.scatter(
        means,
        np.full(len(means), place),
        s=10,
        marker="D",
        facecolor="white",
        edgecolor=INK,
        lw=0.7,
        zorder=4,
    )


def _density(axis: "Axes", values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Gaussian kernel density on the axis's own scale, its maximum 1, inside the range of the data."""
    from scipy.stats import gaussian_kde, norm

    scale = axis.get_xaxis().get_transform()
    scaled = scale.transform(values)
    grid = np.linspace(scaled.min(), scaled.max(), 100)
    width = float(gaussian_kde(scaled).covariance[0, 0]) ** 0.5
    # Summed here: gaussian_kde solves with a matrix of 1 x 1, and its threads take ten times as long.
    density = norm.pdf(grid[:, None], scaled, width).mean(1)
    return scale.inverted().transform(grid), density / density.max()


def _of(frame: pd.DataFrame, dataset: str, metric: str) -> pd.DataFrame:
    return frame[(frame["dataset"] == dataset) & (frame["metric"] == metric)]


def _row_title(results: StudyResults, dataset: str) -> str:
    patients = results.patients[results.patients["dataset"] == dataset]["patient"].nunique()
    return f"{dataset}, {patients} {results.part} patients"


def _titles(results: StudyResults, metrics: list[str]) -> str:
    titles = results.metrics.set_index("name")["title"]
    return " and ".join(str(titles[name]) for name in metrics)


def _caption(results: StudyResults, metrics: list[str]) -> str:
    part = "test" if results.part == "test" else "VALIDATION"
    return (
        f"{_titles(results, metrics)} of the {part} patients. Points: patients, each the mean over seeds, "
        f"cases and foreground classes; half violin: their density (from {_ENOUGH_FOR_DENSITY} patients on); "
        "bar and stroke: quartiles and median. Diamonds: the mean over patients of each seed; their spread "
        "is what the choice of a seed alone does. Colours are families of losses."
    )


def _alt(results: StudyResults, metrics: list[str], datasets: Sequence[str]) -> str:
    means = (
        results.run_values[results.run_values["metric"] == metrics[0]]
        .groupby(["dataset", "label"])["value"]
        .mean()
    )
    parts = [
        f"{dataset}, {label}: {means[dataset, label]:.2f}"
        for dataset in datasets
        for label in results.labels
        if (dataset, label) in means.index
    ]
    title = _titles(results, metrics[:1])
    return f"Rain-cloud plots of patient values by loss. Mean {title}: {'; '.join(parts)}."
