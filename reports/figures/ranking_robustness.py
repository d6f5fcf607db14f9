"""F14: how the ranking of the losses changes with choices that could as well have been made otherwise."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.statistics.dataset_answer import DatasetAnswer
from harness.statistics.ranking import leaders_of, ranks_of, tau_matrix
from harness.statistics.robustness import Ranking
from harness.statistics.wording import names, title_of
from reports.figures.answered import answer_of, counts, in_order
from reports.figures.journals import page_width
from reports.figures.paging import PAGE_HEIGHT, dataset_name
from reports.figures.registry import Drawing, NothingToDraw, register_figure
from reports.figures.style import INK, drawing_style, new_figure, short, styles
from reports.results import ListedLoss, StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAME = "ranking_robustness"
_COLOURED = 6
"""Losses in colour; the others are grey."""
_SEEDS = 10
"""Rankings without a seed that are shown."""
_GREY, _FAINT = "#9a9a9a", "#cccccc"
_COLUMN, _LEGIBLE = 0.42, 0.23
"""Inches: columns are at most as wide, and numbers stand in cells at least as wide."""
_LABELS = 2.55
"""Inches for the names on both sides."""


@dataclass(frozen=True)
class _Choice:
    """One ranking: what was chosen instead of the default, its kind, and values of all losses (NaN: none)."""

    kind: str
    words: str
    values: NDArray[np.float64]

    @property
    def ranks(self) -> NDArray[np.float64]:
        ranks = np.full(len(self.values), np.nan)
        known = np.isfinite(self.values)
        ranks[known] = ranks_of(self.values[known])
        return ranks


@dataclass(frozen=True)
class _Shown:
    """The rankings of one dataset, the default first."""

    each: DatasetAnswer
    losses: list[ListedLoss]
    default: Ranking
    choices: list[_Choice]
    hidden_seeds: int

    @property
    def tau(self) -> NDArray[np.float64]:
        return tau_matrix(np.array([choice.values for choice in self.choices]))


@register_figure("F14", _NAME)
def draw(results: StudyResults) -> list[Drawing]:
    """Draw ranks over Kendall's tau, a column for each ranking; one drawing for each dataset."""
    answer = answer_of(results, "robustness of the ranking")
    found = [shown for each in answer.datasets if (shown := _shown(results, each)) is not None]
    if not found:
        raise NothingToDraw(
            "No robustness of the ranking: there are no two losses that any ranking tells apart."
        )
    drawings = []
    for shown in found:
        dataset = shown.each.dataset
        name = dataset_name(_NAME, dataset, len(answer.datasets))
        with drawing_style():
            figure = _figure(results, shown)
        title = f"Robustness of the ranking, {dataset}"
        drawings.append(Drawing(name, title, _caption(shown), _alt(shown), figure, data=_data(shown)))
    return drawings


def _shown(results: StudyResults, each: DatasetAnswer) -> _Shown | None:
    metric, rankings = each.primary.block.metric, each.grid.rankings
    plan = [one for one in rankings if one.basis.metric == metric and one.rule == "mean"]
    if not plan or len({loss for one in rankings for loss in one.losses}) < 2:
        return None
    default = plan[0]
    losses = in_order(results, {loss for one in rankings for loss in one.losses})
    place = {loss.label: at for at, loss in enumerate(losses)}

    def values(labels: Sequence[str], found: NDArray[np.float64]) -> NDArray[np.float64]:
        row = np.full(len(losses), np.nan)
        row[[place[label] for label in labels]] = found
        return row

    choices = [
        _Choice(kind, words, values(one.losses, one.values))
        for kind, words, one in _varied(default, rankings)
        # Without a collapsed run both estimands are the same.
        if kind != "runs" or any(of.useless for of in each.primary.block.runs.values())
    ]
    if len(set(choices[0].ranks[np.isfinite(choices[0].ranks)])) < 2:
        return None
    seeds = sorted(each.seeds_out, key=lambda one: float(np.nan_to_num(one.tau, nan=-2)))[:_SEEDS]
    choices += [
        _Choice("one seed less", f"without {one.left_out}", values(one.losses, one.means))
        for one in each.seeds_out
        if one in seeds
    ]
    return _Shown(each, losses, default, choices, len(each.seeds_out) - len(seeds))


def _varied(default: Ranking, rankings: Sequence[Ranking]) -> Iterator[tuple[str, str, Ranking]]:
    """Yield the default, and all rankings that differ from it in one choice: kind, words, ranking."""
    yield "default", "as planned", default
    for kind in ("rule", "runs", "checkpoint", "undefined values", "metric"):
        for one in rankings:
            told = _difference(one, default)
            if len(told) == 1 and kind in told:
                yield kind, told[kind], one


