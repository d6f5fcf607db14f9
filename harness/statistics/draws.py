"""Joint draws of what the losses are worth: how stable their ranking is, and what a choice may cost.

Patients are drawn again with replacement, the same ones for every loss, and every loss gets seed noise of
its own. With c the means over seeds of a patient, s2 the moderated seed variance with d degrees of freedom,
e the residual mean square, N patients and S seeds, a draw is::

    theta = sum_i w_i c_i + sqrt(max(s2 - e / N, 0) / S) t_d        w ~ Multinomial(N, 1/N) / N

Shares of draws describe *ranking stability*; they are no confidence. Every loss draws from a stream of its
own that its name and the metric choose: the order of losses, or one more of them, changes no other draw.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from harness.statistics.block import Block, Runs, Scores, Unanswerable
from harness.statistics.crossed import Parts, parts_of_block
from harness.statistics.ranking import DIGITS, ranks_of, tau_with

Values = NDArray[np.float64]

NUMBER = 10_000

FEWEST_DF = 2.0
"""Fewer degrees of freedom count as these: a t variable with one has no mean, and so no expected regret."""

SHARES = (0.025, 0.5, 0.975)
"""Of the rank percentiles."""

_CHUNK = 1000


@dataclass(frozen=True)
class Draws:
    """Draws of the worth of losses on one dataset, or averaged over several.

    Attributes:
        losses: Those that are compared.
        means: Their scores with all patients and seeds; they make the full ranking.
        theta: Per protocol, ``(draws, losses)``.
        listed: ``losses``, then those that stand outside the comparisons but have scores.
        treated: Intention to treat, ``(draws, listed)``: a loss with useless runs pays for them.
        margin: Half-width of the region of negligible differences, in the unit of the scores.
    """

    losses: tuple[str, ...]
    means: Values
    theta: Values
    listed: tuple[str, ...]
    treated: Values
    margin: float


@dataclass(frozen=True)
class Agreement:
    """Kendall's tau-b of the draws' rankings with the full ranking.

    Attributes:
        mean: Over draws in which it exists; NaN if there are none.
        low: 2.5 % percentile.
        high: 97.5 % percentile.
        undefined: Draws without one, because all losses were equal.
    """

    mean: float
    low: float
    high: float
    undefined: int


@dataclass(frozen=True)
class Stability:
    """Ranking stability.

    Attributes:
        losses: Those that are compared.
        best: Share of draws in which a loss is best; equal ones share.
        within: Share of draws in which it is within the margin of the best.
        ranks: ``(losses, ranks)``: share of draws in which it has rank 1, 2, ..; equal ones share the
            smaller rank.
        percentiles: ``(losses, 3)``: 2.5, 50 and 97.5 % of its rank.
        agreement: With the full ranking.
        listed: Losses in the order of ``regret``.
        regret: Expected loss in score from choosing it instead of the best, intention to treat, zero or more.
        draws: Their number.
    """

    losses: tuple[str, ...]
    best: Values
    within: Values
    ranks: Values
    percentiles: NDArray[np.int64]
    agreement: Agreement
    listed: tuple[str, ...]
    regret: Values
    draws: int

    @property
    def top(self) -> Values:
        """``(losses, k)``: share of draws in which a loss is among the first 1, 2, .. k."""
        return np.asarray(np.minimum(self.ranks.cumsum(axis=1), 1.0))


def joint_draws(
    block: Block,
    margin: float,
    *,
    parts: Parts | None = None,
    number: int = NUMBER,
    entropy: Sequence[int] = (0,),
) -> Draws:
    """Return draws of the worth of the losses of a block.

    The intention-to-treat draw of a loss with k useless of n runs mixes in the mean score of those runs with
    the weight Beta(k, n - k), the Bayesian bootstrap of runs. For a loss outside the comparisons nothing is
    known of its seeds: its draws vary with patients only, and with that weight.

    Args:
        block: Of one dataset and metric.
        margin: Half-width of the region of negligible differences, in the unit of the scores.
        parts: Of the block; computed if absent.
        number: Of draws.
        entropy: Seeds of the draws: that of the plan, the dataset's number, the metric's number. Equal
            entropy and equal patients give equal draws of patients.

    Raises:
        Unanswerable: with fewer than five patients, or no loss with two runs that did not collapse.
    """
    if not block.losses:
        raise Unanswerable(
            f"dataset {block.dataset!r}, {block.metric}: no loss has two runs that did not collapse; "
            "run more seeds"
        )
    parts = parts_of_block(block) if parts is None else parts
    outside = tuple(loss for loss in block.collapsed if loss in block.raw)
    listed, count = (*block.losses, *outside), len(block.losses)
    streams = {loss: _stream(entropy, block.metric, loss) for loss in listed}
    good, bad = _patient_rows(block, parts, outside)
    charged = [j for j, loss in enumerate(listed) if loss in block.raw and block.runs[loss].useless]
    drawn = _patient_means(np.concatenate([good, bad[charged]]), number, entropy)
    worth = drawn[:, : len(listed)]
    worth[:, :count] += _seed_noise(parts, [streams[loss] for loss in block.losses], number)
    treated = worth.copy()
    for k, j in enumerate(charged):
        share = _useless_share(block.runs[listed[j]], streams[listed[j]], number)
        treated[:, j] = (1 - share) * worth[:, j] + share * drawn[:, len(listed) + k]
    return Draws(block.losses, parts.means, worth[:, :count], listed, treated, margin)


def combine(draws: Sequence[Draws]) -> Draws:
    """Return the mean of draws of several datasets, each with the same weight.

    Losses compared on every dataset are compared; a loss that stands outside on some stays outside. Where
    margins differ, scores are divided by them: the unit is then the margin.

    Args:
        draws: Of the datasets, of one metric, equally many each.

    Raises:
        Unanswerable: if no loss is compared on all of them.
        ValueError: if there are no draws, or they differ in number.
    """
    if len({len(each.theta) for each in draws}) != 1:
        raise ValueError("give draws of one dataset or more, equally many of each")
    losses = tuple(loss for loss in draws[0].losses if all(loss in each.losses for each in draws))
    if not losses:
        raise Unanswerable(
            "no loss is compared on every dataset; leave a dataset out, or run the missing losses"
        )
    common = [loss for loss in draws[0].listed if all(loss in each.listed for each in draws)]
    listed = (*losses, *(loss for loss in common if loss not in losses))
    alike = len({each.margin for each in draws}) == 1
    units = [1.0 if alike else 1 / each.margin for each in draws]

    def mean(parts: Iterator[Values]) -> Values:
        return np.asarray(np.mean([unit * part for unit, part in zip(units, parts, strict=True)], axis=0))

    return Draws(
        losses,
        mean(each.means[_places(each.losses, losses)] for each in draws),
        mean(each.theta[:, _places(each.losses, losses)] for each in draws),
        listed,
        mean(each.treated[:, _places(each.listed, listed)] for each in draws),
        draws[0].margin if alike else 1.0,
    )


def stability(draws: Draws) -> Stability:
    """Return what the draws say of the ranking and of the cost of choosing a loss."""
    theta = np.round(draws.theta, DIGITS)
    number, count = theta.shape
    top = theta.max(axis=1, keepdims=True)
    first = theta == top
    ranks = ranks_of(theta)
    shares = np.array([np.bincount(each - 1, minlength=count) for each in ranks.T]) / number
    sums = shares.cumsum(axis=1)
    percentiles = np.array([(sums < share - 1e-12).sum(axis=1) + 1 for share in SHARES], np.int64).T
    chosen = draws.treated
    best = chosen[:, :count].max(axis=1, keepdims=True)
    return Stability(
        losses=draws.losses,
        best=(first / first.sum(axis=1, keepdims=True)).mean(axis=0),
        within=(theta >= np.round(top - draws.margin, DIGITS)).mean(axis=0),
        ranks=shares,
        percentiles=percentiles,
        agreement=agreement(tau_with(draws.means, theta)),
        listed=draws.listed,
        regret=np.maximum(best - chosen, 0.0).mean(axis=0),
        draws=number,
    )


def agreement(tau: Values) -> Agreement:
    """Return mean and 95 % range of tau, with the number of those that do not exist."""
    known = tau[np.isfinite(tau)]
    undefined = len(tau) - len(known)
    if not len(known):
        return Agreement(float("nan"), float("nan"), float("nan"), undefined)
    low, high = np.percentile(known, [2.5, 97.5])
    return Agreement(float(known.mean()), float(low), float(high), undefined)


def _places(losses: Sequence[str], wanted: Sequence[str]) -> list[int]:
    return [losses.index(loss) for loss in wanted]


def _stream(entropy: Sequence[int], metric: str, loss: str) -> np.random.Generator:
    words = np.frombuffer(sha256(f"{metric}\0{loss}".encode()).digest(), "<u4")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([*entropy, *map(int, words)])))


def _patient_rows(block: Block, parts: Parts, outside: Sequence[str]) -> tuple[Scores, Scores]:
    """Return patient means of the useful and of the useless runs of the compared losses and those outside.

    A loss without one of the two kinds has the other in both.
    """
    good, bad = list(parts.case_means), list(parts.case_means)
    for j, loss in enumerate((*block.losses, *outside)):
        if loss not in block.raw:
            continue
        scored = len(block.runs[loss].scored)
        scores = block.scale.scores(block.raw[loss])
        if j >= len(block.losses):
            good.append((scores[:, :scored] if scored else scores).mean(axis=1))
            bad.append(good[-1])
        if scores.shape[1] > scored:
            bad[j] = scores[:, scored:].mean(axis=1)
    return np.array(good), np.array(bad)


def _patient_means(rows: Scores, number: int, entropy: Sequence[int]) -> Values:
    """Return ``(number, rows)`` means of rows over patients that are drawn with replacement."""
    patients = rows.shape[1]
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence(list(entropy))))
    found = np.empty((number, len(rows)))
    for start in range(0, number, _CHUNK):
        size = min(_CHUNK, number - start)
        chosen = random.integers(0, patients, (size, patients)) + patients * np.arange(size)[:, None]
        counts = np.bincount(chosen.ravel(), minlength=size * patients).reshape(size, patients)
        found[start : start + size] = counts.astype(float) @ rows.T / patients
    return found


def _seed_noise(parts: Parts, streams: Sequence[np.random.Generator], number: int) -> Values:
    variance = np.maximum(parts.variances.moderated - parts.residual / parts.patients, 0.0) / parts.seeds
    df = np.maximum(parts.variances.df, FEWEST_DF)
    noise = [stream.standard_t(freedom, number) for stream, freedom in zip(streams, df, strict=True)]
    return np.asarray(np.sqrt(variance) * np.array(noise).T)


def _useless_share(runs: Runs, random: np.random.Generator, number: int) -> Values | float:
    return random.beta(runs.useless, len(runs.scored), number) if runs.scored else 1.0
