"""Tidy pandas frames of one study: what statistics and reports read instead of tables.

Every function takes an open database and a study's name and gives the *current* trials of that study
only: trials of an earlier plan stay in the database but not in the frames. Rows come in a fixed order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import Executable, select

from harness.errors import InputError, nearest
from harness.store.database import Database
from harness.store.long_tables import of_study, read_metrics, read_places, small_frame
from harness.store.schema import (
    CHECKPOINTS,
    PARTS,
    ArtifactRow,
    CaseRow,
    DatasetRow,
    EnvironmentRow,
    LookRow,
    LossRow,
    MetricRow,
    PatientRow,
    RunRow,
    StudyRow,
    StudyTrialRow,
    TrialRow,
)
from harness.store.score_frames import ScoreFilter, read_class_curves, read_curves, read_scores
from harness.store.summaries import require_study

Names = str | Sequence[str] | None
"""A name or several; None: all."""

_TRIAL_CATEGORIES = ("label", "family", "expression", "purpose", "state", "reason", "numerics")


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


def scores(
    database: Database,
    study: str,
    *,
    metric: Names = None,
    dataset: Names = None,
    part: Names = None,
    checkpoint: Names = None,
    loss: Names = None,
) -> pd.DataFrame:
    """Return the scores of the study's own trials (searches left out), one row each.

    ``value`` is NaN where the metric is undefined, with its ``reason``; ``imputed`` is what the policy
    puts in its place. Only the newest version of a metric is read. Texts are categories.

    Args:
        database: Open results database.
        study: Name of the study.
        metric: Names of metrics to read; None: all. The same for the other filters.
        dataset: Names of datasets in the study.
        part: ``test`` or ``validation``.
        checkpoint: ``best`` or ``last``.
        loss: Labels of losses in the study.

    Raises:
        InputError: naming the nearest, if a name is unknown.
    """
    with database.read() as connection:
        places, metrics = read_places(connection, study), read_metrics(connection)
        places = chosen(chosen(places, "dataset", dataset), "label", loss, "loss")
        wanted = ScoreFilter(
            metrics=chosen(metrics, "name", metric, "metric"),
            parts=_known("part", part, PARTS),
            checkpoints=_known("checkpoint", checkpoint, CHECKPOINTS),
        )
        return read_scores(connection, places, wanted)


def curves(database: Database, study: str) -> pd.DataFrame:
    """Return the learning curves of the study's own trials, one row per trial and epoch."""
    with database.read() as connection:
        return read_curves(connection, read_places(connection, study))


def class_curves(database: Database, study: str) -> pd.DataFrame:
    """Return the curves of every class: one row per trial, epoch, class and metric.

    ``mean`` is over the validation patients, undefined values imputed; ``undefined`` counts the cases with
    such values. DSC is there for every epoch, other metrics where ``protocol.metrics_every`` asked for them.
    """
    with database.read() as connection:
        return read_class_curves(connection, read_places(connection, study), read_metrics(connection))


def trials(database: Database, study: str) -> pd.DataFrame:
    """Return the current trials, those of searches included, one row per trial and label.

    ``canonical`` holds the fields behind the key and ``environment`` the facts of the machine that
    finished the trial (an empty mapping before that); ``command`` is that of its run, None in older
    databases. Texts that repeat are categories.
    """
    question = of_study(
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
        RunRow.command,
    )
    question = question.join(EnvironmentRow, EnvironmentRow.id == TrialRow.environment_id, isouter=True)
    question = question.join(RunRow, RunRow.id == TrialRow.run_id, isouter=True)
    frame = _frame(database, question)
    frame["collapsed"] = [found is True for found in frame["collapsed"]]
    facts: list[Any] = [found if isinstance(found, Mapping) else {} for found in frame["environment"]]
    frame["environment"] = facts
    numbers = ["reason_epoch", "best_epoch", "best_val_dsc", "seconds"]
    frame[numbers] = frame[numbers].astype(float)
    frame = frame.sort_values(["dataset", "label", "purpose", "seed", "fold", "key"], ignore_index=True)
    return frame.astype(dict.fromkeys(_TRIAL_CATEGORIES, "category"))


def cases(database: Database, study: str) -> pd.DataFrame:
    """Return every case of the study's datasets with shape, spacing (mm) and voxels per class."""
    places = of_study(study, StudyTrialRow.dataset, TrialRow.dataset_id).distinct().subquery()
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
    """Return the files that the study's own trials kept, with paths relative to the artifact folder."""
    question = (
        of_study(
            study,
            StudyTrialRow.dataset,
            StudyTrialRow.label,
            TrialRow.seed,
            TrialRow.fold,
            ArtifactRow.kind,
            ArtifactRow.path,
            ArtifactRow.sha256,
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


def chosen(table: pd.DataFrame, column: str, names: Names, what: str | None = None) -> pd.DataFrame:
    """Return the rows of a small frame whose column has one of some names.

    Args:
        table: Any frame.
        column: Of texts.
        names: To keep; None: all.
        what: What the names are called in messages; the column if absent.

    Raises:
        InputError: naming the nearest, if one is unknown.
    """
    if names is None:
        return table
    known = _known(what or column, names, sorted(set(table[column])))
    return table[table[column].isin(known)].reset_index(drop=True)


def _known(what: str, names: Names, known: Sequence[str]) -> tuple[str, ...]:
    """Return names as a tuple, all known ones for None.

    Raises:
        InputError: naming the nearest, if one is unknown.
    """
    if names is None:
        return tuple(known)
    wanted = (names,) if isinstance(names, str) else tuple(names)
    for name in wanted:
        if name not in known:
            hint = nearest(name, known) or f"; known: {', '.join(known) or 'none'}"
            raise InputError(f"no {what} {name!r} in these results{hint}")
    return wanted


def _frame(database: Database, question: Executable) -> pd.DataFrame:
    with database.read() as connection:
        return small_frame(connection, question)
