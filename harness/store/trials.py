"""Move trials through their states: the driver is the only writer of its results.

A trial is ``waiting``, then ``running`` under a lease, then ``done`` or ``diverged`` (results) or
``failed``. A lease belongs to a driver and expires; so a dead driver's trials return by themselves.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, insert, select, update

from harness.store.bulk import insert_columns
from harness.store.database import Database
from harness.store.ownership import lease_is_over
from harness.store.privacy import document_without_paths, shareable
from harness.store.registration import put_in_study, trial_ids
from harness.store.rows import digest_of, upsert_row
from harness.store.schema import (
    EXTERNAL,
    FINAL_STATES,
    ArtifactRow,
    CaseRow,
    EnvironmentRow,
    EpochRow,
    EpochScoreRow,
    LossRow,
    MetricRow,
    PatientRow,
    ScoreRow,
    StudyRow,
    StudyTrialRow,
    TrialRow,
)

LEASE_SECONDS = 60


@dataclass(frozen=True)
class TrialRecord:
    """A trial as the plan hands it over."""

    key: str
    fingerprint: str
    dataset: str
    label: str
    loss_expression: str
    loss_family: str
    loss_canonical: Mapping[str, Any]
    seed: int
    fold: int
    purpose: str
    canonical: Mapping[str, Any]


@dataclass(frozen=True)
class Selection:
    """Some of a study's seeds and folds; None stands for all."""

    seeds: Sequence[int] | None = None
    folds: Sequence[int] | None = None


@dataclass(frozen=True)
class ArtifactRecord:
    """A file that a trial kept."""

    kind: str
    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Outcome:
    """Everything a finished trial leaves, written in one transaction.

    ``epochs``, ``scores`` and ``epoch_scores`` are rows as mappings: the columns of ``epoch``, those
    of ``score`` with ``case`` and ``metric`` as names, and those of ``epoch_score`` with ``metric`` as a
    name. ``reason_epoch`` is when ``reason`` came true, ``numerics`` what decides the bits besides the key.
    """

    state: str
    collapsed: bool
    reason: str | None
    best_epoch: int | None
    best_val_dsc: float | None
    seconds: float
    epochs: Sequence[Mapping[str, Any]]
    scores: Sequence[Mapping[str, Any]]
    artifacts: Sequence[ArtifactRecord]
    environment: Mapping[str, str]
    epoch_scores: Sequence[Mapping[str, Any]] = ()
    reason_epoch: int | None = None
    numerics: str | None = None


