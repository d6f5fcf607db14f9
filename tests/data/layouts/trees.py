"""Miniature trees that hold what the archives hold, oddities included; each is written in no time."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np

APPLE_DOUBLE = b"\x00\x05\x16\x07"
LPS = np.diag([-1.0, -1.0, 3.0, 1.0])


def values(shape: tuple[int, ...], codes: int = 0) -> np.ndarray:
    """Return a ramp from 1 up, different for every voxel; or the label codes 0 to ``codes``, then 0."""
    if not codes:
        return np.arange(1, np.prod(shape) + 1, dtype=float).reshape(shape)
    array = np.zeros(shape)
    array.ravel()[: codes + 1] = range(codes + 1)
    return array


def write_nifti(path: Path, array: np.ndarray, dtype: type, affine: np.ndarray = LPS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.Nifti1Image(array.astype(dtype), affine).to_filename(path)


def touch(root: Path, *names: str, content: bytes = b"") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


# --- WMH 2017 ---------------------------------------------------------------------------------------


def write_wmh_case(folder: Path, shape: tuple[int, int, int] = (6, 8, 4), defaced: bool = False) -> None:
    """Write one case: LPS, headers that differ by 2e-5, a 3DT1 (PIR) on its own grid."""
    tilted = LPS.copy()
    tilted[0, 1] = 2e-5
    pir = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    write_nifti(folder / "pre" / "FLAIR.nii.gz", values(shape), np.float32)
    write_nifti(folder / "pre" / "T1.nii.gz", values(shape) + 1000, np.uint16, tilted)
    write_nifti(folder / "pre" / "3DT1.nii.gz", values((9, 9, 9)), np.float32, pir)
    write_nifti(folder / "orig" / "FLAIR.nii.gz", values(shape), np.uint16)
    write_nifti(folder / "orig" / "T1.nii.gz", values(shape), np.uint16)
    write_nifti(folder / "orig" / "3DT1.nii.gz", values((9, 9, 9)), np.uint16, pir)
    write_nifti(folder / "orig" / "3DT1_mask.nii.gz", np.ones((9, 9, 9)), np.uint8, pir)
    touch(folder, "orig/reg_3DT1_to_FLAIR.txt")
    if defaced:
        write_nifti(folder / "orig" / "FLAIR_mask.nii.gz", np.full(shape, 0.5), np.float32)
        write_nifti(folder / "orig" / "T1_mask.nii.gz", np.full(shape, 0.5), np.float32)
    write_nifti(folder / "wmh.nii.gz", values(shape, codes=2), np.float32)


def write_wmh_2017(root: Path) -> None:
    """Write the archives of 2017 side by side."""
    write_wmh_case(root / "Utrecht" / "0")
    write_wmh_case(root / "Singapore" / "50", (8, 6, 4))  # the sizes swapped, as in the archive
    write_wmh_case(root / "GE3T" / "100", (3, 8, 5))


def write_wmh_2022(root: Path) -> None:
    """Write the release of 2022 as the web download unpacks."""
    release = root / "dataverse_files"
    write_wmh_case(release / "training" / "Utrecht" / "0")
    write_wmh_case(release / "training" / "Singapore" / "50", (8, 6, 4))
    write_wmh_case(release / "training" / "Amsterdam" / "GE3T" / "100", (3, 8, 5), defaced=True)
    write_wmh_case(release / "test" / "Amsterdam" / "Philips_VU .PETMR_01." / "160", defaced=True)
    observer = release / "additional_annotations" / "observer_o3" / "training" / "Utrecht" / "0"
    write_nifti(observer / "result.nii.gz", values((6, 8, 4), codes=1), np.float32)
    write_nifti(observer / "wmh.nii.gz", values((6, 8, 4), codes=1), np.float32)
    touch(release, "readme.pdf", "MANIFEST.TXT")
    touch(release, "__MACOSX/training/Utrecht/0/wmh.nii.gz", content=APPLE_DOUBLE)


# --- ISLES 2018 -------------------------------------------------------------------------------------

ISLES_CASES = (1, 2, 10, 64, 65)
"""64 and 65 are slabs of one patient; 2 has the names of the earlier export."""

_ISLES_TYPES = {
    "CT": np.int32,
    "CT_CBF": np.uint16,
    "CT_CBV": np.uint16,
    "CT_MTT": np.float64,
    "OT": np.uint8,
    "CT_Tmax": np.float64,
}


def write_isles_case(folder: Path, first_id: int, *, old_names: bool = False, masked: bool = True) -> None:
    """Write one case: two slices of 12 mm, every file in a folder of its own stem."""
    affine = np.diag([-0.82, -0.82, 12.0, 1.0])
    kinds = ["CT_4DPWI", *(kind for kind in _ISLES_TYPES if masked or kind != "OT")]
    for number, kind in enumerate(kinds, first_id):
        stem = f"SMIR.Brain.XX.O.{kind.replace('CT_', 'MR_') if old_names else kind}.{number}"
        path = folder / stem / f"{stem}.nii"
        if kind == "CT_4DPWI":
            write_nifti(path, values((8, 8, 2, 5)), np.int16, affine)
        elif kind == "OT":
            write_nifti(path, values((8, 8, 2), codes=1), np.uint8, affine)
        else:  # every channel has its own hundreds
            write_nifti(path, values((8, 8, 2)) + 1000 * number, _ISLES_TYPES[kind], affine)


def write_isles_2018(root: Path) -> None:
    """Write both archives of the challenge, unpacked into one folder."""
    for number in ISLES_CASES:
        old = number == 2
        write_isles_case(root / "TRAINING" / f"case_{number}", 10 * number, old_names=old)
    write_isles_case(root / "TESTING" / "case_1", 900, masked=False)
    junk = "case_1/SMIR.Brain.XX.O.CT.11/._SMIR.Brain.XX.O.CT.11.nii"
    touch(root, f"TRAINING/{junk}", f"__MACOSX/TRAINING/{junk}", "__MACOSX/._x.nii", content=APPLE_DOUBLE)
    touch(root / "TRAINING" / "case_1", "._SMIR.Brain.XX.O.CT_CBF.12", content=APPLE_DOUBLE)


# --- ACDC -------------------------------------------------------------------------------------------

_INFO = "ED: {}\nES: {}\nGroup: DCM\nHeight: 184.0\nNbFrame: 30\nWeight: 95.0\n"


def _write_unit_sform(path: Path, array: np.ndarray, dtype: type) -> None:
    """Write a file whose sform has unit scale while qform and pixdim carry the true spacing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unit, true = np.diag([-1.0, -1.0, 1.0, 1.0]), np.diag([-1.316, -1.316, 10.0, 1.0])
    image = nib.Nifti1Image(array.astype(dtype), unit)
    image.set_sform(unit, code=1)
    image.set_qform(true, code=1)
    image.to_filename(path)


