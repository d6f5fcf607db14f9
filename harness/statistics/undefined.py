"""Values that a formula leaves undefined: what may stand for them, and how many there are.

A distance to an empty prediction does not exist. Leaving such cases out of the mean of one loss only would
reward it for failing: what is missing is informative. So the primary policy puts the worst value in their
place, and three others say whether the verdict hangs on that:

============ ==============================================================================================
policy       values of a patient
============ ==============================================================================================
`worst`      undefined ones become what is stored for them: the worst, or a perfect one where truth and
             prediction are both empty
`complete`   only classes of cases that are defined in every run of every loss: the same for all
`worst_rank` on each class of a case the share of runs that are worse, equal ones counted half; undefined
             ones are worse than any number (Lachin 1999, Controlled Clinical Trials 20, 408)
`two_part`   two metrics: the share that is undefined, and the value where every run defines it
============ ==============================================================================================

Runs that collapsed do not decide what is defined everywhere: they would leave nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from harness.statistics.block import Unanswerable
from harness.statistics.cells import Cells, Values, cells_of, numbered
from harness.statistics.scale import Direction, Scale

UNDEFINED = " undefined"
"""Ends the name of the metric that is a share of undefined values."""

DEFINED = " where defined"
"""Ends the name of the metric over what every run defines."""


@dataclass(frozen=True)
class Filled:
    """Values with none missing.

    Attributes:
        metric: Its name.
        values: ``(runs, cells)``.
        kept: Cells that count, the same for all runs.
    """

    metric: str
    values: Values
    kept: NDArray[np.bool_]


Policy: TypeAlias = Callable[[Cells], tuple[Filled, ...]]


def worst(cells: Cells) -> tuple[Filled, ...]:
    """Return values with what is stored for undefined ones."""
    return (Filled(cells.metric, cells.filled, np.ones(cells.filled.shape[1], bool)),)


def complete(cells: Cells) -> tuple[Filled, ...]:
    """Return values where every run that did not collapse has one."""
    kept = _defined_everywhere(cells)
    if not kept.any():
        raise Unanswerable(
            f"dataset {cells.dataset!r}, {cells.metric}: no case has a value in every run; use the policy "
            "'worst'"
        )
    return (Filled(cells.metric, cells.filled, kept),)


def worst_rank(cells: Cells) -> tuple[Filled, ...]:
    """Return the share of runs that are worse on each cell, 0 to 1, equal ones counted half."""
    better = cells.filled if cells.higher else -cells.filled
    values = np.where(cells.failed, -np.inf, better)
    judges = values[cells.deciding]
    shares = np.empty_like(values)
    shares[cells.deciding] = (stats.rankdata(judges, axis=0) - 0.5) / len(judges)
    for run in np.flatnonzero(~cells.deciding):
        shares[run] = ((judges < values[run]) + 0.5 * (judges == values[run])).mean(axis=0)
    return (Filled(cells.metric, shares, np.ones(values.shape[1], bool)),)


def two_part(cells: Cells) -> tuple[Filled, ...]:
    """Return the share of undefined values, and the values that every run defines if there are any."""
    kept = _defined_everywhere(cells)
    rate = Filled(cells.metric + UNDEFINED, cells.failed.astype(float), np.ones(len(kept), bool))
    return (rate, Filled(cells.metric + DEFINED, cells.filled, kept)) if kept.any() else (rate,)


POLICIES: Mapping[str, Policy] = MappingProxyType(
    {"worst": worst, "complete": complete, "worst_rank": worst_rank, "two_part": two_part}
)


def patient_values(
    scores: pd.DataFrame,
    policy: str = "worst",
    *,
    states: pd.DataFrame | None = None,
    directions: Mapping[str, Direction] | None = None,
) -> pd.DataFrame:
    """Return one value for every patient of every run: means over classes, then over cases.

    Args:
        scores: One row for every class of every case in every run: dataset, metric, loss, seed, patient,
            value (NaN or infinite where undefined); where present also case, class_index, direction and
            imputed, which stands for undefined values. Without one, 0 stands for them where higher is
            better, else the largest value of the dataset.
        policy: Name in :data:`POLICIES`.
        states: Columns loss, seed, state, and dataset if there are several: runs that are not ``scored``
            do not decide what is defined in every run; all decide if absent.
        directions: Which values are better, by metric, where ``scores`` does not say.

    Returns:
        Columns dataset, metric, loss, seed, patient, value, for :func:`harness.statistics.block.build_block`.

    Raises:
        Unanswerable: if a run lacks a class of a case that another has, nothing is defined everywhere
            under ``complete``, or a distance has no value at all and none that stands for it.
        ValueError: if there is no such policy.
    """
    if policy not in POLICIES:
        raise ValueError(f"there is no policy {policy!r} for undefined values; choose from {list(POLICIES)}")
    frames = [
        _by_patient(cells, filled)
        for cells in cells_of(scores, states, directions)
        for filled in POLICIES[policy](cells)
    ]
    if not frames:
        raise Unanswerable("there are no scores; run the study first")
    return pd.concat(frames, ignore_index=True)


def scale_under(policy: str, metric: str, scale: Scale) -> Scale:
    """Return the scale of what a policy made of a metric.

    Args:
        policy: Its name.
        metric: As :func:`patient_values` names it.
        scale: Of the metric itself.
    """
    if policy == "worst_rank":
        return Scale("higher")
    return Scale("lower") if metric.endswith(UNDEFINED) else scale


def undefined_counts(scores: pd.DataFrame) -> pd.DataFrame:
    """Return how many scores of each loss have no value.

    Args:
        scores: As for :func:`patient_values`.

    Returns:
        Columns dataset, metric, loss, scores, undefined: one row for every loss on every dataset, zeros
        included.
    """
    codes, first = numbered(scores, ("dataset", "metric", "loss"))
    missing = ~np.isfinite(scores["value"].to_numpy(float))
    found = scores.iloc[first][["dataset", "metric", "loss"]].reset_index(drop=True)
    return found.assign(
        scores=np.bincount(codes, minlength=len(first)),
        undefined=np.bincount(codes[missing], minlength=len(first)),
    )


def undefined_reasons(scores: pd.DataFrame) -> pd.DataFrame:
    """Return why scores of each loss are unusual.

    Args:
        scores: As for :func:`patient_values`, with the column reason: None for an ordinary comparison.

    Returns:
        Columns dataset, metric, loss, reason, scores, undefined: one row for every reason that occurs. A
        DSC of an empty prediction has a reason and a value.
    """
    unusual = scores[scores["reason"].notna().to_numpy() | ~np.isfinite(scores["value"].to_numpy(float))]
    keys = ["dataset", "metric", "loss", "reason"]
    named = unusual[keys].assign(
        reason=unusual["reason"].astype(object).where(unusual["reason"].notna(), "unknown"),
        undefined=~np.isfinite(unusual["value"].to_numpy(float)),
    )
    grouped = named.groupby(keys, sort=False, observed=True)["undefined"].agg(["size", "sum"]).reset_index()
    found: pd.DataFrame = grouped.rename(columns={"size": "scores", "sum": "undefined"})
    return found


def two_part_table(scores: pd.DataFrame, states: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return for each loss how often a value is missing, and what it is where it is not.

    Args:
        scores: As for :func:`patient_values`.
        states: As for :func:`patient_values`; only ``scored`` runs are counted.

    Returns:
        Columns dataset, metric, loss, rate, own, common: share of undefined values that are failures; mean
        raw value where this loss has one (not comparable: each loss leaves out other cases); mean where all
        have one, NaN if that is nowhere.
    """
    rows = [row for cells in cells_of(scores, states) for row in _two_parts(cells)]
    return pd.DataFrame(rows, columns=["dataset", "metric", "loss", "rate", "own", "common"])


