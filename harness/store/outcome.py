"""What a trial leaves in the database, and the rows that it becomes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, insert, or_, select

from harness.store.bulk import insert_columns
from harness.store.schema import (
    ArtifactRow,
    CaseRow,
    EpochRow,
    EpochScoreRow,
    MetricRow,
    PatientRow,
    ScoreRow,
)


@dataclass(frozen=True)
class ArtifactRecord:
    """A file that a trial kept."""

    kind: str
    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Outcome:
    """Everything a finished or pruned trial leaves, written in one transaction.

    ``epochs``, ``scores`` and ``epoch_scores`` are rows as mappings: the columns of ``epoch``, those
    of ``score`` with ``case`` and ``metric`` as names, and those of ``epoch_score`` with ``metric`` as a
    name. ``collapsed`` is None of a pruned trial, which has no scores and no artifacts either.
    ``reason_epoch`` is when ``reason`` came true, ``numerics`` what decides the bits besides the key.
    """

    state: str
    collapsed: bool | None
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


# Built once: to build and to look up a statement takes longer than SQLite does to run it.
_DELETE_ALL = tuple(
    delete(table).where(table.trial_id == bindparam("trial"))
    for table in (EpochScoreRow, EpochRow, ScoreRow, ArtifactRow)
)
_HAS_ROWS = select(
    or_(*(exists().where(table.trial_id == bindparam("trial")) for table in (EpochRow, ScoreRow)))
)
_DELETE_SINCE = tuple(
    delete(table).where(table.trial_id == bindparam("trial"), table.epoch >= bindparam("since"))
    for table in (EpochScoreRow, EpochRow)
)


def write_results(
    connection: Connection, trial_id: int, dataset_id: int, outcome: Outcome, versions: Mapping[str, int]
) -> None:
    """Write curve, scores and artifacts of a trial in the place of what it has.

    Args:
        connection: Inside a writing transaction.
        trial_id: Of the trial.
        dataset_id: Of its dataset.
        outcome: What it leaves.
        versions: Version of the metrics that its program computes, by name; of others the newest counts.
    """
    if connection.scalar(_HAS_ROWS, {"trial": trial_id}):
        for statement in _DELETE_ALL:
            connection.execute(statement, {"trial": trial_id})
    ids: dict[str, dict[str, int]] = {}
    if outcome.scores or outcome.epoch_scores:
        ids = {"metric": _metrics(connection, versions), "case": _cases(connection, dataset_id)}
    _insert(connection, trial_id, EpochRow, outcome.epochs, ids)
    _insert(connection, trial_id, EpochScoreRow, outcome.epoch_scores, ids)
    _insert(connection, trial_id, ScoreRow, outcome.scores, ids)
    for artifact in outcome.artifacts:
        connection.execute(insert(ArtifactRow).values(trial_id=trial_id, **asdict(artifact)))


def delete_curves(connection: Connection, trial_ids: Sequence[int]) -> None:
    """Delete the learning curves of trials that begin anew."""
    for trial_id in trial_ids:
        for statement in _DELETE_SINCE:
            connection.execute(statement, {"trial": trial_id, "since": 0})


def write_epochs(
    connection: Connection,
    trial_id: int,
    epochs: Sequence[Mapping[str, Any]],
    epoch_scores: Sequence[Mapping[str, Any]],
    since: int | None,
    versions: Mapping[str, int],
) -> None:
    """Add points to the curve of a running trial.

    Args:
        connection: Inside a writing transaction.
        trial_id: Of the trial.
        epochs: Rows of ``epoch``.
        epoch_scores: Rows of ``epoch_score``, metrics as names.
        since: Points from this epoch on are deleted first; None: none are.
        versions: Version of the metrics that its program computes, by name; of others the newest counts.
    """
    if since is not None:
        for statement in _DELETE_SINCE:
            connection.execute(statement, {"trial": trial_id, "since": since})
    _insert(connection, trial_id, EpochRow, epochs, {})
    if epoch_scores:
        ids = {"metric": _metrics(connection, versions)}
        _insert(connection, trial_id, EpochScoreRow, epoch_scores, ids)


def _insert(
    connection: Connection,
    trial_id: int,
    table: Any,
    rows: Sequence[Mapping[str, Any]],
    ids: Mapping[str, Mapping[str, int]],
) -> None:
    if rows:
        insert_columns(connection, table, {"trial_id": [trial_id] * len(rows), **_columns(rows, ids)})


def _metrics(connection: Connection, versions: Mapping[str, int]) -> dict[str, int]:
    """Return the ids of metrics by name: a newer program may have added a newer version meanwhile."""
    newest_last = select(MetricRow.name, MetricRow.version, MetricRow.id).order_by(MetricRow.version)
    return {
        row.name: row.id
        for row in connection.execute(newest_last)
        if versions.get(row.name, row.version) == row.version
    }


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
