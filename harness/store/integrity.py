"""Whether a database is whole: its pages, its references, its trials, its keys."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, exists, select

from harness.store.database import Database
from harness.store.keys import SHOWN
from harness.store.rows import digest_of
from harness.store.schema import (
    EXTERNAL,
    FINAL_STATES,
    ArtifactRow,
    EnvironmentRow,
    EpochRow,
    LossRow,
    ScoreRow,
    TrialRow,
)


def faults(database: Database) -> list[str]:
    """Read the whole database and return a sentence for everything that is wrong; none if it is whole."""
    with database.read() as connection:
        damage = database.backend.damage(connection)
        if damage:
            return damage  # what is on such pages cannot be asked
        return [
            *database.backend.broken_references(connection),
            *_half_trials(connection),
            *_wrong_keys(connection),
        ]


def _half_trials(connection: Connection) -> Iterator[str]:
    """Yield trials that are finished without results, or have scores or files before they are finished."""
    final = TrialRow.state.in_(FINAL_STATES)
    trained = LossRow.family != EXTERNAL
    questions = {
        "is finished and has no learning curve": final & trained & ~_has(EpochRow),
        "is pruned and has no learning curve": (TrialRow.state == "pruned") & ~_has(EpochRow),
        "is done and has no scores": (TrialRow.state == "done")
        & (TrialRow.purpose == "study")
        & ~_has(ScoreRow),
        "is not finished and has scores": ~final & _has(ScoreRow),
        "is not finished and has files": ~final & _has(ArtifactRow),
    }
    for flaw, condition in questions.items():
        keys = select(TrialRow.key).join(LossRow).where(condition).order_by(TrialRow.key)
        for key in connection.scalars(keys):
            yield f"trial {key[:SHOWN]!r} {flaw}"


def _has(table: Any) -> Any:
    return exists().where(table.trial_id == TrialRow.id)


def _wrong_keys(connection: Connection) -> Iterator[str]:
    """Yield rows whose key is not the sha256 of what it stands for."""
    for table, key, content in (
        ("trial", TrialRow.key, TrialRow.canonical),
        ("loss", LossRow.digest, LossRow.canonical),
        ("environment", EnvironmentRow.digest, EnvironmentRow.facts),
    ):
        for found, stands_for in connection.execute(select(key, content).order_by(key)):
            if digest_of(stands_for) != found:
                yield f"{table} {found[:SHOWN]!r} is not the sha256 of its fields"
