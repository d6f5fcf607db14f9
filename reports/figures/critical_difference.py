"""F7: mean ranks over datasets with the critical difference, as the field draws them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.statistics.dataset_ranks import DatasetRanks
from harness.statistics.multiplicity import holm_of_pairs
from harness.statistics.study_answer import OverDatasets
from harness.statistics.wording import names, title_of
from reports.figures.answered import answer_of, compared_datasets, design_sentence
from reports.figures.canvas import Page
from reports.figures.journals import page_width
from reports.figures.registry import Drawing, NothingToDraw, register_figure
from reports.figures.style import INK, LossStyle, drawing_style, short, styles
from reports.results import StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TOP, _TITLE, _AXIS = 0.2, 0.4, 0.68
"""Inches from the top: the ruler, the words for the axis, the axis of ranks."""

_BAR, _ROW = 0.062, 0.15
"""Inches between bars and between names."""

_NEMENYI, _CROSSED = "#a6a6a6", INK
_MOST_TICKS = 13


@dataclass(frozen=True)
class Ranking:
    """The losses by their mean rank, the best first.

    Attributes:
        losses: Labels.
        mean: Mean ranks over the datasets.
        ranks: On each dataset, ``(datasets, losses)``.
        nemenyi: First and last place of each group whose mean ranks lie within the critical difference.
        crossed: The same of neighbours in rank of which no two are proven to differ over patients and seeds.
    """

    losses: tuple[str, ...]
    mean: NDArray[np.float64]
    ranks: NDArray[np.float64]
    nemenyi: tuple[tuple[int, int], ...]
    crossed: tuple[tuple[int, int], ...]


@register_figure("F7", "critical_difference")
def critical_difference(results: StudyResults) -> list[Drawing]:
    """Draw the mean ranks of the losses over the datasets, losses that are not told apart joined by bars."""
    over = _over(results)
    ranking = rank(results, over)
    with drawing_style():
        page = _draw(results, over.ranks, ranking)
    data = _data(results, over, ranking)
    caption = _caption(results, over, ranking)
    title = "Mean ranks over datasets"
    return [Drawing("critical_difference", title, caption, _alt(over, ranking), page.figure, data=data)]


def _over(results: StudyResults) -> OverDatasets:
    """Return the answer over datasets.

    Raises:
        NothingToDraw: if there is none.
    """
    shown = compared_datasets(results, "ranks over datasets")
    over = answer_of(results).over_datasets
    if over is not None:
        return over
    if len(results.datasets) == 1:
        raise NothingToDraw(
            "No ranks over datasets: there is one dataset, and ranks over its patients would speak of these "
            "trained networks, not of these losses."
        )
    raise NothingToDraw(
        f"No ranks over datasets: losses are compared on {len(shown)} of {len(results.datasets)} datasets, "
        "and ranks need at least two losses that are compared on all of them."
    )


def rank(results: StudyResults, over: OverDatasets) -> Ranking:
    """Return the losses by mean rank, ties in the order of all figures, with their groups."""
    ranks, losses = over.ranks, over.ranks.losses
    place = {label: position for position, label in enumerate(results.labels)}
    order = sorted(range(len(losses)), key=lambda at: (ranks.mean[at], place[losses[at]]))
    mean = ranks.mean[order]
    close = np.abs(mean[:, None] - mean[None, :]) <= ranks.critical_difference
    unproven = holm_of_pairs(over.pairs)[np.ix_(order, order)] > over.best.alpha
    return Ranking(
        tuple(losses[at] for at in order), mean, ranks.ranks[:, order], groups(close), groups(unproven)
    )


def groups(alike: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    """Return the longest runs of neighbours that are all alike, two or more, as first and last place.

    Args:
        alike: ``(losses, losses)``, symmetric.
    """
    found: list[tuple[int, int]] = []
    for first in range(len(alike)):
        last = first
        while last + 1 < len(alike) and alike[first : last + 1, last + 1].all():
            last += 1
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return tuple(found)


@dataclass(frozen=True)
class _Layout:
    """Places on the page, in inches from its upper left corner.

    Attributes:
        left: Of rank 1.
        right: Of the last rank.
        last: That rank.
        names: Of the first row of names.
        key: Of the legend.
    """

    left: float
    right: float
    last: int
    names: float
    key: float

    def x(self, rank: float) -> float:
        """Return where a rank stands."""
        return self.left + (rank - 1) * (self.right - self.left) / (self.last - 1)


def _draw(results: StudyResults, ranks: DatasetRanks, ranking: Ranking) -> Page:
    count = len(ranking.losses)
    half = -(-count // 2)
    nemenyi, crossed = (lanes(each, ranking.mean) for each in (ranking.nemenyi, ranking.crossed))
    names_at = _AXIS + 0.16 + _BAR * (len(nemenyi) + len(crossed)) + 0.1
    key_at = names_at + _ROW * half + 0.06
    page = Page(page_width(), key_at + 0.32)
    left, right = (_widest(page, ranking, range(*ends), ends[0] == 0) for ends in ((0, half), (half, count)))
    layout = _Layout(left + 0.22, page.width - right - 0.22, count, names_at, key_at)
    axis = page.axes(0, 0, page.width, page.height)
    axis.set_axis_off()
    axis.set_xlim(0, page.width)
    axis.set_ylim(page.height, 0)
    _draw_axis(axis, layout, ranks)
    _draw_ruler(axis, layout, ranks)
    _draw_names(axis, layout, ranking, styles(results.losses))
    _draw_bars(axis, layout, ranking, (nemenyi, crossed))
    _draw_key(axis, layout, ranking)
    return page


def _widest(page: Page, ranking: Ranking, places: Iterable[int], left: bool) -> float:
    """Return the width of the widest name of one side, in inches."""
    import matplotlib as mpl

    size = mpl.rcParams["ytick.labelsize"]
    words = [page.figure.text(0, 0, _name(ranking, at, left), fontsize=size) for at in places]
    widest = max(each.get_window_extent().width for each in words) / page.figure.dpi
    for each in words:
        each.remove()
    return float(widest)


def _draw_axis(axis: "Axes", layout: _Layout, ranks: DatasetRanks) -> None:
    import matplotlib as mpl

    step = next(each for each in (1, 2, 5, 10, 20, 50, 100) if layout.last / each <= _MOST_TICKS)
    axis.plot([layout.left, layout.right], [_AXIS] * 2, color=INK, lw=0.8, solid_capstyle="projecting")
    for tick in range(1, layout.last + 1) if step == 1 else _sparse_ticks(step, layout.last):
        axis.plot([layout.x(tick)] * 2, [_AXIS - 0.045, _AXIS], color=INK, lw=0.8)
        _text(axis, layout.x(tick), _AXIS - 0.07, f"{tick}", "center", va="bottom")
    words = f"Mean rank over {len(ranks.ranks)} datasets, better ←"
    size = mpl.rcParams["axes.labelsize"]
    _text(axis, layout.right, _TITLE, words, "right", va="center", fontsize=size)


def _sparse_ticks(step: int, last: int) -> list[int]:
    """Return the first and the last rank, and round ones between that keep away from them."""
    middle = [tick for tick in range(step, last, step) if 0.7 * step < min(tick - 1, last - tick)]
    return [1, *middle, last]


def _draw_ruler(axis: "Axes", layout: _Layout, ranks: DatasetRanks) -> None:
    """Draw how long the critical difference is, or an arrow where it is longer than the axis."""
    fits = ranks.critical_difference <= layout.last - 1
    end = layout.x(1 + ranks.critical_difference) if fits else layout.right
    axis.plot([layout.left, end], [_TOP] * 2, color=INK, lw=0.8)
    for at in (layout.left, end) if fits else (layout.left,):
        axis.plot([at] * 2, [_TOP - 0.04, _TOP + 0.04], color=INK, lw=0.8)
    words = f"CD = {ranks.critical_difference:.3g}"
    if not fits:
        axis.plot(end, _TOP, ">", color=INK, ms=3)
        words += ", more than any two ranks can differ"
    _text(axis, layout.left, _TOP - 0.07, words, "left", va="bottom")


def _draw_names(axis: "Axes", layout: _Layout, ranking: Ranking, look: dict[str, LossStyle]) -> None:
    count = len(ranking.losses)
    half = -(-count // 2)
    for at, label in enumerate(ranking.losses):
        left = at < half
        y = layout.names + _ROW * (at if left else count - 1 - at)
        x, edge = layout.x(float(ranking.mean[at])), layout.left - 0.1 if left else layout.right + 0.1
        style = look[label]
        axis.plot([x, x, edge], [_AXIS, y, y], color=style.colour, lw=0.7, zorder=1, solid_joinstyle="miter")
        axis.plot(x, _AXIS, style.marker, ms=3.6, color=style.shade, mec="white", mew=0.3, zorder=5)
        axis.plot(edge, y, style.marker, ms=3.6, color=style.shade, mec="white", mew=0.3, zorder=5)
        words = _name(ranking, at, left)
        _text(axis, edge + (-0.06 if left else 0.06), y, words, "right" if left else "left", va="center")


def _name(ranking: Ranking, at: int, left: bool) -> str:
    label, rank = short(ranking.losses[at], 20), f"{ranking.mean[at]:.1f}"
    return f"{label}  {rank}" if left else f"{rank}  {label}"


def lanes(found: Sequence[tuple[int, int]], mean: NDArray[np.float64]) -> list[list[tuple[int, int]]]:
    """Return groups in as few lanes as keep them apart.

    Args:
        found: First and last place of each group, by first place.
        mean: Mean rank at each place.
    """
    gap = 0.02 * len(mean)
    filled: list[list[tuple[int, int]]] = []
    for first, last in found:
        free = (lane for lane in filled if mean[lane[-1][1]] + gap < mean[first])
        lane = next(free, None)
        if lane is None:
            filled.append([(first, last)])
        else:
            lane.append((first, last))
    return filled


def _draw_bars(
    axis: "Axes", layout: _Layout, ranking: Ranking, bars: tuple[Sequence[Sequence[tuple[int, int]]], ...]
) -> None:
    y = _AXIS + 0.12
    for filled, colour in zip(bars, (_NEMENYI, _CROSSED), strict=True):
        for lane in filled:
            for first, last in lane:
                ends = (layout.x(float(ranking.mean[first])), layout.x(float(ranking.mean[last])))
                x = [ends[0] - 0.035, ends[1] + 0.035]
                axis.plot(x, [y, y], color=colour, lw=2.4, solid_capstyle="butt", zorder=4)
            y += _BAR
        y += 0.04


def _draw_key(axis: "Axes", layout: _Layout, ranking: Ranking) -> None:
    lines = (
        (_NEMENYI, "mean ranks closer than CD (Nemenyi)", ranking.nemenyi),
        (_CROSSED, "no two proven to differ over patients and seeds (crossed t, Holm)", ranking.crossed),
    )
    for row, (colour, words, found) in enumerate(lines):
        y = layout.key + 0.05 + 0.14 * row
        axis.plot([0.12, 0.42], [y, y], color=colour, lw=2.4, solid_capstyle="butt")
        _text(axis, 0.5, y, words if found else f"{words}: none", "left", va="center")


def _text(axis: "Axes", x: float, y: float, words: str, ha: str, **look: object) -> None:
    import matplotlib as mpl

    axis.text(x, y, words, **{"ha": ha, "fontsize": mpl.rcParams["ytick.labelsize"], "color": INK, **look})


def _data(results: StudyResults, over: OverDatasets, ranking: Ranking) -> pd.DataFrame:
    """Return one row for each loss: its ranks, and the bars that it belongs to, numbered from the top."""
    family = {loss.label: loss.family for loss in results.losses}
    frame = pd.DataFrame(
        {
            "loss": ranking.losses,
            "family": [family[label] for label in ranking.losses],
            "mean_rank": ranking.mean,
            "nemenyi_groups": _membership(ranking.nemenyi, len(ranking.losses)),
            "crossed_groups": _membership(ranking.crossed, len(ranking.losses)),
        }
    )
    for dataset, ranks in zip(over.several.datasets, ranking.ranks, strict=True):
        frame[f"rank_{dataset}"] = ranks
    return frame.assign(critical_difference=over.ranks.critical_difference)


def _membership(found: Sequence[tuple[int, int]], count: int) -> list[str]:
    return [
        " ".join(str(number) for number, (first, last) in enumerate(found, 1) if first <= at <= last)
        for at in range(count)
    ]


def _caption(results: StudyResults, over: OverDatasets, ranking: Ranking) -> str:
    ranks, alpha, count = over.ranks, over.best.alpha, len(over.several.datasets)
    title = title_of(answer_of(results).metric)
    friedman = ""
    if ranks.friedman is not None and ranks.p is not None:
        friedman = f"Friedman's test of equal ranks: chi-square {ranks.friedman:.2f}, p {ranks.p:.2g}. "
    left = f" Not compared on every dataset: {names(over.several.left_out)}." if over.several.left_out else ""
    return (
        f"Mean ranks of the losses by mean {title} over {count} datasets, and Nemenyi's critical difference "
        f"(CD, alpha {alpha:.3g}): grey bars join losses whose mean ranks are closer. Black bars join "
        "neighbours in rank of which no two are proven to differ in the mean over these datasets by the "
        f"crossed-variance t over patients and seeds (Holm over all pairs, alpha {alpha:.3g}). {friedman}"
        f"{design_sentence(results)} Ranks ignore the size "
        "of differences, and Nemenyi's verdict on two losses depends on which others are there. "
        f"{_least(ranks, alpha)}{left}"
    )


def _least(ranks: DatasetRanks, alpha: float) -> str:
    """Return what so few datasets can show at best."""
    best = (
        f"With {len(ranks.ranks)} datasets, two losses that are first and last on each reach p "
        f"{ranks.smallest_nemenyi_p:.2g} by Nemenyi, and a signed-rank test of two losses cannot go below p "
        f"{ranks.smallest_signed_rank_p:.2g}"
    )
    return (
        f"{best}: no two losses could be told apart by their ranks."
        if ranks.smallest_nemenyi_p > alpha
        else f"{best}."
    )


def _alt(over: OverDatasets, ranking: Ranking) -> str:
    listed = ", ".join(f"{loss} {mean:.1f}" for loss, mean in zip(ranking.losses, ranking.mean, strict=True))
    return (
        f"Critical difference diagram over {len(over.several.datasets)} datasets, critical difference "
        f"{over.ranks.critical_difference:.3g}. Mean ranks: {listed}."
    )