def write_acdc_patient(folder: Path, frames: tuple[int, int], dtype: type) -> None:
    """Write one patient: four slices, of which only the first holds RV, myocardium and LV."""
    shape = (7, 5, 4)
    label = np.zeros(shape)
    label[1:4, 2, 0] = (1, 2, 3)
    label[2:4, 2, 1] = (2, 3)  # no right ventricle
    for frame in frames:
        stem = folder / f"{folder.name}_frame{frame:02d}"
        _write_unit_sform(stem.with_name(f"{stem.name}.nii.gz"), values(shape), dtype)
        _write_unit_sform(stem.with_name(f"{stem.name}_gt.nii.gz"), label, np.uint8)
    _write_unit_sform(folder / f"{folder.name}_4d.nii.gz", values((*shape, 3)), np.int16)
    (folder / "Info.cfg").write_text(_INFO.format(*frames))
    touch(folder, "MANDATORY_CITATION.md")


def write_acdc(root: Path) -> None:
    """Write the current download."""
    write_acdc_patient(root / "database/training/patient001", (1, 12), np.uint8)
    write_acdc_patient(root / "database/training/patient090", (4, 11), np.int16)
    write_acdc_patient(root / "database/testing/patient101", (1, 14), np.float32)
    touch(root, "database/MANDATORY_CITATION.md", "database/training/._patient001")


# --- Medical Segmentation Decathlon -----------------------------------------------------------------


def write_spleen(root: Path) -> None:
    """Write a 3D task without its listing: unpadded names, gaps, AppleDouble files, ``imagesTs``."""
    for name in ("spleen_10", "spleen_2", "spleen_3"):
        write_nifti(root / "imagesTr" / f"{name}.nii.gz", values((4, 4, 2)), np.float32)
        write_nifti(root / "labelsTr" / f"{name}.nii.gz", values((4, 4, 2), codes=1), np.uint8)
    write_nifti(root / "imagesTs" / "spleen_1.nii.gz", values((4, 4, 2)), np.float32)
    junk = ("._dataset.json", "imagesTr/._spleen_2.nii.gz", "labelsTr/._spleen_2.nii.gz")
    touch(root, *junk, content=APPLE_DOUBLE)


