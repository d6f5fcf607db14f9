"""Simulated ISLES 2018: CT, perfusion maps and infarcts of patients with acute stroke.

Written as the training archive unpacks (``TRAINING/case_1/SMIR.Brain.XX.O.CT.345562/...nii``), but for
``CT_4DPWI``, the time series from which the maps were computed and which no loader needs. Geometry and
distributions follow the 94 training cases and are listed with their sources in the data guide:
Hakim et al., Stroke 52(7), 2021; per-case volumes by the public project OpenPerfusion.

Two cases that follow each other within a group of :mod:`harness.data.layouts.isles2018_patients` are
slabs of one patient: one head and one stroke at two heights.
"""

from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

import harness.data.simulate.isles2018.targets  # noqa: F401 (registers itself)
from harness.data.simulate import SIMULATORS, Options, Simulator
from harness.data.simulate.isles2018.imaging import scan
from harness.data.simulate.isles2018.patient import draw_patient
from harness.data.simulate.isles2018.protocol import Slab

VERSION = 1

_FIRST_ID, _IDS_A_CASE = 345562, 7
_KINDS = {"CT": "ct", "CT_CBF": "cbf", "CT_CBV": "cbv", "CT_MTT": "mtt", "OT": "infarct", "CT_Tmax": "tmax"}


def write_case(folder: Path, seed: int, index: int, options: Options) -> None:
    """Write one case below ``folder``; a registered :class:`~harness.data.simulate.Simulator`.

    Args:
        folder: Root of the dataset.
        seed: Of the simulation.
        index: Of the case; 0 is ``case_1``.
        options: In-plane voxel size.
    """
    patient = draw_patient(seed, index)
    slab = patient.slabs[index]
    rng = np.random.default_rng(np.random.SeedSequence([seed, index, 1]))
    images = scan(patient, slab, options.inplane_mm, rng)
    for place, (kind, attribute) in enumerate(_KINDS.items()):
        stem = f"SMIR.Brain.XX.O.{kind}.{_FIRST_ID + _IDS_A_CASE * index + place}"
        path = folder / "TRAINING" / f"case_{index + 1}" / stem / f"{stem}.nii"
        path.parent.mkdir(parents=True)
        _save(getattr(images, attribute), slab, path)


SIMULATORS.register("isles2018")(Simulator(write_case, (), VERSION))


def _save(values: NDArray[np.generic], slab: Slab, path: Path) -> None:
    affine = slab.affine((values.shape[0], values.shape[1], values.shape[2]))
    image = nib.Nifti1Image(values, affine, dtype=values.dtype)  # type: ignore[no-untyped-call]
    image.set_qform(affine, code=1)  # type: ignore[no-untyped-call]
    image.set_sform(affine, code=1)  # type: ignore[no-untyped-call]
    image.header.set_xyzt_units("mm", "sec")  # type: ignore[no-untyped-call]
    path.write_bytes(image.to_bytes())
