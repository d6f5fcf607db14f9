"""Gradient anatomy: one prediction, and what every loss asks of each of its pixels.

Dice loss, cross entropy and boundary loss all shrink the region where prediction and truth differ; the
difference is how they weight it. This page shows the weights.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from reports.escape import one_line
from reports.figures.canvas import GREY, SMALL, Page, halo
from reports.figures.registry import Drawing
from reports.figures.style import FAMILY_COLOURS, INK, OTHER_COLOUR, WIDTH, drawing_style
from reports.figures.write import check_target, write_drawing
from reports.losses.anatomy_leads import KEY_BELOW, TITLE, TRUTH_LINE, draw_key, draw_key_below, draw_leads
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

__all__ = ["AnatomyCase", "AnatomyPage", "draw_anatomy", "draw_page", "page_height", "write_anatomy"]

COLUMNS = 8
_LEADS = 3
_MARGIN, _GAP = 0.05, 0.06
"""Inches around the page, and between panels."""
_PANEL = 0.9
"""Inches: about the width of a panel with its gap."""
_HEAD, _LINE, _BELOW = 0.19, 0.105, 0.2
"""Inches of a family's heading, of a line of a panel's name, and below a panel, with its numbers."""
_FIRST = 0.27
"""Inches above the first row, with the page's title."""
_LETTERS = 16
"""A longer name breaks at an underscore or a space."""
_LINES = 3
"""A name has no more lines."""


_NAME_LOOK: dict[str, Any] = {
    "va": "baseline",
    "fontsize": 6.5,
    "fontweight": "bold",
    "color": INK,
    "linespacing": 1.1,
}


@dataclass(frozen=True)
class AnatomyPage:
    """What a page shows beside the case.

    Attributes:
        title: Its first line.
        subject: Which form of the losses is shown, in a few words.
        families: Names of the maps by family, in order.
        footer: Below the panels; nothing if empty.
        width: In inches.
    """

    title: str
    subject: str
    families: Mapping[str, Sequence[str]]
    footer: str = ""
    width: float = WIDTH

    @property
    def columns(self) -> int:
        """Panels in a row."""
        return min(COLUMNS, max(_LEADS, round(self.width / _PANEL)))

    @property
    def side(self) -> float:
        """Of a panel, in inches."""
        return (self.width - 2 * _MARGIN - (self.columns - 1) * _GAP) / self.columns

    @property
    def step(self) -> float:
        """From one panel to the next, in inches."""
        return self.side + _GAP

    @property
    def key_beside(self) -> bool:
        """Whether the key stands beside the pictures of the first row, each two panels wide."""
        return self.columns >= 2 * _LEADS + 2

    @property
    def lead(self) -> float:
        """Side of a picture of the first row, in inches."""
        if self.key_beside:
            return 2 * self.side + _GAP
        return (self.width - 2 * _MARGIN - (_LEADS - 1) * _GAP) / _LEADS

    @property
    def top(self) -> float:
        """Where the panels begin, in inches from the top."""
        return _FIRST + TITLE + self.lead + 0.12 + (0.0 if self.key_beside else KEY_BELOW)


class _Shown(NamedTuple):
    """What the panels have in common."""

    case: AnatomyCase
    maps: Mapping[str, GradientMap]
    window: Window
    limit: float
    page: AnatomyPage


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
    caption = caption_of(case, maps)
    drawing = Drawing("anatomy", "Gradient anatomy", caption, alt_of(maps), _draw_all(case, maps))
    write_drawing(drawing, target)


def draw_anatomy(case: AnatomyCase) -> "Figure":
    """Draw the gradient of every registered loss on one slice, a panel each, grouped by family."""
    return _draw_all(case, gradient_maps(case))


def _draw_all(case: AnatomyCase, maps: dict[str, GradientMap]) -> "Figure":
    title = f"{len(maps)} losses, one prediction: how each weights the pixels"
    return draw_page(
        case, maps, AnatomyPage(title, "at its defaults", _families(), footer=caption_of(case, maps))
    )


def draw_page(case: AnatomyCase, maps: Mapping[str, GradientMap], about: AnatomyPage) -> "Figure":
    """Draw a map of every loss that ``about`` names, grouped by family.

    Args:
        case: The slice, its truth and its logits.
        maps: Gradients by name, at least one.
        about: Words and width of the page.
    """
    rows = rows_of_groups(about.families, about.columns)
    heights = [_row_height(row, about) for row in rows]
    shown = _Shown(case, maps, crop(case), _limit(maps), about)
    with drawing_style():
        page = Page(about.width, page_height(about))
        page.text(_MARGIN, _MARGIN, about.title, fontsize=9.5, fontweight="bold", color=INK)
        _draw_first_row(page, shown)
        for place, row in enumerate(rows):
            y = about.top + sum(heights[:place])
            for group in row:
                _draw_group(page, group, y, heights[place], shown)
        if about.footer:
            below = about.top + sum(heights) + 0.03
            page.text(_MARGIN, below, "\n".join(_footer_lines(about)), linespacing=1.3)
    return page.figure


