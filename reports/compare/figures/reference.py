"""FC2: differences of every loss from the common reference, in margins, study by study."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from harness.statistics.wording import title_of
from reports.compare.figures.place_names import brief_place
from reports.compare.shown import Shown
from reports.compare.side_by_side import Place, SideBySide
from reports.compare.tables import margins_words, reference_rows
from reports.figures.journals import page_width
from reports.figures.registry import Drawing, NothingToDraw
from reports.figures.style import drawing_style, grid_of_axes, new_figure, short, styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANEL_WIDTH, _ROW_HEIGHT, _HIGHEST = 1.75, 0.17, 9.2
"""Inches."""


def reference_differences(shown: Shown) -> list[Drawing]:
    """Draw one panel of intervals per study and dataset."""
    beside = shown.beside
    found = [(place, list(reference_rows(beside, place))) for place in beside.places]
    places = [(place, rows) for place, rows in found if rows]
    if not places:
        raise NothingToDraw(
            f"No picture of differences from {beside.reference}: no study compares it with a shared loss."
        )
    listed = {str(row["loss"]) for _, rows in places for row in rows}
    labels = [label for label in beside.labels if label in listed]
    height = 0.55 + _ROW_HEIGHT * len(labels)
    per_page = _columns(len(places)) * max(1, int(_HIGHEST / height))
    parts = [places[start : start + per_page] for start in range(0, len(places), per_page)]
    return [
        _drawing(shown, labels, part, number if len(parts) > 1 else 0) for number, part in enumerate(parts, 1)
    ]


def _drawing(
    shown: Shown,
    labels: list[str],
    places: Sequence[tuple[Place, list[dict[str, Any]]]],
    number: int,
) -> Drawing:
    beside = shown.beside
    with drawing_style():
        columns = _columns(len(places))
        rows = -(-len(places) // columns)
        figure = new_figure(page_width(), (0.55 + _ROW_HEIGHT * len(labels)) * rows)
        axes = grid_of_axes(figure, rows, columns, sharex=True, sharey=True)
        for at in range(rows * columns):
            axis = axes[at // columns][at % columns]
            if at >= len(places):
                axis.set_axis_off()
                continue
            place, found = places[at]
            axis.set_title(brief_place(beside, place))
            _draw(axis, beside, labels, found)
            if at + columns >= len(places):
                axis.set_xlabel("difference in margins, better →")
                axis.tick_params(labelbottom=True)
    name = "reference_differences" + (f"_{number}" if number else "")
    title = f"Differences from {short(beside.reference)}" + (f", part {number}" if number else "")
    every = pd.DataFrame([row for _, found in places for row in found])
    return Drawing(name, title, _caption(beside), _alt(every), figure, data=every)


def _columns(places: int) -> int:
    """Return how many panels stand beside each other, so that rows are about equally full."""
    most = max(1, int((page_width() - 1.2) / _PANEL_WIDTH))
    return -(-places // -(-places // most))


def _draw(axis: "Axes", beside: SideBySide, labels: list[str], found: list[dict[str, Any]]) -> None:
    looks = styles(beside.losses)
    axis.axvspan(-1, 1, color="#000000", alpha=0.08, lw=0)
    axis.axvline(0, color="#444444", lw=0.6)
    for row in found:
        y, look = labels.index(str(row["loss"])), looks[str(row["loss"])]
        axis.plot([row["low"], row["high"]], [y, y], color=look.shade, lw=1.1)
        resolved = row["words"] != "not resolved"
        axis.plot(
            [row["difference"]],
            [y],
            marker=look.marker,
            ms=4.2,
            ls="none",
            color=look.shade,
            mfc=look.shade if resolved else "white",
            mew=0.9,
        )
    axis.set_yticks(range(len(labels)), [short(label, 24) for label in labels])
    axis.set_ylim(len(labels) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)


def _caption(beside: SideBySide) -> str:
    return (
        f"Difference in {title_of(beside.metric)} of every shared loss from {beside.reference}, in margins "
        f"({margins_words(beside)}), with 95 % intervals over patients and seeds (unadjusted). The grey band "
        "is the region of negligible differences. A filled marker is a difference that the study resolves "
        "(better, worse or equivalent; Holm over all its pairs of losses), an open one is not resolved. "
        "Order and colours are the same in all panels; a loss without a line is not compared there."
        + _left_out(beside)
    )


def _left_out(beside: SideBySide) -> str:
    """Return the places that have no panel as a sentence with a space before it; empty if all have one."""
    lacking = [
        f"{place.study} on {place.dataset}"
        for place in beside.places
        if not any(reference_rows(beside, place))
    ]
    why = f" Left out, because {beside.reference} is not compared there"
    return f"{why}: {', '.join(lacking)}." if lacking else ""


def _alt(every: pd.DataFrame) -> str:
    told = [
        f"{row.study}, {row.dataset}, {row.loss}: {row.difference:+.1f}, {row.words}."
        for row in every.itertuples()
    ]
    return " ".join(["Intervals of differences from the reference in margins.", *told])
