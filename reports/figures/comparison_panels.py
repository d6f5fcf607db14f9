"""What the figures that compare losses draw: a panel for all datasets together, and one for each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.statistics.best import Best
from harness.statistics.crossed import Pairs
from harness.statistics.draws import Stability
from harness.statistics.multiplicity import holm_of_pairs, rank_sets
from harness.statistics.scale import Scale
from harness.statistics.study_answer import OverDatasets, StudyAnswer
from harness.statistics.wording import margin_words, title_of
from reports.figures.answered import Compared, answer_of, compared_datasets
from reports.figures.style import row_name
from reports.results import StudyResults

ALL_DATASETS = "all datasets"
_NO_RUN = "no run"


@dataclass(frozen=True)
class ComparisonPanel:
    """One comparison of losses: on a dataset, or over all of them.

    Attributes:
        name: Of the dataset, or :data:`ALL_DATASETS`.
        subtitle: How many patients and seeds it rests on.
        pairs: All pairs of the losses that are compared, row minus column, in scores.
        holm: p of all pairs adjusted by Holm.
        best: Comparisons with the best.
        stability: Of the ranking.
        ranks: Set of ranks of each of ``pairs.losses``.
        scale: Of the metric.
        in_margins: Whether differences are in margins, because those of the datasets differ.
        standings: Class of every loss of the study that has runs here.
        collapsed: Collapsed and diverged runs, and all counted ones, by loss.
    """

    name: str
    subtitle: str
    pairs: Pairs
    holm: NDArray[np.float64]
    best: Best
    stability: Stability
    ranks: tuple[tuple[int, int], ...]
    scale: Scale
    in_margins: bool
    standings: Mapping[str, str]
    collapsed: Mapping[str, tuple[int, int]]

    @property
    def title(self) -> str:
        """Heading of the panel."""
        return "All datasets" if self.name == ALL_DATASETS else row_name(self.name)

    @property
    def losses(self) -> tuple[str, ...]:
        """Those that are compared."""
        return self.pairs.losses

    @property
    def margin(self) -> float:
        """Half-width of the region of negligible differences, in scores."""
        return self.best.margin

    @property
    def margin_text(self) -> str:
        """The margin as people state it."""
        return "1 margin" if self.in_margins else margin_words(self.scale, self.margin)


def comparison_panels(results: StudyResults, what: str) -> list[ComparisonPanel]:
    """Return the panels, that of all datasets first.

    Args:
        results: Of the study.
        what: Would be drawn, to begin the sentence if nothing is.

    Raises:
        NothingToDraw: if losses cannot be compared on any dataset.
    """
    compared, answer = compared_datasets(results, what), answer_of(results)
    over = answer.over_datasets
    first = [] if over is None else [_of_all(over, answer)]
    return [*first, *(_of_dataset(each) for each in compared)]


def metric_title(results: StudyResults) -> str:
    """Return the primary metric's name for people."""
    return title_of(answer_of(results).metric)


def percent(level: float) -> str:
    """Return a share of one as a percentage.

    >>> percent(0.05)
    '5 %'
    """
    return f"{100 * level:.3g} %"


def margin_sentence(panels: Sequence[ComparisonPanel]) -> str:
    """Return what a negligible difference is, on each dataset where they differ."""
    stated = {each.name: each.margin_text for each in panels if each.name != ALL_DATASETS}
    if len(set(stated.values())) == 1:
        return f"The margin below which a difference is negligible is {next(iter(stated.values()))}."
    each = ", ".join(f"{text} on {name}" for name, text in stated.items())
    return f"The margin below which a difference is negligible is {each}."


def together_sentence(panels: Sequence[ComparisonPanel]) -> str:
    """Return what the panel of all datasets shows, with a blank before it; empty without one."""
    if panels[0].name != ALL_DATASETS:
        return ""
    unit = ", in units of each dataset's margin" if panels[0].in_margins else ""
    return f" All datasets: the mean over them, each with the same weight{unit}."


def scale_sentence(results: StudyResults) -> str:
    """Return what distances are compared by, with a blank before it; empty for other metrics."""
    scale, title = compared_datasets(results)[0].cell.block.scale, metric_title(results)
    if not scale.log:
        return ""
    return (
        f" {title} is compared by its logarithm, after half the smallest pixel spacing is added: differences "
        "are drawn as ratios of geometric means."
    )


def shown_losses(results: StudyResults, panels: Sequence[ComparisonPanel]) -> tuple[str, ...]:
    """Return the losses that any panel knows, in the order of every figure."""
    return tuple(label for label in results.labels if any(label in each.standings for each in panels))


def signed(value: float) -> str:
    """Return a difference with its sign, typeset.

    >>> signed(-0.0421)
    '−0.042'
    """
    text = f"{value:+.3f}"
    return text.replace("-", "−") if float(text) else "0.000"


def difference_text(panel: ComparisonPanel, value: float) -> str:
    """Return a difference as people state it: with its sign, or a factor where scores are logarithms."""
    if panel.in_margins:
        return f"{value:+.1f}".replace("-", "−")
    return f"×{np.exp(value):.2f}" if panel.scale.log else signed(value)


def axis_label(scale: Scale | None, title: str, other: str) -> str:
    """Return what a horizontal axis of differences from something shows, in raw units.

    Args:
        scale: Of the metric; None where differences are in margins.
        title: Of the metric.
        other: What losses are compared with.
    """
    if scale is None:
        return f"{title} difference to {other}, in margins, better →"
    if scale.log:
        return f"{title} of {other} ÷ {title} of the loss, better →"
    if scale.direction == "lower":
        return f"{title}: {other} minus loss, better →"
    return f"{title}: loss minus {other}, better →"


def _of_dataset(compared: Compared) -> ComparisonPanel:
    cell, comparison = compared.cell, compared.comparison
    known = {row.loss: row.ranks for row in cell.rows if row.ranks is not None}
    return ComparisonPanel(
        compared.dataset,
        compared.design,
        comparison.pairs,
        comparison.holm,
        comparison.best,
        comparison.stability,
        tuple(known[loss] for loss in comparison.pairs.losses),
        cell.block.scale,
        False,
        {row.loss: row.standing for row in cell.rows if row.standing != _NO_RUN},
        {loss: (runs.useless, runs.counted) for loss, runs in cell.block.runs.items()},
    )


def _of_all(over: OverDatasets, answer: StudyAnswer) -> ComparisonPanel:
    blocks = [each.primary.block for each in answer.datasets]
    every = list(dict.fromkeys(loss for block in blocks for loss in block.runs))
    collapsed = {
        loss: (
            sum(block.runs[loss].useless for block in blocks if loss in block.runs),
            sum(block.runs[loss].counted for block in blocks if loss in block.runs),
        )
        for loss in every
    }
    return ComparisonPanel(
        ALL_DATASETS,
        f"mean of {len(blocks)} datasets, equal weights",
        over.pairs,
        holm_of_pairs(over.pairs),
        over.best,
        over.stability,
        tuple(rank_sets(over.pairs, over.best.alpha)),
        blocks[0].scale,
        over.several.in_margins,
        {loss: _standing_over_all(loss, over, answer) for loss, (_, counted) in collapsed.items() if counted},
        collapsed,
    )


def _standing_over_all(loss: str, over: OverDatasets, answer: StudyAnswer) -> str:
    if loss in over.best.losses:
        return over.best.standing(loss)
    if loss in over.several.left_out:
        return "not on all datasets"
    rows = [row for each in answer.datasets for row in each.primary.rows if row.loss == loss]
    return next((row.standing for row in rows if row.standing != _NO_RUN), _NO_RUN)
