"""F4: every loss against the best of the others."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from harness.statistics.best import difference_to_best
from harness.statistics.wording import names
from reports.figures.answered import design_sentence, left_out
from reports.figures.comparison_panels import (
    ComparisonPanel,
    axis_label,
    comparison_panels,
    margin_sentence,
    metric_title,
    percent,
    scale_sentence,
    shown_losses,
    together_sentence,
)
from reports.figures.forest_drawing import (
    Fill,
    ForestKey,
    ForestPanel,
    ForestRow,
    band_entry,
    draw_forest,
    forest_pages,
    marker_entry,
)
from reports.figures.registry import Drawing, register_figure
from reports.figures.row_panels import LegendEntry, family_entries
from reports.figures.style import LossStyle, drawing_style, styles
from reports.results import StudyResults

_FILLS: dict[str, Fill] = {
    "safe": "ringed",
    "possibly best": "full",
    "inferior": "half",
    "inferior beyond the margin": "open",
}
_SHORT = {"inferior beyond the margin": "inferior > margin"}

_RUNS_LEFT_OUT = " At the right, collapsed or diverged runs of all runs: the comparison leaves them out."


@register_figure("F4", "mcb_forest")
def mcb_forest(results: StudyResults) -> list[Drawing]:
    """Draw the comparisons with the best, a panel for all datasets together and one for each."""
    panels = comparison_panels(results, "comparison with the best")
    labels = shown_losses(results, panels)
    data, caption, alt = _data(labels, panels), _caption(results, panels), _alt(results, panels)
    drawings = []
    with drawing_style():
        look = styles(results.losses)
        drawn = [_panel(each, labels, look, metric_title(results)) for each in panels]
        key = ForestKey(labels, ("class", "collapsed"), tuple(_legend(results, panels)))
        for page in forest_pages(drawn, key):
            name, title = page.name("mcb_forest"), page.title("Comparison with the best")
            drawings.append(Drawing(name, title, caption, alt, draw_forest(page.panels, key), data=data))
    return drawings


def _panel(
    panel: ComparisonPanel, labels: Sequence[str], look: dict[str, LossStyle], title: str
) -> ForestPanel:
    points = difference_to_best(panel.pairs)
    rows = []
    for label in labels:
        words = _words(panel, label)
        style = look[label]
        if label not in panel.losses:
            rows.append(ForestRow(np.nan, (np.nan, np.nan), style, "open", words))
            continue
        at = panel.losses.index(label)
        ends = float(panel.best.lower[at]), float(panel.best.upper[at])
        fill = _FILLS[panel.best.standing(label)]
        rows.append(ForestRow(float(points[at]), ends, replace(style, marker="o"), fill, words))
    ratios = panel.scale.log and not panel.in_margins
    axis = axis_label(None if panel.in_margins else panel.scale, title, "best other")
    return ForestPanel(panel.title, panel.subtitle, tuple(rows), panel.margin, axis, ratios)


def _words(panel: ComparisonPanel, label: str) -> tuple[str, str]:
    standing = panel.standings.get(label, "no run")
    useless, runs = panel.collapsed.get(label, (0, 0))
    return _SHORT.get(standing, standing), f"{useless}/{runs}" if useless else ""


def _legend(results: StudyResults, panels: Sequence[ComparisonPanel]) -> list[LegendEntry]:
    found = {panel.best.standing(loss) for panel in panels for loss in panel.losses}
    markers = [marker_entry(fill, name) for name, fill in _FILLS.items() if name in found]
    margins = {panel.margin_text for panel in panels}
    band = f"margin ({next(iter(margins))})" if len(margins) == 1 else "margin"
    return [*markers, band_entry(band), *family_entries(results.losses)]


def _caption(results: StudyResults, panels: Sequence[ComparisonPanel]) -> str:
    title = metric_title(results)
    level = percent(max(panel.best.alpha for panel in panels))
    failed = any(useless for panel in panels for useless, _ in panel.collapsed.values())
    return (
        f"Multiple comparisons with the best for {title}: each loss minus the best of the others. "
        f"{design_sentence(results)} "
        "Bounds come from the crossed variance of patients and seeds, and each is "
        f"one-sided at {level} divided by the number of other losses: the probability that the best loss is "
        f"called inferior is at most {level}, and so is the probability that a loss is wrongly called safe. "
        "A loss whose interval reaches above zero may be the best; one whose interval lies at or below zero "
        "is inferior, beyond the margin if it lies below the band; one whose interval lies above the lower "
        f"edge of the band is safe, provided that none of its runs collapsed. {margin_sentence(panels)}"
        + scale_sentence(results)
        + together_sentence(panels)
        + (_RUNS_LEFT_OUT if failed else "")
        + " Losses are in the order of expected regret; each panel has a scale of its own."
        + left_out(results)
    )


def _alt(results: StudyResults, panels: Sequence[ComparisonPanel]) -> str:
    parts = []
    for panel in panels:
        sets = [
            f"{name}: {names([loss for loss in results.labels if panel.standings.get(loss) == name])}"
            for name in (*_FILLS, "collapsed")
            if name in panel.standings.values()
        ]
        parts.append(f"{panel.title}: {'; '.join(sets)}")
    return f"Forest plot of every loss against the best of the others. {'. '.join(parts)}."


def _data(labels: Sequence[str], panels: Sequence[ComparisonPanel]) -> pd.DataFrame:
    rows = []
    for panel in panels:
        points = dict(zip(panel.losses, difference_to_best(panel.pairs), strict=True))
        bounds = dict(zip(panel.losses, zip(panel.best.lower, panel.best.upper, strict=True), strict=True))
        for label in labels:
            low, high = bounds.get(label, (np.nan, np.nan))
            useless, runs = panel.collapsed.get(label, (0, 0))
            rows.append(
                {
                    "dataset": panel.name,
                    "loss": label,
                    "class": panel.standings.get(label, "no run"),
                    "difference_to_best_other": points.get(label, np.nan),
                    "lower": low,
                    "upper": high,
                    "margin": panel.margin,
                    "alpha": panel.best.alpha,
                    "collapsed_runs": useless,
                    "runs": runs,
                }
            )
    return pd.DataFrame(rows)
