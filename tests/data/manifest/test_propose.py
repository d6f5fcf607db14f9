"""Trees as they occur in the wild become the manifest that a person would write."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from harness.data.description import DatasetDescription, describe
from harness.data.layouts import find_cases
from harness.data.manifest import Proposal, dataset_name, propose
from harness.data.read import read_case
from harness.data.splits import KFoldSplit
from harness.errors import InputError
from tests.data.manifest.trees import blob, colours, disc, nifti, noise, picture

SHAPE = (20, 24, 3)


def round_trip(proposal: Proposal, folder: Path, out: Path) -> DatasetDescription:
    """Read the manifest as a user's study would, and find and read all its cases."""
    path = out / f"{proposal.name}.yaml"
    path.write_text(proposal.text, encoding="utf-8")
    description = describe(path.name, out)
    found = find_cases(description.folder_in(folder.parent), description)
    assert [case.case for case in found] == list(proposal.cases)
    assert len({case.patient for case in found}) == proposal.patients
    for case in found[:2]:
        read_case(case, description)
    return description


def proposed(folder: Path, tmp_path: Path) -> tuple[Proposal, DatasetDescription]:
    proposal = propose(folder)
    return proposal, round_trip(proposal, folder, tmp_path)


def folder_per_patient(root: Path, names: Sequence[str], images: Sequence[str], label: str) -> Path:
    for at, name in enumerate(names):
        for image in images:
            nifti(root / name / f"{image.format(name)}.nii.gz", noise(SHAPE, seed=at))
        nifti(root / name / f"{label.format(name)}.nii.gz", blob(SHAPE))
    return root


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


def test_labels_are_found_by_content_where_no_name_tells(tmp_path):
    root = folder_per_patient(tmp_path / "silent", ["anna", "bert", "carla", "dirk"], ["a"], "b")
    proposal, description = proposed(root, tmp_path)
    assert description.files.label == "{case}/b.nii.gz"
    assert description.files.channels == ("{case}/a.nii.gz",)
    assert any("by their content" in doubt for doubt in proposal.doubts)


def test_labels_are_found_by_content_beside_names_that_repeat_the_case(tmp_path):
    names = ["anna", "bert", "carla", "dirk"]
    root = folder_per_patient(tmp_path / "silent", names, ["{0}_t1", "anat/{0}-x"], "b")
    _, description = proposed(root, tmp_path)
    assert description.files.label == "{case}/b.nii.gz"
    assert description.files.channels == ("{case}/anat/{case}-x.nii.gz", "{case}/{case}_t1.nii.gz")


def test_a_channel_that_some_cases_lack_is_left_out_and_told(tmp_path):
    root = folder_per_patient(tmp_path / "some", [f"p{at}" for at in range(6)], ["flair"], "seg")
    for at in range(3):
        nifti(root / f"p{at}" / "t2.nii.gz", noise(SHAPE))
    proposal, description = proposed(root, tmp_path)
    assert description.channels == ("flair",)
    assert "{case}/t2.nii.gz is left out: only 3 of 6 cases have it" in proposal.doubts
    assert "# CHECK: {case}/t2.nii.gz is left out" in proposal.text


def test_one_missing_image_of_many_is_told_not_hidden(tmp_path):
    root = folder_per_patient(tmp_path / "gap", [f"p{at:02}" for at in range(12)], ["flair", "t1"], "seg")
    (root / "p07" / "t1.nii.gz").unlink()
    proposal = propose(root)
    assert proposal.patterns["channels"] == ("{case}/flair.nii.gz", "{case}/t1.nii.gz")
    assert any("'p07', have no {case}/t1.nii.gz" in doubt for doubt in proposal.doubts)


