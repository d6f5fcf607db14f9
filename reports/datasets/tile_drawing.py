"""Draw the tiles and the legend of a contact sheet."""

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reports.datasets.sheet_layout import Place, SheetLayout, entry_letters, legend_text
from reports.datasets.tiles import Picture
from reports.figures.canvas import GREY, Page, halo, outline
from reports.figures.style import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLASS_COLOURS = ("#35D0FF", "#FFE13B", "#FF6AD5", "#52E36B", "#FF9A2E", "#B79CFF", "#FF5A4F", "#C8F7E4")
"""Bright on grey images and apart for colour-blind readers; from the ninth class on, again but dashed."""

WRONG = "#C4200A"
_HATCH = "#FFFFFF"
_LINE_OVER_PIXEL, _THINNEST, _THICKEST = 0.22, 0.42, 0.8
"""Width of the outlines over that of a pixel; in points."""

_LETTERS = {"axial": "R", "coronal": "R", "sagittal": "A"}
"""Plane -> what lies on the left of a picture."""


def class_line(index: int, width: float) -> dict[str, Any]:
    """Return colour, width and dashes of a class's outline."""
    style = "-" if index <= len(CLASS_COLOURS) else (0, (3, 1.5))
    return {
        "color": CLASS_COLOURS[(index - 1) % len(CLASS_COLOURS)],
        "linewidth": width,
        "linestyle": style,
    }


def draw_legend(page: Page, layout: SheetLayout, classes: Mapping[int, str], ignores: bool) -> None:
    """Name the classes' colours below the title."""
    from matplotlib.patches import Rectangle

    y, lines = layout.legend
    for line in lines:
        x = layout.margin
        for index in line:
            if index == 0 and not ignores:
                continue
            text = legend_text(index, classes)
            width, height = 0.2 * layout.scale, 0.09 * layout.scale
            axis = page.axes(x, y + 0.01 * layout.scale, width, height)
            _bare(axis)
            axis.add_patch(Rectangle((0, 0), 1, 1, facecolor="#444444"))
            if index:
                axis.axhline(0.5, **class_line(index, 1.3 * layout.scale))
            else:
                axis.add_patch(Rectangle((0, 0), 1, 1, fill=False, hatch="//////", ec=_HATCH, lw=0))
            page.text(x + 1.3 * width, y, text, fontsize=layout.type_size, color=INK)
            x += (
                entry_letters(text)
                * (layout.width - 2 * layout.margin)
                / layout.letters(layout.width - 2 * layout.margin)
            )
        y += 1.25 * layout.line


def draw_tile(page: Page, place: Place, layout: SheetLayout, panels: Sequence[str], plane: str) -> None:
    """Draw the pictures of a case, and its words below.

    Args:
        page: Where to draw.
        place: The tile and where it stands.
        layout: Measures of the sheet.
        panels: Names to write above the panels; none if there is one only.
        plane: Of the slices.
    """
    picture = place.tile.picture
    if picture is None:
        _draw_failure(page, place, layout)
    else:
        for number, image in enumerate(picture.panels):
            x = place.x + number * place.step
            axis = page.axes(x, place.y, place.panel_width, place.panel_height)
            _draw_panel(axis, picture, image, place.panel_width)
            if number == 0 and not picture.is_picture:
                look: dict[str, Any] = {
                    "color": "white",
                    "fontsize": 6 * layout.scale,
                    "path_effects": halo(1.5, "black"),
                }
                axis.text(0.03, 0.97, _LETTERS[plane], transform=axis.transAxes, va="top", **look)
            if panels:
                page.text(x, place.y - 1.1 * layout.line, panels[number], fontsize=layout.type_size)
    _write_caption(page, place, layout)


def _draw_panel(axis: "Axes", picture: Picture, image: NDArray[np.float64], inches: float) -> None:
    rows, columns = picture.labels.shape
    down, across = picture.pixel
    _bare(axis)
    extent = (0.0, columns * across, rows * down, 0.0)
    smooth = "antialiased" if picture.is_picture else "nearest"
    axis.imshow(image, cmap="gray", vmin=0, vmax=1, extent=extent, interpolation=smooth, aspect="auto")
    view = picture.view
    part = slice(view.top, view.bottom), slice(view.left, view.right)
    points = 72 * inches / (view.right - view.left)
    width = min(max(_LINE_OVER_PIXEL * points, _THINNEST), _THICKEST)
    # Half a pixel outside: the line must not cover a lesion of one pixel.
    fineness = 4 if max(rows, columns) <= 320 else 2
    for index in np.unique(picture.labels[part]):
        if 0 < index < 255:
            look = class_line(int(index), width)
            plural: dict[str, Any] = {f"{key}s": [value] for key, value in look.items()}
            mask = picture.labels == index
            outline(axis, mask, picture.pixel, fineness, fineness // 2, **plural)
    _hatch(axis, picture)
    axis.set_xlim(view.left * across, view.right * across)
    axis.set_ylim(view.bottom * down, view.top * down)


def _hatch(axis: "Axes", picture: Picture) -> None:
    """Hatch where the truth is unknown."""
    if not picture.ignored.any():
        return
    down, across = picture.pixel
    rows, columns = picture.labels.shape
    x, y = (np.arange(columns) + 0.5) * across, (np.arange(rows) + 0.5) * down
    region = axis.contourf(x, y, picture.ignored.astype(float), [0.5, 1.5], colors="none", hatches=["//////"])
    region.set(edgecolor=_HATCH, linewidth=0.3)


def _draw_failure(page: Page, place: Place, layout: SheetLayout) -> None:
    """Say in the place of the picture why there is none."""
    axis = page.axes(place.x, place.y, place.panel_width, place.panel_height)
    _bare(axis)
    axis.set_facecolor("#f2f2f2")
    letters = layout.letters(0.92 * place.panel_width)
    lines = int(0.92 * place.panel_height / layout.line)
    words = "\n".join(wrap(place.tile.note, letters, max_lines=lines, placeholder=" …"))
    axis.text(0.04, 0.96, words, va="top", color=WRONG, fontsize=layout.type_size, transform=axis.transAxes)


def _write_caption(page: Page, place: Place, layout: SheetLayout) -> None:
    y = place.y + place.panel_height + 0.35 * layout.line
    looks: tuple[dict[str, Any], ...] = (
        {"color": INK, "fontweight": "bold"},
        {"color": GREY},
        {"color": WRONG},
    )
    parts = (place.caption.name, place.caption.facts, place.caption.note)
    for lines, look in zip(parts, looks, strict=True):
        for line in lines:
            page.text(place.x, y, line, fontsize=layout.type_size, **look)
            y += layout.line


def _bare(axis: "Axes") -> None:
    axis.set(xticks=[], yticks=[])
    axis.grid(visible=False)
    for spine in axis.spines.values():
        spine.set_visible(False)
