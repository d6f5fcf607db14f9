"""When to stop adding seeds: looks at a study while it grows, each at its share of alpha.

All losses get a few seeds. At every look the losses that are proven inferior are dropped, and further
seeds go where they can settle something: to the leader, and to those that keep it from being proven within
the margin of the best. The levels of all looks add up to alpha (Bonferroni), so that the claims of the last
look, and every loss dropped before, are wrong with probability alpha at most.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.statistics.best import Best, compare_with_best
from harness.statistics.block import Block
from harness.statistics.crossed import Pairs, Parts, all_pairs, half_width, parts_of_block
from harness.statistics.plan import ALPHA

Outcome: TypeAlias = Literal["go on", "decided", "impossible", "out of seeds"]

FIRST_SEEDS, SECOND_SEEDS = 3, 5
SCREENING_SHARE = 0.2
"""Of alpha, for the first look: .01 of .05."""

OPTIMISM = 2.0
"""Standard errors of the seeds by which a difference may still grow before a study is called impossible."""


@dataclass(frozen=True)
class Looks:
    """The looks of a study, planned before the first.

    Attributes:
        seeds: Seeds that losses which go on have at each look, ascending.
        alphas: Level of each look.
    """

    seeds: tuple[int, ...]
    alphas: tuple[float, ...]


@dataclass(frozen=True)
class Stage:
    """What a look said.

    Attributes:
        look: From 0.
        outcome: Whether the study goes on, and why not.
        reason: In a sentence.
        dropped: Losses proven inferior, or of no use, at this look.
        wanted: Seeds in total at the next look, by loss; those that go on only.
    """

    look: int
    outcome: Outcome
    reason: str
    dropped: tuple[str, ...]
    wanted: Mapping[str, int]


def planned_looks(max_seeds: int, alpha: float = ALPHA) -> Looks:
    """Return the looks of a study: at 3 and 5 seeds, then at twice as many each time, up to the last.

    >>> planned_looks(10).seeds
    (3, 5, 10)

    Args:
        max_seeds: Seeds that a loss gets at most, at least 2.
        alpha: Level of all looks together.
    """
    seeds = [FIRST_SEEDS, SECOND_SEEDS]
    while seeds[-1] * 2 <= max_seeds:
        seeds.append(seeds[-1] * 2)
    seeds = [*(each for each in seeds if each < max_seeds), max_seeds]
    if len(seeds) == 1:
        return Looks(tuple(seeds), (alpha,))
    rest = alpha * (1 - SCREENING_SHARE) / (len(seeds) - 1)
    return Looks(tuple(seeds), (alpha * SCREENING_SHARE, *(rest for _ in seeds[1:])))


def judge(block: Block, look: int, looks: Looks, margin: float) -> Stage:
    """Return what a look says.

    Args:
        block: Scores of the primary metric of the losses that were not dropped at an earlier look.
        look: From 0.
        looks: The plan.
        margin: Half-width of the region of negligible differences, on the scale of the scores.

    Raises:
        Unanswerable: with fewer than five patients.
    """
    gone = block.collapsed
    if not block.losses:
        return Stage(look, "impossible", "no loss has two runs that did not collapse", gone, {})
    if len(block.losses) == 1:
        return Stage(look, "decided", f"{block.losses[0]!r} alone is left", gone, {})
    parts = parts_of_block(block)
    pairs = all_pairs(block.losses, parts)
    useless = np.array([block.runs[loss].useless for loss in block.losses], np.int64)
    best = compare_with_best(pairs, margin, looks.alphas[look], useless)
    outcome, reason, wanted = _outcome(parts, pairs, best, useless, look, looks)
    return Stage(look, outcome, reason, (*gone, *best.names(best.inferior)), wanted)


def _outcome(
    parts: Parts, pairs: Pairs, best: Best, useless: NDArray[np.int64], look: int, looks: Looks
) -> tuple[Outcome, str, dict[str, int]]:
    left = best.names(best.possibly_best)
    clean = np.flatnonzero(best.possibly_best & (useless == 0))
    if not len(clean):
        return "impossible", f"every loss that may be the best has collapsed runs: {', '.join(left)}", {}
    leader = int(clean[np.argmax(parts.means[clean])])
    name = repr(pairs.losses[leader])
    if best.safe[leader] or len(left) == 1:
        proven = "the best: all others are inferior" if len(left) == 1 else "within the margin of the best"
        return "decided", f"{name} is {proven}", {}
    if look + 1 == len(looks.seeds):
        return "out of seeds", f"{name} leads, unproven after {looks.seeds[look]} seeds", {}
    if not _reachable(parts, best, useless, looks):
        told = f"with these patients {looks.seeds[-1]} seeds are not expected to prove any loss"
        return "impossible", f"{name} leads; {told}", {}
    wanted = _blocking(pairs, best, leader)
    told = f"{len(wanted) - 1} of {len(left) - 1} others keep it from being proven"
    return "go on", f"{name} leads; {told}", dict.fromkeys(wanted, looks.seeds[look + 1])


def _blocking(pairs: Pairs, best: Best, leader: int) -> list[str]:
    """Return the leader and those possibly best that it is not proven to be within the margin of."""
    half = pairs.half_width(best.alpha / (len(pairs.losses) - 1))
    blocks = (pairs.difference[leader] - half[leader] <= -best.margin) & best.possibly_best
    blocks[leader] = True
    return [loss for loss, blocked in zip(pairs.losses, blocks, strict=True) if blocked]


def _reachable(parts: Parts, best: Best, useless: NDArray[np.int64], looks: Looks) -> bool:
    """Whether the seeds that are left might prove a loss, if differences grew by two standard errors.

    With as many seeds as the last look has, the part of seeds shrinks; that of patients does not.
    """
    alive = np.flatnonzero(best.possibly_best)
    difference = parts.means[alive, None] - parts.means[None, alive]
    case = np.array([(own - parts.case_means[alive]).var(axis=1, ddof=1) for own in parts.case_means[alive]])
    case /= parts.patients
    now = parts.seed_parts[alive]
    then = now * parts.seeds[alive] / looks.seeds[-1]
    seed = then[:, None] + then[None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        df = (case + seed) ** 2 / (case**2 / (parts.patients - 1) + seed**2 / (2 * looks.seeds[-1] - 2))
    df = np.where(np.isfinite(df) & (df > 0), df, np.inf)
    grown = difference + OPTIMISM * np.sqrt(now[:, None] + now[None, :])
    half = half_width(np.sqrt(np.maximum(case, seed)), df, looks.alphas[-1] / max(len(alive) - 1, 1))
    off = ~np.eye(len(alive), dtype=bool)
    lower = np.where(off, grown - half, np.inf).min(axis=1)
    return bool(((lower > -best.margin) & (useless[alive] == 0)).any())
