"""How often the analysis claims what is not true, by simulation of studies with known truth.

``CHECKS`` lists what is counted; ``lossbench error-rates`` prints it, docs/statistics.md shows the result.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from harness.statistics.best import compare_with_best
from harness.statistics.block import Scores
from harness.statistics.conventional import case_only
from harness.statistics.crossed import Pairs, all_pairs, parts_of
from harness.statistics.multiplicity import holm_of_pairs
from harness.statistics.simulated_scores import Truth, block_of, simulate
from harness.statistics.stages import Looks, judge, planned_looks

MARGIN = 0.01
ALPHA = 0.05
LOST = 0.1
"""Share of studies in which adding seeds step by step may fail to decide what the full design decides."""


@dataclass(frozen=True)
class Rate:
    """How often something happened in simulated studies.

    Attributes:
        check: What was counted.
        setting: In which studies.
        found: Share of the studies, or a mean where ``unit`` says so.
        limit: What is promised: ``<= 0.08``, ``>= 0.95``; empty where nothing is.
        studies: Their number.
        kept: Whether the promise holds; None where there is none.
    """

    check: str
    setting: str
    found: float
    limit: str
    studies: int
    kept: bool | None

    @property
    def error(self) -> float:
        """Standard error of a share."""
        return float(np.sqrt(max(self.found * (1 - self.found), 0.0) / self.studies))


Check: TypeAlias = Callable[[int, np.random.Generator], Iterator[Rate]]


def pair_test(studies: int, random: np.random.Generator) -> Iterator[Rate]:
    """Type-I error of the test of two equal losses at 5 %, with independent and with correlated seeds."""
    for seeds in (3, 5, 10):
        for correlation in (0.0, 0.5, 0.8):
            truth = Truth(seed_correlation=correlation)
            p = np.array([_pairs(simulate(truth, seeds, random)).p[0, 1] for _ in range(studies)])
            found = float((p <= ALPHA).mean())
            setting = f"two equal losses, {seeds} seeds, seed correlation {correlation:g}"
            yield _at_most("pair test claims a difference", setting, found, 0.08, studies)


def family_wise(studies: int, random: np.random.Generator) -> Iterator[Rate]:
    """Any false claim among 25 equal losses: crossed t against the tests over cases only."""
    for seeds, spread in ((5, 0.0), (5, 0.5), (10, 0.0), (3, 0.0), (3, 1.0)):
        truth = Truth(means=(0.0,) * 25, seed_spread=spread)
        wrong = np.array([_family(simulate(truth, seeds, random)) for _ in range(studies)], float).mean(
            axis=0
        )
        setting = f"25 equal losses, {seeds} seeds, log-SD of seed SD {spread:g}"
        promised = 0.10 if seeds >= 5 else None
        yield _at_most("crossed t + Holm claims any difference", setting, wrong[0], promised, studies)
        yield _at_most("any loss called inferior beyond the margin", setting, wrong[1], promised, studies)
        yield _at_least("case-only Wilcoxon + Holm claims any difference", setting, wrong[2], None, studies)


def best_and_safe(studies: int, random: np.random.Generator) -> Iterator[Rate]:
    """Whether the true best is found possibly best, and whether losses beyond the margin are called safe."""
    for name, means in MEANS.items():
        for seeds in (3, 5, 10):
            truth = Truth(means=means)
            kept = np.array([_best(simulate(truth, seeds, random), means) for _ in range(studies)], float)
            setting = f"{name}, {seeds} seeds"
            yield _at_least("the true best is possibly best", setting, kept[:, 0].mean(), 0.95, studies)
            yield _at_most(
                "a loss beyond the margin is called safe", setting, kept[:, 1].mean(), 0.05, studies
            )


def until_decided(studies: int, random: np.random.Generator) -> Iterator[Rate]:
    """What adding seeds only where they settle something saves, and whether it answers as the full design."""
    looks = planned_looks(10)
    for name, means in MEANS.items():
        for patients in (14, 60, 200):
            truth = replace(Truth(means=means), patients=patients)
            found = np.array([_staged(truth, looks, random) for _ in range(studies)], float)
            setting = f"{name}, {patients} patients"
            trials, decided, full, excluded, unsafe = found.mean(axis=0)
            lost = float((found[:, 2] > found[:, 1]).mean())
            yield Rate("trials, as a share of the full design", setting, float(trials), "", studies, None)
            yield Rate("decided", setting, float(decided), "", studies, None)
            yield Rate("decided by the full design", setting, float(full), "", studies, None)
            yield _at_most("decided by the full design only", setting, lost, LOST, studies)
            yield _at_most("the true best was dropped", setting, float(excluded), ALPHA, studies)
            yield _at_most("decided for a loss beyond the margin", setting, float(unsafe), ALPHA, studies)


MEANS: dict[str, tuple[float, ...]] = {
    "10 equal losses": (0.0,) * 10,
    "one of 10 better by 0.03": (0.03, *(0.0,) * 9),
    "3 of 10 equal, the others 0.011 worse": (0.0,) * 3 + (-0.011,) * 7,
    "10 losses in steps of 0.01": tuple(-0.01 * i for i in range(10)),
}
"""True means of the losses; the first is the best, or one of the best."""

CHECKS: dict[str, Check] = {
    "pair": pair_test,
    "family": family_wise,
    "best": best_and_safe,
    "stages": until_decided,
}


def _pairs(scores: list[Scores]) -> Pairs:
    return all_pairs([str(i) for i in range(len(scores))], parts_of(scores))


def _family(scores: list[Scores]) -> tuple[bool, bool, bool]:
    pairs = _pairs(scores)
    best = compare_with_best(pairs, MARGIN, ALPHA, [0] * len(scores))
    return (
        bool((holm_of_pairs(pairs) <= ALPHA).any()),
        bool(best.inferior_beyond.any()),
        bool(
            (
                case_only(pairs.losses, np.array([each.mean(axis=1) for each in scores])).adjusted <= ALPHA
            ).any()
        ),
    )


def _best(scores: list[Scores], means: tuple[float, ...]) -> tuple[bool, bool]:
    best = compare_with_best(_pairs(scores), MARGIN, ALPHA, [0] * len(scores))
    beyond = max(means) - np.array(means) > MARGIN + 1e-12
    return bool(best.possibly_best[0]), bool((best.safe & beyond).any())


def _staged(truth: Truth, looks: Looks, random: np.random.Generator) -> tuple[float, bool, bool, bool, bool]:
    """Return the share of trials, whether it and the full design decide, and two kinds of error."""
    most = looks.seeds[-1]
    scores = simulate(truth, most, random)
    names = [f"loss {i}" for i in range(len(scores))]
    have = dict.fromkeys(names, looks.seeds[0])
    alive = list(names)
    for look in range(len(looks.seeds)):
        block = block_of(scores, [have[name] for name in names], names)
        stage = judge(block.without([name for name in names if name not in alive]), look, looks, MARGIN)
        alive = [name for name in alive if name not in stage.dropped]
        if stage.outcome != "go on":
            break
        have.update(stage.wanted)
    full = judge(block_of(scores), 0, Looks((most,), (ALPHA,)), MARGIN)
    leader = max(alive, key=lambda name: float(scores[names.index(name)][:, : have[name]].mean()))
    beyond = max(truth.means) - truth.means[names.index(leader)] > MARGIN + 1e-12
    decided, also = stage.outcome == "decided", full.outcome == "decided"
    return sum(have.values()) / (most * len(names)), decided, also, names[0] not in alive, decided and beyond


def _at_most(check: str, setting: str, found: float, limit: float | None, studies: int) -> Rate:
    """Promise an upper limit; a share within two standard errors of it is no proof of the contrary."""
    if limit is None:
        return Rate(check, setting, float(found), "", studies, None)
    room = 2 * np.sqrt(limit * (1 - limit) / studies)
    return Rate(check, setting, float(found), f"<= {limit:g}", studies, bool(found <= limit + room))


def _at_least(check: str, setting: str, found: float, limit: float | None, studies: int) -> Rate:
    if limit is None:
        return Rate(check, setting, float(found), "", studies, None)
    room = 2 * np.sqrt(limit * (1 - limit) / studies)
    return Rate(check, setting, float(found), f">= {limit:g}", studies, bool(found >= limit - room))
