"""F16: predictions over images, for cases chosen by a fixed rule."""

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.data.case import IGNORE
from harness.data.prepared import find_prepared
from reports.figures.canvas import halo
from reports.figures.journals import page_width
from reports.figures.paging import PAGE_HEIGHT, dataset_name, page_name
from reports.figures.pictures import SlicePictures, View, read_predictions, slice_pictures
from reports.figures.registry import Drawing, NothingToDraw, register_figure
from reports.figures.selection import ChosenCase, case_score, choose_cases, reference_loss
from reports.figures.style import (
    INK,
    LossStyle,
    drawing_style,
    grid_of_axes,
    new_figure,
    short,
    styles,
)
from reports.results import StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRUTH = "#F0E442"
HIT, FALSE_ALARM, MISS, WRONG_CLASS = "#009E73", "#D55E00", "#56B4E9", "#CC79A7"

_PANEL, _FEWEST_COLUMNS = 0.67, 5
"""Inches: the least width of a panel, and how many are in a row at least."""

_TITLE, _NAME = 0.28, 0.23
"""Inches above a panel for its scores, and for the name of the loss."""

_BARS_MM = (5, 10, 20, 50, 100)
_BARS_PIXELS = (10, 20, 50, 100, 200, 500)


@dataclass(frozen=True)
class _Shown:
    """A case with its arrays and the scores to print."""

    chosen: ChosenCase
    pictures: SlicePictures
    scores: dict[str, dict[str, float]]


@register_figure("F16", "overlays")
def overlays(results: StudyResults) -> list[Drawing]:
    """Draw one figure per dataset: a row per case, truth first, then every loss."""
    if results.part != "test":
        raise NothingToDraw(
            "No overlays: predictions are kept for test cases only, and this report shows validation results."
        )
    drawings, missing = [], []
    for dataset in results.datasets:
        shown = _shown_cases(results, dataset)
        if shown:
            drawings += _drawings(results, dataset, shown)
        else:
            missing.append(dataset)
    if not drawings:
        raise NothingToDraw(
            "No overlays: the prepared cache or the predictions of seed index 0 are not here, or are not "
            f"those that were scored ({', '.join(missing)})."
        )
    return drawings


def _shown_cases(results: StudyResults, dataset: str) -> list[_Shown]:
    fingerprints = results.cases.loc[results.cases["dataset"] == dataset, "fingerprint"]
    prepared = find_prepared(results.prepared, str(fingerprints.iloc[0])) if len(fingerprints) else None
    if prepared is None:
        return []
    by_name = {case.case: case for case in prepared.cases}
    found = []
    for chosen in choose_cases(results, dataset, seed=0):
        predictions = read_predictions(results, dataset, 0, chosen.case)
        if predictions and chosen.case in by_name:
            pictures = slice_pictures(prepared, by_name[chosen.case], predictions)
            scores = {label: case_score(results, dataset, label, 0, chosen.case) for label in results.labels}
            found.append(_Shown(chosen, pictures, scores))
    return found


@dataclass(frozen=True)
class _Grid:
    """How the panels of every case are laid out.

    Attributes:
        per_row: Losses in a row, beside the truth.
        blocks: Rows of a case.
        columns: Of the figure.
    """

    per_row: int
    blocks: int
    columns: int


