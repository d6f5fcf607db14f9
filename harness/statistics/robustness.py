"""Would another defensible choice have ranked the losses differently?

In the manner of challengeR (Wiesenfarth et al. 2021, Scientific Reports 11, 2369): the same scores are
ranked under every combination of metric, policy for undefined values, checkpoint, estimand and ranking rule,
and with one seed or one dataset left out. Agreement is Kendall's tau-b over the losses that both rank.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.statistics.block import Block, Scores
from harness.statistics.conventional import all_signed_ranks
from harness.statistics.multiplicity import holm
from harness.statistics.ranking import leaders_of, ranks_of, tau_matrix, tau_with

Values = NDArray[np.float64]
Rule: TypeAlias = Callable[[Scores], Values]
"""From means over seeds ``(losses, patients)`` to one value for each loss, higher is better."""

Estimand: TypeAlias = Literal["per protocol", "intention to treat"]
ESTIMANDS: tuple[Estimand, ...] = ("per protocol", "intention to treat")

TEST_ALPHA = 0.05


@dataclass(frozen=True)
class Basis:
    """Where scores come from.

    Attributes:
        metric: Its name.
        policy: For undefined values.
        checkpoint: Whose predictions were scored.
    """

    metric: str
    policy: str = "worst"
    checkpoint: str = ""


@dataclass(frozen=True)
class Ranking:
    """One ranking under one combination of choices.

    Attributes:
        basis: Metric, policy, checkpoint.
        estimand: Whether useless runs count.
        rule: Name in :data:`RULES`.
        losses: Those that are ranked.
        values: One for each, higher is better.
    """

    basis: Basis
    estimand: Estimand
    rule: str
    losses: tuple[str, ...]
    values: Values

    @property
    def ranks(self) -> NDArray[np.int64]:
        """One for each of ``losses``; 1 is best, equal ones share the smaller rank."""
        return ranks_of(self.values)

    @property
    def leaders(self) -> tuple[str, ...]:
        """The first; several if they are equal."""
        return leaders_of(self.losses, self.values)


@dataclass(frozen=True)
class Grid:
    """All rankings and their agreement.

    Attributes:
        rankings: In the order of ``tau``.
        tau: Kendall's tau-b of all pairs; NaN where a ranking is constant or losses in common are fewer
            than two.
        undefined: Number of pairs of different rankings without tau.
        recommended: The loss that the answer recommends.
    """

    rankings: tuple[Ranking, ...]
    tau: Values
    undefined: int
    recommended: str | None

    @property
    def changed(self) -> tuple[Ranking, ...]:
        """Rankings in which the recommended loss is not among the first."""
        if self.recommended is None:
            return ()
        return tuple(each for each in self.rankings if self.recommended not in each.leaders)


@dataclass(frozen=True)
class LeftOut:
    """The ranking by means without one seed or one dataset.

    Attributes:
        left_out: What was left out, in words.
        losses: Those that are ranked.
        means: Of the rest, one for each.
        tau: With the ranking of everything; NaN if one of them is constant.
        leaders: The first; several if they are equal.
        changed: Whether the first are others than with everything.
    """

    left_out: str
    losses: tuple[str, ...]
    means: Values
    tau: float
    leaders: tuple[str, ...]
    changed: bool


def mean_then_rank(cases: Scores) -> Values:
    """Return means over patients."""
    return np.asarray(cases.mean(axis=1))


def median_then_rank(cases: Scores) -> Values:
    """Return medians over patients."""
    return np.asarray(np.median(cases, axis=1))


def rank_then_mean(cases: Scores) -> Values:
    """Return minus the mean of the ranks on each patient; equal losses share the middle of theirs."""
    count = len(cases)
    smallest = ranks_of(np.ascontiguousarray(cases.T))
    largest = count + 1 - ranks_of(np.ascontiguousarray(-cases.T))
    return np.asarray(-(smallest + largest).mean(axis=0) / 2)


def wins_then_rank(cases: Scores) -> Values:
    """Return the number of losses that each one beats: one-sided signed-rank tests on patients, with Holm.

    It is challengeR's rule, over all ordered pairs at 0.05; like every case-only test it takes the trained
    networks as given.
    """
    p = all_signed_ranks(cases).p_greater
    off = ~np.eye(len(cases), dtype=bool)
    wins = np.zeros_like(p, dtype=bool)
    wins[off] = holm(p[off]) <= TEST_ALPHA
    return np.asarray(wins.sum(axis=1), float)


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "mean": mean_then_rank,
        "median": median_then_rank,
        "rank then mean": rank_then_mean,
        "test then rank": wins_then_rank,
    }
)


def case_means(block: Block, estimand: Estimand) -> tuple[tuple[str, ...], Scores]:
    """Return losses and means of their scores over runs, ``(losses, patients)``.

    Args:
        block: Of one dataset and metric.
        estimand: Per protocol: runs that did not collapse, of the compared losses. Intention to treat: all
            runs of all losses with any.
    """
    if estimand == "per protocol":
        return block.losses, block.case_means
    losses = tuple(loss for loss in block.runs if loss in block.raw)
    means = [block.scale.scores(block.raw[loss]).mean(axis=1) for loss in losses]
    return losses, np.array(means).reshape(len(losses), len(block.patients))


def robustness_grid(
    blocks: Mapping[Basis, Block],
    recommended: str | None = None,
    *,
    rules: Mapping[str, Rule] = RULES,
    estimands: Sequence[Estimand] = ESTIMANDS,
) -> Grid:
    """Return the rankings under every combination of choices.

    Args:
        blocks: Of one dataset: one for each metric, policy and checkpoint at hand.
        recommended: The loss that the answer recommends.
        rules: From scores to a value for each loss.
        estimands: Whether useless runs count.
    """
    rankings: list[Ranking] = []
    for basis, block in blocks.items():
        for estimand in estimands:
            losses, cases = case_means(block, estimand)
            if losses and cases.size:
                rankings += [
                    Ranking(basis, estimand, name, losses, rule(cases)) for name, rule in rules.items()
                ]
    losses = tuple(dict.fromkeys(loss for each in rankings for loss in each.losses))
    place = {loss: j for j, loss in enumerate(losses)}
    table = np.full((len(rankings), len(losses)), np.nan)
    for i, each in enumerate(rankings):
        table[i, [place[loss] for loss in each.losses]] = each.values
    tau = tau_matrix(table) if rankings else np.empty((0, 0))
    above = np.triu_indices(len(rankings), 1)
    return Grid(tuple(rankings), tau, int(np.isnan(tau[above]).sum()), recommended)


def leave_one_seed_out(block: Block) -> tuple[LeftOut, ...]:
    """Return the ranking of the compared losses without each seed in turn, per protocol."""
    seeds = sorted({seed for loss in block.losses for seed in block.runs[loss].scored})
    found = []
    for left in seeds:
        means = [
            scores[:, [i for i, seed in enumerate(block.runs[loss].scored) if seed != left]].mean()
            for loss, scores in zip(block.losses, block.scores, strict=True)
        ]
        found.append(_left_out(f"seed {left}", block.losses, block.means, np.array(means)))
    return tuple(found)


def rankings_without_datasets(blocks: Sequence[Block], margins: Sequence[float]) -> tuple[LeftOut, ...]:
    """Return the ranking of losses compared on all datasets, by mean, without each dataset in turn.

    Args:
        blocks: Of one metric, one for each dataset.
        margins: Of each, in score; scores are divided by them, so that datasets weigh the same.

    Returns:
        Nothing with fewer than two datasets.
    """
    if len(blocks) < 2:
        return ()
    losses = tuple(loss for loss in blocks[0].losses if all(loss in each.losses for each in blocks))
    means = np.array(
        [
            block.means[[block.losses.index(loss) for loss in losses]] / margin
            for block, margin in zip(blocks, margins, strict=True)
        ]
    )
    return tuple(
        _left_out(block.dataset, losses, means.mean(axis=0), np.delete(means, k, axis=0).mean(axis=0))
        for k, block in enumerate(blocks)
    )


def _left_out(name: str, losses: tuple[str, ...], full: Values, rest: Values) -> LeftOut:
    first = leaders_of(losses, rest)
    tau = float(tau_with(full, rest[None])[0]) if losses else float("nan")
    return LeftOut(name, losses, rest, tau, first, set(first) != set(leaders_of(losses, full)))
