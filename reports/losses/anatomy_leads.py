"""The first row of the gradient anatomy: the slice, the prediction, where they differ, and the key."""

from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reports.figures.canvas import GREY, SMALL, Page, halo
from reports.figures.overlays import FALSE_ALARM, MISS, TRUTH
from reports.figures.style import INK
from reports.losses.gradients import AnatomyCase, Window
from reports.losses.looks import (
    Edges,
    bare,
    contour,
    edges,
    extent,
    gradient_colours,
    gradient_scale,
    windowed,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRUTH_LINE: dict[str, Any] = {"colors": INK, "linewidths": 0.35}
"""The truth over a gradient map."""

_BARS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


def draw_leads(
    page: Page, case: AnatomyCase, window: Window, place: tuple[float, float], side: float, step: float
) -> None:
    """Draw three pictures of that side, every ``step`` inches from ``place``."""
    x, y = place
    pictures = (
        ("Image and truth", _draw_image),
        ("Predicted probability", _draw_probability),
        ("Mismatch", _draw_mismatch),
    )
    for number, (title, draw) in enumerate(pictures):
        page.text(x + number * step, y, title, fontsize=7.5, fontweight="bold", color=INK)
        axis = page.axes(x + number * step, y + TITLE, side, side)
        axis.set_gid(f"lead-{number}")
        draw(axis, case, window)


TITLE = 0.15
"""Inches above a picture for its title."""


def _draw_image(axis: "Axes", case: AnatomyCase, window: Window) -> None:
    """The whole slice, with a frame where the other pictures look."""
    from matplotlib.patches import Rectangle

    axis.imshow(windowed(case.image), cmap="gray", vmin=0, vmax=1, extent=extent(case))
    contour(axis, case, case.truth, colors=TRUTH, linewidths=0.6)
    axis.set_facecolor("black")
    rows, columns = (length * size for length, size in zip(case.labels.shape, case.spacing, strict=True))
    side = max(rows, columns)
    left, top = (columns - side) / 2, (rows - side) / 2
    whole = Edges(left, left + side, top, top + side)
    bare(axis, whole)
    _scale_bar(axis, whole, case.unit)
    detail = edges(case, window)
    corner = (detail.left, detail.top)
    frame: dict[str, Any] = {"fill": False, "ec": "white", "lw": 0.9, "ls": (0, (3, 2))}
    axis.add_patch(Rectangle(corner, detail.width, detail.height, **frame))


def _draw_probability(axis: "Axes", case: AnatomyCase, window: Window) -> None:
    axis.imshow(case.probability, cmap="gray", vmin=0, vmax=1, extent=extent(case))
    contour(axis, case, case.truth, colors=TRUTH, linewidths=0.8)
    contour(axis, case, case.predicted, colors="#ffffff", linewidths=0.7, linestyles=[(0, (2.5, 1.2))])
    bare(axis, edges(case, window))
    _scale_bar(axis, edges(case, window), case.unit)


def _draw_mismatch(axis: "Axes", case: AnatomyCase, window: Window) -> None:
    axis.imshow(windowed(case.image), cmap="gray", vmin=0, vmax=1, extent=extent(case))
    axis.imshow(_tint(case), extent=extent(case))
    contour(axis, case, case.truth, colors=TRUTH, linewidths=0.5)
    bare(axis, edges(case, window))


def _tint(case: AnatomyCase) -> NDArray[np.float64]:
    from matplotlib.colors import to_rgba

    tinted = np.zeros((*case.labels.shape, 4))
    tinted[case.mismatch & case.predicted] = to_rgba(FALSE_ALARM, 0.85)
    tinted[case.mismatch & case.truth] = to_rgba(MISS, 0.85)
    return tinted


def _scale_bar(axis: "Axes", view: Edges, unit: str) -> None:
    """Draw a bar of at most 40 % of the view's width."""
    length = max((bar for bar in _BARS if bar <= 0.4 * view.width), default=_BARS[0])
    x, y = view.left + 0.05 * view.width, view.bottom - 0.05 * view.height
    outline = halo(1.6, "black")
    axis.plot([x, x + length], [y, y], color="white", lw=1.4, solid_capstyle="butt", path_effects=outline)
    words = f"{length} {unit}"
    axis.text(x, y - 0.03 * view.height, words, color="white", fontsize=6.5, path_effects=outline)


def draw_key(page: Page, place: tuple[float, float], width: float, limit: float, subject: str) -> None:
    """Write how to read the page, with the colour bar, in a column from ``place`` down."""
    x, y = place
    page.text(x, y, "How to read", fontsize=7.5, fontweight="bold", color=INK)
    _legend(page, x, y + TITLE, 2)
    page.text(x, y + TITLE + 0.36, "\n".join(wrap(_how(subject), 44)), linespacing=1.25)
    page.text(x, y + 1.33, "blue: descent raises the probability;\nvermilion: lowers it", linespacing=1.25)
    _colour_bar(page.axes(x + 0.06, y + 1.57, width - 0.14, 0.09), limit)


KEY_BELOW = 0.94
"""Inches: height of the key that lies below the pictures."""


def draw_key_below(page: Page, place: tuple[float, float], width: float, limit: float, subject: str) -> None:
    """Write the same on a page too narrow for a column: words, below them legend and colour bar."""
    x, y = place
    words = f"How to read. {_how(subject)} Blue: descent raises the probability; vermilion: lowers it."
    page.text(x, y, "\n".join(wrap(words, round(width / 0.0375))), linespacing=1.25)
    _legend(page, x, y + 0.45, 2)
    _colour_bar(page.axes(x + 0.5 * width, y + 0.48, 0.45 * width, 0.09), limit)


def _how(subject: str) -> str:
    return (
        f"Each small panel: the gradient of one loss, {subject}, with respect to the logit of the "
        "class, divided by its L2 norm over the slice. Below: that norm; the share of its square that "
        "lies on the mismatch. Thin line: truth."
    )


def _legend(page: Page, x: float, y: float, columns: int) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[Any] = [
        Line2D([], [], color=TRUTH, lw=1.4, label="truth"),
        Line2D([], [], color="white", lw=1.0, ls=(0, (2.5, 1.2)), label="prediction"),
        Patch(color=FALSE_ALARM, label="false positive"),
        Patch(color=MISS, label="false negative"),
    ]
    legend = page.figure.legend(
        handles=entries,
        loc="upper left",
        bbox_to_anchor=(x / page.width, 1 - y / page.height),
        ncols=columns,
        frameon=True,
        fontsize=SMALL,
        borderaxespad=0,
        handlelength=1.3,
        columnspacing=0.8,
        handletextpad=0.4,
        borderpad=0.5,
        labelcolor="white",
    )
    legend.get_frame().set(facecolor="#3a3a3a", edgecolor="none")


def _colour_bar(axis: "Axes", limit: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colorbar import Colorbar

    ticks = [-limit, -limit / 10, 0.0, limit / 10, limit]
    colours = ScalarMappable(gradient_scale(limit), gradient_colours())
    Colorbar(axis, colours, orientation="horizontal", ticks=ticks)
    axis.minorticks_off()
    axis.tick_params(labelsize=SMALL, length=2, width=0.5, pad=1.5)
    axis.set_xticks(ticks, [f"{tick:g}".replace("-", "−") for tick in ticks])
    axis.set_xlabel("gradient, as a share of its norm (root scale)", fontsize=SMALL, labelpad=1.5, color=GREY)
