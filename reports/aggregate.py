"""From scores to patient values, run values and table cells: pure functions over frames.

The patient is the unit. Its value is the mean over its cases of the mean over foreground classes; the
value of a run, one (loss, seed), is the mean over patients, all folds together.
"""

from collections.abc import Sequence

import pandas as pd

_RUN = ["dataset", "label", "seed", "metric"]


def patient_values(scores: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return the value of every patient in every run.

    Args:
        scores: Rows of :func:`harness.store.frames.scores`, of one part and checkpoint.
        by: Further columns to keep apart, for example ``class_index``.

    Returns:
        Columns dataset, label, seed, metric, those of ``by``, patient, value.
    """
    run = [*_RUN, *by]
    within_case = scores.groupby([*run, "fold", "patient", "case"], observed=True)["imputed"].mean()
    within_patient = within_case.groupby([*run, "patient"], observed=True).mean()
    return (
        within_patient.rename("value")
        .reset_index()
        .astype(dict.fromkeys(("dataset", "label", "metric"), str))
    )


def run_values(patients: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return the mean over patients of every run, with their number.

    Args:
        patients: From :func:`patient_values`.
        by: The same further columns.
    """
    groups = patients.groupby([*_RUN, *by], observed=True)["value"]
    return groups.agg(value="mean", patients="count").reset_index()


def seed_statistics(runs: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return mean and standard deviation over seeds (ddof 1; NaN for one seed) and their number.

    Args:
        runs: From :func:`run_values`.
        by: The same further columns.
    """
    groups = runs.groupby(["dataset", "label", "metric", *by], observed=True)["value"]
    return groups.agg(mean="mean", sd="std", seeds="count").reset_index()
