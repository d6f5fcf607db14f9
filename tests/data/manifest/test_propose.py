"""Trees as they occur in the wild become the manifest that a person would write."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.data.manifest import dataset_name
from harness.data.splits import KFoldSplit
from tests.data.manifest.proposals import SHAPE, folder_per_patient, proposed
from tests.data.manifest.trees import blob, colours, disc, nifti, noise, picture


def test_one_folder_per_patient(tmp_path):
    root = folder_per_patient(tmp_path / "mine", [f"p{at:02}" for at in range(6)], ["flair", "t1"], "label")
    proposal, description = proposed(root, tmp_path)
    assert description.files is not None
    assert description.files.channels == ("{case}/flair.nii.gz", "{case}/t1.nii.gz")
    assert description.files.label == "{case}/label.nii.gz"
    assert description.files.patient is None
    assert description.channels == ("flair", "t1")
    assert description.labels == {0: 0, 1: 1}
    assert description.size == (32, 32)
    assert description.split == KFoldSplit(k=5)
    assert proposal.doubts == ()


def test_brats_2021_repeats_the_case_in_folder_and_file(tmp_path):
    root = tmp_path / "RSNA_ASNR_MICCAI_BraTS2021_TrainingData"
    for at in (0, 2, 3, 5, 11):
        name = f"BraTS2021_{at:05}"
        for image in ("flair", "t1", "t1ce", "t2"):
            nifti(root / name / f"{name}_{image}.nii.gz", noise(SHAPE, zeros=0.5, seed=at), (1, 1, 1))
        nifti(root / name / f"{name}_seg.nii.gz", blob(SHAPE, (1, 2, 4)), (1, 1, 1))
    _, description = proposed(root, tmp_path)
    assert description.files.channels == tuple(
        f"{{case}}/{{case}}_{image}.nii.gz" for image in ("flair", "t1", "t1ce", "t2")
    )
    assert description.files.label == "{case}/{case}_seg.nii.gz"
    assert description.channels == ("flair", "t1", "t1ce", "t2")
    assert description.labels == {0: 0, 1: 1, 2: 2, 4: 3}
    assert list(description.classes) == [1, 2, 3]
    assert description.normalisations[0].mask == "nonzero"
    assert description.files.patient is None


def test_brats_2018_grades_become_a_wildcard(tmp_path):
    root = tmp_path / "brats2018"
    for at, grade in enumerate(["HGG"] * 4 + ["LGG"] * 3):
        name = f"Brats18_CBICA_A{chr(65 + at)}B_1"
        for image in ("t1", "t1ce", "t2", "flair"):
            nifti(root / grade / name / f"{name}_{image}.nii.gz", noise(SHAPE, seed=at))
        nifti(root / grade / name / f"{name}_seg.nii.gz", blob(SHAPE, (1, 2, 4)))
    _, description = proposed(root, tmp_path)
    assert description.files.label == "*/{case}/{case}_seg.nii.gz"
    assert len(description.channels) == 4


def test_brats_2023_time_points_are_of_one_patient(tmp_path):
    root = tmp_path / "gli"
    for patient, time in ((0, 0), (0, 1), (2, 0), (3, 0)):
        name = f"BraTS-GLI-{patient:05}-{time:03}"
        for image in ("t1n", "t2f"):
            nifti(root / name / f"{name}-{image}.nii.gz", noise(SHAPE, seed=patient))
        nifti(root / name / f"{name}-seg.nii.gz", blob(SHAPE, (1, 2, 3)))
    proposal, description = proposed(root, tmp_path)
    assert description.files.channels == ("{case}/{case}-t1n.nii.gz", "{case}/{case}-t2f.nii.gz")
    assert proposal.patients == 3
    assert "4 cases of 3 patients" in proposal.text


def isles_2022(root: Path, sessions: Sequence[int] = (1,), flair: bool = True) -> Path:
    for at in range(1, 5):
        for session in sessions:
            where = Path(f"sub-strokecase{at:04}") / f"ses-{session:04}"
            stem = f"sub-strokecase{at:04}_ses-{session:04}"
            for image in ("dwi", "adc"):
                nifti(root / where / "dwi" / f"{stem}_{image}.nii.gz", noise(SHAPE, seed=at), (2, 2, 2))
                (root / where / "dwi" / f"{stem}_{image}.json").write_text("{}")
            if flair:
                nifti(root / where / "anat" / f"{stem}_FLAIR.nii.gz", noise((40, 44, 8), seed=at), (1, 1, 1))
            nifti(root / "derivatives" / where / f"{stem}_msk.nii.gz", blob(SHAPE), (2, 2, 2))
    return root


def test_isles_2022_masks_lie_under_derivatives_and_flair_on_its_own_grid(tmp_path):
    proposal, description = proposed(isles_2022(tmp_path / "ISLES-2022"), tmp_path)
    assert description.files.label == "derivatives/{case}/ses-0001/{case}_ses-0001_msk.nii.gz"
    assert set(description.files.channels) == {
        "{case}/ses-0001/anat/{case}_ses-0001_FLAIR.nii.gz",
        "{case}/ses-0001/dwi/{case}_ses-0001_adc.nii.gz",
        "{case}/ses-0001/dwi/{case}_ses-0001_dwi.nii.gz",
    }
    assert description.channels == ("FLAIR", "adc", "dwi")
    assert description.own_grids == "resample"
    assert "not on the label's grid: FLAIR" in proposal.text
    assert proposal.cases[0] == "sub-strokecase0001"


def test_bids_sessions_of_a_subject_stay_together(tmp_path):
    proposal, description = proposed(isles_2022(tmp_path / "bids", sessions=(1, 2), flair=False), tmp_path)
    assert description.files.label == "derivatives/sub-*/ses-*/{case}_msk.nii.gz"
    assert len(proposal.cases) == 8
    assert proposal.patients == 4
    assert description.files.patient == "(sub-[^_]+)"
    assert description.own_grids == "refuse"


def test_kits_is_one_channel_named_imaging(tmp_path):
    root = folder_per_patient(
        tmp_path / "kits", [f"case_{at:05}" for at in (0, 1, 5, 209)], ["imaging"], "segmentation"
    )
    _, description = proposed(root, tmp_path)
    assert description.files.channels == ("{case}/imaging.nii.gz",)
    assert description.files.label == "{case}/segmentation.nii.gz"
    assert description.channels == ("image",)


def test_lits_volume_and_segmentation_share_only_a_number(tmp_path):
    root = tmp_path / "LITS17"
    for at in (0, 1, 2, 10, 27):
        nifti(root / f"Training Batch {1 + at // 10}" / f"volume-{at}.nii", noise(SHAPE, seed=at))
        nifti(root / f"Training Batch {1 + at // 10}" / f"segmentation-{at}.nii", blob(SHAPE, (1, 2)))
    _, description = proposed(root, tmp_path)
    assert description.files.channels == ("Training Batch */volume-{case}.nii",)
    assert description.files.label == "Training Batch */segmentation-{case}.nii"


def test_numbers_stand_beside_letters(tmp_path):
    root = folder_per_patient(tmp_path / "numbers", ["001", "002", "010"], ["img{0}"], "seg{0}")
    _, description = proposed(root, tmp_path)
    assert description.files.channels == ("{case}/img{case}.nii.gz",)
    assert description.files.label == "{case}/seg{case}.nii.gz"


def test_pictures_with_255_masks(tmp_path):
    root = tmp_path / "polyps"
    for at in range(60):
        picture(root / "images" / f"{at}.png", colours(seed=at))
        picture(root / "masks" / f"{at}.png", disc())
    proposal, description = proposed(root, tmp_path)
    assert description.files.channels == ("images/{case}.png",)
    assert description.files.label == "masks/{case}.png"
    assert description.channels == ("red", "green", "blue")
    assert description.labels == {0: 0, 255: 1}
    assert description.size == (32, 32)
    assert description.split.kind == "holdout"
    assert "255: 1  # 1,120 voxels in 20 files" in proposal.text


def test_train_and_test_folders_become_a_wildcard(tmp_path):
    root = tmp_path / "set"
    for at in range(6):
        part = "train" if at < 4 else "test"
        picture(root / part / "images" / f"img{at:03}.jpg", colours(seed=at))
        picture(root / part / "labels" / f"img{at:03}.png", disc())
    _, description = proposed(root, tmp_path)
    assert description.files.channels == ("*/images/{case}.jpg",)
    assert description.files.label == "*/labels/{case}.png"


def test_spaces_and_accents_in_names(tmp_path):
    names = ["Ana María", "Müller, Jörg", "Łukasz (2)", "O'Neil", "李 雷"]
    root = folder_per_patient(tmp_path / "Meine Daten – größer", names, ["T2 flair"], "lesion mask")
    proposal, description = proposed(root, tmp_path)
    assert description.name == "Meine_Daten_groer" == dataset_name(root)
    assert description.folders == ("Meine Daten – größer",)
    assert description.files.channels == ("{case}/T2 flair.nii.gz",)
    assert set(proposal.cases) == set(names)


def test_a_region_mask_is_told_from_the_label_by_content(tmp_path):
    root = tmp_path / "drive"
    for at in range(21, 27):
        picture(root / "training" / "images" / f"{at}_training.tif", colours(seed=at))
        picture(root / "training" / "1st_manual" / f"{at}_manual1.png", disc(code=255))
        region = np.full((20, 30), 255, np.uint8)
        region[:2] = 0
        picture(root / "training" / "mask" / f"{at}_training_mask.png", region)
    _, description = proposed(root, tmp_path)
    assert description.files.label == "training/1st_manual/{case}_manual1.png"
    assert description.files.mask == "training/mask/{case}_training_mask.png"
    assert description.normalisations[0].mask == "file"


def test_one_mask_per_class_becomes_a_mapping_with_the_smallest_last(tmp_path):
    root = tmp_path / "organs"
    for at in range(5):
        nifti(root / f"p{at}" / "ct.nii.gz", noise(SHAPE, seed=at))
        liver = blob(SHAPE, radius=8)
        nifti(root / f"p{at}" / "masks" / "liver.nii.gz", liver)
        nifti(root / f"p{at}" / "masks" / "tumour.nii.gz", blob(SHAPE, radius=2, shift=2))
    _, description = proposed(root, tmp_path)
    assert description.files.label == {1: "{case}/masks/liver.nii.gz", 2: "{case}/masks/tumour.nii.gz"}
    assert description.classes == {1: "liver", 2: "tumour"}


def test_a_second_observer_is_left_out_and_told(tmp_path):
    root = tmp_path / "eyes"
    for at in range(1, 5):
        for side in "LR":
            picture(root / f"Image_{at:02}{side}.jpg", colours(seed=at))
            picture(root / f"Image_{at:02}{side}_1stHO.png", disc(code=1))
            second = disc(code=1)
            second[5] = 0
            picture(root / f"Image_{at:02}{side}_2ndHO.png", second)
    proposal, description = proposed(root, tmp_path)
    assert description.files.channels == ("Image_{case}.jpg",)
    assert description.files.label == "Image_{case}_1stHO.png"
    assert description.files.patient == r"(\d+)[LR]"
    assert "8 cases of 4 patients" in proposal.text
    assert any("Image_{case}_2ndHO.png not used" in doubt for doubt in proposal.doubts)
