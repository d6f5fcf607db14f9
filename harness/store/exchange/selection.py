"""Which rows of every table some studies need, so that no reference points nowhere."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, Table, or_, select

from harness.store.schema import (
    ArtifactRow,
    Base,
    CaseRow,
    DatasetRow,
    EnvironmentRow,
    EpochRow,
    EpochScoreRow,
    LookRow,
    LossRow,
    MetricRow,
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


def rows_needed(studies: Sequence[str] | None) -> dict[str, Select[Any]]:
    """Return the query of every table, parents first, sorted by primary key.

    Args:
        studies: Names; None: everything. Metrics always come whole: the frames show the newest version.
    """
    conditions = {} if studies is None else _conditions(studies)
    return {
        table.name: select(table).where(*conditions.get(table.name, ())).order_by(*table.primary_key.columns)
        for table in Base.metadata.sorted_tables
    }


def table_names() -> list[str]:
    """Return the tables of an export, parents first."""
    return [table.name for table in Base.metadata.sorted_tables]


def _conditions(studies: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    chosen = select(StudyRow.id).where(StudyRow.name.in_(studies))
    trials = select(StudyTrialRow.trial_id).where(StudyTrialRow.study_id.in_(chosen))

    def of_trials(column: Any) -> Any:
        return select(column).where(TrialRow.id.in_(trials))

    datasets = of_trials(TrialRow.dataset_id)
    patients = select(PatientRow.id).where(PatientRow.dataset_id.in_(datasets))
    splits = of_trials(TrialRow.split_id).where(TrialRow.split_id.is_not(None))
    return {
        _name(StudyRow): (StudyRow.name.in_(studies),),
        _name(LookRow): (LookRow.study_id.in_(chosen),),
        _name(StageRow): (StageRow.study_id.in_(chosen),),
        _name(StudyTrialRow): (StudyTrialRow.study_id.in_(chosen),),
        _name(TrialRow): (TrialRow.id.in_(trials),),
        _name(DatasetRow): (DatasetRow.id.in_(datasets),),
        _name(PatientRow): (PatientRow.dataset_id.in_(datasets),),
        _name(CaseRow): (CaseRow.patient_id.in_(patients),),
        _name(SplitRow): (SplitRow.id.in_(splits),),
        _name(SplitCaseRow): (SplitCaseRow.split_id.in_(splits),),
        _name(LossRow): (LossRow.id.in_(of_trials(TrialRow.loss_id)),),
        _name(EnvironmentRow): (EnvironmentRow.id.in_(of_trials(TrialRow.environment_id)),),
        _name(RunRow): (or_(RunRow.study.in_(studies), RunRow.id.in_(of_trials(TrialRow.run_id))),),
        _name(MetricRow): (),
        **{
            _name(table): (table.trial_id.in_(trials),)
            for table in (EpochRow, EpochScoreRow, ScoreRow, ArtifactRow)
        },
    }


def _name(row: Any) -> str:
    table: Table = row.__table__
    return table.name
