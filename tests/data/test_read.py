"""Decoding: canonical orientation, spacing from the header, and one sentence for every defect."""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from harness.data.case import IGNORE
from harness.data.description import DatasetDescription
from harness.data.layouts import find_cases
from harness.data.read import decode, read_case
from harness.errors import InputError


def description(**changes: object) -> DatasetDescription:
    fields = {
        "name": "set",
        "title": "Set",
        "layout": "files",
        "files": {"channels": ("{case}_im.nii.gz",), "label": "{case}_lb.nii.gz"},
        "channels": ("im",),
        "classes": {1: "lesion"},
        "labels": {0: 0, 1: 1},
        "size": (16, 16),
    }
    return DatasetDescription.model_validate(fields | changes)


def save(folder: Path, name: str, array: np.ndarray, affine: np.ndarray | None = None) -> None:
    nib.save(
        nib.Nifti1Image(array, np.diag([1.0, 2.0, 3.0, 1.0]) if affine is None else affine), folder / name
    )


def one_case(folder: Path, label: np.ndarray | None = None, image: np.ndarray | None = None) -> None:
    image = np.arange(4 * 5 * 2, dtype=np.float32).reshape(4, 5, 2) if image is None else image
    save(folder, "c_im.nii.gz", image)
    save(folder, "c_lb.nii.gz", np.zeros((4, 5, 2), np.uint8) if label is None else label)


def read_first(folder: Path, **changes: object):
    wanted = description(**changes)
    return read_case(find_cases(folder, wanted)[0], wanted)


def test_axes_are_slices_rows_columns_with_their_spacing(tmp_path):
    one_case(tmp_path)
    case = read_first(tmp_path)
    assert case.image.shape == (1, 2, 5, 4)
    assert case.spacing == (3.0, 2.0, 1.0)
    assert case.image[0, 1, 2, 3] == np.arange(40).reshape(4, 5, 2)[3, 2, 1]


def test_orientation_of_the_file_does_not_matter(tmp_path):
    (tmp_path / "ras").mkdir()
    one_case(tmp_path / "ras")
    image = nib.load(tmp_path / "ras" / "c_im.nii.gz")
    (tmp_path / "lps").mkdir()
    turned = image.as_reoriented(np.array([[1, -1], [0, -1], [2, 1]]))
    nib.save(turned, tmp_path / "lps" / "c_im.nii.gz")
    nib.save(
        nib.Nifti1Image(np.zeros(turned.shape, np.uint8), turned.affine), tmp_path / "lps" / "c_lb.nii.gz"
    )
    first, second = read_first(tmp_path / "ras"), read_first(tmp_path / "lps")
    np.testing.assert_array_equal(first.image, second.image)
    assert first.spacing == second.spacing


def test_spacing_comes_from_the_header_not_from_a_unit_sform(tmp_path):
    one_case(tmp_path)
    for name in ("c_im.nii.gz", "c_lb.nii.gz"):
        image = nib.load(tmp_path / name)
        image.set_sform(np.diag([1.0, 1.0, 1.0, 1.0]), code=1)
        image.header["pixdim"][1:4] = [1.0, 2.0, 3.0]
        nib.save(image, tmp_path / name)
    assert read_first(tmp_path).spacing == (3.0, 2.0, 1.0)


def test_labels_are_mapped_and_may_be_ignored(tmp_path):
    label = np.zeros((4, 5, 2), np.float32)
    label[0, 0, 0], label[1, 0, 0] = 1, 2
    one_case(tmp_path, label)
    case = read_first(tmp_path, labels={0: 0, 1: 1, 2: "ignore"})
    assert sorted(np.unique(case.labels)) == [0, 1, IGNORE]


