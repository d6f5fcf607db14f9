"""What files hold decides where names tell too little; what is left out or refused is told."""

from pathlib import Path

import numpy as np
import pytest

from harness.data.manifest import propose
from harness.errors import InputError
from tests.data.manifest.proposals import SHAPE, folder_per_patient, proposed
from tests.data.manifest.trees import blob, colours, disc, nifti, noise, picture


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
