"""Put many planned trials into the database with few statements."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select, update

from harness.store.bulk import insert_rows
from harness.store.rows import digest_of, upsert_row
from harness.store.schema import DatasetRow, LossRow, SplitRow, StudyTrialRow, TrialRow

if TYPE_CHECKING:
    from harness.store.trials import TrialRecord

_BATCH = 500
"""Keys in one statement."""


def trial_ids(connection: Connection, records: Sequence["TrialRecord"]) -> dict[str, int]:
    """Insert the trials that are not there yet; return the id of each by key."""
    by_key = {record.key: record for record in records}
    ids = _known(connection, by_key)
    new = [record for key, record in by_key.items() if key not in ids]
    if new:
        insert_rows(connection, TrialRow, _rows(connection, new))
        ids |= _known(connection, [record.key for record in new])
    return ids


def put_in_study(connection: Connection, study_id: int, places: Mapping[tuple[int, str], str]) -> None:
    """Note the places of trials in a study, all of them current.

    Args:
        connection: Inside a transaction.
        study_id: Of the study.
        places: Name of the dataset in the study, by the trial's id and its label.
    """
    columns = (StudyTrialRow.trial_id, StudyTrialRow.label, StudyTrialRow.dataset, StudyTrialRow.current)
    of_study = select(*columns).where(StudyTrialRow.study_id == study_id)
    if len(places) == 1:  # a driver notes one trial at a time; it need not read the whole study
        of_study = of_study.where(StudyTrialRow.trial_id == next(iter(places))[0])
    there = {(row.trial_id, row.label): (row.dataset, row.current) for row in connection.execute(of_study)}
    new = []
    for (trial_id, label), dataset in places.items():
        place = {"study_id": study_id, "trial_id": trial_id, "label": label}
        shown = {"dataset": dataset, "current": True}
        if (trial_id, label) not in there:
            new.append({**place, **shown})
        elif there[trial_id, label] != (dataset, True):
            connection.execute(update(StudyTrialRow).filter_by(**place).values(**shown))
    insert_rows(connection, StudyTrialRow, new)


def _known(connection: Connection, keys: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for batch in _batches(list(keys)):
        question = select(TrialRow.key, TrialRow.id).where(TrialRow.key.in_(batch))
        found |= {row.key: row.id for row in connection.execute(question)}
    return found


def _batches(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _BATCH):
        yield keys[start : start + _BATCH]


def _rows(connection: Connection, records: Sequence["TrialRecord"]) -> list[dict[str, Any]]:
    datasets = {
        row.fingerprint: row.id for row in connection.execute(select(DatasetRow.fingerprint, DatasetRow.id))
    }
    losses = _loss_ids(connection, records)
    columns = (SplitRow.dataset_id, SplitRow.digest, SplitRow.seed, SplitRow.fold)
    splits = {tuple(row[:4]): row.id for row in connection.execute(select(*columns, SplitRow.id))}
    rows = []
    for record in records:
        dataset_id = datasets.get(record.fingerprint)
        split = (dataset_id, digest_of(record.canonical.get("split", {})), record.seed, record.fold)
        rows.append(
            {
                "key": record.key,
                "dataset_id": dataset_id,
                "split_id": splits.get(split),
                "loss_id": losses[digest_of(record.loss_canonical)],
                "seed": record.seed,
                "fold": record.fold,
                "purpose": record.purpose,
                "canonical": dict(record.canonical),
                "state": "waiting",
                "attempts": 0,
            }
        )
    return rows


def _loss_ids(connection: Connection, records: Sequence["TrialRecord"]) -> dict[str, int]:
    """Insert or update the losses of trials; return the id of each by digest."""
    by_digest = {digest_of(record.loss_canonical): record for record in records}
    return {
        digest: upsert_row(
            connection,
            LossRow,
            {"digest": digest},
            {
                "expression": record.loss_expression,
                "family": record.loss_family,
                "canonical": dict(record.loss_canonical),
            },
        )
        for digest, record in by_digest.items()
    }