def _difference(one: Ranking, default: Ranking) -> dict[str, str]:
    """Return in words what was chosen otherwise, by kind."""
    words = {
        "rule": (one.rule, default.rule, one.rule),
        "runs": (
            one.estimand,
            default.estimand,
            "collapsed runs too" if one.estimand == "intention to treat" else "per protocol",
        ),
        "checkpoint": (one.basis.checkpoint, default.basis.checkpoint, f"checkpoint {one.basis.checkpoint}"),
        "undefined values": (one.basis.policy, default.basis.policy, f"undefined: {one.basis.policy}"),
        "metric": (one.basis.metric, default.basis.metric, title_of(one.basis.metric)),
    }
    return {kind: told for kind, (own, other, told) in words.items() if own != other}


def _figure(results: StudyResults, shown: _Shown) -> "Figure":
    count, width = len(shown.choices), page_width()
    column = min(_COLUMN, (width - _LABELS) / count)
    row = max(0.11, min(0.14, column))
    lines = max(1.0, 0.128 * len(shown.losses))
    height = min(PAGE_HEIGHT, 0.3 + lines + row * count + 1.15)
    figure = new_figure(_LABELS + column * count, height, h_pad=0.03, w_pad=0.02, hspace=0.02)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[lines, row * count])
    _draw_lines(above, results, shown)
    _draw_tau(below, figure, shown, column)
    above.set_title(
        f"{short(shown.each.dataset)}: rank by {title_of(shown.default.basis.metric)}, 1 is best ↑"
    )
    return figure


def _coloured(shown: _Shown) -> list[str]:
    """Return the losses to be followed: whoever is first somewhere, then the best of the default."""
    labels = tuple(loss.label for loss in shown.losses)
    leaders = [leader for choice in shown.choices for leader in leaders_of(labels, choice.values)]
    best = [
        labels[at] for at in np.argsort(-np.nan_to_num(shown.choices[0].values, nan=-np.inf), kind="stable")
    ]
    ranked = sorted(dict.fromkeys(leaders), key=lambda label: -leaders.count(label))
    return list(dict.fromkeys([*ranked, *best]))[:_COLOURED]


def _draw_lines(axis: "Axes", results: StudyResults, shown: _Shown) -> None:
    look, followed = styles(results.losses), _coloured(shown)
    table = np.array([_spread(choice.values) for choice in shown.choices])
    x = np.arange(len(shown.choices))
    for at, loss in enumerate(shown.losses):
        own, style = loss.label in followed, look[loss.label]
        axis.plot(
            x,
            table[:, at],
            color=style.shade if own else _FAINT,
            ls=style.line if own else "-",
            lw=1.3 if own else 0.7,
            marker=style.marker,
            markersize=3.6 if own else 2.2,
            markerfacecolor=style.shade if own else _GREY,
            markeredgewidth=0,
            zorder=3 if own else 2,
        )
        _name_ends(axis, loss, table[:, at], style.shade if own else "#666666", own)
    axis.set_ylim(len(shown.losses) + 0.5, 0.5)
    axis.set_yticks([])
    axis.tick_params(labelbottom=False, length=0)
    axis.set_xlim(-0.5, len(shown.choices) - 0.5)
    axis.grid(visible=False, axis="y")
    for spine in ("left", "bottom"):
        axis.spines[spine].set_visible(False)
    _separate(axis, shown)


