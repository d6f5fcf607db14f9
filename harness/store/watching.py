"""Questions about trials that run, for a program that watches: short reads that keep no driver waiting."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, case, func, select
from sqlalchemy.exc import OperationalError

from harness.store.database import Database, as_input_error
from harness.store.keys import full_key
from harness.store.ownership import lease_is_over
from harness.store.schema import EpochRow, LossRow, RunRow, StudyRow, StudyTrialRow, TrialRow
from harness.store.summaries import failures, require_study

Answer = TypeVar("Answer")

RECENT = timedelta(hours=1)
_TRIES, _PAUSE_SECONDS = 5, 0.2
_HINT = "\"lossbench db query 'select * from v_trial'\" lists the trials"

_PLACE = (
    StudyRow.name.label("study"),
    StudyTrialRow.dataset,
    StudyTrialRow.label.label("loss"),
    TrialRow.purpose,
)
_ORDER = (StudyRow.name, StudyTrialRow.dataset, StudyTrialRow.label, TrialRow.purpose)


@dataclass(frozen=True)
class StoredCell:
    """The trials of a study with one dataset, loss, purpose and state.

    Attributes:
        study: Name of the study.
        dataset: Name of the dataset in it.
        loss: Label of the loss.
        purpose: ``study``, or ``search`` for trials that tune the loss.
        state: Of the trials.
        this_run: Whether they ended since the study was last started.
        trials: How many they are.
        best_val_dsc: Best validation DSC among them.
        timed: How many of them have a time.
        seconds: Sum of their times.
        squares: Sum of the squares of their times.
    """

    study: str
    dataset: str
    loss: str
    purpose: str
    state: str
    this_run: bool
    trials: int
    best_val_dsc: float | None
    timed: int
    seconds: float
    squares: float


@dataclass(frozen=True)
class StoredRunning:
    """A trial at work, as its driver last noted it.

    Attributes:
        study: Name of the study.
        dataset: Name of the dataset in it.
        loss: Label of the loss.
        purpose: ``study`` or ``search``.
        key: Of the trial.
        seed: Seed index.
        fold: Fold, None where the dataset is divided only once.
        owner: Name of the driver.
        stale: Whether the lease binds nobody: the driver is gone.
        done: Number of epochs that are over, None before the first is.
        epochs: Number of epochs in all, None if the key does not tell.
        val_dsc: Validation DSC of the last epoch that was noted.
        best_val_dsc: Best validation DSC so far.
        seconds: Time of the epochs that were noted.
        noted: Number of those epochs.
    """

    study: str
    dataset: str
    loss: str
    purpose: str
    key: str
    seed: int
    fold: int | None
    owner: str
    stale: bool
    done: int | None
    epochs: int | None
    val_dsc: float | None
    best_val_dsc: float | None
    seconds: float
    noted: int


@dataclass(frozen=True)
class Snapshot:
    """What the database knows at one moment.

    Attributes:
        at: That moment, in UTC.
        cells: Counts by study, dataset, loss, purpose and state.
        running: Trials at work.
        failures: Rows of :func:`harness.store.summaries.failures`.
        ended: When trials got a result in the last hour, and the seconds that each took, by study.
    """

    at: datetime
    cells: Sequence[StoredCell]
    running: Sequence[StoredRunning]
    failures: Sequence[dict[str, Any]]
    ended: dict[str, list[tuple[datetime, float]]]


@dataclass(frozen=True)
class TrialHead:
    """What there is to say of a trial above its log.

    ``epoch_now`` is the epoch that it trains, from 0; ``places`` are (study, dataset, loss label).
    """

    key: str
    family: str
    places: Sequence[tuple[str, str, str]]
    seed: int
    fold: int
    purpose: str
    state: str
    attempts: int
    epoch_now: int | None
    best_val_dsc: float | None
    reason: str | None
    traceback: str | None


def snapshot(database: Database, study: str | None = None) -> Snapshot:
    """Read what a person who watches wants to know.

    Args:
        database: Results; nothing is written.
        study: Only this one.

    Raises:
        InputError: if there is no such study, or the database does not answer.
    """

    def ask() -> Snapshot:
        if study is not None:
            require_study(database, study)
        now = datetime.now(UTC)
        with database.read() as connection:
            cells = _cells(connection, study)
            running = _running(connection, study, now)
            ended = _ended(connection, study, now)
        return Snapshot(now, cells, running, failures(database, study), ended)

    return patiently(database, ask)


def trial_head(database: Database, trial: str) -> TrialHead:
    """Return a trial's state by its key or the beginning of it.

    Raises:
        InputError: if no trial or several begin so, or the database does not answer.
    """
    return patiently(database, lambda: _head(database, trial))


def patiently(database: Database, ask: Callable[[], Answer]) -> Answer:
    """Ask, and ask again while the database is locked.

    Raises:
        InputError: if it does not answer.
    """
    with as_input_error(database.url):
        for _ in range(_TRIES):
            try:
                return ask()
            except OperationalError as error:
                if "locked" not in str(error.orig):
                    raise
                time.sleep(_PAUSE_SECONDS)
        return ask()


def _head(database: Database, trial: str) -> TrialHead:
    columns = (TrialRow.id, TrialRow.key, TrialRow.seed, TrialRow.fold, TrialRow.purpose, TrialRow.state)
    more = (
        TrialRow.attempts,
        TrialRow.epoch_now,
        TrialRow.best_val_dsc,
        TrialRow.reason,
        TrialRow.traceback,
        LossRow.family,
    )
    with database.read() as connection:
        key = full_key(connection, trial, _HINT)
        row = connection.execute(select(*columns, *more).join(LossRow).where(TrialRow.key == key)).one()
        places = (
            select(StudyRow.name, StudyTrialRow.dataset, StudyTrialRow.label)
            .join(StudyTrialRow, StudyTrialRow.study_id == StudyRow.id)
            .where(StudyTrialRow.trial_id == row.id)
            .order_by(StudyTrialRow.current.desc(), StudyRow.updated.desc(), StudyTrialRow.label)
        )
        found = [(place.name, place.dataset, place.label) for place in connection.execute(places)]
    fields = {name: value for name, value in row._mapping.items() if name != "id"}
    return TrialHead(places=found, **fields)


def _cells(connection: Connection, study: str | None) -> list[StoredCell]:
    # The run table is small: first who began when, then one pass over the trials.
    begun = select(RunRow.study, func.max(RunRow.started).label("started")).group_by(RunRow.study).subquery()
    this_run = case((TrialRow.finished >= begun.c.started, 1), else_=0)
    place = (*_PLACE, TrialRow.state)
    question = (
        select(
            *place,
            this_run.label("this_run"),
            func.count().label("trials"),
            func.max(TrialRow.best_val_dsc).label("best_val_dsc"),
            func.count(TrialRow.seconds).label("timed"),
            func.coalesce(func.sum(TrialRow.seconds), 0.0).label("seconds"),
            func.coalesce(func.sum(TrialRow.seconds * TrialRow.seconds), 0.0).label("squares"),
        )
        .join(StudyTrialRow, StudyTrialRow.study_id == StudyRow.id)
        .join(TrialRow, TrialRow.id == StudyTrialRow.trial_id)
        .join(begun, begun.c.study == StudyRow.name, isouter=True)
        .where(StudyTrialRow.current, *_only(study))
        .group_by(*place, this_run)
        .order_by(*_ORDER, TrialRow.state)
    )
    rows = connection.execute(question).mappings()
    return [StoredCell(**{**row, "this_run": bool(row["this_run"])}) for row in rows]


def _running(connection: Connection, study: str | None, now: datetime) -> list[StoredRunning]:
    curve = _curves()
    last = select(EpochRow).subquery()
    question = (
        select(
            *(*_PLACE, TrialRow.key, TrialRow.seed, TrialRow.fold, TrialRow.canonical),
            *(TrialRow.lease_owner, TrialRow.lease_expires, TrialRow.epoch_now),
            *(curve.c.epoch, curve.c.best, curve.c.seconds, curve.c.noted, last.c.val_dsc),
        )
        .join(StudyTrialRow, StudyTrialRow.study_id == StudyRow.id)
        .join(TrialRow, TrialRow.id == StudyTrialRow.trial_id)
        .join(curve, curve.c.trial_id == TrialRow.id, isouter=True)
        .join(last, (last.c.trial_id == TrialRow.id) & (last.c.epoch == curve.c.epoch), isouter=True)
        .where(StudyTrialRow.current, TrialRow.state == "running", *_only(study))
        .order_by(*_ORDER, TrialRow.seed, TrialRow.fold)
    )
    return [_running_trial(row, now) for row in connection.execute(question)]


def _running_trial(row: Any, now: datetime) -> StoredRunning:
    protocol, split = row.canonical.get("protocol", {}), row.canonical.get("split", {})
    noted = None if row.epoch is None else row.epoch + 1
    return StoredRunning(
        study=row.study,
        dataset=row.dataset,
        loss=row.loss,
        purpose=row.purpose,
        key=row.key,
        seed=row.seed,
        fold=row.fold if split.get("kind") == "kfold" else None,
        owner=row.lease_owner,
        stale=lease_is_over(row.lease_owner, row.lease_expires, now),
        done=row.epoch_now or noted,
        epochs=protocol.get("epochs"),
        val_dsc=row.val_dsc,
        best_val_dsc=row.best,
        seconds=row.seconds or 0.0,
        noted=row.noted or 0,
    )


def _curves() -> Any:
    """Return the question for the last epoch, best value and time of every running trial."""
    return (
        select(
            EpochRow.trial_id,
            func.max(EpochRow.epoch).label("epoch"),
            func.max(EpochRow.val_dsc).label("best"),
            func.sum(EpochRow.seconds).label("seconds"),
            func.count().label("noted"),
        )
        .join(TrialRow, TrialRow.id == EpochRow.trial_id)
        .where(TrialRow.state == "running")
        .group_by(EpochRow.trial_id)
        .subquery()
    )


def _ended(
    connection: Connection, study: str | None, now: datetime
) -> dict[str, list[tuple[datetime, float]]]:
    question = (
        select(StudyRow.name, TrialRow.key, TrialRow.finished, TrialRow.seconds)
        .join(StudyTrialRow, StudyTrialRow.study_id == StudyRow.id)
        .join(TrialRow, TrialRow.id == StudyTrialRow.trial_id)
        .where(StudyTrialRow.current, TrialRow.seconds.is_not(None), *_only(study))
        .where(TrialRow.finished >= now - RECENT)
        .distinct()
    )
    found: dict[str, list[tuple[datetime, float]]] = {}
    for row in connection.execute(question):
        found.setdefault(row.name, []).append((row.finished, row.seconds))
    return found


def _only(study: str | None) -> list[Any]:
    return [] if study is None else [StudyRow.name == study]