def _two_parts(cells: Cells) -> Iterator[tuple[str, str, str, float, float, float]]:
    kept = _defined_everywhere(cells)
    for loss in dict.fromkeys(name for name, _ in cells.runs):
        own = np.array([name == loss for name, _ in cells.runs]) & cells.deciding
        if own.any():
            values, defined = cells.filled[own], ~cells.undefined[own]
            yield (
                cells.dataset,
                cells.metric,
                loss,
                float(cells.failed[own].mean()),
                float(values[defined].mean()) if defined.any() else float("nan"),
                float(values[:, kept].mean()) if kept.any() else float("nan"),
            )


def _defined_everywhere(cells: Cells) -> NDArray[np.bool_]:
    return np.asarray(~cells.undefined[cells.deciding].any(axis=0))


def _by_patient(cells: Cells, filled: Filled) -> pd.DataFrame:
    values, patients = cells.patient_means(filled.values, filled.kept)
    losses, seeds = zip(*cells.runs, strict=True)
    return pd.DataFrame(
        {
            "dataset": cells.dataset,
            "metric": filled.metric,
            "loss": np.repeat(np.array(losses, object), len(patients)),
            "seed": np.repeat(np.array(seeds), len(patients)),
            "patient": np.tile(np.array(patients, object), len(losses)),
            "value": values.ravel(),
        }
    )
