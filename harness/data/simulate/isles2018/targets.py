"""Published numbers of ISLES 2018 beside those of a folder, measured as :mod:`.measure` defines.

Published: all 94 training cases, by the per-case table of the public project OpenPerfusion (its core and
late volumes come from its own rules on the maps, so definitions agree in the thresholds, rCBF below 30 %
and Tmax above 6 s, but not in every detail). Medians and shares are judged; tails, extremes and
correlations are shown. So are the means of whole images, which one participant reports, and the relations to
the mirrored side: middles of ranges that are plausible, not measured on the archive.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.data.parallel import run_each
from harness.data.simulate.isles2018.measure import CaseNumbers, find_files, measure_case
from harness.data.simulate.targets import TARGETS, Target

Summary = Callable[[Sequence[CaseNumbers]], float]

ALL, SLABS, WHOLE = "all", "slabs", "whole brain"
_WHOLE_BRAIN_MM = 100.0
_WIDE_SLABS_MM = 40.0  # cases 1-9, which the published row of slabs leaves out
_RANKS = (0, 10, 25, 50, 75, 90, 100)


def _in_group(case: CaseNumbers, group: str) -> bool:
    """Whether a case counts: slabs are cases 10 to 79, whole brains 82 to 94 of each lap of the table."""
    if group == WHOLE:
        return case.coverage_mm > _WHOLE_BRAIN_MM
    return group == ALL or case.coverage_mm < _WIDE_SLABS_MM - 0.5


@dataclass(frozen=True)
class Quantity:
    """A row of the published table.

    Attributes:
        name: What it is.
        unit: Its unit, empty for counts and ratios.
        summary: The number of a group of cases, NaN if there is nothing to measure.
        published: The archive's.
        group: Of cases.
        judged: Whether a simulator has to come close.
    """

    name: str
    unit: str
    summary: Summary
    published: float
    group: str = ALL
    judged: bool = True


@TARGETS.register("isles2018")
def measure(folder: Path, workers: int) -> list[Target]:
    """Measure a folder that unpacks like ISLES 2018.

    Args:
        folder: Holds ``TRAINING/case_<n>/``, or the folders of the cases.
        workers: Processes to use.

    Raises:
        InputError: if there is no case, or one lacks a file.
    """
    jobs = {number: (number, files) for number, files in find_files(folder).items()}
    return compare([numbers for _, numbers in sorted(run_each(measure_case, jobs, workers))])


def compare(numbers: Sequence[CaseNumbers]) -> list[Target]:
    """Set the published numbers beside those of the cases."""
    targets = []
    for quantity in QUANTITIES:
        members = [case for case in numbers if _in_group(case, quantity.group)]
        value = quantity.summary(members) if members else np.nan
        measured = float(value) if np.isfinite(value) else None
        targets.append(
            Target(
                quantity.name, quantity.unit, quantity.group, quantity.published, measured, quantity.judged
            )
        )
    return targets


def _values(cases: Sequence[CaseNumbers], attribute: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    values = np.array([float(getattr(case, attribute)) for case in cases], np.float64)
    finite: np.ndarray[tuple[int], np.dtype[np.float64]] = values[np.isfinite(values)]
    return finite


def _percentile(attribute: str, rank: float) -> Summary:
    return lambda cases: float(np.percentile(_values(cases, attribute), rank))


def _mean(attribute: str) -> Summary:
    return lambda cases: float(_values(cases, attribute).mean())


def _foreground(cases: Sequence[CaseNumbers]) -> list[float]:
    return [100 * case.infarct_voxels / case.voxels for case in cases]


def _ratio(rank: float) -> Summary:
    """Infarct over late volume, of the cases with late tissue."""

    def summary(cases: Sequence[CaseNumbers]) -> float:
        ratios = [case.infarct_ml / case.late_ml for case in cases if case.late_ml > 0]
        return float(np.percentile(ratios, rank)) if ratios else np.nan

    return summary


def _without_core(cases: Sequence[CaseNumbers]) -> float:
    return float(np.mean([case.core_ml == 0 for case in cases]))


def _empty_slices(cases: Sequence[CaseNumbers]) -> float:
    """Of slices; the published share is of a mixture with whole brains, which hold most empty slices."""
    if not any(_in_group(case, WHOLE) for case in cases):
        return np.nan
    return sum(case.empty_slices for case in cases) / sum(case.slices for case in cases)


def _correlation(attribute: str) -> Summary:
    """Of the logarithms of infarct and another volume, of the cases where both are there."""

    def summary(cases: Sequence[CaseNumbers]) -> float:
        pairs = [(case.infarct_ml, float(getattr(case, attribute))) for case in cases]
        logs = np.log([pair for pair in pairs if min(pair) > 0])
        return float(np.corrcoef(logs.T)[0, 1]) if len(logs) > 2 else np.nan

    return summary


def _image_mean(kind: str) -> Summary:
    return lambda cases: float(np.mean([case.means[kind] for case in cases]))


def _relation(region: str, kind: str) -> Summary:
    return lambda cases: float(np.nanmedian([getattr(case, region)[kind] for case in cases]))


def _rank_name(rank: int) -> str:
    return {0: "minimum", 50: "median", 100: "maximum"}.get(rank, f"{rank}th percentile")


def _rows(
    name: str, unit: str, at: Callable[[float], Summary], published: Sequence[float], group: str = ALL
) -> list[Quantity]:
    return [
        Quantity(f"{name}, {_rank_name(rank)}", unit, at(rank), value, group, judged=rank == 50)
        for rank, value in zip(_RANKS, published, strict=True)
    ]


def _volume(attribute: str) -> Callable[[float], Summary]:
    return lambda rank: _percentile(attribute, rank)


_INFARCT = ("infarct volume", "ml", _volume("infarct_ml"))

QUANTITIES: tuple[Quantity, ...] = (
    *_rows(*_INFARCT, (0.8, 3.5, 7.2, 16.6, 44, 72, 260)),
    Quantity("infarct volume, mean", "ml", _mean("infarct_ml"), 32, judged=False),
    *_rows(*_INFARCT, (0.8, 3.3, 7.2, 15.8, 38, 63, 99), SLABS),
    *_rows(*_INFARCT, (4.7, 14, 19, 52, 102, 183, 260), WHOLE),
    *_rows(
        "infarct",
        "% of voxels",
        lambda rank: lambda cases: float(np.percentile(_foreground(cases), rank)),
        (0.04, 0.24, 0.42, 0.98, 2.9, 4.9, 7.9),
    ),
    Quantity(
        "infarct, mean", "% of voxels", lambda cases: float(np.mean(_foreground(cases))), 1.8, judged=False
    ),
    *_rows("infarct", "voxels", _volume("infarct_voxels"), (67, 540, 1100, 2470, 6900, 8900, 35000)),
    *_rows("volume with Tmax > 6 s", "ml", _volume("late_ml"), (0, 14, 28, 46, 75, 120, 300)),
    *_rows("core volume (rCBF < 30 %)", "ml", _volume("core_ml"), (0, 0, 1.8, 8, 13, 36, 109)),
    Quantity("share of cases without core", "", _without_core, 0.15),
    *_rows("infarct / (Tmax > 6 s) volume", "", _ratio, (0.01, 0.10, 0.22, 0.56, 1.03, 1.3, 3.5)),
    *_rows("Dice of core and infarct", "", _volume("dice_core"), (0, 0, 0.11, 0.31, 0.46, 0.52, 0.67)),
    Quantity("Dice of core and infarct, mean", "", _mean("dice_core"), 0.29),
    *_rows(
        "Dice of Tmax > 6 s and infarct", "", _volume("dice_late"), (0, 0.07, 0.16, 0.35, 0.55, 0.65, 0.77)
    ),
    Quantity("Dice of Tmax > 6 s and infarct, mean", "", _mean("dice_late"), 0.36),
    Quantity("share of slices without infarct", "", _empty_slices, 0.32),
    Quantity(
        "correlation of log infarct and log core volume", "", _correlation("core_ml"), 0.67, judged=False
    ),
    Quantity(
        "correlation of log infarct and log Tmax volume", "", _correlation("late_ml"), 0.46, judged=False
    ),
    Quantity("CT, mean of the whole image", "HU", _image_mean("CT"), 112, judged=False),
    Quantity("CBF, mean of the whole image", "", _image_mean("CBF"), 66, judged=False),
    Quantity("CBV, mean of the whole image", "", _image_mean("CBV"), 9, judged=False),
    Quantity("MTT, mean of the whole image", "s", _image_mean("MTT"), 2.45, judged=False),
    Quantity("Tmax, mean of the whole image", "s", _image_mean("Tmax"), 1.25, judged=False),
    Quantity(
        "penumbra over mirrored side, CBF, median", "", _relation("penumbra", "CBF"), 0.45, judged=False
    ),
    Quantity(
        "penumbra over mirrored side, MTT, median", "", _relation("penumbra", "MTT"), 2.25, judged=False
    ),
    Quantity("core over mirrored side, CBF, median", "", _relation("core", "CBF"), 0.2, judged=False),
    Quantity("core less mirrored side, CT, median", "HU", _relation("core", "CT"), -4, judged=False),
)
