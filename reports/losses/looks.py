"""Colours, letters and marks that the pictures of the losses share."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.figures.canvas import outline
from reports.losses.gradients import AnatomyCase, Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize

FRAME = "#bbbbbb"

RAISE, LOWER = "#1F5FA8", "#C4500A"
"""Blue where descent raises the probability, vermilion where it lowers it: told apart by colour-blind
readers, and on grey paper by the blue being darker."""


def gradient_colours() -> "Colormap":
    """Return the diverging map of gradients: negative (descent raises) blue, none white."""
    from matplotlib.colors import LinearSegmentedColormap

    blues = ["#062a52", RAISE, "#7db4e0", "#d3e6f5"]
    reds = ["#fbe3cd", "#f3ab6d", LOWER, "#8a3303"]
    return LinearSegmentedColormap.from_list("lossbench-gradient", [*blues, "#ffffff", *reds])


def gradient_scale(limit: float) -> "Normalize":
    """Return the scale of a signed square root from -limit to limit, which shows faint and strong."""
    from matplotlib.colors import FuncNorm

    return FuncNorm((_signed_root, _signed_square), vmin=-limit, vmax=limit)


def _signed_root(value: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sign(value) * np.sqrt(np.abs(value))


def _signed_square(value: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sign(value) * np.square(value)


def windowed(image: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return an image scaled to 0..1 between its 1st and 99.5th percentile."""
    low, high = np.percentile(image, [1, 99.5])
    scaled: NDArray[np.float64] = np.clip((image - low) / max(high - low, 1e-9), 0, 1)
    return scaled


class Edges(NamedTuple):
    """A rectangle of the slice, in mm from its upper left corner."""

    left: float
    right: float
    top: float
    bottom: float

    @property
    def width(self) -> float:
        """From left to right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """From top to bottom."""
        return self.bottom - self.top


def edges(case: AnatomyCase, window: Window) -> Edges:
    """Return where a window lies."""
    (down, across), (rows, columns) = case.spacing, window
    return Edges(columns.start * across, columns.stop * across, rows.start * down, rows.stop * down)


def bare(axis: "Axes", view: Edges) -> None:
    """Look at a part of the slice, in a thin frame, without ticks."""
    axis.set(xlim=(view.left, view.right), ylim=(view.bottom, view.top), xticks=[], yticks=[])
    axis.set_aspect("equal")
    axis.grid(visible=False)
    for spine in axis.spines.values():
        spine.set(visible=True, color=FRAME, linewidth=0.5)


def extent(case: AnatomyCase) -> tuple[float, float, float, float]:
    """Return where the slice lies, in mm: left, right, bottom, top."""
    rows, columns = case.labels.shape
    return 0.0, columns * case.spacing[1], rows * case.spacing[0], 0.0


def contour(axis: "Axes", case: AnatomyCase, mask: NDArray[np.bool_], **look: Any) -> None:
    """Outline a mask along its pixel borders; an empty or full one has no outline."""
    outline(axis, mask, case.spacing, **look)