class TrialStore:
    """States, leases and results of trials.

    Args:
        database: Open database.
        owner: Identifies this driver in leases.
        run_id: The run that its results belong to, from :func:`harness.store.runs.register_run`.
    """

    def __init__(self, database: Database, owner: str, run_id: int | None = None) -> None:
        self.database = database
        self.owner = owner
        self.run_id = run_id

    def register_study(self, name: str, title: str, resolved: Mapping[str, Any]) -> int:
        """Insert or update a study; return its id."""
        kept = document_without_paths(resolved)
        values = {"title": title, "resolved": kept, "updated": datetime.now(UTC)}
        with self.database.write() as connection:
            return upsert_row(connection, StudyRow, {"name": name}, values)

    def register_metrics(self, metrics: Iterable[Mapping[str, Any]]) -> None:
        """Insert metrics (name, version, title, unit, direction, description) that are not there yet."""
        with self.database.write() as connection:
            for metric in metrics:
                identity = {"name": metric["name"], "version": metric["version"]}
                upsert_row(
                    connection, MetricRow, identity, {k: v for k, v in metric.items() if k not in identity}
                )

    def register_trials(
        self,
        study_id: int,
        trials: Iterable[TrialRecord],
        restart: bool = False,
        only: Selection = Selection(),
    ) -> None:
        """Insert the trials that are not there yet and note their place in the study.

        Args:
            study_id: From :meth:`register_study`.
            trials: All of the plan, or those that a search has just made.
            restart: Whether ``trials`` replace the study's earlier plan; trials of that plan which
                are not among them stay in the database but are no longer *current*.
            only: The seeds and folds that are restarted; places of others stay as they are.
        """
        with self.database.write() as connection:
            if restart:
                stale = update(StudyTrialRow).where(
                    StudyTrialRow.study_id == study_id,
                    StudyTrialRow.trial_id.not_in(_external_trials()),
                    StudyTrialRow.trial_id.in_(_trials_of(only)),
                )
                connection.execute(stale.values(current=False))
            records = list(trials)
            ids = trial_ids(connection, records)
            places = {(ids[record.key], record.label): record.dataset for record in records}
            put_in_study(connection, study_id, places)

    def result(self, key: str) -> tuple[str, float | None]:
        """Return the state of a registered trial and its best validation DSC, if it has one."""
        with self.database.read() as connection:
            row = connection.execute(
                select(TrialRow.state, TrialRow.best_val_dsc).where(TrialRow.key == key)
            ).one()
        return row.state, row.best_val_dsc

    def claim(self, key: str, retry_failed: bool = False) -> bool:
        """Take a trial's lease; return False if it is finished or another driver holds it."""
        now = datetime.now(UTC)
        with self.database.write() as connection:
            row = connection.execute(
                select(TrialRow.state, TrialRow.lease_owner, TrialRow.lease_expires).where(
                    TrialRow.key == key
                )
            ).one()
            free = (
                row.state == "waiting"
                or (row.state == "failed" and retry_failed)
                or (row.state == "running" and lease_is_over(row.lease_owner, row.lease_expires, now))
            )
            if free:
                connection.execute(
                    update(TrialRow)
                    .where(TrialRow.key == key)
                    .values(
                        state="running",
                        lease_owner=self.owner,
                        lease_expires=now + timedelta(seconds=LEASE_SECONDS),
                        attempts=TrialRow.attempts + 1,
                        epoch_now=None,
                        reason=None,
                        reason_epoch=None,
                        traceback=None,
                        finished=None,
                        environment_id=None,
                        run_id=None,
                    )
                )
            return bool(free)

    def heartbeat(self, epochs: Mapping[str, int]) -> None:
        """Extend the leases of this driver and note the epoch that each of its trials has reached."""
        expires = datetime.now(UTC) + timedelta(seconds=LEASE_SECONDS)
        mine = and_(TrialRow.lease_owner == self.owner, TrialRow.state == "running")
        with self.database.write() as connection:
            connection.execute(update(TrialRow).where(mine).values(lease_expires=expires))
            for key, epoch in epochs.items():
                connection.execute(update(TrialRow).where(mine, TrialRow.key == key).values(epoch_now=epoch))

    def release(self, key: str) -> None:
        """Give a trial back unfinished."""
        with self.database.write() as connection:
            connection.execute(
                update(TrialRow)
                .where(TrialRow.key == key, TrialRow.lease_owner == self.owner)
                .values(state="waiting", lease_owner=None, lease_expires=None)
            )

    def fail(
        self, key: str, reason: str, traceback: str, environment: Mapping[str, str] | None = None
    ) -> None:
        """Record that code or machine failed; the trial can be tried again.

        Paths are cut to their last part and secrets masked: a database is shared, they are not.
        """
        with self.database.write() as connection:
            environment_id = _environment_id(connection, environment) if environment else None
            connection.execute(
                update(TrialRow)
                .where(TrialRow.key == key, TrialRow.lease_owner == self.owner)
                .values(
                    state="failed",
                    lease_owner=None,
                    lease_expires=None,
                    reason=shareable(reason),
                    traceback=shareable(traceback),
                    environment_id=environment_id,
                    run_id=self.run_id,
                    finished=datetime.now(UTC),
                )
            )

    def finish(self, key: str, outcome: Outcome) -> bool:
        """Write a result whole; return False if another driver has already written it."""
        with self.database.write() as connection:
            row = connection.execute(
                select(TrialRow.id, TrialRow.dataset_id, TrialRow.state).where(TrialRow.key == key)
            ).one()
            if row.state in FINAL_STATES:
                return False
            for table in (EpochScoreRow, EpochRow, ScoreRow, ArtifactRow):
                connection.execute(delete(table).where(table.trial_id == row.id))
            ids = {"metric": _newest_metrics(connection), "case": _cases(connection, row.dataset_id)}
            for table, found in (
                (EpochRow, outcome.epochs),
                (EpochScoreRow, outcome.epoch_scores),
                (ScoreRow, outcome.scores),
            ):
                if found:
                    columns = {"trial_id": [row.id] * len(found), **_columns(found, ids)}
                    insert_columns(connection, table, columns)
            for artifact in outcome.artifacts:
                connection.execute(insert(ArtifactRow).values(trial_id=row.id, **asdict(artifact)))
            connection.execute(
                update(TrialRow)
                .where(TrialRow.id == row.id)
                .values(
                    state=outcome.state,
                    lease_owner=None,
                    lease_expires=None,
                    epoch_now=None,
                    collapsed=outcome.collapsed,
                    reason=outcome.reason,
                    reason_epoch=outcome.reason_epoch,
                    numerics=outcome.numerics,
                    traceback=None,
                    best_epoch=outcome.best_epoch,
                    best_val_dsc=outcome.best_val_dsc,
                    seconds=outcome.seconds,
                    environment_id=_environment_id(connection, outcome.environment),
                    run_id=self.run_id,
                    finished=datetime.now(UTC),
                )
            )
            return True


def _trials_of(only: Selection) -> Select[int]:
    wanted = ((TrialRow.seed, only.seeds), (TrialRow.fold, only.folds))
    return select(TrialRow.id).where(*(column.in_(given) for column, given in wanted if given is not None))


def _external_trials() -> Select[int]:
    return select(TrialRow.id).join(LossRow).where(LossRow.family == EXTERNAL)


def _newest_metrics(connection: Connection) -> dict[str, int]:
    newest_last = select(MetricRow.name, MetricRow.id).order_by(MetricRow.version)
    return {row.name: row.id for row in connection.execute(newest_last)}


def _cases(connection: Connection, dataset_id: int) -> dict[str, int]:
    of_dataset = select(CaseRow.name, CaseRow.id).join(PatientRow).where(PatientRow.dataset_id == dataset_id)
    return {row.name: row.id for row in connection.execute(of_dataset)}


def _columns(rows: Sequence[Mapping[str, Any]], ids: Mapping[str, Mapping[str, int]]) -> dict[str, list[Any]]:
    """Return rows as columns, names of cases and metrics as ids."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    for name in ids.keys() & columns.keys():
        known = ids[name]
        columns[f"{name}_id"] = [known[each] for each in columns.pop(name)]
    return columns


def _environment_id(connection: Connection, facts: Mapping[str, str]) -> int:
    return upsert_row(connection, EnvironmentRow, {"digest": digest_of(facts)}, {"facts": dict(facts)})
