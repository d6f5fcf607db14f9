"""Which alpha schedules tuning chose: both weights of a compound over the epochs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from reports.figures.journals import page_width
from reports.figures.learning_curves import label_epochs, whole_epochs
from reports.figures.registry import Drawing, register_figure
from reports.figures.style import FAMILY_COLOURS, drawing_style, grid_of_axes, new_figure, short
from reports.figures.tuning_panels import plain
from reports.results import StudyResults
from reports.tuning.loss_search import LossSearch, loss_searches
from reports.tuning.schedules import Weights, default_alpha, schedule_words, weights_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 4
_COLOURS = (FAMILY_COLOURS["region"], FAMILY_COLOURS["boundary"])
_NAMES = ("$w_R$  region loss", "$w_B$  boundary loss")
_DASHES = (0, (3.5, 2))


@dataclass(frozen=True)
class _Panel:
    """The chosen schedules of one loss on one dataset, and the default arm's."""

    search: LossSearch
    chosen: tuple[tuple[int, Mapping[str, Any], Weights], ...]
    default: Weights | None


@register_figure("FS1", "tuning_schedules")
def tuning_schedules(results: StudyResults) -> list[Drawing]:
    """Draw the weights of every chosen schedule, dashed those of the default arm."""
    panels = [panel for search in loss_searches(results) if (panel := _panel(results, search)).chosen]
    if not panels:
        return []  # only compounds have a schedule
    with drawing_style():
        columns = min(_COLUMNS, max(2, len(panels)))
        rows = -(-len(panels) // columns)
        figure = new_figure(page_width(), 0.55 + 1.6 * rows, h_pad=0.05)
        axes = grid_of_axes(figure, rows, columns)
        places = [axis for row in axes for axis in row]
        for place, axis in enumerate(places):
            if place >= len(panels):
                axis.set_axis_off()
                continue
            _draw(axis, panels[place], columns <= 2)
            if place % columns == 0:
                axis.set_ylabel("weight")
        label_epochs(axes)
        handles = [places[0].plot([], [], color=colour)[0] for colour in _COLOURS]
        names = list(_NAMES)
        if any(panel.default for panel in panels):
            handles.append(places[0].plot([], [], color="#555555", ls=_DASHES, lw=0.9)[0])
            names.append("default arm")
        legend = figure.legend(handles, names, loc="outside upper left", ncols=3, columnspacing=2.4)
        for text in legend.get_texts():
            text.set(parse_math=True, math_fontfamily="stixsans")
    return [
        Drawing(
            "tuning_schedules",
            "Chosen alpha schedules",
            _caption(panels),
            _alt(panels),
            figure,
            data=_data(panels),
        )
    ]


def _panel(results: StudyResults, search: LossSearch) -> _Panel:
    chosen = []
    for history in search.folds:
        best = history.best
        if best is not None and best.alpha is not None:
            weights = weights_of(best.alpha, history.epochs)
            if weights:
                chosen.append((history.fold, best.alpha, weights))
    default = default_alpha(results, search)
    return _Panel(search, tuple(chosen), weights_of(default, search.folds[0].epochs))


def _draw(axis: "Axes", panel: _Panel, wide: bool) -> None:
    epochs = panel.search.folds[0].epochs
    several = len(panel.chosen) > 1
    for _, _, weights in panel.chosen:
        _steps(axis, weights, epochs, lw=0.9 if several else 1.6, alpha=0.75 if several else 1.0)
    if panel.default:
        _steps(axis, panel.default, epochs, lw=0.9, ls=_DASHES, zorder=1)
    axis.set_title(plain(panel.search.label, 44 if wide else 24), pad=13)
    kinds = " / ".join(dict.fromkeys(_kind(alpha) for _, alpha, _ in panel.chosen)).replace("_", " ")
    state = "" if panel.search.finished else ", so far"
    axis.annotate(
        f"{short(panel.search.dataset, 16)}: {short(kinds, 60 if wide else 26)}{state}",
        (0, 1),
        (0, 4),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=6,
        color="#555555",
    )
    axis.set_xlim(0, epochs)
    axis.set_ylim(bottom=-0.03)
    highest = max(axis.get_ylim()[1], 1.04)
    axis.set_ylim(top=highest)
    whole_epochs(axis)


def _kind(alpha: Mapping[str, Any]) -> str:
    then = alpha.get("then")
    name = str(alpha.get("schedule"))
    return f"{name} then {then.get('schedule')}" if isinstance(then, Mapping) else name


def _steps(axis: "Axes", weights: Weights, epochs: int, **look: Any) -> None:
    """Every epoch is one tread: the last one gets its width from a point behind it."""
    treads = [*weights, weights[-1]]
    for colour, values in zip(_COLOURS, zip(*treads, strict=True), strict=True):
        axis.plot(range(epochs + 1), values, drawstyle="steps-post", color=colour, **look)


def _caption(panels: Sequence[_Panel]) -> str:
    folds = " Thin lines are folds." if any(len(panel.chosen) > 1 for panel in panels) else ""
    default = " Dashed: the schedule of the default arm." if any(panel.default for panel in panels) else ""
    return (
        "The weights of L = w_R L_R + w_B L_B in every epoch, as the best configuration of each search has "
        f"them.{folds}{default} They were chosen on validation patients; schedules that differ little in "
        "value may look quite different."
    )


def _alt(panels: Sequence[_Panel]) -> str:
    parts = [
        f"{panel.search.label} on {panel.search.dataset}: "
        + " and ".join(schedule_words(alpha) for _, alpha, _ in panel.chosen)
        for panel in panels
    ]
    return f"Line charts of both weights over the epochs. {'; '.join(parts)}."


def _data(panels: Sequence[_Panel]) -> pd.DataFrame:
    rows = [
        (panel.search.dataset, panel.search.label, arm, fold, epoch, *pair)
        for panel in panels
        for arm, fold, weights in (
            *(("chosen", fold, weights) for fold, _, weights in panel.chosen),
            *((("default", None, panel.default),) if panel.default else ()),
        )
        for epoch, pair in enumerate(weights)
    ]
    columns = ["dataset", "loss", "arm", "fold", "epoch", "region_weight", "boundary_weight"]
    return pd.DataFrame(rows, columns=columns).astype({"fold": "Int64"})
