"""F17: what a test over patients alone would claim, against what is supported when seeds count."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.statistics.wording import title_of
from reports.figures.answered import Compared, compared_datasets, design_sentence, left_out
from reports.figures.journals import page_width
from reports.figures.paging import pages, rows_on_page
from reports.figures.registry import Drawing, register_figure
from reports.figures.style import INK, drawing_style, grid_of_axes, new_figure, row_name
from reports.results import StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAME = "false_claims"
_FLOOR = 1e-8
"""Smaller p stand on the edge."""
_SHORTEST = 1e-4
"""Axes reach at least as far."""
_ACROSS, _UP = (0.18, 0.16), (0.38, 0.2)
"""Of an axis: room for words below and above its ends."""
_PANEL, _WIDEST, _GAP = 2.3, 3.2, 0.05
"""Inches: panels are at least and at most as wide, and as high; what is between rows."""
_CLAIMED, _BOTH, _CROSSED, _NEITHER = "claimed, not supported", "both", "seeds and patients only", "neither"
_MARKS = {
    # colour, marker, size, place of its words in the panel and how they are aligned
    _CLAIMED: ("#D55E00", "^", 13, (0.985, 0.012), ("right", "bottom")),
    _BOTH: ("#0072B2", "o", 10, (0.985, 0.988), ("right", "top")),
    _CROSSED: ("#009E73", "s", 10, (0.015, 0.988), ("left", "top")),
    _NEITHER: ("#8a8a8a", ".", 10, (0.015, 0.012), ("left", "bottom")),
}


@dataclass(frozen=True)
class _Pairs:
    """All pairs of losses of one dataset: both p, and how often Holm's would claim without support."""

    each: Compared
    names: list[tuple[str, str]]
    difference: NDArray[np.float64]
    case_only: NDArray[np.float64]
    crossed: NDArray[np.float64]
    alpha: float
    adjusted: tuple[int, int]
    """Pairs that the case-only test claims after Holm, and those of them that are not supported then."""

    @property
    def quadrants(self) -> list[str]:
        claimed, supported = self.case_only <= self.alpha, self.crossed <= self.alpha
        return [
            (_BOTH if own else _CLAIMED) if told else (_CROSSED if own else _NEITHER)
            for told, own in zip(claimed, supported, strict=True)
        ]

    @property
    def counts(self) -> dict[str, int]:
        return {name: self.quadrants.count(name) for name in _MARKS}


