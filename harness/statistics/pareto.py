"""Overlap against boundary: which losses no other beats on both.

No sum of ranks is made of two metrics that measure much the same; the losses on the front are the answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.statistics.block import Block, Unanswerable
from harness.statistics.draws import NUMBER, Draws, joint_draws
from harness.statistics.ranking import DIGITS

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Front:
    """Losses on two metrics, both as scores: higher is better.

    Attributes:
        metrics: Names of the two.
        losses: Those that are compared on both.
        means: ``(losses, 2)``, per protocol.
        on_front: Whether no other loss is at least as good on both and better on one.
        membership: Share of joint draws in which a loss is on the front.
    """

    metrics: tuple[str, str]
    losses: tuple[str, ...]
    means: Values
    on_front: NDArray[np.bool_]
    membership: Values

    @property
    def front(self) -> tuple[str, ...]:
        """The losses on it."""
        return tuple(loss for loss, inside in zip(self.losses, self.on_front, strict=True) if inside)


@dataclass(frozen=True)
class Quadrants:
    """Differences of a loss from another, patient by patient, on two metrics.

    Attributes:
        patients: Names.
        first: Differences of scores on the first metric.
        second: On the second.
        both_better: Share of patients that are better on both; no difference is neither better nor worse.
        first_only: Better on the first and worse on the second.
        second_only: Worse on the first and better on the second.
        both_worse: Worse on both.
    """

    patients: tuple[str, ...]
    first: Values
    second: Values
    both_better: float
    first_only: float
    second_only: float
    both_worse: float


def pareto_front(points: Values) -> NDArray[np.bool_]:
    """Return which points no other dominates: at least as good in everything, better in something.

    Args:
        points: ``(..., points, 2)``, higher is better. Equal points do not dominate each other.

    Returns:
        ``(..., points)``.
    """
    first, second = np.moveaxis(np.round(points, DIGITS), -1, 0)
    order = np.lexsort((-second, -first), axis=-1)
    x, y = (np.take_along_axis(each, order, -1) for each in (first, second))
    best = np.maximum.accumulate(y, axis=-1)
    before = np.concatenate([np.full((*y.shape[:-1], 1), -np.inf), best[..., :-1]], axis=-1)
    fresh = y > before
    same = np.zeros_like(fresh)
    same[..., 1:] = (x[..., 1:] == x[..., :-1]) & (y[..., 1:] == y[..., :-1])
    start = np.maximum.accumulate(np.where(same, 0, np.arange(y.shape[-1])), axis=-1)
    inside = np.zeros_like(fresh)
    np.put_along_axis(inside, order, np.take_along_axis(fresh, start, -1), -1)
    return inside


def front_of(
    first: Block,
    second: Block,
    *,
    number: int = NUMBER,
    entropy: Sequence[int] = (0,),
) -> Front:
    """Return the front of two metrics on one dataset, with how often each loss is on it.

    The draws share their patients; seed noise of the two metrics counts as independent.

    Args:
        first: Of the overlap metric.
        second: Of the boundary metric, of the same patients.
        number: Of draws.
        entropy: Seeds of the draws, see :func:`harness.statistics.draws.joint_draws`.

    Raises:
        Unanswerable: if patients differ, or no loss is compared on both.
    """
    _check(first, second)
    losses = tuple(loss for loss in first.losses if loss in second.losses)
    if not losses:
        raise Unanswerable(
            f"dataset {first.dataset!r}: no loss is compared on both {first.metric} and {second.metric}; "
            "run more seeds"
        )
    draws = [joint_draws(block, 0.0, number=number, entropy=entropy) for block in (first, second)]
    means = np.stack([_chosen(each, losses, each.means) for each in draws], axis=-1)
    points = np.stack([_chosen(each, losses, each.theta) for each in draws], axis=-1)
    return Front(
        (first.metric, second.metric),
        losses,
        means,
        pareto_front(means),
        np.asarray(pareto_front(points).mean(axis=0)),
    )


def quadrants(first: Block, second: Block, loss: str, reference: str) -> Quadrants:
    """Return where a loss wins and loses against another, patient by patient.

    Raises:
        Unanswerable: if patients differ, or one of the losses is not compared on both metrics.
    """
    _check(first, second)
    for block in (first, second):
        for name in (loss, reference):
            if name not in block.losses:
                raise Unanswerable(
                    f"dataset {block.dataset!r}, {block.metric}: {name!r} has fewer than two runs that did "
                    "not collapse; choose another loss"
                )
    a, b = (
        np.round(
            block.case_means[block.losses.index(loss)] - block.case_means[block.losses.index(reference)],
            DIGITS,
        )
        for block in (first, second)
    )
    return Quadrants(
        first.patients,
        a,
        b,
        both_better=float(((a > 0) & (b > 0)).mean()),
        first_only=float(((a > 0) & (b < 0)).mean()),
        second_only=float(((a < 0) & (b > 0)).mean()),
        both_worse=float(((a < 0) & (b < 0)).mean()),
    )


def _check(first: Block, second: Block) -> None:
    if first.patients != second.patients:
        raise Unanswerable(
            f"dataset {first.dataset!r}: {first.metric} and {second.metric} have other patients; score both "
            "metrics on the same ones"
        )


def _chosen(draws: Draws, losses: Sequence[str], values: Values) -> Values:
    return np.asarray(values[..., [draws.losses.index(loss) for loss in losses]])
