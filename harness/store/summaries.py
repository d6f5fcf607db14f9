"""Small questions about studies and trials that the command line asks."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import case, func, select

from harness.errors import InputError, nearest
from harness.store.database import Database
from harness.store.schema import (
    ENDED_STATES,
    FINAL_STATES,
    Base,
    StudyRow,
    StudyTrialRow,
    TrialRow,
)


def study_names(database: Database) -> list[str]:
    """Return the names of all studies, sorted."""
    with database.read() as connection:
        return list(connection.scalars(select(StudyRow.name).order_by(StudyRow.name)))


def require_study(database: Database, name: str) -> None:
    """Check that a study is in the database.

    Raises:
        InputError: naming the nearest one that is.
    """
    names = study_names(database)
    if name not in names:
        hint = nearest(name, names) or (f"; it has: {', '.join(names)}" if names else "; run it first")
        raise InputError(f"no study {name!r} in the database{hint}")


def trial_counts(database: Database, study: str | None = None) -> list[dict[str, Any]]:
    """Return one row per study, dataset, loss and state with its number of current trials."""
    if study is not None:
        require_study(database, study)
    question = (
        select(
            StudyRow.name.label("study"),
            StudyTrialRow.dataset,
            StudyTrialRow.label.label("loss"),
            TrialRow.purpose,
            TrialRow.state,
            func.count().label("trials"),
            func.max(TrialRow.epoch_now).label("epoch"),
        )
        .join(StudyTrialRow, StudyTrialRow.study_id == StudyRow.id)
        .join(TrialRow, TrialRow.id == StudyTrialRow.trial_id)
        .where(StudyTrialRow.current)
        .group_by(StudyRow.name, StudyTrialRow.dataset, StudyTrialRow.label, TrialRow.purpose, TrialRow.state)
        .order_by(StudyRow.name, StudyTrialRow.dataset, StudyTrialRow.label, TrialRow.purpose, TrialRow.state)
    )
    if study is not None:
        question = question.where(StudyRow.name == study)
    with database.read() as connection:
        return [dict(row) for row in connection.execute(question).mappings()]


def failures(database: Database, study: str | None = None) -> list[dict[str, Any]]:
    """Return every current trial that failed, diverged or collapsed, with its reason.

    Of a search, only those that failed: that some configurations are no use is what it finds out.
    """
    question = (
        select(
            StudyRow.name.label("study"),
            StudyTrialRow.dataset,
            StudyTrialRow.label.label("loss"),
            TrialRow.seed,
            TrialRow.fold,
            TrialRow.state,
            TrialRow.reason_epoch.label("epoch"),
            TrialRow.reason,
        )
        .join(StudyTrialRow, StudyTrialRow.study_id == StudyRow.id)
        .join(TrialRow, TrialRow.id == StudyTrialRow.trial_id)
        .where(StudyTrialRow.current, TrialRow.reason.is_not(None), TrialRow.state != "pruned")
        .where((TrialRow.purpose == "study") | (TrialRow.state == "failed"))
        .order_by(StudyRow.name, StudyTrialRow.dataset, StudyTrialRow.label, TrialRow.seed, TrialRow.fold)
    )
    if study is not None:
        question = question.where(StudyRow.name == study)
    with database.read() as connection:
        return [dict(row) for row in connection.execute(question).mappings()]


def known_trials(database: Database, keys: Iterable[str]) -> dict[str, str]:
    """Return the state of those trials that the database has, by key."""
    wanted = set(keys)
    with database.read() as connection:
        rows = connection.execute(select(TrialRow.key, TrialRow.state)).all()
    return {row.key: row.state for row in rows if row.key in wanted}


def stale_reasons(
    database: Database, study: str, label: str, dataset: str, planned: Mapping[str, Mapping[str, Any]]
) -> tuple[int, list[str]]:
    """Count a cell's finished trials that the plan no longer asks for, and say what changed.

    Args:
        database: Results.
        study: Name of the study.
        label: Loss label of the cell.
        dataset: Dataset name of the cell.
        planned: Canonical fields of the planned trials, by key.

    Returns:
        Their number, and the names of the fields in which they differ from the plan.
    """
    question = (
        select(TrialRow.key, TrialRow.canonical)
        .join(StudyTrialRow, StudyTrialRow.trial_id == TrialRow.id)
        .join(StudyRow, StudyRow.id == StudyTrialRow.study_id)
        .where(
            StudyRow.name == study,
            StudyTrialRow.label == label,
            StudyTrialRow.dataset == dataset,
            TrialRow.purpose == "study",
            TrialRow.state.in_(FINAL_STATES),
        )
    )
    with database.read() as connection:
        stored = {row.key: row.canonical for row in connection.execute(question) if row.key not in planned}
    now = next(iter(planned.values()), {})
    changed = {
        field
        for canonical in stored.values()
        for field, value in canonical.items()
        if field not in {"seed", "fold"} and now.get(field) != value
    }
    return len(stored), sorted(changed) or (["number of seeds"] if stored else [])


def row_counts(database: Database) -> list[dict[str, Any]]:
    """Return the number of rows of every table of ours."""
    with database.read() as connection:
        return [
            {"table": table.name, "rows": connection.scalar(select(func.count()).select_from(table))}
            for table in Base.metadata.sorted_tables
        ]


def study_sizes(database: Database) -> list[dict[str, Any]]:
    """Return one row per study: title, when it was last run, its current trials, in all and by state."""
    by_state = [
        func.coalesce(func.sum(case((TrialRow.state == state, 1), else_=0)), 0).label(state)
        for state in ENDED_STATES
    ]
    question = (
        select(
            StudyRow.name.label("study"),
            StudyRow.title,
            StudyRow.updated,
            func.count(TrialRow.id).label("trials"),
            *by_state,
        )
        .join(StudyTrialRow, (StudyTrialRow.study_id == StudyRow.id) & StudyTrialRow.current, isouter=True)
        .join(TrialRow, TrialRow.id == StudyTrialRow.trial_id, isouter=True)
        .group_by(StudyRow.id, StudyRow.name, StudyRow.title, StudyRow.updated)
        .order_by(StudyRow.name)
    )
    with database.read() as connection:
        return [dict(row) for row in connection.execute(question).mappings()]