def _name_ends(axis: "Axes", loss: ListedLoss, places: NDArray[np.float64], colour: str, bold: bool) -> None:
    """Write a loss where its line begins and where it ends."""
    known = places[np.isfinite(places)]
    if not len(known):
        return
    for side, level, points, align in ((0, known[0], -5, "right"), (1, known[-1], 5, "left")):
        axis.annotate(
            short(loss.label, 22),
            (side, level),
            (points, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha=align,
            va="center",
            fontsize=6,
            color=colour,
            fontweight="bold" if bold else "normal",
        )


def _spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return places from 1 on; equal losses stand below one another in the order of the figure."""
    places = np.full(len(values), np.nan)
    known = np.flatnonzero(np.isfinite(values))
    places[known[np.argsort(ranks_of(values[known]), kind="stable")]] = np.arange(1, len(known) + 1)
    return places


def _separate(axis: "Axes", shown: _Shown) -> None:
    kinds = [choice.kind for choice in shown.choices]
    for at in range(1, len(kinds)):
        if kinds[at] != kinds[at - 1]:
            axis.axvline(at - 0.5, color="#888888", lw=0.5, zorder=1)


def _draw_tau(axis: "Axes", figure: "Figure", shown: _Shown, column: float) -> None:
    tau, words = shown.tau, [choice.words for choice in shown.choices]
    below = np.where(np.tril(np.ones_like(tau), -1) > 0, tau, np.nan)
    least = min(0.0, float(np.nanmin(below, initial=0.0)))
    image = axis.imshow(below, cmap="cividis", vmin=least, vmax=1, aspect="auto")
    look: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 6}
    for i, j in combinations(range(len(tau))[::-1], 2):
        value = float(tau[i, j])
        if not np.isfinite(value):
            axis.text(j, i, "–", color=INK, **look)
        elif column >= _LEGIBLE:
            dark = (value - least) / (1 - least) < 0.55
            axis.text(j, i, _two_digits(value), color="white" if dark else INK, **look)
    axis.set_yticks(range(len(words)), words)
    axis.set_xticks(range(len(words)), words, rotation=90)
    axis.tick_params(length=0)
    axis.grid(visible=False)
    for spine in axis.spines.values():
        spine.set_visible(False)
    place = axis.inset_axes((1.05, 0.1, min(0.03, 0.12 / (column * len(words))), 0.8))
    bar = figure.colorbar(image, cax=place)
    bar.set_label("Kendall's tau-b")
    bar.outline.set_linewidth(0.5)


def _two_digits(value: float) -> str:
    return f"{value:.2f}".replace("-", "−").replace("0.", ".", 1) if abs(value) < 0.995 else f"{value:.0f}"


def _caption(shown: _Shown) -> str:
    each, default = shown.each, shown.default
    patients = counts([len(each.primary.block.patients)], "patient", "patients")
    runs = [of.counted for of in each.primary.block.runs.values() if of.counted]
    plan = (
        f"{title_of(default.basis.metric)}, undefined values by {default.basis.policy!r}, checkpoint "
        f"{default.basis.checkpoint!r}, {default.estimand}, mean over patients"
    )
    alone = " There is one run of every loss: these rank networks, not losses." if max(runs) == 1 else ""
    return (
        f"Ranks of the losses on {each.dataset} ({patients}, {counts(runs, 'run', 'runs')} of every loss), a "
        f"column for each ranking. The first is the plan's ({plan}); every other changes one choice and "
        f"keeps the rest. Coloured: up to {_COLOURED} losses, first in some column or best in the first. "
        "Equal losses stand below one another in the order of the report. Below: Kendall's tau-b of each "
        "two columns, over the losses that both rank (–: undefined, since one is constant)."
        f"{_seeds_words(shown)}{_first_words(shown)}{alone} Ranks have no intervals here: this shows what "
        "choices do, not what chance does."
    )


def _seeds_words(shown: _Shown) -> str:
    if not shown.hidden_seeds:
        return ""
    rest = f"{shown.hidden_seeds} more are not"
    return f" Of the rankings without a seed, the {_SEEDS} with the least tau are shown; {rest}."


def _first_words(shown: _Shown) -> str:
    grid = shown.each.grid
    if grid.recommended is None:
        return ""
    total, changed = len(grid.rankings), len(grid.changed)
    return (
        f" Over all {total} combinations of metric, policy, checkpoint, runs and rule the recommended "
        f"{grid.recommended} is first in {total - changed}."
    )


def _alt(shown: _Shown) -> str:
    labels = tuple(loss.label for loss in shown.losses)
    told = []
    for choice, tau in zip(shown.choices, shown.tau[0], strict=True):
        agreement = f", tau {tau:.2f}" if np.isfinite(tau) and choice.kind != "default" else ""
        told.append(f"{choice.words}: first {names(leaders_of(labels, choice.values), 3)}{agreement}")
    return f"Lines of ranks over {len(told)} rankings, above a matrix of their agreement. {'; '.join(told)}."


def _data(shown: _Shown) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for choice, tau in zip(shown.choices, shown.tau[0], strict=True):
        for loss, value, rank in zip(shown.losses, choice.values, choice.ranks, strict=True):
            rows.append(
                {
                    "dataset": shown.each.dataset,
                    "kind": choice.kind,
                    "ranking": choice.words,
                    "loss": loss.label,
                    "value": value,
                    "rank": rank,
                    "tau_with_plan": tau,
                }
            )
    return pd.DataFrame(rows)
