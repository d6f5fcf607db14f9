"""Segmentations lie where their image lies, to the bit, and hold the codes of the dataset's label maps."""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from harness.data.description import describe
from harness.data.segmentation_file import codes_of_classes, write_segmentation
from harness.data.volume import read_volume
from harness.errors import InputError
from tests.conftest import MANIFEST

SHAPE = (5, 6, 7)
OBLIQUE = np.array([[-0.9, 0.1, 0.2, 90.3], [0.1, 1.7, -0.4, -12.1], [-0.2, 0.3, 3.1, 7.7], [0, 0, 0, 1]])


def turned(axcodes: str) -> nib.Nifti1Image:
    """An oblique image whose axes are stored in another order, every voxel different."""
    image = nib.Nifti1Image(np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE), OBLIQUE)
    own = nib.orientations.io_orientation(image.affine)
    wanted = nib.orientations.axcodes2ornt(tuple(axcodes))
    return image.as_reoriented(nib.orientations.ornt_transform(own, wanted))


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("axcodes", ["RAS", "LPS", "PIR", "SAL", "ARI"])
def test_every_voxel_returns_to_its_place(axcodes, plane, tmp_path):
    image = turned(axcodes)
    nib.save(image, tmp_path / "image.nii.gz")
    read = read_volume(tmp_path / "image.nii.gz", plane).array[0]
    write_segmentation(
        tmp_path / "out.nii.gz", (read % 3).astype(np.uint8), tmp_path / "image.nii.gz", plane, (0, 1, 2)
    )
    written = nib.load(tmp_path / "out.nii.gz")
    np.testing.assert_array_equal(np.asanyarray(written.dataobj), np.asanyarray(image.dataobj) % 3)
    assert written.get_data_dtype() == np.uint8


def geometry(path: Path) -> dict[str, bytes]:
    header = nib.load(path).header
    names = ("qform_code", "sform_code", "quatern_b", "qoffset_x", "srow_x", "srow_y", "srow_z", "xyzt_units")
    return {name: np.asarray(header[name]).tobytes() for name in names} | {
        "pixdim": header["pixdim"][:4].tobytes()
    }


@pytest.mark.parametrize(("qform", "sform"), [(1, 2), (1, 0), (0, 1), (0, 0)])
def test_the_header_places_voxels_as_the_images_does(qform, sform, tmp_path):
    image = turned("LAS")
    image.header.set_xyzt_units("mm", "sec")
    image.set_qform(np.diag([-2.0, 2, 3, 1]), code=qform)
    image.set_sform(OBLIQUE if sform else None, code=sform)
    nib.save(image, tmp_path / "image.nii.gz")
    write_segmentation(
        tmp_path / "out.nii.gz",
        np.zeros(read_volume(tmp_path / "image.nii.gz").array.shape[1:], np.uint8),
        tmp_path / "image.nii.gz",
        "axial",
        (0, 1),
    )
    source, written = (nib.load(tmp_path / name) for name in ("image.nii.gz", "out.nii.gz"))
    assert written.affine.tobytes() == source.affine.tobytes()
    assert written.header.get_zooms() == source.header.get_zooms()
    assert geometry(tmp_path / "out.nii.gz") == geometry(tmp_path / "image.nii.gz")


def test_nothing_of_the_header_but_geometry_is_copied(tmp_path):
    image = turned("RAS")
    image.header["descrip"] = b"Jane Doe"
    image.header["intent_name"] = b"Doe"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"Jane Doe"))
    image.header.set_slope_inter(2.5, 7)
    nib.save(image, tmp_path / "image.nii.gz")
    zeros = np.zeros(read_volume(tmp_path / "image.nii.gz").array.shape[1:], np.uint8)
    write_segmentation(tmp_path / "out.nii.gz", zeros, tmp_path / "image.nii.gz", "axial", (3, 4))
    assert b"Doe" not in gzip.decompress((tmp_path / "out.nii.gz").read_bytes())
    written = nib.load(tmp_path / "out.nii.gz")
    assert written.dataobj.slope == 1
    assert written.dataobj.inter == 0
    assert (np.asanyarray(written.dataobj) == 3).all()


def test_a_fourth_axis_is_left_out_and_nifti_2_stays_so(tmp_path):
    nib.save(nib.Nifti2Image(np.zeros((*SHAPE, 4), np.float32), OBLIQUE), tmp_path / "image.nii.gz")
    write_segmentation(
        tmp_path / "out.nii.gz", np.zeros((7, 6, 5), np.uint8), tmp_path / "image.nii.gz", "axial", (0, 1)
    )
    written = nib.load(tmp_path / "out.nii.gz")
    assert written.shape == SHAPE
    assert isinstance(written, nib.Nifti2Image)
    assert written.affine.tobytes() == nib.load(tmp_path / "image.nii.gz").affine.tobytes()


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    nib.save(turned("RAS"), tmp_path / "image.nii.gz")

    def fail(_image: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(nib, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        write_segmentation(
            tmp_path / "out" / "c.nii.gz",
            np.zeros((7, 6, 5), np.uint8),
            tmp_path / "image.nii.gz",
            "axial",
            (0, 1),
        )
    assert list((tmp_path / "out").iterdir()) == []


def codes(tmp_path, *changes):
    text = MANIFEST
    for old, new in changes:
        text = text.replace(old, new)
    (tmp_path / "discs.yaml").write_text(text)
    return codes_of_classes(describe("discs.yaml", tmp_path))


def test_a_class_has_its_smallest_code(tmp_path):
    labels = "labels: {0: 0, 1: 1}"
    assert codes(tmp_path) == (0, 1)
    assert codes(tmp_path, (labels, "labels: {0: 0, 7: 1, 4: 1, 9: ignore, 2: 0}")) == (0, 4)
    assert codes(tmp_path, (labels, "labels: {3: 1, 4: ignore}")) == (0, 3)
    assert codes(tmp_path, (labels, "labels: {0: ignore, 1: 0, 2: 1}")) == (1, 2)


def test_a_class_with_a_mask_of_its_own_has_its_index(tmp_path):
    label = 'label: "labels/{case}.nii.gz"'
    masks = 'label: {2: "{case}_2.nii.gz", 1: "{case}_1.nii.gz"}'
    assert codes(tmp_path, (label, masks), ("{1: disc}", "{1: disc, 2: rim}")) == (0, 1, 2)


def test_a_class_without_code_is_refused(tmp_path):
    with pytest.raises(InputError, match="no code under 'labels' stands for class 'rim'"):
        codes(tmp_path, ("classes: {1: disc}", "classes: {1: disc, 2: rim}"))


def test_large_codes_get_a_larger_type(tmp_path):
    nib.save(turned("RAS"), tmp_path / "image.nii.gz")
    for number, dtype in ((255, np.uint8), (300, np.int16), (70000, np.int32)):
        write_segmentation(
            tmp_path / "out.nii.gz",
            np.ones((7, 6, 5), np.uint8),
            tmp_path / "image.nii.gz",
            "axial",
            (0, number),
        )
        written = nib.load(tmp_path / "out.nii.gz")
        assert written.get_data_dtype() == dtype
        assert (np.asanyarray(written.dataobj) == number).all()
