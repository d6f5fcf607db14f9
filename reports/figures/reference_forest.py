"""F3: every loss against the losses that the study names as references."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.statistics.crossed import Difference, of_these_networks
from harness.statistics.versus import Against
from harness.statistics.wording import margin_words, names
from reports.figures.answered import (
    Compared,
    answer_of,
    compared_datasets,
    design_sentence,
    lacks_reference,
    left_out,
)
from reports.figures.comparison_panels import axis_label, metric_title, percent, scale_sentence
from reports.figures.forest_drawing import (
    Fill,
    ForestKey,
    ForestPanel,
    ForestRow,
    band_entry,
    draw_forest,
    forest_pages,
    marker_entry,
    thin_entry,
)
from reports.figures.paging import page_name
from reports.figures.registry import Drawing, NothingToDraw, register_figure
from reports.figures.row_panels import LegendEntry, family_entries
from reports.figures.style import LossStyle, drawing_style, row_name, short, styles
from reports.results import StudyResults

_WORDS = {
    "better": "better",
    "better, possibly by a negligible amount": "better†",
    "worse": "worse",
    "worse, possibly by a negligible amount": "worse†",
    "equivalent within the margin": "equivalent",
    "not resolved": "unresolved",
}
_FILLS: dict[str, Fill] = {"equivalent": "half", "unresolved": "open"}
_NOWHERE = (np.nan, np.nan)


@dataclass(frozen=True)
class _Site:
    """A dataset on which the reference is compared.

    Attributes:
        compared: The dataset.
        rows: Of the losses against the reference.
        networks: The same differences over patients alone.
    """

    compared: Compared
    rows: Mapping[str, Against]
    networks: Mapping[str, Difference]


@register_figure("F3", "reference_forest")
def reference_forest(results: StudyResults) -> list[Drawing]:
    """Draw the differences from each reference, a panel for each dataset."""
    compared = compared_datasets(results, "differences from a reference")
    references = answer_of(results).results.plan.references
    found = {
        reference: [site for each in compared if (site := _site(each, reference)) is not None]
        for reference in references
    }
    known = {reference: sites for reference, sites in found.items() if sites}
    if not known:
        raise NothingToDraw(f"No differences from a reference: none is compared here ({names(references)}).")
    drawings = []
    for number, (reference, sites) in enumerate(known.items(), 1):
        name = page_name("reference_forest", number, len(known))
        drawings += _draw(results, reference, sites, name)
    return drawings


def _site(compared: Compared, reference: str) -> _Site | None:
    found = [each for each in compared.comparison.versus if each.reference == reference]
    if not found or not found[0].rows:
        return None
    block = compared.cell.block
    scores = dict(zip(block.losses, block.scores, strict=True))
    return _Site(
        compared,
        {row.loss: row for row in found[0].rows},
        {row.loss: of_these_networks(scores[row.loss], scores[reference]) for row in found[0].rows},
    )


def _draw(results: StudyResults, reference: str, sites: Sequence[_Site], name: str) -> list[Drawing]:
    known = {row.loss for site in sites for row in site.compared.cell.rows if row.standing != "no run"}
    labels = tuple(label for label in results.labels if label in known)
    data, caption = _data(labels, reference, sites), _caption(results, reference, sites)
    drawings = []
    with drawing_style():
        look = styles(results.losses)
        panels = [_panel(results, each, reference, labels, look) for each in sites]
        key = ForestKey(labels, ("difference is",), tuple(_legend(results, sites)))
        for page in forest_pages(panels, key):
            drawings.append(
                Drawing(
                    page.name(name),
                    page.title(f"Differences from {short(reference)}"),
                    caption,
                    _alt(labels, reference, sites),
                    draw_forest(page.panels, key),
                    data=data,
                )
            )
    return drawings


def _panel(
    results: StudyResults, site: _Site, reference: str, labels: Sequence[str], look: Mapping[str, LossStyle]
) -> ForestPanel:
    cell = site.compared.cell
    standings = {row.loss: row.standing for row in cell.rows}
    rows = []
    for label in labels:
        if label not in site.rows:
            word = "reference" if label == reference else standings.get(label, "no run")
            rows.append(ForestRow(np.nan, _NOWHERE, look[label], "open", (word,)))
            continue
        found, thin = site.rows[label].difference, site.networks[label]
        word = _WORDS[site.rows[label].words]
        rows.append(
            ForestRow(
                found.difference,
                (found.low, found.high),
                look[label],
                _FILLS.get(word, "full"),
                (word,),
                (thin.low, thin.high),
            )
        )
    axis = axis_label(cell.block.scale, metric_title(results), short(reference, 14))
    title, subtitle = row_name(site.compared.dataset), site.compared.design
    return ForestPanel(title, subtitle, tuple(rows), cell.asked.margin, axis, cell.block.scale.log)


def _legend(results: StudyResults, sites: Sequence[_Site]) -> list[LegendEntry]:
    margins = {
        margin_words(site.compared.cell.block.scale, site.compared.cell.asked.margin) for site in sites
    }
    band = f"margin ({next(iter(margins))})" if len(margins) == 1 else "margin"
    shown = {_WORDS[row.words].rstrip("†") for site in sites for row in site.rows.values()}
    resolved = [marker_entry("full", "better or worse")] if shown & {"better", "worse"} else []
    return [
        *resolved,
        *(marker_entry(fill, word) for word, fill in _FILLS.items() if word in shown),
        thin_entry("patients alone, these networks"),
        band_entry(band),
        *family_entries(results.losses),
    ]


def _caption(results: StudyResults, reference: str, sites: Sequence[_Site]) -> str:
    cells = [site.compared.cell for site in sites]
    alpha = max(cell.asked.alpha for cell in cells)
    margins = {cell.block.dataset: margin_words(cell.block.scale, cell.asked.margin) for cell in cells}
    stated = (
        next(iter(margins.values()))
        if len(set(margins.values())) == 1
        else ", ".join(f"{text} on {dataset}" for dataset, text in margins.items())
    )
    possibly = any(_WORDS[row.words].endswith("†") for site in sites for row in site.rows.values())
    return (
        f"Mean difference of every loss from {reference} in {metric_title(results)}. "
        f"{design_sentence(results, cells)} "
        "Point and coloured line: the difference with its 95 % interval over patients and seeds together "
        "(crossed variance), not adjusted for the number of losses. Grey line: the 95 % interval over "
        "patients alone, which takes the trained networks as given and says nothing about another training. "
        f"Band: the margin below which a difference is negligible ({stated}). Words: better or worse at "
        f"a level of {percent(alpha)}, adjusted by Holm over the comparisons with {reference}; equivalent if "
        "two one-sided tests place the difference within the margin, not adjusted."
        + (" † Possibly by a negligible amount: the interval reaches into the band." if possibly else "")
        + lacks_reference(results, reference, margins)
        + scale_sentence(results)
        + " Losses are in the order of expected regret; each panel has a scale of its own."
        + left_out(results)
    )


def _alt(labels: Sequence[str], reference: str, sites: Sequence[_Site]) -> str:
    parts = []
    for site in sites:
        groups: dict[str, list[str]] = {}
        for label in labels:
            if label in site.rows:
                groups.setdefault(site.rows[label].words, []).append(label)
        told = "; ".join(f"{words}: {names(losses)}" for words, losses in groups.items())
        parts.append(f"{site.compared.dataset}: {told}")
    return f"Forest plot of the differences from {reference}. {'. '.join(parts)}."


def _data(labels: Sequence[str], reference: str, sites: Sequence[_Site]) -> pd.DataFrame:
    rows = []
    for site in sites:
        for label in labels:
            if label not in site.rows:
                continue
            row, alone = site.rows[label], site.networks[label]
            rows.append(
                {
                    "dataset": site.compared.dataset,
                    "reference": reference,
                    "loss": label,
                    "difference": row.difference.difference,
                    "low": row.difference.low,
                    "high": row.difference.high,
                    "patients_alone_low": alone.low,
                    "patients_alone_high": alone.high,
                    "holm_p": row.p,
                    "equivalence_p": row.equivalent_p,
                    "margin": site.compared.cell.asked.margin,
                    "words": row.words,
                }
            )
    return pd.DataFrame(rows)
