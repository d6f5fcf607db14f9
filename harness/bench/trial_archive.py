"""The dataset that trials are timed on: blobs in some noise, in ``.nii.gz``, written where it is wanted."""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from harness.bench.scene import SPACING, blob_labels
from harness.data.description import DatasetDescription
from harness.data.splits import HoldoutSplit

N_CLASSES = 4
VALIDATED = TESTED = 2
SPLIT = HoldoutSplit(test=TESTED, validation=VALIDATED)

_CONTRAST, _NOISE = 100.0, 20.0


@dataclass(frozen=True)
class Archive:
    """Size of the dataset.

    Attributes:
        cases: Volumes, each a patient; two are tested, two validate.
        slices: Of each volume.
        size: Pixels along each edge of a slice.
    """

    cases: int
    slices: int
    size: int

    @property
    def training_slices(self) -> int:
        """Slices of the cases that are neither tested nor validate."""
        return (self.cases - TESTED - VALIDATED) * self.slices

    def write(self, root: Path) -> DatasetDescription:
        """Write images and label maps of 3x1x1 mm voxels as ``{case}/image.nii.gz``; return their manifest.

        Args:
            root: The data root; the dataset's folder is ``blobs``.
        """
        affine = np.diag([*SPACING[::-1], 1.0])
        for number in range(self.cases):
            folder = root / "blobs" / f"case{number:02d}"
            folder.mkdir(parents=True)
            labels = blob_labels((self.slices, self.size, self.size), N_CLASSES, number).transpose(2, 1, 0)
            noise = np.random.default_rng(number).normal(0, _NOISE, labels.shape)
            image = (500 + _CONTRAST * labels + noise).astype(np.int16)
            for name, array in (("image", image), ("label", labels)):
                nifti = nib.Nifti1Image(array, affine)  # type: ignore[no-untyped-call]
                nifti.to_filename(folder / f"{name}.nii.gz")
        return self.description()

    def description(self) -> DatasetDescription:
        """Return the manifest."""
        return DatasetDescription.model_validate(
            {
                "name": "blobs",
                "title": "Synthetic blobs",
                "layout": "files",
                "files": {"channels": ("{case}/image.nii.gz",), "label": "{case}/label.nii.gz"},
                "channels": ("image",),
                "classes": {index: f"blob {index}" for index in range(1, N_CLASSES)},
                "labels": {index: index for index in range(N_CLASSES)},
                "normalise": {"kind": "zscore", "mask": "all"},
                "size": (self.size, self.size),
                "split": SPLIT.model_dump(),
            }
        )
