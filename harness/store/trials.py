"""Move trials through their states: the driver is the only writer of its results.

A trial is ``waiting``, then ``running`` under a lease, then ``done`` or ``diverged`` (results), ``pruned``
(ended by its search) or ``failed``. A lease belongs to a driver and expires; so a dead driver's trials return
by themselves.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, select, update

from harness.store.database import Database
from harness.store.outcome import Outcome, delete_curves, write_epochs, write_results
from harness.store.ownership import lease_is_over
from harness.store.privacy import document_without_paths, shareable
from harness.store.registration import put_in_study, trial_ids
from harness.store.rows import digest_of, insert_row, upsert_row
from harness.store.schema import (
    EXTERNAL,
    FINAL_STATES,
    EnvironmentRow,
    LossRow,
    MetricRow,
    StudyRow,
    StudyTrialRow,
    TrialRow,
)

LEASE_SECONDS = 60

RETRIED = frozenset({"pruned"})
"""Ended states whose trials are taken again unless the caller says otherwise: a plan wants results."""


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
class Claim:
    """What became of an attempt to take a trial.

    Attributes:
        taken: Whether this driver has its lease now.
        state: What the trial was in before; ``running`` if another driver holds it.
        best_val_dsc: Of a finished or a pruned one.
    """

    taken: bool
    state: str
    best_val_dsc: float | None


@dataclass(frozen=True)
class Beat:
    """What a running trial has done since the last heartbeat.

    Attributes:
        epoch: The epoch that it trains now, from 0.
        epochs: New rows of ``epoch``.
        epoch_scores: New rows of ``epoch_score``, metrics as names.
        since: Rows from this epoch on are replaced; None: none are.
    """

    epoch: int
    epochs: Sequence[Mapping[str, Any]] = ()
    epoch_scores: Sequence[Mapping[str, Any]] = ()
    since: int | None = None


# Built once: to build and to look up a statement takes longer than SQLite does to run it.
_OF_KEY = select(TrialRow.id, TrialRow.dataset_id, TrialRow.state, TrialRow.lease_owner).where(
    TrialRow.key == bindparam("trial_key")
)
_ENVIRONMENT = select(EnvironmentRow.id).where(EnvironmentRow.digest == bindparam("digest"))
_CANDIDATES = select(
    TrialRow.id,
    TrialRow.key,
    TrialRow.state,
    TrialRow.best_val_dsc,
    TrialRow.lease_owner,
    TrialRow.lease_expires,
).where(TrialRow.key.in_(bindparam("keys", expanding=True)))
_TAKE = (
    update(TrialRow)
    .where(TrialRow.id.in_(bindparam("ids", expanding=True)))
    .values(
        state="running",
        lease_owner=bindparam("owner"),
        lease_expires=bindparam("until"),
        attempts=TrialRow.attempts + 1,
        epoch_now=None,
        reason=None,
        reason_epoch=None,
        traceback=None,
        finished=None,
        environment_id=None,
        run_id=None,
        numerics=None,
        best_epoch=None,
        best_val_dsc=None,
        seconds=None,
    )
)
_FINISH = (
    update(TrialRow)
    .where(TrialRow.id == bindparam("trial_id"))
    .values(lease_owner=None, lease_expires=None, epoch_now=None, traceback=None)
)
"""The other columns of the result are its parameters."""


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
        self._versions: dict[str, int] = {}

    def register_study(self, name: str, title: str, resolved: Mapping[str, Any]) -> int:
        """Insert or update a study; return its id."""
        kept = document_without_paths(resolved)
        values = {"title": title, "resolved": kept, "updated": datetime.now(UTC)}
        with self.database.write() as connection:
            return upsert_row(connection, StudyRow, {"name": name}, values)

    def register_metrics(self, metrics: Iterable[Mapping[str, Any]]) -> None:
        """Insert metrics (name, version, title, unit, direction, description) that are not there yet.

        What this driver writes from then on are scores of these versions.
        """
        with self.database.write() as connection:
            for metric in metrics:
                self._versions[metric["name"]] = metric["version"]
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

    def places(self, study_id: int) -> dict[tuple[str, str], Claim]:
        """Return what is known of a study's current trials, none of which is taken, by key and label."""
        question = (
            select(TrialRow.key, StudyTrialRow.label, TrialRow.state, TrialRow.best_val_dsc)
            .join(StudyTrialRow, StudyTrialRow.trial_id == TrialRow.id)
            .where(StudyTrialRow.study_id == study_id, StudyTrialRow.current)
        )
        with self.database.read() as connection:
            rows = connection.execute(question).all()
        return {(row.key, row.label): Claim(False, row.state, row.best_val_dsc) for row in rows}

    def claim(self, keys: Sequence[str], retry: Collection[str] = RETRIED) -> dict[str, Claim]:
        """Take the leases of registered trials that nobody holds and that have no result, in one transaction.

        Args:
            keys: Of the trials.
            retry: Which of ``pruned`` and ``failed`` trials are taken, too; the curve of a pruned one is
                deleted, for it begins anew.

        Returns:
            What became of each, by key.
        """
        now = datetime.now(UTC)
        with self.database.write() as connection:
            rows = connection.execute(_CANDIDATES, {"keys": list(keys)}).all()
            free = {
                row.id
                for row in rows
                if row.state == "waiting"
                or (row.state in {"pruned", "failed"} and row.state in retry)
                or (row.state == "running" and lease_is_over(row.lease_owner, row.lease_expires, now))
            }
            if free:
                until = now + timedelta(seconds=LEASE_SECONDS)
                connection.execute(_TAKE, {"ids": list(free), "owner": self.owner, "until": until})
            delete_curves(connection, [row.id for row in rows if row.id in free and row.state == "pruned"])
            return {row.key: Claim(row.id in free, row.state, row.best_val_dsc) for row in rows}

    def again(self, key: str) -> None:
        """Count one more attempt at a trial of this driver, whose worker did not finish it."""
        with self.database.write() as connection:
            connection.execute(
                update(TrialRow)
                .where(TrialRow.key == key, TrialRow.lease_owner == self.owner)
                .values(attempts=TrialRow.attempts + 1)
            )

    def heartbeat(self, beats: Mapping[str, Beat]) -> set[str]:
        """Extend the leases of this driver and write how far its trials have come, in one transaction.

        Args:
            beats: By key of the running trials.

        Returns:
            Keys whose lease is no longer this driver's: it was silent for too long.
        """
        expires = datetime.now(UTC) + timedelta(seconds=LEASE_SECONDS)
        mine = and_(TrialRow.lease_owner == self.owner, TrialRow.state == "running")
        with self.database.write() as connection:
            connection.execute(update(TrialRow).where(mine).values(lease_expires=expires))
            ids = {
                row.key: row.id for row in connection.execute(select(TrialRow.key, TrialRow.id).where(mine))
            }
            held = {ids[key]: beat for key, beat in beats.items() if key in ids}
            for trial_id, beat in held.items():
                connection.execute(
                    update(TrialRow).where(TrialRow.id == trial_id).values(epoch_now=beat.epoch)
                )
                write_epochs(connection, trial_id, beat.epochs, beat.epoch_scores, beat.since, self._versions)
        return set(beats) - set(ids)

    def release(self, keys: Sequence[str]) -> None:
        """Give trials back unfinished."""
        with self.database.write() as connection:
            connection.execute(
                update(TrialRow)
                .where(TrialRow.key.in_(keys), TrialRow.lease_owner == self.owner)
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
        """Write a result, or how far a pruned trial came, whole.

        Returns:
            False if another driver has already written a result, or has taken over what is pruned here.
        """
        with self.database.write() as connection:
            row = connection.execute(_OF_KEY, {"trial_key": key}).one()
            if row.state in FINAL_STATES or (outcome.state == "pruned" and row.lease_owner != self.owner):
                return False
            write_results(connection, row.id, row.dataset_id, outcome, self._versions)
            connection.execute(
                _FINISH,
                {
                    "trial_id": row.id,
                    "state": outcome.state,
                    "collapsed": outcome.collapsed,
                    "reason": outcome.reason,
                    "reason_epoch": outcome.reason_epoch,
                    "numerics": outcome.numerics,
                    "best_epoch": outcome.best_epoch,
                    "best_val_dsc": outcome.best_val_dsc,
                    "seconds": outcome.seconds,
                    "environment_id": _environment_id(connection, outcome.environment),
                    "run_id": self.run_id,
                    "finished": datetime.now(UTC),
                },
            )
            return True


def _trials_of(only: Selection) -> Select[int]:
    wanted = ((TrialRow.seed, only.seeds), (TrialRow.fold, only.folds))
    return select(TrialRow.id).where(*(column.in_(given) for column, given in wanted if given is not None))


def _external_trials() -> Select[int]:
    return select(TrialRow.id).join(LossRow).where(LossRow.family == EXTERNAL)


def _environment_id(connection: Connection, facts: Mapping[str, str]) -> int:
    digest = digest_of(facts)
    known = connection.scalar(_ENVIRONMENT, {"digest": digest})
    return int(known) if known else insert_row(connection, EnvironmentRow, digest=digest, facts=dict(facts))
