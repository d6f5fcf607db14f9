"""The benchmark of the data: preparing volumes, loading them, and gathering batches."""

import shutil
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from functools import cached_property
from itertools import cycle
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from numpy.typing import NDArray

from harness.bench.base import BENCHMARKS, Benchmark, BenchOptions, Row
from harness.bench.clocks import CpuClock
from harness.bench.measure import compare
from harness.bench.scene import SPACING, blob_labels
from harness.data.batches import BatchTable, TrainingSlices
from harness.data.description import DatasetDescription
from harness.data.prepare import prepare
from harness.data.prepared import PreparedDataset

_SIZE, _SLICES, _VOLUMES, _BATCH = 256, 48, 4, 8
_CHANNELS = ("flair", "t1")


@BENCHMARKS.register("data")
class Data(Benchmark):
    """Time of preparing a volume, of loading one, and of a batch: 2 channels of 48x256x256, batch 8.

    Against what people write by hand with nibabel, and against torch's DataLoader without workers over
    the same memory maps. On the CPU always; volumes are float32 in ``.nii.gz``, as WMH 2017 has them.
    """

    baselines = ("nibabel", "DataLoader")

    def __init__(self, options: BenchOptions) -> None:
        super().__init__(options)
        self._size = options.size or _SIZE
        self._scratch = tempfile.TemporaryDirectory(prefix="lossbench-bench-")

    def names(self) -> list[str]:
        """Return what is timed."""
        return list(self._rows)

    def row(self, name: str) -> Row:
        """Time one of them."""
        return self._rows[name](name)

    @property
    def _rows(self) -> dict[str, Callable[[str], Row]]:
        return {"prepare": self._prepare, "load": self._load, "batch": self._batch}

    @cached_property
    def _archive(self) -> Path:
        """A data root with volumes on disk."""
        root = Path(self._scratch.name)
        for number in range(_VOLUMES):
            write_volume(root / "volumes" / f"v{number}", self._size, number)
        return root

    @cached_property
    def _prepared(self) -> PreparedDataset:
        return prepare(description(self._size), self._archive, self._archive / "cache")

    def _prepare(self, name: str) -> Row:
        """Prepare a dataset of one volume anew each time: read, check, normalise, cut, cache."""
        root = Path(self._scratch.name) / "single"
        write_volume(root / "volumes" / "v0", self._size, 0)

        def ours() -> None:
            prepare(description(self._size), root, root / "cache")
            shutil.rmtree(root / "cache")

        comparison = compare(
            ours,
            {"nibabel": lambda: prepared_by_hand(root / "volumes" / "v0", root)},
            CpuClock(),
            self.options.settings,
        )
        peak, seconds = _peak_and_seconds(ours)
        decoded = len(_CHANNELS) * 4 * _SLICES * self._size**2
        note = (
            f"{1 / seconds:.1f} volumes/s in one process, peak {peak / 2**20:.0f} MiB for "
            f"{decoded / 2**20:.0f} MiB of image; by hand: load, z-score, save, nothing checked or hashed"
        )
        return Row(name, comparison, note=note)

    def _load(self, name: str) -> Row:
        """Load all slices of a volume with their labels."""
        prepared, folders = self._prepared, cycle(sorted((self._archive / "volumes").iterdir()))
        cases = cycle(prepared.cases)

        def ours() -> None:
            case = next(cases)
            np.array(prepared.images(case))
            np.array(prepared.labels(case))

        comparison = compare(
            ours, {"nibabel": lambda: load_by_hand(next(folders))}, CpuClock(), self.options.settings
        )
        return Row(name, comparison, targets={"nibabel": 1 / 16}, note="by hand: without normalisation")

    def _batch(self, name: str) -> Row:
        """Gather a batch from the slices in memory."""
        prepared = self._prepared
        slices = TrainingSlices(prepared, prepared.cases, frozenset(), torch.device("cpu"))
        table = BatchTable(prepared.fingerprint, "", seed=0, fold=0)
        ours = _endless(lambda epoch: slices.batches(table, epoch, _BATCH))
        loader = torch.utils.data.DataLoader(_MappedSlices(prepared), _BATCH, shuffle=True)
        theirs = _endless(lambda _: iter(loader))
        folders = sorted((self._archive / "volumes").iterdir())
        generator = np.random.default_rng(0)

        def slice_by_slice() -> None:
            chosen = generator.integers(0, (len(folders), _SLICES), (_BATCH, 2))
            np.stack([slice_by_hand(folders[volume], at) for volume, at in chosen])

        comparison = compare(
            lambda: next(ours),
            {"nibabel": slice_by_slice, "DataLoader": lambda: next(theirs)},
            CpuClock(),
            self.options.settings,
        )
        return Row(name, comparison, note=f"{_BATCH} slices of {len(_CHANNELS)}x{self._size}x{self._size}")


