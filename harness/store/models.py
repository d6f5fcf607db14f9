"""Find the networks that trials have kept."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from harness.errors import InputError
from harness.store.database import Database
from harness.store.keys import SHOWN, full_key
from harness.store.schema import ArtifactRow, StudyRow, StudyTrialRow, TrialRow

MODEL = "model"
"""Kind of artifact."""

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
    artifact = (ArtifactRow.trial_id == TrialRow.id) & (ArtifactRow.kind == MODEL)
    columns = (TrialRow.key, TrialRow.state, TrialRow.collapsed, TrialRow.reason)
    question = select(*columns, ArtifactRow.path, ArtifactRow.sha256).join(
        ArtifactRow, artifact, isouter=True
    )
    with database.read() as connection:
        key = full_key(connection, trial, _LIST)
        row = connection.execute(question.where(TrialRow.key == key)).one()
    if row.path is None:
        raise InputError(
            f"trial {row.key[:SHOWN]!r} is {row.state} and has kept no network; run its study with "
            f"--keep-models in another --home, or choose another trial: {_LIST}"
        )
    flaw = (row.reason or "it collapsed") if row.collapsed else None
    return KeptModel(row.key, row.path, row.sha256, flaw)


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
            TrialRow.best_val_dsc.label("best val dsc"),
        )
        .join(ArtifactRow, ArtifactRow.trial_id == TrialRow.id)
        .join(StudyTrialRow, StudyTrialRow.trial_id == TrialRow.id)
        .join(StudyRow, StudyRow.id == StudyTrialRow.study_id)
        .where(ArtifactRow.kind == MODEL, StudyTrialRow.current)
        .order_by(StudyRow.name, StudyTrialRow.dataset, StudyTrialRow.label, TrialRow.seed, TrialRow.fold)
    )
    with database.read() as connection:
        rows = [dict(row) for row in connection.execute(question).mappings()]
    for row in rows:
        found = row["best val dsc"]
        row["best val dsc"] = None if found is None else round(found, 3)
    return rows
