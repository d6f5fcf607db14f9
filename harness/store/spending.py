"""What trials have cost a search, those that were pruned or run still included."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import bindparam, func, select

from harness.store.bulk import in_chunks
from harness.store.database import Database
from harness.store.schema import EpochRow, TrialRow

KEYS_AT_ONCE = 1000
"""An engine takes only so many values in one question."""


@dataclass(frozen=True)
class Spending:
    """What a trial has cost so far.

    Attributes:
        epochs: Points of its curve; an epoch counts once, however often it was trained.
        seconds: Of a worker; of a trial that has not ended, the time of those epochs alone.
    """

    epochs: int = 0
    seconds: float = 0.0


_QUESTION = (
    select(
        TrialRow.key,
        func.count(EpochRow.epoch).label("epochs"),
        func.coalesce(TrialRow.seconds, func.sum(EpochRow.seconds), 0.0).label("seconds"),
    )
    .join(EpochRow, EpochRow.trial_id == TrialRow.id, isouter=True)
    .where(TrialRow.key.in_(bindparam("keys", expanding=True)))
    .group_by(TrialRow.key, TrialRow.seconds)
)


def spending(database: Database, keys: Collection[str]) -> dict[str, Spending]:
    """Return what trials have cost, by key.

    Args:
        database: Results; the curve of a running trial is as old as its driver's last heartbeat.
        keys: Of the trials; one that the database does not have has cost nothing.
    """
    found = dict.fromkeys(keys, Spending())
    with database.read() as connection:
        for some in in_chunks(list(found), KEYS_AT_ONCE):
            for row in connection.execute(_QUESTION, {"keys": some}):
                found[row.key] = Spending(row.epochs, row.seconds)
    return found
