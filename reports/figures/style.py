"""Colours, marks and words that all figures share."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.escape import one_line
from reports.figures.journals import style_file
from reports.results import FAMILIES, ListedLoss, StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 183 / 25.4
"""Inches: width of pictures that belong to no study."""

FAMILY_COLOURS = {
    "distribution": "#0072B2",
    "region": "#E69F00",
    "boundary": "#009E73",
    "compound": "#CC79A7",
    "lesion": "#D55E00",
}
"""Okabe and Ito's palette, safe for colour-blind readers."""

OTHER_COLOUR = "#666666"
INK = "#222222"

_LINES: Sequence[Any] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.2, 1, 1.2)), (0, (7, 2)), (0, (2, 2)))
_MARKERS = "osD^vPX<>hd*"
MEMBERS_PER_PANEL = len(_LINES)

STYLE_FILE = Path(__file__).with_name("lossbench.mplstyle")


LINE, TUNED_LINE = 1.1, 2.0
"""Points: width of the lines of default and tuned arms."""


@dataclass(frozen=True)
class LossStyle:
    """How one loss is drawn everywhere: the colour is its family's, shade, line and marker its own.

    The tuned arm of a loss is drawn as its default arm is, with a line of more ``width``.
    """

    colour: str
    shade: str
    line: Any
    marker: str
    width: float = LINE


@contextmanager
def drawing_style() -> Iterator[None]:
    """Apply the style file and that of the journal, on a backend that needs no screen."""
    import matplotlib as mpl
    from matplotlib import style

    mpl.use("Agg")
    with mpl.rc_context(), warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes; the user cannot mend it here.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")
        mpl.rcdefaults()
        style.use([STYLE_FILE, style_file()])
        yield


def styles(losses: Sequence[ListedLoss]) -> dict[str, LossStyle]:
    """Return the style of every loss by label."""
    found: dict[str, LossStyle] = {}
    for family in dict.fromkeys(loss.family for loss in losses):
        known = {loss.label for loss in losses if loss.family == family}
        # The two arms of a loss are one member.
        members = [loss for loss in losses if loss.family == family and loss.tuned_from not in known]
        members.sort(key=lambda loss: loss.position)  # a loss looks the same wherever it ranks
        colour = FAMILY_COLOURS.get(family, OTHER_COLOUR)
        for place, loss in enumerate(members):
            shade = _mixed(colour, "#000000", 0.45 * (place % 6) / max(1, min(5, len(members) - 1)))
            found[loss.label] = LossStyle(
                colour, shade, _LINES[place % len(_LINES)], _MARKERS[place % len(_MARKERS)]
            )
    for loss in losses:
        if loss.tuned_from is not None and loss.tuned_from in found and loss.label not in found:
            found[loss.label] = replace(found[loss.tuned_from], width=TUNED_LINE)
    return found


def panels(losses: Sequence[ListedLoss]) -> list[tuple[str, list[ListedLoss]]]:
    """Return the losses by family; a family too large for one panel is cut into equal parts."""
    found: list[tuple[str, list[ListedLoss]]] = []
    families = [*FAMILIES, *sorted({loss.family for loss in losses} - set(FAMILIES))]
    for family in families:
        members = [loss for loss in losses if loss.family == family]
        parts = -(-len(members) // MEMBERS_PER_PANEL)
        size = -(-len(members) // parts) if parts else 1
        found += [(family, members[start : start + size]) for start in range(0, len(members), size)]
    return found


def short(label: str, limit: int = 30) -> str:
    """Return a label on one line, cut with an ellipsis where it is too long for a figure."""
    text = one_line(label)
    text = text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
    return text if not text.startswith("_") else "\u200a" + text  # matplotlib hides legend labels with "_"


def row_name(dataset: str) -> str:
    """Return a dataset's name for the edge of a figure."""
    return short(dataset)


def metric_label(results: StudyResults, name: str) -> str:
    """Return a metric's title with its unit and an arrow towards better values, for horizontal axes."""
    row = results.metrics.set_index("name").loc[name]
    unit = f" ({row['unit']})" if row["unit"] else ""
    return f"{row['title']}{unit}, better {'→' if row['direction'] == 'higher' else '←'}"


def new_figure(width: float, height: float, **spaces: Any) -> "Figure":
    """Return an empty figure of that size in inches; ``spaces`` are options of the constrained layout."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(**spaces))


def grid_of_axes(figure: "Figure", rows: int, columns: int, **options: Any) -> list[list["Axes"]]:
    """Return axes in rows and columns."""
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return [list(row) for row in axes]


def _mixed(colour: str, other: str, amount: float) -> str:
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * amount):02x}" for a, b in pairs)


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[start : start + 2], 16) for start in (1, 3, 5))
