"""F6: all pairs of losses, each in one of four states."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.statistics.crossed import LEVEL
from harness.statistics.versus import Words, words_of_pairs
from reports.figures.answered import design_sentence, left_out
from reports.figures.canvas import Page
from reports.figures.comparison_panels import (
    ComparisonPanel,
    comparison_panels,
    difference_text,
    margin_sentence,
    metric_title,
    percent,
    scale_sentence,
    together_sentence,
)
from reports.figures.journals import page_width
from reports.figures.paging import pages, rows_on_page
from reports.figures.registry import Drawing, register_figure
from reports.figures.row_panels import (
    LegendEntry,
    add_legend,
    label_width,
    legend_height,
    panel_title,
    row_labels,
    text_width,
)
from reports.figures.style import INK, drawing_style, short
from reports.results import StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path

_FEW = 8
"""Losses up to which differences are printed in the cells."""

_WITH_NUMBERS, _SMALLEST = 0.33, 0.1
"""Inches of a cell: if it holds a number, and at least where the page is wide enough."""

_WIDEST, _TITLE, _GAP = 3.0, 0.36, 0.14
"""Inches of a panel, unless cells would be too small, of its heading, and between panels."""

_LONGEST = 18
"""Letters of a name below a column."""


_Polygon = tuple[tuple[float, float], ...]

_UP: tuple[_Polygon, ...] = (((-0.5, 0.4), (0.5, 0.4), (0.0, -0.5)),)
_DOWN: tuple[_Polygon, ...] = (((-0.5, -0.4), (0.5, -0.4), (0.0, 0.5)),)
_EQUAL: tuple[_Polygon, ...] = tuple(
    ((-0.5, low), (0.5, low), (0.5, low + 0.22), (-0.5, low + 0.22)) for low in (-0.34, 0.12)
)
_DOT: tuple[_Polygon, ...] = (((-0.17, 0.0), (0.0, -0.17), (0.17, 0.0), (0.0, 0.17)),)
_CELL: tuple[_Polygon, ...] = (((-0.48, -0.48), (0.48, -0.48), (0.48, 0.48), (-0.48, 0.48)),)


@dataclass(frozen=True)
class _State:
    """How a state is drawn: the glyph in ``ink`` on the colour, an open one where it may be negligible."""

    words: Words
    legend: str
    colour: str
    ink: str
    glyph: tuple[_Polygon, ...]
    filled: bool = True

    @property
    def look(self) -> dict[str, Any]:
        """Colours and line of the glyph."""
        if self.filled:
            return {"facecolor": self.ink, "edgecolor": "none", "lw": 0}
        return {"facecolor": "none", "edgecolor": self.ink, "lw": 0.6}


_BETTER, _WORSE = "#20558a", "#e39a63"
_STATES = (
    _State("better", "row is better", _BETTER, "white", _UP),
    _State(
        "better, possibly by a negligible amount", "better, perhaps negligibly", _BETTER, "white", _UP, False
    ),
    _State("equivalent within the margin", "equivalent", "#c5dccb", INK, _EQUAL),
    _State("not resolved", "unresolved", "#f5f5f5", "#8f8f8f", _DOT),
    _State("worse, possibly by a negligible amount", "worse, perhaps negligibly", _WORSE, INK, _DOWN, False),
    _State("worse", "row is worse", _WORSE, INK, _DOWN),
)
_OF_WORDS = {state.words: place for place, state in enumerate(_STATES)}
_DIAGONAL = "#d4d4d4"


@dataclass(frozen=True)
class _Layout:
    """Sizes in inches.

    Attributes:
        columns: Panels beside each other.
        rows: Rows of panels on a page.
        cell: Side of a cell.
        side: Side of a panel.
        slot: From one panel to the next.
        left: Width of the names of rows.
        below: Height of the names of columns.
    """

    columns: int
    rows: int
    cell: float
    side: float
    slot: float
    left: float
    below: float


@register_figure("F6", "significance_map")
def significance_map(results: StudyResults) -> list[Drawing]:
    """Draw a matrix of states for all datasets together and for each of them."""
    panels = comparison_panels(results, "significance map")
    known = {loss for panel in panels for loss in panel.losses}
    labels = [label for label in results.labels if label in known]
    data, caption, alt = _data(labels, panels), _caption(results, panels, len(labels)), _alt(panels)
    drawings = []
    with drawing_style():
        layout = _lay_out(labels, panels)
        for page in pages(panels, layout.columns * layout.rows):
            name, title = page.name("significance_map"), page.title("Significance map")
            figure = _draw(page.panels, labels, layout)
            drawings.append(Drawing(name, title, caption, alt, figure, data=data))
    return drawings


def _lay_out(labels: Sequence[str], panels: Sequence[ComparisonPanel]) -> _Layout:
    count, left = len(labels), label_width(labels)
    below = 1.06 * max(text_width(short(label, _LONGEST)) for label in labels) / 72 + 0.14
    room = page_width() - left
    cell = _WITH_NUMBERS if count <= _FEW else min(_WITH_NUMBERS, max(1.2 * _SMALLEST, _WIDEST / count))
    cell = min(cell, (room - _GAP) / count)
    headings = [1.15 * text_width(text) / 72 for each in panels for text in (each.title, each.subtitle)]
    slot = max(cell * count, *headings) + _GAP
    columns = max(1, min(len(panels), int((room + _GAP) / slot)))
    rows = rows_on_page(cell * count + _TITLE, below + legend_height(_legend(panels)))
    return _Layout(columns, rows, cell, cell * count, slot, left, below)


def _draw(panels: Sequence[ComparisonPanel], labels: Sequence[str], layout: _Layout) -> "Figure":
    columns = min(layout.columns, len(panels))
    rows = -(-len(panels) // columns)
    legend = _legend(panels)
    room = layout.side - layout.below
    free = rows * columns > len(panels) and 0.17 * len(legend) < room
    step = layout.side + _TITLE
    page = Page(page_width(), rows * step + layout.below + (0.0 if free else legend_height(legend)))
    start = (page.width - layout.left - columns * layout.slot + _GAP) / 2 + layout.left
    for place, panel in enumerate(panels):
        row, column = divmod(place, columns)
        axis = page.axes(start + column * layout.slot, row * step + _TITLE, layout.side, layout.side)
        _draw_panel(axis, panel, labels, layout.cell)
        _name(axis, labels, layout.cell, column == 0, place + columns >= len(panels))
    if free:
        # Names of the panel above hang into the place that is free.
        left = start + (columns - 1) * layout.slot
        corner = page.axes(left, (rows - 1) * step + _TITLE + layout.below, layout.side, room)
        corner.set_axis_off()
        add_legend(page.figure, legend, corner)
    else:
        add_legend(page.figure, legend, outside=False)
    return page.figure


def _draw_panel(axis: "Axes", panel: ComparisonPanel, labels: Sequence[str], cell: float) -> None:
    from matplotlib.patches import PathPatch

    states = _states(panel, labels)
    numbers = len(labels) <= _FEW
    size = min(72 * cell * (0.28 if numbers else 0.5), 8.0) / (72 * cell)
    colours = [*(state.colour for state in _STATES), _DIAGONAL]
    for place, colour in enumerate(colours):
        row, column = np.nonzero(states == place)
        if not len(row):
            continue
        axis.add_patch(PathPatch(_copies(_CELL, column, row), facecolor=colour, lw=0))
        if place < len(_STATES):
            state = _STATES[place]
            glyphs = _copies(state.glyph, column, row - (0.2 if numbers else 0.0), size)
            axis.add_patch(PathPatch(glyphs, **state.look))
    if numbers:
        _write_numbers(axis, panel, labels, states)
    axis.set_aspect("equal")
    axis.set_ylim(len(labels) - 0.5, -0.5)
    axis.set_xlim(-0.5, len(labels) - 0.5)
    panel_title(axis, panel.title, panel.subtitle)


def _copies(polygons: Sequence[_Polygon], x: Any, y: Any, size: float = 1.0) -> "Path":
    """Return polygons at many places as one path, which keeps files small."""
    from matplotlib.path import Path

    places = np.column_stack([x, y])[:, None, :]
    # What closes a polygon ignores its point.
    shapes = [size * np.array([*polygon, polygon[0]]) for polygon in polygons]
    vertices = np.concatenate([(places + shape).reshape(-1, 2) for shape in shapes])
    codes = [
        code
        for shape in shapes
        for code in [Path.MOVETO, *[Path.LINETO] * (len(shape) - 2), Path.CLOSEPOLY] * len(places)
    ]
    return Path(vertices, codes)


def _write_numbers(
    axis: "Axes", panel: ComparisonPanel, labels: Sequence[str], states: NDArray[np.int64]
) -> None:
    for row, label in enumerate(labels):
        for column, other in enumerate(labels):
            if not 0 <= states[row, column] < len(_STATES):
                continue
            value = panel.pairs.difference[panel.losses.index(label), panel.losses.index(other)]
            ink = "white" if _STATES[states[row, column]].ink == "white" else INK
            text = difference_text(panel, float(value))
            axis.text(column, row + 0.22, text, ha="center", va="center", fontsize=6, color=ink)


def _name(axis: "Axes", labels: Sequence[str], cell: float, left: bool, below: bool) -> None:
    import matplotlib as mpl

    places, blank = range(len(labels)), [""] * len(labels)
    columns = [short(label, _LONGEST) for label in labels]
    size = min(float(mpl.rcParams["ytick.labelsize"]), max(6.0, 72 * cell))
    axis.set_yticks(places, row_labels(labels) if left else blank, fontsize=size)
    axis.set_xticks(places, columns if below else blank, rotation=90, fontsize=size)
    axis.tick_params(length=0)
    axis.grid(visible=False)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _states(panel: ComparisonPanel, labels: Sequence[str]) -> NDArray[np.int64]:
    """Return the number of each cell's state; past the last on the diagonal, -1 where nothing is compared."""
    words = words_of_pairs(panel.pairs, panel.holm, panel.margin, panel.best.alpha)
    found = np.full((len(labels), len(labels)), -1, np.int64)
    place = {label: at for at, label in enumerate(labels)}
    for i, row in enumerate(panel.losses):
        for j, column in enumerate(panel.losses):
            found[place[row], place[column]] = len(_STATES) if i == j else _OF_WORDS[words[i][j]]
    return found


