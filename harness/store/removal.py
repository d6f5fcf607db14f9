"""Delete a study with everything that no other study needs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select

from harness.errors import InputError
from harness.store.database import Database
from harness.store.ownership import lease_is_over
from harness.store.schema import (
    ArtifactRow,
    CaseRow,
    DatasetRow,
    EnvironmentRow,
    EpochRow,
    EpochScoreRow,
    LookRow,
    LossRow,
    PatientRow,
    RunRow,
    ScoreRow,
    SplitCaseRow,
    SplitRow,
    StageRow,
    StudyRow,
    StudyTrialRow,
    TrialRow,
)
from harness.store.summaries import require_study

_BATCH = 500
_OF_TRIALS = (EpochScoreRow, EpochRow, ScoreRow, ArtifactRow)


@dataclass(frozen=True)
class Removal:
    """What the deletion of a study takes away.

    Attributes:
        trials: Keys of the trials that go.
        shared: Number of trials that stay because other studies have them.
        scores: Number of scores that go.
    """

    trials: tuple[str, ...]
    shared: int
    scores: int


def planned_removal(database: Database, study: str) -> Removal:
    """Return what :func:`delete_study` would take away.

    Raises:
        InputError: if the database does not have the study.
    """
    require_study(database, study)
    with database.read() as connection:
        return _removal(connection, study, _own_trials(connection, study))


def delete_study(database: Database, study: str) -> Removal:
    """Delete a study in one transaction.

    Trials that another study has, now or in an earlier plan, stay. Losses, environments, runs, divisions
    and datasets go where nothing refers to them any more; so do the names of patients and cases.

    Raises:
        InputError: if the database does not have the study, or a run is writing to it.
    """
    require_study(database, study)
    with database.write() as connection:
        own = _own_trials(connection, study)
        _refuse_running(connection, study)
        removal = _removal(connection, study, own)
        study_id = connection.scalars(select(StudyRow.id).where(StudyRow.name == study)).one()
        connection.execute(delete(StudyTrialRow).where(StudyTrialRow.study_id == study_id))
        connection.execute(delete(LookRow).where(LookRow.study_id == study_id))
        connection.execute(delete(StageRow).where(StageRow.study_id == study_id))
        connection.execute(delete(StudyRow).where(StudyRow.id == study_id))
        for ids in _batches(own):
            for table in _OF_TRIALS:
                connection.execute(delete(table).where(table.trial_id.in_(ids)))
            connection.execute(delete(TrialRow).where(TrialRow.id.in_(ids)))
        _delete_unused(connection)
        return removal


def _own_trials(connection: Connection, study: str) -> Mapping[int, str]:
    """Return id and key of the trials that no other study has."""
    of_study = select(StudyTrialRow.trial_id).join(StudyRow).where(StudyRow.name == study)
    of_others = select(StudyTrialRow.trial_id).join(StudyRow).where(StudyRow.name != study)
    question = select(TrialRow.id, TrialRow.key).where(
        TrialRow.id.in_(of_study), TrialRow.id.not_in(of_others)
    )
    return {row.id: row.key for row in connection.execute(question.order_by(TrialRow.id))}


def _removal(connection: Connection, study: str, own: Mapping[int, str]) -> Removal:
    trials = select(func.count(StudyTrialRow.trial_id.distinct())).join(StudyRow)
    scores = select(func.count()).select_from(ScoreRow)
    return Removal(
        trials=tuple(own.values()),
        shared=(connection.scalar(trials.where(StudyRow.name == study)) or 0) - len(own),
        scores=sum(connection.scalar(scores.where(ScoreRow.trial_id.in_(ids))) or 0 for ids in _batches(own)),
    )


def _refuse_running(connection: Connection, study: str) -> None:
    question = (
        select(TrialRow.lease_owner, TrialRow.lease_expires)
        .join(StudyTrialRow)
        .join(StudyRow)
        .where(StudyRow.name == study, TrialRow.state == "running")
    )
    now = datetime.now(UTC)
    if any(
        not lease_is_over(row.lease_owner, row.lease_expires, now) for row in connection.execute(question)
    ):
        raise InputError(f"a run is training trials of study {study!r}; stop it first")


def _delete_unused(connection: Connection) -> None:
    """Delete what no trial refers to any more."""
    used = {name: _used(getattr(TrialRow, name)) for name in ("run_id", "environment_id", "loss_id")}
    named = select(StudyRow.name)
    connection.execute(delete(RunRow).where(RunRow.study.not_in(named), RunRow.id.not_in(used["run_id"])))
    connection.execute(delete(EnvironmentRow).where(EnvironmentRow.id.not_in(used["environment_id"])))
    connection.execute(delete(LossRow).where(LossRow.id.not_in(used["loss_id"])))
    datasets = select(DatasetRow.id).where(DatasetRow.id.not_in(_used(TrialRow.dataset_id)))
    gone = connection.scalars(datasets).all()
    splits = select(SplitRow.id).where(SplitRow.id.not_in(_used(TrialRow.split_id)))
    for ids in _batches(connection.scalars(splits).all()):
        connection.execute(delete(SplitCaseRow).where(SplitCaseRow.split_id.in_(ids)))
        connection.execute(delete(SplitRow).where(SplitRow.id.in_(ids)))
    for ids in _batches(gone):
        patients = select(PatientRow.id).where(PatientRow.dataset_id.in_(ids))
        connection.execute(delete(CaseRow).where(CaseRow.patient_id.in_(patients)))
        connection.execute(delete(PatientRow).where(PatientRow.dataset_id.in_(ids)))
        connection.execute(delete(DatasetRow).where(DatasetRow.id.in_(ids)))


def _used(column: Any) -> Select[Any]:
    return select(column).where(column.is_not(None))


def _batches(ids: Iterable[int]) -> Iterator[Sequence[int]]:
    """Yield ids in portions that fit into one statement."""
    waiting = list(ids)
    for start in range(0, len(waiting), _BATCH):
        yield waiting[start : start + _BATCH]
