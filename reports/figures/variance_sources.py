"""F8: what blurs the comparison of losses, patients or seeds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from harness.statistics.discriminability import variance_shares
from harness.statistics.variance_components import components_of
from harness.statistics.wording import title_of
from reports.figures.answered import Compared, compared_datasets, design_sentence, left_out
from reports.figures.journals import page_width
from reports.figures.paging import pages, rows_on_page
from reports.figures.registry import Drawing, register_figure
from reports.figures.row_panels import GREY_TEXT, panel_title
from reports.figures.style import drawing_style, grid_of_axes, new_figure, row_name, short
from reports.results import StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SOURCES = {
    "patients": ("#44546a", ""),
    "seeds": ("#a9bdd3", "/////"),
    "residual": ("#eef1f5", "....."),
}
"""Fill and hatch: none is a family's colour, and all are apart in grey."""

_TITLES = {"patients": "patients", "seeds": "seeds", "residual": "patients × seeds (residual)"}
_ROW = 0.135
_COLUMN = 1.75


@register_figure("F8", "variance_sources")
def variance_sources(results: StudyResults) -> list[Drawing]:
    """Draw shares of patients, seeds and the rest in the variance of each difference from the reference."""
    shown = compared_datasets(results, "variance decomposition")
    data = pd.concat([_shares(each) for each in shown], ignore_index=True)
    rows = [label for label in results.labels if any(label == loss.label for x in shown for loss in x.losses)]
    height = 0.62 + _ROW * len(rows)
    columns = max(1, min(len(shown), int((page_width() - 1.0) / _COLUMN)))
    drawings = []
    for page in pages(shown, columns * rows_on_page(height, 0.45)):
        here = page.panels
        own = data[data["dataset"].isin([each.dataset for each in here])].reset_index(drop=True)
        with drawing_style():
            figure = _draw(here, own, rows, columns)
        name, title = page.name("variance_sources"), page.title("Where the noise comes from")
        drawings.append(Drawing(name, title, _caption(results, here), _alt(own), figure, data=own))
    return drawings


def _shares(each: Compared) -> pd.DataFrame:
    """Return the shares of every difference from the reference, with its standard error."""
    parts, losses = each.comparison.parts, each.comparison.pairs.losses
    labels = [loss.label for loss in each.losses if loss.label != each.reference]
    first = np.array([losses.index(label) for label in labels], np.int64)
    second = np.full_like(first, losses.index(each.reference))
    found = variance_shares(
        [(label, each.reference) for label in labels],
        components_of(parts, first, second),
        parts.patients,
        (parts.seeds[first], parts.seeds[second]),
    )
    found.insert(0, "dataset", each.dataset)
    return found.assign(standard_error=np.repeat(each.comparison.pairs.error[first, second], len(_SOURCES)))


