"""Count looks: distinct sets of test scores that somebody analysed."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from sqlalchemy import insert, select, update

from harness.store.database import Database
from harness.store.schema import LookRow, StudyRow

_COLUMNS = ("key", "patient", "case", "class_index", "metric", "part", "checkpoint", "imputed")


def digest_of_scores(scores: pd.DataFrame) -> str:
    """Return the sha256 of a set of scores: which trial, case, class and metric had which value.

    Args:
        scores: Rows of :func:`harness.store.frames.scores`, in any order.
    """
    lines = sorted(map("\t".join, zip(*(_texts(scores[name]) for name in _COLUMNS), strict=True)))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def record_look(database: Database, study: str, digest: str, complete: bool) -> None:
    """Record that a set of test scores was analysed; the same scores again are no new look.

    Args:
        database: Results database.
        study: Name of the study.
        digest: Of the test scores that are shown, from :func:`digest_of_scores`.
        complete: Whether the study was finished.
    """
    with database.write() as connection:
        study_id = connection.execute(select(StudyRow.id).where(StudyRow.name == study)).scalar_one()
        same = (LookRow.study_id == study_id, LookRow.digest == digest)
        known = connection.execute(select(LookRow.complete).where(*same)).scalar_one_or_none()
        if known is None:
            values = {"study_id": study_id, "digest": digest, "at": datetime.now(UTC), "complete": complete}
            connection.execute(insert(LookRow).values(**values))
        elif complete and not known:
            connection.execute(update(LookRow).where(*same).values(complete=True))


def _texts(column: "pd.Series[Any]") -> list[str]:
    """Return every value as Python writes it; names that repeat are written once."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        names = [repr(name) for name in column.cat.categories]
        return [names[code] if code >= 0 else repr(None) for code in column.cat.codes]
    return list(map(repr, column.tolist()))
