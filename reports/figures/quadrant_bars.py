"""The second part of F10: on how many patients a loss is better on both metrics, on one, on neither."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from harness.statistics.block import Block
from harness.statistics.pareto import quadrants
from harness.statistics.wording import title_of
from reports.figures.answered import Compared, design_sentence, left_out
from reports.figures.journals import page_width
from reports.figures.paging import pages, rows_on_page
from reports.figures.registry import Drawing
from reports.figures.row_panels import panel_title
from reports.figures.style import INK, drawing_style, grid_of_axes, new_figure, row_name, short
from reports.results import StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Shown: TypeAlias = tuple[Compared, Block]
"""A dataset, and the block of its boundary metric."""

_PARTS = {
    "both_better": ("#542788", "", "white"),
    "first_only": ("#b9b2d8", "/////", INK),
    "second_only": ("#f6c48a", ".....", INK),
    "both_worse": ("#e08214", "", INK),
    "no_difference": ("#ffffff", "", INK),
}
"""Fill, hatch and ink, apart for colour-blind readers and in grey."""

_ROW = 0.145
_COLUMN = 1.75
_ENOUGH_FOR_A_NUMBER = 9


def draw_quadrants(results: StudyResults, shown: Sequence[Shown]) -> list[Drawing]:
    """Return stacked bars of the shares of patients by loss: one drawing, or some where pages are full."""
    data = pd.concat([_shares(each, boundary) for each, boundary in shown], ignore_index=True)
    if data.empty:
        return []
    rows = [label for label in results.labels if label in {*data["loss"], *data["reference"]}]
    height = 0.62 + _ROW * len(rows)
    columns = max(1, min(len(shown), int((page_width() - 1.0) / _COLUMN)))
    drawings = []
    for page in pages(shown, columns * rows_on_page(height, 0.45)):
        here = page.panels
        own = data[data["dataset"].isin([each.dataset for each, _ in here])].reset_index(drop=True)
        with drawing_style():
            figure = _draw(here, own, rows, columns)
        name, title = page.name("pareto_front_quadrants"), page.title("Patients that win and lose")
        drawings.append(Drawing(name, title, _caption(results, here, own), _alt(here, own), figure, data=own))
    return drawings


def _shares(each: Compared, boundary: Block) -> pd.DataFrame:
    block = each.cell.block
    labels = [loss.label for loss in each.losses if loss.label in boundary.losses]
    reference = each.reference if each.reference in labels else labels[0]
    found = []
    for label in labels:
        if label != reference:
            of = quadrants(block, boundary, label, reference)
            parts = {part: float(getattr(of, part)) for part in list(_PARTS)[:4]}
            tied = max(0.0, 1 - sum(parts.values()))
            row = {
                "dataset": each.dataset,
                "loss": label,
                "reference": reference,
                "patients": len(of.patients),
            }
            found.append({**row, **parts, "no_difference": tied if tied > 1e-9 else 0.0})
    return pd.DataFrame(found)


def _draw(shown: Sequence[Shown], data: pd.DataFrame, rows: Sequence[str], columns: int) -> "Figure":
    columns = min(columns, len(shown))
    lines = -(-len(shown) // columns)
    figure = new_figure(page_width(), 0.45 + lines * (0.62 + _ROW * len(rows)), wspace=0.04, hspace=0.05)
    axes = grid_of_axes(figure, lines, columns, sharex=True, sharey=True)
    for place, (each, _) in enumerate(shown):
        axis = axes[place // columns][place % columns]
        _draw_dataset(axis, each, data[data["dataset"] == each.dataset], rows)
        if place + columns >= len(shown):
            axis.set_xlabel("Share of the patients (%)")
            axis.tick_params(labelbottom=True)
    for spare in range(len(shown), lines * columns):
        axes[spare // columns][spare % columns].set_axis_off()
    _legend(figure, shown[0], bool(data["no_difference"].any()))
    return figure


def _draw_dataset(axis: "Axes", each: Compared, data: pd.DataFrame, rows: Sequence[str]) -> None:
    import matplotlib as mpl

    small = mpl.rcParams["xtick.labelsize"]
    places = [at for at, label in enumerate(rows) if label in set(data["loss"])]
    shares = data.set_index("loss").loc[[rows[at] for at in places]]
    _draw_bars(axis, places, shares)
    for at in set(range(len(rows))) - set(places):
        reference = not data.empty and rows[at] == data["reference"].iloc[0]
        words = "the others against it" if reference else "not compared"
        axis.text(2, at, words, va="center", fontsize=small, color="#666666", style="italic")
    panel_title(axis, row_name(each.dataset), each.design)
    axis.set_xlim(0, 100)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.set_yticks(range(len(rows)), [short(label, 24) for label in rows])
    axis.tick_params(axis="y", length=0)
    axis.grid(visible=False, axis="y")
    axis.spines["left"].set_visible(False)


def _draw_bars(axis: "Axes", places: Sequence[int], shares: pd.DataFrame) -> None:
    import matplotlib as mpl

    size = max(6.0, mpl.rcParams["xtick.labelsize"] - 0.5)
    left = np.zeros(len(places))
    for part, (colour, hatch, ink) in _PARTS.items():
        wide = 100 * shares[part].to_numpy(float)
        axis.barh(places, wide, 0.8, left, color=colour, hatch=hatch, edgecolor="#666666", lw=0.4)
        look = {"ha": "center", "va": "center_baseline", "color": ink, "fontsize": size}
        if hatch:
            look["bbox"] = {"facecolor": colour, "lw": 0, "pad": 0.6}
        for at, start, share in zip(places, left, wide, strict=True):
            if share >= _ENOUGH_FOR_A_NUMBER:
                axis.text(start + share / 2, at, f"{share:.0f}", **look)
        left = left + wide


def _legend(figure: "Figure", first: Shown, ties: bool) -> None:
    from matplotlib.patches import Patch

    words = _words(first)
    keys = [
        Patch(facecolor=colour, hatch=hatch, edgecolor="#666666", lw=0.4, label=words[part])
        for part, (colour, hatch, _) in _PARTS.items()
        if ties or part != "no_difference"
    ]
    columns = len(keys) if page_width() > 6 else -(-len(keys) // 2)
    figure.legend(handles=keys, loc="outside lower center", ncols=columns, handleheight=1.1)


def _words(first: Shown) -> dict[str, str]:
    a, b = title_of(first[0].cell.block.metric), title_of(first[1].metric)
    return {
        "both_better": "better on both",
        "first_only": f"better {a}, worse {b}",
        "second_only": f"worse {a}, better {b}",
        "both_worse": "worse on both",
        "no_difference": "no difference on one",
    }


def _caption(results: StudyResults, shown: Sequence[Shown], data: pd.DataFrame) -> str:
    references = list(dict.fromkeys(data["reference"]))
    chosen = ", on each dataset the one named there" if len(references) > 1 else ""
    a, b = title_of(shown[0][0].cell.block.metric), title_of(shown[0][1].metric)
    return (
        f"Share of the patients on whom a loss is better or worse than {' or '.join(references)}{chosen} on "
        f"{a} and {b}, each patient's value being the mean over seeds. Any difference counts, however small; "
        "shares of patients describe these trained networks and prove nothing about the losses. "
        f"{design_sentence(results, [each.cell for each, _ in shown])}" + left_out(results)
    )


def _alt(shown: Sequence[Shown], data: pd.DataFrame) -> str:
    words = _words(shown[0])
    middle = 100 * data.groupby("dataset", sort=False)[list(_PARTS)[:4]].median()
    parts = [
        f"{dataset}: " + ", ".join(f"{words[part]} {row[part]:.0f} %" for part in list(_PARTS)[:4])
        for dataset, row in middle.iterrows()
    ]
    return f"Stacked bars of shares of patients by loss and dataset. Medians over losses: {'; '.join(parts)}."
