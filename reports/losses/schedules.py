"""How the two weights of a compound move: one small panel per alpha schedule."""

from dataclasses import dataclass
from math import copysign
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from harness.errors import InputError
from harness.losses import ALPHA_SCHEDULES, Schedule
from harness.losses.alpha import WarmStart
from reports.figures.learning_curves import label_epochs, whole_epochs
from reports.figures.registry import Drawing
from reports.figures.style import FAMILY_COLOURS, INK, WIDTH, drawing_style, grid_of_axes, new_figure
from reports.figures.write import check_target, write_drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 4
SMALL = 6.0
GREY = "#555555"
_NOTE = 27.0
"""Points between a panel and its title, for three lines: two of the source, one of the parameters."""
PUBLISHED_CODE = "published code"

_WEIGHTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("$w_R$", "region loss", {"color": FAMILY_COLOURS["region"], "lw": 1.9, "ls": "-"}),
    ("$w_B$", "boundary loss", {"color": FAMILY_COLOURS["boundary"], "lw": 1.2, "ls": (0, (3.2, 1.2))}),
)


@dataclass(frozen=True)
class _Panel:
    """One schedule: its name, what kind of weights it gives, and the schedule itself."""

    name: str
    kind: str
    schedule: Schedule


def write_schedules(target: Path, epochs: int = 200) -> None:
    """Write the picture of all schedules, whole or not at all.

    Args:
        target: A name that ends in ``.png``, ``.pdf`` or ``.svg``.
        epochs: Length of the training that is drawn.

    Raises:
        InputError: if the name ends otherwise, or there is no epoch.
    """
    check_target(target)
    drawing = Drawing("schedules", "Alpha schedules", _caption(epochs), _alt(epochs), draw_schedules(epochs))
    write_drawing(drawing, target)