class _MappedSlices(torch.utils.data.Dataset[tuple[NDArray[np.float32], NDArray[np.uint8]]]):
    """Slices of a prepared dataset, one at a time, as a DataLoader wants them."""

    def __init__(self, prepared: PreparedDataset) -> None:
        self._images = [prepared.images(case) for case in prepared.cases]
        self._labels = [prepared.labels(case) for case in prepared.cases]
        self._index = [(number, at) for number, array in enumerate(self._images) for at in range(len(array))]

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, position: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        number, at = self._index[position]
        return np.array(self._images[number][at]), np.array(self._labels[number][at])


def description(size: int) -> DatasetDescription:
    """Return the description of the volumes that are timed."""
    return DatasetDescription.model_validate(
        {
            "name": "volumes",
            "title": "Synthetic volumes",
            "layout": "files",
            "files": {
                "channels": tuple(f"{{case}}/{name}.nii.gz" for name in _CHANNELS),
                "label": "{case}/label.nii.gz",
            },
            "channels": _CHANNELS,
            "classes": {1: "one", 2: "two", 3: "three"},
            "labels": {0: 0, 1: 1, 2: 2, 3: 3},
            "normalise": {"kind": "zscore", "mask": "nonzero"},
            "size": (size, size),
        }
    )


def write_volume(folder: Path, size: int, seed: int) -> None:
    """Write two channels and a label map as ``.nii.gz`` with 3x1x1 mm voxels."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = blob_labels((_SLICES, size, size), 4, seed).transpose(2, 1, 0)
    generator = np.random.default_rng(seed)
    affine = np.diag([*SPACING[::-1], 1.0])
    for name in _CHANNELS:
        image = (500.0 + 100.0 * labels + generator.normal(0, 30, labels.shape)).astype(np.float32)
        nib.Nifti1Image(image.round(1), affine).to_filename(folder / f"{name}.nii.gz")  # type: ignore[no-untyped-call]
    nib.Nifti1Image(labels, affine).to_filename(folder / "label.nii.gz")  # type: ignore[no-untyped-call]


def load_by_hand(folder: Path) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Load a volume as people do: image (C, x, y, z) and labels."""
    images = [nib.load(folder / f"{name}.nii.gz").get_fdata(dtype=np.float32) for name in _CHANNELS]  # type: ignore[attr-defined]
    labels = np.asarray(nib.load(folder / "label.nii.gz").dataobj)  # type: ignore[attr-defined]
    return np.stack(images), labels


def slice_by_hand(folder: Path, at: int) -> NDArray[np.float32]:
    """Load one slice (C, x, y) as people do; the file is decompressed up to it."""
    return np.stack([nib.load(folder / f"{name}.nii.gz").dataobj[..., at] for name in _CHANNELS])  # type: ignore[attr-defined]


def prepared_by_hand(folder: Path, out: Path) -> None:
    """Load a volume, subtract the mean, divide by the standard deviation, save."""
    image, labels = load_by_hand(folder)
    for number in range(len(image)):
        inside = image[number][image[number] != 0]
        image[number] = (image[number] - inside.mean()) / inside.std()
    np.save(out / "by-hand-images.npy", image.transpose(3, 0, 2, 1))
    np.save(out / "by-hand-labels.npy", labels.transpose(2, 1, 0))


def _endless(epoch: Callable[[int], Any]) -> Any:
    number = 0
    while True:
        yield from epoch(number)
        number += 1


def _peak_and_seconds(work: Callable[[], None]) -> tuple[int, float]:
    began = time.perf_counter()
    work()
    seconds = time.perf_counter() - began
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1], seconds
    finally:
        tracemalloc.stop()
