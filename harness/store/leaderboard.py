"""The question behind ``v_leaderboard``: from scores to one row a loss, as the reports count.

A case is the mean over its foreground classes (undefined values imputed), a patient the mean over its cases,
a run, one (loss, seed), the mean over its patients of all folds, a loss the mean over its runs. A run
counts when all of its folds are done.
"""

from typing import Any

from sqlalchemy import CTE, ColumnElement, Integer, and_, case, cast, func, select

from harness.store.schema import (
    EXTERNAL,
    CaseRow,
    LossRow,
    MetricRow,
    ScoreRow,
    StudyRow,
    StudyTrialRow,
    TrialRow,
)
from harness.store.sql_parts import AnySelect, JsonText, newest_version

_LOSS = ("study_id", "dataset", "loss")
_CELL = ("study_id", "dataset", "part", "metric_id")


def leaderboard() -> AnySelect:
    """Return one row per study, dataset, part, metric and loss, also for losses without a finished run."""
    places = _places()
    cells = _cells(_run_values(_patient_values(places)))
    entrants = _entrants(places)
    asked = select(*_columns(cells, _CELL)).distinct().cte("asked")
    mean, higher = cells.c.mean, MetricRow.direction == "higher"
    place = func.rank().over(
        partition_by=_columns(asked, _CELL),
        order_by=case((higher, -mean), else_=mean).nulls_last(),
    )
    return (
        select(
            StudyRow.name.label("study"),
            asked.c.dataset,
            asked.c.part,
            entrants.c.checkpoint,
            MetricRow.name.label("metric"),
            MetricRow.unit,
            MetricRow.direction,
            case((mean.is_not(None), place)).label("rank"),
            entrants.c.loss,
            entrants.c.family,
            mean,
            cells.c.sd,
            func.coalesce(cells.c.seeds, 0).label("seeds"),
            cells.c.patients,
            cells.c.undefined,
            entrants.c.collapsed,
            entrants.c.diverged,
        )
        .select_from(asked)
        .join(entrants, _same(entrants, asked, ("study_id", "dataset")))
        .join(cells, _same(cells, asked, _CELL) & (cells.c.loss == entrants.c.loss), isouter=True)
        .join(MetricRow, MetricRow.id == asked.c.metric_id)
        .join(StudyRow, StudyRow.id == asked.c.study_id)
    )


def _places() -> CTE:
    """The current trials of studies, with the number of folds and the checkpoint that their study shows."""
    split = JsonText(TrialRow.canonical, "split", "kind")
    folds = cast(JsonText(TrialRow.canonical, "split", "k"), Integer)
    trained = LossRow.family != EXTERNAL
    last = JsonText(StudyRow.resolved, "protocol", "checkpoint") == "last"
    return (
        select(
            StudyTrialRow.study_id,
            StudyTrialRow.dataset,
            StudyTrialRow.label.label("loss"),
            StudyTrialRow.trial_id,
            LossRow.family,
            TrialRow.seed,
            TrialRow.fold,
            TrialRow.state,
            TrialRow.collapsed,
            case((and_(trained, split == "kfold"), folds), else_=1).label("folds"),
            case((last, "last"), else_="best").label("checkpoint"),
        )
        .join(StudyRow, StudyRow.id == StudyTrialRow.study_id)
        .join(TrialRow, TrialRow.id == StudyTrialRow.trial_id)
        .join(LossRow, LossRow.id == TrialRow.loss_id)
        .where(StudyTrialRow.current, TrialRow.purpose == "study")
        .cte("place")
    )


def _patient_values(places: CTE) -> CTE:
    """The value of every patient in every run whose folds are all done."""
    run = _columns(places, (*_LOSS, "seed"))
    finished = (
        select(*run)
        .group_by(*run)
        .having(_count(places.c.state == "done") >= func.max(places.c.folds))
        .cte("finished")
    )
    of_case = (*run, ScoreRow.part, ScoreRow.metric_id, places.c.fold, ScoreRow.case_id)
    cases = (
        select(
            *of_case,
            func.avg(ScoreRow.imputed).label("value"),
            _count(ScoreRow.value.is_(None)).label("undefined"),
        )
        .select_from(places)
        .join(finished, _same(finished, places, (*_LOSS, "seed")))
        .join(
            ScoreRow,
            and_(ScoreRow.trial_id == places.c.trial_id, ScoreRow.checkpoint == places.c.checkpoint),
        )
        .join(MetricRow, MetricRow.id == ScoreRow.metric_id)
        .where(newest_version())
        .group_by(*of_case)
        .cte("case_value")
    )
    of_patient = (*_columns(cases, (*_LOSS, "seed", "part", "metric_id")), CaseRow.patient_id)
    return (
        select(
            *of_patient,
            func.avg(cases.c.value).label("value"),
            func.sum(cases.c.undefined).label("undefined"),
        )
        .join(CaseRow, CaseRow.id == cases.c.case_id)
        .group_by(*of_patient)
        .cte("patient_value")
    )


def _run_values(patients: CTE) -> CTE:
    of_run = _columns(patients, (*_LOSS, "seed", "part", "metric_id"))
    return (
        select(
            *of_run,
            func.avg(patients.c.value).label("value"),
            func.count().label("patients"),
            func.sum(patients.c.undefined).label("undefined"),
        )
        .group_by(*of_run)
        .cte("run_value")
    )


def _cells(runs: CTE) -> CTE:
    """Mean and sample standard deviation over runs; the latter from deviations, which does not cancel."""
    of_cell = (*_LOSS, "part", "metric_id")
    mean = func.avg(runs.c.value).over(partition_by=_columns(runs, of_cell))
    centred = select(runs, (runs.c.value - mean).label("deviation")).cte("centred")
    seeds = func.count()
    squares = func.sum(centred.c.deviation * centred.c.deviation)
    cell = _columns(centred, of_cell)
    return (
        select(
            *cell,
            func.avg(centred.c.value).label("mean"),
            case((seeds > 1, func.sqrt(squares / (seeds - 1)))).label("sd"),
            seeds.label("seeds"),
            func.max(centred.c.patients).label("patients"),
            cast(func.sum(centred.c.undefined), Integer).label("undefined"),
        )
        .group_by(*cell)
        .cte("cell")
    )


def _entrants(places: CTE) -> CTE:
    loss = (*_columns(places, _LOSS), places.c.family, places.c.checkpoint)
    return (
        select(
            *loss,
            _count(places.c.collapsed).label("collapsed"),
            _count(places.c.state == "diverged").label("diverged"),
        )
        .group_by(*loss)
        .cte("entrant")
    )


def _columns(table: CTE, names: tuple[str, ...]) -> tuple[ColumnElement[Any], ...]:
    return tuple(table.c[name] for name in names)


def _same(left: CTE, right: CTE, names: tuple[str, ...]) -> ColumnElement[bool]:
    return and_(*(left.c[name] == right.c[name] for name in names))


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))
