"""Published numbers of WMH 2017 beside those of a folder, measured as :mod:`.measure` defines.

Published: the 60 training cases by the reference observer, 20 a scanner, or as many training and
test cases as the source lists. Sources are the per-case tables of the public project wmh-multisite
(brain by HD-BET, tissue by WMH-SynthSeg); where one gives a range, its middle stands here. A tail,
an extreme and a number without a definition that files could be held to are shown, not judged.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import numpy as np

from harness.data.description import catalogue
from harness.data.layouts import find_cases
from harness.data.parallel import run_each
from harness.data.simulate.scanner import SITES
from harness.data.simulate.targets import TARGETS, Target
from harness.data.simulate.wmh2017.measure import CaseNumbers, measure_case

Summary = Callable[[Sequence[CaseNumbers]], float]

ALL = "all"
_VALIDATION = frozenset(
    ("2", "6", "21", "23", "33", "35", "65", "67", "101", "115")
)  # of the published split 50/10


@dataclass(frozen=True)
class Quantity:
    """A row of the published tables.

    Attributes:
        name: What it is.
        unit: Its unit, empty for counts and ratios.
        summary: The number of a group of cases, NaN if there is nothing to measure.
        published: By group.
        judged: Whether a simulator has to come close.
    """

    name: str
    unit: str
    summary: Summary
    published: Mapping[str, float]
    judged: bool = True


@TARGETS.register("wmh2017")
def measure(folder: Path, workers: int) -> list[Target]:
    """Measure a folder that unpacks like WMH 2017.

    Args:
        folder: Holds ``Utrecht/``, ``Singapore/`` and ``GE3T/``, or what the layout accepts.
        workers: Processes to use.

    Raises:
        InputError: if the layout finds no case, or a case lacks a file.
    """
    cases = find_cases(folder, catalogue()["wmh2017"])
    numbers = dict(run_each(measure_case, {number: (case,) for number, case in enumerate(cases)}, workers))
    return compare(list(numbers.values()))


def compare(numbers: Sequence[CaseNumbers]) -> list[Target]:
    """Set the published numbers beside those of the cases."""
    targets = []
    for quantity in QUANTITIES:
        for group, published in quantity.published.items():
            members = [case for case in numbers if group in (ALL, case.site)]
            value = quantity.summary(members) if members else np.nan
            measured = None if np.isnan(value) else float(value)
            targets.append(Target(quantity.name, quantity.unit, group, published, measured, quantity.judged))
    return targets


def _percentile(attribute: str, rank: float) -> Summary:
    """Over cases, leaving out those that hold nothing to measure."""
    read = attrgetter(attribute)

    def summary(cases: Sequence[CaseNumbers]) -> float:
        values = np.array([read(case) for case in cases], float)
        kept = values[np.isfinite(values)]
        return float(np.percentile(kept, rank)) if kept.size else np.nan

    return summary


def _median(attribute: str) -> Summary:
    return _percentile(attribute, 50)


def _foreground(reduce: Callable[[list[float]], float]) -> Summary:
    return lambda cases: float(reduce([100 * case.lesion_voxels / case.voxels for case in cases]))


def _nawm_spread(cases: Sequence[CaseNumbers]) -> float:
    return float(np.median([1 / case.flair.snr for case in cases]))


def _empty_slices(cases: Sequence[CaseNumbers]) -> float:
    return sum(case.empty_slices for case in cases) / sum(case.slices for case in cases)


def _empty_slices_validation(cases: Sequence[CaseNumbers]) -> float:
    members = [case for case in cases if case.case in _VALIDATION]
    return _empty_slices(members) if len(members) == len(_VALIDATION) else np.nan


def _with_other(cases: Sequence[CaseNumbers]) -> float:
    return float(np.mean([case.other_ml > 0 for case in cases]))


def _other_ml(reduce: Callable[[list[float]], float]) -> Summary:
    def summary(cases: Sequence[CaseNumbers]) -> float:
        found = [case.other_ml for case in cases if case.other_ml > 0]
        return float(reduce(found)) if found else np.nan

    return summary


def _best_dice(attribute: str) -> Summary:
    """Of the one threshold that suits all cases best, the mean over cases."""
    read = attrgetter(attribute)

    def summary(cases: Sequence[CaseNumbers]) -> float:
        return float(np.nanmean([read(case) for case in cases], axis=0).max())

    return summary


def _by_site(*values: float) -> dict[str, float]:
    return dict(zip(SITES, values, strict=True))


def _volume_rows() -> list[Quantity]:
    ranks = (0, 10, 25, 50, 75, 90, 100)
    published = {
        ALL: (0.8, 1.6, 3.1, 15.1, 25.9, 37, 75),
        "Utrecht": (0.9, 1.4, 2.7, 24, 33, 48, 75),
        "Singapore": (0.8, 1.6, 10, 17, 26, 36, 61),
        "GE3T": (1.5, 2.1, 3.1, 6.0, 17, 23, 44),
    }
    return [
        Quantity(
            f"lesion volume, {_rank_name(rank)}",
            "ml",
            _percentile("lesion_ml", rank),
            {group: values[place] for group, values in published.items()},
            judged=rank == 50,
        )
        for place, rank in enumerate(ranks)
    ]


def _count_rows() -> list[Quantity]:
    published = {0: 8, 10: 20, 25: 35, 75: 76, 90: 100, 100: 148}
    tails = [
        Quantity(
            f"lesions a patient, {_rank_name(rank)}",
            "",
            _percentile("lesions.count", rank),
            {ALL: value},
            False,
        )
        for rank, value in published.items()
    ]
    middle = {ALL: 57, **_by_site(62, 59, 45)}
    return [Quantity("lesions a patient, median", "", _median("lesions.count"), middle), *tails]


def _rank_name(rank: int) -> str:
    return {0: "minimum", 50: "median", 100: "maximum"}.get(rank, f"{rank}th percentile")


QUANTITIES: tuple[Quantity, ...] = (
    *_volume_rows(),
    Quantity("foreground, median", "%", _foreground(np.median), {ALL: 0.21, **_by_site(0.32, 0.20, 0.06)}),
    Quantity("foreground, mean", "%", _foreground(np.mean), _by_site(0.30, 0.22, 0.11), False),
    Quantity("foreground, minimum", "%", _foreground(min), {ALL: 0.009}, False),
    Quantity("foreground, maximum", "%", _foreground(max), {ALL: 0.98}, False),
    *_count_rows(),
    Quantity(
        "share of lesions >= 10 mm3, median",
        "",
        _median("lesions.sizeable"),
        {ALL: 0.675, **_by_site(0.69, 0.62, 0.74)},
    ),
    Quantity("lesion size, median", "mm3", _median("lesions.median_mm3"), {ALL: 18, **_by_site(19, 15, 18)}),
    Quantity(
        "largest lesion's share, median",
        "",
        _median("lesions.largest"),
        {ALL: 0.39, **_by_site(0.37, 0.40, 0.37)},
    ),
    Quantity("largest lesion's share, maximum", "", _percentile("lesions.largest", 100), {ALL: 0.98}, False),
    Quantity(
        "share within 10 mm of the lateral ventricles, median",
        "",
        _median("lesions.near_ventricles"),
        {ALL: 0.83, **_by_site(0.79, 0.85, 0.85)},
    ),
    Quantity("brain volume, median", "ml", _median("brain_ml"), {ALL: 1357}),
    Quantity("brain volume, minimum", "ml", _percentile("brain_ml", 0), {ALL: 1020}, False),
    Quantity("brain volume, maximum", "ml", _percentile("brain_ml", 100), {ALL: 1810}, False),
    Quantity(
        "share of lesion voxels shallower than 16 mm, median", "", _median("lesions.shallow"), {ALL: 0.05}
    ),
    Quantity("depth of lesion voxels, 5th percentile, median", "mm", _median("lesions.depth_mm"), {ALL: 16}),
    Quantity("robust z of lesions, median", "", _median("z.lesion"), {ALL: 2.8, **_by_site(3.3, 2.2, 3.0)}),
    Quantity("robust z of lesions, 10th percentile", "", _median("z.lesion_low"), {ALL: 1.6}, False),
    Quantity("robust z of normal tissue, 99th percentile", "", _median("z.normal_high"), {ALL: 1.9}, False),
    Quantity(
        "normal voxels above z 3: share within 3 mm of the surface, median",
        "",
        _median("z.at_surface"),
        {ALL: 0.11},
    ),
    Quantity(
        "normal voxels above z 3: share within 3 mm of the surface, maximum",
        "",
        _percentile("z.at_surface", 100),
        {ALL: 0.57},
        False,
    ),
    Quantity("FLAIR, lesion over NAWM, median", "", _median("flair.lesion"), {ALL: 1.45}),
    Quantity("FLAIR, SD of NAWM over its median, median", "", _nawm_spread, {ALL: 0.09}),
    Quantity("FLAIR, cortex over NAWM, median", "", _median("flair.cortex"), {ALL: 1.06}),
    Quantity(
        "FLAIR, SNR of NAWM, median", "", _median("flair.snr"), {ALL: 11, "Utrecht": 10, "Singapore": 12}
    ),
    Quantity("T1, cortex over NAWM, median", "", _median("t1.cortex"), {ALL: 0.685}),
    Quantity("T1, lesion over NAWM, median", "", _median("t1.lesion"), {ALL: 0.775}),
    Quantity("T1, SNR of NAWM, median", "", _median("t1.snr"), {ALL: 12.5}),
    Quantity("Dice of the best threshold, mean", "", _best_dice("z.dice"), {ALL: 0.53}),
    Quantity("Dice of the best threshold, cleaned, mean", "", _best_dice("z.dice_cleaned"), {ALL: 0.59}),
    Quantity("share of slices without a lesion", "", _empty_slices, {ALL: 0.535}),
    Quantity("the same, published validation cases", "", _empty_slices_validation, {ALL: 0.569}, False),
    Quantity("share of cases with other pathology", "", _with_other, {ALL: 0.42}),
    Quantity("other pathology where present, median", "ml", _other_ml(np.median), {ALL: 1.7}),
    Quantity("other pathology where present, maximum", "ml", _other_ml(max), {ALL: 33}, False),
    Quantity("share of voxels that defacing set to 0, median", "", _median("zeros"), {"GE3T": 0.22}),
    Quantity(
        "share of voxels that defacing set to 0, minimum", "", _percentile("zeros", 0), {"GE3T": 0.12}, False
    ),
    Quantity(
        "share of voxels that defacing set to 0, maximum",
        "",
        _percentile("zeros", 100),
        {"GE3T": 0.46},
        False,
    ),
)
