"""Simulated ACDC: end-diastolic and end-systolic short-axis cine MR with RV, myocardium and LV.

One case is one patient: a folder with two frames, ``training/patient001/patient001_frame01.nii.gz``
(end diastole) and, for instance, ``patient001_frame12.nii.gz`` (end systole), each with its label map
``_gt`` (1 right cavity, 2 myocardium, 3 left cavity), and ``Info.cfg``. The cine ``_4d`` and
``MANDATORY_CITATION.md`` of the archive are left out. The archive's header is kept, trap included: the
sform has unit scale, qform and pixdim carry the true spacing. Slice 0 is the base.

The distributions that it follows were measured on the 200 training volumes and are listed with their
sources in the data guide: Bernard et al., IEEE TMI 37(11), 2018, and the public project WSL4MIS.
"""

import gzip
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

import harness.data.simulate.acdc.targets  # noqa: F401 (registers itself)
from harness.data.simulate import SIMULATORS, Options, Simulator
from harness.data.simulate.acdc.imaging import Labels, Scene
from harness.data.simulate.acdc.patients import draw_patient, patient_number
from harness.data.simulate.acdc.ventricles import build
from harness.data.simulate.scanner import Grid, Volume

VERSION = 1

_UNIT_SCALE = np.diag([-1.0, -1.0, 1.0, 1.0])


def write_case(folder: Path, seed: int, index: int, options: Options) -> None:
    """Write one patient below ``folder``; a registered :class:`~harness.data.simulate.Simulator`.

    Args:
        folder: Root of the dataset.
        seed: Of the simulation.
        index: Of the patient; diagnoses take turns.
        options: In-plane voxel size.
    """
    streams = np.random.SeedSequence([seed, index]).spawn(5)
    patient_rng, heart_rng, scene_rng, *frame_rngs = (np.random.default_rng(stream) for stream in streams)
    patient = draw_patient(seed, index, options.inplane_mm, patient_rng)
    frames = build(patient, heart_rng)
    scene = Scene(patient, frames[0], scene_rng)
    name = f"patient{patient_number(index):03d}"
    case = folder / "training" / name
    case.mkdir(parents=True)
    unit = _scanner_unit(patient.dtype, patient_rng)
    for number, ventricles, rng in zip((1, patient.systole), frames, frame_rngs, strict=True):
        image, labels = scene.frame(ventricles, rng)
        _save(_stored(image * unit, patient.dtype), patient.grid, case / f"{name}_frame{number:02d}.nii.gz")
        _save(labels, patient.grid, case / f"{name}_frame{number:02d}_gt.nii.gz")
    (case / "Info.cfg").write_text(patient.info, encoding="utf-8")


SIMULATORS.register("acdc")(Simulator(write_case, sites=(), version=VERSION))


def _scanner_unit(dtype: type[np.generic], rng: np.random.Generator) -> np.float32:
    """Return what the scanner stores for an intensity of 1: arbitrary, but no more than a byte holds."""
    low, high = (110, 170) if dtype is np.uint8 else (90, 700)
    return np.float32(np.exp(rng.uniform(np.log(low), np.log(high))))


def _stored(values: Volume, dtype: type[np.generic]) -> NDArray[Any]:
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)  # type: ignore[type-var]
        return np.clip(np.round(values), max(limits.min, 0), limits.max).astype(dtype)
    return values.astype(dtype)


def _save(values: NDArray[Any] | Labels, grid: Grid, path: Path) -> None:
    """Write a NIfTI file whose bytes depend on the values only (no time stamp)."""
    spacing = np.diag([-grid.spacing[0], -grid.spacing[1], grid.spacing[2], 1.0])
    image = nib.Nifti1Image(values, _UNIT_SCALE)  # type: ignore[no-untyped-call]
    image.set_sform(_UNIT_SCALE, code=1)  # type: ignore[no-untyped-call]
    image.set_qform(spacing, code=1)  # type: ignore[no-untyped-call]
    image.header.set_xyzt_units("mm", "sec")  # type: ignore[no-untyped-call]
    path.write_bytes(gzip.compress(image.to_bytes(), compresslevel=1, mtime=0))
