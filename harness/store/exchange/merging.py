"""Merge another results database into ours: one transaction, by natural keys, again changes nothing."""

from typing import Any

from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DatabaseError

from harness.errors import InputError
from harness.store.database import Database
from harness.store.exchange.cohorts import merge_cohorts
from harness.store.exchange.findings import Findings, MergeReport
from harness.store.exchange.keyed import Ends, join_by_key
from harness.store.exchange.studies import merge_studies
from harness.store.exchange.trials import Parents, Progress, merge_trials
from harness.store.schema import EnvironmentRow, LossRow, MetricRow, RunRow

_IDENTITY = {
    "sqlite": "SELECT file, '' FROM pragma_database_list WHERE name = 'main'",
    "postgresql": (
        "SELECT pg_postmaster_start_time()::text || current_schema(), oid::text "
        "FROM pg_database WHERE datname = current_database()"
    ),
}
"""Query that gives the same for two URLs of one database only, by dialect."""


class _DryRunOver(Exception):
    """Rolls a transaction back."""


def merge(
    target: Database,
    other: Database,
    dry_run: bool = False,
    progress: Progress = lambda done, total: None,
) -> MergeReport:
    """Bring everything of another database in that ours lacks.

    Optuna's searches stay where they are; their trials come in.

    Args:
        target: Ours; either all of the merge is in it afterwards or nothing.
        other: Is only read.
        dry_run: Undo everything at the end.
        progress: Called as (trials done, trials in all).

    Raises:
        InputError: if both are the same database, or the other holds a row that ours refuses.
    """
    if _identity(target) == _identity(other):
        raise InputError(f"database {target.shown} cannot be merged with itself; give another one")
    findings = Findings()
    driver: Any = target.engine.dialect.loaded_dbapi
    try:
        with other.read() as theirs, target.write() as ours:
            _merge(Ends(ours, theirs, findings), progress)
            if dry_run:
                raise _DryRunOver
    except _DryRunOver:
        pass
    except (DatabaseError, driver.IntegrityError, driver.DataError) as error:
        reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
        raise InputError(
            f"nothing was merged, for the other database holds a row that this one refuses: {reason}; "
            "look at it with 'lossbench db check'"
        ) from error
    return findings.report()


def _merge(ends: Ends, progress: Progress) -> None:
    cohorts = merge_cohorts(ends)
    refused = _other_metrics(ends)
    parents = Parents(
        datasets=cohorts.datasets,
        cases=cohorts.cases,
        splits=cohorts.splits,
        losses=join_by_key(ends, LossRow, ("digest",)),
        environments=join_by_key(ends, EnvironmentRow, ("digest",)),
        runs=join_by_key(ends, RunRow, ("uid",)),
        metrics=join_by_key(
            ends,
            MetricRow,
            ("name", "version"),
            accepts=lambda row: (row["name"], row["version"]) not in refused,
        ),
    )
    merge_studies(ends, merge_trials(ends, parents, progress))


def _identity(database: Database) -> tuple[Any, ...]:
    dialect = database.engine.dialect.name
    with database.read() as connection:
        return (dialect, *connection.execute(text(_IDENTITY[dialect])).one())


def _other_metrics(ends: Ends) -> set[tuple[str, int]]:
    """Return the metrics that theirs defines otherwise under the same name and version."""
    ours, theirs = _metrics(ends.ours), _metrics(ends.theirs)
    refused = {key for key in ours.keys() & theirs.keys() if ours[key] != theirs[key]}
    for name, version in sorted(refused):
        here, there = ours[name, version], theirs[name, version]
        ends.findings.conflict(
            "metric",
            f"metric {name!r}, version {version}, has unit {there[0]!r} and direction {there[1]!r} there, "
            f"{here[0]!r} and {here[1]!r} here; its scores there are left out",
        )
    return refused


def _metrics(connection: Connection) -> dict[tuple[str, int], tuple[str, str]]:
    question = select(MetricRow.name, MetricRow.version, MetricRow.unit, MetricRow.direction)
    return {(row.name, row.version): (row.unit, row.direction) for row in connection.execute(question)}
