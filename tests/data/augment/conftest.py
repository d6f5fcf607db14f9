"""Square slices with oblong pixels: two classes, ignored pixels, structures at the frame's edge."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from harness.data.augment import parse_augmentations
from harness.data.batches import Batch, BatchTable, TrainingSlices
from harness.data.description import describe
from harness.data.prepare import prepare
from harness.data.prepared import PreparedDataset
from tests.conftest import write_nifti

torch = pytest.importorskip("torch")

MANIFEST = """\
name: blobs
title: Blobs of two classes
layout: files
files: {channels: ["{case}_image.nii.gz"], label: "{case}_label.nii.gz", patient: "(p[0-9])"}
channels: [a]
classes: {1: red, 2: blue}
labels: {0: 0, 1: 1, 2: 2, 3: ignore}
size: [24, 24]
"""
SIZE = 24
SPACINGS = {"p0": (0.5, 0.75, 3.0), "p1": (1.25, 1.0, 2.0)}


def write_blobs(root) -> None:
    generator = np.random.default_rng(4)
    x, y = np.meshgrid(np.arange(SIZE), np.arange(SIZE), indexing="ij")
    for case, spacing in SPACINGS.items():
        label = np.zeros((SIZE, SIZE, 5), np.uint8)
        for z in range(1, 5):
            for code, radius in ((1, 5), (2, 3), (1, 2), (3, 4)):
                centre = generator.integers(0, SIZE, 2)
                label[..., z][(x - centre[0]) ** 2 + (y - centre[1]) ** 2 <= radius**2] = code
        write_nifti(root / "blobs" / f"{case}_label.nii.gz", label, spacing)
        image = generator.normal(size=label.shape).astype(np.float32)
        write_nifti(root / "blobs" / f"{case}_image.nii.gz", image, spacing)


@pytest.fixture(scope="session")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """Two cases of five slices 24 x 24, the first slice of each without foreground."""
    root = tmp_path_factory.mktemp("blobs")
    write_blobs(root)
    (root / "blobs.yaml").write_text(MANIFEST)
    return prepare(describe("blobs.yaml", root), root, tmp_path_factory.mktemp("cache"))


@pytest.fixture
def drawn_labels(blobs: PreparedDataset, monkeypatch: pytest.MonkeyPatch) -> PreparedDataset:
    """The same dataset, its images showing the label codes, ignored pixels as 255."""
    monkeypatch.setattr(
        PreparedDataset, "images", lambda self, case: self.labels(case)[:, None].astype(np.float32)
    )
    return blobs


@pytest.fixture(scope="session")
def epoch_of() -> Callable[..., list[Batch]]:
    """Return the batches of one epoch."""

    def batches(
        dataset: PreparedDataset,
        augment: Sequence[Any],
        needs: Sequence[str] = (),
        epoch: int = 0,
        batch_size: int = 4,
        device: str = "cpu",
        **options: Any,
    ) -> list[Batch]:
        parsed = parse_augmentations(augment)
        slices = TrainingSlices(
            dataset, dataset.cases, frozenset(needs), torch.device(device), parsed, **options
        )
        return list(slices.batches(BatchTable(dataset.fingerprint, "ab", 1, 0), epoch, batch_size))

    return batches
