"""Frames of the long tables: scores, learning curves, curves of every class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import ColumnElement, Connection, Integer, bindparam, case, func, literal, select
from sqlalchemy.sql.selectable import CTE

from harness.store.long_tables import (
    Codes,
    Numbers,
    categories,
    match_places,
    order_of,
    positions,
    ranks,
    read_cases,
    read_classes,
    read_numbers,
)
from harness.store.schema import CHECKPOINTS, FINAL_STATES, PARTS, EpochRow, EpochScoreRow, ScoreRow

_PARTS, _CHECKPOINTS = sorted(PARTS), sorted(CHECKPOINTS)
_PLACE_NAMES = ("dataset", "label", "family", "expression", "key", "seed", "fold")
_RUN_NAMES = ("dataset", "label", "family", "seed", "fold")

_CURVE_VALUES = (
    EpochRow.train_loss,
    EpochRow.val_dsc,
    EpochRow.learning_rate,
    EpochRow.region_weight,
    EpochRow.boundary_weight,
    EpochRow.seconds,
    EpochRow.validation_seconds,
    EpochRow.peak_bytes,
)


@dataclass(frozen=True)
class ScoreFilter:
    """Which scores to read.

    Attributes:
        metrics: Rows of :func:`harness.store.long_tables.read_metrics`.
        parts: Of ``test``, ``validation``.
        checkpoints: Of ``best``, ``last``.
    """

    metrics: pd.DataFrame
    parts: Sequence[str]
    checkpoints: Sequence[str]


def read_scores(connection: Connection, places: pd.DataFrame, chosen: ScoreFilter) -> pd.DataFrame:
    """Return the scores of some places, one row each, in a fixed order."""
    cases, metrics = read_cases(connection, _distinct(places, "dataset_id")), chosen.metrics
    found, reasons = _read_score_numbers(connection, places, chosen)
    rows, place = match_places(places, found.ids["trial_id"])
    found = found.take(rows)
    case, metric = (
        positions(cases["id"], found.ids["case_id"]),
        positions(metrics["id"], found.ids["metric_id"]),
    )
    order = order_of(
        place,
        found.ids["part"],
        found.ids["checkpoint"],
        ranks(cases, ["patient", "case"])[case],
        found.ids["class_index"],
        ranks(metrics, ["name"])[metric],
    )
    found, place, case, metric = found.take(order), place[order], case[order], metric[order]
    return pd.DataFrame(
        {
            **_of_places(places, place, _PLACE_NAMES),
            "part": categories(_PARTS, found.ids["part"]),
            "checkpoint": categories(_CHECKPOINTS, found.ids["checkpoint"]),
            "patient": categories(list(cases["patient"]), case),
            "case": categories(list(cases["case"]), case),
            "class_index": found.ids["class_index"],
            "class_name": _class_names(connection, places, place, found.ids["class_index"]),
            "metric": categories(list(metrics["name"]), metric),
            "unit": categories(list(metrics["unit"]), metric),
            "direction": categories(list(metrics["direction"]), metric),
            "value": found.values["value"],
            "imputed": found.values["imputed"],
            "reason": categories(reasons, found.ids["reason"]),
        }
    )


def _finished(places: pd.DataFrame) -> pd.DataFrame:
    """Return the places whose trials have a result; the curve of a running one is not whole."""
    return places[places["state"].isin(FINAL_STATES)].reset_index(drop=True)


def read_curves(connection: Connection, places: pd.DataFrame) -> pd.DataFrame:
    """Return the learning curves of some places whose trials are over, one row per place and epoch."""
    places = _finished(places)
    question = select(EpochRow.trial_id, EpochRow.epoch, *_CURVE_VALUES).where(
        _one_of(EpochRow.trial_id, _distinct(places, "trial_id"))
    )
    found = read_numbers(connection, question, ids=2)
    rows, place = match_places(places, found.ids["trial_id"])
    found = found.take(rows)
    order = order_of(place, found.ids["epoch"])
    found, place = found.take(order), place[order]
    return pd.DataFrame(
        {**_of_places(places, place, (*_RUN_NAMES, "state")), "epoch": found.ids["epoch"], **found.values}
    )


def read_class_curves(connection: Connection, places: pd.DataFrame, metrics: pd.DataFrame) -> pd.DataFrame:
    """Return the curves of every class of some places, one row per place, epoch, class and metric."""
    places = _finished(places)
    question = select(
        EpochScoreRow.trial_id,
        EpochScoreRow.epoch,
        EpochScoreRow.class_index,
        EpochScoreRow.metric_id,
        EpochScoreRow.undefined,
        EpochScoreRow.mean,
    ).where(
        _one_of(EpochScoreRow.trial_id, _distinct(places, "trial_id")),
        _one_of(EpochScoreRow.metric_id, _distinct(metrics, "id")),
    )
    found = read_numbers(connection, question, ids=5)
    rows, place = match_places(places, found.ids["trial_id"])
    found = found.take(rows)
    metric = positions(metrics["id"], found.ids["metric_id"])
    epoch, index = found.ids["epoch"], found.ids["class_index"]
    order = order_of(place, epoch, index, ranks(metrics, ["name"])[metric])
    found, place, metric = found.take(order), place[order], metric[order]
    return pd.DataFrame(
        {
            **_of_places(places, place, _RUN_NAMES),
            "epoch": found.ids["epoch"],
            "class_index": found.ids["class_index"],
            "class_name": _class_names(connection, places, place, found.ids["class_index"]),
            "metric": categories(list(metrics["name"]), metric),
            "mean": found.values["mean"],
            "undefined": found.ids["undefined"],
        }
    )


def _read_score_numbers(
    connection: Connection, places: pd.DataFrame, chosen: ScoreFilter
) -> tuple[Numbers, list[str | None]]:
    """Return the rows of ``score``, texts as codes, and the reason of every code."""
    wanted = [
        _one_of(ScoreRow.trial_id, _distinct(places, "trial_id")),
        _one_of(ScoreRow.metric_id, _distinct(chosen.metrics, "id")),
        ScoreRow.part.in_(chosen.parts),
        ScoreRow.checkpoint.in_(chosen.checkpoints),
    ]
    reasons = _reasons(wanted)
    question = (
        select(
            ScoreRow.trial_id,
            ScoreRow.case_id,
            ScoreRow.class_index,
            ScoreRow.metric_id,
            _code(ScoreRow.part, _PARTS).label("part"),
            _code(ScoreRow.checkpoint, _CHECKPOINTS).label("checkpoint"),
            func.coalesce(reasons.c.code, 0).label("reason"),
            ScoreRow.value,
            ScoreRow.imputed,
        )
        .join(reasons, reasons.c.reason == ScoreRow.reason, isouter=True)
        .where(*wanted)
    )
    names = connection.scalars(select(reasons.c.reason).order_by(reasons.c.code)).all()
    return read_numbers(connection, question, ids=7), [None, *names]


def _reasons(wanted: Sequence[ColumnElement[bool]]) -> CTE:
    """Number the reasons of undefined values, from 1."""
    used = select(ScoreRow.reason).where(*wanted, ScoreRow.reason.is_not(None)).distinct().subquery()
    return select(used.c.reason, func.row_number().over(order_by=used.c.reason).label("code")).cte("reasons")


def _one_of(column: Any, ids: Sequence[int]) -> ColumnElement[bool]:
    """Compare with ids that are written into the statement: drivers limit the number of parameters."""
    found: ColumnElement[bool] = column.in_(
        bindparam(None, ids, unique=True, expanding=True, literal_execute=True)
    )
    return found


def _code(column: Any, names: Sequence[str]) -> ColumnElement[int]:
    codes = {name: literal(index, Integer, literal_execute=True) for index, name in enumerate(names)}
    return case(codes, value=column)


def _of_places(places: pd.DataFrame, place: Codes, columns: Sequence[str]) -> dict[str, Any]:
    """Return columns of places for every row: whole numbers as they are, texts as categories."""
    return {
        name: places[name].to_numpy(np.int64)[place]
        if name in {"seed", "fold"}
        else categories(list(places[name]), place)
        for name in columns
    }


def _class_names(connection: Connection, places: pd.DataFrame, place: Codes, index: Codes) -> pd.Categorical:
    """Return the name of every row's class; missing where the dataset has no such class."""
    datasets = _distinct(places, "dataset_id")
    classes = read_classes(connection, datasets)
    starts = np.cumsum([0, *(len(classes[dataset]) for dataset in datasets)])
    names = [str(name) for dataset in datasets for name in classes[dataset]]
    of_place = np.searchsorted(datasets, places["dataset_id"].to_numpy(np.int64))
    dataset = of_place[place]
    known = index < np.diff(starts)[dataset]
    return categories([*names, None], np.where(known, starts[dataset] + index, len(names)))


def _distinct(table: pd.DataFrame, column: str) -> list[int]:
    return sorted({int(value) for value in table[column]})
