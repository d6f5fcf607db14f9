"""F11: performance profiles, the share of patients and runs that reach each score."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.statistics.cell import CellAnswer
from harness.statistics.performance_profiles import DRAWS, Profile, performance_profiles, thresholds_of
from harness.statistics.scale import Scale
from harness.statistics.wording import title_of
from reports.figures.answered import answer_of, counts
from reports.figures.family_panels import KEY_LINE, FamilyPanel, FamilyRows, family_rows, write_key
from reports.figures.paging import PAGE_HEIGHT, dataset_name
from reports.figures.registry import Drawing, NothingToDraw, register_figure
from reports.figures.style import (
    INK,
    drawing_style,
    metric_label,
    new_figure,
    panels,
    row_name,
    styles,
)
from reports.results import ListedLoss, StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

_NAME = "performance_profiles"
_TALL, _LOWEST, _HEAD = 1.25, 0.8, 0.5
"""Inches: height of a panel, the least of it, and of what stands around it and its key."""
_OTHERS = "#c6c6c6"
_BOOTSTRAP = 11
"""Sets these draws apart from others of the same plan."""
_FEW_SEEDS = 5


@dataclass(frozen=True)
class _Profiles:
    """The profiles of one dataset."""

    dataset: str
    cell: CellAnswer
    thresholds: NDArray[np.float64]
    by_loss: dict[str, Profile]

    @property
    def raw(self) -> NDArray[np.float64]:
        """Thresholds in the unit of the metric."""
        raw = np.asarray(self.cell.block.scale.raw(self.thresholds))
        return np.maximum(raw, 0.1 * self.cell.block.scale.eps) if self.cell.block.scale.log else raw


@register_figure("F11", _NAME)
def draw(results: StudyResults) -> list[Drawing]:
    """Draw a row of family panels for every dataset; a drawing for each where they do not fit a page."""
    shown = _profiles(results)
    laid = [family_rows(_panels(results, each)) for each in shown]
    together = sum(_height(each, _TALL) for each in laid) <= PAGE_HEIGHT
    groups = (
        [list(zip(shown, laid, strict=True))]
        if together
        else [[one] for one in zip(shown, laid, strict=True)]
    )
    drawings = []
    for pairs in groups:
        group = [each for each, _ in pairs]
        name = dataset_name(_NAME, group[0].dataset, len(groups))
        figure = _figure(results, pairs)
        drawings.append(
            Drawing(name, _title(group), _caption(results, group), _alt(group), figure, data=_data(group))
        )
    return drawings


def _profiles(results: StudyResults) -> list[_Profiles]:
    answer = answer_of(results, "performance profiles")
    entropy = answer.results.plan.entropy
    found = []
    for number, each in enumerate(answer.datasets):
        block = each.primary.block
        scores = {
            label: block.scale.scores(block.raw[label]) for label in results.labels if label in block.raw
        }
        if scores and block.patients:
            at = thresholds_of(list(scores.values()))
            by_loss = performance_profiles(scores, at, entropy=(entropy, number, _BOOTSTRAP))
            found.append(_Profiles(each.dataset, each.primary, at, by_loss))
    if not found:
        raise NothingToDraw("No performance profiles: no run has scores.")
    return found


def _panels(results: StudyResults, shown: _Profiles) -> list[FamilyPanel]:
    return panels([loss for loss in results.losses if loss.label in shown.by_loss])


def _height(laid: FamilyRows, tall: float) -> float:
    return 0.2 + sum(tall + _HEAD + KEY_LINE * key for key in laid.keys)


def _figure(results: StudyResults, pairs: "Sequence[tuple[_Profiles, FamilyRows]]") -> "Figure":
    """Return a figure of the datasets; panels are lower where it would be too high."""
    count = sum(len(laid.rows) for _, laid in pairs)
    spare = PAGE_HEIGHT - sum(_height(laid, 0) for _, laid in pairs)
    tall = max(_LOWEST, min(_TALL, spare / count))
    width = max(laid.width for _, laid in pairs)
    heights = [_height(laid, tall) for _, laid in pairs]
    with drawing_style():
        figure = new_figure(width, sum(heights), h_pad=0.03, w_pad=0.03)
        parts = np.atleast_1d(np.asarray(figure.subfigures(len(pairs), 1, height_ratios=heights)))
        for part, (each, laid) in zip(parts, pairs, strict=True):
            _draw_dataset(part, results, each, laid, tall)
    return figure


def _draw_dataset(
    part: "SubFigure", results: StudyResults, shown: _Profiles, laid: FamilyRows, tall: float
) -> None:
    from matplotlib import rcParams

    ratios = [ratio for key in laid.keys for ratio in (tall + _HEAD, KEY_LINE * key)]
    axes = part.subplots(len(ratios), laid.columns, squeeze=False, height_ratios=ratios)
    patients = len(shown.cell.block.patients)
    title: dict[str, Any] = {"fontsize": rcParams["axes.titlesize"], "fontweight": "bold"}
    part.suptitle(
        f"{row_name(shown.dataset)}, {patients} {results.part} patients", x=0.005, ha="left", **title
    )
    look = styles(results.losses)
    for place, row in enumerate(laid.rows):
        for column in range(laid.columns):
            panel, key = axes[2 * place][column], axes[2 * place + 1][column]
            key.set_axis_off()
            if column >= len(row):
                panel.set_axis_off()
                continue
            family, members = row[column]
            _draw_panel(panel, shown, members, look)
            panel.set_title(family, color=INK, fontweight="normal")
            panel.set_xlabel(metric_label(results, shown.cell.block.metric))
            if column == 0:
                panel.set_ylabel("share of values")
            else:
                panel.tick_params(labelleft=False)
            lines = panel.get_lines()[-len(members) :]
            write_key(key, lines, [loss.label for loss in members], laid.room)


def _draw_panel(axis: "Axes", shown: _Profiles, members: list[ListedLoss], look: dict[str, Any]) -> None:
    x, own = shown.raw, {loss.label for loss in members}
    for label, profile in shown.by_loss.items():
        if label not in own:
            axis.plot(x[::2], profile.share[::2], color=_OTHERS, lw=0.6, zorder=1)
    for loss in members:
        profile = shown.by_loss[loss.label]
        axis.fill_between(
            x, profile.low, profile.high, color=look[loss.label].colour, alpha=0.16, lw=0, zorder=2
        )
    for place, loss in enumerate(members):
        style, profile = look[loss.label], shown.by_loss[loss.label]
        axis.plot(
            x,
            profile.share,
            color=style.shade,
            ls=style.line,
            lw=style.width,
            marker=style.marker,
            markersize=2.6,
            markeredgewidth=0,
            markevery=(4 + 3 * place, 18),
            zorder=3,
        )
    if shown.cell.block.scale.log:
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    else:
        axis.locator_params(axis="x", nbins=4)
    axis.set_xlim(*sorted((float(x[0]), float(x[-1]))))
    axis.set_ylim(-0.02, 1.02)
    axis.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])


def _title(group: list[_Profiles]) -> str:
    where = f", {group[0].dataset}" if len(group) == 1 else ""
    return f"Performance profiles of {title_of(group[0].cell.block.metric)}{where}"


def _reached(scale: Scale) -> str:
    return "at least" if scale.direction == "higher" else "at most"


def _caption(results: StudyResults, group: list[_Profiles]) -> str:
    block = group[0].cell.block
    patients = counts([len(each.cell.block.patients) for each in group], "patient", "patients")
    runs = [profile.runs for each in group for profile in each.by_loss.values()]
    side = "right" if block.scale.direction == "higher" else "left"
    collapsed = any(of.useless for each in group for of in each.cell.block.runs.values())
    count = " Runs that collapsed count with the scores they have." if collapsed else ""
    return (
        f"Share of the {results.part} values, one for each patient and run ({patients}, "
        f"{counts(runs, 'run', 'runs')} of every loss), whose {title_of(block.metric)} is "
        f"{_reached(block.scale)} the threshold. Curves further to the {side} are better; where two cross, "
        "the better loss depends on the threshold. Coloured: the losses of one family, with 95 % pointwise "
        f"bands from {DRAWS} bootstrap draws of patients and runs; grey: all other losses."
        f"{count}{_few(runs)} The bands do not test differences, for losses share their patients."
    )


def _few(runs: list[int]) -> str:
    if max(runs) == 1:
        return " There is one run of every loss: the bands show patients only and speak of these networks."
    return f" With fewer than {_FEW_SEEDS} runs the bands are too narrow." if min(runs) < _FEW_SEEDS else ""


def _alt(group: list[_Profiles]) -> str:
    told = []
    for each in group:
        title, scale = title_of(each.cell.block.metric), each.cell.block.scale
        middle = {
            label: float(each.raw[np.flatnonzero(profile.share >= 0.5)[-1]])
            for label, profile in each.by_loss.items()
            if (profile.share >= 0.5).any()
        }
        medians = "; ".join(f"{label} {value:.3g}" for label, value in middle.items())
        told.append(f"{each.dataset}: half of the values have {title} {_reached(scale)}: {medians}")
    return f"Falling curves by family of losses, one for each loss. {'. '.join(told)}."


def _data(group: list[_Profiles]) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "dataset": each.dataset,
                    "loss": label,
                    "metric": each.cell.block.metric,
                    "threshold": each.raw,
                    "share": profile.share,
                    "low": profile.low,
                    "high": profile.high,
                    "patients": len(each.cell.block.patients),
                    "runs": profile.runs,
                }
            )
            for each in group
            for label, profile in each.by_loss.items()
        ],
        ignore_index=True,
    )