@register_figure("F17", _NAME)
def draw(results: StudyResults) -> list[Drawing]:
    """Draw one panel for each dataset."""
    shown = [_pairs(each) for each in compared_datasets(results, "claims by tests over patients alone")]
    columns = max(1, min(len(shown), int(page_width() / _PANEL)))
    side = min(_WIDEST, page_width() / columns)
    ends = (
        _least(np.concatenate([one.case_only for one in shown])),
        _least(np.concatenate([one.crossed for one in shown])),
    )
    drawings = []
    for page in pages(shown, columns * rows_on_page(side + _GAP)):
        here = page.panels
        rows = -(-len(here) // columns)
        with drawing_style():
            figure = new_figure(side * columns, (side + _GAP) * rows, w_pad=0.04, h_pad=0.04)
            axes = [axis for row in grid_of_axes(figure, rows, columns) for axis in row]
            for place, axis in enumerate(axes):
                if place >= len(here):
                    axis.set_axis_off()
                    continue
                _draw_panel(axis, here[place], ends, place % columns == 0, place + columns >= len(here))
        name, title = page.name(_NAME), page.title(_TITLE)
        drawings.append(Drawing(name, title, _caption(results, here), _alt(here), figure, data=_data(here)))
    return drawings


_TITLE = "Claims of tests over patients alone, and what seeds leave of them"


def _pairs(each: Compared) -> _Pairs:
    comparison = each.comparison
    losses = comparison.pairs.losses
    above, alpha = np.triu_indices(len(losses), 1), each.cell.asked.alpha
    claimed = comparison.case_only.adjusted[above] <= alpha
    return _Pairs(
        each,
        [(losses[i], losses[j]) for i, j in zip(*above, strict=True)],
        comparison.pairs.difference[above],
        comparison.case_only.p[above],
        comparison.pairs.p[above],
        alpha,
        (int(claimed.sum()), int((claimed & (comparison.holm[above] > alpha)).sum())),
    )


def _draw_panel(axis: "Axes", shown: _Pairs, ends: tuple[float, float], leftmost: bool, lowest: bool) -> None:
    left, right = _limits(ends[0], *_ACROSS)
    bottom, top = _limits(ends[1], *_UP)
    axis.set(xscale="log", yscale="log", xlim=(left, right), ylim=(bottom, top), box_aspect=1)
    axis.fill_between([shown.alpha, right], shown.alpha, bottom, color="#fbe6d8", lw=0, zorder=0)
    axis.plot([1, max(ends)], [1, max(ends)], color="#bbbbbb", lw=0.6, ls=(0, (4, 3)), zorder=1)
    line: dict[str, Any] = {"color": INK, "lw": 0.6, "zorder": 1}
    axis.axvline(shown.alpha, **line)
    axis.axhline(shown.alpha, **line)
    quadrants = np.array(shown.quadrants)
    x, y = (np.maximum(p, end) for p, end in zip((shown.case_only, shown.crossed), ends, strict=True))
    for name, (colour, marker, size, place, aligned) in _MARKS.items():
        own = quadrants == name
        axis.scatter(x[own], y[own], s=size, marker=marker, color=colour, alpha=0.65, lw=0, zorder=3)
        axis.text(
            *place,
            _words(name, int(own.sum())),
            transform=axis.transAxes,
            ha=aligned[0],
            va=aligned[1],
            fontsize=6,
            color=INK,
            fontweight="bold" if name == _CLAIMED else "normal",
        )
    for end, each in zip(ends, (axis.xaxis, axis.yaxis), strict=True):
        each.set_ticks(*_ticks(end))
    axis.minorticks_off()
    axis.set_title(row_name(shown.each.dataset))
    if lowest:
        axis.set_xlabel("p over patients only, claimed →")
    if leftmost:
        axis.set_ylabel("p over patients and seeds, supported ↑")


def _limits(least: float, before: float, behind: float) -> tuple[float, float]:
    """Return the limits of an axis from 1 to the least p, with strips of shares of it beyond both."""
    decades = -np.log10(least)
    return float(10 ** (decades * before)), float(least * 10 ** (-decades * behind))


def _ticks(least: float) -> tuple[list[float], list[str]]:
    decades = round(-np.log10(least))
    found = range(0, decades + 1, 2 if decades > 4 else 1)
    names = [f"{10.0**-each:g}" if each < 4 else f"1e−{each}" for each in found]
    if found[-1] == -np.log10(_FLOOR):
        names[-1] = f"≤{names[-1]}"
    return [10.0**-each for each in found], names


def _least(found: NDArray[np.float64]) -> float:
    """Return the end of an axis: the decade of the least p, between 0.0001 and the floor."""
    return float(np.clip(10.0 ** np.floor(np.log10(max(found.min(), _FLOOR))), _FLOOR, _SHORTEST))


def _words(name: str, count: int) -> str:
    return {
        _CLAIMED: f"claimed by a case-only test,\nnot supported\nwhen seeds count: {count}",
        _BOTH: f"claimed\nand supported: {count}",
        _CROSSED: f"supported\nonly: {count}",
        _NEITHER: f"neither:\n{count}",
    }[name]


def _caption(results: StudyResults, page: list[_Pairs]) -> str:
    cells = [one.each.cell for one in page]
    alphas = " or ".join(dict.fromkeys(f"{one.alpha:g}" for one in page))
    told = sum(one.counts[_CLAIMED] for one in page)
    claims = told + sum(one.counts[_BOTH] for one in page)
    adjusted, without = (sum(one.adjusted[at] for one in page) for at in (0, 1))
    return (
        f"All pairs of losses by {title_of(cells[0].block.metric)}. {design_sentence(results, cells)} "
        "Across: p of Wilcoxon's signed-rank test over patients after averaging over "
        "seeds, the usual test, conditional on these trained networks. Up: p of the crossed-variance t over "
        "patients and seeds, which speaks of the losses. Both are two-sided and of one pair alone; lines: "
        f"alpha = {alphas}; dashed: equal p. Of {_differences(claims)} that the former claims, {told} "
        f"{'is' if told == 1 else 'are'} not supported by the latter; with Holm's adjustment over all pairs "
        f"of a dataset, {without} of {adjusted}. Not supported does not mean that there is no difference."
        f"{left_out(results)}"
    )


def _differences(count: int) -> str:
    return f"{count} difference" if count == 1 else f"{count} differences"


def _alt(page: list[_Pairs]) -> str:
    told = [
        f"{one.each.dataset}: {', '.join(f'{name} {count}' for name, count in one.counts.items())}"
        for one in page
    ]
    return f"Scatter of two p values for every pair of losses. Pairs by quadrant, {'; '.join(told)}."


def _data(page: list[_Pairs]) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "dataset": one.each.dataset,
                    "loss_a": [a for a, _ in one.names],
                    "loss_b": [b for _, b in one.names],
                    "difference": one.difference,
                    "p_case_only": one.case_only,
                    "p_crossed": one.crossed,
                    "quadrant": one.quadrants,
                }
            )
            for one in page
        ],
        ignore_index=True,
    )
