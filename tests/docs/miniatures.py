"""Tiny folders in the place of the data that the README names."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.conftest import write_nifti

SHAPE = (16, 16, 3)


def make_folder(root: Path) -> Path:
    """Write hippocampi, lesions, fundus photographs and somebody's own folder below ``root``."""
    _hippocampus(root / "Task04_Hippocampus")
    _photographs(root / "chase_db1")
    for number in range(9):
        case, images = f"P{number:03}", root / "tabriz_ms_wmh" / "images"
        image, label = _scan(number, {2: 5})
        write_nifti(images / f"{case}_FLAIR.nii.gz", image)
        write_nifti(images / f"{case}_T1.nii.gz", 100 - image)
        write_nifti(images / f"{case}_brainmask.nii.gz", np.ones(SHAPE, np.uint8))
        write_nifti(root / "tabriz_ms_wmh" / "labels" / f"{case}_label.nii.gz", label)
    for number in range(10):
        folder = root / "my_lesions" / f"sub-{number:02}"
        image, label = _scan(number, {1: 5})
        write_nifti(folder / "flair.nii.gz", image)
        write_nifti(folder / "t1.nii.gz", 100 - image)
        write_nifti(folder / "label.nii.gz", label)
    return root


def _hippocampus(root: Path) -> None:
    cases = [f"hippocampus_{number:03}" for number in range(1, 11)]
    for number, case in enumerate(cases):
        image, label = _scan(number, {1: 4, 2: 4})
        write_nifti(root / "imagesTr" / f"{case}.nii.gz", image)
        write_nifti(root / "labelsTr" / f"{case}.nii.gz", label)
    pairs = [{"image": f"./imagesTr/{case}.nii.gz", "label": f"./labelsTr/{case}.nii.gz"} for case in cases]
    document = {
        "name": "Hippocampus",
        "tensorImageSize": "3D",
        "modality": {"0": "MRI"},
        "labels": {"0": "background", "1": "Anterior", "2": "Posterior"},
        "numTraining": len(cases),
        "numTest": 0,
        "training": pairs,
        "test": [],
    }
    (root / "dataset.json").write_text(json.dumps(document))


def _photographs(root: Path) -> None:
    root.mkdir(parents=True)
    for number in range(9):
        image, label = _scan(number, {1: 5})
        colours = np.repeat(image[:, :, :1].clip(0, 255).astype(np.uint8), 3, axis=2)
        Image.fromarray(colours).save(root / f"Image_{number:02}L.jpg")
        Image.fromarray(255 * label[:, :, 0]).convert("1").save(root / f"Image_{number:02}L_1stHO.png")


def _scan(number: int, squares: Mapping[int, int]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return an image and its label map: a bright square for each code, of so many pixels a side."""
    random = np.random.default_rng(number)
    label = np.zeros(SHAPE, np.uint8)
    for place, (code, side) in enumerate(squares.items()):
        row, column = (int(each) for each in random.integers(1, 3, 2))
        label[row : row + side, 8 * place + column :][:, :side] = code
    return (20.0 * label + random.normal(30, 3, SHAPE)).astype(np.float32), label
