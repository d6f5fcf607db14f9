"""Count looks: distinct sets of test scores that somebody analysed."""

import hashlib
from datetime import UTC, datetime

import pandas as pd
from sqlalchemy import insert, select, update

from harness.store.database import Database
from harness.store.schema import LookRow, StudyRow


def digest_of(scores: pd.DataFrame) -> str:
    """Return the sha256 of a set of scores: which trial, case, class and metric had which value."""
    columns = ["key", "patient", "case", "class_index", "metric", "part", "checkpoint", "imputed"]
    lines = sorted(
        "\t".join(map(repr, map(_plain, row))) for row in scores[columns].itertuples(index=False, name=None)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def record_look(database: Database, study: str, scores: pd.DataFrame, complete: bool) -> None:
    """Record that these test scores were analysed; the same scores again are no new look.

    Args:
        database: Results database.
        study: Name of the study.
        scores: The test scores that are shown.
        complete: Whether the study was finished.
    """
    digest = digest_of(scores)
    with database.write() as connection:
        study_id = connection.execute(select(StudyRow.id).where(StudyRow.name == study)).scalar_one()
        same = (LookRow.study_id == study_id, LookRow.digest == digest)
        known = connection.execute(select(LookRow.complete).where(*same)).scalar_one_or_none()
        if known is None:
            values = {"study_id": study_id, "digest": digest, "at": datetime.now(UTC), "complete": complete}
            connection.execute(insert(LookRow).values(**values))
        elif complete and not known:
            connection.execute(update(LookRow).where(*same).values(complete=True))


def _plain(value: object) -> object:
    return float(value) if isinstance(value, float) else value
