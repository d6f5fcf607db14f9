"""Numbers of statistics as tables print them."""

from collections.abc import Iterable

import numpy as np

from harness.statistics.cell import CellAnswer
from harness.statistics.dataset_answer import DatasetAnswer
from harness.statistics.scale import Scale
from harness.statistics.wording import margin_words, title_of
from reports.results import StudyResults
from reports.tables.notes import evaluation_notes, listing, simulation_notes
from reports.tables.score_table import NOTHING

MINUS = "−"
_SMALLEST_P = 0.001


def number(value: float | None, decimals: int = 3) -> str:
    """Return a number, or a dash if there is none.

    >>> number(0.5), number(float("nan"))
    ('0.500', '–')
    """
    return NOTHING if value is None or not np.isfinite(value) else f"{value:.{decimals}f}".replace("-", MINUS)


def signed(value: float, decimals: int) -> str:
    """Return a number with its sign; what prints as zero has none.

    >>> signed(0.0123, 3), signed(-0.5, 1), signed(-0.01, 1)
    ('+0.012', '−0.5', '0.0')
    """
    if not np.isfinite(value):
        return NOTHING
    rounded = round(value, decimals)
    return f"{rounded:+.{decimals}f}".replace("-", MINUS) if rounded else f"{0:.{decimals}f}"


def p_text(p: float) -> str:
    """Return a p value.

    >>> p_text(0.0321), p_text(0.0)
    ('0.032', '<0.001')
    """
    if not np.isfinite(p):
        return NOTHING
    return f"<{_SMALLEST_P:g}" if p < _SMALLEST_P else f"{p:.3f}"


def per_cent(share: float) -> str:
    """Return a share in per cent.

    >>> per_cent(0.451)
    '45 %'
    """
    return f"{100 * share:.0f} %" if np.isfinite(share) else NOTHING


def hours(seconds: float | None) -> str:
    """Return seconds as hours with three digits."""
    if seconds is None or not np.isfinite(seconds):
        return NOTHING
    value = seconds / 3600
    decimals = int(np.clip(2 - np.floor(np.log10(value)), 0, 4)) if value > 0 else 0
    return f"{value:.{decimals}f}"


def decimals_for(errors: Iterable[float]) -> int:
    """Return how many decimals leave two digits of the usual standard error, 2 or 3.

    >>> decimals_for([0.012, 0.015, 0.011])
    3
    """
    found = np.array([error for error in errors if np.isfinite(error) and error > 0])
    return int(np.clip(1 - np.floor(np.log10(np.median(found))), 2, 3)) if len(found) else 3


def effect_title(cell: CellAnswer) -> str:
    """Return what a difference of scores is called: distances are compared by their ratio."""
    title = title_of(cell.block.metric)
    return f"Ratio of {title}" if cell.block.scale.log else f"Difference in {title}"


def effect(scale: Scale, difference: float, decimals: int) -> str:
    """Return a difference of scores as tables print it: for distances the ratio of the distances."""
    if not np.isfinite(difference):
        return NOTHING
    return number(float(np.exp(-difference)), decimals) if scale.log else signed(difference, decimals)


def interval(scale: Scale, low: float, high: float, decimals: int) -> str:
    """Return an interval of a difference of scores likewise, its smaller end first."""
    ends = (high, low) if scale.log else (low, high)
    return " to ".join(effect(scale, end, decimals) for end in ends)


def effect_note(cell: CellAnswer) -> str:
    """Say what a difference means, which way is better, and what counts as negligible."""
    margin = margin_words(cell.block.scale, cell.asked.margin)
    title = title_of(cell.block.metric)
    if cell.block.scale.log:
        eps = f"{cell.block.scale.eps:.3g}"
        return (
            f"Ratios are those of geometric means of {title} + {eps} mm; below 1 the loss that is named "
            f"first has the shorter distance. Margin of negligible ratios: {margin}."
        )
    better = "" if cell.block.scale.direction == "higher" else ", counted so that positive is better"
    return (
        f"Differences are those of mean {title}{better}; above 0 the loss that is named first is better. "
        f"Margin of negligible differences: {margin}."
    )


def shown_notes(results: StudyResults, datasets: Iterable[str]) -> tuple[str, ...]:
    """Return the notes without which no number of a study may be read."""
    return (*evaluation_notes(results), *simulation_notes(results, list(datasets)))


def compared_cells(results: StudyResults) -> list[CellAnswer]:
    """Return what was compared: by dataset the primary metric, then the boundary metric."""
    if results.answer is None:
        return []
    cells = [cell for each in answers_in_order(results) for cell in each.cells]
    return [cell for cell in cells if cell.comparison is not None]


def answers_in_order(results: StudyResults) -> list[DatasetAnswer]:
    """Return the answers on the datasets in the order of the study."""
    found = {} if results.answer is None else {each.dataset: each for each in results.answer.datasets}
    return [found[dataset] for dataset in results.datasets if dataset in found]


def why_nothing(results: StudyResults) -> str:
    """Return why losses were compared nowhere, a clause without final stop."""
    if results.answer is None:
        return results.no_answer or "there is no answer"
    reasons: dict[str, list[str]] = {}
    for each in answers_in_order(results):
        if each.primary.comparison is None:
            reasons.setdefault(each.primary.recommendation.why, []).append(each.dataset)
    return "; ".join(f"{listing(datasets)}: {why}" for why, datasets in reasons.items())
