"""What figures with a row for each loss share: labels, words beside the rows, headings, legends."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from reports.figures.journals import page_width
from reports.figures.style import FAMILY_COLOURS, INK, OTHER_COLOUR, short
from reports.results import FAMILIES, ListedLoss

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREY_TEXT = "#555555"


@dataclass(frozen=True)
class LegendEntry:
    """One entry of a legend.

    Attributes:
        handle: An artist, or several that lie over each other.
        label: Words.
    """

    handle: Any
    label: str


@dataclass(frozen=True)
class Words:
    """A column of words at the right of a panel.

    Attributes:
        header: Above it.
        lines: One for each row.
        muted: Whether a row has no numbers, its words then grey.
    """

    header: str
    lines: tuple[str, ...]
    muted: tuple[bool, ...]


def family_entries(losses: Sequence[ListedLoss]) -> list[LegendEntry]:
    """Return legend entries for the colours of families."""
    from matplotlib.lines import Line2D

    present = {loss.family for loss in losses}
    ordered = [*(name for name in FAMILIES if name in present), *sorted(present - set(FAMILIES))]
    return [
        LegendEntry(Line2D([], [], color=FAMILY_COLOURS.get(name, OTHER_COLOUR), lw=2), short(name))
        for name in ordered
    ]


def patch_entry(colour: str, label: str, **look: Any) -> LegendEntry:
    """Return a legend entry for an area."""
    from matplotlib.patches import Patch

    return LegendEntry(Patch(facecolor=colour, **look), label)


def add_legend(
    figure: "Figure", entries: Sequence[LegendEntry], free: "Axes | None" = None, outside: bool = True
) -> None:
    """Put a legend below everything, in as few lines as the page allows, or into a place that is free.

    Args:
        figure: The page.
        entries: Of the legend, in order.
        free: Axes with nothing in them.
        outside: Whether the layout of the figure makes room for it.
    """
    handles, labels = [each.handle for each in entries], [each.label for each in entries]
    if free is not None:
        free.legend(handles, labels, loc="center left")
        return
    columns = -(-len(entries) // legend_lines(entries))
    where: Any = "outside lower center" if outside else "lower center"
    figure.legend(handles, labels, loc=where, ncols=columns, columnspacing=1.4, handletextpad=0.5)


def legend_height(entries: Sequence[LegendEntry]) -> float:
    """Return the height of a legend below everything, in inches."""
    return 0.1 + 0.16 * legend_lines(entries)


def legend_lines(entries: Sequence[LegendEntry]) -> int:
    """Return how many lines the legend takes."""
    widths = [text_width(each.label) + 34 for each in entries]
    for lines in range(1, len(widths)):
        # Legends are filled column by column.
        columns = [widths[start : start + lines] for start in range(0, len(widths), lines)]
        if sum(max(column) for column in columns) <= 72 * page_width():
            return lines
    return len(widths)


def text_width(text: str) -> float:
    """Return the width of words in points, at the size of tick labels."""
    import matplotlib as mpl

    return _path_width(text, float(mpl.rcParams["xtick.labelsize"]), tuple(mpl.rcParams["font.sans-serif"]))


@lru_cache(maxsize=4096)
def _path_width(text: str, size: float, _: tuple[str, ...]) -> float:
    """Return the width of words in points; fonts are part of what is remembered."""
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text, size=size).get_extents().width) if text.strip() else 0.0


def label_width(labels: Sequence[str]) -> float:
    """Return the width of the labels of rows in inches."""
    return 1.04 * max((text_width(text) for text in row_labels(labels)), default=0.0) / 72 + 0.08


def row_pitch() -> float:
    """Return the height of a row in inches: of a line of type with some air."""
    import matplotlib as mpl

    return float(mpl.rcParams["ytick.labelsize"]) * 1.42 / 72


def row_labels(labels: Sequence[str]) -> list[str]:
    """Return labels as they stand beside rows, shorter on narrow pages."""
    return [short(label, 30 if page_width() > 6 else 22) for label in labels]


def label_rows(axis: "Axes", labels: Sequence[str], named: bool) -> None:
    """Give a panel a row for each label, the first one on top, with their names where they are wanted."""
    axis.set_ylim(len(labels) - 0.4, -0.6)
    axis.set_yticks(range(len(labels)), row_labels(labels) if named else [""] * len(labels))
    axis.tick_params(axis="y", length=0)
    axis.grid(visible=True, axis="y", lw=0.4, color="#efefef")
    axis.spines["left"].set_visible(False)


def panel_title(axis: "Axes", title: str, subtitle: str) -> None:
    """Write the heading of a panel, and lighter words below it."""
    import matplotlib as mpl

    size = float(mpl.rcParams["xtick.labelsize"])
    axis.set_title(title, pad=size + 6)
    place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
    axis.annotate(subtitle, (0, 1), (0, 3.5), color=GREY_TEXT, fontsize=size, **place)


def write_words(axis: "Axes", columns: Sequence[Words]) -> None:
    """Write columns of words at the right of a panel; one without any words is left out."""
    import matplotlib as mpl

    size, offset = float(mpl.rcParams["xtick.labelsize"]), 5.0
    for column in columns:
        if not any(column.lines):
            continue
        place: dict[str, Any] = {"textcoords": "offset points", "va": "center_baseline", "fontsize": size}
        for number, (text, muted) in enumerate(zip(column.lines, column.muted, strict=True)):
            colour = GREY_TEXT if muted else INK
            where = ("axes fraction", "data")
            axis.annotate(text, (1, number), (offset, 0), xycoords=where, color=colour, **place)
        above = {**place, "va": "baseline", "color": GREY_TEXT}
        axis.annotate(column.header, (1, 1), (offset, 3.5), xycoords="axes fraction", **above)
        offset += max(text_width(text) for text in (column.header, *column.lines)) + 7
