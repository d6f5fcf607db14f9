"""The mean of a metric over the validation cases of trials: what a search may judge them by."""

from collections.abc import Collection

from sqlalchemy import bindparam, case, func, select

from harness.store.bulk import in_chunks
from harness.store.database import Database
from harness.store.schema import FINAL_STATES, CaseRow, MetricRow, ScoreRow, TrialRow
from harness.store.spending import KEYS_AT_ONCE
from harness.store.sql_parts import AnySelect, JsonText, newest_version


def validation_means(database: Database, keys: Collection[str], metric: str) -> dict[str, float]:
    """Return the mean of a metric at the checkpoint that each trial reports; test scores are never read.

    A case is the mean over its foreground classes, undefined values imputed; a patient that over its cases;
    the trial that over its patients.

    Args:
        database: Results.
        keys: Of the trials; those without a result, and diverged ones, which have no scores, are left out.
        metric: Its name; the newest version counts.
    """
    question = _question()
    found: dict[str, float] = {}
    with database.read() as connection:
        for some in in_chunks(dict.fromkeys(keys), KEYS_AT_ONCE):
            rows = connection.execute(question, {"keys": some, "metric": metric})
            found |= {row.key: float(row.mean) for row in rows}
    return found


def _question() -> AnySelect:
    last = JsonText(TrialRow.canonical, "protocol", "checkpoint") == "last"
    cases = (
        select(TrialRow.key, CaseRow.patient_id, func.avg(ScoreRow.imputed).label("mean"))
        .join(ScoreRow, ScoreRow.trial_id == TrialRow.id)
        .join(CaseRow, CaseRow.id == ScoreRow.case_id)
        .join(MetricRow, MetricRow.id == ScoreRow.metric_id)
        .where(
            TrialRow.key.in_(bindparam("keys", expanding=True)),
            TrialRow.state.in_(FINAL_STATES),
            ScoreRow.part == "validation",
            ScoreRow.checkpoint == case((last, "last"), else_="best"),
            ScoreRow.class_index > 0,
            MetricRow.name == bindparam("metric"),
            newest_version(),
        )
        .group_by(TrialRow.key, CaseRow.patient_id, ScoreRow.case_id)
        .cte("validation_case")
    )
    patients = (
        select(cases.c.key, func.avg(cases.c.mean).label("mean"))
        .group_by(cases.c.key, cases.c.patient_id)
        .cte("validation_patient")
    )
    return select(patients.c.key, func.avg(patients.c.mean).label("mean")).group_by(patients.c.key)