def write_spleen_listing(root: Path, names: list[str], **changes: object) -> None:
    """Write ``dataset.json`` with the archive's own keys, misspelling included."""
    _write_listing(root, names, {"0": "CT"}, {"0": "background", "1": "spleen"}, "3D", changes)


def write_prostate(root: Path, **changes: object) -> None:
    """Write a 4D task; ``prostate_32`` lacks the peripheral zone."""
    for name, code in (("prostate_16", 1), ("prostate_00", 1), ("prostate_32", 2)):
        image = np.stack([values((6, 5, 3)), values((6, 5, 3)) + 500], axis=-1)
        label = np.zeros((6, 5, 3))
        label[1, 1, 1], label[2, 1, 1] = code, 2
        write_nifti(root / "imagesTr" / f"{name}.nii.gz", image, np.float32)
        write_nifti(root / "labelsTr" / f"{name}.nii.gz", label, np.float32)
    names = ["prostate_16", "prostate_00", "prostate_32"]
    labels = {"0": "background", "1": "PZ", "2": "TZ"}
    _write_listing(root, names, {"0": "T2", "1": "ADC"}, labels, "4D", changes)


def _write_listing(
    root: Path,
    names: list[str],
    modality: dict[str, str],
    labels: dict[str, str],
    size: str,
    changes: dict[str, object],
) -> None:
    training = [
        {"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"} for name in names
    ]
    document = {
        "name": "TASK",
        "licence": "CC-BY-SA 4.0",
        "relase": "1.0 04/05/2018",
        "tensorImageSize": size,
        "modality": modality,
        "labels": labels,
        "numTraining": len(names),
        "numTest": 1,
        "training": training,
        "test": ["./imagesTs/case_1.nii.gz"],
    }
    (root / "dataset.json").write_text(json.dumps(document | changes))


# --- nnU-Net v2 raw ---------------------------------------------------------------------------------


def write_nnunet_plain(raw: Path, **changes: object) -> Path:
    """Write ``Dataset027_Heart`` whose case names end in digits, and folds outside ``nnUNet_raw``."""
    root = raw / "nnUNet_raw" / "Dataset027_Heart"
    cases = ["patient001_frame01", "patient001_frame12", "patient002_0001"]
    for case in cases:
        for channel in range(2):
            array = values((6, 5, 3)) + 500 * channel
            write_nifti(root / "imagesTr" / f"{case}_{channel:04d}.nii.gz", array, np.float32)
        write_nifti(root / "labelsTr" / f"{case}.nii.gz", values((6, 5, 3), codes=2), np.uint8)
    write_nifti(root / "imagesTs" / "patient101_frame01_0000.nii.gz", values((6, 5, 3)), np.float32)
    touch(root, "imagesTr/._patient001_frame01_0000.nii.gz", content=APPLE_DOUBLE)
    document = {
        "channel_names": {"0": "T2", "1": "ADC"},
        "labels": {"background": 0, "PZ": 1, "TZ": 2},
        "numTraining": len(cases),
        "file_ending": ".nii.gz",
        "name": "Heart",
    }
    (root / "dataset.json").write_text(json.dumps(document | changes))
    preprocessed = raw / "nnUNet_preprocessed" / "Dataset027_Heart"
    preprocessed.mkdir(parents=True)
    folds = [{"train": cases[1:], "val": cases[:1]}, {"train": cases[:1], "val": cases[1:]}]
    (preprocessed / "splits_final.json").write_text(json.dumps(folds))
    return root


def write_nnunet_regions(raw: Path, **changes: object) -> Path:
    """Write ``Dataset226_Glioma``: overlapping regions and an ignore label, one channel."""
    root = raw / "nnUNet_raw" / "Dataset226_Glioma"
    for case in ("BraTS-GLI-00000-000", "BraTS-GLI-00002-000"):
        write_nifti(root / "imagesTr" / f"{case}_0000.nii.gz", values((6, 5, 3)), np.float32)
        write_nifti(root / "labelsTr" / f"{case}.nii.gz", values((6, 5, 3), codes=4), np.uint8)
    document = {
        "channel_names": {"0": "T1"},
        "labels": {
            "background": 0,
            "whole tumor": [1, 2, 3],
            "tumor core": [2, 3],
            "enhancing tumor": [3],
            "ignore": 4,
        },
        "regions_class_order": [1, 2, 3],
        "numTraining": 2,
        "file_ending": ".nii.gz",
    }
    (root / "dataset.json").write_text(json.dumps(document | changes))
    return root
