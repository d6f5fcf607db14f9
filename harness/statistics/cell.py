"""The answer for one metric on one dataset: every loss, every comparison, and the recommendation."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.statistics.best import Best, compare_with_best
from harness.statistics.block import MIN_PATIENTS, Block
from harness.statistics.collapse_rate import CollapseRate, collapse_rate
from harness.statistics.contrasts import Claim, answer_contrasts
from harness.statistics.conventional import CaseOnly, case_only
from harness.statistics.crossed import (
    Difference,
    Pairs,
    Parts,
    all_pairs,
    combination,
    of_these_networks,
    parts_of_block,
)
from harness.statistics.discriminability import Discriminability, discriminability_of
from harness.statistics.draws import Draws, Stability, joint_draws, stability
from harness.statistics.multiplicity import holm_of_pairs, rank_sets
from harness.statistics.pair_plans import PairPlan, open_pairs
from harness.statistics.plan import Contrast
from harness.statistics.recommendation import Costs, Recommendation, recommend
from harness.statistics.seed_correlation import SeedCorrelation, paired_pairs, seed_correlation
from harness.statistics.versus import Versus, versus_reference

ONE_SEED = (
    "one seed says nothing about a loss, for another training of the same loss gives another result; "
    "run more seeds"
)

FULL_SEEDS = 5
"""With fewer seeds a study is exploratory."""


@dataclass(frozen=True)
class Asked:
    """What is asked of one block.

    Attributes:
        margin: Half-width of the region of negligible differences, on the scale of the scores.
        alpha: Level of this look.
        references: Losses that others are compared with; the study's, in order.
        contrasts: Claims.
        draws: Their number.
        entropy: Of the draws.
        costs: Seconds and hyper-parameters of the losses.
        dropped: Losses that an earlier look proved inferior, with the words for it.
    """

    margin: float
    alpha: float
    references: tuple[str, ...] = ()
    contrasts: tuple[Contrast, ...] = ()
    draws: int = 10_000
    entropy: tuple[int, ...] = (0,)
    costs: Costs = field(default_factory=Costs)
    dropped: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LossRow:
    """One loss. Means and SDs are in raw units and per protocol; ``itt`` includes collapsed runs.

    Attributes:
        loss: Its label.
        standing: Its class.
        mean: Over patients and seeds; NaN without runs of use.
        itt: The same over all runs.
        sd_seeds: Of the means of runs.
        sd_patients: Of the means of patients.
        interval: 95 % interval of the mean (of the geometric mean for distances), over patients and seeds.
        seeds: Runs of use.
        collapse: Collapsed and diverged runs.
        lower: Bound of its score minus that of the best other.
        upper: Bound of it.
        ranks: Ranks that it may have.
        p_best: Share of draws in which it is best.
        within: Share of draws in which it is within the margin.
        regret: Expected loss in score from choosing it, collapse included.
    """

    loss: str
    standing: str
    mean: float
    itt: float
    sd_seeds: float
    sd_patients: float
    interval: tuple[float, float]
    seeds: int
    collapse: CollapseRate
    lower: float = float("nan")
    upper: float = float("nan")
    ranks: tuple[int, int] | None = None
    p_best: float = float("nan")
    within: float = float("nan")
    regret: float = float("nan")


@dataclass(frozen=True)
class Comparison:
    """All that needs two seeds of two losses or more.

    Attributes:
        parts: Of the losses compared.
        pairs: All pairs.
        holm: p of all pairs adjusted by Holm.
        best: Comparisons with the best.
        paired: Possibly best losses if seeds counted as paired between losses, for comparison; None where
            some losses have no two seeds in common.
        draws: Joint draws.
        stability: What they say.
        correlation: Of the seed means between losses.
        case_only: The field's usual tests, conditional on these seeds.
        versus: Against each reference that is compared.
        claims: Answers to contrasts.
        open: What would settle comparisons with the best that are open.
        discriminability: Whether the dataset can tell these losses apart.
    """

    parts: Parts
    pairs: Pairs
    holm: NDArray[np.float64]
    best: Best
    paired: tuple[str, ...] | None
    draws: Draws
    stability: Stability
    correlation: SeedCorrelation
    case_only: CaseOnly
    versus: tuple[Versus, ...]
    claims: tuple[Claim, ...]
    open: tuple[PairPlan, ...]
    discriminability: Discriminability


@dataclass(frozen=True)
class Networks:
    """With one seed: these trained networks, not these losses.

    Attributes:
        leader: The one with the best mean.
        behind: Leader minus each other, over patients only.
    """

    leader: str
    behind: Mapping[str, Difference]


@dataclass(frozen=True)
class CellAnswer:
    """The answer for one metric on one dataset.

    Attributes:
        block: The scores.
        asked: What was asked.
        rows: Every loss, in the study's order.
        recommendation: Which loss, in which words.
        comparison: None where fewer than two losses can be compared.
        networks: In its place where losses have one seed.
    """

    block: Block
    asked: Asked
    rows: tuple[LossRow, ...]
    recommendation: Recommendation
    comparison: Comparison | None
    networks: Networks | None = None

    @property
    def fewest_seeds(self) -> int:
        """Of any loss that is compared; 1 where networks stand in their place."""
        return int(self.block.seeds.min()) if self.comparison is not None else 1

    def names(self, *standings: str) -> tuple[str, ...]:
        """Return the losses of some classes."""
        return tuple(row.loss for row in self.rows if row.standing in standings)


def answer_block(block: Block, asked: Asked) -> CellAnswer:
    """Return the answer for one block.

    Too little data is no error: the answer then has no comparison and says why.
    """
    inside = block.without(tuple(asked.dropped)) if asked.dropped else block
    if len(inside.losses) < 2 or len(block.patients) < MIN_PATIENTS:
        return _without_comparison(block, asked)
    parts = parts_of_block(inside)
    pairs = all_pairs(inside.losses, parts)
    useless = np.array([block.runs[loss].useless for loss in inside.losses], np.int64)
    best = compare_with_best(pairs, asked.margin, asked.alpha, useless)
    draws = joint_draws(inside, asked.margin, parts=parts, number=asked.draws, entropy=asked.entropy)
    stable = stability(draws)
    comparison = Comparison(
        parts,
        pairs,
        holm_of_pairs(pairs),
        best,
        _paired(inside, asked, useless),
        draws,
        stable,
        seed_correlation(inside),
        case_only(inside.losses, inside.case_means),
        versus_reference(inside, parts, asked.references, asked.margin, asked.alpha),
        tuple(answer_contrasts(asked.contrasts, inside.losses, parts, asked.margin, asked.alpha)),
        tuple(open_pairs(parts, inside.losses, asked.margin, asked.alpha, seconds=asked.costs.seconds)),
        discriminability_of(parts.means, pairs),
    )
    recommendation = recommend(best, stable, useless, asked.references, asked.costs)
    return CellAnswer(block, asked, _rows(block, asked, comparison), recommendation, comparison)


def _paired(block: Block, asked: Asked, useless: NDArray[np.int64]) -> tuple[str, ...] | None:
    pairs = paired_pairs(block)
    if not np.isfinite(pairs.error).all():
        return None
    best = compare_with_best(pairs, asked.margin, asked.alpha, useless)
    return best.names(best.possibly_best)


def _rows(block: Block, asked: Asked, comparison: Comparison | None) -> tuple[LossRow, ...]:
    return tuple(_row(block, loss, asked, comparison) for loss in block.runs)


def _row(block: Block, loss: str, asked: Asked, comparison: Comparison | None) -> LossRow:
    runs, nan = block.runs[loss], float("nan")
    raw = block.raw.get(loss)
    useful = raw[:, : len(runs.scored)] if raw is not None else np.empty((len(block.patients), 0))
    several = useful.shape[1] > 1
    row = LossRow(
        loss,
        _standing(block, loss, asked, comparison),
        mean=float(useful.mean()) if useful.size else nan,
        itt=float(raw.mean()) if raw is not None else nan,
        sd_seeds=float(useful.mean(axis=0).std(ddof=1)) if several else nan,
        sd_patients=float(useful.mean(axis=1).std(ddof=1)) if useful.size and len(useful) > 1 else nan,
        interval=(nan, nan),
        seeds=len(runs.scored),
        collapse=collapse_rate(runs.useless, runs.counted),
    )
    if comparison is None or loss not in comparison.pairs.losses:
        return row
    stable, at = comparison.stability, comparison.pairs.losses.index(loss)
    own = combination(comparison.parts, np.eye(len(comparison.pairs.losses))[at])
    ends = sorted(float(block.scale.raw(end)) for end in (own.low, own.high))
    found = {
        "interval": (ends[0], ends[1]),
        "lower": float(comparison.best.lower[at]),
        "upper": float(comparison.best.upper[at]),
        "ranks": rank_sets(comparison.pairs, asked.alpha)[at],
        "p_best": float(stable.best[at]),
        "within": float(stable.within[at]),
        "regret": float(stable.regret[stable.listed.index(loss)]),
    }
    return LossRow(**{**vars(row), **found})


def _standing(block: Block, loss: str, asked: Asked, comparison: Comparison | None) -> str:
    runs = block.runs[loss]
    if runs.useless and len(runs.scored) < 2:
        return "collapsed"
    if loss in asked.dropped:
        return asked.dropped[loss]
    if comparison is not None and loss in comparison.best.losses:
        return comparison.best.standing(loss)
    if not runs.counted:
        return "no run"
    return "one seed" if len(runs.scored) < 2 else "not compared"


def _without_comparison(block: Block, asked: Asked) -> CellAnswer:
    patients = len(block.patients)
    networks = None
    if patients < MIN_PATIENTS:
        why = f"{patients} patients; an interval needs at least {MIN_PATIENTS}: test more, or use k-fold"
    elif len(block.losses) == 1:
        why = f"only {block.losses[0]!r} has two runs of use; nothing can be compared with it"
        networks = _networks(block)
    elif any(len(runs.scored) for runs in block.runs.values()):
        why = ONE_SEED
        networks = _networks(block)
    else:
        why = "every run of every loss collapsed or diverged"
    return CellAnswer(
        block, asked, _rows(block, asked, None), Recommendation(None, "no answer", why=why), None, networks
    )


def _networks(block: Block) -> Networks | None:
    scores = {
        loss: block.scale.scores(block.raw[loss][:, : len(runs.scored)])
        for loss, runs in block.runs.items()
        if runs.scored
    }
    if len(scores) < 2:
        return None
    leader = max(scores, key=lambda loss: float(scores[loss].mean()))
    return Networks(
        leader,
        {loss: of_these_networks(scores[leader], own) for loss, own in scores.items() if loss != leader},
    )
