"""Scores of segmentations that somebody else's network made, beside those of trials.

Such a network becomes a trial of the loss family ``external``, whose key hashes truths, label, seed and
predictions. In a study that trains, it joins one of the study's datasets, and only with the same truths
and the same test cases.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert, select

from harness.errors import InputError
from harness.store.database import Database
from harness.store.datasets import DatasetRecord, register_dataset
from harness.store.registration import put_in_study
from harness.store.rows import digest_of, insert_row, upsert_row
from harness.store.runs import insert_run
from harness.store.schema import (
    EXTERNAL,
    CaseRow,
    DatasetRow,
    EnvironmentRow,
    LossRow,
    MetricRow,
    PatientRow,
    ScoreRow,
    SplitCaseRow,
    StudyRow,
    StudyTrialRow,
    TrialRow,
)

SCORED_ONLY = "scored predictions, nothing trained"
"""Origin of a study in which there is nothing else."""


@dataclass(frozen=True)
class ExternalScores:
    """The scores of one network's predictions.

    Attributes:
        study: Name of the study that shows them; made if absent.
        label: Name of the network in tables.
        seed: Which of several trainings of that network.
        dataset: Name of the dataset in tables; None: that of the study if it has one only, else the
            record's.
        truths: The dataset as its truths tell it.
        predictions: Digest of the predicted label maps.
        metrics: Rows of ``metric``.
        scores: Rows of ``score`` with ``case`` and ``metric`` as names.
        environment: Which program and machine scored.
        command: The command that scored.
    """

    study: str
    label: str
    seed: int
    dataset: str | None
    truths: DatasetRecord
    predictions: str
    metrics: Sequence[Mapping[str, Any]]
    scores: Sequence[Mapping[str, Any]]
    environment: Mapping[str, str]
    command: str = "lossbench score"


@dataclass(frozen=True)
class StoredScores:
    """Where scores went: the dataset's name in tables, and whether the database did not have them."""

    dataset: str
    new: bool


@dataclass(frozen=True)
class _Place:
    """A dataset in a study; ``fingerprint`` is that of the row which holds its cases."""

    dataset: str
    fingerprint: str
    trained: bool


def store_external(database: Database, found: ExternalScores) -> StoredScores:
    """Write the scores of a network in one transaction; the same predictions again change nothing.

    Metrics that the database does not have of them yet are added.

    Raises:
        InputError: if the label and seed belong to other predictions or to a trained loss, or the study
            trains on other truths or tests other cases.
    """
    with database.read() as connection:
        place = _place(connection, found)
        _refuse_taken(connection, found, place)
    if place.fingerprint == found.truths.fingerprint:
        register_dataset(database, found.truths)
    with database.write() as connection:
        _refuse_taken(connection, found, place)
        trial_id = _trial_id(connection, found, place)
        _put_in_study(connection, found, place, trial_id)
        return StoredScores(place.dataset, _add_scores(connection, found, trial_id) > 0)


def _place(connection: Connection, found: ExternalScores) -> _Place:
    """Decide which dataset of the study the truths are."""
    question = (
        select(StudyTrialRow.dataset, DatasetRow.fingerprint, LossRow.family)
        .join(StudyRow, StudyRow.id == StudyTrialRow.study_id)
        .join(TrialRow, TrialRow.id == StudyTrialRow.trial_id)
        .join(DatasetRow, DatasetRow.id == TrialRow.dataset_id)
        .join(LossRow, LossRow.id == TrialRow.loss_id)
        .where(StudyRow.name == found.study, StudyTrialRow.current)
        .distinct()
    )
    rows = connection.execute(question).all()
    known = sorted({row.dataset for row in rows})
    name = found.dataset or (known[0] if len(known) == 1 else found.truths.name)
    trained = {row.fingerprint for row in rows if row.dataset == name and row.family != EXTERNAL}
    if trained:
        fingerprint = min(trained)
        _require_same_truths(connection, found, fingerprint, name)
        return _Place(name, fingerprint, trained=True)
    if any(row.family != EXTERNAL for row in rows):
        raise InputError(
            f"study {found.study!r} has no dataset {name!r}; it has: {', '.join(known)}; choose one with "
            "--dataset, or give another --study"
        )
    others = {row.fingerprint for row in rows if row.dataset == name} - {found.truths.fingerprint}
    if others:
        raise InputError(
            f"study {found.study!r} has other truths, cases, patients or class names as dataset {name!r}; "
            "give another --dataset, or score the same ones"
        )
    return _Place(name, found.truths.fingerprint, trained=False)


