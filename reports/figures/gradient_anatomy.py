"""F18: one prediction, and what each of the study's losses asks of every pixel of it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from reports.figures.journals import page_width
from reports.figures.paging import PAGE_HEIGHT, page_name
from reports.figures.registry import Drawing, NothingToDraw, register_figure
from reports.results import ListedLoss, StudyResults

if TYPE_CHECKING:
    from reports.losses.anatomy import AnatomyPage
    from reports.losses.gradients import GradientMap
    from reports.losses.study_case import StudyCase

_NAME = "gradient_anatomy"


@register_figure("F18", _NAME)
def draw(results: StudyResults) -> list[Drawing]:
    """Draw the gradients of the study's losses on one slice, chosen by the rule of the overlays."""
    # Inside: these modules import this package.
    from harness.losses import load_entry_points
    from reports.losses.anatomy import alt_of, draw_page
    from reports.losses.study_case import study_case, study_maps

    shown = study_case(results)
    if shown is None:
        raise NothingToDraw(
            "No gradient anatomy: no dataset has both its prepared cache here and scores of the reference "
            "loss with seed index 0."
        )
    load_entry_points()
    maps, lacking = study_maps(results, shown.case)
    if not maps:
        raise NothingToDraw("No gradient anatomy: none of the study's losses can be built here.")
    pages = _pages([loss for loss in results.losses if loss.label in maps])
    drawings = []
    for number, about in enumerate(pages, 1):
        own = [loss for loss in results.losses if any(loss.label in each for each in about.families.values())]
        drawings.append(
            Drawing(
                page_name(_NAME, number, len(pages)),
                f"Gradient anatomy on {shown.dataset}",
                _caption(shown, maps, lacking),
                alt_of({loss.label: maps[loss.label] for loss in own}),
                draw_page(shown.case, maps, about),
                image=True,
                data=_data(shown, maps, own),
            )
        )
    return drawings


def _pages(losses: Sequence[ListedLoss]) -> "list[AnatomyPage]":
    """Return as few pages as hold all losses by family, none too high."""
    from reports.losses.anatomy import page_height

    for count in range(1, len(losses) + 1):
        size = -(-len(losses) // count)
        pages = [_page(_by_family(losses)[at : at + size], len(losses)) for at in range(0, len(losses), size)]
        if max(page_height(page) for page in pages) <= PAGE_HEIGHT:
            break
    return pages


def _by_family(losses: Sequence[ListedLoss]) -> list[ListedLoss]:
    from reports.losses.panel_grid import by_family

    named = {loss.label: loss for loss in losses}
    families = by_family({label: loss.family for label, loss in named.items()})
    return [named[label] for labels in families.values() for label in labels]


def _page(losses: Sequence[ListedLoss], total: int) -> "AnatomyPage":
    from reports.losses.anatomy import AnatomyPage
    from reports.losses.panel_grid import by_family

    count = "1 loss" if total == 1 else f"{total} losses"
    title = f"{count}, one prediction: how each weights the pixels"
    families = by_family({loss.label: loss.family for loss in losses})
    return AnatomyPage(title, "as the study trained it", families, width=page_width())


def _caption(shown: "StudyCase", maps: "Mapping[str, GradientMap]", lacking: Sequence[ListedLoss]) -> str:
    from reports.losses.anatomy import caption_of

    names = ", ".join(loss.label for loss in lacking)
    left_out = f" Not shown, since they cannot be built here: {names}." if lacking else ""
    return (
        f"{caption_of(shown.case, maps)} The case is the one {shown.chosen}. Losses have the options of "
        f"the study; weights that move during training are those of the last epoch.{left_out} A gradient on "
        "one slice shows what a loss weighs, not how well it trains."
    )


def _data(
    shown: "StudyCase", maps: "Mapping[str, GradientMap]", losses: Sequence[ListedLoss]
) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "dataset": shown.dataset,
                "case": shown.case.case,
                "loss": loss.label,
                "expression": loss.expression,
                "norm": maps[loss.label].norm,
                "share_on_mismatch": maps[loss.label].share(shown.case.mismatch),
            }
            for loss in losses
        ]
    )
