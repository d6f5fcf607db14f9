"""Values for the R package challengeR: one row per task, case and algorithm, none missing.

A task is a class of a dataset. A case is a patient, for challengeR resamples cases and two frames of a
patient are not independent; an algorithm is a loss. A value is the mean over seeds of the patient's mean
imputed test score at the best checkpoint.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.store.exchange.manifest import Algorithm

COLUMNS = ("task", "case", "alg_name", "value")

_CASE = ["metric", "dataset", "class_name", "label", "seed", "patient", "case"]
_CELL = ["dataset", "label"]


@dataclass(frozen=True)
class ChallengeTable:
    """The values of one metric.

    Attributes:
        metric: Its name.
        small_better: Whether small values are better.
        values: Columns :data:`COLUMNS`, sorted.
    """

    metric: str
    small_better: bool
    values: pd.DataFrame


def challenge_tables(scores: pd.DataFrame) -> Iterator[ChallengeTable]:
    """Yield the values of every metric with test scores.

    Args:
        scores: From :func:`harness.store.frames.scores`.
    """
    test = _complete(_tested(scores))
    directions = test.drop_duplicates("metric").set_index("metric")["direction"]
    cases = test.groupby(_CASE, observed=True)["imputed"].mean()
    patients = cases.groupby(_CASE[:-1], observed=True).mean()
    values = patients.groupby([name for name in _CASE[:-1] if name != "seed"], observed=True).mean()
    frame = values.rename("value").reset_index()
    if frame.empty:
        return
    frame["task"] = frame["dataset"] + ": " + frame["class_name"]
    frame = frame.rename(columns={"patient": "case", "label": "alg_name"})
    for metric, found in frame.groupby("metric"):
        rows = found[list(COLUMNS)].sort_values(list(COLUMNS[:3]), ignore_index=True)
        yield ChallengeTable(str(metric), bool(directions[metric] == "lower"), rows)


def algorithms(study: str, scores: pd.DataFrame, trials: pd.DataFrame) -> list[Algorithm]:
    """Return what stands behind every algorithm's values, those that were left out included.

    Args:
        study: Name of the study.
        scores: From :func:`harness.store.frames.scores`.
        trials: From :func:`harness.store.frames.trials`.
    """
    test = _tested(scores)
    seeds = test.groupby(_CELL)["seed"].nunique()
    measured = _metrics_by(["dataset"], test)
    kept = _metrics_by(_CELL, _complete(test))
    own = trials[trials["purpose"] == "study"]
    diverged = own[own["state"] == "diverged"].groupby(_CELL).size()
    found = []
    for dataset, label in sorted(set(own[_CELL].itertuples(index=False, name=None))):
        cell = (dataset, label)
        scored = int(seeds.get(cell, 0))
        lacking = sorted(measured.get((dataset,), set()) - kept.get(cell, set()))
        reason = f"not every patient has {', '.join(lacking)}" if scored and lacking else ""
        found.append(
            Algorithm(
                study=study,
                dataset=dataset,
                algorithm=label,
                seeds=scored,
                diverged=int(diverged.get(cell, 0)),
                left_out=reason if scored else "no test scores",
            )
        )
    return found


def _tested(scores: pd.DataFrame) -> pd.DataFrame:
    """Return test scores of the best checkpoint, with texts instead of categories."""
    rows = scores[(scores["part"] == "test") & (scores["checkpoint"] == "best")]
    texts = ("metric", "dataset", "class_name", "label", "patient", "case", "direction")
    return rows.astype(dict.fromkeys(texts, str))


def _metrics_by(names: list[str], test: pd.DataFrame) -> dict[tuple[str, ...], set[str]]:
    found: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for *key, metric in test[[*names, "metric"]].drop_duplicates().itertuples(index=False, name=None):
        found[tuple(key)].add(metric)
    return found


def _complete(test: pd.DataFrame) -> pd.DataFrame:
    """Leave an algorithm out of a metric on a dataset if it lacks a value that another algorithm has."""
    everywhere, cell = ["metric", "dataset"], ["metric", *_CELL]
    value = ["class_name", "patient"]
    wanted = test.drop_duplicates([*everywhere, *value]).groupby(everywhere).size()
    has = test.drop_duplicates([*cell, *value]).groupby(cell).size()
    complete: list[Any] = [found for found, count in has.items() if count == wanted[found[:2]]]  # type: ignore[index]
    return test[pd.MultiIndex.from_frame(test[cell]).isin(complete)] if complete else test[:0]
