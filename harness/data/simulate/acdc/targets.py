"""Published numbers of ACDC beside those of a folder, measured as :mod:`.measure` defines.

Published: the 100 training patients, from the labels and intensities of the public project WSL4MIS.
That copy has lost the spacing, so its lengths are pixels, and millimetres are pixels times the median
pixel of 1.52 mm (hence good to 15 %). Pixel counts compare only at the archive's own voxel size. Tails
and shares are shown, not judged, and a group of fewer than ten patients is not judged either.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from harness.data.parallel import run_each
from harness.data.simulate.acdc.measure import (
    LEFT,
    MYOCARDIUM,
    RIGHT,
    PatientNumbers,
    VolumeNumbers,
    measure_patient,
)
from harness.data.simulate.targets import TARGETS, Target
from harness.errors import InputError

ALL = "all"
JUDGED_GROUP_SIZE = 10

_RANKS = (5, 25, 50, 75, 95)

OfVolume = Callable[[VolumeNumbers], float]
OfPatient = Callable[[PatientNumbers], float]


@TARGETS.register("acdc")
def measure(folder: Path, workers: int) -> list[Target]:
    """Measure a folder that unpacks like ACDC.

    Args:
        folder: Holds ``training/``, ``database/training/`` or the patients' folders themselves.
        workers: Processes to use.

    Raises:
        InputError: if there is no patient, or one lacks a file.
    """
    jobs = {number: (patient,) for number, patient in enumerate(find_patients(folder))}
    return compare([numbers for _, numbers in sorted(run_each(measure_patient, jobs, workers))])


def find_patients(folder: Path) -> list[Path]:
    """Return the patients' folders of the training set, sorted by name.

    Raises:
        InputError: if there is none.
    """
    for root in (folder / "database" / "training", folder / "training", folder):
        if root.is_dir():
            found = [
                each for each in root.iterdir() if each.is_dir() and re.fullmatch(r"patient\d+", each.name)
            ]
            if found:
                return sorted(found)
    raise InputError(f"no folder like 'training/patient001' in {str(folder)!r}; name the unpacked archive's")


def compare(numbers: Sequence[PatientNumbers]) -> list[Target]:
    """Set the published numbers beside those of the patients."""
    return [*_distributions(numbers), *_shares(numbers), *_groups(numbers)]


def _distributions(patients: Sequence[PatientNumbers]) -> Iterator[Target]:
    for quantity, unit, published, values in _rows(patients):
        for rank, expected in zip(_RANKS, published, strict=True):
            name = "median" if rank == 50 else f"{rank}th percentile"
            yield Target(f"{quantity}, {name}", unit, ALL, expected, _percentile(values, rank), rank == 50)
    volumes = [volume for patient in patients for volume in (patient.ed, patient.es)]
    for quantity, expected, take in _INTENSITIES:
        measured = _percentile([take(volume) for volume in volumes], 50)
        yield Target(f"{quantity} over LV blood, median", "", ALL, expected, measured)


def _rows(
    patients: Sequence[PatientNumbers],
) -> Iterator[tuple[str, str, tuple[float, ...], list[float]]]:
    """Yield quantity, unit, published percentiles and the values of the patients."""
    both = [volume for patient in patients for volume in (patient.ed, patient.es)]
    yield "slices a volume", "", (7, 8, 9, 10, 15), [float(volume.slices) for volume in both]
    yield "foreground", "%", (2.0, 2.8, 3.6, 4.5, 5.8), [volume.foreground for volume in both]
    for quantity, unit, by_frame, take in _BY_FRAME:
        for frame, published in by_frame.items():
            chosen = [patient.ed if frame == "ED" else patient.es for patient in patients]
            yield f"{quantity}, {frame}", unit, published, [take(volume) for volume in chosen]
    for name, label, published in _VOLUME_RATIOS:
        yield f"{name} volume, ES / ED", "", published, [each.volume_ratio(label) for each in patients]


def _shares(patients: Sequence[PatientNumbers]) -> Iterator[Target]:
    volumes = [volume for patient in patients for volume in (patient.ed, patient.es)]
    slices = sum(volume.slices for volume in volumes)
    for place, (quantity, published, judged) in enumerate(_SHARES):
        lacking = sum(volume.lacking[place] for volume in volumes)
        measured = 100 * lacking / slices if slices else None
        yield Target(f"share of slices {quantity}", "%", ALL, published, measured, judged)


def _groups(patients: Sequence[PatientNumbers]) -> Iterator[Target]:
    for group, row in _GROUP_MEDIANS.items():
        members = [patient for patient in patients if patient.group == group]
        judged = len(members) >= JUDGED_GROUP_SIZE
        for (quantity, unit, take), published in zip(_GROUP_QUANTITIES, row, strict=True):
            measured = _percentile([take(patient) for patient in members], 50)
            yield Target(f"{quantity}, median", unit, group, published, measured, judged)


def _percentile(values: Sequence[float], rank: float) -> float | None:
    """Over what could be measured; None if nothing could."""
    kept = np.array([value for value in values if np.isfinite(value)])
    return float(np.percentile(kept, rank)) if kept.size else None


_BY_FRAME: tuple[tuple[str, str, dict[str, tuple[float, ...]], OfVolume], ...] = (
    (
        "slices with LV",
        "",
        {"ED": (6, 8, 9, 10, 14), "ES": (6, 7, 8, 10, 14)},
        lambda volume: volume.left_slices,
    ),
    (
        "slices with RV",
        "",
        {"ED": (5, 7, 8, 9, 15), "ES": (4, 6, 7, 8, 13)},
        lambda volume: volume.right_slices,
    ),
    (
        "LV cavity radius",
        "pixels",
        {"ED": (11.8, 15.0, 17.0, 19.6, 24.0), "ES": (6.8, 9.4, 12.2, 17.4, 21.4)},
        lambda volume: volume.radius,
    ),
    (
        "wall thickness",
        "pixels",
        {"ED": (3.1, 4.1, 5.0, 6.1, 9.2), "ES": (4.4, 5.8, 7.1, 9.3, 15.2)},
        lambda volume: volume.wall,
    ),
    (
        "wall thickness over LV cavity radius",
        "",
        {"ED": (0.19, 0.24, 0.29, 0.36, 0.59), "ES": (0.25, 0.36, 0.63, 0.90, 1.85)},
        lambda volume: volume.wall / volume.radius,
    ),
    (
        "RV area over LV cavity area",
        "",
        {"ED": (0.18, 0.51, 0.74, 1.06, 2.4), "ES": (0.14, 0.44, 0.85, 1.6, 3.2)},
        lambda volume: volume.right_over_left,
    ),
    (
        "distance of RV and LV centres over outer LV radius",
        "",
        {"ED": (1.05, 1.18, 1.27, 1.37, 1.53), "ES": (0.93, 1.08, 1.18, 1.34, 1.49)},
        lambda volume: volume.distance,
    ),
    (
        "RV elongation",
        "",
        {"ED": (1.3, 1.7, 1.9, 2.2, 2.9), "ES": (1.4, 1.8, 2.1, 2.5, 3.9)},
        lambda volume: volume.right_elongation,
    ),
    ("LV elongation", "", {"ED": (1.04, 1.10, 1.13, 1.19, 1.29)}, lambda volume: volume.left_elongation),
    (
        "LV cavity radius at the apex over the largest",
        "",
        {"ED": (0.14, 0.24, 0.34, 0.49, 0.59)},
        lambda volume: volume.apex,
    ),
)

_VOLUME_RATIOS: tuple[tuple[str, int, tuple[float, ...]], ...] = (
    ("LV", LEFT, (0.27, 0.38, 0.46, 0.72, 0.87)),
    ("RV", RIGHT, (0.29, 0.40, 0.52, 0.62, 0.90)),
    ("myocardium", MYOCARDIUM, (0.98, 1.06, 1.15, 1.19, 1.36)),
)

_INTENSITIES: tuple[tuple[str, float, OfVolume], ...] = (
    ("RV blood", 0.86, lambda volume: volume.right_blood),
    ("myocardium", 0.42, lambda volume: volume.muscle),
    ("mean of the rest", 0.38, lambda volume: volume.rest),
    ("SD inside the myocardium", 0.11, lambda volume: volume.muscle_sd),
    ("SD inside the LV", 0.30, lambda volume: volume.left_sd),
)

_SHARES = (  # in the order of VolumeNumbers.lacking
    ("without any label", 3.2, False),
    ("without RV", 18.0, True),
    ("without myocardium", 3.9, False),
    ("without LV", 4.9, False),
)

_GROUP_QUANTITIES: tuple[tuple[str, str, OfPatient], ...] = (
    ("LV ejection fraction", "", lambda patient: 1 - patient.volume_ratio(LEFT)),
    ("RV ejection fraction", "", lambda patient: 1 - patient.volume_ratio(RIGHT)),
    ("LV cavity radius, ED", "mm", lambda patient: patient.ed.radius * patient.ed.pixel_mm),
    ("wall thickness, ED", "mm", lambda patient: patient.ed.wall * patient.ed.pixel_mm),
    ("LV cavity radius, ES", "mm", lambda patient: patient.es.radius * patient.es.pixel_mm),
    ("wall thickness, ES", "mm", lambda patient: patient.es.wall * patient.es.pixel_mm),
    ("RV area over LV cavity area, ED", "", lambda patient: patient.ed.right_over_left),
)

_GROUP_MEDIANS = {
    "DCM": (0.16, 0.26, 33, 7.7, 31, 8.9, 0.48),
    "HCM": (0.68, 0.59, 23, 11.4, 12.5, 20, 0.59),
    "MINF": (0.33, 0.54, 29, 7.4, 24, 9.7, 0.50),
    "NOR": (0.60, 0.54, 24.5, 6.9, 17, 12.7, 0.94),
    "RV": (0.55, 0.37, 23, 6.0, 16, 9.5, 1.53),
}
