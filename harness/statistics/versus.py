"""Every loss against a reference named before: differences, three kinds of p, effect sizes, words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.statistics.block import Block
from harness.statistics.conventional import EffectSizes, case_only, effect_sizes
from harness.statistics.crossed import LEVEL, Difference, Pairs, Parts, combination
from harness.statistics.multiplicity import holm

Words: TypeAlias = Literal[
    "better",
    "better, possibly by a negligible amount",
    "worse",
    "worse, possibly by a negligible amount",
    "equivalent within the margin",
    "not resolved",
]


@dataclass(frozen=True)
class Against:
    """One loss minus the reference.

    Attributes:
        loss: The loss.
        difference: Of scores, with its 95 % interval over patients and seeds.
        p: Of no difference, adjusted by Holm over the comparisons with this reference.
        equivalent_p: Of a difference beyond the margin (TOST), not adjusted.
        case_only_p: Wilcoxon's, adjusted likewise: conditional on these seeds.
        effect: Effect sizes.
        words: What may be said.
    """

    loss: str
    difference: Difference
    p: float
    equivalent_p: float
    case_only_p: float
    effect: EffectSizes
    words: Words


@dataclass(frozen=True)
class Versus:
    """All losses against one reference.

    Attributes:
        reference: Its label.
        rows: In the order of the block.
    """

    reference: str
    rows: tuple[Against, ...]


def words_for(
    p: float, equivalent_p: float, interval: tuple[float, float, float], margin: float, alpha: float = 0.05
) -> Words:
    """Return the sentence that numbers allow.

    Args:
        p: Adjusted, two-sided.
        equivalent_p: Of the two one-sided tests.
        interval: Difference, its lower and its upper end.
        margin: Of negligible differences.
        alpha: Level.
    """
    difference, low, high = interval
    if p <= alpha and difference != 0:
        if difference > 0:
            return "better" if low > margin else "better, possibly by a negligible amount"
        return "worse" if high < -margin else "worse, possibly by a negligible amount"
    return "equivalent within the margin" if equivalent_p <= alpha else "not resolved"


def words_of_pairs(
    pairs: Pairs, adjusted: NDArray[np.float64], margin: float, alpha: float = 0.05
) -> list[list[Words]]:
    """Return what may be said of every pair, row against column.

    Args:
        pairs: All of them; intervals are those of 95 %.
        adjusted: p of all pairs.
        margin: Of negligible differences.
        alpha: Level.
    """
    same, half = pairs.equivalence_p(margin), pairs.half_width((1 - LEVEL) / 2)
    low, high = pairs.difference - half, pairs.difference + half
    count = range(len(pairs.losses))
    return [
        [
            words_for(
                float(adjusted[i, j]),
                float(same[i, j]),
                (float(pairs.difference[i, j]), float(low[i, j]), float(high[i, j])),
                margin,
                alpha,
            )
            for j in count
        ]
        for i in count
    ]


def versus_reference(
    block: Block, parts: Parts, references: Sequence[str], margin: float, alpha: float = 0.05
) -> tuple[Versus, ...]:
    """Return every compared loss against each reference that is compared itself.

    Args:
        block: Scores of the losses.
        parts: Of them.
        references: Labels, in order.
        margin: Of negligible differences, on the scale of the scores.
        alpha: Level of the words.
    """
    return tuple(_versus(block, parts, each, margin, alpha) for each in references if each in block.losses)


def _versus(block: Block, parts: Parts, reference: str, margin: float, alpha: float) -> Versus:
    at = block.losses.index(reference)
    others = [i for i in range(len(block.losses)) if i != at]
    unit = np.eye(len(block.losses))
    differences = [combination(parts, unit[i] - unit[at]) for i in others]
    adjusted = holm(np.array([each.p for each in differences]))
    cases = case_only(block.losses, block.case_means, reference).adjusted[:, at]
    rows = []
    for i, difference, p in zip(others, differences, adjusted, strict=True):
        same = difference.equivalence_p(margin)
        effect = effect_sizes(block.scores[i], block.scores[at], margin)
        interval = difference.difference, difference.low, difference.high
        words = words_for(float(p), same, interval, margin, alpha)
        rows.append(Against(block.losses[i], difference, float(p), same, float(cases[i]), effect, words))
    return Versus(reference, tuple(rows))