def _legend(panels: Sequence[ComparisonPanel]) -> list[LegendEntry]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    found = {number for panel in panels for number in np.unique(_states(panel, panel.losses))}
    entries = []
    for place, state in enumerate(_STATES):
        if place in found:
            # Markers are upright, and panels run downwards.
            glyph = _copies([tuple((x, -y) for x, y in polygon) for polygon in state.glyph], [0], [0])
            edge, width = (state.ink, 0.6) if not state.filled else ("none", 0.0)
            mark = Line2D([], [], marker=glyph, ls="", markersize=1.6 if state.glyph is _DOT else 4)
            mark.set(markerfacecolor=state.look["facecolor"], markeredgecolor=edge, markeredgewidth=width)
            area = Patch(facecolor=state.colour, edgecolor="#bbbbbb", lw=0.3)
            entries.append(LegendEntry((area, mark), state.legend))
    return entries


def _caption(results: StudyResults, panels: Sequence[ComparisonPanel], losses: int) -> str:
    level = percent(max(panel.best.alpha for panel in panels))
    log = panels[0].scale.log and not panels[0].in_margins
    what = "the factor by which the row is better" if log else "the difference of the means, row minus column"
    numbers = f" Numbers: {what}." if losses <= _FEW else ""
    absent = any(len(panel.losses) < losses for panel in panels)
    return (
        f"All pairs of losses in {metric_title(results)}. {design_sentence(results)} The loss of the row is "
        f"better or worse than that of the column at a level of {level} over patients and seeds together "
        "(crossed variance), adjusted by Holm over all pairs of the panel; perhaps negligibly where the "
        f"pair's {percent(LEVEL)} interval, not adjusted, reaches into the margin; equivalent where two "
        "one-sided tests at the same level, not adjusted, place the difference within the margin; else "
        f"unresolved. {margin_sentence(panels)}{scale_sentence(results)}{numbers}{together_sentence(panels)}"
        " Losses are in the order of expected regret."
        + (" Empty rows: losses that are not compared there." if absent else "")
        + left_out(results)
    )


