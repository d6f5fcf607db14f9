"""Which loss is recommended, and in which words: a fixed rule over the comparisons with the best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.statistics.best import Best
from harness.statistics.draws import Stability

Strength: TypeAlias = Literal["proven", "not proven", "none over the reference", "no answer"]

TIE_SHARE = 0.25
"""Of the margin: losses whose expected regrets differ by less are tied."""


@dataclass(frozen=True)
class Costs:
    """What decides between losses that are equally good.

    Attributes:
        seconds: Of training one run, by loss; absent where nobody knows.
        parameters: Number of hyper-parameters, by loss.
    """

    seconds: Mapping[str, float] = field(default_factory=dict)
    parameters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Recommendation:
    """The answer for one metric on one dataset, or over several.

    Attributes:
        loss: The recommended loss; the reference if none is better; None without an answer.
        strength: ``proven``: within the margin of the best at the level of the analysis, no run collapsed.
            ``not proven``: it has the least expected regret. ``none over the reference``: that may be the
            best itself, and costs less than a margin.
        reference: That reference, or None.
        regret: Expected loss in score from the recommended choice; NaN without an answer.
        tied: Losses whose expected regret is as small.
        why: Why there is no answer.
    """

    loss: str | None
    strength: Strength
    reference: str | None = None
    regret: float = float("nan")
    tied: tuple[str, ...] = ()
    why: str = ""


def recommend(
    best: Best,
    stability: Stability,
    useless: NDArray[np.int64],
    references: Sequence[str] = (),
    costs: Costs | None = None,
) -> Recommendation:
    """Return the recommended loss.

    Of the losses that may be the best and never collapsed, the one with the least expected regret; ties,
    within a quarter of the margin, go to the one that trains faster, then to fewer hyper-parameters.

    Args:
        best: Comparisons with the best.
        stability: With the expected regrets.
        useless: Number of collapsed or diverged runs of each of ``best.losses``.
        references: Losses that one would take without a study, the first that is possibly best counts.
        costs: To decide ties.
    """
    regret = dict(zip(stability.listed, stability.regret, strict=True))
    allowed = [
        loss
        for loss, possible, bad in zip(best.losses, best.possibly_best, useless, strict=True)
        if possible and not bad
    ]
    if not allowed:
        names = ", ".join(best.names(best.possibly_best))
        return Recommendation(
            None, "no answer", why=f"every loss that may be the best has collapsed runs ({names})"
        )
    least = min(regret[loss] for loss in allowed)
    tied = [loss for loss in allowed if regret[loss] - least < TIE_SHARE * best.margin]
    price = costs or Costs()
    order = {
        loss: (price.seconds.get(loss, np.inf), price.parameters.get(loss, 0), regret[loss]) for loss in tied
    }
    chosen = min(tied, key=order.__getitem__)
    others = tuple(loss for loss in tied if loss != chosen)
    if best.safe[best.losses.index(chosen)]:
        return Recommendation(chosen, "proven", regret=regret[chosen], tied=others)
    for reference in references:
        if reference in allowed and regret[reference] - regret[chosen] < best.margin:
            return Recommendation(reference, "none over the reference", reference, regret[reference], others)
    return Recommendation(chosen, "not proven", regret=regret[chosen], tied=others)