def _draw(shown: Sequence[Compared], data: pd.DataFrame, rows: Sequence[str], columns: int) -> "Figure":
    columns = min(columns, len(shown))
    lines = -(-len(shown) // columns)
    figure = new_figure(page_width(), 0.45 + lines * (0.62 + _ROW * len(rows)), wspace=0.04, hspace=0.05)
    axes = grid_of_axes(figure, lines, columns, sharex=True, sharey=True)
    for place, each in enumerate(shown):
        axis = axes[place // columns][place % columns]
        _draw_dataset(axis, each, data[data["dataset"] == each.dataset], rows)
        if place + columns >= len(shown):
            axis.set_xlabel("Share of the variance (%)")
            axis.tick_params(labelbottom=True)
    for spare in range(len(shown), lines * columns):
        axes[spare // columns][spare % columns].set_axis_off()
    _legend(figure)
    return figure


def _draw_dataset(axis: "Axes", each: Compared, data: pd.DataFrame, rows: Sequence[str]) -> None:
    import matplotlib as mpl

    small = mpl.rcParams["xtick.labelsize"]
    shares = data.pivot_table(index="loss_a", columns="source", values="share", dropna=False)
    errors = data.drop_duplicates("loss_a").set_index("loss_a")["standard_error"]
    decimals = _decimals(errors)
    places = [at for at, label in enumerate(rows) if label in errors.index]
    _draw_bars(axis, places, shares.loc[[rows[at] for at in places]])
    for at, label in enumerate(rows):
        look: dict[str, Any] = {"va": "center", "fontsize": small}
        if at not in places:
            words = "the others against it" if label == each.reference else "not compared"
            axis.text(2, at, words, color="#666666", style="italic", **look)
        else:
            words = f"{errors[label]:.{decimals}f}"
            axis.annotate(words, (100, at), (3, 0), textcoords="offset points", **look)
    value = each.comparison.discriminability.value
    panel_title(axis, row_name(each.dataset), f"{each.design}, G = {value:.2f}")
    axis.annotate(
        "SE",
        (1, 1),
        (3, 3.5),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=small,
        color=GREY_TEXT,
    )
    axis.set_xlim(0, 100)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.set_yticks(range(len(rows)), [short(label, 24) for label in rows])
    axis.tick_params(axis="y", length=0)
    axis.grid(visible=False, axis="y")
    axis.spines["left"].set_visible(False)


def _decimals(errors: "pd.Series[float]") -> int:
    """Return the decimals that give a typical standard error two digits."""
    middle = float(errors.median())
    return max(0, 1 - int(np.floor(np.log10(middle)))) if middle > 0 else 2


def _draw_bars(axis: "Axes", places: Sequence[int], shares: pd.DataFrame) -> None:
    import matplotlib as mpl

    left = np.zeros(len(places))
    for source, (colour, hatch) in _SOURCES.items():
        wide = 100 * shares[source].to_numpy(float)
        known = np.nan_to_num(wide)
        axis.barh(places, known, 0.74, left, color=colour, hatch=hatch, edgecolor="#44546a", lw=0.4)
        left = left + known
    for at, end in zip(places, left, strict=True):
        if end > 0:
            continue
        look = {"va": "center", "fontsize": mpl.rcParams["xtick.labelsize"], "style": "italic"}
        axis.text(2, at, "no variance", color="#666666", **look)


def _legend(figure: "Figure") -> None:
    from matplotlib.patches import Patch

    keys = [
        Patch(facecolor=colour, hatch=hatch, edgecolor="#44546a", lw=0.4, label=_TITLES[source])
        for source, (colour, hatch) in _SOURCES.items()
    ]
    figure.legend(handles=keys, loc="outside lower center", ncols=len(keys), handleheight=1.1)


def _caption(results: StudyResults, shown: Sequence[Compared]) -> str:
    title = title_of(shown[0].cell.block.metric)
    scale = " (log scale)" if shown[0].cell.block.scale.log else ""
    references = list(dict.fromkeys(each.reference for each in shown))
    against = " or ".join(references)
    chosen = ", on each dataset the one named there" if len(references) > 1 else ""
    return (
        f"Sources of the variance of the difference in mean {title}{scale} between each loss and "
        f"{against}{chosen}: patients that suit one of the two losses better, seeds, and the residual that "
        "neither explains. More patients shrink the first and the last, more seeds the last two. "
        "Crossed-variance components at the numbers of patients and seeds that were used, seed variances "
        f"moderated over the losses. {design_sentence(results, [each.cell for each in shown])} SE: standard "
        "error of the difference. G: share of true differences in the spread of the losses' means; below 0.5 "
        "a dataset cannot rank these losses." + left_out(results)
    )


def _alt(data: pd.DataFrame) -> str:
    middle = 100 * data.groupby(["dataset", "source"], sort=False)["share"].median()
    parts = [
        f"{dataset}: " + ", ".join(f"{source} {middle[dataset, source]:.0f} %" for source in _SOURCES)
        for dataset in dict.fromkeys(data["dataset"])
    ]
    return f"Stacked bars of variance shares by loss and dataset. Median shares: {'; '.join(parts)}."
