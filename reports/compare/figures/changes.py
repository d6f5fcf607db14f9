"""FC1: the mean of every loss before and after, one drawing per shared dataset."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pandas as pd

from harness.statistics.wording import title_of
from reports.compare.changes import Change
from reports.compare.figures.place_names import brief
from reports.compare.shown import Shown
from reports.compare.side_by_side import Place
from reports.figures.journals import page_width
from reports.figures.label_placement import apart
from reports.figures.registry import Drawing, NothingToDraw
from reports.figures.style import LossStyle, drawing_style, grid_of_axes, new_figure, panels, short, styles
from reports.results import ListedLoss
from reports.tables.scores import file_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANEL_WIDTH = 1.8
_PANEL_HEIGHT = 2.05
_WIDEST = 3.4
_HIGHEST = 9.0
_LEADER, _UPRIGHT = 0.2, 0.45
"""Inches: the least and the most that a panel is wide, its height, that of all rows, the line from a mark
to its name, names of studies that stand upright."""

_AROUND = 0.45
"""Inches of a panel's height that title and names of studies take."""

_LETTER, _LINE = 0.5 / 72, 1.25 / 72
"""Inches per point of type: width of a letter and height of a line, about."""

_DODGE = 0.05
"""Share of the distance of two studies by which losses stand beside each other."""

_THIN, _THICK = 0.8, 1.9
"""Points: lines of changes that are not resolved, and of those that are."""


def changes_on_datasets(shown: Shown) -> list[Drawing]:
    """Draw the means of every loss in the studies of each shared dataset, with their intervals."""
    if not shown.beside.shared_datasets:
        raise NothingToDraw("No picture of changes: the studies share no dataset.")
    return [_drawing(shown, dataset) for dataset in shown.beside.shared_datasets]


@dataclass(frozen=True)
class _Scene:
    """One dataset: studies from left to right, looks of losses, what became of them, height of a panel."""

    places: Sequence[Place]
    looks: dict[str, LossStyle]
    words: dict[tuple[str, str], str]
    height: float = _PANEL_HEIGHT

    @property
    def only_two(self) -> bool:
        """Whether there is one before and one after."""
        return len(self.places) == 2

    def at(self, loss: ListedLoss, members: Sequence[ListedLoss]) -> np.ndarray:
        """Return horizontal places of a loss."""
        shift = _DODGE * (members.index(loss) - (len(members) - 1) / 2)
        return np.arange(len(self.places)) + shift


