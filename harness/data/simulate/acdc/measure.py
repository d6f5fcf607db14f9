"""One patient of ACDC in numbers, from the files.

Definitions:

* **Mid-ventricular slice**: of the ``n`` slices that show the left cavity in a frame, counted from the
  base, the one in the middle, nearer to the base if ``n`` is even.
* **Radius**: of the circle of equal area. **Wall**: radius of left cavity and myocardium together less
  that of the cavity.
* **Centre**: mean position of a label's pixels in the slice. **Elongation**: root of the ratio of the
  two eigenvalues of their covariance (a pixel's own extent included).
* **Outer radius**: of left cavity and myocardium together.
* **Intensity**: the mean over a label's voxels in the volume over that of the left cavity; SD likewise.
* **Spacing**: of the header's zooms; the sform of the archive has unit scale.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from harness.errors import InputError

Mask = NDArray[np.bool_]

BACKGROUND, RIGHT, MYOCARDIUM, LEFT = 0, 1, 2, 3
_KEYS = ("ED", "ES", "Group", "Height", "NbFrame", "Weight")


@dataclass(frozen=True)
class VolumeNumbers:
    """What is measured of one frame; lengths in pixels, NaN where there is nothing to measure.

    Attributes:
        pixel_mm: In-plane voxel size.
        slices: Of the volume.
        lacking: Slices that lack all labels, RV, myocardium, LV.
        left_slices: Slices that show the left cavity.
        right_slices: Slices that show the right one.
        radius: Of the left cavity.
        wall: Thickness of the myocardium.
        right_over_left: Area of the right over that of the left cavity.
        distance: Between the cavities' centres, over the outer radius.
        right_elongation: Of the right cavity.
        left_elongation: Of the left one.
        apex: Radius of the left cavity in the last slice that shows it over the largest one.
        volumes_ml: Of RV, myocardium and LV.
        foreground: Share of labelled voxels in percent.
        right_blood: Intensity of the right cavity.
        muscle: Of the myocardium.
        rest: Of all that is not labelled.
        muscle_sd: SD inside the myocardium.
        left_sd: SD inside the left cavity.
    """

    pixel_mm: float
    slices: int
    lacking: tuple[int, int, int, int]
    left_slices: int
    right_slices: int
    radius: float
    wall: float
    right_over_left: float
    distance: float
    right_elongation: float
    left_elongation: float
    apex: float
    volumes_ml: tuple[float, float, float]
    foreground: float
    right_blood: float
    muscle: float
    rest: float
    muscle_sd: float
    left_sd: float


@dataclass(frozen=True)
class PatientNumbers:
    """Both frames of a patient.

    Attributes:
        group: Diagnosis, as ``Info.cfg`` has it.
        ed: End diastole.
        es: End systole.
    """

    group: str
    ed: VolumeNumbers
    es: VolumeNumbers

    def volume_ratio(self, label: int) -> float:
        """Volume of a label at end systole over that at end diastole."""
        before = self.ed.volumes_ml[label - 1]
        return self.es.volumes_ml[label - 1] / before if before else np.nan


def measure_patient(folder: Path) -> PatientNumbers:
    """Measure one patient.

    Args:
        folder: Holds ``Info.cfg`` and, for the frames it names, image and label map.

    Raises:
        InputError: if a file or an entry of ``Info.cfg`` is missing.
    """
    info = read_info(folder / "Info.cfg")
    ed, es = (_measure_frame(folder, info[key]) for key in ("ED", "ES"))
    return PatientNumbers(info["Group"], ed, es)


def read_info(path: Path) -> dict[str, str]:
    """Return the entries of an ``Info.cfg``.

    Raises:
        InputError: if the file or one of its six keys is missing, or a frame is no number.
    """
    if not path.is_file():
        raise InputError(f"no file {str(path)!r}; unpack the archive again")
    lines = path.read_text(encoding="utf-8").splitlines()
    entries = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    for key in _KEYS:
        if key not in entries or (key in ("ED", "ES") and not entries[key].isdigit()):
            raise InputError(f"{str(path)!r} has no valid entry {key!r}; unpack the archive again")
    return entries


def _measure_frame(folder: Path, frame: str) -> VolumeNumbers:
    stem = f"{folder.name}_frame{int(frame):02d}"
    image, truth = (_load(folder / f"{stem}{suffix}.nii.gz") for suffix in ("", "_gt"))
    spacing = [float(size) for size in truth.header.get_zooms()[:3]]
    labels = np.asarray(truth.dataobj).astype(np.uint8)
    intensity = np.asarray(image.dataobj, np.float32)
    right, muscle, left = ((labels == code).any(axis=(0, 1)) for code in (RIGHT, MYOCARDIUM, LEFT))
    millilitres = float(np.prod(spacing)) / 1000
    volumes = [float((labels == code).sum()) * millilitres for code in (RIGHT, MYOCARDIUM, LEFT)]
    return VolumeNumbers(
        pixel_mm=spacing[0],
        slices=labels.shape[2],
        lacking=(_lacking(right | muscle | left), _lacking(right), _lacking(muscle), _lacking(left)),
        left_slices=int(left.sum()),
        right_slices=int(right.sum()),
        volumes_ml=(volumes[0], volumes[1], volumes[2]),
        foreground=float(100 * (labels > 0).mean()),
        **_shape(labels, np.flatnonzero(left)),
        **_intensities(intensity, labels),
    )


def _lacking(shown: Mask) -> int:
    return int((~shown).sum())


def _load(path: Path) -> Any:
    if not path.is_file():
        raise InputError(f"no file {str(path)!r}, which Info.cfg names; unpack the archive again")
    return nib.Nifti1Image.from_filename(path)


def _shape(labels: NDArray[np.uint8], slices: NDArray[np.int64]) -> dict[str, float]:
    """Measure the mid-ventricular slice, and the cavity's taper."""
    names = ("radius", "wall", "right_over_left", "distance", "right_elongation", "left_elongation", "apex")
    if slices.size == 0:
        return dict.fromkeys(names, np.nan)
    middle = labels[:, :, slices[(slices.size - 1) // 2]]
    left, right, outer = middle == LEFT, middle == RIGHT, middle >= MYOCARDIUM
    radii = [_radius(labels[:, :, number] == LEFT) for number in slices]
    apart = np.linalg.norm(_centre(right) - _centre(left)) if right.any() else np.nan
    values = (
        _radius(left),
        _radius(outer) - _radius(left),
        right.sum() / left.sum() if right.any() else np.nan,
        apart / _radius(outer),
        _elongation(right),
        _elongation(left),
        radii[-1] / max(radii),
    )
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def _radius(mask: Mask) -> float:
    return float(np.sqrt(mask.sum() / np.pi))


def _centre(mask: Mask) -> NDArray[np.float64]:
    return np.asarray(np.argwhere(mask).mean(axis=0))


def _elongation(mask: Mask) -> float:
    if mask.sum() < 3:
        return np.nan
    covariance = np.cov(np.argwhere(mask).T, bias=True) + np.eye(2) / 12
    smaller, larger = np.linalg.eigvalsh(covariance)
    return float(np.sqrt(larger / smaller))


def _intensities(image: NDArray[np.float32], labels: NDArray[np.uint8]) -> dict[str, float]:
    parts = [image[labels == code] for code in (BACKGROUND, RIGHT, MYOCARDIUM, LEFT)]
    names = ("rest", "right_blood", "muscle", "muscle_sd", "left_sd")
    if any(part.size == 0 for part in parts):
        return dict.fromkeys(names, np.nan)
    rest, right, muscle, left = parts
    values = (rest.mean(), right.mean(), muscle.mean(), muscle.std(), left.std())
    return {name: float(value / left.mean()) for name, value in zip(names, values, strict=True)}
