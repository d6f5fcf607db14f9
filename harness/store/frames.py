"""Tidy pandas frames of one study: what statistics and reports read instead of tables.

Every function takes an open database and a study's name and gives the *current* trials of that study
only: trials of an earlier plan stay in the database but not in the frames. Rows come in a fixed order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import Executable, func, select

from harness.store.database import Database
from harness.store.schema import (
    ArtifactRow,
    CaseRow,
    DatasetRow,
    EnvironmentRow,
    EpochRow,
    EpochScoreRow,
    LookRow,
    LossRow,
    MetricRow,
    PatientRow,
    ScoreRow,
    StudyRow,
    StudyTrialRow,
    TrialRow,
)
from harness.store.summaries import require_study

_CATEGORIES = (
    "dataset",
    "label",
    "family",
    "expression",
    "part",
    "checkpoint",
    "patient",
    "case",
    "class_name",
    "metric",
    "unit",
    "direction",
    "reason",
)


@dataclass(frozen=True)
class StudyDocument:
    """A study as the database keeps it.

    Attributes:
        name: Its name.
        title: Its title, possibly empty.
        resolved: The study file with all defaults filled in.
        updated: When it was last run.
    """

    name: str
    title: str
    resolved: Mapping[str, Any]
    updated: datetime


def study_document(database: Database, study: str) -> StudyDocument:
    """Return the study as it was last run.

    Raises:
        InputError: if the database does not have it.
    """
    require_study(database, study)
    question = select(StudyRow.name, StudyRow.title, StudyRow.resolved, StudyRow.updated)
    with database.read() as connection:
        row = connection.execute(question.where(StudyRow.name == study)).one()
    return StudyDocument(row.name, row.title, row.resolved, row.updated)


def scores(database: Database, study: str) -> pd.DataFrame:
    """Return every score of the study's own trials (searches left out), one row each.

    ``value`` is NaN where the metric is undefined, with its ``reason``; ``imputed`` is what the policy
    puts in its place. Only the newest version of a metric is read. Texts are categories.
    """
    newest = (
        select(MetricRow.name, func.max(MetricRow.version).label("version"))
        .group_by(MetricRow.name)
        .subquery()
    )
    question = (
        _of_study(
            study,
            StudyTrialRow.dataset,
            StudyTrialRow.label,
            LossRow.family,
            LossRow.expression,
            TrialRow.key,
            TrialRow.seed,
            TrialRow.fold,
            ScoreRow.part,
            ScoreRow.checkpoint,
            PatientRow.name.label("patient"),
            CaseRow.name.label("case"),
            ScoreRow.class_index,
            DatasetRow.classes.label("class_name"),
            MetricRow.name.label("metric"),
            MetricRow.unit,
            MetricRow.direction,
            ScoreRow.value,
            ScoreRow.imputed,
            ScoreRow.reason,
        )
        .join(ScoreRow, ScoreRow.trial_id == TrialRow.id)
        .join(CaseRow, CaseRow.id == ScoreRow.case_id)
        .join(PatientRow, PatientRow.id == CaseRow.patient_id)
        .join(MetricRow, MetricRow.id == ScoreRow.metric_id)
        .join(newest, (newest.c.name == MetricRow.name) & (newest.c.version == MetricRow.version))
        .where(TrialRow.purpose == "study")
    )
    frame = _with_class_names(_frame(database, question))
    frame["value"] = frame["value"].astype(float)
    order = [
        "dataset",
        "label",
        "seed",
        "fold",
        "part",
        "checkpoint",
        "patient",
        "case",
        "class_index",
        "metric",
    ]
    frame = frame.sort_values(order, ignore_index=True)
    for column in (*_CATEGORIES, "key"):
        frame[column] = frame[column].astype("category")
    return frame


def curves(database: Database, study: str) -> pd.DataFrame:
    """Return the learning curves of the study's own trials, one row per trial and epoch."""
    question = (
        _of_study(
            study,
            StudyTrialRow.dataset,
            StudyTrialRow.label,
            LossRow.family,
            TrialRow.seed,
            TrialRow.fold,
            TrialRow.state,
            EpochRow.epoch,
            EpochRow.train_loss,
            EpochRow.val_dsc,
            EpochRow.learning_rate,
            EpochRow.region_weight,
            EpochRow.boundary_weight,
            EpochRow.seconds,
            EpochRow.validation_seconds,
            EpochRow.peak_bytes,
        )
        .join(EpochRow, EpochRow.trial_id == TrialRow.id)
        .where(TrialRow.purpose == "study")
    )
    frame = _frame(database, question)
    numbers = ["train_loss", "val_dsc", "learning_rate", "region_weight", "boundary_weight"]
    numbers += ["seconds", "validation_seconds", "peak_bytes"]
    frame[numbers] = frame[numbers].astype(float)
    return frame.sort_values(["dataset", "label", "seed", "fold", "epoch"], ignore_index=True)


def class_curves(database: Database, study: str) -> pd.DataFrame:
    """Return the curves of every class: one row per trial, epoch, class and metric.

    ``mean`` is over the validation patients, undefined values imputed; ``undefined`` counts the cases with
    such values. DSC is there for every epoch, other metrics where ``protocol.metrics_every`` asked for them.
    """
    question = (
        _of_study(
            study,
            StudyTrialRow.dataset,
            StudyTrialRow.label,
            LossRow.family,
            TrialRow.seed,
            TrialRow.fold,
            EpochScoreRow.epoch,
            EpochScoreRow.class_index,
            DatasetRow.classes.label("class_name"),
            MetricRow.name.label("metric"),
            EpochScoreRow.mean,
            EpochScoreRow.undefined,
        )
        .join(EpochScoreRow, EpochScoreRow.trial_id == TrialRow.id)
        .join(MetricRow, MetricRow.id == EpochScoreRow.metric_id)
        .where(TrialRow.purpose == "study")
    )
    frame = _with_class_names(_frame(database, question))
    order = ["dataset", "label", "seed", "fold", "epoch", "class_index", "metric"]
    return frame.sort_values(order, ignore_index=True)