def _require_same_truths(connection: Connection, found: ExternalScores, fingerprint: str, name: str) -> None:
    """Compare cases with those of a prepared dataset: names, grids, voxels of every class, test set."""
    question = (
        select(CaseRow.name, CaseRow.shape, CaseRow.spacing, CaseRow.voxels)
        .join(PatientRow, PatientRow.id == CaseRow.patient_id)
        .join(DatasetRow, DatasetRow.id == PatientRow.dataset_id)
        .where(DatasetRow.fingerprint == fingerprint)
    )
    rows = {row.name: row for row in connection.execute(question)}
    where = f"study {found.study!r}, dataset {name!r}"
    for _, case, _, shape, spacing, voxels in found.truths.cases:
        row = rows.get(case)
        if row is None:
            raise InputError(
                f"{where}: it has no case {case!r}, but for example {min(rows)!r}; name the cases alike, "
                "with --truth-pattern and --pred-pattern"
            )
        same = list(shape) == row.shape and list(voxels) == row.voxels
        if not (same and np.allclose(spacing, row.spacing, rtol=1e-3)):
            raise InputError(
                f"{where}: the truth of case {case!r} is another one (shape, spacing or voxels per class); "
                "score against the study's own truths, with its --labels and --slices"
            )
    cases = {case for _, case, *_ in found.truths.cases}
    tested = _tested(connection, found.study, name)
    if tested and tested != cases:
        raise InputError(
            f"{where}: it tests {len(tested)} cases, these are {len(cases)}, and "
            f"{len(tested & cases)} are in both; list its test cases in a file and give --only FILE"
        )


def _tested(connection: Connection, study: str, dataset: str) -> set[str]:
    """Return the cases that the trials of a study test, all folds together."""
    question = (
        select(CaseRow.name)
        .join(SplitCaseRow, SplitCaseRow.case_id == CaseRow.id)
        .join(TrialRow, TrialRow.split_id == SplitCaseRow.split_id)
        .join(StudyTrialRow, StudyTrialRow.trial_id == TrialRow.id)
        .join(StudyRow, StudyRow.id == StudyTrialRow.study_id)
        .where(StudyRow.name == study, StudyTrialRow.dataset == dataset, StudyTrialRow.current)
        .where(TrialRow.purpose == "study", SplitCaseRow.part == "test")
        .distinct()
    )
    return set(connection.scalars(question))


def _canonical(found: ExternalScores, place: _Place) -> dict[str, Any]:
    return {
        "fingerprint": place.fingerprint,
        "label": found.label,
        "seed": found.seed,
        "predictions": found.predictions,
    }


def _as_study(found: ExternalScores, place: _Place) -> dict[str, Any]:
    """Return what was asked for, in the words of a study file."""
    return {
        "study": found.study,
        "datasets": [place.dataset],
        "losses": [{"label": found.label, "loss": EXTERNAL}],
        "seed": found.seed,
        "evaluation": "test",
        "origin": SCORED_ONLY,
    }


def _refuse_taken(connection: Connection, found: ExternalScores, place: _Place) -> None:
    """Raise if the study has something else under this label, dataset and seed."""
    question = (
        select(TrialRow.key, TrialRow.seed, LossRow.family)
        .join(StudyTrialRow, StudyTrialRow.trial_id == TrialRow.id)
        .join(StudyRow, StudyRow.id == StudyTrialRow.study_id)
        .join(LossRow, LossRow.id == TrialRow.loss_id)
        .where(StudyRow.name == found.study, StudyTrialRow.label == found.label, StudyTrialRow.current)
        .where(StudyTrialRow.dataset == place.dataset)
    )
    key = digest_of(_canonical(found, place))
    for row in connection.execute(question):
        if row.family != EXTERNAL:
            raise InputError(
                f"study {found.study!r} trains a loss called {found.label!r}; give another --label"
            )
        if row.seed == found.seed and row.key != key:
            raise InputError(
                f"study {found.study!r} has other predictions as {found.label!r}, seed {found.seed}, on "
                f"{place.dataset!r}; give another --label, or --seed {found.seed + 1} for another training "
                "of the same network"
            )