def test_colour_pictures_have_three_channels(tmp_path):
    Image.fromarray(np.full((6, 7, 3), 9, np.uint8)).save(tmp_path / "c.png")
    Image.fromarray(np.eye(6, 7, dtype=bool)).save(tmp_path / "c_lb.png")
    case = read_first(
        tmp_path, files={"channels": ("{case}.png",), "label": "{case}_lb.png"}, channels=("r", "g", "b")
    )
    assert case.image.shape == (3, 1, 6, 7)
    assert case.labels.sum() == 6


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (
            lambda d: one_case(d, np.full((4, 5, 2), 255, np.uint8)),
            "case 'c': label 255 is not in the label map",
        ),
        (
            lambda d: one_case(d, np.full((4, 5, 2), 0.5, np.float32)),
            "case 'c': label 0.5 is not in the label",
        ),
        (
            lambda d: one_case(d, image=np.full((4, 5, 2), np.nan, np.float32)),
            "case 'c': the image holds NaN",
        ),
        (lambda d: one_case(d, image=np.zeros((4, 5, 3), np.float32)), "c_lb.nii.gz has shape"),
        (
            lambda d: one_case(d, image=np.zeros((4, 5, 2, 2), np.float32)),
            "c_im.nii.gz holds 2 volumes where one is due",
        ),
        (lambda d: one_case(d, image=np.zeros((4, 5), np.float32)), "2 axes where 3"),
    ],
)
def test_defects_are_named(tmp_path, spoil, sentence):
    spoil(tmp_path)
    with pytest.raises(InputError, match=sentence.replace("(", r"\(")):
        read_first(tmp_path)


def test_shifted_affine_is_refused_and_a_rounding_difference_is_not(tmp_path):
    one_case(tmp_path)
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    affine[0, 3] = 2e-5
    save(tmp_path, "c_lb.nii.gz", np.zeros((4, 5, 2), np.uint8), affine)
    read_first(tmp_path)
    affine[0, 3] = 2.0
    save(tmp_path, "c_lb.nii.gz", np.zeros((4, 5, 2), np.uint8), affine)
    with pytest.raises(InputError, match=r"affines of c_im\.nii\.gz and c_lb\.nii\.gz differ by 2 mm"):
        read_first(tmp_path)


