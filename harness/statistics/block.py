"""The block that everything is computed from: the same patients under every loss and seed.

Of one dataset and one metric. Runs that collapsed stand apart: comparisons of losses are per protocol,
over runs that did not collapse, and collapse is counted beside them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.statistics.moderation import MIN_LOSSES, Prior, fit_prior
from harness.statistics.scale import Scale

Scores: TypeAlias = NDArray[np.float64]
"""Of one loss, ``(patients, seeds)``."""

MIN_PATIENTS = 5
MIN_SEEDS = 2


class Unanswerable(ValueError):
    """The scores at hand allow no such statement; the message says why and what would help."""


@dataclass(frozen=True)
class Runs:
    """What became of the runs of a loss.

    Attributes:
        scored: Seeds of runs with scores that did not collapse.
        collapsed: Seeds of runs that collapsed, judged on validation.
        diverged: Seeds of runs that ended in NaN or infinity.
        failed: Seeds of runs that failed for reasons of the machine: they do not count.
    """

    scored: tuple[int, ...] = ()
    collapsed: tuple[int, ...] = ()
    diverged: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()

    @property
    def useless(self) -> int:
        """Runs that collapsed or diverged."""
        return len(self.collapsed) + len(self.diverged)

    @property
    def counted(self) -> int:
        """Runs that say something of the loss."""
        return len(self.scored) + self.useless


@dataclass(frozen=True)
class Block:
    """Scores of one metric on one dataset.

    Attributes:
        dataset: Its name.
        metric: Its name.
        scale: How raw values became scores.
        patients: Names, in the order of the rows of every array.
        losses: Losses that are compared: at least two runs that did not collapse; in the study's order.
        scores: Per protocol, one array ``(patients, seeds)`` for each of ``losses``; higher is better.
        runs: What became of the runs, of all losses.
        raw: Raw values of all counted runs of every loss with any, collapsed and diverged ones included
            (intention to treat), ``(patients, runs)``.
        prior: Of seed variances, estimated with losses that do not stand here any more; None: from these.
    """

    dataset: str
    metric: str
    scale: Scale
    patients: tuple[str, ...]
    losses: tuple[str, ...]
    scores: tuple[Scores, ...]
    runs: Mapping[str, Runs]
    raw: Mapping[str, Scores]
    prior: Prior | None = None

    @property
    def collapsed(self) -> tuple[str, ...]:
        """Losses that stand outside the comparisons, because fewer than two runs are of use."""
        return tuple(loss for loss in self.runs if loss not in self.losses)

    @cached_property
    def seeds(self) -> NDArray[np.int64]:
        """Number of seeds of each of ``losses``."""
        return np.array([each.shape[1] for each in self.scores], np.int64)

    @cached_property
    def case_means(self) -> Scores:
        """Means over seeds, ``(losses, patients)``."""
        shape = len(self.losses), len(self.patients)
        return np.array([each.mean(axis=1) for each in self.scores]).reshape(shape)

    @cached_property
    def means(self) -> NDArray[np.float64]:
        """Mean score of each of ``losses``."""
        return np.array([each.mean() for each in self.scores])

    def without(self, losses: Sequence[str] = (), seed: int | None = None) -> "Block":
        """Return the block without some losses, or without one seed; losses that lose too much drop out.

        Losses that are left out still lend the others what is known of seed variances.
        """
        keep: dict[str, Scores] = {}
        for loss, scores in zip(self.losses, self.scores, strict=True):
            at = [i for i, each in enumerate(self.runs[loss].scored) if each != seed]
            if loss not in losses and len(at) >= MIN_SEEDS:
                keep[loss] = scores[:, at]
        runs = {
            loss: Runs(*(tuple(s for s in part if s != seed) for part in vars(of).values()))
            for loss, of in self.runs.items()
            if loss not in losses
        }
        raw = {loss: self.raw[loss] for loss in runs if loss in self.raw}
        if seed is not None:
            raw = {}  # what was meant for all runs says nothing of some
        prior = self._shared_prior() if losses and self.prior is None else self.prior
        place = self.dataset, self.metric, self.scale, self.patients
        return Block(*place, tuple(keep), tuple(keep.values()), runs, raw, prior)

    def _shared_prior(self) -> Prior | None:
        if len(self.losses) < MIN_LOSSES:
            return None
        return fit_prior(seed_variances(self.scores), (self.seeds - 1).astype(np.float64))


def seed_variances(scores: Sequence[Scores]) -> NDArray[np.float64]:
    """Return the variance between seeds of the mean over patients, of every loss."""
    return np.array([each.mean(axis=0).var(ddof=1) for each in scores])


def build_block(
    values: pd.DataFrame,
    states: pd.DataFrame,
    scale: Scale,
    *,
    order: Sequence[str] | None = None,
    worst: Mapping[str, float] | None = None,
) -> Block:
    """Return the block of one dataset and metric.

    Args:
        values: Columns dataset, metric, loss, seed, patient, value: one row for every patient of every run
            with scores, undefined values replaced.
        states: Columns loss, seed, state (``scored``, ``collapsed``, ``diverged``, ``failed``) of every
            run on this dataset.
        scale: Of the metric.
        order: The losses in the order wanted; as they come if absent.
        worst: Raw value that stands for a diverged run, by patient; the worst that is there if absent.

    Raises:
        Unanswerable: if a run lacks a patient that another run has, or a value is not finite.
    """
    dataset, metric = (str(values[column].iloc[0]) for column in ("dataset", "metric"))
    losses = list(order or dict.fromkeys(map(str, states["loss"])))
    told = zip(states["loss"], states["seed"], states["state"], strict=True)
    state = {(str(loss), int(seed)): str(kind) for loss, seed, kind in told}
    table = _table(values, dataset, metric).of_runs_with_scores(state)
    table.check(dataset, metric)
    instead = _worst(table, scale, worst)
    runs = {loss: _runs(loss, state, table.column) for loss in losses}
    inside: dict[str, Scores] = {}
    raw: dict[str, Scores] = {}
    for loss, of in runs.items():
        chosen = [table.of(loss, seed) for seed in of.scored]
        useless = [*(table.of(loss, seed) for seed in of.collapsed), *(instead for _ in of.diverged)]
        if chosen or useless:
            raw[loss] = np.column_stack([*chosen, *useless])
        if len(chosen) >= MIN_SEEDS:
            inside[loss] = scale.scores(np.column_stack(chosen))
    return Block(dataset, metric, scale, table.patients, tuple(inside), tuple(inside.values()), runs, raw)


@dataclass(frozen=True)
class _Table:
    """Raw values ``(patients, runs)``; what is missing is NaN."""

    array: Scores
    patients: tuple[str, ...]
    column: Mapping[tuple[str, int], int]

    def of(self, loss: str, seed: int) -> NDArray[np.float64]:
        if (loss, seed) not in self.column:
            raise Unanswerable(
                f"the collapsed run of {loss!r} with seed {seed} has no scores; give them, or call it failed"
            )
        return np.asarray(self.array[:, self.column[loss, seed]])

    def of_runs_with_scores(self, state: Mapping[tuple[str, int], str]) -> "_Table":
        kept = [run for run in self.column if state.get(run, "failed") in {"scored", "collapsed"}]
        at = [self.column[run] for run in kept]
        return _Table(self.array[:, at], self.patients, {run: i for i, run in enumerate(kept)})

    def check(self, dataset: str, metric: str) -> None:
        runs = list(self.column)
        infinite, missing = np.argwhere(np.isinf(self.array)), np.argwhere(np.isnan(self.array))
        for found in (infinite, missing):
            if not len(found):
                continue
            loss, seed = runs[int(found[0][1])]
            first = f"first that of patient {self.patients[int(found[0][0])]!r} under {loss!r}, seed {seed}"
            what, remedy = (
                (
                    "values are infinite",
                    "leave them empty, so that the policy for undefined values replaces them",
                )
                if found is infinite
                else ("scores are missing", "score what lacks, or leave the whole run out")
            )
            raise Unanswerable(f"dataset {dataset!r}, {metric}: {len(found)} {what}, {first}; {remedy}")


def _runs(loss: str, state: Mapping[tuple[str, int], str], column: Mapping[tuple[str, int], int]) -> Runs:
    own = sorted((seed, kind) for (name, seed), kind in state.items() if name == loss)
    by_kind = {part: tuple(seed for seed, kind in own if kind == part) for part in vars(Runs())}
    lacking = tuple(seed for seed in by_kind["scored"] if (loss, seed) not in column)
    by_kind["scored"] = tuple(seed for seed in by_kind["scored"] if seed not in lacking)
    by_kind["failed"] = tuple(sorted((*by_kind["failed"], *lacking)))
    return Runs(**by_kind)


def _table(values: pd.DataFrame, dataset: str, metric: str) -> _Table:
    loss, names = pd.factorize(values["loss"])
    patient, patients = pd.factorize(values["patient"], sort=True)
    seed, seeds = pd.factorize(values["seed"])
    run, runs = pd.factorize(loss.astype(np.int64) * max(len(seeds), 1) + seed)
    flat = patient.astype(np.int64) * len(runs) + run
    if len(np.unique(flat)) < len(flat):
        raise Unanswerable(
            f"dataset {dataset!r}, {metric}: a patient has two values in one run; leave one out"
        )
    array = np.full(len(patients) * len(runs), np.nan)
    array[flat] = values["value"].to_numpy(float)
    named = [(str(names[int(code) // len(seeds)]), int(seeds[int(code) % len(seeds)])) for code in runs]
    return _Table(
        array.reshape(len(patients), len(runs)),
        tuple(map(str, patients)),
        {each: i for i, each in enumerate(named)},
    )


def _worst(table: _Table, scale: Scale, worst: Mapping[str, float] | None) -> NDArray[np.float64]:
    if worst is not None:
        return np.array([worst[patient] for patient in table.patients])
    if scale.direction == "higher" or not table.array.size:
        return np.zeros(len(table.patients))
    return np.asarray(table.array.max(axis=1))
