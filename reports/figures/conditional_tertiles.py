"""F15: does the difference from the reference depend on the patient? Thirds of the patients; exploratory."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from harness.statistics.block import MIN_PATIENTS
from harness.statistics.conditional import FALSE_DISCOVERY, Interaction, Tertile, tertiles
from harness.statistics.wording import descriptor_words, margin_words, names, title_of
from reports.figures.answered import (
    Compared,
    answer_of,
    compared_datasets,
    design_sentence,
    in_order,
    left_out,
    score_name,
)
from reports.figures.journals import page_width
from reports.figures.paging import dataset_name
from reports.figures.registry import Drawing, NothingToDraw, register_figure
from reports.figures.style import INK, drawing_style, new_figure, short, styles
from reports.results import ListedLoss, StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAME = "conditional_tertiles"
_LOSSES = 24
"""In one drawing: those with the least q."""
_UNITS = {"volume_ml": " ml", "foreground_fraction": " %"}
"""Of descriptors."""
_THIRDS = ("lower third", "middle third", "upper third")
_MARKERS, _FILL = "ovs", ("#ffffff", "#9a9a9a", "#222222")
_ROW = 0.27
"""Inches for a loss with its three thirds."""


@dataclass(frozen=True)
class _Panel:
    """One descriptor: thirds and interaction of every loss, and the ends of the thirds in words."""

    descriptor: str
    thirds: dict[str, tuple[Tertile, ...]]
    interactions: dict[str, Interaction]
    ends: tuple[str, ...]


@dataclass(frozen=True)
class _Shown:
    """One dataset."""

    each: Compared
    reference: str
    panels: list[_Panel]
    losses: list[ListedLoss]
    hidden: int
    same: list[str]


@register_figure("F15", _NAME)
def draw(results: StudyResults) -> list[Drawing]:
    """Draw a panel for each descriptor, a row of three intervals for each loss; one drawing per dataset."""
    found = compared_datasets(results, "thirds of the patients")
    shown = [one for each in found if (one := _shown(results, each)) is not None]
    if not shown:
        raise NothingToDraw(
            "No thirds of the patients: no reference loss is compared, or patients differ in no descriptor."
        )
    drawings = []
    for one in shown:
        name = dataset_name(_NAME, one.each.dataset, len(results.datasets))
        with drawing_style():
            figure = _figure(results, one)
        title = f"Exploratory: difference from {one.reference} by patient, {one.each.dataset}"
        words = _caption(results, one, [other.each.dataset for other in shown])
        drawings.append(Drawing(name, title, words, _alt(one), figure, data=_data(one)))
    return drawings


def _shown(results: StudyResults, each: Compared) -> _Shown | None:
    block, plan = each.cell.block, answer_of(results).results
    if plan.patients is None:
        return None
    reference = next((label for label in plan.plan.references if label in block.losses), None)
    own = plan.patients[plan.patients["dataset"] == each.dataset].assign(
        patient=lambda frame: frame["patient"].astype(str)
    )
    table = own.drop_duplicates("patient").set_index("patient").reindex(list(block.patients))
    others = [loss for loss in block.losses if loss != reference]
    if reference is None or not others:
        return None
    found: dict[str, NDArray[np.float64]] = {}
    same: list[str] = []
    for name in table.select_dtypes("number").columns:
        values = table[name].to_numpy(float, na_value=np.nan)
        if len(np.unique(values[np.isfinite(values)])) < 2:
            continue
        if any(_same_order(values, known) for known in found.values()):
            same.append(str(name))
        else:
            found[str(name)] = values
    panels = [_panel(each, name, values, others, reference) for name, values in found.items()]
    q = {
        loss: min((panel.interactions[loss].q for panel in panels if loss in panel.interactions), default=1.0)
        for loss in others
    }
    kept = sorted(others, key=lambda loss: float(np.nan_to_num(q[loss], nan=1.0)))[:_LOSSES]
    return (
        _Shown(each, reference, panels, in_order(results, kept), len(others) - len(kept), same)
        if panels
        else None
    )


def _same_order(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Return whether two descriptors sort the patients alike."""
    known = np.isfinite(one)
    if not np.array_equal(known, np.isfinite(other)):
        return False
    return bool(np.array_equal(rankdata(np.round(one[known], 12)), rankdata(np.round(other[known], 12))))


