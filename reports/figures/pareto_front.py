"""F10: overlap against boundary, and where a loss wins one by losing the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.statistics.cell import CellAnswer
from harness.statistics.pareto import Front
from harness.statistics.scale import Scale
from harness.statistics.wording import names, title_of
from reports.figures.answered import Compared, compared_datasets, design_sentence, left_out
from reports.figures.journals import page_width
from reports.figures.label_placement import Surroundings, gaps, place_labels
from reports.figures.paging import pages, rows_on_page
from reports.figures.quadrant_bars import draw_quadrants
from reports.figures.registry import Drawing, NothingToDraw, register_figure
from reports.figures.row_panels import panel_title, text_width
from reports.figures.style import (
    FAMILY_COLOURS,
    INK,
    OTHER_COLOUR,
    drawing_style,
    grid_of_axes,
    new_figure,
    row_name,
    short,
    styles,
)
from reports.results import FAMILIES, StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.text import Annotation

_PANEL, _HEIGHT = 3.2, 2.75
_NAMED, _NAMED_OF_MANY = 12, 8
"""Losses that are all named in a panel; of more than that so many are, and the others stand in the legend."""

_OFTEN = 0.1
"""Of the draws on the front, from which a loss is named in a crowded panel."""

_MOST_IN_LEGEND, _KEY = 30, 34.0
"""Losses in a legend; points that an entry takes beside its words."""


@dataclass(frozen=True)
class TwoMetrics:
    """A dataset on which losses are compared on an overlap and a boundary metric.

    Attributes:
        compared: The dataset.
        boundary: The answer for the boundary metric.
        front: Of the two.
        rows: One for each loss, in the order of every figure: means and intervals as raw values.
    """

    compared: Compared
    boundary: CellAnswer
    front: Front
    rows: pd.DataFrame

    @property
    def scales(self) -> tuple[Scale, Scale]:
        """Of the two metrics."""
        return self.compared.cell.block.scale, self.boundary.block.scale

    @property
    def titles(self) -> tuple[str, str]:
        """Of the two metrics."""
        return title_of(self.front.metrics[0]), title_of(self.front.metrics[1])


@register_figure("F10", "pareto_front")
def pareto_front(results: StudyResults) -> list[Drawing]:
    """Draw losses on two metrics with their front, and shares of patients that win and lose on each."""
    shown = _two_metrics(results)
    columns = max(1, min(len(shown), int(page_width() / _PANEL)))
    keys = -(-min(len(results.losses), _MOST_IN_LEGEND) // max(1, int(page_width() / 1.25)))
    drawings = []
    for page in pages(shown, columns * rows_on_page(_HEIGHT, 0.15 + 0.15 * keys)):
        here = page.panels
        with drawing_style():
            figure = _draw(results, here, columns)
        name, title = page.name("pareto_front"), page.title(f"{' and '.join(here[0].titles)} together")
        data = pd.concat([each.rows for each in here], ignore_index=True)
        drawings.append(Drawing(name, title, _caption(results, here), _alt(here), figure, data=data))
    blocks = [(each.compared, each.boundary.block) for each in shown]
    return [*drawings, *draw_quadrants(results, blocks)]


def _two_metrics(results: StudyResults) -> list[TwoMetrics]:
    shown = [
        TwoMetrics(each, boundary, front, _rows(each, boundary, front))
        for each in compared_datasets(results, "Pareto front")
        if (boundary := each.answer.boundary) is not None and (front := each.answer.front) is not None
    ]
    if not shown:
        raise NothingToDraw("No Pareto front: no boundary metric is compared beside the primary one.")
    return shown


def _rows(each: Compared, boundary: CellAnswer, front: Front) -> pd.DataFrame:
    first = {row.loss: row for row in each.cell.rows}
    second = {row.loss: row for row in boundary.rows}
    a, b = front.metrics
    found = []
    for loss in each.losses:
        if loss.label not in front.losses:
            continue
        at = front.losses.index(loss.label)
        found.append(
            {
                "dataset": each.dataset,
                "loss": loss.label,
                "family": loss.family,
                a: float(each.cell.block.scale.raw(front.means[at, 0])),
                f"{a}_low": first[loss.label].interval[0],
                f"{a}_high": first[loss.label].interval[1],
                b: float(boundary.block.scale.raw(front.means[at, 1])),
                f"{b}_low": second[loss.label].interval[0],
                f"{b}_high": second[loss.label].interval[1],
                "on_front": bool(front.on_front[at]),
                "membership": float(front.membership[at]),
            }
        )
    return pd.DataFrame(found)


def _draw(results: StudyResults, shown: Sequence[TwoMetrics], columns: int) -> "Figure":
    columns = min(columns, len(shown))
    lines = -(-len(shown) // columns)
    named = [_named(each) for each in shown]
    keys = _keys(
        results, shown, all(len(some) == len(each.rows) for some, each in zip(named, shown, strict=True))
    )
    widest = max(text_width(str(key.get_label())) for key in keys) + _KEY
    rows = -(-len(keys) // max(1, int(72 * page_width() / widest)))
    height = lines * _HEIGHT + 0.15 + 0.15 * rows
    figure = new_figure(page_width(), height, wspace=0.05, hspace=0.05)
    axes = grid_of_axes(figure, lines, columns)
    for place, each in enumerate(shown):
        _draw_points(axes[place // columns][place % columns], results, each)
    for spare in range(len(shown), lines * columns):
        axes[spare // columns][spare % columns].set_axis_off()
    figure.legend(handles=keys, loc="outside lower center", ncols=-(-len(keys) // rows), handlelength=1.2)
    figure.draw_without_rendering()  # names need to know where points are
    for place, (each, some) in enumerate(zip(shown, named, strict=True)):
        _write_names(axes[place // columns][place % columns], each, some)
    return figure


def _draw_points(axis: "Axes", results: StudyResults, each: TwoMetrics) -> None:
    look = styles(results.losses)
    panel_title(axis, row_name(each.compared.dataset), each.compared.design)
    points, low, high = _scores(each)
    named = set(_named(each))
    for at, label in enumerate(each.rows["loss"]):
        style, (x, y), inside = look[label], points[at], bool(each.rows["on_front"].iloc[at])
        line: dict[str, Any] = {
            "color": style.colour,
            "lw": 0.7,
            "alpha": 0.6 if at in named else 0.3,
            "zorder": 2,
        }
        axis.plot([low[at, 0], high[at, 0]], [y, y], **line)
        axis.plot([x, x], [low[at, 1], high[at, 1]], **line)
        axis.plot(
            x,
            y,
            style.marker,
            ms=2 * _radius(each, at),
            color=style.shade,
            mec="black" if inside else "white",
            mew=0.9 if inside else 0.4,
            zorder=5 - 0.2 * _radius(each, at),  # small marks lie upon large ones
        )
    for side, which in (("x", 0), ("y", 1)):
        pad = 0.05 * float(high[:, which].max() - low[:, which].min()) or 0.01
        limits = float(low[:, which].min()) - pad, float(high[:, which].max()) + pad
        getattr(axis, f"set_{side}lim")(limits)
        _ticks(axis, side, each.scales[which], limits)
    _draw_front(axis, each)
    metrics = results.metrics.set_index("name")
    for which, arrow in ((0, "→"), (1, "↑")):
        unit = str(metrics.loc[each.front.metrics[which], "unit"] or "")
        words = f"{each.titles[which]}{f' ({unit})' if unit else ''}, better {arrow}"
        (axis.set_xlabel, axis.set_ylabel)[which](words)


def _radius(each: TwoMetrics, at: int) -> float:
    """Return the size of a mark in points, larger for a loss that is often on the front."""
    return 1.7 + 2.3 * float(np.sqrt(each.rows["membership"].iloc[at]))


def _scores(each: TwoMetrics) -> tuple[NDArray[np.float64], ...]:
    """Return means and ends of the intervals as scores, higher is better: ``(losses, 2)`` each."""
    found: list[list[NDArray[np.float64]]] = [[], [], []]
    for metric, scale in zip(each.front.metrics, each.scales, strict=True):
        most = 1.0 if scale.direction == "higher" else np.inf
        ends = [
            scale.scores(np.clip(each.rows[name].to_numpy(float), 0, most))
            for name in (metric, f"{metric}_low", f"{metric}_high")
        ]
        for values, some in zip(
            (ends[0], np.minimum(ends[1], ends[2]), np.maximum(ends[1], ends[2])), found, strict=True
        ):
            some.append(values)
    return tuple(np.column_stack(some) for some in found)


def _ticks(axis: "Axes", side: str, scale: Scale, limits: tuple[float, float]) -> None:
    """Write raw values on an axis of scores."""
    low, high = sorted(float(scale.raw(each)) for each in limits)
    ticks = _round_values(max(low, 0.0) if scale.log else low, high, scale.log)
    labels = [f"{each:.6g}" for each in ticks]
    (axis.set_xticks if side == "x" else axis.set_yticks)(scale.scores(np.array(ticks)), labels)


def _round_values(low: float, high: float, log: bool) -> list[float]:
    """Return round values between two; for logarithms 1, 2, 5 and so on if there are four of these."""
    from matplotlib.ticker import MaxNLocator

    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)) if log else ():
        every = [0.0, *(step * 10.0**power for power in range(-1, 5) for step in steps)]
        found = [tick for tick in every if low <= tick <= high]
        if len(found) >= 4:
            return found
    spread = MaxNLocator(7 if log else 5, steps=[1, 2, 5, 10]).tick_values(low, high)
    return [float(tick) for tick in np.asarray(spread) if low <= tick <= high]


def _draw_front(axis: "Axes", each: TwoMetrics) -> None:
    x, y = _border(axis, each).T
    axis.plot(x, y, color=INK, lw=0.9, ls=(0, (4, 2)), zorder=3)


def _border(axis: "Axes", each: TwoMetrics) -> NDArray[np.float64]:
    """Return the corners of the border of what the front beats, from the left edge to the lower one."""
    front = _scores(each)[0][each.rows["on_front"].to_numpy(bool)]
    ordered = front[np.lexsort((-front[:, 1], front[:, 0]))]
    corners = [(axis.get_xlim()[0], float(ordered[0, 1]))]
    for at, (x, y) in enumerate(ordered):
        corners += [(x, y), (x, float(ordered[at + 1, 1]) if at + 1 < len(ordered) else axis.get_ylim()[0])]
    return np.array(corners)


def _named(each: TwoMetrics) -> list[int]:
    """Return which losses are named: all of a few; else those near the front and those to compare with."""
    if len(each.rows) <= _NAMED:
        return list(range(len(each.rows)))
    wanted = {*each.compared.cell.asked.references, each.compared.cell.recommendation.loss}
    rows = each.rows
    weight = rows["membership"] + 2.0 * rows["on_front"] + 1.0 * rows["loss"].isin(wanted)
    likely = [
        int(at) for at in np.argsort(-weight.to_numpy(float), kind="stable") if weight.iloc[at] >= _OFTEN
    ]
    return likely[:_NAMED_OF_MANY]


def _write_names(axis: "Axes", each: TwoMetrics, named: Sequence[int]) -> None:
    points, low, high = _scores(each)
    written = [_write_name(axis, each, at, points[at]) for at in named]
    unit = 72 / axis.figure.dpi
    places = axis.transData.transform(points) * unit
    sizes = np.array([text.get_window_extent().size for text in written]) * unit
    corners = axis.transAxes.transform([(0, 0), (1, 1)]) * unit
    border = axis.transData.transform(_border(axis, each)) * unit
    steps = np.concatenate([np.linspace(*ends, 60) for ends in pairwise(border)])
    rest = [at for at in range(len(points)) if at not in named]
    ends = [axis.transData.transform(each) * unit for each in (low, high)]
    level = np.column_stack([ends[0][:, 0], places[:, 1], ends[1][:, 0], places[:, 1]])
    upright = np.column_stack([places[:, 0], ends[0][:, 1], places[:, 0], ends[1][:, 1]])
    frame, bars = np.array([*corners[0] + 2, *corners[1] - 2]), np.concatenate([level, upright])
    around = Surroundings(frame, places[[*named, *rest]], steps, bars)
    centres = place_labels(np.array([_radius(each, at) for at in named]), sizes, around)
    far = gaps(centres, sizes / 2, around.points)
    for own, (text, at) in enumerate(zip(written, named, strict=True)):
        text.set_position(tuple(centres[own] - places[at]))
        # A line leads to the mark where that is not near, or another one is nearer.
        plain = far[own, own] < _radius(each, at) + 4 and far[own].argmin() == own
        if text.arrow_patch is not None:
            text.arrow_patch.set_visible(not plain)


def _write_name(axis: "Axes", each: TwoMetrics, at: int, point: NDArray[np.float64]) -> "Annotation":
    import matplotlib as mpl

    from reports.figures.canvas import halo

    row = each.rows.iloc[at]
    text = axis.annotate(
        f"{short(row['loss'], 18)} ({100 * row['membership']:.0f} %)",
        tuple(point),
        (0, 0),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=mpl.rcParams["ytick.labelsize"],
        fontweight="bold" if row["on_front"] else "normal",
        color=INK,
        path_effects=halo(1.2),
        bbox={"boxstyle": "square,pad=0.02", "fc": "white", "ec": "none", "alpha": 0.8},
        arrowprops={"arrowstyle": "-", "color": "#444444", "lw": 0.6, "shrinkA": 0, "shrinkB": 2},
        zorder=6,
    )
    text.set_in_layout(False)
    return text


def _keys(results: StudyResults, shown: Sequence[TwoMetrics], all_named: bool) -> "list[Line2D]":
    """Return the legend: families where every loss is named, else the losses; families again of too many."""
    from matplotlib.lines import Line2D

    inside = {label for each in shown for label in each.rows["loss"]}
    losses = [loss for loss in results.losses if loss.label in inside]
    if all_named or len(losses) > _MOST_IN_LEGEND:
        inside = {loss.family for loss in losses}
        families = [*(each for each in FAMILIES if each in inside), *sorted(inside - set(FAMILIES))]
        return [
            Line2D(
                [], [], ls="", marker="o", ms=4, color=FAMILY_COLOURS.get(family, OTHER_COLOUR), label=family
            )
            for family in families
        ]
    look = styles(results.losses)
    return [
        Line2D(
            [],
            [],
            ls="",
            marker=look[loss.label].marker,
            ms=4,
            color=look[loss.label].shade,
            label=short(loss.label, 18),
        )
        for loss in losses
    ]


def _caption(results: StudyResults, shown: Sequence[TwoMetrics]) -> str:
    first = shown[0]
    a, b = first.titles
    geometric = " and ".join(
        title for title, scale in zip(first.titles, first.scales, strict=True) if scale.log
    )
    logs = f" {geometric}: geometric means, on a logarithmic axis." if geometric else ""
    crowded = any(len(_named(each)) < len(each.rows) for each in shown)
    some = (
        f" Named are the references and losses that are on the front or in {100 * _OFTEN:.0f} % of the "
        f"draws, at most {_NAMED_OF_MANY}."
        if crowded
        else ""
    )
    alpha = ", ".join(dict.fromkeys(f"{each.compared.cell.asked.alpha:.3g}" for each in shown))
    number = first.compared.cell.asked.draws
    return (
        f"Mean {a} and {b} of each loss with 95 % intervals over patients and seeds (crossed-variance t, not "
        f"adjusted for the number of losses).{logs} Dashed: the Pareto front; losses on it are bold with a "
        "black edge, as no other is at least as good on both and better on one. Percentages and the size of "
        f"marks: share of {number} joint draws of patients and seed noise in which a loss is on the front, a "
        f"measure of stability, not confidence.{some} "
        f"{design_sentence(results, [each.compared.cell for each in shown])} Proofs stand in the "
        f"comparisons with the best of each metric (alpha {alpha}), not here." + left_out(results)
    )


def _alt(shown: Sequence[TwoMetrics]) -> str:
    parts = [f"{each.compared.dataset}: {names(each.front.front)}" for each in shown]
    return f"{shown[0].titles[0]} against {shown[0].titles[1]} by loss. On the front: {'; '.join(parts)}."