def _trial_id(connection: Connection, found: ExternalScores, place: _Place) -> int:
    canonical = _canonical(found, place)
    key = digest_of(canonical)
    known = connection.scalar(select(TrialRow.id).where(TrialRow.key == key))
    if known is not None:
        return known
    loss = {EXTERNAL: found.label}
    described = {"expression": found.label, "family": EXTERNAL, "canonical": loss}
    facts = dict(found.environment)
    return insert_row(
        connection,
        TrialRow,
        key=key,
        dataset_id=connection.scalar(
            select(DatasetRow.id).where(DatasetRow.fingerprint == place.fingerprint)
        ),
        loss_id=upsert_row(connection, LossRow, {"digest": digest_of(loss)}, described),
        environment_id=upsert_row(connection, EnvironmentRow, {"digest": digest_of(facts)}, {"facts": facts}),
        run_id=insert_run(connection, found.study, _as_study(found, place), found.command),
        seed=found.seed,
        fold=0,
        purpose="study",
        canonical=canonical,
        state="done",
        attempts=1,
        collapsed=False,
        finished=datetime.now(UTC),
    )


def _put_in_study(connection: Connection, found: ExternalScores, place: _Place, trial_id: int) -> None:
    study_id = connection.scalar(select(StudyRow.id).where(StudyRow.name == found.study))
    if study_id is None:
        values = {"title": "", "resolved": {}, "updated": datetime.now(UTC)}
        study_id = insert_row(connection, StudyRow, name=found.study, **values)
    put_in_study(connection, study_id, {(trial_id, found.label): place.dataset})
    if not place.trained:
        _describe_study(connection, found.study, study_id)


def _describe_study(connection: Connection, name: str, study_id: int) -> None:
    """Keep the text of a study in which nothing is trained: its datasets and number of seeds."""
    question = (
        select(StudyTrialRow.dataset, StudyTrialRow.label, TrialRow.seed)
        .join(TrialRow, TrialRow.id == StudyTrialRow.trial_id)
        .where(StudyTrialRow.study_id == study_id, StudyTrialRow.current)
    )
    rows = connection.execute(question).all()
    seeds: dict[tuple[str, str], set[int]] = {}
    for row in rows:
        seeds.setdefault((row.dataset, row.label), set()).add(row.seed)
    resolved = {
        "study": name,
        "datasets": sorted({row.dataset for row in rows}),
        "seeds": max(map(len, seeds.values())),
        "evaluation": "test",
        "origin": SCORED_ONLY,
    }
    upsert_row(connection, StudyRow, {"name": name}, {"resolved": resolved, "updated": datetime.now(UTC)})


def _add_scores(connection: Connection, found: ExternalScores, trial_id: int) -> int:
    """Insert the scores of metrics that the trial has none of; return their number."""
    metrics = {}
    for metric in found.metrics:
        identity = {"name": metric["name"], "version": metric["version"]}
        values = {key: value for key, value in metric.items() if key not in identity}
        metrics[metric["name"]] = upsert_row(connection, MetricRow, identity, values)
    there = set(
        connection.scalars(select(ScoreRow.metric_id).where(ScoreRow.trial_id == trial_id).distinct())
    )
    of_dataset = (
        select(CaseRow.name, CaseRow.id)
        .join(PatientRow, PatientRow.id == CaseRow.patient_id)
        .join(TrialRow, TrialRow.dataset_id == PatientRow.dataset_id)
        .where(TrialRow.id == trial_id)
    )
    cases = {row.name: row.id for row in connection.execute(of_dataset)}
    rows = [
        {
            "trial_id": trial_id,
            "case_id": cases[score["case"]],
            "metric_id": metrics[score["metric"]],
            "checkpoint": "best",
            "part": "test",
            **{key: score[key] for key in ("class_index", "value", "imputed", "reason")},
        }
        for score in found.scores
        if metrics[score["metric"]] not in there
    ]
    if rows:
        connection.execute(insert(ScoreRow), rows)
    return len(rows)
