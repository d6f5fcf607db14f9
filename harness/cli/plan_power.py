"""What a study could find before it is run, dataset by dataset: from its pilot trials or stated variances."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from harness.answering.asked import analysis_plan
from harness.answering.shown import arm_labels
from harness.cli.pilot_scores import metric_scale, pilot_scores
from harness.cli.preparation import ReadyDataset
from harness.data.splits import partition
from harness.errors import InputError, nearest
from harness.metrics import METRICS
from harness.scheduling.costs import Costs
from harness.statistics.block import MIN_SEEDS, Unanswerable
from harness.statistics.pilot import Pilot, pilot_of
from harness.statistics.scale import Scale
from harness.statistics.study_power import Design, StudyPower, power_of_pilot, power_of_stated
from harness.statistics.variance_components import Components, stated_components
from harness.store.database import Database
from harness.study.plan import cell_trials, chosen_folds
from harness.study.spec import Study
from harness.study.variants import rows


@dataclass(frozen=True)
class Wanted:
    """What is asked of the planner.

    Attributes:
        metric: Name; the primary endpoint of the study if None.
        patients: Tested patients instead of those of the split.
        stated: Components instead of those of a pilot.
        patient_hours: What one more patient costs.
    """

    metric: str | None = None
    patients: int | None = None
    stated: Components | None = None
    patient_hours: float | None = None


@dataclass(frozen=True)
class DatasetPower:
    """What a study could find on one dataset.

    Attributes:
        dataset: Its name.
        metric: Which.
        scale: Of the metric: differences are of scores on it.
        part: Whose patients the design tests.
        found: The figures; None if there are none.
        reason: Why there are none.
        pilot: Where they come from; None if variances were stated.
        seed_hours: Of one more seed of every loss, all folds, on one worker; None if a time is unknown.
    """

    dataset: str
    metric: str
    scale: Scale
    part: str
    found: StudyPower | None
    reason: str = ""
    pilot: Pilot | None = None
    seed_hours: float | None = None


def refuse_without_power(options: Mapping[str, object]) -> None:
    """Refuse options that only ``--power`` heeds.

    Args:
        options: What was given, by option.

    Raises:
        InputError: naming one that was given.
    """
    for name, value in options.items():
        if value is not None:
            raise InputError(f"{name} belongs to --power; give both, or neither")


def stated(text: str) -> Components:
    """Return the components that ``case=.05,seed=.01,residual=.03`` states as standard deviations.

    Raises:
        InputError: naming what is missing or no number.
    """
    known = ("case", "seed", "residual")
    found: dict[str, float] = {}
    for item in text.split(","):
        name, _, value = (part.strip() for part in item.partition("="))
        if name not in known:
            hint = nearest(name, known) or f"; it takes {', '.join(known)}"
            raise InputError(f"--sd: unknown part {name!r}{hint}")
        try:
            found[name] = float(value)
        except ValueError:
            raise InputError(f"--sd: {name} must be a number (got {value!r})") from None
    if missing := [name for name in known if name not in found]:
        raise InputError(f"--sd lacks {' and '.join(missing)}; write case=.05,seed=.01,residual=.03")
    try:
        return stated_components(**found)
    except Unanswerable as error:
        raise InputError(f"--sd: {error}") from None


def power_of_study(
    study: Study,
    ready: Sequence[ReadyDataset | None],
    database: Database | None,
    costs: Costs,
    wanted: Wanted,
) -> list[DatasetPower]:
    """Return what a study could find on each of its datasets.

    Args:
        study: Which.
        ready: Its datasets, None where the files are not here.
        database: Results; None where there is no database yet.
        costs: Of its trials.
        wanted: What is asked.

    Raises:
        InputError: if the metric is unknown.
    """
    metric = wanted.metric or study.analysis.metric
    if metric not in METRICS:
        hint = nearest(metric, METRICS) or f"; known: {', '.join(METRICS)}"
        raise InputError(f"unknown metric {metric!r}{hint}")
    scores = pd.DataFrame() if wanted.stated else pilot_scores(database, study.study, metric)
    return [
        _of_dataset(study, entry.dataset, each, scores, costs, wanted)
        for entry, each in zip(study.dataset_entries, ready, strict=True)
    ]


def tested_patients(study: Study, dataset: ReadyDataset) -> int:
    """Return how many patients a study tests: of all folds together, or those of its validation set."""
    patients = dataset.prepared.patients
    split = dataset.study_dataset.split
    cases: set[str] = set()
    for fold in chosen_folds(study, split):
        sides = partition(split, patients, 0, fold)
        cases |= {*(sides.validation if study.evaluation == "validation" else sides.test)}
    return len({case.patient for case in dataset.prepared.cases_named(tuple(sorted(cases)))})


def _of_dataset(
    study: Study,
    name: str,
    ready: ReadyDataset | None,
    scores: pd.DataFrame,
    costs: Costs,
    wanted: Wanted,
) -> DatasetPower:
    dataset = name if ready is None else ready.prepared.name
    metric = wanted.metric or study.analysis.metric
    spacings = () if ready is None else tuple(case.spacing for case in ready.prepared.cases)
    scale = metric_scale(metric, spacings)
    part = "validation" if study.evaluation == "validation" else "test"
    resolved = study.model_dump(mode="json")
    labels = arm_labels(resolved)
    hours = {} if ready is None else _run_hours(study, ready, costs)
    whole = sum(hours.values()) / len(hours) * len(labels) if hours else None
    patients = wanted.patients or (0 if ready is None else tested_patients(study, ready))
    if not patients:
        told = "its data is not here, so the number of its patients is unknown; give --patients"
        return DatasetPower(dataset, metric, scale, part, None, told)
    margins = analysis_plan(resolved, {}, (dataset,))
    design = Design(
        patients,
        max(MIN_SEEDS, study.seeds),
        len(labels),
        scale.margin(margins.margin(dataset, metric)),
        margins.alpha_look,
        patient_hours=wanted.patient_hours,
    )
    if wanted.stated is not None:
        found = power_of_stated(wanted.stated, design, hours)
        return DatasetPower(dataset, metric, scale, part, found, seed_hours=whole)
    try:
        pilot = _pilot(scores, dataset, labels, scale)
    except Unanswerable as error:
        return DatasetPower(dataset, metric, scale, part, None, str(error))
    found = power_of_pilot(pilot, design, hours)
    return DatasetPower(dataset, metric, scale, part, found, pilot=pilot, seed_hours=whole)


def _pilot(scores: pd.DataFrame, dataset: str, labels: Sequence[str], scale: Scale) -> Pilot:
    own = scores[(scores["dataset"] == dataset) & scores["loss"].isin(labels)]
    if own.empty:
        raise Unanswerable(
            "nothing of it was trained yet; train two seeds of two losses as a pilot, or state standard "
            "deviations with --sd case=.05,seed=.01,residual=.03"
        )
    values = own.assign(score=scale.scores(own["value"].to_numpy(float)))
    return pilot_of(values, [label for label in labels if label in set(own["loss"])])


def _run_hours(study: Study, ready: ReadyDataset, costs: Costs) -> dict[str, float]:
    """Return the hours of one run of every loss whose trials were timed, all folds together."""
    found: dict[str, float] = {}
    for row in rows(study):
        if not row.entry.is_known:
            continue
        trials = [
            cell_trials(row.study, ready.study_dataset, row.label, row.entry.spec(), fold)[0]
            for fold in chosen_folds(study, ready.study_dataset.split)
        ]
        seconds = [costs.seconds(trial) for trial in trials]
        known = [each for each in seconds if each is not None]
        if trials and len(known) == len(trials):
            found[row.label] = sum(known) / 3600
    return found
