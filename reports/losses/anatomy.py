"""Gradient anatomy: one prediction, and what every loss asks of each of its pixels.

Dice loss, cross entropy and boundary loss all shrink the region where prediction and truth differ; the
difference is how they weight it. This page shows the weights.
"""

import re
from math import floor, log10
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from reports.figures.canvas import GREY, SMALL, Page, halo
from reports.figures.registry import Drawing
from reports.figures.style import FAMILY_COLOURS, INK, OTHER_COLOUR, WIDTH, drawing_style
from reports.figures.write import check_target, write_drawing
from reports.losses.anatomy_leads import TITLE, TRUTH_LINE, draw_key, draw_leads
from reports.losses.gradients import AnatomyCase, GradientMap, Window, crop, gradient_maps
from reports.losses.looks import (
    bare,
    contour,
    edges,
    extent,
    gradient_colours,
    gradient_scale,
)
from reports.losses.panel_grid import Group, by_family, rows_of_groups

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["AnatomyCase", "draw_anatomy", "write_anatomy"]

COLUMNS = 8
_MARGIN, _GAP = 0.05, 0.06
"""Inches around the page, and between panels."""
_SIDE = (WIDTH - 2 * _MARGIN - (COLUMNS - 1) * _GAP) / COLUMNS
_STEP = _SIDE + _GAP
_LEAD = 2 * _SIDE + _GAP
_HEAD, _LINE, _BELOW = 0.19, 0.105, 0.2
"""Inches of a family's heading, of a line of a panel's name, and below a panel, with its numbers."""
_FIRST = 0.27
"""Inches above the first row, with the page's title."""
_LETTERS = 16
"""A longer name breaks at an underscore."""


_NAME_LOOK: dict[str, Any] = {
    "va": "baseline",
    "fontsize": 6.5,
    "fontweight": "bold",
    "color": INK,
    "linespacing": 1.1,
}


class _Shown(NamedTuple):
    """What the panels have in common."""

    case: AnatomyCase
    maps: dict[str, GradientMap]
    window: Window
    limit: float


def write_anatomy(target: Path, case: AnatomyCase) -> None:
    """Write the gradient anatomy of a prediction, whole or not at all.

    Args:
        target: A name that ends in ``.png``, ``.pdf`` or ``.svg``.
        case: The slice, its truth and its logits.

    Raises:
        InputError: if the name ends otherwise.
    """
    check_target(target)
    maps = gradient_maps(case)
    caption = _caption(case, _limit(maps))
    drawing = Drawing("anatomy", "Gradient anatomy", caption, _alt(maps), _draw(case, maps))
    write_drawing(drawing, target)


def draw_anatomy(case: AnatomyCase) -> "Figure":
    """Draw the gradient of every registered loss on one slice, a panel each, grouped by family."""
    return _draw(case, gradient_maps(case))


def _draw(case: AnatomyCase, maps: dict[str, GradientMap]) -> "Figure":
    rows = rows_of_groups(_families(), COLUMNS)
    heights = [_row_height(row) for row in rows]
    window, limit = crop(case), _limit(maps)
    footer = wrap(_caption(case, limit), 172)
    top = _FIRST + TITLE + _LEAD + 0.12
    with drawing_style():
        page = Page(WIDTH, top + sum(heights) + 0.03 + 0.115 * len(footer) + _MARGIN)
        title = f"{len(maps)} losses, one prediction: how each weights the pixels"
        page.text(_MARGIN, _MARGIN, title, fontsize=9.5, fontweight="bold", color=INK)
        draw_leads(page, case, window, (_MARGIN, _FIRST), _LEAD, 2 * _STEP)
        draw_key(page, _MARGIN + 6 * _STEP, _FIRST, _LEAD, limit)
        for place, row in enumerate(rows):
            y = top + sum(heights[:place])
            for group in row:
                _draw_group(page, group, y, heights[place], _Shown(case, maps, window, limit))
        page.text(_MARGIN, top + sum(heights) + 0.03, "\n".join(footer), linespacing=1.3)
    return page.figure


def _families() -> dict[str, list[str]]:
    """Return the losses by family: those that stand for themselves first, then their relatives."""
    from harness.losses import LOSSES

    order = sorted(LOSSES, key=lambda name: (bool(LOSSES[name].relations), LOSSES[name].partner, name))
    return by_family({name: LOSSES[name].family for name in order})


