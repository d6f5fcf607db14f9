"""Archives without a layout of their own, read by a manifest's patterns."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.data.case import Case
from harness.data.description import DatasetDescription
from harness.data.layouts import find_cases
from harness.data.read import read_case
from harness.errors import InputError
from tests.data.layouts.trees import touch, values, write_nifti

TWO_MM = np.diag([-2.0, -2.0, 2.0, 1.0])
FINE = np.array([[-1.0, 0, 0, 4], [0, -1.0, 0, 4], [0, 0, 4.0, -4], [0, 0, 0, 1]])
"""Of the FLAIR of ISLES 2022: larger than the field of the other images, and sampled otherwise."""


def manifest(files: dict[str, object], **changes: object) -> DatasetDescription:
    fields = {
        "name": "mine",
        "title": "Mine",
        "layout": "files",
        "files": files,
        "channels": ("image",),
        "classes": {1: "lesion"},
        "labels": {0: 0, 1: 1},
        "size": (16, 16),
    }
    return DatasetDescription.model_validate(fields | changes)


def read_all(root: Path, description: DatasetDescription) -> dict[str, Case]:
    return {files.case: read_case(files, description) for files in find_cases(root, description)}


def millimetres(shape: tuple[int, int, int], affine: np.ndarray) -> np.ndarray:
    """Return x + 10 y + 100 z at every voxel, which linear interpolation keeps."""
    indices = np.moveaxis(np.indices(shape), 0, -1)
    return (indices @ affine[:3, :3].T + affine[:3, 3]) @ [1, 10, 100]


@pytest.mark.parametrize("release", ["first", "current"])
def test_isles_2022_puts_flair_on_the_grid_of_the_mask(tmp_path: Path, release: str) -> None:
    above, flair, diffusion = {
        "first": ("rawdata/", "", ""),
        "current": ("", "anat/", "dwi/"),
    }[release]
    places = {
        "DWI": f"{above}{{case}}/ses-0001/{diffusion}{{case}}_ses-0001_dwi.nii.gz",
        "ADC": f"{above}{{case}}/ses-0001/{diffusion}{{case}}_ses-0001_adc.nii.gz",
        "FLAIR": f"{above}{{case}}/ses-0001/{flair}{{case}}_ses-0001_FLAIR.nii.gz",
    }
    label = "derivatives/{case}/ses-0001/{case}_ses-0001_msk.nii.gz"
    for case in ("sub-strokecase0001", "sub-strokecase0106"):
        for channel, place in places.items():
            shape, affine = ((14, 14, 6), FINE) if channel == "FLAIR" else ((5, 4, 6), TWO_MM)
            write_nifti(
                tmp_path / place.replace("{case}", case), millimetres(shape, affine), np.float32, affine
            )
            touch(tmp_path, place.replace("{case}", case).replace(".nii.gz", ".json"))
        code = 1 if case.endswith("1") else 0  # three of the 250 masks are empty
        mask = tmp_path / label.replace("{case}", case)
        write_nifti(mask, values((5, 4, 6), codes=1) * code, np.uint8, TWO_MM)
    files = {"channels": tuple(places.values()), "label": label}
    wanted = manifest(files, channels=tuple(places), own_grids="resample")
    cases = read_all(tmp_path, wanted)
    assert list(cases) == ["sub-strokecase0001", "sub-strokecase0106"]
    case = cases["sub-strokecase0001"]
    assert case.image.shape == (3, 6, 4, 5)
    np.testing.assert_allclose(case.image[2], case.image[0], atol=1e-3)
    assert [each.labels.sum() for each in cases.values()] == [1, 0]
    with pytest.raises(InputError, match="set 'own_grids: resample'"):
        read_all(tmp_path, manifest(files, channels=tuple(places)))


def test_brats_2021_has_four_channels_and_no_code_3(tmp_path: Path) -> None:
    names = ("t1", "t1ce", "t2", "flair")
    for case in ("BraTS2021_00000", "BraTS2021_00003"):
        for number, name in enumerate(names):
            write_nifti(tmp_path / case / f"{case}_{name}.nii.gz", values((6, 5, 3)) + 100 * number, np.int16)
        label = values((6, 5, 3), codes=3)
        label[label == 3] = 4
        write_nifti(tmp_path / case / f"{case}_seg.nii.gz", label, np.uint8)
    wanted = manifest(
        {
            "channels": tuple(f"{{case}}/{{case}}_{name}.nii.gz" for name in names),
            "label": "{case}/{case}_seg.nii.gz",
        },
        channels=names,
        classes={1: "edema", 2: "necrosis", 3: "enhancing tumour"},
        labels={0: 0, 1: 2, 2: 1, 4: 3},
    )
    cases = read_all(tmp_path, wanted)
    assert list(cases) == ["BraTS2021_00000", "BraTS2021_00003"]
    first = cases["BraTS2021_00000"]
    assert first.image[:, 0, -1, -1].tolist() == [1, 101, 201, 301]
    assert first.labels[:, -1, -1].tolist() == [0, 2, 1]
    assert first.labels[0, -2, -1] == 3


def test_kits_is_cut_along_its_first_axis(tmp_path: Path) -> None:
    slices_first = np.array([[0, 0, -0.78, 0], [0, -0.78, 0, 0], [-3.0, 0, 0, 0], [0, 0, 0, 1]])
    image, label = values((4, 6, 5)), values((4, 6, 5), codes=2)
    write_nifti(tmp_path / "case_00000/imaging.nii.gz", image, np.float32, slices_first)
    write_nifti(tmp_path / "case_00000/segmentation.nii.gz", label, np.uint8, slices_first)
    touch(tmp_path, "kits.json", "case_00000/instances/kidney_instance-1_annotation-1.nii.gz")
    wanted = manifest(
        {"channels": ("{case}/imaging.nii.gz",), "label": "{case}/segmentation.nii.gz"},
        classes={1: "kidney", 2: "tumour"},
        labels={0: 0, 1: 1, 2: 2},
    )
    case = read_all(tmp_path, wanted)["case_00000"]
    assert case.image.shape == (1, 4, 6, 5)
    assert case.spacing == pytest.approx((3.0, 0.78, 0.78))
    np.testing.assert_array_equal(case.image[0], image[::-1, ::-1, ::-1])
    write_nifti(tmp_path / "case_00001/segmentation.nii.gz", label, np.uint8, slices_first)
    with pytest.raises(InputError, match=r"case 'case_00001' has no image '.*imaging\.nii\.gz'"):
        find_cases(tmp_path, wanted)


def test_one_mask_per_structure_is_merged_in_the_order_of_the_manifest(tmp_path: Path) -> None:
    structures = {1: "Mandible", 2: "Parotid_L", 3: "Chiasm"}
    write_nifti(tmp_path / "0522c0001/img.nii.gz", values((6, 5, 3)), np.int16)
    for index, name in structures.items():
        mask = np.zeros((6, 5, 3))
        mask[:4, :4, 0] = 1
        mask[: 4 - index] = 0  # a larger index begins further out, and wins where two meet
        write_nifti(tmp_path / f"0522c0001/structures/{name}.nii.gz", mask, np.uint8)
    touch(tmp_path, "0522c0001/Landmarks_0001.fcsv", "0522c0001/structures/BrainStem.nii.gz")
    wanted = manifest(
        {
            "channels": ("{case}/img.nii.gz",),
            "label": {index: f"{{case}}/structures/{name}.nii.gz" for index, name in structures.items()},
        },
        classes=structures,
    )
    labels = read_all(tmp_path, wanted)["0522c0001"].labels
    assert labels[0, -1].tolist() == [0, 0, 3, 3, 3, 0]
    (tmp_path / "0522c0001/structures/Chiasm.nii.gz").unlink()
    with pytest.raises(InputError, match=r"case '0522c0001' has no label '.*structures/Chiasm\.nii\.gz'"):
        find_cases(tmp_path, wanted)


@pytest.mark.parametrize(
    ("suffix", "tolerance"), [("png", 0), ("tif", 0), ("tiff", 0), ("bmp", 0), ("jpg", 3)]
)
def test_colour_pictures_are_read_as_three_channels(tmp_path: Path, suffix: str, tolerance: int) -> None:
    (tmp_path / "Bilder von Ärzten").mkdir()
    (tmp_path / "Masken").mkdir()
    picture = np.full((16, 24, 3), (200, 100, 50), np.uint8)
    Image.fromarray(picture).save(tmp_path / "Bilder von Ärzten" / f"Auge 1.{suffix}")
    Image.fromarray(np.eye(16, 24, dtype=np.uint8) * 255).save(tmp_path / "Masken" / "Auge 1.png")
    files = {"channels": (f"Bilder von Ärzten/{{case}}.{suffix}",), "label": "Masken/{case}.png"}
    wanted = manifest(files, channels=("red", "green", "blue"), labels={0: 0, 255: 1})
    case = read_all(tmp_path, wanted)["Auge 1"]
    assert case.image.shape == (3, 1, 16, 24)
    np.testing.assert_allclose(case.image[:, 0, 0, 0], [200, 100, 50], atol=tolerance)
    assert case.labels.sum() == 16
    assert case.spacing == (1.0, 1.0, 1.0)


def test_pages_of_a_tiff_are_slices_with_the_manifest_s_spacing(tmp_path: Path) -> None:
    for name, codes in (("stack", 0), ("stack_label", 1)):
        first, *others = (Image.fromarray(page.astype(np.uint8)) for page in values((3, 4, 5), codes))
        first.save(tmp_path / f"{name}.tif", save_all=True, append_images=others)
    files = {"channels": ("{case}.tif",), "label": "{case}_label.tif", "spacing": (3.0, 0.5, 0.5)}
    case = read_all(tmp_path, manifest(files))["stack"]
    assert case.image.shape == (1, 3, 4, 5)
    assert case.spacing == (3.0, 0.5, 0.5)
    np.testing.assert_array_equal(case.image[0], values((3, 4, 5)))
