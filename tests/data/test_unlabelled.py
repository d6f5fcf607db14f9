"""Images without labels: which files make a case, and what is refused before a voxel is read."""

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from harness.data.description import DatasetDescription
from harness.data.unlabelled import ImageFolder, check_images, find_images, read_images
from harness.errors import InputError


def description(*channels: str, **changes: object) -> DatasetDescription:
    fields = {
        "name": "set",
        "title": "Set",
        "layout": "decathlon",
        "channels": channels,
        "classes": {1: "lesion"},
        "labels": {0: 0, 1: 1},
        "size": (16, 16),
    }
    return DatasetDescription.model_validate(fields | changes)


ONE, TWO = description("t1"), description("flair", "t1")


def files_layout(**patterns: object) -> dict[str, object]:
    return {"layout": "files", "files": {"label": "labels/{case}.nii.gz", **patterns}}


def write(folder: Path, *names: str, shape: tuple[int, ...] = (4, 5, 3), value: float = 1.0) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        array = np.full(shape, value, np.float32)
        array.flat[0] = 2
        nib.save(nib.Nifti1Image(array, np.diag([1.0, 2, 3, 1])), folder / name)


def found(folder: Path, dataset: DatasetDescription, *patterns: str, mask: str | None = None):
    cases = find_images(ImageFolder(folder, patterns, mask), dataset)
    return {
        files.case: tuple(path.relative_to(folder).as_posix() for _, path in files.by_kind) for files in cases
    }


def refusal(folder: Path, dataset: DatasetDescription, *patterns: str, mask: str | None = None) -> str:
    with pytest.raises(InputError) as raised:
        check_images(find_images(ImageFolder(folder, patterns, mask), dataset), dataset)
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_numbered_names_are_channels_in_their_order(tmp_path):
    write(tmp_path, *(f"c{case}_{channel:04d}.nii.gz" for case in (10, 2) for channel in (1, 0)))
    assert found(tmp_path, TWO) == {
        "c2": ("c2_0000.nii.gz", "c2_0001.nii.gz"),
        "c10": ("c10_0000.nii.gz", "c10_0001.nii.gz"),
    }
    assert list(found(tmp_path, TWO)) == ["c2", "c10"]


def test_one_channel_needs_no_number(tmp_path):
    write(tmp_path, "a.nii.gz", "b.nii", "._a.nii.gz")
    (tmp_path / "notes.txt").write_text("not an image")
    assert found(tmp_path, ONE) == {"a": ("a.nii.gz",), "b": ("b.nii",)}


def test_one_channel_may_be_numbered(tmp_path):
    write(tmp_path, "a_0000.nii.gz", "b_0000.nii.gz")
    assert found(tmp_path, ONE) == {"a": ("a_0000.nii.gz",), "b": ("b_0000.nii.gz",)}
    write(tmp_path, "b_0001.nii.gz")  # then the numbers are those of patients
    assert list(found(tmp_path, ONE)) == ["a_0000", "b_0000", "b_0001"]


def test_the_patterns_of_the_training_data_count(tmp_path):
    write(tmp_path, "images/x_fl.nii.gz", "images/x_t1.nii.gz")
    patterns = files_layout(channels=("images/{case}_fl.nii.gz", "images/{case}_t1.nii.gz"))
    assert found(tmp_path, description("flair", "t1", **patterns)) == {
        "x": ("images/x_fl.nii.gz", "images/x_t1.nii.gz")
    }


def test_given_patterns_come_first(tmp_path):
    write(tmp_path, "p1/flair.nii.gz", "p1/t1.nii.gz", "p2/flair.nii.gz", "p2/t1.nii.gz", "z_0000.nii.gz")
    assert found(tmp_path, TWO, "{case}/t1.nii.gz", "{case}/flair.nii.gz") == {
        "p1": ("p1/t1.nii.gz", "p1/flair.nii.gz"),
        "p2": ("p2/t1.nii.gz", "p2/flair.nii.gz"),
    }


