"""F13: every loss on every dataset against one of them, in units of the margin."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from harness.statistics.cell import CellAnswer
from harness.statistics.crossed import LEVEL
from harness.statistics.multiplicity import holm
from harness.statistics.versus import versus_reference, words_for
from harness.statistics.wording import margin_words, title_of
from reports.figures.answered import (
    answer_of,
    compared_datasets,
    design_sentence,
    in_order,
    lacks_reference,
    left_out,
    reference_of,
)
from reports.figures.journals import page_width
from reports.figures.paging import PAGE_HEIGHT, PanelPage, pages
from reports.figures.registry import Drawing, NothingToDraw, register_figure
from reports.figures.style import INK, drawing_style, new_figure, short, styles
from reports.results import ListedLoss, StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

_NAME = "dataset_heatmap"
_COLOURS = "RdBu"
_SMALLEST_RANGE, _LARGEST_RANGE = 3.0, 20.0
"""Margins: where the colours end at least and at most."""
_ROW, _LABELS, _NARROW, _WIDE, _LEGIBLE = 0.165, 1.45, 0.34, 0.95, 0.25
"""Inches: height of a row, width of the names, cells that decide the layout, and the least with numbers."""
_LETTER = 0.052
"""Inches: width of a letter of a tick label, on average."""
_LOSSES = 48
"""In one drawing."""
_OVERALL = "all"


@dataclass(frozen=True)
class _Entry:
    """One cell: a difference from the reference in margins, with its interval and what may be said."""

    difference: float
    low: float
    high: float
    p: float
    words: str

    @property
    def resolved(self) -> bool:
        return self.words.startswith(("better", "worse"))

    @property
    def text(self) -> str:
        number = f"{self.difference:+.1f}" if abs(self.difference) < 9.95 else f"{self.difference:+.0f}"
        number = "0.0" if float(number) == 0 else number
        return ("≈ " if self.words.startswith("equivalent") else "") + number.replace("-", "−")


@dataclass(frozen=True)
class _Column:
    """One dataset under one metric, or all datasets together."""

    metric: str
    dataset: str
    entries: dict[str, _Entry]


@dataclass(frozen=True)
class _Layout:
    """Width of a cell in inches, and whether the names of datasets are too long for it."""

    cell: float
    slanted: bool


@register_figure("F13", _NAME)
def draw(results: StudyResults) -> list[Drawing]:
    """Draw losses by datasets; metrics stand side by side, or in drawings of their own."""
    found = compared_datasets(results, "heatmap over datasets")
    reference = reference_of(results) or found[0].cell.recommendation.loss
    if reference is None:
        raise NothingToDraw("No heatmap over datasets: no loss is compared to which others could be related.")
    cells = [cell for each in found for cell in each.answer.cells if reference in cell.block.losses]
    columns = [column for column in _columns(results, cells, reference) if len(column.entries)]
    if not columns:
        raise NothingToDraw("No heatmap over datasets: no other loss is compared with the reference.")
    metrics = list(dict.fromkeys(column.metric for column in columns))
    fits = (page_width() - _LABELS) / (len(columns) + 1) >= _NARROW
    together = [columns] if fits else [[each for each in columns if each.metric == name] for name in metrics]
    drawings = []
    for group in together:
        for page in _pages(results, group, reference):
            with drawing_style():
                figure = _figure(results, group, page.panels, reference)
            drawings.append(
                Drawing(
                    page.name(_NAME if fits else f"{_NAME}_{group[0].metric}"),
                    page.title(f"Losses by dataset, against {reference}"),
                    _caption(results, group, cells, reference),
                    _alt(group, page.panels, reference),
                    figure,
                    data=_data(group, page.panels, reference),
                )
            )
    return drawings


def _pages(results: StudyResults, columns: list[_Column], reference: str) -> list[PanelPage[ListedLoss]]:
    """Return the losses of each drawing."""
    losses = in_order(results, {reference, *(loss for column in columns for loss in column.entries)})
    return pages(losses, _LOSSES)


def _columns(results: StudyResults, cells: Sequence[CellAnswer], reference: str) -> list[_Column]:
    """Return the columns by metric: the datasets, then all of them for the primary metric."""
    metrics = list(dict.fromkeys(cell.block.metric for cell in cells))
    found = []
    for metric in metrics:
        own = [cell for cell in cells if cell.block.metric == metric]
        found += [_column(cell, reference) for cell in own]
        if metric == answer_of(results).metric and len(own) > 1:
            found += _over_datasets(results, reference, max(cell.asked.alpha for cell in own))
    return found


def _column(cell: CellAnswer, reference: str) -> _Column:
    entries: dict[str, _Entry] = {}
    if cell.comparison is not None:
        inside, margin = cell.block.without(tuple(cell.asked.dropped)), cell.asked.margin
        inside = inside if cell.asked.dropped else cell.block
        parts, alpha = cell.comparison.parts, cell.asked.alpha
        for versus in versus_reference(inside, parts, [reference], margin, alpha):
            for row in versus.rows:
                ends = row.difference.difference, row.difference.low, row.difference.high
                entries[row.loss] = _entry(ends, margin, row.p, row.words)
    return _Column(cell.block.metric, cell.block.dataset, entries)


def _entry(ends: tuple[float, float, float], margin: float, p: float, words: str) -> _Entry:
    middle, low, high = (end / margin for end in ends)
    return _Entry(middle, low, high, p, words)


def _over_datasets(results: StudyResults, reference: str, alpha: float) -> list[_Column]:
    answer = answer_of(results)
    over = answer.over_datasets
    if over is None or reference not in over.pairs.losses:
        return []
    pairs, margin = over.pairs, over.several.margin
    at = pairs.losses.index(reference)
    others = [i for i in range(len(pairs.losses)) if i != at]
    adjusted = holm(pairs.p[others, at])
    same, half = pairs.equivalence_p(margin)[:, at], pairs.half_width((1 - LEVEL) / 2)[:, at]
    entries = {}
    for i, p in zip(others, adjusted, strict=True):
        middle = float(pairs.difference[i, at])
        ends = middle, middle - float(half[i]), middle + float(half[i])
        words = words_for(float(p), float(same[i]), ends, margin, alpha)
        entries[pairs.losses[i]] = _entry(ends, margin, float(p), words)
    return [_Column(answer.metric, _OVERALL, entries)]


def _figure(
    results: StudyResults, columns: list[_Column], losses: list[ListedLoss], reference: str
) -> "Figure":
    width = page_width()
    cell = min(_WIDE, (width - _LABELS) / (len(columns) + 0.6))
    used = min(width, _LABELS + cell * (len(columns) + 0.6))
    height = min(PAGE_HEIGHT, 1.25 + _ROW * len(losses))
    figure = new_figure(used, height, w_pad=0.02, h_pad=0.03, wspace=0.02)
    metrics = list(dict.fromkeys(column.metric for column in columns))
    groups = [[column for column in columns if column.metric == metric] for metric in metrics]
    axes = figure.subplots(
        1, len(groups), squeeze=False, width_ratios=[len(group) for group in groups], sharey=True
    )[0]
    scale = _scale(columns)
    layout = _Layout(cell, max(len(short(column.dataset, 22)) for column in columns) * _LETTER > cell)
    for axis, group in zip(axes, groups, strict=True):
        _draw_cells(axis, group, losses, reference, scale, layout)
        axis.set_title(title_of(group[0].metric))
    look = styles(results.losses)
    axes[0].set_yticks(range(len(losses)), [short(loss.label) for loss in losses])
    for tick, loss in zip(axes[0].get_yticklabels(), losses, strict=True):
        tick.set_color(look[loss.label].shade)
    bar = figure.colorbar(scale, ax=list(axes), orientation="horizontal", extend="both", aspect=40, pad=0.02)
    bar.set_label(f"difference from {short(reference)}, in margins, better →")
    bar.outline.set_linewidth(0.5)
    return figure


def _scale(columns: list[_Column]) -> "ScalarMappable":
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    every = np.abs([entry.difference for column in columns for entry in column.entries.values()])
    limit = float(np.clip(np.quantile(every, 0.9), _SMALLEST_RANGE, _LARGEST_RANGE))
    return ScalarMappable(Normalize(-limit, limit), _COLOURS)


def _draw_cells(
    axis: "Axes",
    columns: list[_Column],
    losses: list[ListedLoss],
    reference: str,
    scale: "ScalarMappable",
    layout: _Layout,
) -> None:
    for x, column in enumerate(columns):
        for y, loss in enumerate(losses):
            entry = column.entries.get(loss.label)
            if entry is not None:
                _draw_entry(axis, (x, y), entry, scale, layout.cell)
                continue
            own = loss.label == reference
            _box(axis, (x, y), "white" if own else "#e4e4e4")
            axis.text(x, y, "ref." if own else "–", ha="center", va="center", fontsize=6, color=INK)
        if column.dataset == _OVERALL and len(columns) > 1:
            axis.axvline(x - 0.5, color="white", lw=2.5)
    axis.set_xlim(-0.5, len(columns) - 0.5)
    axis.set_ylim(len(losses) - 0.5, -0.5)
    names = [short(column.dataset, 22) for column in columns]
    axis.set_xticks(range(len(columns)), names)
    if layout.slanted:
        axis.set_xticks(range(len(columns)), names, rotation=40, ha="right", rotation_mode="anchor")
    axis.tick_params(length=0)
    axis.grid(visible=False)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _draw_entry(
    axis: "Axes", place: tuple[int, int], entry: _Entry, scale: "ScalarMappable", cell: float
) -> None:
    colour = scale.to_rgba(np.array([entry.difference]))[0]
    hatched = entry.words == "not resolved"
    _box(axis, place, colour, hatch="/////" if hatched else None)
    if cell < _LEGIBLE:
        return
    dark = float(np.dot(colour[:3], (0.299, 0.587, 0.114))) < 0.55
    look: dict[str, Any] = {"color": "white" if dark else INK, "fontsize": 6, "ha": "center", "va": "center"}
    text = axis.text(*place, entry.text, fontweight="bold" if entry.resolved else "normal", **look)
    if hatched:
        text.set_bbox({"boxstyle": "square,pad=0.12", "fc": colour, "ec": "none"})


def _box(axis: "Axes", place: tuple[int, int], colour: Any, hatch: str | None = None) -> None:
    from matplotlib.patches import Rectangle

    corner = place[0] - 0.5, place[1] - 0.5
    axis.add_patch(
        Rectangle(corner, 1, 1, fc=colour, ec="#9a9a9a" if hatch else "white", hatch=hatch, lw=0, zorder=1)
    )
    axis.add_patch(Rectangle(corner, 1, 1, fill=False, ec="white", lw=0.8, zorder=2))


def _caption(
    results: StudyResults, columns: list[_Column], cells: Sequence[CellAnswer], reference: str
) -> str:
    metrics = list(dict.fromkeys(column.metric for column in columns))
    own = [cell for cell in cells if cell.block.metric in metrics and cell.comparison is not None]
    margins = "; ".join(f"{title_of(metric)} {_margin(own, metric)}" for metric in metrics)
    alpha = " or ".join(dict.fromkeys(f"{cell.asked.alpha:g}" for cell in own))
    overall = ""
    if any(column.dataset == _OVERALL for column in columns):
        overall = " Column all: the mean over these datasets, each with the same weight."
    datasets = [column.dataset for column in columns]
    outside = any(len(column.entries) + 1 < len(results.losses) for column in columns)
    return (
        f"Each loss minus {reference}, in units of the margin of negligible differences ({margins}); blue is "
        f"better, and colours end where the bar ends. {design_sentence(results, own)} Bold: "
        "the difference is supported over patients and seeds (crossed-variance t, Holm over the comparisons "
        f"of a column, alpha = {alpha}); ≈: equivalent within the margin (two one-sided tests, not adjusted)"
        f"; hatched: not resolved.{overall}{' –: not compared.' if outside else ''} Losses are "
        f"in the order of expected regret.{lacks_reference(results, reference, datasets)}{left_out(results)}"
    )


def _margin(cells: Sequence[CellAnswer], metric: str) -> str:
    own = [cell for cell in cells if cell.block.metric == metric]
    return " or ".join(dict.fromkeys(margin_words(cell.block.scale, cell.asked.margin) for cell in own))


def _alt(columns: list[_Column], losses: list[ListedLoss], reference: str) -> str:
    told = []
    for column in columns:
        entries = {loss.label: column.entries[loss.label] for loss in losses if loss.label in column.entries}
        better = [label for label, entry in entries.items() if entry.words.startswith("better")]
        worse = [label for label, entry in entries.items() if entry.words.startswith("worse")]
        open_ = sum(entry.words == "not resolved" for entry in entries.values())
        told.append(
            f"{title_of(column.metric)}, {column.dataset}: better: {', '.join(better) or 'none'}; "
            f"worse: {', '.join(worse) or 'none'}; not resolved: {open_}"
        )
    return f"Heatmap of the differences of losses from {reference} by dataset. {'. '.join(told)}."


def _data(columns: list[_Column], losses: list[ListedLoss], reference: str) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "metric": column.metric,
                "dataset": column.dataset,
                "loss": loss.label,
                "reference": reference,
                "difference_in_margins": column.entries[loss.label].difference,
                "low": column.entries[loss.label].low,
                "high": column.entries[loss.label].high,
                "p_holm": column.entries[loss.label].p,
                "words": column.entries[loss.label].words,
            }
            for column in columns
            for loss in losses
            if loss.label in column.entries
        ]
    )
