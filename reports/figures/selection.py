"""Which cases the overlays show: a fixed rule, so that nobody picks them by hand."""

from dataclasses import dataclass

import pandas as pd

from reports.results import ListedLoss, StudyResults

PERCENTILES = (10, 50, 90)


@dataclass(frozen=True)
class ChosenCase:
    """A case and why it is shown."""

    patient: str
    case: str
    why: str


def reference_loss(results: StudyResults) -> ListedLoss:
    """Return plain cross-entropy if the study has it, else the first loss."""
    plain = [loss for loss in results.losses if loss.expression == "ce"]
    named = [
        loss for loss in results.losses if loss.label.casefold() in {"ce", "cross-entropy", "cross entropy"}
    ]
    return (plain or named or list(results.losses))[0]


def choose_cases(results: StudyResults, dataset: str, seed: int) -> list[ChosenCase]:
    """Choose cases by their DSC under one seed.

    Patients at the 10th, 50th and 90th percentile of the reference loss, and the one whose DSC differs
    most between losses. Of a patient with several cases the first is shown.

    Returns:
        Up to four cases, none twice; none where the reference loss has no scores.
    """
    rows = results.patients
    rows = rows[(rows["dataset"] == dataset) & (rows["metric"] == "dsc") & (rows["seed"] == seed)]
    by_loss = rows.pivot_table(index="patient", columns="label", values="value")
    reference = reference_loss(results)
    if reference.label not in by_loss:
        return []
    known = by_loss[reference.label].dropna().reset_index()
    ranked = list(known.sort_values([reference.label, "patient"])["patient"])
    chosen: dict[str, str] = {}
    for percentile in PERCENTILES:
        patient = str(ranked[round(percentile / 100 * (len(ranked) - 1))])
        chosen.setdefault(patient, f"{percentile}th percentile")
    spread = (by_loss.max(axis=1) - by_loss.min(axis=1)).drop(list(chosen))
    if len(spread) and len(by_loss.columns) > 1:
        chosen[str(spread.idxmax())] = "largest spread"
    return [
        ChosenCase(patient, _first_case(results, dataset, patient), why) for patient, why in chosen.items()
    ]


def case_score(results: StudyResults, dataset: str, label: str, seed: int, case: str) -> dict[str, float]:
    """Return the mean over classes of every metric of one case under one run."""
    scores = results.scores
    place = (scores["dataset"] == dataset) & (scores["label"] == label) & (scores["case"] == case)
    means = scores[place & (scores["seed"] == seed)].groupby("metric", observed=True)["imputed"].mean()
    return {str(metric): float(value) for metric, value in means.items()}


def _first_case(results: StudyResults, dataset: str, patient: str) -> str:
    rows = results.cases[(results.cases["dataset"] == dataset) & (results.cases["patient"] == patient)]
    return str(pd.Series(rows["case"]).min())