def _panel(
    each: Compared, name: str, values: NDArray[np.float64], others: Sequence[str], reference: str
) -> _Panel:
    prior = each.comparison.parts.variances.prior
    thirds = {loss: tertiles(each.cell.block, values, loss, reference, prior) for loss in others}
    first = next(iter(thirds.values()))
    factor = 100.0 if name == "foreground_fraction" else 1.0
    unit = _UNITS.get(name, "")
    ends = tuple(
        f"{third.low * factor:.3g} to {third.high * factor:.3g}{unit}, n = {third.patients}"
        for third in first
    )
    told = {one.loss: one for one in each.answer.conditional if one.descriptor == name}
    return _Panel(name, thirds, told, ends)


def _figure(results: StudyResults, shown: _Shown) -> "Figure":
    count = len(shown.losses)
    from matplotlib import rcParams

    ratios = _ROW * count + 0.6, 0.42
    figure = new_figure(page_width(), sum(ratios) + 0.3, w_pad=0.03, h_pad=0.03, wspace=0.03)
    grid = figure.add_gridspec(2, len(shown.panels), height_ratios=ratios)
    axes: list[Axes] = []
    for column, panel in enumerate(shown.panels):
        first = {"sharex": axes[0], "sharey": axes[0]} if axes else {}
        axes.append(figure.add_subplot(grid[0, column], **first))
        axes[-1].tick_params(labelleft=column == 0)
        _draw_panel(axes[-1], figure.add_subplot(grid[1, column]), shown, panel)
    look = styles(results.losses)
    axes[0].set_yticks(range(count), [short(loss.label) for loss in shown.losses])
    axes[0].set_ylim(count - 0.45, -0.55)
    for tick, loss in zip(axes[0].get_yticklabels(), shown.losses, strict=True):
        tick.set_color(look[loss.label].shade)
    title = (
        f"Exploratory: {short(shown.each.dataset)}, {short(shown.reference)} subtracted, thirds of patients"
    )
    figure.suptitle(
        "\n".join(wrap(title, round(page_width() * 16))),
        x=0.005,
        ha="left",
        fontsize=rcParams["axes.titlesize"],
        fontweight="bold",
    )
    return figure


def _draw_panel(axis: "Axes", key: "Axes", shown: _Shown, panel: _Panel) -> None:
    block, margin = shown.each.cell.block, shown.each.cell.asked.margin
    axis.axvspan(-margin, margin, color="#dfe9f2", lw=0, zorder=0)
    axis.axvline(0, color=INK, lw=0.6, zorder=1)
    for row, loss in enumerate(shown.losses):
        for third, told in enumerate(panel.thirds[loss.label]):
            y = row + 0.24 * (third - (len(panel.ends) - 1) / 2)
            axis.plot([told.interval[0], told.interval[1]], [y, y], color="#777777", lw=0.8, zorder=2)
            axis.plot([told.difference], [y], zorder=3, **_mark(third))
        _write_q(axis, row, panel.interactions.get(loss.label))
        if row:
            axis.axhline(row - 0.5, color="#eeeeee", lw=0.5, zorder=0)
    axis.set_title(descriptor_words(panel.descriptor), fontweight="normal")
    look: dict[str, Any] = {"ha": "center", "va": "bottom", "fontsize": 6, "style": "italic"}
    axis.annotate("q", (1, 1), (9, 3), xycoords="axes fraction", textcoords="offset points", **look)
    axis.set_xlabel(f"difference of {score_name(block.metric, block.scale)}, better →")
    axis.grid(visible=False, axis="y")
    axis.tick_params(axis="y", length=0)
    axis.locator_params(axis="x", nbins=5)
    _draw_key(key, panel)


def _mark(third: int) -> dict[str, Any]:
    look: dict[str, Any] = {"markersize": 3.2, "markeredgecolor": INK, "markeredgewidth": 0.6, "ls": "none"}
    return {"marker": _MARKERS[third], "markerfacecolor": _FILL[third], **look}


