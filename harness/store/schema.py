"""Tables of the results database.

Optuna keeps its own tables (``studies``, ``trials``, ``alembic_version`` ...) beside these in the
same database; ours are named in the singular, so that they cannot collide.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from harness.store.column_types import UtcDateTime, is_finite

TRIAL_STATES = ("waiting", "running", "done", "diverged", "pruned", "failed")
"""``diverged`` is a result; ``pruned`` was ended by its search, which wants no more of it; ``failed`` is a
mistake in code or machine and can be tried again."""

FINAL_STATES = ("done", "diverged")
ENDED_STATES = (*FINAL_STATES, "pruned", "failed")

PURPOSES = ("study", "search")
PARTS = ("validation", "test")
CHECKPOINTS = ("best", "last")
DIRECTIONS = ("higher", "lower")
SIDES = ("train", "validation", "test")

STAGE_OUTCOMES = ("go on", "decided", "impossible", "out of seeds")

EXTERNAL = "external"
"""Loss family of what was not trained here."""

_CLUSTERED = {"sqlite_with_rowid": False}
"""The primary key is the table: a third less disk, and the rows of a trial lie together."""


class Base(DeclarativeBase):
    """Common metadata: constraints have predictable names, for migrations."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON, datetime: UtcDateTime()}  # noqa: RUF012


class StudyRow(Base):
    """A study as it was last run, with its resolved text."""

    __tablename__ = "study"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    resolved: Mapped[dict[str, Any]]
    updated: Mapped[datetime]


class DatasetRow(Base):
    """A prepared dataset, identified by its content."""

    __tablename__ = "dataset"

    id: Mapped[int] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    title: Mapped[str]
    classes: Mapped[list[Any]]


class PatientRow(Base):
    """The unit of statistics and of splits."""

    __tablename__ = "patient"
    __table_args__ = (UniqueConstraint("dataset_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"))
    name: Mapped[str]


class CaseRow(Base):
    """One image or volume; spacing and diagonal in millimetres."""

    __tablename__ = "case"
    __table_args__ = (UniqueConstraint("patient_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"))
    name: Mapped[str]
    site: Mapped[str | None]
    shape: Mapped[list[Any]]
    spacing: Mapped[list[Any]]
    voxels: Mapped[list[Any]]


