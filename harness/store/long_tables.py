"""Read the long tables as numbers, and give every number its name afterwards.

A million scores repeat a few hundred names. Only numbers are fetched for each row; names are read once and
become the categories of categorical columns. That is twenty times faster than fetching names with every
row, and takes a tenth of the memory.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, Executable, select

from harness.store.schema import (
    CaseRow,
    DatasetRow,
    LossRow,
    MetricRow,
    PatientRow,
    StudyRow,
    StudyTrialRow,
    TrialRow,
)
from harness.store.sql_parts import AnySelect, newest_version

Codes = NDArray[np.intp]
"""Positions in a list of names, one per row."""

CHUNK_ROWS = 50_000


@dataclass(frozen=True)
class Numbers:
    """Rows of a long table.

    Attributes:
        ids: Whole numbers by column, each of shape (rows,).
        values: Other numbers by column, NaN where the database has NULL.
    """

    ids: Mapping[str, NDArray[np.int64]]
    values: Mapping[str, NDArray[np.float64]]

    def take(self, rows: Codes) -> "Numbers":
        """Return rows by their positions."""
        return Numbers(
            {name: column[rows] for name, column in self.ids.items()},
            {name: column[rows] for name, column in self.values.items()},
        )


def read_numbers(connection: Connection, question: Executable, ids: int) -> Numbers:
    """Fetch rows of numbers in chunks.

    Args:
        connection: For reading.
        question: Selects numbers only; whole numbers come first.
        ids: How many of the columns are whole numbers; they are never NULL.
    """
    options = connection.get_execution_options()
    assert not options.get("yield_per"), "rows that SQLAlchemy has read ahead would be missed"
    result = connection.execute(question)
    names = list(result.keys())
    # The driver's cursor: rows that SQLAlchemy wraps take twice as long.
    cursor: Any = result.cursor
    whole = [np.empty((0, ids), np.int64)]
    other = [np.empty((0, len(names) - ids))]
    while rows := cursor.fetchmany(CHUNK_ROWS):
        chunk = np.array(rows, dtype=np.float64)
        whole.append(chunk[:, :ids].astype(np.int64))
        other.append(chunk[:, ids:].copy())  # a view would keep the whole chunk
    result.close()
    whole_columns, other_columns = np.concatenate(whole).T, np.concatenate(other).T
    return Numbers(
        dict(zip(names[:ids], whole_columns, strict=True)), dict(zip(names[ids:], other_columns, strict=True))
    )


def of_study(study: str, *columns: Any) -> AnySelect:
    """Select columns over the current trials of a study."""
    return (
        select(*columns)
        .select_from(StudyTrialRow)
        .join(StudyRow, StudyRow.id == StudyTrialRow.study_id)
        .join(TrialRow, TrialRow.id == StudyTrialRow.trial_id)
        .join(LossRow, LossRow.id == TrialRow.loss_id)
        .join(DatasetRow, DatasetRow.id == TrialRow.dataset_id)
        .where(StudyRow.name == study, StudyTrialRow.current)
    )


def read_places(connection: Connection, study: str) -> pd.DataFrame:
    """Return the places of a study's own trials, searches left out, in the order of every frame."""
    question = of_study(
        study,
        TrialRow.id.label("trial_id"),
        TrialRow.dataset_id,
        StudyTrialRow.dataset,
        StudyTrialRow.label,
        LossRow.family,
        LossRow.expression,
        TrialRow.key,
        TrialRow.seed,
        TrialRow.fold,
        TrialRow.state,
    ).where(TrialRow.purpose == "study")
    frame = small_frame(connection, question)
    return frame.sort_values(["dataset", "label", "seed", "fold", "key"], ignore_index=True)


def read_cases(connection: Connection, datasets: Sequence[int]) -> pd.DataFrame:
    """Return id, patient and name of every case of some datasets, by id."""
    question = (
        select(CaseRow.id, PatientRow.name.label("patient"), CaseRow.name.label("case"))
        .join(PatientRow, PatientRow.id == CaseRow.patient_id)
        .where(PatientRow.dataset_id.in_(datasets))
        .order_by(CaseRow.id)
    )
    return small_frame(connection, question)


def read_metrics(connection: Connection) -> pd.DataFrame:
    """Return id, name, unit and direction of the newest version of every metric, by id."""
    question = select(MetricRow.id, MetricRow.name, MetricRow.unit, MetricRow.direction)
    return small_frame(connection, question.where(newest_version()).order_by(MetricRow.id))


def read_classes(connection: Connection, datasets: Sequence[int]) -> dict[int, list[str]]:
    """Return the class names of datasets, background first, by id."""
    question = select(DatasetRow.id, DatasetRow.classes).where(DatasetRow.id.in_(datasets))
    return {row.id: row.classes for row in connection.execute(question)}


def match_places(places: pd.DataFrame, trials: NDArray[np.int64]) -> tuple[Codes, Codes]:
    """Find the places of every row's trial; a trial with two labels has its rows twice.

    Args:
        places: From :func:`read_places`.
        trials: Id of the trial of every row, shape (rows,); all have a place.

    Returns:
        Positions of rows, and beside each the position of its place.
    """
    rows, found = [np.empty(0, np.intp)], [np.empty(0, np.intp)]
    for _, layer in places.groupby(places.groupby("trial_id").cumcount()):
        by_trial = layer["trial_id"].sort_values()
        at = np.searchsorted(by_trial.to_numpy(), trials)
        at[at == len(by_trial)] = 0
        here = np.flatnonzero(by_trial.to_numpy()[at] == trials)
        rows.append(here)
        found.append(by_trial.index.to_numpy()[at[here]])
    return np.concatenate(rows), np.concatenate(found)


def positions(ids: "pd.Series[int]", wanted: NDArray[np.int64]) -> Codes:
    """Return where each of ``wanted`` stands in sorted ``ids``; all are there."""
    return np.searchsorted(ids.to_numpy(np.int64), wanted)


def ranks(frame: pd.DataFrame, by: list[str]) -> Codes:
    """Return the place that each row of a small frame has when sorted by some columns."""
    order = frame.sort_values(by).index.to_numpy()
    found = np.empty(len(frame), np.intp)
    found[order] = np.arange(len(frame))
    return found


def order_of(*keys: Codes) -> Codes:
    """Return the order that sorts rows by several codes, the first one first."""
    sizes = [int(key.max(initial=0)) + 1 for key in keys]
    if math.prod(sizes) > np.iinfo(np.int64).max:
        return np.lexsort(keys[::-1])
    combined = np.zeros(len(keys[0]), np.int64)
    for key, size in zip(keys, sizes, strict=True):
        combined = combined * size + key
    return np.argsort(combined, kind="stable")


def categories(names: Sequence[str | None], codes: Codes) -> pd.Categorical:
    """Return names as a categorical whose categories are sorted and all in use; None is missing.

    Args:
        names: Name of every code; names may repeat.
        codes: Shape (rows,).
    """
    present = np.bincount(codes, minlength=len(names)) > 0
    used = sorted({name for name, there in zip(names, present, strict=True) if there and name is not None})
    place = {name: index for index, name in enumerate(used)}
    lookup = np.array([-1 if name is None else place.get(name, -1) for name in names], np.int32)
    return pd.Categorical.from_codes(
        lookup[codes] if len(codes) else [], categories=pd.Index(used, dtype="str")
    )


def small_frame(connection: Connection, question: Executable) -> pd.DataFrame:
    """Fetch rows as they are."""
    result = connection.execute(question)
    return pd.DataFrame(result.fetchall(), columns=list(result.keys()))