def trials(database: Database, study: str) -> pd.DataFrame:
    """Return the current trials, those of searches included, one row per trial and label.

    ``canonical`` holds the fields behind the key and ``environment`` the facts of the machine that
    finished the trial (an empty mapping before that).
    """
    question = _of_study(
        study,
        StudyTrialRow.dataset,
        StudyTrialRow.label,
        LossRow.family,
        LossRow.expression,
        TrialRow.seed,
        TrialRow.fold,
        TrialRow.purpose,
        TrialRow.key,
        TrialRow.state,
        TrialRow.collapsed,
        TrialRow.reason,
        TrialRow.reason_epoch,
        TrialRow.numerics,
        TrialRow.best_epoch,
        TrialRow.best_val_dsc,
        TrialRow.seconds,
        TrialRow.canonical,
        EnvironmentRow.facts.label("environment"),
    ).join(EnvironmentRow, EnvironmentRow.id == TrialRow.environment_id, isouter=True)
    frame = _frame(database, question)
    frame["collapsed"] = [found is True for found in frame["collapsed"]]
    facts: list[Any] = [found if isinstance(found, Mapping) else {} for found in frame["environment"]]
    frame["environment"] = facts
    numbers = ["reason_epoch", "best_epoch", "best_val_dsc", "seconds"]
    frame[numbers] = frame[numbers].astype(float)
    return frame.sort_values(["dataset", "label", "purpose", "seed", "fold", "key"], ignore_index=True)


def cases(database: Database, study: str) -> pd.DataFrame:
    """Return every case of the study's datasets with shape, spacing (mm) and voxels per class."""
    places = _of_study(study, StudyTrialRow.dataset, TrialRow.dataset_id).distinct().subquery()
    question = (
        select(
            places.c.dataset,
            DatasetRow.title,
            DatasetRow.fingerprint,
            DatasetRow.classes,
            PatientRow.name.label("patient"),
            CaseRow.name.label("case"),
            CaseRow.shape,
            CaseRow.spacing,
            CaseRow.voxels,
        )
        .join(DatasetRow, DatasetRow.id == places.c.dataset_id)
        .join(PatientRow, PatientRow.dataset_id == DatasetRow.id)
        .join(CaseRow, CaseRow.patient_id == PatientRow.id)
    )
    return _frame(database, question).sort_values(
        ["dataset", "fingerprint", "patient", "case"], ignore_index=True
    )


def artifacts(database: Database, study: str) -> pd.DataFrame:
    """Return the files that the study's own trials kept; paths are relative to the artifact folder."""
    question = (
        _of_study(
            study,
            StudyTrialRow.dataset,
            StudyTrialRow.label,
            TrialRow.seed,
            TrialRow.fold,
            ArtifactRow.kind,
            ArtifactRow.path,
        )
        .join(ArtifactRow, ArtifactRow.trial_id == TrialRow.id)
        .where(TrialRow.purpose == "study")
    )
    return _frame(database, question).sort_values(
        ["dataset", "label", "seed", "fold", "kind"], ignore_index=True
    )


def metrics(database: Database) -> pd.DataFrame:
    """Return name, title, unit, direction and description of the newest version of every metric."""
    question = select(
        MetricRow.name,
        MetricRow.version,
        MetricRow.title,
        MetricRow.unit,
        MetricRow.direction,
        MetricRow.description,
    )
    frame = _frame(database, question.order_by(MetricRow.name, MetricRow.version))
    return frame.drop_duplicates("name", keep="last", ignore_index=True)


def looks(database: Database, study: str) -> pd.DataFrame:
    """Return the looks at test scores so far: digest, time, whether the study was complete."""
    question = (
        select(LookRow.digest, LookRow.at, LookRow.complete)
        .join(StudyRow, StudyRow.id == LookRow.study_id)
        .where(StudyRow.name == study)
        .order_by(LookRow.id)
    )
    frame = _frame(database, question)
    frame["at"] = pd.to_datetime(frame["at"], utc=True)
    return frame


def _of_study(study: str, *columns: Any) -> Any:
    """Select columns over the current trials of a study."""
    return (
        select(*columns)
        .select_from(StudyTrialRow)
        .join(StudyRow, StudyRow.id == StudyTrialRow.study_id)
        .join(TrialRow, TrialRow.id == StudyTrialRow.trial_id)
        .join(LossRow, LossRow.id == TrialRow.loss_id)
        .join(DatasetRow, DatasetRow.id == TrialRow.dataset_id)
        .where(StudyRow.name == study, StudyTrialRow.current)
    )


def _with_class_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Put the name of each row's class where the query gives the names of all classes."""
    frame["class_name"] = [
        names[index] for names, index in zip(frame["class_name"], frame["class_index"], strict=True)
    ]
    return frame


def _frame(database: Database, question: Executable) -> pd.DataFrame:
    with database.read() as connection:
        result = connection.execute(question)
        return pd.DataFrame(result.fetchall(), columns=list(result.keys()))