class SplitRow(Base):
    """One division of a dataset's cases: a split with its seed and fold."""

    __tablename__ = "split"
    __table_args__ = (UniqueConstraint("dataset_id", "digest", "seed", "fold"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"))
    digest: Mapped[str]
    seed: Mapped[int]
    fold: Mapped[int]
    canonical: Mapped[dict[str, Any]]


class SplitCaseRow(Base):
    """The side of a case in a division; cases that a limited training set leaves out have no row."""

    __tablename__ = "split_case"
    __table_args__ = (CheckConstraint(f"part IN {SIDES}", name="part"), _CLUSTERED)

    split_id: Mapped[int] = mapped_column(ForeignKey("split.id"), primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"), primary_key=True)
    part: Mapped[str]


class LossRow(Base):
    """A loss in canonical form."""

    __tablename__ = "loss"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    expression: Mapped[str]
    family: Mapped[str]
    canonical: Mapped[dict[str, Any]]


class EnvironmentRow(Base):
    """Which code, libraries and hardware made a number; one row per distinct environment."""

    __tablename__ = "environment"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    facts: Mapped[dict[str, Any]]


class RunRow(Base):
    """One call of ``lossbench run`` or ``score``: its command and the study's text of that day.

    ``study`` is a name and no reference: a trial that other studies share outlives its own.
    """

    __tablename__ = "run"

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(unique=True)
    study: Mapped[str]
    command: Mapped[str]
    started: Mapped[datetime]
    resolved: Mapped[dict[str, Any]]


class TrialRow(Base):
    """One training, identified by its key and shared by every study that asks for it.

    ``numerics`` decides the bits besides the key; ``reason_epoch`` is when ``reason`` came true.
    """

    __tablename__ = "trial"
    __table_args__ = (
        CheckConstraint(f"state IN {TRIAL_STATES}", name="state"),
        CheckConstraint(f"purpose IN {PURPOSES}", name="purpose"),
        CheckConstraint("(state = 'running') = (lease_owner IS NOT NULL)", name="lease"),
        CheckConstraint("(lease_owner IS NULL) = (lease_expires IS NULL)", name="lease_expires"),
        CheckConstraint("(state IN ('waiting', 'running')) = (finished IS NULL)", name="finished"),
        CheckConstraint(f"(state IN {FINAL_STATES}) = (collapsed IS NOT NULL)", name="collapsed"),
        CheckConstraint("state <> 'failed' OR reason IS NOT NULL", name="failed_has_reason"),
        CheckConstraint("state = 'failed' OR traceback IS NULL", name="traceback"),
        CheckConstraint("reason IS NOT NULL OR reason_epoch IS NULL", name="reason_epoch"),
        CheckConstraint("seed >= 0 AND fold >= 0 AND attempts >= 0", name="counts"),
        CheckConstraint("best_val_dsc BETWEEN 0 AND 1", name="best_val_dsc"),
        Index(None, "dataset_id", "loss_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"))
    split_id: Mapped[int | None] = mapped_column(ForeignKey("split.id"))
    loss_id: Mapped[int] = mapped_column(ForeignKey("loss.id"))
    environment_id: Mapped[int | None] = mapped_column(ForeignKey("environment.id"))
    run_id: Mapped[int | None] = mapped_column(ForeignKey("run.id"))
    seed: Mapped[int]
    fold: Mapped[int]
    purpose: Mapped[str]
    canonical: Mapped[dict[str, Any]]
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str | None]
    lease_expires: Mapped[datetime | None]
    epoch_now: Mapped[int | None]
    collapsed: Mapped[bool | None]
    reason: Mapped[str | None]
    reason_epoch: Mapped[int | None]
    traceback: Mapped[str | None]
    numerics: Mapped[str | None]
    best_epoch: Mapped[int | None]
    best_val_dsc: Mapped[float | None]
    seconds: Mapped[float | None]
    finished: Mapped[datetime | None]


class StudyTrialRow(Base):
    """The place of a trial in a study: its label in the tables and its dataset's name."""

    __tablename__ = "study_trial"
    __table_args__ = (Index(None, "trial_id"), _CLUSTERED)

    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), primary_key=True)
    trial_id: Mapped[int] = mapped_column(ForeignKey("trial.id"), primary_key=True)
    label: Mapped[str] = mapped_column(primary_key=True)
    dataset: Mapped[str]
    current: Mapped[bool]


