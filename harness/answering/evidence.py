"""All that an answer is made from, taken from the database once."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from harness.answering.asked import analysis_plan
from harness.answering.cases import descriptors, half_spacings, image_diagonals
from harness.answering.looks import digest_of_scores
from harness.answering.runs import ended_runs, run_states, whole_runs
from harness.answering.settled import settled_datasets
from harness.answering.shown import (
    Checkpoint,
    Part,
    Resolved,
    arm_labels,
    checkpoint_of,
    dataset_order,
    folds_of,
    part_of,
    progress_of,
    split_of,
)
from harness.errors import InputError
from harness.statistics.plan import AnalysisPlan
from harness.store import frames
from harness.store.database import Database
from harness.store.schema import FINAL_STATES
from harness.store.stages import StageRecord, read_stages

_SCORES = {
    "dataset": "dataset",
    "label": "loss",
    "seed": "seed",
    "patient": "patient",
    "case": "case",
    "class_index": "class_index",
    "metric": "metric",
    "unit": "unit",
    "direction": "direction",
    "value": "value",
    "imputed": "imputed",
    "reason": "reason",
}


@dataclass(frozen=True)
class Evidence:
    """Scores of a study and what has to be known of them.

    Attributes:
        name: Of the study.
        title: Of the study, possibly empty.
        plan: What is asked of the scores.
        datasets: Names, in the order of the study.
        losses: Labels in the order of the study, a tuned arm behind the declared one, other networks last.
        families: Family by label.
        expressions: Canonical loss by label.
        scores: Columns dataset, loss, seed, patient, case, class_index, metric, unit, direction, value (NaN
            where undefined), imputed, reason: one part, one checkpoint, runs with all their folds.
        states: Columns dataset, loss, seed, state (``scored``, ``collapsed``, ``diverged``, ``failed``),
            seconds of training: every run that has ended.
        worst: Diagonal of the image in mm, the mean over the cases of a patient, by dataset and patient.
        eps: Half the smallest in-plane spacing in mm, by dataset.
        patients: Columns dataset, patient and what the ground truth tells of it, the mean over its cases:
            volume_ml (of all foreground classes), foreground_fraction (0..1).
        part: The cases that are shown.
        checkpoint: The checkpoint that is shown.
        complete: Whether every planned trial is done or diverged.
        folds: Number of folds by dataset; above one, every patient is scored once, out of fold.
        simulated: Whether any dataset is.
        looks: How many distinct sets of test scores were analysed, these among them.
        digest: sha256 of the scores, every metric of them.
        stages: Looks that ``run --until-decided`` took, in the order of time; each is in ``looks``, too.
        settled: Datasets on which it has ended: seeds may differ between losses there.
    """

    name: str
    title: str
    plan: AnalysisPlan
    datasets: tuple[str, ...]
    losses: tuple[str, ...]
    families: Mapping[str, str]
    expressions: Mapping[str, str]
    scores: pd.DataFrame = field(repr=False)
    states: pd.DataFrame = field(repr=False)
    worst: Mapping[str, Mapping[str, float]] = field(repr=False)
    eps: Mapping[str, float]
    patients: pd.DataFrame = field(repr=False)
    part: Part
    checkpoint: Checkpoint
    complete: bool
    folds: Mapping[str, int]
    simulated: bool
    looks: int
    digest: str
    stages: tuple[StageRecord, ...] = ()
    settled: frozenset[str] = frozenset()


def load_evidence(
    database: Database,
    study: str,
    *,
    peek: bool = False,
    checkpoint: Checkpoint | None = None,
    scores: pd.DataFrame | None = None,
) -> Evidence:
    """Read a study.

    An incomplete study gives validation scores; nothing is recorded, so whoever shows test scores calls
    :func:`~harness.answering.looks.record_look` with the digest.

    Args:
        database: Open results database.
        study: Its name.
        peek: Take test scores although the study is incomplete.
        checkpoint: Instead of the one that the protocol reports.
        scores: Those of that part and checkpoint and of whole runs, if they were read already.

    Raises:
        InputError: if there is no such study, or none of its trials is finished.
    """
    document = frames.study_document(database, study)
    trials = frames.trials(database, study)
    own = trials[trials["purpose"] == "study"].reset_index(drop=True)
    if not own["state"].isin(FINAL_STATES).any():
        raise InputError(f"study {study!r} has no finished trial yet; run 'lossbench run {study}' first")
    resolved = document.resolved
    datasets = dataset_order(own, resolved)
    folds = {name: folds_of(split_of(trials, name)) for name in datasets}
    stages = read_stages(database, study)
    settled = settled_datasets(stages, own, resolved)
    complete = progress_of(own, resolved, folds, settled).complete
    part = part_of(resolved, complete, peek)
    shown = checkpoint or checkpoint_of(resolved)
    runs = run_states(own, folds)
    if scores is None:
        scores = whole_runs(frames.scores(database, study, part=part, checkpoint=shown), runs)
    digest = digest_of_scores(scores)
    first = own.drop_duplicates("label").astype({"label": str, "family": str, "expression": str})
    expressions = dict(zip(first["label"], first["expression"], strict=True))
    cases = frames.cases(database, study).drop_duplicates(["dataset", "patient", "case"], ignore_index=True)
    return Evidence(
        name=document.name,
        title=document.title,
        plan=analysis_plan(resolved, expressions, datasets),
        datasets=datasets,
        losses=loss_order(first["label"], resolved),
        families=dict(zip(first["label"], first["family"], strict=True)),
        expressions=expressions,
        scores=scores[list(_SCORES)].rename(columns=_SCORES),
        states=ended_runs(runs),
        worst=image_diagonals(cases),
        eps=half_spacings(cases),
        patients=descriptors(cases),
        part=part,
        checkpoint=shown,
        complete=complete,
        folds=folds,
        simulated=any(name.endswith("-sim") for name in datasets),
        looks=len({*frames.looks(database, study)["digest"], *([digest] if part == "test" else [])}),
        digest=digest,
        stages=tuple(stages),
        settled=settled,
    )


def loss_order(labels: "pd.Series[str]", resolved: Resolved) -> tuple[str, ...]:
    """Return labels in the order of the study; those that it does not declare come last."""
    declared = arm_labels(resolved)
    return tuple(
        sorted(
            map(str, labels),
            key=lambda label: (declared.index(label) if label in declared else len(declared), label),
        )
    )
