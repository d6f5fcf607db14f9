"""NRRD files: voxels at the places where other readers find them, and a sentence for every defect."""

import gzip
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import nrrd
import numpy as np
import pytest
import SimpleITK as sitk

from harness.data.volume import UnreadableError, read_volume

SHAPE = (5, 4, 3)
VOXELS = np.arange(60, dtype=np.int16).reshape(SHAPE) - 20
TURN = np.array([[0.96, -0.28, 0.0], [0.28, 0.96, 0.0], [0.0, 0.0, 1.0]]) @ np.array(
    [[1.0, 0.0, 0.0], [0.0, 0.8, -0.6], [0.0, 0.6, 0.8]]
)
"""Two turns by Pythagorean angles: exact, and oblique to every axis."""

SPACING = np.array([0.8, 1.5, 3.0])
ORIGIN = np.array([-12.5, 40.0, -700.25])


def save(path: Path, array: np.ndarray = VOXELS, **header: object) -> Path:
    """Write a file whose rows of ``space directions`` are the columns of TURN times the spacing."""
    placed = {
        "space": "left-posterior-superior",
        "space directions": (TURN * SPACING).T,
        "space origin": ORIGIN,
    }
    nrrd.write(
        str(path), array, {key: value for key, value in (placed | header).items() if value is not None}
    )
    return path


def affine_by_itk(path: Path) -> np.ndarray:
    """Return the affine to RAS that SimpleITK reads."""
    image = sitk.ReadImage(str(path))
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def position(path: Path, value: int) -> np.ndarray:
    """Return where in RAS millimetres the voxel with a value lies, as the harness reads a file."""
    volume = read_volume(path)
    (found,) = np.argwhere(volume.array[0] == value)
    assert volume.affine is not None
    return (volume.affine @ [*found[::-1], 1.0])[:3]


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_a_volume_is_the_same_from_nrrd_and_from_nifti(tmp_path, compressed, plane):
    image = sitk.GetImageFromArray(VOXELS.transpose())
    image.SetSpacing(SPACING.tolist())
    image.SetOrigin(ORIGIN.tolist())
    image.SetDirection(TURN.ravel().tolist())
    for name in ("x.nrrd", "x.nii.gz"):
        sitk.WriteImage(image, str(tmp_path / name), compressed)
    one, other = (read_volume(tmp_path / name, plane) for name in ("x.nrrd", "x.nii.gz"))
    np.testing.assert_array_equal(one.array, other.array)
    np.testing.assert_allclose(one.affine, other.affine, atol=1e-3)
    np.testing.assert_allclose(one.spacing, other.spacing, rtol=1e-6)
    assert one.orientation == other.orientation == "LPS"


SPACES = {
    "left-posterior-superior": [-1, -1, 1],
    "LPS": [-1, -1, 1],
    "right-anterior-superior": [1, 1, 1],
    "RAS": [1, 1, 1],
    "left-anterior-superior": [-1, 1, 1],
    "LAS": [-1, 1, 1],
    "scanner-xyz": [-1, -1, 1],
}


@pytest.mark.parametrize(("space", "signs"), SPACES.items(), ids=list(SPACES))
def test_every_space_is_read_as_by_itk_and_by_hand(tmp_path, space, signs):
    path = save(tmp_path / "x.nrrd", space=space)
    stored = nib.affines.apply_affine(affine_by_itk(path), [4, 1, 2])
    by_hand = np.array(signs) * (TURN @ (SPACING * [4, 1, 2]) + ORIGIN)
    np.testing.assert_allclose(stored, by_hand)
    np.testing.assert_allclose(position(path, int(VOXELS[4, 1, 2])), by_hand)


def test_without_directions_spacings_are_along_left_posterior_superior(tmp_path):
    bare = {"space": None, "space directions": None, "space origin": None}
    path = save(tmp_path / "x.nrrd", spacings=SPACING, **bare)
    np.testing.assert_allclose(position(path, int(VOXELS[4, 1, 2])), [-3.2, -1.5, 6.0])
    np.testing.assert_allclose(
        nib.affines.apply_affine(affine_by_itk(path), [4, 1, 2]), position(path, int(VOXELS[4, 1, 2]))
    )
    assert read_volume(path).spacing == (3.0, 1.5, 0.8)


