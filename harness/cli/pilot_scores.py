"""Validation scores of a study's trials so far: what planning may read, for it must not spend a look."""

from collections.abc import Collection

import pandas as pd

from harness.answering.runs import run_states, whole_runs
from harness.answering.shown import checkpoint_of, folds_of, split_of
from harness.metrics import METRICS
from harness.statistics.scale import EPS_MM, Scale, scale_of
from harness.store import frames
from harness.store.database import Database
from harness.store.summaries import study_names

_PATIENT = ["dataset", "label", "seed", "patient"]


def pilot_scores(database: Database | None, study: str, metric: str) -> pd.DataFrame:
    """Return a study's validation scores of one metric, of runs that are whole and did not collapse.

    Args:
        database: Results; None where there is no database yet.
        study: Its name.
        metric: Name of the metric.

    Returns:
        Columns dataset, loss, seed, patient, value (raw, undefined values replaced): one row for every
        patient of every run, the mean over its cases; empty if nothing was trained.
    """
    empty = pd.DataFrame(columns=["dataset", "loss", "seed", "patient", "value"])
    if database is None or study not in study_names(database):
        return empty
    trials = frames.trials(database, study)
    own = trials[trials["purpose"] == "study"].reset_index(drop=True)
    if own.empty or metric not in set(frames.metrics(database)["name"]):
        return empty
    folds = {str(name): folds_of(split_of(trials, str(name))) for name in own["dataset"].unique()}
    runs = run_states(own, folds)
    checkpoint = checkpoint_of(frames.study_document(database, study).resolved)
    scores = frames.scores(database, study, metric=metric, part="validation", checkpoint=checkpoint)
    scores = whole_runs(scores, runs[~runs["collapsed"] & ~runs["diverged"]])
    if scores.empty:
        return empty
    in_case = scores.groupby([*_PATIENT, "fold", "case"], observed=True)["imputed"].mean()
    values = in_case.groupby(_PATIENT, observed=True).mean().rename("value").reset_index()
    return values.rename(columns={"label": "loss"}).astype({"dataset": str, "loss": str, "patient": str})


def metric_scale(metric: str, spacings: Collection[tuple[float, ...]]) -> Scale:
    """Return the scale on which a metric is analysed.

    Args:
        metric: Name of the metric.
        spacings: Of the cases, in mm, the two in the plane last; may be empty.
    """
    known = METRICS[metric]
    eps = min((min(spacing[-2:]) / 2 for spacing in spacings), default=EPS_MM)
    return scale_of(metric, known.direction, known.unit, eps)
