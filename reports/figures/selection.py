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
    named = [loss for loss in results.losses if loss.label.casefold() in {"ce", "cross-entropy", "cross entropy"}]
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
    ranked = by_loss[reference.label].dropna().reset_index()
    ranked = ranked.sort_values([reference.label, "patient"], ignore_index=True)["patient"]
    chosen: dict[str, str] = {}
    for percentile in PERCENTILES:
        patient = str(ranked[round(percentile / 100 * (len(ranked) - 1))])
        chosen.setdefault(patient, f"{percentile}th percentile")
    spread = (by_loss.max(axis=1) - by_loss.min(axis=1)).drop(list(chosen))
    if len(spread) and len(by_loss.columns) > 1:
        chosen[str(spread.idxmax())] = "largest spread"
    return [ChosenCase(patient, _first_case(results, dataset, patient), why) for patient, why in chosen.items()]


def case_score(results: StudyResults, dataset: str, label: str, seed: int, case: str) -> dict[str, float]:
    """Return the mean over classes of every metric of one case under one run."""
    return _case_scores(results, dataset, seed).get((label, case), {})


def _case_scores(results: StudyResults, dataset: str, seed: int) -> dict[tuple[str, str], dict[str, float]]:
    rows = results.scores[(results.scores["dataset"] == dataset) & (results.scores["seed"] == seed)]
    means = rows.groupby(["label", "case", "metric"], observed=True)["imputed"].mean()
    found: dict[tuple[str, str], dict[str, float]] = {}
    for (label, case, metric), value in means.items():
        found.setdefault((str(label), str(case)), {})[str(metric)] = float(value)
    return found


def _first_case(results: StudyResults, dataset: str, patient: str) -> str:
    rows = results.cases[(results.cases["dataset"] == dataset) & (results.cases["patient"] == patient)]
    return str(pd.Series(rows["case"]).min())