@pytest.mark.parametrize("axis", [0, 3])
def test_an_axis_of_channels_is_found_wherever_it_is(tmp_path, axis):
    directions = np.insert((TURN * SPACING).T, axis, np.nan, axis=0)
    path = save(
        tmp_path / "x.nrrd", np.stack([VOXELS, VOXELS + 100], axis), **{"space directions": directions}
    )
    both, one = read_volume(path), read_volume(save(tmp_path / "y.nrrd"))
    np.testing.assert_array_equal(both.array, np.concatenate([one.array, one.array + 100]))
    np.testing.assert_array_equal(both.affine, one.affine)


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2", "text"])
def test_every_encoding_and_byte_order_holds_the_same_voxels(tmp_path, encoding):
    one = read_volume(save(tmp_path / "x.nrrd", encoding=encoding))
    big = read_volume(save(tmp_path / "y.nrrd", VOXELS.astype(">i2"), encoding=encoding))
    np.testing.assert_array_equal(one.array, read_volume(save(tmp_path / "z.nrrd")).array)
    np.testing.assert_array_equal(one.array, big.array)


def cut(path: Path, by: int) -> None:
    save(path, np.random.default_rng(0).integers(0, 999, (20, 20, 20)).astype(np.int16))
    path.write_bytes(path.read_bytes()[:-by])


def detached(path: Path) -> None:
    nrrd.write(str(path.with_suffix(".nhdr")), VOXELS, {"spacings": SPACING})
    path.with_suffix(".nhdr").rename(path)


def flat(path: Path) -> None:
    nrrd.write(str(path), VOXELS[0], {"spacings": [1.0, 1.0]})


DEFECTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (lambda p: cut(p, 3000), "broken or no NRRD file"),
    "foreign": (lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99)), "Is this an NRRD file"),
    "zipped as a whole": (lambda p: p.write_bytes(gzip.compress(bytes(99))), "Is this an NRRD file"),
    "empty": (lambda p: p.write_bytes(b""), "broken or no NRRD file"),
    "header only": (lambda p: p.write_bytes(b"NRRD0004\ntype: block\n\n"), "broken or no NRRD|does not tell"),
    "missing": (lambda p: None, "No such file"),
    "detached": (detached, r"its voxels lie in another file, 'x\.raw\.gz'; join them"),
    "a picture": (flat, "does not tell where its voxels lie"),
    "no size of voxels": (lambda p: nrrd.write(str(p), VOXELS), "does not tell where its voxels lie"),
    "inches": (
        lambda p: save(p, **{"space units": ["in", "in", "in"]}),
        "space units are in where millimetres",
    ),
    "flat axes": (lambda p: save(p, **{"space directions": np.ones((3, 3))}), "affine is not invertible"),
    "no voxels": (lambda p: save(p, VOXELS[:0], encoding="raw"), "axis of length zero"),
    "two axes in space": (
        lambda p: save(p, **{"space directions": np.diag([np.nan, 1.0, 1.0])}),
        "of its 3 axes lie in a space of 3 dimensions where 3 axes",
    ),
}


@pytest.mark.parametrize(("spoil", "reason"), DEFECTS.values(), ids=list(DEFECTS))
def test_what_cannot_be_read_says_why(tmp_path, spoil, reason):
    spoil(tmp_path / "x.nrrd")
    with pytest.raises(UnreadableError, match=reason):
        read_volume(tmp_path / "x.nrrd")


def test_raw_voxels_that_end_early_are_no_image(tmp_path):
    path = save(tmp_path / "x.nrrd", encoding="raw")
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(UnreadableError, match="Size of the data does not equal"):
        read_volume(path)
    assert read_volume(path, voxels=False).array.shape == (1, 3, 4, 5)  # the header alone is whole
