"""Find the networks that trials have kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from harness.errors import InputError
from harness.store.database import Database
from harness.store.schema import ArtifactRow, StudyRow, StudyTrialRow, TrialRow

MODEL = "model"
"""Kind of artifact."""

SHORTEST_PREFIX = 6
SHOWN = 12
"""Characters of a key that tables show."""

_LIST = "'lossbench predict --list' shows the trials that kept their network"


@dataclass(frozen=True)
class KeptModel:
    """The network of a finished trial.

    Attributes:
        key: Of the trial.
        path: Relative to the artifact folder.
        sha256: Of the file, when it was written.
        flaw: Why the network is no use, if the trial collapsed.
    """

    key: str
    path: str
    sha256: str
    flaw: str | None


def kept_model(database: Database, trial: str) -> KeptModel:
    """Return the network of a trial.

    Args:
        database: Results.
        trial: Its key, or the beginning of it.

    Raises:
        InputError: if no trial or several begin so, or the trial has kept no network.
    """
    wanted = trial.lower()
    if len(wanted) < SHORTEST_PREFIX:
        raise InputError(f"trial {trial!r}: give at least {SHORTEST_PREFIX} characters of its key; {_LIST}")
    rows = _beginning_with(database, wanted)
    if not rows:
        raise InputError(f"no trial {trial!r} in the database; {_LIST}")
    if len(rows) > 1:
        shown = _distinct([row.key for row in rows[:2]])
        raise InputError(
            f"{len(rows)} trials begin with {trial!r} ({', '.join(shown)}); give more of the key"
        )
    row = rows[0]
    if row.path is None:
        raise InputError(
            f"trial {row.key[:SHOWN]!r} is {row.state} and has kept no network; run its study with "
            f"--keep-models in another --home, or choose another trial: {_LIST}"
        )
    flaw = (row.reason or "it collapsed") if row.collapsed else None
    return KeptModel(row.key, row.path, row.sha256, flaw)


def _beginning_with(database: Database, prefix: str) -> Sequence[Any]:
    """Return state and network of all trials whose keys begin so."""
    artifact = (ArtifactRow.trial_id == TrialRow.id) & (ArtifactRow.kind == MODEL)
    columns = (TrialRow.key, TrialRow.state, TrialRow.collapsed, TrialRow.reason)
    question = (
        select(*columns, ArtifactRow.path, ArtifactRow.sha256)
        .join(ArtifactRow, artifact, isouter=True)
        .where(func.substr(TrialRow.key, 1, len(prefix)) == prefix)
        .order_by(TrialRow.key)
    )
    with database.read() as connection:
        return connection.execute(question).all()


def kept_models(database: Database) -> list[dict[str, Any]]:
    """Return one row for every place in a study whose trial has kept its network."""
    question = (
        select(
            func.substr(TrialRow.key, 1, SHOWN).label("trial"),
            StudyRow.name.label("study"),
            StudyTrialRow.dataset,
            StudyTrialRow.label.label("loss"),
            TrialRow.seed,
            TrialRow.fold,
            func.round(TrialRow.best_val_dsc, 3).label("best val dsc"),
        )
        .join(ArtifactRow, ArtifactRow.trial_id == TrialRow.id)
        .join(StudyTrialRow, StudyTrialRow.trial_id == TrialRow.id)
        .join(StudyRow, StudyRow.id == StudyTrialRow.study_id)
        .where(ArtifactRow.kind == MODEL, StudyTrialRow.current)
        .order_by(StudyRow.name, StudyTrialRow.dataset, StudyTrialRow.label, TrialRow.seed, TrialRow.fold)
    )
    with database.read() as connection:
        return [dict(row) for row in connection.execute(question).mappings()]


def _distinct(keys: list[str]) -> list[str]:
    """Shorten keys as far as they still differ."""
    same = next((place for place, pair in enumerate(zip(*keys, strict=False)) if len(set(pair)) > 1), SHOWN)
    return [key[: max(SHOWN, same + 1)] for key in keys]
