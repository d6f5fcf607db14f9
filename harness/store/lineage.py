"""Where the numbers of a trial come from: data, split, loss, protocol, command, code, machine, files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from harness.store.artifacts import FileState, file_state
from harness.store.database import Database
from harness.store.keys import full_key
from harness.store.rows import digest_of
from harness.store.schema import (
    EXTERNAL,
    SIDES,
    ArtifactRow,
    CaseRow,
    DatasetRow,
    EnvironmentRow,
    LossRow,
    MetricRow,
    PatientRow,
    RunRow,
    ScoreRow,
    SplitCaseRow,
    StudyRow,
    StudyTrialRow,
    TrialRow,
)

_HINT = "\"lossbench db query 'select * from v_trial'\" lists the trials"


@dataclass(frozen=True)
class Outcome:
    """How a trial ended, or where it stands; ``seconds`` are wall time."""

    state: str
    collapsed: bool | None
    reason: str | None
    reason_epoch: int | None
    traceback: str | None
    epoch_now: int | None
    best_epoch: int | None
    best_val_dsc: float | None
    seconds: float | None
    finished: datetime | None
    attempts: int


@dataclass(frozen=True)
class Number:
    """The mean of a metric as reports count it.

    A case is the mean over its classes, undefined values imputed; a patient that over its cases.

    Attributes:
        part: ``validation`` or ``test``.
        checkpoint: ``best`` or ``last``.
        metric: Its name.
        version: Of the metric's definition.
        unit: Of the mean; may be empty.
        mean: Over the patients.
        patients: Their number.
        undefined: Number of undefined values (class of a case).
    """

    part: str
    checkpoint: str
    metric: str
    version: int
    unit: str
    mean: float
    patients: int
    undefined: int


@dataclass(frozen=True)
class Place:
    """A place of the trial in a study; ``resolved`` is the study's text as it was last run."""

    study: str
    dataset: str
    label: str
    current: bool
    resolved: Mapping[str, Any]


@dataclass(frozen=True)
class TracedDataset:
    """The data that the trial saw, ``patients`` and ``cases`` as counts, the background first."""

    name: str
    title: str
    fingerprint: str
    classes: Sequence[str]
    patients: int
    cases: int


@dataclass(frozen=True)
class TracedLoss:
    """The loss, for people and as the key has it."""

    expression: str
    family: str
    canonical: Mapping[str, Any]


@dataclass(frozen=True)
class TracedRun:
    """The command that made the trial; ``resolved`` is the study's text of then, ``digest`` its sha256."""

    uid: str
    study: str
    command: str
    started: datetime
    digest: str
    resolved: Mapping[str, Any]


@dataclass(frozen=True)
class TracedArtifact:
    """A file that the trial kept, and what has become of it (None: not looked for)."""

    kind: str
    path: str
    bytes: int
    sha256: str
    condition: FileState | None


@dataclass(frozen=True)
class Lineage:
    """The whole chain behind a trial.

    Attributes:
        key: Of the trial.
        key_verified: Whether it still is the sha256 of ``canonical``.
        canonical: The fields that the key hashes.
        seed: Seed index.
        fold: Fold that is tested.
        purpose: ``study`` or ``search``.
        outcome: How it ended.
        numbers: Mean scores.
        places: In studies, current ones first.
        loss: Of the trial.
        sides: Number of cases on each side of the split; empty if the split was not kept.
        dataset: The data.
        run: The command that made it; None in older databases, and for trials without a result.
        environment: Code, packages, hardware and numerics of the attempt that ended; may be empty.
        numerics: Numerics class, in one line.
        artifacts: Files.
    """

    key: str
    key_verified: bool
    canonical: Mapping[str, Any]
    seed: int
    fold: int
    purpose: str
    outcome: Outcome
    numbers: Sequence[Number]
    places: Sequence[Place]
    loss: TracedLoss
    sides: Mapping[str, int]
    dataset: TracedDataset
    run: TracedRun | None
    environment: Mapping[str, str]
    numerics: str | None
    artifacts: Sequence[TracedArtifact]

    @property
    def external(self) -> bool:
        """Whether the network was trained elsewhere."""
        return self.loss.family == EXTERNAL

    @property
    def text(self) -> Mapping[str, Any]:
        """Text of the study: of the run that made the trial, else of a study that has it; may be empty."""
        if self.run is not None:
            return self.run.resolved
        return {} if self.place is None else self.place.resolved

    @property
    def study(self) -> str:
        """Name of the study that made the trial, else of one that has it; may be empty."""
        if self.run is not None:
            return self.run.study
        return "" if self.place is None else self.place.study

    @property
    def code(self) -> str:
        """Version and commit of the program, and whether files differed from it; may be empty."""
        facts = self.environment
        words = {"lossbench": "lossbench {}", "commit": "commit {}", "dirty": "with changes {}"}
        said = [word.format(facts[name]) for name, word in words.items() if name in facts]
        return ", ".join(said + [f"{name} {facts[name]}" for name in facts if name.startswith("plugin ")])

    @property
    def place(self) -> Place | None:
        """The place in the study that made the trial if it still has one, else in another."""
        own = [place for place in self.places if self.run is None or place.study == self.run.study]
        return next(iter([*own, *self.places]), None)