def _row_height(row: list[Group]) -> float:
    return _SIDE + _BELOW + _above(row)


def _above(row: list[Group]) -> float:
    head = 0.0 if all(group.continued for group in row) else _HEAD
    lines = max(len(_name_lines(name)) for group in row for name in group.names)
    return head + lines * _LINE + 0.03


def _name_lines(name: str) -> list[str]:
    """Return a loss's name on as few lines as fit above its panel."""
    lines = [""]
    for part in re.findall("[^_]*_?", name):
        if len(lines[-1] + part) > _LETTERS and lines[-1]:
            lines.append("")
        lines[-1] += part
    return lines


def _draw_group(page: Page, group: Group, y: float, height: float, shown: _Shown) -> None:
    """Draw neighbouring panels of one family in a row from y to y + height."""
    colour = FAMILY_COLOURS.get(group.family, OTHER_COLOUR)
    x = _MARGIN + group.column * _STEP
    if not group.continued:
        page.rule(x, y, len(group.names) * _STEP - _GAP, colour, 1.6)
        page.text(x, y + 0.035, group.family, fontsize=8, fontweight="bold", color=colour)
    panel = y + height - _BELOW - _SIDE
    for place, name in enumerate(group.names):
        left = x + place * _STEP
        words = "\n".join(_name_lines(name))
        page.text(left, panel - 0.04, words, **_NAME_LOOK)
        axis = page.axes(left, panel, _SIDE, _SIDE)
        axis.set_gid(f"loss-{name}")
        _draw_map(axis, shown.maps[name], shown)


def _draw_map(axis: "Axes", found: GradientMap, shown: _Shown) -> None:
    case, scale = shown.case, gradient_scale(shown.limit)
    axis.imshow(found.direction, cmap=gradient_colours(), norm=scale, extent=extent(case))
    contour(axis, case, case.truth, **TRUTH_LINE)
    bare(axis, edges(case, shown.window))
    if not found.norm > 0:
        reason = "no gradient" if found.norm == 0 else "gradient not finite"
        middle: dict[str, Any] = {"ha": "center", "va": "center", "transform": axis.transAxes}
        axis.text(0.5, 0.5, reason, fontsize=6.5, color=GREY, path_effects=halo(2.5), **middle)
        return
    for place, side, words in (
        (0, "left", _scientific(found.norm)),
        (1, "right", f"{100 * found.share(case.mismatch):.0f} %"),
    ):
        axis.annotate(
            words,
            (place, 0),
            (0, -2),
            xycoords="axes fraction",
            textcoords="offset points",
            ha=side,
            va="top",
            fontsize=SMALL,
            color=GREY,
            annotation_clip=False,
        )


def _scientific(value: float) -> str:
    """Return two digits with a power of ten, as in ``2.1e−3``."""
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}".replace("-", "−")


def _limit(maps: dict[str, GradientMap]) -> float:
    """Return the end of the common scale: what half of the losses never exceed, rounded up."""
    largest = [float(np.abs(found.direction).max()) for found in maps.values() if found.norm > 0]
    middle = float(np.median(largest)) if largest else 1.0
    unit = 10.0 ** floor(log10(middle))
    return next(step * unit for step in (1, 2, 4, 6, 8, 10) if step * unit >= middle * (1 - 1e-9))


def _caption(case: AnatomyCase, limit: float) -> str:
    credit = f" Image: {case.credit}." if case.credit else ""
    rows, columns = case.labels.shape
    size = f"{rows} × {columns} pixels of {case.spacing[0]:.2g} × {case.spacing[1]:.2g} {case.unit}"
    return (
        f"{case.title}: {case.case}, {size}; the dashed frame is what the other panels show. Gradient "
        f"with respect to the logit of {case.class_name!r}. Prediction: {case.prediction}. All maps share "
        f"one colour scale, which ends at ±{limit:g}; stronger pixels keep the end colour.{credit}"
    )


def _alt(maps: dict[str, GradientMap]) -> str:
    norms = "; ".join(f"{name} {_scientific(found.norm)}" for name, found in maps.items())
    return f"Maps of the gradient of {len(maps)} losses over one slice. Norms: {norms}."