def _grid(losses: int) -> _Grid:
    fitting = max(_FEWEST_COLUMNS, int(page_width() // _PANEL))
    blocks = -(-losses // (fitting - 1))
    per_row = -(-losses // blocks)  # rows of equal length, not a full one and a rest
    return _Grid(per_row, blocks, max(_FEWEST_COLUMNS, per_row + 1))


def _pages(shown: list[_Shown], grid: _Grid) -> list[list[_Shown]]:
    """Return the cases of every figure: as many as a page holds, one at least."""
    pages: list[list[_Shown]] = []
    for case in shown:
        if pages and _height([*pages[-1], case], grid) <= PAGE_HEIGHT:
            pages[-1].append(case)
        else:
            pages.append([case])
    return pages


def _height(shown: list[_Shown], grid: _Grid) -> float:
    """Return inches."""
    heights = _row_heights(shown, grid)
    names = grid.blocks * len(shown) if grid.blocks > 1 else 1
    return 0.4 + _TITLE * len(heights) + _NAME * names + sum(heights)


def _drawings(results: StudyResults, dataset: str, shown: list[_Shown]) -> list[Drawing]:
    grid = _grid(len(results.losses))
    pages = _pages(shown, grid)
    found = []
    for number, cases in enumerate(pages, 1):
        with drawing_style():
            figure = _draw(results, cases, grid)
        name = page_name(dataset_name("overlays", dataset, len(results.datasets)), number, len(pages))
        title = f"Predictions on {dataset}" + (f", {number} of {len(pages)}" if len(pages) > 1 else "")
        words = _caption(results, cases), _alt(results, dataset, cases)
        found.append(Drawing(name, title, *words, figure, image=True, data=_data(results, cases)))
    return found


def _draw(results: StudyResults, shown: list[_Shown], grid: _Grid) -> "Figure":
    heights = _row_heights(shown, grid)
    figure = new_figure(page_width(), _height(shown, grid), w_pad=0.015, h_pad=0.03, wspace=0.0, hspace=0.0)
    axes = grid_of_axes(figure, len(heights), grid.columns, height_ratios=heights)
    for axis in (axis for row in axes for axis in row):
        axis.set_axis_off()
        axis.set_anchor("NW")
    look = styles(results.losses)
    for position, case in enumerate(shown):
        _draw_truth(axes[position * grid.blocks][0], case, int(19 * page_width() / grid.columns))
        for place, label in enumerate(results.labels):
            axis = axes[position * grid.blocks + place // grid.per_row][1 + place % grid.per_row]
            _draw_prediction(axis, case, label, with_bar=place % grid.per_row == 0)
            if position == 0 or grid.blocks > 1:
                _name(axis, label, look[label], int(17 * page_width() / grid.columns))
    _key(figure, any(int(case.pictures.truth.max()) > 1 for case in shown))
    return figure


def _data(results: StudyResults, shown: list[_Shown]) -> pd.DataFrame:
    """Return the scores that are printed."""
    rows = [
        {"case": case.chosen.case, "chosen_as": case.chosen.why, "loss": label, **case.scores.get(label, {})}
        for case in shown
        for label in results.labels
    ]
    return pd.DataFrame(rows)


def _row_heights(shown: list[_Shown], grid: _Grid) -> list[float]:
    """Return the height of every row of panels in inches, without titles; a taller whole image is scaled."""
    heights, panel = [], page_width() / grid.columns
    for case in shown:
        for _ in range(grid.blocks):
            heights.append(panel * _aspect(case.pictures, case.pictures.detail))
    return heights


def _aspect(pictures: SlicePictures, view: View) -> float:
    top, bottom, left, right = _extent_mm(pictures, view)
    return (bottom - top) / (right - left)


def _draw_truth(axis: "Axes", case: _Shown, letters: int) -> None:
    """The whole body with the truth's contour, and a frame where the other panels look."""
    from matplotlib.patches import Rectangle

    pictures, view = case.pictures, case.pictures.whole
    _show(axis, pictures, view)
    _contours(axis, pictures, pictures.truth, TRUTH, 0.7)
    if pictures.detail != view:
        top, bottom, left, right = _extent_mm(pictures, pictures.detail)
        axis.add_patch(
            Rectangle((left, top), right - left, bottom - top, fill=False, ec="white", lw=0.6, ls="--")
        )
    words = f"{case.chosen.why}\n{_tail(case.chosen.case, letters - 2)}"
    # As narrow as a panel's scores: bold letters would run into them.
    axis.set_title(words, fontsize=6, fontweight="normal", loc="left", color=INK, pad=2)
    _scale_bar(axis, pictures, view)
    if not pictures.photograph:
        axis.text(0.04, 0.93, "R", transform=axis.transAxes, color="white", fontsize=6.5, va="center")


def _tail(name: str, letters: int) -> str:
    """Return the end of a long name, where cases differ."""
    name = short(name, 60)
    return name if len(name) <= letters else f"…{name[1 - letters :]}"


def _draw_prediction(axis: "Axes", case: _Shown, label: str, with_bar: bool) -> None:
    pictures, view = case.pictures, case.pictures.detail
    _show(axis, pictures, view)
    _contours(axis, pictures, pictures.truth, TRUTH, 0.6)
    scores = case.scores.get(label, {})
    unit = "px" if pictures.photograph else "mm"
    missing = "run unfinished" if label in pictures.predictions else "no prediction"
    text = f"DSC {scores['dsc']:.2f}" if "dsc" in scores else missing
    text += f"\nHD95 {scores['hd95']:.1f} {unit}" if "hd95" in scores else ""
    axis.set_title(text, fontsize=6, fontweight="normal", loc="left", pad=2)
    if label in pictures.predictions:
        mask = pictures.predictions[label]
        axis.imshow(_tint(mask, pictures.truth), extent=_image_extent(pictures))
        _contours(axis, pictures, mask, "white", 0.5)
    elif scores:
        middle: dict[str, Any] = {"ha": "center", "va": "center", "transform": axis.transAxes}
        axis.text(0.5, 0.5, "prediction\nnot kept", fontsize=6, path_effects=halo(2), **middle)
    _limit(axis, pictures, view)
    if with_bar:
        _scale_bar(axis, pictures, view)


def _name(axis: "Axes", label: str, style: LossStyle, letters: int) -> None:
    """Write the loss above the scores, on two lines at most."""
    lines = textwrap.wrap(short(label, 60), letters, max_lines=2, placeholder="…")
    place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "fontsize": 6.5}
    name = axis.annotate("\n".join(lines), (0, 1), (0, 18), fontweight="bold", color=style.shade, **place)
    # A long name must not widen its panel: an invisible letter keeps the height instead.
    name.set_in_layout(False)
    axis.annotate("M\nM", (0, 1), (0, 18), alpha=0, **place)


def _show(axis: "Axes", pictures: SlicePictures, view: View) -> None:
    axis.imshow(pictures.image, cmap="gray", vmin=0, vmax=1, extent=_image_extent(pictures))
    _limit(axis, pictures, view)


def _limit(axis: "Axes", pictures: SlicePictures, view: View) -> None:
    top, bottom, left, right = _extent_mm(pictures, view)
    axis.set_xlim(left, right)
    axis.set_ylim(bottom, top)


def _image_extent(pictures: SlicePictures) -> tuple[float, float, float, float]:
    rows, columns = pictures.image.shape
    return 0.0, columns * pictures.pixel[1], rows * pictures.pixel[0], 0.0


def _extent_mm(pictures: SlicePictures, view: View) -> tuple[float, float, float, float]:
    down, across = pictures.pixel
    return view.top * down, view.bottom * down, view.left * across, view.right * across


def _contours(axis: "Axes", pictures: SlicePictures, labels: NDArray[Any], colour: str, width: float) -> None:
    """Outline every class along its pixel borders."""
    rows, columns = labels.shape
    x = (np.arange(columns) + 0.5) * pictures.pixel[1]
    y = (np.arange(rows) + 0.5) * pictures.pixel[0]
    for index in np.unique(labels):
        if 0 < index < IGNORE:
            axis.contour(x, y, (labels == index).astype(float), [0.5], colors=[colour], linewidths=[width])


def _tint(mask: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.float64]:
    from matplotlib.colors import to_rgba

    known = truth != IGNORE
    inside, wanted = (mask > 0) & known, (truth > 0) & known
    tinted = np.zeros((*mask.shape, 4))
    for where, colour in (
        (inside & wanted & (mask == truth), HIT),
        (inside & wanted & (mask != truth), WRONG_CLASS),
        (inside & ~wanted, FALSE_ALARM),
        (~inside & wanted, MISS),
    ):
        tinted[where] = to_rgba(colour, 0.5)
    return tinted


def _scale_bar(axis: "Axes", pictures: SlicePictures, view: View) -> None:
    from matplotlib.patheffects import withStroke

    top, bottom, left, right = _extent_mm(pictures, view)
    lengths, unit = (_BARS_PIXELS, "px") if pictures.photograph else (_BARS_MM, "mm")
    length = max((bar for bar in lengths if bar <= 0.4 * (right - left)), default=lengths[0])
    x, y = left + 0.05 * (right - left), bottom - 0.05 * (bottom - top)
    outline = [withStroke(linewidth=1.5, foreground="black")]
    axis.plot([x, x + length], [y, y], color="white", lw=1.2, solid_capstyle="butt", path_effects=outline)
    axis.text(
        x, y - 0.025 * (bottom - top), f"{length} {unit}", color="white", fontsize=6, path_effects=outline
    )


def _key(figure: Any, classes: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[Any] = [
        Line2D([], [], color=TRUTH, lw=1.2, label="truth"),
        Line2D([], [], color="white", lw=1.2, label="prediction"),
        Patch(color=HIT, alpha=0.6, label="true positive"),
        Patch(color=FALSE_ALARM, alpha=0.6, label="false positive"),
        Patch(color=MISS, alpha=0.6, label="false negative"),
    ]
    if classes:
        entries.append(Patch(color=WRONG_CLASS, alpha=0.6, label="wrong class"))
    legend = figure.legend(handles=entries, loc="outside lower center", ncols=len(entries), frameon=True)
    legend.get_frame().set(facecolor="#d0d0d0", edgecolor="none")


def _caption(results: StudyResults, shown: list[_Shown]) -> str:
    unit = "pixels" if shown[0].pictures.photograph else "mm"
    sense = (
        "as stored"
        if shown[0].pictures.photograph
        else "in radiological sense, anterior up and right (R) left"
    )
    return (
        "Cases chosen by rule, not by hand: the 10th, 50th and 90th percentile of the patients' DSC under "
        f"{reference_loss(results).label}, and the patient whose DSC differs most between losses; seed index "
        f"0 throughout. Shown is the slice with most foreground in the truth, {sense}. First column: the "
        "whole image with the truth, its dashed frame the part that the other columns show, which is the "
        "foreground with its surroundings or, where structures are thin, the square that holds most of them. "
        f"DSC and HD95 ({unit}) belong to the whole case, not to the slice."
    )


def _alt(results: StudyResults, dataset: str, shown: list[_Shown]) -> str:
    cases = "; ".join(f"{case.chosen.case} ({case.chosen.why})" for case in shown)
    return (
        f"Predictions of {len(results.losses)} losses over image slices of {dataset}, with "
        f"true positives, false positives and false negatives tinted. Cases: {cases}."
    )
