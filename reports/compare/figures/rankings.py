"""FC3: the ranks of the losses in every study, and Kendall's tau between them."""

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pandas as pd

from harness.statistics.wording import title_of
from reports.compare.figures.place_names import brief_place
from reports.compare.shown import Shown
from reports.figures.journals import page_width
from reports.figures.registry import Drawing, NothingToDraw
from reports.figures.style import drawing_style, new_figure, short, styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_BESIDE = 5
"""Studies and datasets up to which ranks and matrix stand beside each other."""

_LETTERS_BELOW = 40
"""Of all names together: more do not fit side by side."""
_MOST_NUMBERS = 24
"""From more on, cells of the matrix have no number."""


def rank_agreement(shown: Shown) -> list[Drawing]:
    """Draw ranks by mean as lines from place to place, and the matrix of tau."""
    count = len(shown.agreement.places)
    losses = len(shown.beside.losses)
    if losses < 2:
        raise NothingToDraw("No agreement of rankings: the studies share one loss only.")
    beside = count <= _MOST_BESIDE
    with drawing_style():
        height = max(1.9, 0.75 + 0.165 * losses)
        if beside:
            figure = new_figure(page_width(), max(height, 2.3))
            lines, matrix = figure.subplots(1, 2, width_ratios=[1.55, 1])
        else:
            square = min(page_width() - 1.6, 0.32 * count + 1.0)
            figure = new_figure(page_width(), height + square + 0.6)
            lines, matrix = figure.subplots(2, 1, height_ratios=[height, square])
        _draw_ranks(lines, shown)
        _draw_matrix(matrix, shown)
    alt = f"Ranks of {losses} losses in {count} places, and a matrix of Kendall's tau. {_told(shown)}"
    return [
        Drawing("rank_agreement", "Agreement of rankings", _caption(shown), alt, figure, data=_data(shown))
    ]


def _draw_ranks(axis: "Axes", shown: Shown) -> None:
    looks, ranks = styles(shown.beside.losses), shown.agreement.ranks
    size, last = mpl.rcParams["xtick.labelsize"], len(ranks) - 1
    heights = _untied(ranks)
    for at, loss in enumerate(shown.beside.losses):
        look, own = looks[loss.label], heights[:, at]
        known = np.flatnonzero(np.isfinite(own))
        if not len(known):
            continue
        axis.plot(
            known,
            own[known],
            color=look.shade,
            ls=look.line,
            lw=1.0,
            marker=look.marker,
            ms=4,
            mec="white",
            mew=0.4,
        )
        ends = {"fontsize": size, "color": look.shade, "va": "center"}
        if known[0] == 0:
            axis.text(-0.1, own[0], short(loss.label, 22), ha="right", **ends)
        if known[-1] == last:
            axis.text(last + 0.1, own[last], short(loss.label, 22), ha="left", **ends)
    names = [brief_place(shown.beside, place, 20) for place in shown.agreement.places]
    crowded = last + 1 > 3 or sum(map(len, names)) > _LETTERS_BELOW
    axis.set_xticks(
        range(last + 1), names, rotation=35 if crowded else 0, ha="right" if crowded else "center"
    )
    margin = 0.55 * max(1, last) if last < _MOST_BESIDE else 0.28 * last
    axis.set_xlim(-margin, last + margin)
    axis.set_ylim(len(shown.beside.losses) + 0.6, 0.4)
    axis.set_yticks([])
    axis.set_title("Rank by mean, the first on top")
    axis.tick_params(axis="x", length=0)
    axis.grid(visible=False)
    for spine in ("left", "bottom"):
        axis.spines[spine].set_visible(False)


def _untied(ranks: np.ndarray) -> np.ndarray:
    """Return heights at which losses that share a rank stand below each other."""
    heights = np.full(ranks.shape, np.nan)
    for place, own in enumerate(ranks):
        known = np.flatnonzero(np.isfinite(own))
        order = known[np.argsort(own[known], kind="stable")]
        heights[place, order] = np.arange(1, len(order) + 1)
    return heights


def _draw_matrix(axis: "Axes", shown: Shown) -> None:
    tau, places = shown.agreement.tau, shown.agreement.places
    shades = mpl.colormaps["PuOr"].with_extremes(bad="#dddddd")
    axis.imshow(np.ma.masked_invalid(tau), cmap=shades, vmin=-1, vmax=1)
    size = mpl.rcParams["xtick.labelsize"]
    for i in range(len(places) if len(places) <= _MOST_NUMBERS else 0):
        for j in range(len(places)):
            text = f"{tau[i, j]:.2f}".replace("-", "−") if np.isfinite(tau[i, j]) else "–"
            dark = np.isfinite(tau[i, j]) and abs(tau[i, j]) > 0.6
            axis.text(
                j, i, text, ha="center", va="center", fontsize=size, color="white" if dark else "#222222"
            )
    names = [brief_place(shown.beside, place, 20) for place in places]
    crowded = len(names) > 2 or max(map(len, names)) > 8
    axis.set_xticks(
        range(len(places)), names, rotation=35 if crowded else 0, ha="right" if crowded else "center"
    )
    axis.set_anchor("N")
    axis.set_yticks(range(len(places)), names)
    axis.set_title("Kendall's tau")
    axis.tick_params(length=0)
    axis.grid(visible=False)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _caption(shown: Shown) -> str:
    losses = len(shown.beside.losses)
    return (
        f"Ranks of the {losses} shared losses by mean {title_of(shown.beside.metric)} in each study and "
        "dataset (losses with equal means stand below each other), and Kendall's tau-b of each pair of "
        "rankings (1: the same order, 0: no relation, −1: the reverse). Ranks ignore how close means are: a "
        "change of rank is not a difference."
    )


def _told(shown: Shown) -> str:
    return " ".join(
        f"{shown.beside.place_name(one)} and {shown.beside.place_name(other)}: {tau:.2f}."
        for one, other, tau, _ in shown.agreement.pairs()
        if np.isfinite(tau)
    )


def _data(shown: Shown) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "study": place.study,
                "dataset": place.dataset,
                "loss": label,
                "mean": place.value(label),
                "rank": shown.agreement.ranks[at, number],
            }
            for at, place in enumerate(shown.agreement.places)
            for number, label in enumerate(shown.beside.labels)
        ]
    )