def test_images_without_a_label_are_counted(tmp_path):
    root = tmp_path / "task"
    for at in range(5):
        nifti(root / "imagesTr" / f"la_{at:03}.nii.gz", noise(SHAPE, seed=at))
        nifti(root / "labelsTr" / f"la_{at:03}.nii.gz", blob(SHAPE))
        nifti(root / "imagesTs" / f"la_{at + 50:03}.nii.gz", noise(SHAPE, seed=at))
        (root / "imagesTr" / f"._la_{at:03}.nii.gz").write_bytes(b"\0\5\26\7")
    proposal, description = proposed(root, tmp_path)
    assert description.files.channels == ("imagesTr/{case}.nii.gz",)
    assert any(doubt.startswith("5 files in imagesTs") for doubt in proposal.doubts)


def test_visits_of_a_patient_stay_together(tmp_path):
    root = tmp_path / "visits"
    for patient in (1, 2, 12):
        for visit in (1, 2):
            nifti(root / "img" / f"p{patient}_t{visit}.nii.gz", noise(SHAPE, seed=patient))
            nifti(root / "gt" / f"p{patient}_t{visit}.nii.gz", blob(SHAPE))
    proposal, _ = proposed(root, tmp_path)
    assert (len(proposal.cases), proposal.patients) == (6, 3)


def test_fractions_in_masks_are_told(tmp_path):
    root = tmp_path / "soft"
    for at in range(4):
        nifti(root / "image" / f"{at}.nii.gz", noise(SHAPE, seed=at))
        mask = blob(SHAPE).astype(np.float32)
        mask[5, 10] = 0.37
        nifti(root / "mask" / f"{at}.nii.gz", mask)
    proposal = propose(root)
    assert any("values between 0 and 1 (0.37)" in doubt for doubt in proposal.doubts)


def test_coronal_acquisitions_are_cut_coronally(tmp_path):
    root = tmp_path / "coronal"
    for at in range(4):
        nifti(root / "image" / f"{at}.nii.gz", noise((30, 4, 20), seed=at), (1, 5, 1))
        label = np.zeros((30, 4, 20), np.uint8)
        label[5:9, :, 4:8] = 1
        nifti(root / "label" / f"{at}.nii.gz", label, (1, 5, 1))
    _, description = proposed(root, tmp_path)
    assert description.slices == "coronal"
    assert description.size == (32, 32)


def test_slices_of_different_sizes_fit_into_one_size(tmp_path):
    root = tmp_path / "sizes"
    for at, shape in enumerate([(31, 40, 4), (43, 59, 4), (35, 50, 4), (33, 52, 4)]):
        nifti(root / "image" / f"{at}.nii.gz", noise(shape, seed=at))
        nifti(root / "label" / f"{at}.nii.gz", blob(shape))
    proposal, description = proposed(root, tmp_path)
    assert description.size == (64, 48)
    assert "seen: 40-59 rows, 31-43 columns" in proposal.text


def test_4d_files_hold_one_channel_per_volume(tmp_path):
    root = tmp_path / "perfusion"
    for at in range(4):
        nifti(root / "scans" / f"{at}.nii.gz", noise((*SHAPE, 2), seed=at), (1, 1, 3, 1)[:3])
        nifti(root / "labels" / f"{at}.nii.gz", blob(SHAPE))
    _, description = proposed(root, tmp_path)
    assert description.channels == ("image_1", "image_2")


def test_sites_that_number_alike_are_told_apart_from_channels(tmp_path):
    root = tmp_path / "sites"
    for site in ("Basel", "Bern"):
        folder_per_patient(root / site, ["001", "002", "003"], ["flair"], "label")
    proposal, description = proposed(root, tmp_path)
    assert description.files.channels == ("Basel/{case}/flair.nii.gz",)
    assert any("6 files in Bern/001" in doubt and "repeat the case" in doubt for doubt in proposal.doubts)