def page_height(about: AnatomyPage) -> float:
    """Return the height of a page in inches."""
    rows = rows_of_groups(about.families, about.columns)
    panels = sum(_row_height(row, about) for row in rows)
    return about.top + panels + 0.03 + 0.115 * len(_footer_lines(about)) + _MARGIN


def _footer_lines(about: AnatomyPage) -> list[str]:
    return wrap(about.footer, round(172 * about.width / WIDTH))


def _draw_first_row(page: Page, shown: _Shown) -> None:
    about, first = shown.page, (_MARGIN, _FIRST)
    draw_leads(page, shown.case, shown.window, first, about.lead, about.lead + _GAP)
    if about.key_beside:
        beside = _MARGIN + _LEADS * (about.lead + _GAP), _FIRST
        draw_key(page, beside, about.lead, shown.limit, about.subject)
    else:
        below = _MARGIN, _FIRST + TITLE + about.lead + 0.08
        draw_key_below(page, below, about.width - 2 * _MARGIN, shown.limit, about.subject)


def _families() -> dict[str, list[str]]:
    """Return the losses by family: those that stand for themselves first, then their relatives."""
    from harness.losses import LOSSES

    order = sorted(LOSSES, key=lambda name: (bool(LOSSES[name].relations), LOSSES[name].partner, name))
    return by_family({name: LOSSES[name].family for name in order})


def _row_height(row: list[Group], about: AnatomyPage) -> float:
    return about.side + _BELOW + _above(row)


def _above(row: list[Group]) -> float:
    head = 0.0 if all(group.continued for group in row) else _HEAD
    lines = max(len(_name_lines(name)) for group in row for name in group.names)
    return head + lines * _LINE + 0.03


def _name_lines(name: str) -> list[str]:
    """Return a loss's name on as few lines as fit above its panel."""
    lines = [""]
    for part in re.findall("[^_ ]*[_ ]?", one_line(name)):
        if len(lines[-1] + part.rstrip()) > _LETTERS and lines[-1]:
            lines.append("")
        lines[-1] += part
    shown = [line.rstrip() for line in lines[:_LINES]]
    if len(lines) > _LINES:
        shown[-1] += "…"
    return [line if len(line) <= _LETTERS else line[: _LETTERS - 1].rstrip("… ") + "…" for line in shown]


def _draw_group(page: Page, group: Group, y: float, height: float, shown: _Shown) -> None:
    """Draw neighbouring panels of one family in a row from y to y + height."""
    colour = FAMILY_COLOURS.get(group.family, OTHER_COLOUR)
    side, step = shown.page.side, shown.page.step
    x = _MARGIN + group.column * step
    if not group.continued:
        page.rule(x, y, len(group.names) * step - _GAP, colour, 1.6)
        page.text(x, y + 0.035, group.family, fontsize=8, fontweight="bold", color=colour)
    panel = y + height - _BELOW - side
    for place, name in enumerate(group.names):
        left = x + place * step
        words = "\n".join(_name_lines(name))
        page.text(left, panel - 0.04, words, **_NAME_LOOK)
        axis = page.axes(left, panel, side, side)
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


def _limit(maps: Mapping[str, GradientMap]) -> float:
    """Return the end of the common scale: what half of the losses never exceed, rounded up."""
    largest = [float(np.abs(found.direction).max()) for found in maps.values() if found.norm > 0]
    middle = float(np.median(largest)) if largest else 1.0
    unit = 10.0 ** floor(log10(middle))
    return next(step * unit for step in (1, 2, 4, 6, 8, 10) if step * unit >= middle * (1 - 1e-9))


def caption_of(case: AnatomyCase, maps: Mapping[str, GradientMap]) -> str:
    """Return what is shown: the slice, the class, where the prediction is from, and the scale."""
    limit = _limit(maps)
    credit = f" Image: {case.credit}." if case.credit else ""
    rows, columns = case.labels.shape
    size = f"{rows} × {columns} pixels of {case.spacing[0]:.2g} × {case.spacing[1]:.2g} {case.unit}"
    return (
        f"{case.title}: {case.case}, {size}; the dashed frame is what the other panels show. Gradient "
        f"with respect to the logit of {case.class_name!r}. Prediction: {case.prediction}. All maps share "
        f"one colour scale, which ends at ±{limit:g}; stronger pixels keep the end colour.{credit}"
    )


def alt_of(maps: Mapping[str, GradientMap]) -> str:
    """Return the norm of every loss in words."""
    norms = "; ".join(f"{name} {_scientific(found.norm)}" for name, found in maps.items())
    return f"Maps of the gradient of {len(maps)} losses over one slice. Norms: {norms}."