def _draw_key(axis: "Axes", panel: _Panel) -> None:
    from matplotlib.lines import Line2D

    count = len(panel.ends)
    groups = _THIRDS if count == len(_THIRDS) else [f"group {number + 1}" for number in range(count)]
    handles = [
        Line2D([], [], label=f"{group}: {ends}", **_mark(third))
        for third, (group, ends) in enumerate(zip(groups, panel.ends, strict=True))
    ]
    axis.set_axis_off()
    axis.legend(handles=handles, loc="upper left", borderaxespad=0, handlelength=1)


def _write_q(axis: "Axes", row: int, found: Interaction | None) -> None:
    told = found is not None and np.isfinite(found.q)
    words = "–" if found is None or not told else f"{found.q:.2f}" if found.q >= 0.005 else "<.01"
    bold = found is not None and found.found
    axis.annotate(
        words,
        (1, row),
        (9, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=6,
        fontweight="bold" if bold else "normal",
        color=INK if bold else "#555555",
    )


def _caption(results: StudyResults, shown: _Shown, all_shown: Sequence[str]) -> str:
    block, margin = shown.each.cell.block, shown.each.cell.asked.margin
    return (
        f"Exploratory: each loss minus {shown.reference} in {score_name(block.metric, block.scale)} on "
        f"{shown.each.dataset}, in thirds of the patients by a descriptor of the ground "
        f"truth. {design_sentence(results, [shown.each.cell])} Markers and lines: mean differences with 95 % "
        "intervals over patients and seeds (crossed-variance t), not adjusted for their number; shaded: the "
        f"margin of {margin_words(block.scale, margin)} on {title_of(block.metric)}. q: of "
        "the slope of the difference on the standardised logarithm of the descriptor (least squares, HC3), "
        "by Benjamini and Hochberg over losses and descriptors; bold: below "
        f"{FALSE_DISCOVERY:g}. {_survivors(shown)} Predicted quality is no descriptor."
        f"{_what_is_missing(shown)}{_no_thirds(results, all_shown)}{left_out(results)}"
    )


def _no_thirds(results: StudyResults, shown: Sequence[str]) -> str:
    absent = [each.dataset for each in compared_datasets(results) if each.dataset not in shown]
    why = "no reference is compared there, or patients differ in no descriptor"
    return f" Not shown: {names(absent)} ({why})." if absent else ""


def _survivors(shown: _Shown) -> str:
    found = [one for panel in shown.panels for one in panel.interactions.values() if one.found]
    told = [f"{one.loss} by {descriptor_words(one.descriptor)}" for one in found]
    return f"Below: {names(told)}." if told else "None is."


def _what_is_missing(shown: _Shown) -> str:
    words = ""
    if any(
        third.patients < MIN_PATIENTS
        for panel in shown.panels
        for row in panel.thirds.values()
        for third in row
    ):
        words += f" Thirds of fewer than {MIN_PATIENTS} patients have no interval."
    if shown.hidden:
        total, count = shown.hidden + len(shown.losses), len(shown.losses)
        words += f" Of {total} losses the {count} with the least q are shown."
    for name in shown.same:
        words += f" The {descriptor_words(name)} sorts the patients in the same way and is not shown."
    return words


def _alt(shown: _Shown) -> str:
    told = []
    for panel in shown.panels:
        for loss in shown.losses:
            thirds = ", ".join(f"{third.difference:+.3f}" for third in panel.thirds[loss.label])
            told.append(f"{loss.label} by {descriptor_words(panel.descriptor)}: {thirds}")
    title = f"Intervals of differences from {shown.reference}, from the lowest third of patients up"
    return f"{title}. {'; '.join(told)}."


def _data(shown: _Shown) -> pd.DataFrame:
    rows = []
    nothing = float("nan")
    for panel in shown.panels:
        for loss, thirds in panel.thirds.items():
            found = panel.interactions.get(loss)
            for number, third in enumerate(thirds, 1):
                rows.append(
                    {
                        "dataset": shown.each.dataset,
                        "descriptor": panel.descriptor,
                        "loss": loss,
                        "reference": shown.reference,
                        "third": number,
                        "from": third.low,
                        "to": third.high,
                        "patients": third.patients,
                        "difference": third.difference,
                        "low": third.interval[0],
                        "high": third.interval[1],
                        "slope": nothing if found is None else found.slope,
                        "p": nothing if found is None else found.p,
                        "q": nothing if found is None else found.q,
                    }
                )
    return pd.DataFrame(rows)
