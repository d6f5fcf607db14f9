"""The answer of a study: each dataset, all of them together, and what has to be warned of."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.statistics.best import Best, compare_with_best
from harness.statistics.block import Unanswerable
from harness.statistics.cell import CellAnswer
from harness.statistics.conditional import ConditionalRegret, Interaction, interactions, transfer
from harness.statistics.contrasts import Claim, judge_claims
from harness.statistics.crossed import Pairs
from harness.statistics.dataset_answer import DatasetAnswer, answer_dataset
from harness.statistics.dataset_ranks import DatasetRanks, rank_datasets
from harness.statistics.draws import Stability, combine, stability
from harness.statistics.hierarchy import Hierarchy
from harness.statistics.meta import RandomEffects
from harness.statistics.recommendation import Costs, Recommendation, recommend
from harness.statistics.results import Results
from harness.statistics.several_datasets import (
    Several,
    bring_together,
    mean_over_datasets,
    on_a_new_dataset,
    on_these_datasets,
    regions,
)
from harness.statistics.transfer import Transfer, leave_one_dataset_out

FEW_FOR_NEW = 3
"""Datasets from which something can be said about a new one."""


@dataclass(frozen=True)
class Advice:
    """A choice between two losses by a descriptor of the patient that pays.

    Attributes:
        interaction: How the difference of the loss from the reference depends on the descriptor.
        reference: The other loss.
        regret: With and without it, on datasets left out.
    """

    interaction: Interaction
    reference: str
    regret: ConditionalRegret


@dataclass(frozen=True)
class OverDatasets:
    """The answer over all datasets, each with the same weight.

    Attributes:
        several: What was brought together.
        pairs: Mean differences on just these datasets.
        best: Comparisons with the best on them.
        stability: Of the joint draws over all of them.
        recommendation: For these datasets.
        new: Random effects of every pair, with prediction intervals; None with fewer than three datasets.
        beliefs: Probabilities of every loss against the recommended one: below, within, above the margins.
        ranks: Mean ranks.
        transfer: What advice from the other datasets costs.
        claims: Contrasts over datasets, of those that can be answered on all.
        conditional: How differences from the first reference depend on the patients, over all datasets.
        advice: Of these, what survives the correction and would have cost less on datasets left out.
    """

    several: Several
    pairs: Pairs
    best: Best
    stability: Stability
    recommendation: Recommendation
    new: RandomEffects | None
    beliefs: Hierarchy | None
    ranks: DatasetRanks
    transfer: Transfer
    claims: tuple[Claim, ...]
    conditional: tuple[Interaction, ...] = ()
    advice: tuple[Advice, ...] = ()


@dataclass(frozen=True)
class StudyAnswer:
    """The answer of a study.

    Attributes:
        results: What it was computed from.
        metric: The primary metric.
        datasets: One answer each.
        over_datasets: All together; None with one dataset, or where too few losses are on all.
        notes: Why there is none, and what the source of the scores warned of.
    """

    results: Results
    metric: str
    datasets: tuple[DatasetAnswer, ...]
    over_datasets: OverDatasets | None
    notes: tuple[str, ...]


def answer_study(
    results: Results, *, metric: str | None = None, datasets: Sequence[str] | None = None
) -> StudyAnswer:
    """Return the answer.

    Args:
        results: Scores and what is asked of them.
        metric: Instead of the primary metric of the plan.
        datasets: Only these; all if absent.

    Raises:
        Unanswerable: if there is no score of the metric, or runs lack patients.
    """
    chosen = metric or results.plan.metric
    names = results.datasets
    found = tuple(answer_dataset(results, name, chosen, names.index(name)) for name in (datasets or names))
    notes = list(results.notes)
    together = None
    if len(found) > 1:
        try:
            together = _over_datasets(found, results)
        except Unanswerable as error:
            notes.append(f"no answer over datasets: {error}")
    return StudyAnswer(results, chosen, found, together, tuple(notes))


def _over_datasets(answers: Sequence[DatasetAnswer], results: Results) -> OverDatasets:
    cells = {each.dataset: each.primary for each in answers}
    pairs = {name: cell.comparison.pairs for name, cell in cells.items() if cell.comparison is not None}
    if len(pairs) < len(cells):
        lacking = ", ".join(repr(name) for name in cells if name not in pairs)
        raise Unanswerable(f"losses cannot be compared on {lacking}")
    margins = {name: cell.asked.margin for name, cell in cells.items()}
    several = bring_together(pairs, margins)
    mean = on_these_datasets(several)
    useless = np.array(
        [sum(cell.block.runs[loss].useless for cell in cells.values()) for loss in several.losses], np.int64
    )
    best = compare_with_best(mean, several.margin, max(cell.asked.alpha for cell in cells.values()), useless)
    stable = stability(
        combine([cell.comparison.draws for cell in cells.values() if cell.comparison is not None])
    )
    advice = recommend(best, stable, useless, results.plan.references, _costs(cells.values()))
    leader = advice.loss if advice.loss in several.losses else None
    return OverDatasets(
        several,
        mean,
        best,
        stable,
        advice,
        on_a_new_dataset(several) if len(cells) >= FEW_FOR_NEW else None,
        regions(several, [leader]) if leader is not None else None,
        rank_datasets(several, best.alpha),
        leave_one_dataset_out(several, results.plan.references),
        _claims(list(cells.values())),
        *_conditional(answers, results),
    )


def _costs(cells: Iterable[CellAnswer]) -> Costs:
    seconds: Counter[str] = Counter()
    parameters: dict[str, int] = {}
    for cell in cells:
        seconds.update(cell.asked.costs.seconds)
        parameters.update(cell.asked.costs.parameters)
    return Costs(seconds, parameters)


def _conditional(
    answers: Sequence[DatasetAnswer], results: Results
) -> tuple[tuple[Interaction, ...], tuple[Advice, ...]]:
    blocks = [each.primary.block for each in answers]
    margins = [each.primary.asked.margin for each in answers]
    shared = [each for each in results.plan.references if all(each in block.losses for block in blocks)]
    if results.patients is None or not shared:
        return (), ()
    found = interactions(blocks, results.patients, shared[0], margins)
    advice = []
    for each in found:
        if each.found:
            regret = transfer(blocks, results.patients, each.loss, shared[0], each.descriptor, margins)
            if regret is not None and regret.lower:
                advice.append(Advice(each, shared[0], regret))
    return found, tuple(advice)


def _claims(cells: Sequence[CellAnswer]) -> tuple[Claim, ...]:
    """Return the contrasts that every dataset can answer, over all of them, adjusted as on one."""
    comparisons = [cell.comparison for cell in cells if cell.comparison is not None]
    margins = [cell.asked.margin for cell in cells]
    contrasts = [claim.contrast for claim in comparisons[0].claims]
    estimates = []
    for index in range(len(contrasts)):
        found = [each.claims[index].estimate for each in comparisons]
        known = [each for each in found if each is not None]
        estimates.append(mean_over_datasets(known, margins) if len(known) == len(found) else None)
    margin = margins[0] if len(set(margins)) == 1 else 1.0
    why = ["its losses are not compared on every dataset"] * len(contrasts)
    return tuple(judge_claims(contrasts, estimates, why, margin, cells[0].asked.alpha))