def draw_schedules(epochs: int = 200) -> "Figure":
    """Draw w_R and w_B against the epoch, one panel per registered schedule at its defaults.

    The released code of ``rebalance`` has a panel of its own. A warm start that is as long as the
    training is drawn over a quarter of it; any other schedule that the training is too short for says
    so in its panel.

    Raises:
        InputError: if there is no epoch.
    """
    if epochs < 1:
        raise InputError(f"a training has at least 1 epoch (got {epochs})")
    mixed, others = _panels(epochs)
    blocks = [(block, -(-len(block) // COLUMNS)) for block in (mixed, others) if block]
    rows = sum(height for _, height in blocks)
    with drawing_style():
        figure = new_figure(WIDTH, 0.42 + 1.62 * rows, h_pad=0.06, w_pad=0.03, hspace=0.04)
        axes = grid_of_axes(figure, rows, COLUMNS, sharex=True)
        first = 0
        for block, height in blocks:
            _draw_block(axes[first : first + height], block, epochs)
            first += height
        label_epochs(axes)
        figure.align_ylabels()
        _key(figure)
    return figure


def _panels(epochs: int) -> tuple[list[_Panel], list[_Panel]]:
    """Return the panels whose weights sum to one, and the others."""
    found: list[_Panel] = []
    for name, make in ALPHA_SCHEDULES.items():
        schedule = make.model_validate({"schedule": name})
        if isinstance(schedule, WarmStart) and epochs <= (schedule.epochs or 0):
            schedule = WarmStart(over=0.25)
        found.append(_Panel(name, schedule.form, schedule))
        if "published_code" in make.model_fields:
            found.append(_Panel(name, PUBLISHED_CODE, make.model_validate({"published_code": True})))
    mixed = [panel for panel in found if panel.kind == "mix"]
    return mixed, [panel for panel in found if panel.kind != "mix"]


def _draw_block(axes: "list[list[Axes]]", panels: list[_Panel], epochs: int) -> None:
    """Draw panels that share a vertical scale, row by row."""
    places = [axis for row in axes for axis in row]
    highest = max([1.0, *(weight for panel in panels for pair in _weights(panel, epochs) for weight in pair)])
    for place, axis in enumerate(places):
        if place >= len(panels):
            axis.set_axis_off()
            continue
        _draw_panel(axis, panels[place], epochs, highest)
        if place % COLUMNS:
            axis.tick_params(labelleft=False)
        else:
            axis.set_ylabel("weight")


def _weights(panel: _Panel, epochs: int) -> list[tuple[float, float]]:
    """Return the weights of all epochs, or nothing if there are too few epochs."""
    try:
        return [panel.schedule.weights(epoch, epochs) for epoch in range(epochs)]
    except ValueError:
        return []


def _draw_panel(axis: "Axes", panel: _Panel, epochs: int, highest: float) -> None:
    axis.set_title(panel.name, pad=_NOTE + 3)
    axis.set_title(panel.kind, loc="right", pad=_NOTE + 3, fontweight="normal", fontsize=6.5, color=INK)
    source = fill(panel.schedule.reference.replace("arXiv ", "arXiv\u00a0"), 34)
    axis.annotate(
        f"{source}\n{_parameters(panel)}",
        (0, 1),
        (0, _NOTE),
        xycoords="axes fraction",
        textcoords="offset points",
        va="top",
        fontsize=SMALL,
        color=GREY,
    )
    axis.set_xlim(0, epochs)
    axis.set_ylim(-0.03 * highest, 1.06 * highest)
    whole_epochs(axis)
    weights = _weights(panel, epochs)
    if not weights:
        _say_too_short(axis, panel.schedule, epochs)
        return
    # Every epoch is one tread: the last one gets its width from a point behind it.
    treads = [*weights, weights[-1]]
    for (_, _, look), values in zip(_WEIGHTS, zip(*treads, strict=True), strict=True):
        axis.plot(range(epochs + 1), values, drawstyle="steps-post", clip_on=False, **look)
    _label_ends(axis, weights[-1], highest)


def _label_ends(axis: "Axes", last: tuple[float, float], highest: float) -> None:
    """Write each weight's name at the right end of its line, apart where the lines meet."""
    apart = 0.16 * highest
    middle, gap = sum(last) / 2, last[0] - last[1]
    aside = copysign(apart / 2, gap)
    heights = last if abs(gap) >= apart else (middle + aside, middle - aside)
    for (symbol, _, _), height in zip(_WEIGHTS, heights, strict=True):
        axis.annotate(
            symbol,
            (1, height),
            (3, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=8.5,  # its subscript is then 6 points
            color=INK,
            parse_math=True,
            math_fontfamily="stixsans",
            annotation_clip=False,
        )


def _say_too_short(axis: "Axes", schedule: Schedule, epochs: int) -> None:
    try:
        schedule.check(epochs)
        reason = ""
    except ValueError as error:
        reason = str(error)
    text = fill(f"Not for {epochs} epochs: {reason}", 32)
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center", fontsize=SMALL, color=GREY)


def _parameters(panel: _Panel) -> str:
    """Return what a panel's schedule is set to."""
    fixed = panel.kind == PUBLISHED_CODE
    return "fixed; weights do not sum to one" if fixed else _settings(panel.schedule)


def _settings(schedule: Schedule) -> str:
    """Return all numbers of a schedule, as in ``start 1, end 0, pause 5``."""
    shown = []
    for key in type(schedule).model_fields:
        value = getattr(schedule, key)
        if isinstance(value, Schedule):
            shown.append(f"{key} {value.schedule} {_settings(value)}")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            shown.append(f"{key} {value:g}".replace("-", "−"))
    return ", ".join(shown)


def _key(figure: "Figure") -> None:
    """Say above the panels what the lines are, and what the forms mean."""
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], **look) for _, _, look in _WEIGHTS]
    labels = [f"{symbol}  {name}" for symbol, name, _ in _WEIGHTS]
    lines += [Line2D([], [], ls="none")] * 2
    labels += [r"mix:  $w_R = \alpha$,  $w_B = 1 - \alpha$", r"add:  $w_R = 1$,  $w_B = \alpha$"]
    legend = figure.legend(lines, labels, loc="outside upper left", ncols=4, columnspacing=2.4, fontsize=7)
    for text in legend.get_texts():
        text.set(parse_math=True, math_fontfamily="stixsans")


def _caption(epochs: int) -> str:
    return (
        f"The weights of L = w_R L_R + w_B L_B in each of {epochs} epochs, for every alpha schedule at its "
        "defaults. Above each panel: name, form, source and parameters. Panels of one row share a scale."
    )


def _alt(epochs: int) -> str:
    ends = []
    for panel in (panel for block in _panels(epochs) for panel in block):
        weights = _weights(panel, epochs)
        if weights:
            (r, b), (end_r, end_b) = weights[0], weights[-1]
            name = panel.name if panel.kind in {"mix", "add"} else f"{panel.name} ({panel.kind})"
            ends.append(f"{name} from ({r:.3g}, {b:.3g}) to ({end_r:.3g}, {end_b:.3g})")
    return f"Line charts of (w_R, w_B) over {epochs} epochs: {'; '.join(ends)}."
