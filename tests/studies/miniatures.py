"""Tiny trees in the layouts that the studies of the literature read: one square per class, in noise."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from harness.data.description import catalogue
from tests.conftest import write_nifti

CASES, SIDE, SLICES = 6, 32, 3
SPACING = (1.5, 1.5, 3.0)
_CELLS = 5
_CHANNELS = {"msd_brain_tumour": 4, "msd_prostate": 2}


def decathlon(root: Path, dataset: str) -> None:
    """Write a task of the Decathlon under the name of its archive."""
    description = catalogue()[dataset]
    folder = root / description.folders[0]
    labels = _label_maps(range(1, len(description.classes) + 1))
    channels = _CHANNELS.get(dataset, 1)
    for case, label in labels.items():
        write_nifti(folder / "imagesTr" / f"{case}.nii.gz", _image(label, channels), SPACING)
        write_nifti(folder / "labelsTr" / f"{case}.nii.gz", label, SPACING)
    listed = [{"image": f"./imagesTr/{case}.nii.gz", "label": f"./labelsTr/{case}.nii.gz"} for case in labels]
    modality = {str(index): name for index, name in enumerate(description.channels)}
    names = {"0": "background"} | {str(index): name for index, name in description.classes.items()}
    document = {"modality": modality, "labels": names, "training": listed, "test": []}
    (folder / "dataset.json").write_text(json.dumps(document))


def images_and_labels(root: Path, dataset: str) -> None:
    """Write ``images/`` and ``labels/``, with every label code that the description maps to a class."""
    codes = [code for code, target in catalogue()[dataset].labels.items() if target]
    for case, label in _label_maps(codes).items():
        write_nifti(root / dataset / "images" / f"{case}.nii.gz", _image(label), SPACING)
        write_nifti(root / dataset / "labels" / f"{case}.nii.gz", label, SPACING)


def pddca(root: Path) -> None:
    """Write CT and one mask per organ as NRRD, two of six cases in the range of the printed test set."""
    files = catalogue()["pddca"].files
    assert files is not None
    assert isinstance(files.label, dict)
    for number, label in zip((1, 2, 3, 4, 555, 556), _label_maps(files.label).values(), strict=True):
        case = f"0522c{number:04d}"
        _write_nrrd(root / "pddca" / case / "img.nrrd", (_image(label) * 100).astype(np.int16))
        for index, pattern in files.label.items():
            mask = (label == index).astype(np.uint8)
            _write_nrrd(root / "pddca" / pattern.format(case=case), mask)


def _label_maps(codes: Iterable[int]) -> dict[str, np.ndarray]:
    """Return label maps ``(x, y, z)`` by case; each class is a square of its own that moves a little."""
    maps = {}
    for case in range(CASES):
        label = np.zeros((SIDE, SIDE, SLICES), np.uint8)
        for place, code in enumerate(sorted(codes)):
            row, column = 6 * (place // _CELLS) + case % 3, 6 * (place % _CELLS) + case % 2
            label[row : row + 5, column : column + 4, : SLICES - 1] = code
        maps[f"{'btcv' if case % 2 else 'tcia'}_{case:04d}"] = label
    return maps


def _image(label: np.ndarray, channels: int = 1) -> np.ndarray:
    generator = np.random.default_rng(int(label.sum()))
    shape = label.shape if channels == 1 else (*label.shape, channels)
    brighter = label if channels == 1 else label[..., None]
    return (brighter + generator.normal(0, 0.3, shape)).astype(np.float32)


def _write_nrrd(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = {"int16": "short", "uint8": "uchar"}[str(array.dtype)]
    header = (
        f"NRRD0004\ntype: {kind}\ndimension: 3\nspace: left-posterior-superior\n"
        f"sizes: {' '.join(map(str, array.shape))}\nspace directions: (1.5,0,0) (0,1.5,0) (0,0,3)\n"
        "kinds: domain domain domain\nendian: little\nencoding: raw\nspace origin: (0,0,0)\n\n"
    )
    path.write_bytes(header.encode() + array.tobytes(order="F"))
