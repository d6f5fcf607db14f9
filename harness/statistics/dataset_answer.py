"""The answer on one dataset: the primary metric, the boundary beside it, and what the answer hangs on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from harness.statistics.best import compare_with_best
from harness.statistics.block import Block, Unanswerable
from harness.statistics.cell import Asked, CellAnswer, answer_block
from harness.statistics.conditional import Interaction, interactions
from harness.statistics.crossed import all_pairs, parts_of_block
from harness.statistics.pareto import Front, front_of
from harness.statistics.recommendation import Costs
from harness.statistics.results import CellScores, Results
from harness.statistics.robustness import Basis, Grid, LeftOut, leave_one_seed_out, robustness_grid
from harness.statistics.undefined import POLICIES


@dataclass(frozen=True)
class DatasetAnswer:
    """The answer on one dataset.

    Attributes:
        dataset: Its name.
        primary: The primary metric.
        boundary: The boundary metric; None if there are no scores of it, or it is the primary one.
        front: Pareto front of the two.
        undefined: Number of undefined values by metric and loss.
        policies: Possibly best losses under each policy for undefined values, by metric and policy, where
            there are undefined values.
        grid: Rankings under every combination of choices.
        seeds_out: Rankings without each seed.
        conditional: How differences from the first reference depend on the patients.
    """

    dataset: str
    primary: CellAnswer
    boundary: CellAnswer | None
    front: Front | None
    undefined: Mapping[str, Mapping[str, int]]
    policies: Mapping[str, Mapping[str, tuple[str, ...]]]
    grid: Grid
    seeds_out: tuple[LeftOut, ...]
    conditional: tuple[Interaction, ...]

    @property
    def cells(self) -> tuple[CellAnswer, ...]:
        """The primary and, if there is one, the boundary metric."""
        return (self.primary,) if self.boundary is None else (self.primary, self.boundary)

    @property
    def policy_dependent(self) -> tuple[str, ...]:
        """Metrics whose set of possibly best losses is another under another policy."""
        return tuple(metric for metric, sets in self.policies.items() if len(set(sets.values())) > 1)


def answer_dataset(results: Results, dataset: str, metric: str, index: int) -> DatasetAnswer:
    """Return the answer on one dataset.

    Args:
        results: All scores.
        dataset: Its name.
        metric: The primary metric.
        index: Number of the dataset, for the draws.

    Raises:
        Unanswerable: if there are no scores of the metric, or runs lack patients.
    """
    metrics = [metric, results.plan.boundary]
    wanted = [each for each in dict.fromkeys(metrics) if each == metric or _has(results, dataset, each)]
    cells = {each: results.cell(dataset, each) for each in wanted}
    blocks = {each: cell.block(results.plan.policy) for each, cell in cells.items()}
    answers = {
        each: answer_block(block, _asked(results, block, (index, number)))
        for number, (each, block) in enumerate(blocks.items())
    }
    primary = answers[metric]
    undefined = {each: cell.undefined for each, cell in cells.items()}
    by_policy = {
        each: dict(_policies(cell, undefined[each], blocks[each], results)) for each, cell in cells.items()
    }
    boundary = next((each for each in wanted if each != metric), None)
    entropy = (results.plan.entropy, index)
    return DatasetAnswer(
        dataset,
        primary,
        None if boundary is None else answers[boundary],
        None if boundary is None else _front(answers, metric, boundary, results.plan.draws, entropy),
        {each: counts for each, counts in undefined.items() if counts},
        {
            each: {policy: _possibly_best(block, answers[each].asked) for policy, block in found.items()}
            for each, found in by_policy.items()
            if undefined[each]
        },
        robustness_grid(dict(_bases(results, dataset, by_policy, blocks)), primary.recommendation.loss),
        leave_one_seed_out(blocks[metric]) if primary.fewest_seeds > 2 else (),
        _conditional(results, blocks[metric], primary),
    )


def _has(results: Results, dataset: str, metric: str) -> bool:
    return metric in results.metrics and bool(
        ((results.scores["metric"] == metric) & (results.scores["dataset"] == dataset)).any()
    )


def _asked(results: Results, block: Block, numbers: tuple[int, int]) -> Asked:
    plan, dataset = results.plan, block.dataset
    return Asked(
        margin=block.scale.margin(plan.margin(dataset, block.metric)),
        alpha=results.alpha(dataset),
        references=plan.references,
        contrasts=results.contrasts,
        draws=plan.draws,
        entropy=(plan.entropy, *numbers),
        costs=results.costs.get(dataset, Costs()),
        dropped=results.dropped.get(dataset, {}),
    )


def _policies(
    cell: CellScores, undefined: Mapping[str, int], block: Block, results: Results
) -> Iterator[tuple[str, Block]]:
    """Yield the block under every policy; where every value is defined they would all say the same."""
    yield results.plan.policy, block
    for policy in POLICIES if undefined else ():
        if policy not in {results.plan.policy, "two_part"}:
            try:
                yield policy, cell.block(policy)
            except Unanswerable:
                continue


def _possibly_best(block: Block, asked: Asked) -> tuple[str, ...]:
    inside = block.without(tuple(asked.dropped))
    if len(inside.losses) < 2:
        return inside.losses
    pairs = all_pairs(inside.losses, parts_of_block(inside))
    best = compare_with_best(pairs, asked.margin, asked.alpha, np.zeros(len(inside.losses), np.int64))
    return best.names(best.possibly_best)


def _bases(
    results: Results,
    dataset: str,
    by_policy: Mapping[str, Mapping[str, Block]],
    blocks: Mapping[str, Block],
) -> Iterator[tuple[Basis, Block]]:
    for metric, found in by_policy.items():
        for policy, block in found.items():
            yield Basis(metric, policy, results.checkpoint), block
    for checkpoint in results.other_checkpoints:
        for metric in blocks:
            try:
                yield (
                    Basis(metric, results.plan.policy, checkpoint),
                    results.cell(dataset, metric, checkpoint).block(results.plan.policy),
                )
            except Unanswerable:
                continue


def _front(
    answers: Mapping[str, CellAnswer], first: str, second: str, draws: int, entropy: tuple[int, ...]
) -> Front | None:
    a, b = answers[first], answers[second]
    if a.comparison is None or b.comparison is None:
        return None
    return front_of(a.block, b.block, number=draws, entropy=entropy)


def _conditional(results: Results, block: Block, primary: CellAnswer) -> tuple[Interaction, ...]:
    reference = next((each for each in results.plan.references if each in block.losses), None)
    if results.patients is None or reference is None or primary.comparison is None:
        return ()
    own = results.patients[results.patients["dataset"] == block.dataset]
    return interactions([block], own, reference, [primary.asked.margin]) if len(own) else ()
