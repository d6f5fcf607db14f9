"""Official archives are recognised by their trees."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data.description import catalogue, describe
from harness.data.layouts import find_cases
from harness.data.manifest import propose
from harness.data.read import read_case
from harness.errors import InputError
from tests.data.manifest.trees import blob, nifti, noise

SHAPE = (20, 24, 3)


def write_listing(root: Path, **content: Any) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / "dataset.json").write_text(json.dumps(content))


def decathlon(root: Path) -> Path:
    names = [f"prostate_{at:02}" for at in (0, 1, 2, 10, 16)]
    write_listing(
        root,
        name="PROSTATE",
        modality={"0": "T2", "1": "ADC"},
        labels={"0": "background", "1": "PZ", "2": "TZ"},
        training=[{"image": f"./imagesTr/{n}.nii.gz", "label": f"./labelsTr/{n}.nii.gz"} for n in names],
        test=["./imagesTs/prostate_08.nii.gz"],
    )
    for at, name in enumerate(names):
        nifti(root / "imagesTr" / f"{name}.nii.gz", noise((*SHAPE, 2), seed=at))
        nifti(root / "labelsTr" / f"{name}.nii.gz", blob(SHAPE, (1, 2)))
        (root / "imagesTr" / f"._{name}.nii.gz").write_bytes(b"\0\5\26\7")
    return root


def nnunet(root: Path, labels: dict[str, Any], codes: tuple[int, ...], ending: str = ".nii.gz") -> Path:
    write_listing(
        root, channel_names={"0": "T2", "1": "ADC"}, labels=labels, numTraining=6, file_ending=ending
    )
    for at in range(6):
        name = f"patient{at:03}_frame01"
        for channel in (0, 1):
            nifti(root / "imagesTr" / f"{name}_{channel:04}.nii.gz", noise(SHAPE, zeros=0.4, seed=at))
        nifti(root / "labelsTr" / f"{name}.nii.gz", blob(SHAPE, codes))
    return root


def read_all(text: str, name: str, folder: Path, tmp_path: Path):
    (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    description = describe(f"{name}.yaml", tmp_path)
    for files in find_cases(description.folder_in(folder.parent), description):
        read_case(files, description)
    return description


def test_decathlon_names_come_from_dataset_json(tmp_path):
    root = decathlon(tmp_path / "Task77_Mine")
    proposal = propose(root)
    description = read_all(proposal.text, proposal.name, root, tmp_path)
    assert description.layout == proposal.layout == "decathlon"
    assert description.channels == ("T2", "ADC")
    assert description.classes == {1: "PZ", 2: "TZ"}
    assert description.labels == {0: 0, 1: 1, 2: 2}
    assert description.size == (32, 32)
    assert proposal.cases == tuple(f"prostate_{at:02}" for at in (0, 1, 2, 10, 16))
    assert proposal.catalogue is None


def test_nnunet_folds_are_taken_over(tmp_path):
    root = nnunet(
        tmp_path / "nnUNet_raw" / "Dataset005_Prostate", {"background": 0, "PZ": 1, "TZ": 2}, (1, 2)
    )
    cases = [f"patient{at:03}_frame01" for at in range(6)]
    folds = [{"train": [c for c in cases if c not in cases[k::3]], "val": cases[k::3]} for k in range(3)]
    beside = tmp_path / "nnUNet_preprocessed" / root.name
    beside.mkdir(parents=True)
    (beside / "splits_final.json").write_text(json.dumps(folds))
    proposal = propose(root)
    description = read_all(proposal.text, proposal.name, root, tmp_path)
    assert description.layout == "nnunet"
    assert description.channels == ("T2", "ADC")
    assert description.split.kind == "kfold"
    assert description.split.folds == tuple(tuple(fold["val"]) for fold in folds)
    assert description.normalisations[0].mask == "nonzero"
    assert proposal.doubts == ()


def test_nnunet_folds_of_other_cases_are_not_used(tmp_path):
    root = nnunet(tmp_path / "Dataset005_Prostate", {"background": 0, "PZ": 1}, (1,))
    (root / "splits_final.json").write_text(json.dumps([{"train": ["a"], "val": ["b"]}] * 2))
    proposal = propose(root)
    assert any("does not test every case" in doubt for doubt in proposal.doubts)
    assert read_all(proposal.text, proposal.name, root, tmp_path).split.folds is None


def test_regions_of_nnunet_become_classes_and_are_told(tmp_path):
    labels = {"background": 0, "whole_tumor": [1, 2, 3], "tumor_core": [2, 3], "enhancing": 3, "ignore": 4}
    root = nnunet(tmp_path / "Dataset137_BraTS", labels, (1, 2, 3, 4))
    proposal = propose(root)
    description = read_all(proposal.text, proposal.name, root, tmp_path)
    assert description.labels == {0: 0, 1: 1, 2: 2, 3: 3, 4: "ignore"}
    assert len(description.classes) == 3
    assert any("overlapping regions (whole_tumor, tumor_core)" in doubt for doubt in proposal.doubts)
    assert "# CHECK: dataset.json trains overlapping regions" in proposal.text


def test_nnunet_files_that_are_not_read_are_refused_in_the_words_of_the_layout(tmp_path):
    root = nnunet(tmp_path / "Dataset001_X", {"background": 0, "a": 1}, (1,), ending=".mha")
    with pytest.raises(InputError, match=r"file_ending '\.mha', which is not read"):
        propose(root)


def test_a_code_that_dataset_json_does_not_list_is_told(tmp_path):
    root = nnunet(tmp_path / "Dataset005_Prostate", {"background": 0, "PZ": 1}, (1, 7))
    assert any("code 7, which dataset.json does not list" in doubt for doubt in propose(root).doubts)


def wmh2017(root: Path) -> Path:
    for site, case in (("Utrecht", 0), ("Singapore", 50), ("GE3T", 100), ("GE3T", 101)):
        folder = root / site / str(case)
        for image in ("FLAIR", "T1", "3DT1"):
            nifti(folder / "pre" / f"{image}.nii.gz", noise(SHAPE, zeros=0.3, seed=case))
        nifti(folder / "wmh.nii.gz", blob(SHAPE, (1, 2)).astype(np.float32))
    return root


def test_wmh_2017_is_the_catalogue_s_description(tmp_path):
    root = wmh2017(tmp_path / "wmh2017")
    proposal = propose(root)
    description = read_all(proposal.text, proposal.name, root, tmp_path)
    assert description == catalogue()["wmh2017"]
    assert proposal.catalogue == "wmh2017"
    assert proposal.opened == 0
    assert "# Other pathology." in proposal.text


def test_wmh_2017_in_a_folder_of_another_name(tmp_path):
    root = wmh2017(tmp_path / "my download")
    proposal = propose(root, "challenge")
    description = read_all(proposal.text, "challenge", root, tmp_path)
    assert description.layout == "wmh2017"
    assert description.folders == ("my download",)
    assert proposal.catalogue is None


def acdc(root: Path) -> Path:
    for patient in ("patient001", "patient002", "patient090"):
        folder = root / "database" / "training" / patient
        ed, es = (4, 11) if patient == "patient090" else (1, 12)
        for frame in (ed, es):
            nifti(folder / f"{patient}_frame{frame:02}.nii.gz", noise(SHAPE, seed=frame))
            nifti(folder / f"{patient}_frame{frame:02}_gt.nii.gz", blob(SHAPE, (1, 2, 3)))
        nifti(folder / f"{patient}_4d.nii.gz", noise((*SHAPE, 4)))
        (folder / "Info.cfg").write_text(
            f"ED: {ed}\nES: {es}\nGroup: DCM\nHeight: 184.0\nNbFrame: 30\nWeight: 95.0\n"
        )
    return root


def isles2018(root: Path) -> Path:
    number = 345561
    for case in (1, 2, 10):
        for kind in ("CT_4DPWI", "CT", "CT_CBF", "CT_CBV", "CT_MTT", "OT", "CT_Tmax"):
            stem = f"SMIR.Brain.XX.O.{kind}.{number}"
            array = blob(SHAPE) if kind == "OT" else noise(SHAPE, seed=case)
            nifti(root / "TRAINING" / f"case_{case}" / stem / f"{stem}.nii", array)
            number += 1
    return root


@pytest.mark.parametrize(
    ("name", "write", "cases", "patients"), [("acdc", acdc, 6, 3), ("isles2018", isles2018, 3, None)]
)
def test_archives_of_the_catalogue_are_recognised(tmp_path, name, write, cases, patients):
    if name not in catalogue():
        pytest.skip(f"the catalogue has no {name}")
    proposal = propose(write(tmp_path / name))
    assert proposal.layout == name
    assert proposal.catalogue == name
    assert len(proposal.cases) == cases
    assert patients is None or proposal.patients == patients
    read_all(proposal.text, name, tmp_path / name, tmp_path)
