"""Claims about groups of losses: the mean of some against the mean of others, over patients and seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from harness.statistics.crossed import Difference, Parts, combination
from harness.statistics.multiplicity import holm
from harness.statistics.plan import Contrast

Answer: TypeAlias = Literal["supported", "refuted", "unresolved", "not asked here"]

COMPOUND = "compound losses are the better choice"
COMPLEMENT = "the boundary loss complements regional losses"


@dataclass(frozen=True)
class Claim:
    """What the scores say to a contrast.

    Attributes:
        contrast: The claim.
        estimate: Plus minus minus; None if losses of it are not among those compared.
        p: Two-sided, adjusted by Holm over the contrasts that can be answered; NaN without estimate.
        equivalent_p: Of a difference beyond the margin (TOST); NaN without estimate.
        answer: ``supported`` or ``refuted`` where p is small, or where any advantage beyond the margin is
            excluded; else ``unresolved``.
        why: In a few words.
    """

    contrast: Contrast
    estimate: Difference | None
    p: float
    equivalent_p: float
    answer: Answer
    why: str


def answer_contrasts(
    contrasts: Sequence[Contrast], losses: Sequence[str], parts: Parts, margin: float, alpha: float
) -> list[Claim]:
    """Return the answer to every contrast.

    *Supported*: plus is better (Holm p <= alpha). *Refuted*: plus is worse, or equivalent within the margin,
    so that there is no advantage worth having. A claim can be supported by a difference that may be
    negligible: ``why`` then says so.

    Args:
        contrasts: Declared and built-in ones.
        losses: Those compared.
        parts: Of them.
        margin: Of negligible differences.
        alpha: Level over all contrasts.
    """
    lacking = [[label for label in (*each.plus, *each.minus) if label not in losses] for each in contrasts]
    estimates = [
        None if missing else combination(parts, _weights(each, losses))
        for each, missing in zip(contrasts, lacking, strict=True)
    ]
    why = [f"not among the losses compared: {', '.join(dict.fromkeys(missing))}" for missing in lacking]
    return judge_claims(contrasts, estimates, why, margin, alpha)


def judge_claims(
    contrasts: Sequence[Contrast],
    estimates: Sequence[Difference | None],
    why_none: Sequence[str],
    margin: float,
    alpha: float,
) -> list[Claim]:
    """Return the answers to contrasts whose estimates are known.

    Args:
        contrasts: The claims.
        estimates: Plus minus minus of each; None where there is none.
        why_none: Why there is none.
        margin: Of negligible differences.
        alpha: Level over all of them (Holm).
    """
    adjusted = iter(holm(np.array([each.p for each in estimates if each is not None])))
    claims = []
    for contrast, estimate, why in zip(contrasts, estimates, why_none, strict=True):
        if estimate is None:
            claims.append(Claim(contrast, None, float("nan"), float("nan"), "not asked here", why))
            continue
        p, same = float(next(adjusted)), estimate.equivalence_p(margin)
        claims.append(Claim(contrast, estimate, p, same, *_answer(estimate, p, same, margin, alpha)))
    return claims


def _answer(
    estimate: Difference, p: float, equivalent_p: float, margin: float, alpha: float
) -> tuple[Answer, str]:
    if equivalent_p <= alpha:
        worth = "better, but by a negligible amount" if p <= alpha and estimate.difference > 0 else ""
        return "refuted", worth or "equivalent within the margin"
    if p > alpha:
        return "unresolved", "the interval holds both an advantage and none"
    if estimate.difference < 0:
        return "refuted", "it is the other way round"
    return "supported", "" if estimate.low > margin else "possibly by a negligible amount"


def _weights(contrast: Contrast, losses: Sequence[str]) -> list[float]:
    """Return the weight of each loss; one that stands on both sides has the sum of both."""
    weights = [0.0] * len(losses)
    for side, sign in ((contrast.plus, 1.0), (contrast.minus, -1.0)):
        for label in side:
            weights[losses.index(label)] += sign / len(side)
    return weights


@dataclass(frozen=True)
class Anatomy:
    """What a loss is made of, as far as claims need it.

    Attributes:
        family: Its family.
        parts: Canonical names of its parts, by label; one for a loss that is no sum.
    """

    family: str
    parts: tuple[str, ...]


def builtin_contrasts(anatomy: Mapping[str, Anatomy], families: Mapping[str, str]) -> list[Contrast]:
    """Return the journal club's two claims, each over all the losses at hand that speak to it.

    Args:
        anatomy: By label.
        families: Family of every part by its name.
    """
    return [*_compound_claim(anatomy), *_complement_claim(anatomy, families)]


def _compound_claim(anatomy: Mapping[str, Anatomy]) -> list[Contrast]:
    """Compound losses whose parts are all there alone, against those parts."""
    alone = _alone(anatomy)
    sums = {label: set(of.parts) for label, of in anatomy.items() if len(of.parts) > 1}
    whole = {label: parts for label, parts in sums.items() if parts <= alone.keys()}
    if not whole:
        return []
    minus = [alone[part] for parts in whole.values() for part in sorted(parts)]  # once for each sum
    return [Contrast(COMPOUND, tuple(whole), tuple(minus), builtin=True)]


def _complement_claim(anatomy: Mapping[str, Anatomy], families: Mapping[str, str]) -> list[Contrast]:
    """X + boundary against X, for every X that is there alone."""
    alone = _alone(anatomy)
    plus, minus = [], []
    for label, of in anatomy.items():
        rest = [part for part in of.parts if part != "boundary"]
        if (
            "boundary" in of.parts
            and len(rest) == 1
            and rest[0] in alone
            and families.get(rest[0]) == "region"
        ):
            plus.append(label)
            minus.append(alone[rest[0]])
    return [Contrast(COMPLEMENT, tuple(plus), tuple(minus), builtin=True)] if plus else []


def _alone(anatomy: Mapping[str, Anatomy]) -> dict[str, str]:
    """Return the first label of every part that stands alone."""
    found: dict[str, str] = {}
    for label, of in anatomy.items():
        if len(of.parts) == 1:
            found.setdefault(of.parts[0], label)
    return found