class EpochRow(Base):
    """One point of a learning curve; ``seconds`` is wall time, that of validation included."""

    __tablename__ = "epoch"
    __table_args__ = (
        CheckConstraint("epoch >= 0", name="epoch"),
        CheckConstraint("val_dsc BETWEEN 0 AND 1", name="val_dsc"),
        CheckConstraint("seconds >= 0", name="seconds"),
        _CLUSTERED,
    )

    trial_id: Mapped[int] = mapped_column(ForeignKey("trial.id"), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    train_loss: Mapped[float]
    val_dsc: Mapped[float]
    learning_rate: Mapped[float]
    region_weight: Mapped[float | None]
    boundary_weight: Mapped[float | None]
    seconds: Mapped[float]
    validation_seconds: Mapped[float | None]
    peak_bytes: Mapped[int | None] = mapped_column(BigInteger)


class EpochScoreRow(Base):
    """Mean of a metric over the validation patients after an epoch, undefined values imputed."""

    __tablename__ = "epoch_score"
    __table_args__ = (
        ForeignKeyConstraint(["trial_id", "epoch"], ["epoch.trial_id", "epoch.epoch"]),
        CheckConstraint("class_index >= 0", name="class_index"),
        CheckConstraint(is_finite("mean"), name="mean"),
        CheckConstraint("undefined >= 0", name="undefined"),
        _CLUSTERED,
    )

    trial_id: Mapped[int] = mapped_column(primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    class_index: Mapped[int] = mapped_column(primary_key=True)
    metric_id: Mapped[int] = mapped_column(ForeignKey("metric.id"), primary_key=True)
    mean: Mapped[float]
    undefined: Mapped[int]


class MetricRow(Base):
    """A metric by name and version; a changed definition is a new version."""

    __tablename__ = "metric"
    __table_args__ = (
        UniqueConstraint("name", "version"),
        CheckConstraint(f"direction IN {DIRECTIONS}", name="direction"),
        CheckConstraint("version >= 1", name="version"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    version: Mapped[int]
    title: Mapped[str]
    unit: Mapped[str]
    direction: Mapped[str]
    description: Mapped[str | None]


class ScoreRow(Base):
    """One metric of one class of one case; ``value`` is NULL where undefined, with its reason."""

    __tablename__ = "score"
    __table_args__ = (
        CheckConstraint(f"part IN {PARTS}", name="part"),
        CheckConstraint(f"checkpoint IN {CHECKPOINTS}", name="checkpoint"),
        CheckConstraint("value IS NOT NULL OR reason IS NOT NULL", name="undefined_has_reason"),
        CheckConstraint("class_index >= 0", name="class_index"),
        CheckConstraint(is_finite("value"), name="value"),
        CheckConstraint(is_finite("imputed"), name="imputed"),
        _CLUSTERED,
    )

    trial_id: Mapped[int] = mapped_column(ForeignKey("trial.id"), primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"), primary_key=True)
    class_index: Mapped[int] = mapped_column(primary_key=True)
    metric_id: Mapped[int] = mapped_column(ForeignKey("metric.id"), primary_key=True)
    checkpoint: Mapped[str] = mapped_column(primary_key=True)
    part: Mapped[str]
    value: Mapped[float | None]
    imputed: Mapped[float]
    reason: Mapped[str | None]


class ArtifactRow(Base):
    """A file that a trial kept, relative to the artifact folder."""

    __tablename__ = "artifact"
    __table_args__ = (
        UniqueConstraint("trial_id", "kind"),
        CheckConstraint("substr(path, 1, 1) <> '/'", name="path"),
        CheckConstraint("bytes >= 0", name="bytes"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    trial_id: Mapped[int] = mapped_column(ForeignKey("trial.id"))
    kind: Mapped[str]
    path: Mapped[str]
    sha256: Mapped[str]
    bytes: Mapped[int] = mapped_column(BigInteger)


class LookRow(Base):
    """A distinct set of test scores that somebody analysed."""

    __tablename__ = "look"
    __table_args__ = (UniqueConstraint("study_id", "digest"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    digest: Mapped[str]
    at: Mapped[datetime]
    complete: Mapped[bool]


class StageRow(Base):
    """A look of ``run --until-decided`` at one dataset of a study, and what it decided.

    What was decided stays: the same ``question`` is not judged again.
    """

    __tablename__ = "stage"
    __table_args__ = (
        UniqueConstraint("study_id", "question"),
        CheckConstraint(f"outcome IN {STAGE_OUTCOMES}", name="outcome"),
        CheckConstraint("look >= 0", name="look"),
        CheckConstraint("alpha BETWEEN 0 AND 1", name="alpha"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    dataset: Mapped[str]
    look: Mapped[int]
    question: Mapped[str]
    trials: Mapped[str]
    digest: Mapped[str]
    outcome: Mapped[str]
    reason: Mapped[str]
    alpha: Mapped[float]
    planned: Mapped[list[Any]]
    seeds: Mapped[dict[str, Any]]
    dropped: Mapped[list[Any]]
    wanted: Mapped[dict[str, Any]]
    at: Mapped[datetime]