def test_truncated_file_is_named(tmp_path):
    image = np.random.default_rng(0).normal(size=(40, 50, 20)).astype(np.float32)
    save(tmp_path, "c_im.nii.gz", image)
    save(tmp_path, "c_lb.nii.gz", np.zeros(image.shape, np.uint8))
    content = (tmp_path / "c_im.nii.gz").read_bytes()
    (tmp_path / "c_im.nii.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"case 'c': cannot read image .*c_im\.nii\.gz"):
        read_first(tmp_path)
    (tmp_path / "c_im.nii.gz").write_bytes(gzip.compress(b"not an image"))
    with pytest.raises(InputError, match="case 'c': cannot read image"):
        read_first(tmp_path)


def grid(scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
    affine = np.diag([scale, 2.0 * scale, 3.0, 1.0])
    affine[0, 3] = shift
    return affine


def test_a_channel_on_a_grid_of_its_own_is_refused_unless_it_is_to_be_resampled(tmp_path):
    one_case(tmp_path)
    fine = np.repeat(np.arange(4.0), 2)[:, None, None] * np.ones((1, 10, 2))
    save(tmp_path, "c_fine.nii.gz", fine.astype(np.float32), grid(0.5, shift=-0.25))
    both = {
        "files": {"channels": ("{case}_im.nii.gz", "{case}_fine.nii.gz"), "label": "{case}_lb.nii.gz"},
        "channels": ("im", "fine"),
    }
    with pytest.raises(InputError, match=r"c_fine\.nii\.gz has shape .* or set 'own_grids: resample'"):
        read_first(tmp_path, **both)
    case = read_first(tmp_path, **both, own_grids="resample")
    assert case.image.shape == (2, 2, 5, 4)
    np.testing.assert_allclose(case.image[1, 0, 2, 1:3], [1, 2], atol=1e-5)


def test_files_stored_in_different_orientations_of_one_grid_are_read_into_one(tmp_path):
    one_case(tmp_path)
    image = nib.load(tmp_path / "c_im.nii.gz")
    turned = image.as_reoriented(np.array([[0, -1], [1, 1], [2, 1]]))
    nib.save(turned, tmp_path / "c_im.nii.gz")
    wanted = description()
    case, findings = decode(find_cases(tmp_path, wanted)[0], wanted)
    np.testing.assert_array_equal(case.image[0].transpose(2, 1, 0), np.arange(40).reshape(4, 5, 2))
    (finding,) = findings
    assert (finding.check, finding.severity) == ("orientation", "warning")
    assert "c_im.nii.gz LAS" in finding.message


def test_a_unit_sform_is_told(tmp_path):
    one_case(tmp_path)
    for name in ("c_im.nii.gz", "c_lb.nii.gz"):
        image = nib.load(tmp_path / name)
        image.set_sform(np.eye(4), code=1)
        image.header["pixdim"][1:4] = [1.0, 2.0, 3.0]
        nib.save(image, tmp_path / name)
    wanted = description()
    _, (finding,) = decode(find_cases(tmp_path, wanted)[0], wanted)
    assert finding.check == "spacing"
    assert "pixdim of c_im.nii.gz says 3 x 2 x 1 mm, its affine 1 x 1 x 1 mm" in finding.message


def test_one_mask_per_class_is_merged_and_the_later_one_wins(tmp_path):
    one_case(tmp_path)
    liver, tumour = np.zeros((2, 4, 5, 2), np.uint8)
    liver[:3], tumour[2:4] = 1, 255
    save(tmp_path, "c_liver.nii.gz", liver)
    save(tmp_path, "c_tumour.nii.gz", tumour)
    masks = {
        "files": {
            "channels": ("{case}_im.nii.gz",),
            "label": {1: "{case}_liver.nii.gz", 2: "{case}_tumour.nii.gz"},
        },
        "classes": {1: "liver", 2: "tumour"},
        "labels": {0: 0, 1: 1},
    }
    case = read_first(tmp_path, **masks)
    np.testing.assert_array_equal(case.labels[0, 0], [1, 1, 2, 2])
    wanted = description(**masks)
    _, (finding,) = decode(find_cases(tmp_path, wanted)[0], wanted)
    assert finding.check == "overlap"
    assert finding.message == "10 voxels are in the masks of two classes (liver and tumour 10)"
    tumour[3] = 0  # now it is nested in the liver, as tumours are
    save(tmp_path, "c_tumour.nii.gz", tumour)
    assert decode(find_cases(tmp_path, wanted)[0], wanted)[1] == []
    save(tmp_path, "c_tumour.nii.gz", tumour // 255 * 7)
    with pytest.raises(InputError, match=r"c_tumour\.nii\.gz holds \[7\] where a mask of one class holds 0"):
        read_first(tmp_path, **masks)


def test_pages_of_a_tiff_are_slices_and_take_the_spacing_of_the_manifest(tmp_path):
    pages = [Image.fromarray(np.full((6, 7), value, np.uint16)) for value in (1, 2, 3)]
    pages[0].save(tmp_path / "c.tif", save_all=True, append_images=pages[1:])
    masks = [Image.fromarray(np.eye(6, 7, dtype=np.uint8))] * 3
    masks[0].save(tmp_path / "c_lb.tif", save_all=True, append_images=masks[1:])
    files = {"channels": ("{case}.tif",), "label": "{case}_lb.tif", "spacing": (5.0, 0.5, 0.5)}
    case = read_first(tmp_path, files=files, channels=("ct",))
    assert case.image.shape == (1, 3, 6, 7)
    assert case.image[0, :, 0, 0].tolist() == [1, 2, 3]
    assert case.spacing == (5.0, 0.5, 0.5)


def test_grey_label_pictures_in_colour_mode_are_one_map_and_colourful_ones_are_refused(tmp_path):
    Image.fromarray(np.full((6, 7, 3), 9, np.uint8)).save(tmp_path / "c.png")
    mask = np.eye(6, 7, dtype=np.uint8)
    Image.fromarray(np.stack([mask] * 3, -1)).save(tmp_path / "c_lb.png")
    pictures = {"files": {"channels": ("{case}.png",), "label": "{case}_lb.png"}, "channels": ("r", "g", "b")}
    np.testing.assert_array_equal(read_first(tmp_path, **pictures).labels[0], mask)
    Image.fromarray(np.stack([mask, mask * 0, mask], -1)).save(tmp_path / "c_lb.png")
    with pytest.raises(InputError, match=r"c_lb\.png holds 3 values per voxel where a label map has one"):
        read_first(tmp_path, **pictures)


def test_codes_are_merged_into_one_class(tmp_path):
    label = np.arange(40, dtype=np.uint8).reshape(4, 5, 2) % 4
    one_case(tmp_path, label)
    case = read_first(tmp_path, labels={0: 0, 1: 1, 2: 1, 3: 1})
    assert (case.labels == 1).sum() == 30


def test_everything_wrong_with_a_case_is_told_at_once(tmp_path):
    one_case(tmp_path, np.full((4, 5, 2), 9, np.uint8), np.full((4, 5, 2), np.inf, np.float32))
    wanted = description()
    _, findings = decode(find_cases(tmp_path, wanted)[0], wanted)
    assert [finding.check for finding in findings] == ["not_finite", "label_code"]