def _alt(panels: Sequence[ComparisonPanel]) -> str:
    parts = []
    for panel in panels:
        states = _states(panel, panel.losses)
        counts = Counter(int(each) for each in states[np.triu_indices(len(states), 1)])
        resolved = sum(
            counts[_OF_WORDS[words]] for words in _OF_WORDS if "better" in words or "worse" in words
        )
        same, total = counts[_OF_WORDS["equivalent within the margin"]], sum(counts.values())
        parts.append(
            f"{panel.title}: of {total} pairs {resolved} with one loss better, {same} equivalent, "
            f"{total - resolved - same} unresolved"
        )
    return f"Matrix of all pairs of losses in four states. {'. '.join(parts)}."


def _data(labels: Sequence[str], panels: Sequence[ComparisonPanel]) -> pd.DataFrame:
    rows = []
    for panel in panels:
        words = words_of_pairs(panel.pairs, panel.holm, panel.margin, panel.best.alpha)
        same, half = panel.pairs.equivalence_p(panel.margin), panel.pairs.half_width((1 - LEVEL) / 2)
        order = [panel.losses.index(label) for label in labels if label in panel.losses]
        for i in order:
            for j in order:
                if i == j:
                    continue
                difference = float(panel.pairs.difference[i, j])
                rows.append(
                    {
                        "dataset": panel.name,
                        "row": panel.losses[i],
                        "column": panel.losses[j],
                        "difference": difference,
                        "low": difference - float(half[i, j]),
                        "high": difference + float(half[i, j]),
                        "holm_p": float(panel.holm[i, j]),
                        "equivalence_p": float(same[i, j]),
                        "margin": panel.margin,
                        "words": words[i][j],
                    }
                )
    return pd.DataFrame(rows)
