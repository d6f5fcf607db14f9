"""Scores of one metric as a table: runs by cells, a cell being one class of one case.

The table is complete: every run has every cell, or a sentence says which is missing. Undefined values have
a value that stands for them beside the mark that they are undefined.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.statistics.block import Unanswerable
from harness.statistics.scale import Direction, scale_of

Values: TypeAlias = NDArray[np.float64]

_KEYS = ("dataset", "metric", "loss", "seed", "patient", "case", "class_index")

_LARGEST_TABLE = 50_000_000


@dataclass(frozen=True)
class Cells:
    """Of one dataset and one metric.

    Attributes:
        dataset: Its name.
        metric: Its name.
        higher: Whether higher values are better.
        runs: Loss and seed of each row.
        deciding: Rows of runs that did not collapse; all rows if every run did.
        patients: Names.
        patient: Number of the patient of each case.
        case: Number of the case of each cell.
        filled: ``(runs, cells)``: raw values, or what stands for them.
        undefined: ``(runs, cells)``: whether there is no value.
    """

    dataset: str
    metric: str
    higher: bool
    runs: tuple[tuple[str, int], ...]
    deciding: NDArray[np.bool_]
    patients: tuple[str, ...]
    patient: NDArray[np.int64]
    case: NDArray[np.int64]
    filled: Values
    undefined: NDArray[np.bool_]

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Undefined because the prediction failed, not because nothing was there to be found."""
        return np.asarray(self.undefined & (self.filled != (1.0 if self.higher else 0.0)))

    def patient_means(self, values: Values, kept: NDArray[np.bool_]) -> tuple[Values, tuple[str, ...]]:
        """Return means over cells within cases, then over cases within patients.

        Args:
            values: ``(runs, cells)``.
            kept: Cells that count; a case or patient without any drops out.

        Returns:
            ``(runs, patients)``, and the patients that are left.
        """
        case = self.case[kept]
        size = np.bincount(case, minlength=len(self.patient))
        cases = np.bincount(self.patient[size > 0], minlength=len(self.patients))
        patient = self.patient[case]
        weight = 1.0 / (size[case] * cases[patient])
        order = np.argsort(patient, kind="stable")
        starts = np.flatnonzero(np.diff(patient[order], prepend=-1))
        sums = np.add.reduceat(values[:, kept][:, order] * weight[order], starts, axis=1)
        return sums, tuple(self.patients[i] for i in patient[order][starts])


def cells_of(
    scores: pd.DataFrame,
    states: pd.DataFrame | None = None,
    directions: Mapping[str, Direction] | None = None,
) -> Iterator[Cells]:
    """Yield the table of every dataset and metric, in the order in which they come.

    Args:
        scores: Rows as for :func:`harness.statistics.undefined.patient_values`.
        states: What became of the runs.
        directions: Which values are better, by metric.

    Raises:
        Unanswerable: if a cell is missing, comes twice, or has no value and none that stands for it.
    """
    codes = {column: _column_codes(scores[column]) for column in _KEYS if column in scores}
    group, first = _dense(codes, ("dataset", "metric"))
    known = frozenset() if states is None else _useless(states)
    for g, row in enumerate(first):
        dataset, metric = str(scores["dataset"].iloc[row]), str(scores["metric"].iloc[row])
        told = (directions or {}).get(metric)
        if told is None and "direction" in scores:
            told = scores["direction"].iloc[row]
        higher = (told or scale_of(metric).direction) == "higher"
        if len(first) == 1:
            yield _cells(scores, codes, dataset, metric, higher, known)
        else:
            rows = np.flatnonzero(group == g)
            own = {column: _Codes(each.of[rows], each.size) for column, each in codes.items()}
            yield _cells(scores.iloc[rows], own, dataset, metric, higher, known)