def test_compressed_and_plain_files_may_be_mixed(tmp_path):
    root = folder_per_patient(tmp_path / "mixed", ["a1", "a2", "a3"], ["t1"], "seg")
    nifti(root / "a4" / "t1.nii", noise(SHAPE))
    nifti(root / "a4" / "seg.nii", blob(SHAPE))
    proposal, description = proposed(root, tmp_path)
    assert description.files.channels == ("{case}/t1.nii*",)
    assert len(proposal.cases) == 4


def test_jpeg_masks_are_255_with_noise_and_told(tmp_path):
    root = tmp_path / "jpeg"
    for at in range(4):
        picture(root / "images" / f"{at}.jpg", colours(64, 80, seed=at))
        picture(root / "masks" / f"{at}.jpg", disc(64, 80))
    proposal = propose(root)
    assert "  255: 1" in proposal.text
    assert any("between 0 and 255" in doubt and "threshold" in doubt for doubt in proposal.doubts)


def test_255_beside_other_codes_is_unlabelled(tmp_path):
    root = tmp_path / "voc"
    for at in range(4):
        picture(root / "images" / f"{at}.png", colours(seed=at))
        mask = disc(code=1)
        mask[14:18] = 2
        mask[4] = 255
        picture(root / "masks" / f"{at}.png", mask)
    _, description = proposed(root, tmp_path)
    assert description.labels == {0: 0, 1: 1, 2: 2, 255: "ignore"}


def test_the_word_for_a_single_class_is_read_from_the_label(tmp_path):
    names = [f"s{at}" for at in range(4)]
    root = folder_per_patient(tmp_path / "ms", names, ["{0}_FLAIR", "{0}_T1"], "{0}_FLAIR_lesion_mask")
    _, description = proposed(root, tmp_path)
    assert description.classes == {1: "lesion"}
    assert description.channels == ("FLAIR", "T1")


def test_a_mask_for_normalisation_that_the_label_pattern_would_find_is_refused(tmp_path):
    root = tmp_path / "flat"
    for name in ("x1", "x2", "y7"):
        nifti(root / f"{name}.nii.gz", noise(SHAPE))
        nifti(root / f"{name}_mask.nii.gz", blob(SHAPE))
        nifti(root / f"{name}_brain_mask.nii.gz", blob(SHAPE, radius=8))
    with pytest.raises(InputError, match=r"also finds 3 files .* move them to a folder of their own"):
        propose(root)


def write_nothing(root: Path) -> None:
    root.mkdir()


def write_images_only(root: Path) -> None:
    for at in range(3):
        nifti(root / f"{at}.nii.gz", noise(SHAPE, seed=at))


def write_broken_label(root: Path) -> None:
    folder_per_patient(root, ["a", "b", "c"], ["flair"], "label")
    (root / "a" / "label.nii.gz").write_bytes(b"\x1f\x8b garbage")


def write_colour_masks(root: Path) -> None:
    for at in range(3):
        picture(root / "images" / f"{at}.png", colours(seed=at))
        mask = np.zeros((20, 30, 3), np.uint8)
        mask[5:9, :, 0] = 128
        picture(root / "masks" / f"{at}.png", mask)


def write_unrelated_names(root: Path) -> None:
    picture(root / "images" / "scan.png", colours())
    picture(root / "masks" / "truth.png", disc())


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (write_nothing, "no image in .*give a folder with NIfTI"),
        (write_images_only, "looks like a label map.*name the label files"),
        (write_broken_label, "cannot read image .*replace or remove the file"),
        (write_colour_masks, "colour picture with 3 values per pixel; store one class index"),
        (write_unrelated_names, "name image and label of a case alike"),
        (lambda root: root.write_text("x"), "is a file; give the folder"),
        (lambda root: None, "does not exist; give the folder"),
    ],
)
def test_what_cannot_become_a_manifest_is_refused_in_one_sentence(tmp_path, write, sentence):
    write(tmp_path / "folder")
    with pytest.raises(InputError, match=sentence) as caught:
        propose(tmp_path / "folder")
    assert "\n" not in str(caught.value)
