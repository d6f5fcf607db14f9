"""F9: what more patients and more seeds would let a study find."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.interpolate import RectBivariateSpline

from harness.statistics.block import MIN_SEEDS
from harness.statistics.power import Aim, aim_for, detectable
from harness.statistics.seeds_and_cases import MOST_SEEDS, fewest_patients, fewest_seeds, planning_grid
from harness.statistics.variance_components import Components, Values, components_of
from harness.statistics.wording import names, title_of
from reports.figures.answered import Compared, compared_datasets, design_sentence, left_out
from reports.figures.journals import page_width
from reports.figures.paging import pages, rows_on_page
from reports.figures.registry import Drawing, register_figure
from reports.figures.row_panels import panel_title
from reports.figures.style import INK, drawing_style, grid_of_axes, new_figure, row_name
from reports.results import StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.contour import QuadContourSet
    from matplotlib.figure import Figure

_SHARES = (
    0.0005,
    0.001,
    0.002,
    0.003,
    0.005,
    0.0075,
    0.01,
    0.015,
    0.02,
    0.03,
    0.05,
    0.075,
    0.1,
    0.15,
    0.2,
    0.3,
    0.5,
)
_RATIOS = (1.01, 1.02, 1.03, 1.05, 1.075, 1.1, 1.15, 1.2, 1.3, 1.5, 2.0, 3.0, 5.0, 10.0)
_PANEL, _HEIGHT = 2.25, 2.55
_FEW_SEEDS = 50
_FEWEST_PATIENTS, _MOST_PATIENTS = 5, 1000


@dataclass(frozen=True)
class Plan:
    """What designs on one dataset can find.

    Attributes:
        compared: The dataset.
        typical: Components of a pair with median variances.
        aim: Of each comparison with the best.
    """

    compared: Compared
    typical: Components
    aim: Aim

    @property
    def margin(self) -> float:
        """The difference to plan for, of scores."""
        return self.compared.cell.asked.margin

    @property
    def patients(self) -> int:
        """Of the present design."""
        return self.compared.comparison.parts.patients

    @property
    def seeds(self) -> int:
        """Of the present design: those of the loss with the fewest."""
        return int(self.compared.comparison.parts.seeds.min())

    @property
    def most_patients(self) -> int:
        """Of any design that is drawn."""
        return max(_MOST_PATIENTS, 2 * self.patients)

    @cached_property
    def grid(self) -> pd.DataFrame:
        """Smallest detectable differences."""
        patients = np.geomspace(_FEWEST_PATIENTS, self.most_patients, 60).round().astype(int)
        seeds = np.geomspace(MIN_SEEDS, max(MOST_SEEDS, self.seeds), 60).round().astype(int)
        return planning_grid(
            self.typical,
            np.unique([*patients, self.patients]),
            np.unique([*seeds, _FEW_SEEDS, self.seeds]),
            self.aim,
        )

    @property
    def most_seeds(self) -> int:
        """Up to which seeds are worth a look: few where they reach the margin, or all that are planned."""
        few = self.grid[self.grid["seeds"] <= _FEW_SEEDS]["detectable"]
        own = int(self.compared.comparison.parts.seeds.max())
        return _FEW_SEEDS if few.min() < self.margin and own <= _FEW_SEEDS else max(MOST_SEEDS, own)

    @property
    def now(self) -> float:
        """Smallest detectable difference of the present design."""
        return float(detectable(self.typical, self.patients, self.seeds, self.aim)[0])

    def words(self, difference: float) -> str:
        """Return a difference as people state it: 0.01, or a factor of 1.1."""
        log = self.compared.cell.block.scale.log
        return f"a factor of {np.exp(difference):.3g}" if log else f"{difference:.2g}"

    @property
    def seeds_needed(self) -> str:
        """What reaches the margin with the patients at hand."""
        found = float(fewest_seeds(self.typical, self.patients, self.margin, self.aim)[0])
        return f"{found:.0f} seeds" if np.isfinite(found) else f"more than {MOST_SEEDS} seeds"

    @property
    def patients_needed(self) -> str:
        """What reaches the margin with the seeds at hand."""
        found = float(fewest_patients(self.typical, self.seeds, self.margin, self.aim)[0])
        return (
            f"takes {found:.0f} patients"
            if np.isfinite(found)
            else "is out of reach of any number of patients"
        )


@register_figure("F9", "planning_contours")
def planning_contours(results: StudyResults) -> list[Drawing]:
    """Draw contours of the smallest difference that numbers of patients and seeds can find."""
    shown = compared_datasets(results, "planning contours")
    plans = [_plan(each) for each in shown]
    columns = max(1, min(len(plans), int(page_width() / _PANEL)))
    drawings = []
    for page in pages(plans, columns * rows_on_page(_HEIGHT, 0.3)):
        here = page.panels
        with drawing_style():
            figure = _draw(here, columns)
        name, title = page.name("planning_contours"), page.title("More seeds or more patients")
        caption = _caption(results, here)
        drawings.append(Drawing(name, title, caption, _alt(here), figure, data=_data(here)))
    return drawings


def _plan(each: Compared) -> Plan:
    count = len(each.comparison.pairs.losses)
    first, second = np.triu_indices(count, 1)
    components = components_of(each.comparison.parts, first.astype(np.int64), second.astype(np.int64))
    return Plan(each, components.typical(), aim_for(count, each.cell.asked.alpha))


def _draw(plans: Sequence[Plan], columns: int) -> "Figure":
    columns = min(columns, len(plans))
    lines = -(-len(plans) // columns)
    width = page_width() if columns > 1 else min(page_width(), 3.6)
    figure = new_figure(width, 0.3 + lines * _HEIGHT, wspace=0.06, hspace=0.06)
    axes = grid_of_axes(figure, lines, columns)
    most = max(plan.most_seeds for plan in plans)
    for place, plan in enumerate(plans):
        axis = axes[place // columns][place % columns]
        _draw_plan(axis, plan, most)
        if place % columns == 0:
            axis.set_ylabel("Seeds of each loss")
        if place + columns >= len(plans):
            axis.set_xlabel("Patients")
    for spare in range(len(plans), lines * columns):
        axes[spare // columns][spare % columns].set_axis_off()
    _legend(figure, plans)
    return figure


def _draw_plan(axis: "Axes", plan: Plan, most_seeds: int) -> None:
    details = f"{plan.compared.design}: detects {plan.words(plan.now)}"
    panel_title(axis, row_name(plan.compared.dataset), details)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlim(_FEWEST_PATIENTS, plan.most_patients)
    axis.set_ylim(MIN_SEEDS, most_seeds)
    axis.grid(visible=False)
    _ticks(axis.xaxis, (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000))
    _ticks(axis.yaxis, (2, 3, 5, 10, 20, 50, 100, 200, 500, 1000))
    _draw_contours(axis, plan)
    axis.plot(plan.patients, plan.seeds, "*", ms=9, mfc="white", mec=INK, mew=0.9, zorder=6, clip_on=False)
    most = int(plan.compared.comparison.parts.seeds.max())
    if most > plan.seeds:
        axis.plot([plan.patients] * 2, [plan.seeds, most], color=INK, lw=0.9, zorder=5)


def _ticks(side: "Axis", ticks: Sequence[int]) -> None:
    from matplotlib.ticker import NullLocator

    low, high = side.get_view_interval()
    side.set_ticks([tick for tick in ticks if low <= tick <= high])
    side.set_major_formatter(lambda value, _: f"{value:.0f}")
    side.set_minor_locator(NullLocator())


def _draw_contours(axis: "Axes", plan: Plan) -> None:
    import matplotlib as mpl

    inside = plan.grid[plan.grid["seeds"] <= axis.get_ylim()[1]]
    if not (inside["detectable"] > 0).all():
        axis.text(0.5, 0.5, "no variance: any\ndifference is found", transform=axis.transAxes, ha="center")
        return
    x, y, z = _smooth(inside)
    others = [each for each in _levels(plan) if z.min() < each < z.max()]
    reached = bool(z.min() < plan.margin < z.max())
    every = sorted([*others, *([plan.margin] if reached else [])])
    bounds = [float(z.min()) / 1.001, *every, float(z.max()) * 1.001]
    axis.contourf(x, y, z, levels=bounds, colors=[_tint(plan, *pair) for pair in pairwise(bounds)])
    if others:
        lines = axis.contour(x, y, z, levels=others, colors=INK, linewidths=0.5)
        _write_levels(axis, lines, plan)
    if reached:
        bold = axis.contour(x, y, z, levels=[plan.margin], colors="black", linewidths=2.0)
        _write_levels(axis, bold, plan)
    elif z.min() >= plan.margin:
        size = mpl.rcParams["xtick.labelsize"]
        words = f"{plan.words(plan.margin)} is out of reach here"
        axis.text(
            0.97, 0.96, words, transform=axis.transAxes, ha="right", va="top", fontsize=size, style="italic"
        )


def _smooth(grid: pd.DataFrame) -> tuple[Values, Values, Values]:
    """Return patients, seeds and differences on a fine grid: whole numbers make lines with corners."""
    table = grid.pivot_table(index="seeds", columns="patients", values="detectable")
    x, y = np.log(table.columns.to_numpy(float)), np.log(table.index.to_numpy(float))
    spline = RectBivariateSpline(y, x, np.log(table.to_numpy(float)))
    fine_x, fine_y = np.linspace(x[0], x[-1], 160), np.linspace(y[0], y[-1], 160)
    return np.exp(fine_x), np.exp(fine_y), np.exp(spline(fine_y, fine_x))


def _tint(plan: Plan, low: float, high: float) -> tuple[float, float, float]:
    """Return a pale colour, the paler the smaller the difference, in margins: one scale for all panels."""
    import matplotlib as mpl

    octaves = np.log2(np.sqrt(low * high) / plan.margin)
    red, green, blue, _ = mpl.colormaps["cividis_r"](float(np.clip((octaves + 1.5) / 6, 0, 1)))
    return tuple(1 - 0.55 * (1 - each) for each in (red, green, blue))  # type: ignore[return-value]


def _write_levels(axis: "Axes", lines: "QuadContourSet", plan: Plan) -> None:
    """Write every level on its line, away from the edges."""
    import matplotlib as mpl

    log = plan.compared.cell.block.scale.log
    scale = axis.transScale + axis.transLimits
    star = scale.transform((plan.patients, plan.seeds))
    places = []
    for path in lines.get_paths():
        vertices = np.reshape(np.asarray(path.vertices, float), (-1, 2))
        at = scale.transform(vertices)
        fit = (np.abs(at - 0.5) < 0.43).all(axis=1) & (np.abs(at - star) > (0.14, 0.09)).any(axis=1)
        if fit.any():
            distance = np.where(fit, np.abs(at[:, 0] - 0.72), np.inf)
            places.append(tuple(vertices[int(distance.argmin())]))
    if places:
        axis.clabel(
            lines,
            fmt=lambda at: f"×{np.exp(at):.4g}" if log else f"{at:.4g}",
            fontsize=mpl.rcParams["xtick.labelsize"],
            inline_spacing=2,
            manual=places,
        )


def _levels(plan: Plan) -> list[float]:
    """Return round differences to draw, those next to the margin left out."""
    every = np.log(_RATIOS) if plan.compared.cell.block.scale.log else np.array(_SHARES)
    apart = np.abs(np.log(every / plan.margin)) > 0.2
    return [float(each) for each in every[apart]]


def _legend(figure: "Figure", plans: Sequence[Plan]) -> None:
    from matplotlib.lines import Line2D

    margins = list(dict.fromkeys(plan.words(plan.margin) for plan in plans))
    margin = f"the margin, {margins[0]}" if len(margins) == 1 else "the margin of the dataset"
    keys = [
        Line2D([], [], color="black", lw=2.0, label=margin),
        Line2D([], [], color=INK, lw=0.5, label="other differences"),
        Line2D([], [], ls="", marker="*", ms=9, mfc="white", mec=INK, mew=0.9, label="this study"),
    ]
    figure.legend(handles=keys, loc="outside lower center", ncols=3)


def _data(plans: Sequence[Plan]) -> pd.DataFrame:
    return pd.concat([_table(plan) for plan in plans], ignore_index=True)


def _table(plan: Plan) -> pd.DataFrame:
    frame = plan.grid.copy()
    frame.insert(0, "dataset", plan.compared.dataset)
    frame["margin"] = plan.margin
    frame["present"] = (frame["patients"] == plan.patients) & (frame["seeds"] == plan.seeds)
    return frame


def _caption(results: StudyResults, plans: Sequence[Plan]) -> str:
    first = plans[0]
    title = title_of(first.compared.cell.block.metric)
    what = "ratio of distances" if first.compared.cell.block.scale.log else f"difference in mean {title}"
    alpha = ", ".join(dict.fromkeys(f"{plan.aim.alpha:.3g}" for plan in plans))
    margins = ", ".join(dict.fromkeys(plan.words(plan.margin) for plan in plans))
    return (
        f"Smallest {what} between two losses that a design detects with a power of "
        f"{100 * first.aim.power:.0f} %, over patients and seeds of each loss, both axes logarithmic; the "
        "paler, the finer. For a typical pair, with median variance components, by the crossed-variance t, "
        f"two-sided at {alpha}: alpha over the number of losses less one, as for comparisons with the best. "
        f"Bold: the margin ({margins}), the smallest difference that matters. Star: this study; where losses "
        "have unequal numbers of seeds, that with the fewest. "
        f"{design_sentence(results, [plan.compared.cell for plan in plans])} {_needs(plans)}"
        + left_out(results)
    )


def _needs(plans: Sequence[Plan]) -> str:
    """Return what reaches the margin where the study does not, as a sentence or two."""
    short_of = [plan for plan in plans if plan.now > plan.margin]
    enough = [plan.compared.dataset for plan in plans if plan.now <= plan.margin]
    told = [f"The margin is within reach of this study on {names(enough)}."] if enough else []
    if short_of:
        seeds = _by_place((plan.seeds_needed, plan.compared.dataset) for plan in short_of)
        patients = _by_place((plan.patients_needed, plan.compared.dataset) for plan in short_of)
        told += [f"With these patients, detecting the margin takes {seeds}; with these seeds it {patients}."]
    return " ".join(told)


def _by_place(found: Iterable[tuple[str, str]]) -> str:
    """Return what holds on which datasets, what holds on several said once."""
    places: dict[str, list[str]] = {}
    for words, dataset in found:
        places.setdefault(words, []).append(dataset)
    told = [f"{words} on {names(where)}" for words, where in places.items()]
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"


def _alt(plans: Sequence[Plan]) -> str:
    parts = [
        f"{plan.compared.dataset}: now {plan.words(plan.now)} with {plan.patients} patients and "
        f"{plan.seeds} seeds, {plan.words(plan.margin)} is the margin"
        for plan in plans
    ]
    return f"Contours of the smallest detectable difference over patients and seeds. {'; '.join(parts)}."