def numbered(frame: pd.DataFrame, columns: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return a number for every row, equal for equal entries of the columns, and the first row of each.

    Args:
        frame: Any.
        columns: Those of them that the frame has count.
    """
    codes = {column: _column_codes(frame[column]) for column in columns if column in frame}
    return _dense(codes, columns)


@dataclass(frozen=True)
class _Codes:
    of: NDArray[np.int64]
    size: int


def _column_codes(column: "pd.Series[Any]") -> _Codes:
    codes, names = pd.factorize(column, use_na_sentinel=False)
    return _Codes(np.asarray(codes, np.int64), len(names))


def _dense(
    codes: Mapping[str, _Codes], columns: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return numbers without gaps for combinations of columns, and the first row of each."""
    used = [codes[column] for column in columns if column in codes]
    dense, size = used[0].of, used[0].size
    for each in used[1:] or [_Codes(np.zeros_like(dense), 1)]:
        dense, size = _without_gaps(dense * each.size + each.of, size * each.size)
    first = np.zeros(size, np.int64)
    first[dense[::-1]] = np.arange(len(dense))[::-1]
    return dense, first


def _without_gaps(codes: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], int]:
    if size > _LARGEST_TABLE:
        dense, found = pd.factorize(codes)
        return np.asarray(dense, np.int64), len(found)
    seen = np.zeros(size, bool)
    seen[codes] = True
    numbers = np.cumsum(seen) - 1
    return numbers[codes], int(seen.sum())


def _useless(states: pd.DataFrame) -> frozenset[tuple[str, str, int]]:
    bad = states[(states["state"] != "scored").to_numpy()]
    datasets = bad["dataset"] if "dataset" in bad else [""] * len(bad)
    return frozenset(
        (str(dataset), str(loss), int(seed))
        for dataset, loss, seed in zip(datasets, bad["loss"], bad["seed"], strict=True)
    )


def _cells(
    part: pd.DataFrame,
    codes: Mapping[str, _Codes],
    dataset: str,
    metric: str,
    higher: bool,
    known: frozenset[tuple[str, str, int]],
) -> Cells:
    run, first_run = _dense(codes, ("loss", "seed"))
    patient, first_patient = _dense(codes, ("patient",))
    case, first_case = _dense(codes, ("patient", "case"))
    cell, first_cell = _dense(codes, ("patient", "case", "class_index"))
    shape = len(first_run), len(first_cell)
    flat = run * shape[1] + cell
    times = np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape)
    if (times != 1).any():
        at = np.argwhere(times != 1)[0]
        raise Unanswerable(_told(part, first_run[at[0]], first_cell[at[1]], int(times[tuple(at)])))
    value, imputed = np.empty(shape), np.full(shape, np.nan)
    value.flat[flat] = _floats(part["value"])
    if "imputed" in part:
        imputed.flat[flat] = _floats(part["imputed"])
    runs = tuple(
        (str(loss), int(seed))
        for loss, seed in part.iloc[first_run][["loss", "seed"]].itertuples(index=False, name=None)
    )
    useless = [bool({(dataset, *each), ("", *each)} & known) for each in runs]
    return Cells(
        dataset=dataset,
        metric=metric,
        higher=higher,
        runs=runs,
        deciding=np.ones(len(runs), bool) if all(useless) else ~np.array(useless),
        patients=tuple(map(str, part["patient"].iloc[first_patient])),
        patient=patient[first_case],
        case=case[first_cell],
        filled=_filled(value, imputed, higher, f"dataset {dataset!r}, {metric}"),
        undefined=~np.isfinite(value),
    )


def _filled(value: Values, imputed: Values, higher: bool, name: str) -> Values:
    """Return values with what stands for undefined ones; the worst that is there if nothing does."""
    filled = np.where(np.isfinite(value), value, imputed)
    unknown = ~np.isfinite(filled)
    if unknown.any():
        if not higher and unknown.all():
            raise Unanswerable(
                f"{name}: there is no value at all; give the column 'imputed' what stands for undefined ones"
            )
        filled[unknown] = 0.0 if higher else filled[~unknown].max()
    return filled


def _told(part: pd.DataFrame, run: int, cell: int, times: int) -> str:
    """Return the sentence about a cell that a run lacks or has twice."""
    row, other = part.iloc[run], part.iloc[cell]
    name = f"patient {str(other['patient'])!r}"
    name += f", case {str(other['case'])!r}" if "case" in part else ""
    name += f", class {other['class_index']}" if "class_index" in part else ""
    verb, remedy = ("lacks", "score it") if not times else (f"has {times} values of", "keep one")
    return (
        f"dataset {row['dataset']!r}, {row['metric']}: {row['loss']!r}, seed {row['seed']}, {verb} {name}; "
        f"{remedy}, or leave the run out"
    )


def _floats(values: "pd.Series[float]") -> Values:
    return np.asarray(values.to_numpy(float, na_value=np.nan), np.float64)