def trace(database: Database, trial: str, artifacts: Path | None = None) -> Lineage:
    """Return the chain behind a trial.

    Args:
        database: Results.
        trial: Its key, or the beginning of it.
        artifacts: Folder of the artifacts, to compare files with what was written; None: no file is opened.

    Raises:
        InputError: if no trial or several begin so.
    """
    with database.read() as connection:
        key = full_key(connection, trial, _HINT)
        row = connection.execute(select(TrialRow).where(TrialRow.key == key)).one()
        return Lineage(
            key=key,
            key_verified=digest_of(row.canonical) == key,
            canonical=row.canonical,
            seed=row.seed,
            fold=row.fold,
            purpose=row.purpose,
            outcome=Outcome(**{name: getattr(row, name) for name in Outcome.__dataclass_fields__}),
            numbers=_numbers(connection, row.id),
            places=_places(connection, row.id),
            loss=_loss(connection, row.loss_id),
            sides=_sides(connection, row.split_id),
            dataset=_dataset(connection, row.dataset_id),
            run=_run(connection, row.run_id),
            environment=_environment(connection, row.environment_id),
            numerics=row.numerics,
            artifacts=_artifacts(connection, row.id, artifacts),
        )


def _numbers(connection: Connection, trial_id: int) -> list[Number]:
    of_part = (ScoreRow.part, ScoreRow.checkpoint, ScoreRow.metric_id)
    cases = (
        select(
            *of_part,
            ScoreRow.case_id,
            func.avg(ScoreRow.imputed).label("mean"),
            (func.count() - func.count(ScoreRow.value)).label("undefined"),
        )
        .where(ScoreRow.trial_id == trial_id)
        .group_by(*of_part, ScoreRow.case_id)
        .subquery()
    )
    of_patient = (cases.c.part, cases.c.checkpoint, cases.c.metric_id, CaseRow.patient_id)
    patients = (
        select(
            *of_patient, func.avg(cases.c.mean).label("mean"), func.sum(cases.c.undefined).label("undefined")
        )
        .join(CaseRow, CaseRow.id == cases.c.case_id)
        .group_by(*of_patient)
        .subquery()
    )
    named = (MetricRow.name.label("metric"), MetricRow.version, MetricRow.unit)
    shown = (patients.c.part, patients.c.checkpoint, *named)
    question = (
        select(
            *shown,
            func.avg(patients.c.mean).label("mean"),
            func.count().label("patients"),
            func.sum(patients.c.undefined).label("undefined"),
        )
        .join(MetricRow, MetricRow.id == patients.c.metric_id)
        .group_by(*shown)
        .order_by(*shown)
    )
    return [
        # Sums of integers are decimals on PostgreSQL.
        Number(**{**row, "mean": float(row["mean"]), "undefined": int(row["undefined"])})
        for row in connection.execute(question).mappings()
    ]


def _places(connection: Connection, trial_id: int) -> list[Place]:
    question = (
        select(
            StudyRow.name.label("study"),
            StudyTrialRow.dataset,
            StudyTrialRow.label,
            StudyTrialRow.current,
            StudyRow.resolved,
        )
        .join(StudyRow, StudyRow.id == StudyTrialRow.study_id)
        .where(StudyTrialRow.trial_id == trial_id)
        .order_by(StudyTrialRow.current.desc(), StudyRow.name, StudyTrialRow.label)
    )
    return [Place(**row) for row in connection.execute(question).mappings()]


def _loss(connection: Connection, loss_id: int) -> TracedLoss:
    columns = (LossRow.expression, LossRow.family, LossRow.canonical)
    return TracedLoss(*connection.execute(select(*columns).where(LossRow.id == loss_id)).one())


def _sides(connection: Connection, split_id: int | None) -> dict[str, int]:
    question = (
        select(SplitCaseRow.part, func.count().label("cases"))
        .where(SplitCaseRow.split_id == split_id)
        .group_by(SplitCaseRow.part)
    )
    counts = {row.part: row.cases for row in connection.execute(question)}
    return {side: counts[side] for side in SIDES if side in counts}


def _dataset(connection: Connection, dataset_id: int) -> TracedDataset:
    columns = (DatasetRow.name, DatasetRow.title, DatasetRow.fingerprint, DatasetRow.classes)
    counts = (func.count(PatientRow.id.distinct()), func.count(CaseRow.id))
    of_dataset = PatientRow.dataset_id == dataset_id
    row = connection.execute(select(*columns).where(DatasetRow.id == dataset_id)).mappings().one()
    question = select(*counts).select_from(PatientRow).join(CaseRow, isouter=True).where(of_dataset)
    patients, cases = connection.execute(question).one()
    return TracedDataset(**row, patients=patients, cases=cases)


def _run(connection: Connection, run_id: int | None) -> TracedRun | None:
    columns = (RunRow.uid, RunRow.study, RunRow.command, RunRow.started, RunRow.resolved)
    row = connection.execute(select(*columns).where(RunRow.id == run_id)).mappings().one_or_none()
    return None if row is None else TracedRun(**row, digest=digest_of(row["resolved"]))


def _environment(connection: Connection, environment_id: int | None) -> Mapping[str, str]:
    found = connection.scalar(select(EnvironmentRow.facts).where(EnvironmentRow.id == environment_id))
    return found or {}


def _artifacts(connection: Connection, trial_id: int, folder: Path | None) -> list[TracedArtifact]:
    columns = (ArtifactRow.kind, ArtifactRow.path, ArtifactRow.bytes, ArtifactRow.sha256)
    question = select(*columns).where(ArtifactRow.trial_id == trial_id).order_by(ArtifactRow.kind)
    return [
        TracedArtifact(*row, None if folder is None else file_state(folder / row.path, row.sha256))
        for row in connection.execute(question)
    ]