def _drawing(shown: Shown, dataset: str) -> Drawing:
    beside = shown.beside
    places = beside.on(dataset)
    own = [each for each in shown.changes if each.dataset == dataset]
    words = {(each.loss, each.after): each.words for each in own}
    families = panels(
        [loss for loss in beside.losses if any(np.isfinite(p.value(loss.label)) for p in places)]
    )
    with drawing_style():
        columns = max(1, min(len(families), int(page_width() / _PANEL_WIDTH)))
        rows = max(1, -(-len(families) // columns))
        width = min(page_width(), _WIDEST * columns)
        height = min(_PANEL_HEIGHT + (0.0 if len(places) < 3 else _UPRIGHT), _HIGHEST / rows)
        scene = _Scene(places, styles(beside.losses), words, height)
        figure = new_figure(width, 0.25 + height * rows)
        axes = grid_of_axes(figure, rows, columns, sharey=True)
        drawn = [axes[at // columns][at % columns] for at in range(len(families))]
        for axis, (family, members) in zip(drawn, families, strict=True):
            axis.set_title(family)
            _draw(axis, scene, members)
        axes[0][0].set_ylim(*axes[0][0].get_ylim())
        for axis, (_, members) in zip(drawn, families, strict=True):
            _label(axis, scene, members, (width - 0.5) / columns - 0.1)
        for row in axes:
            row[0].set_ylabel(f"{title_of(beside.metric)}, better {_arrow(shown)}")
        for axis in [axis for row in axes for axis in row][len(families) :]:
            axis.set_axis_off()
    name = f"changes_{file_name(dataset)}"
    alt = f"Lines from study to study on {dataset}, one for each loss. {_told(own)}"
    title = f"Before and after on {short(dataset, 40)}"
    return Drawing(name, title, _caption(shown, dataset, own), alt, figure, data=_data(scene, beside.losses))


def _draw(axis: "Axes", scene: _Scene, members: Sequence[ListedLoss]) -> None:
    for loss in members:
        look, at = scene.looks[loss.label], scene.at(loss, members)
        values = [place.value(loss.label) for place in scene.places]
        resolved = [_resolved(scene.words.get((loss.label, each.study), "")) for each in scene.places]
        # The last of several studies is compared with the first one, not with its neighbour.
        thick = scene.only_two and resolved[-1]
        axis.plot(at, values, color=look.shade, ls=look.line, lw=_THICK if thick else _THIN)
        for number, (x, place, value) in enumerate(zip(at, scene.places, values, strict=True)):
            low, high = _interval(place, loss.label)
            if np.isfinite(low):
                axis.plot([x, x], [low, high], color=look.shade, lw=0.7, alpha=0.75)
            full = scene.only_two or number == 0 or resolved[number]
            edge = ("white", 0.4) if full else (look.shade, 0.7)
            face = look.shade if full else "white"
            axis.plot([x], [value], marker=look.marker, ms=4, ls="none", mfc=face, mec=edge[0], mew=edge[1])


def _label(axis: "Axes", scene: _Scene, members: Sequence[ListedLoss], width: float) -> None:
    """Name the studies below, and the losses beside the ends of their lines, apart from each other.

    Args:
        axis: A panel whose heights are final.
        scene: The dataset.
        members: Losses of the panel.
        width: Of the panel in inches.
    """
    size = mpl.rcParams["xtick.labelsize"]
    names = {loss.label: _name(scene, loss.label) for loss in members}
    longest = max(map(len, names.values())) * size * _LETTER + _LEADER
    last = len(scene.places) - 1
    span = (last + 0.5) / max(0.3, 1 - longest / width)
    axis.set_xlim(-0.25, span - 0.25)
    _name_studies(axis, scene, width / span)
    low, high = axis.get_ylim()
    ends = [(scene.places[-1].value(loss.label), loss.label) for loss in members]
    known = sorted((y, label) for y, label in ends if np.isfinite(y))
    gap = (high - low) * _LINE * size / (scene.height - _AROUND)
    heights = apart([y for y, _ in known], gap, (low, high))
    for (end, label), y in zip(known, heights, strict=True):
        colour, x = scene.looks[label].shade, last + _DODGE * len(members) / 2 + 0.03
        to = x + 0.1 * span / width
        axis.plot([x, to], [end, y], color=colour, lw=0.4)
        axis.text(to + 0.03 * span / width, y, names[label], color=colour, fontsize=size, va="center")


def _name_studies(axis: "Axes", scene: _Scene, inches: float) -> None:
    """Write the names of the studies level if ``inches`` from one to the next suffice, else upright."""
    size = mpl.rcParams["xtick.labelsize"]
    names = [brief(each.study, 14) for each in scene.places]
    axis.set_xticks(range(len(names)), names)
    axis.tick_params(axis="x", length=0)
    if max(map(len, names)) * size * _LETTER > inches:
        axis.tick_params(axis="x", rotation=90)  # aslant, it would push the panels apart


def _name(scene: _Scene, label: str) -> str:
    said = {scene.words.get((label, place.study), "") for place in scene.places[1:]}
    word = next(
        (kind for kind in ("better", "worse", "equivalent") if any(w.startswith(kind) for w in said)), ""
    )
    sign = {"better": " +", "worse": " −", "equivalent": " ="}.get(word, "")
    return short(label, 18) + (sign if len(said) == 1 else "")


def _interval(place: Place, label: str) -> tuple[float, float]:
    row = place.row(label)
    return (float("nan"), float("nan")) if row is None else row.interval


def _resolved(words: str) -> bool:
    return words.startswith(("better", "worse", "equivalent"))


def _arrow(shown: Shown) -> str:
    return "↑" if shown.beside.higher else "↓"


def _caption(shown: Shown, dataset: str, own: list[Change]) -> str:
    beside = shown.beside
    mean = "Geometric mean" if beside.scale.log else "Mean"
    what = f"{mean} {title_of(beside.metric)} over patients and runs of use of every shared loss on {dataset}"
    bars = "Vertical lines are 95 % intervals of the means over patients and seeds"
    sizes = sorted({each.patients[0] for each in own if each.difference is not None})
    told = f"{bars}. No change is tested here."
    if sizes:
        common = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
        rule = f"(Holm over the losses of this dataset, {common} patients in common)"
        how = (
            f"A thick line is a change that is resolved {rule}, and the sign behind the name says how: + "
            "better, − worse, = equivalent within the margin."
            if len(beside.on(dataset)) == 2
            else f"A full mark is a change from the first study that is resolved {rule}, an open one is not."
        )
        told = f"{bars}; whether they overlap says little of a change, for the patients are the same. {how}"
    return (
        f"{what} in each study. {told} Panels are families of losses; markers and lines tell members apart."
    )


def _told(own: list[Change]) -> str:
    return " ".join(
        f"{each.loss}: {each.means[0]:.3f} to {each.means[1]:.3f}, {each.words}."
        for each in own
        if all(np.isfinite(each.means))
    )


def _data(scene: _Scene, losses: Sequence[ListedLoss]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "dataset": place.dataset,
                "study": place.study,
                "loss": loss.label,
                "mean": place.value(loss.label),
                "low": _interval(place, loss.label)[0],
                "high": _interval(place, loss.label)[1],
                "change": scene.words.get((loss.label, place.study), ""),
            }
            for place in scene.places
            for loss in losses
        ]
    )
