"""Views for SQL written by hand: the numbers of the reports under readable names.

A database keeps earlier plans, searches and old versions of metrics; a query on the tables must leave them
out, these views do. They are made anew by every migration.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Connection, Double, cast, func, literal_column, select
from sqlalchemy.engine import Dialect

from harness.store.leaderboard import leaderboard
from harness.store.schema import (
    CaseRow,
    DatasetRow,
    EnvironmentRow,
    EpochRow,
    LossRow,
    MetricRow,
    PatientRow,
    RunRow,
    ScoreRow,
    StudyRow,
    StudyTrialRow,
    TrialRow,
)
from harness.store.sql_parts import AnySelect, JsonItem, JsonText, newest_version

MM3_PER_ML = 1000.0


@dataclass(frozen=True)
class View:
    """A view of the database.

    Attributes:
        name: Its name in SQL.
        description: One sentence.
        question: What it shows; compiles for every engine.
    """

    name: str
    description: str
    question: AnySelect

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of its columns, in order."""
        return tuple(column.name for column in self.question.selected_columns)

    def creation(self, dialect: Dialect) -> str:
        """Return the statement that makes the view on an engine."""
        body = self.question.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        return f"CREATE VIEW {self.name} AS\n{body}"


def create_views(connection: Connection) -> None:
    """Make all views; they must not be there."""
    for view in VIEWS.values():
        connection.exec_driver_sql(view.creation(connection.dialect))


def drop_views(connection: Connection) -> None:
    """Remove those of the views that are there."""
    for name in reversed(VIEWS):
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")


_LOSS = (LossRow.family, LossRow.expression)
_TRIAL = (TrialRow.key.label("trial"), TrialRow.seed, TrialRow.fold)


def _trials() -> AnySelect:
    facts = EnvironmentRow.facts
    return (
        select(
            StudyRow.name.label("study"),
            func.coalesce(StudyTrialRow.dataset, DatasetRow.name).label("dataset"),
            func.coalesce(StudyTrialRow.label, LossRow.expression).label("loss"),
            *_LOSS,
            *_TRIAL,
            TrialRow.purpose,
            StudyTrialRow.current,
            TrialRow.state,
            TrialRow.collapsed,
            TrialRow.reason,
            TrialRow.reason_epoch,
            TrialRow.attempts,
            TrialRow.best_epoch,
            TrialRow.best_val_dsc,
            TrialRow.seconds,
            TrialRow.finished,
            DatasetRow.fingerprint,
            TrialRow.numerics,
            RunRow.uid.label("run"),
            RunRow.started,
            func.coalesce(RunRow.command, JsonText(facts, "command")).label("command"),
            JsonText(facts, "commit").label("git_commit"),
            JsonText(facts, "dirty").label("git_dirty"),
            *(
                JsonText(facts, name).label(name)
                for name in ("lossbench", "torch", "device", "threads", "system", "processor")
            ),
        )
        .select_from(TrialRow)
        .join(LossRow, LossRow.id == TrialRow.loss_id)
        .join(DatasetRow, DatasetRow.id == TrialRow.dataset_id)
        .join(StudyTrialRow, StudyTrialRow.trial_id == TrialRow.id, isouter=True)
        .join(StudyRow, StudyRow.id == StudyTrialRow.study_id, isouter=True)
        .join(RunRow, RunRow.id == TrialRow.run_id, isouter=True)
        .join(EnvironmentRow, EnvironmentRow.id == TrialRow.environment_id, isouter=True)
    )


def _of_studies(*columns: Any) -> AnySelect:
    """Select columns over the current trials of studies, searches left out."""
    place = (StudyRow.name.label("study"), StudyTrialRow.dataset, StudyTrialRow.label.label("loss"))
    return (
        select(*place, *_LOSS, *_TRIAL, *columns)
        .select_from(StudyTrialRow)
        .join(StudyRow, StudyRow.id == StudyTrialRow.study_id)
        .join(TrialRow, TrialRow.id == StudyTrialRow.trial_id)
        .join(LossRow, LossRow.id == TrialRow.loss_id)
        .join(DatasetRow, DatasetRow.id == TrialRow.dataset_id)
        .where(StudyTrialRow.current, TrialRow.purpose == "study")
    )


def _case_scores() -> AnySelect:
    voxels = cast(JsonItem(CaseRow.voxels, ScoreRow.class_index), BigInteger)
    depth, height, width = (
        cast(JsonItem(CaseRow.spacing, literal_column(axis)), Double) for axis in ("0", "1", "2")
    )
    voxel = depth * height * width
    return (
        _of_studies(
            ScoreRow.part,
            ScoreRow.checkpoint,
            PatientRow.name.label("patient"),
            CaseRow.name.label("case_name"),
            ScoreRow.class_index,
            JsonItem(DatasetRow.classes, ScoreRow.class_index).label("class_name"),
            MetricRow.name.label("metric"),
            MetricRow.unit,
            MetricRow.direction,
            ScoreRow.value,
            ScoreRow.imputed,
            ScoreRow.reason,
            voxels.label("truth_voxels"),
            (voxels * voxel / MM3_PER_ML).label("truth_ml"),
        )
        .join(ScoreRow, ScoreRow.trial_id == TrialRow.id)
        .join(CaseRow, CaseRow.id == ScoreRow.case_id)
        .join(PatientRow, PatientRow.id == CaseRow.patient_id)
        .join(MetricRow, MetricRow.id == ScoreRow.metric_id)
        .where(newest_version())
    )


def _curves() -> AnySelect:
    return _of_studies(
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
    ).join(EpochRow, EpochRow.trial_id == TrialRow.id)


VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        View(
            "v_trial",
            "Every trial in each of its places in studies, with what made it; study may be NULL.",
            _trials(),
        ),
        View(
            "v_case_score",
            "One metric of one class of one case: current trials of studies, newest version of every metric.",
            _case_scores(),
        ),
        View("v_curve", "One epoch of the training of a current trial of a study.", _curves()),
        View(
            "v_leaderboard",
            "Mean and spread over seeds of every loss, counted as in the reports, at the study's checkpoint.",
            leaderboard(),
        ),
    )
}
"""By name, in the order in which they are made."""
