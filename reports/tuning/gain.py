"""What tuning gained: the tuned arm against the default one, over patients and seeds."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.statistics.block import MIN_PATIENTS, Scores
from harness.statistics.crossed import Difference, crossed_difference
from reports.results import StudyResults
from reports.tuning.loss_search import loss_searches

METRIC = "dsc"
HARM = 0.01
"""A patient whose DSC falls by more than this is harmed; smaller differences are negligible."""


@dataclass(frozen=True)
class Gain:
    """Tuned minus default arm of one loss on one dataset.

    Attributes:
        dataset: Where.
        default: Label of the default arm.
        tuned: Label of the tuned arm.
        means: Mean DSC of default and tuned arm; collapsed runs are left out.
        patients: Their number; of validation patients per run, the smallest.
        seeds: Runs of default and tuned arm that enter.
        left_out: Collapsed or diverged runs of default and tuned arm.
        interval: With its scope; None where there is none, see ``why``.
        why: Why there is no interval.
        harmed: Share of patients whose mean over seeds falls by more than :data:`HARM`.
    """

    dataset: str
    default: str
    tuned: str
    means: tuple[float, float]
    patients: int
    seeds: tuple[int, int]
    left_out: tuple[int, int]
    interval: Difference | None
    why: str
    harmed: float

    @property
    def difference(self) -> float:
        """Tuned minus default."""
        return self.means[1] - self.means[0]


def gains(results: StudyResults) -> list[Gain]:
    """Return the gain of every tuned loss whose two arms have complete runs."""
    return [
        _gain(results, dataset, labels, arms)
        for dataset, labels, arms in _pairs(results)
        if not any(arm.empty for arm in arms)
    ]


def without_comparison(results: StudyResults) -> list[tuple[str, str]]:
    """Return dataset and label of every arm whose complete runs have all collapsed or diverged."""
    runs = results.runs
    return [
        (dataset, label)
        for dataset, labels, arms in _pairs(results)
        for label, arm in zip(labels, arms, strict=True)
        if arm.empty and ((runs["dataset"] == dataset) & (runs["label"] == label)).any()
    ]


def _pairs(results: StudyResults) -> Iterator[tuple[str, tuple[str, str], list[pd.DataFrame]]]:
    """Yield dataset, labels and scores of the two arms of every tuned loss that has two."""
    for search in loss_searches(results):
        if search.default is not None:
            labels = (search.default, search.label)
            yield search.dataset, labels, [_matrix(results, search.dataset, label) for label in labels]


def _gain(results: StudyResults, dataset: str, labels: tuple[str, str], arms: list[pd.DataFrame]) -> Gain:
    default, tuned = arms
    runs = results.runs[results.runs["dataset"] == dataset]
    bad = runs[runs["collapsed"] | runs["diverged"]]["label"]
    by_patient = (tuned.mean(axis=1) - default.mean(axis=1)).dropna()
    interval, why = _interval(default, tuned)
    return Gain(
        dataset,
        *labels,
        means=(float(default.mean().mean()), float(tuned.mean().mean())),
        patients=min(int(number) for arm in arms for number in arm.notna().sum()),
        seeds=(default.shape[1], tuned.shape[1]),
        left_out=(int((bad == labels[0]).sum()), int((bad == labels[1]).sum())),
        interval=interval,
        why=why,
        harmed=float((by_patient < -HARM).mean()) if len(by_patient) else float("nan"),
    )


def _interval(default: pd.DataFrame, tuned: pd.DataFrame) -> tuple[Difference | None, str]:
    if default.isna().any(axis=None) or tuned.isna().any(axis=None) or set(default.index) != set(tuned.index):
        return None, "patients differ between seeds"
    if len(default) < MIN_PATIENTS:
        return None, f"fewer than {MIN_PATIENTS} patients"
    first, second = (_scores(arm) for arm in (tuned.loc[default.index], default))
    return crossed_difference(first, second), ""


def _scores(arm: pd.DataFrame) -> Scores:
    return np.asarray(arm.to_numpy(), np.float64)


def _matrix(results: StudyResults, dataset: str, label: str) -> pd.DataFrame:
    """Return DSC by patient and seed, of runs that did not collapse."""
    rows = results.patients
    rows = rows[(rows["dataset"] == dataset) & (rows["label"] == label) & (rows["metric"] == METRIC)]
    runs = results.runs
    bad = runs[(runs["dataset"] == dataset) & (runs["label"] == label) & runs["collapsed"]]["seed"]
    return rows[~rows["seed"].isin(bad)].pivot_table(index="patient", columns="seed", values="value")