def test_a_4d_file_may_hold_all_channels(tmp_path):
    write(tmp_path, "a.nii.gz", shape=(4, 5, 3, 2))
    check_images(find_images(ImageFolder(tmp_path), TWO), TWO)
    assert read_images(find_images(ImageFolder(tmp_path), TWO)[0], TWO).image.shape == (2, 3, 5, 4)


def test_a_missing_channel_is_named_whichever_it_is(tmp_path):
    write(tmp_path, "a_0000.nii.gz", "a_0001.nii.gz", "b_0001.nii.gz")
    assert "case 'b' has no channel flair ('b_0000.nii.gz'); add the file" in refusal(tmp_path, TWO)
    message = refusal(tmp_path, TWO, "{case}_0000.nii.gz", "{case}_0001.nii.gz")
    assert "case 'b' has no image" in message
    assert "b_0000.nii.gz" in message
    (tmp_path / "b_0001.nii.gz").rename(tmp_path / "b_0000.nii.gz")
    assert "case 'b' has no channel t1" in refusal(tmp_path, TWO)


def test_a_channel_too_many_is_refused(tmp_path):
    write(tmp_path, *(f"a_{channel:04d}.nii.gz" for channel in range(3)))
    message = refusal(tmp_path, TWO)
    assert "case 'a' has 3 channels, but the network takes 2: flair, t1; take 'a_0002.nii.gz' away" in message


def test_names_that_tell_no_channels_are_refused(tmp_path):
    write(tmp_path, "a_fl.nii.gz", "a_t1.nii.gz")
    message = refusal(tmp_path, TWO)
    assert "'a_fl.nii.gz' is one volume, but the network takes 2 channels" in message
    assert "for flair, t1, or give --channel once for each" in message


@pytest.mark.parametrize("dataset", [ONE, TWO])
def test_a_4d_file_with_another_number_of_volumes_is_refused(dataset, tmp_path):
    write(tmp_path, "a.nii.gz", shape=(4, 5, 3, 7))
    message = refusal(tmp_path, dataset)
    assert "case 'a'" in message
    assert "7" in message


def test_channels_on_different_grids_are_refused(tmp_path):
    write(tmp_path, "a_0000.nii.gz", "b_0000.nii.gz", "b_0001.nii.gz")
    write(tmp_path, "a_0001.nii.gz", shape=(4, 5, 2))
    message = refusal(tmp_path, TWO)
    assert "case 'a': a_0001.nii.gz has shape (2, 5, 4), but a_0000.nii.gz has (3, 5, 4)" in message
    nib.save(nib.Nifti1Image(np.ones((4, 5, 3)), np.diag([1.0, 2, 3.1, 1])), tmp_path / "a_0001.nii.gz")
    message = refusal(tmp_path, TWO)
    assert "case 'a': the affines of a_0000.nii.gz and a_0001.nii.gz differ by 0.1 mm" in message


def test_channels_may_have_grids_of_their_own_where_training_data_did(tmp_path):
    write(tmp_path, "a_0000.nii.gz")
    write(tmp_path, "a_0001.nii.gz", shape=(8, 5, 2))
    dataset = description("flair", "t1", own_grids="resample")
    (files,) = find_images(ImageFolder(tmp_path), dataset)
    check_images([files], dataset)
    assert read_images(files, dataset).image.shape == (2, 3, 5, 4)


