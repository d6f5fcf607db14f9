"""What pictures outside a grid of axes are made of: a page measured in inches, outlines, halos."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMALL = 6.0
"""Points: the smallest type on a page."""

GREY = "#555555"


class Page:
    """A figure on which everything stands at a place in inches, from the upper left corner."""

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import PlaceHolderLayoutEngine

        self.width, self.height = width, height
        # "none" would let the style file's constrained layout in again.
        engine = PlaceHolderLayoutEngine(adjust_compatible=True, colorbar_gridspec=False)
        self.figure: Figure = Figure(figsize=(width, height), layout=engine)

    def axes(self, x: float, y: float, width: float, height: float) -> "Axes":
        """Return new axes whose upper left corner is (x, y)."""
        left, bottom = x / self.width, 1 - (y + height) / self.height
        return self.figure.add_axes((left, bottom, width / self.width, height / self.height))

    def text(self, x: float, y: float, words: str, **look: Any) -> None:
        """Write words whose upper left corner is (x, y)."""
        look = {"va": "top", "ha": "left", "fontsize": SMALL, "color": GREY, **look}
        self.figure.text(x / self.width, 1 - y / self.height, words, **look)

    def rule(self, x: float, y: float, width: float, colour: str, thickness: float = 1.2) -> None:
        """Draw a level line from (x, y) to the right."""
        from matplotlib.lines import Line2D

        ends, level = [x / self.width, (x + width) / self.width], 1 - y / self.height
        line = Line2D(ends, [level] * 2, color=colour, lw=thickness, solid_capstyle="butt")
        self.figure.add_artist(line)


def outline(
    axis: "Axes",
    mask: NDArray[np.bool_],
    pixel: tuple[float, float],
    fineness: int = 4,
    outside: int = 0,
    **look: Any,
) -> None:
    """Outline a mask along its pixel borders; an empty or full one has no outline.

    Args:
        axis: Where the upper left corner of the mask is (0, 0), and its y axis points down.
        mask: ``(H, W)``.
        pixel: Height and width of a pixel.
        fineness: Points per pixel along each axis; with several, the line keeps to the borders instead
            of cutting corners.
        outside: How many of these points the line keeps away from the mask.
        look: Options of ``Axes.contour``.
    """
    if not mask.any() or mask.all():
        return
    fine = np.kron(np.pad(mask, 1), np.ones((fineness, fineness), bool))
    if outside:
        fine = ndimage.binary_dilation(fine, iterations=outside)
    x = ((np.arange(fine.shape[1]) + 0.5) / fineness - 1) * pixel[1]
    y = ((np.arange(fine.shape[0]) + 0.5) / fineness - 1) * pixel[0]
    axis.contour(x, y, fine.astype(float), [0.5], **look)


def halo(width: float = 1.5, colour: str = "white") -> list[Any]:
    """Return the outline that keeps letters legible on a picture."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground=colour)]