def test_what_is_no_nifti_file_is_refused(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(b"not gzip")
    assert "case 'a': cannot read image" in refusal(tmp_path, ONE)
    nib.save(nib.Nifti1Image(np.ones((4, 5)), np.eye(4)), tmp_path / "a.nii.gz")
    assert "case 'a': cannot read image" in refusal(tmp_path, ONE)


def test_headers_are_enough_for_a_look(tmp_path):
    write(tmp_path, "a.nii", shape=(40, 50, 30))
    whole = (tmp_path / "a.nii").read_bytes()
    (tmp_path / "a.nii").write_bytes(whole[:400])
    (files,) = find_images(ImageFolder(tmp_path), ONE)
    check_images([files], ONE)
    with pytest.raises(InputError, match="case 'a': cannot read image"):
        read_images(files, ONE)


def test_voxels_that_are_no_numbers_are_refused(tmp_path):
    write(tmp_path, "a.nii.gz", value=np.nan)
    with pytest.raises(InputError, match="case 'a': the image holds NaN"):
        read_images(find_images(ImageFolder(tmp_path), ONE)[0], ONE)


def test_an_image_without_voxels_to_normalise_is_refused(tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 3)), np.eye(4)), tmp_path / "a.nii.gz")
    dataset = description("t1", normalise={"mask": "nonzero"})
    with pytest.raises(InputError, match="no voxel of channel t1 lies in the normalisation region 'nonzero'"):
        read_images(find_images(ImageFolder(tmp_path), dataset)[0], dataset)


def test_folders_without_images_are_refused(tmp_path):
    assert "does not exist" in refusal(tmp_path / "none", ONE)
    assert "no NIfTI file" in refusal(tmp_path, ONE)
    assert "no '{case}/t1.nii.gz' in folder" in refusal(tmp_path, ONE, "{case}/t1.nii.gz")


@pytest.mark.parametrize(
    ("patterns", "told"),
    [
        (("{case}_1.nii.gz", "{case}_2.nii.gz", "{case}_3.nii.gz"), "is given 3 times"),
        (("flair.nii.gz", "{case}_2.nii.gz"), "must hold '{case}'"),
        (("{case}.png", "{case}_2.nii.gz"), "end in .nii or .nii.gz"),
        (("../{case}.nii.gz", "{case}_2.nii.gz"), "without '..'"),
    ],
)
def test_wrong_patterns_are_refused(patterns, told, tmp_path):
    assert told in refusal(tmp_path, TWO, *patterns)


MASKED = description("t1", normalise={"mask": "file"})


def test_a_mask_is_found_where_it_normalises(tmp_path):
    write(tmp_path, "a.nii.gz", "b.nii.gz", "a_brain.nii.gz", "b_brain.nii.gz")
    assert found(tmp_path, MASKED, mask="{case}_brain.nii.gz") == {
        "a": ("a.nii.gz", "a_brain.nii.gz"),
        "b": ("b.nii.gz", "b_brain.nii.gz"),
    }
    dataset = description(
        "t1",
        normalise={"mask": "file"},
        **files_layout(channels=("{case}_im.nii.gz",), mask="{case}_brain.nii.gz"),
    )
    (tmp_path / "b.nii.gz").unlink()
    (tmp_path / "b_brain.nii.gz").unlink()
    (tmp_path / "a.nii.gz").rename(tmp_path / "a_im.nii.gz")
    assert found(tmp_path, dataset) == {"a": ("a_im.nii.gz", "a_brain.nii.gz")}


def test_a_mask_that_is_missing_or_useless_is_told(tmp_path):
    write(tmp_path, "a.nii.gz", "b.nii.gz", "masks/b.nii.gz")
    assert "give --mask with '{case}'" in refusal(tmp_path, MASKED)
    assert "case 'a' has no mask" in refusal(tmp_path, MASKED, mask="masks/{case}.nii.gz")
    assert "--mask: intensities are normalised without" in refusal(tmp_path, ONE, mask="masks/{case}.nii.gz")
    shutil.copy(tmp_path / "b.nii.gz", tmp_path / "masks" / "a.nii.gz")
    write(tmp_path, "masks/b.nii.gz", shape=(4, 5, 2))
    assert "case 'b': b.nii.gz has shape (2, 5, 4)" in refusal(tmp_path, MASKED, mask="masks/{case}.nii.gz")


def test_a_file_with_two_suffixes_is_one_case_too_many(tmp_path):
    write(tmp_path, "a.nii.gz", "a.nii")
    assert "'a' is there twice" in refusal(tmp_path, ONE)
