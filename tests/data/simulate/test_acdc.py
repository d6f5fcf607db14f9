"""The simulated ACDC: same tree, types and traits as the archive."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from harness.data.simulate import TARGETS, simulate
from harness.data.simulate.acdc.patients import draw_patient, patient_number
from harness.errors import InputError

COARSE_MM = 3.0
CASES = 6
NAMES = ["patient001", "patient002", "patient021", "patient041", "patient061", "patient081"]
RIGHT, MYOCARDIUM, LEFT = 1, 2, 3


@dataclass(frozen=True)
class Frame:
    image: nib.Nifti1Image
    truth: nib.Nifti1Image

    @property
    def labels(self) -> np.ndarray:
        return np.asarray(self.truth.dataobj)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data") / "acdc"
    return simulate("acdc", out, cases=CASES, seed=3, inplane_mm=COARSE_MM)


def info(patient: Path) -> dict[str, str]:
    return dict(line.split(": ") for line in (patient / "Info.cfg").read_text().splitlines())


def frames(patient: Path) -> tuple[Frame, Frame]:
    """End diastole and end systole."""
    stems = [patient / f"{patient.name}_frame{int(info(patient)[key]):02d}" for key in ("ED", "ES")]
    ed, es = (Frame(nib.load(f"{stem}.nii.gz"), nib.load(f"{stem}_gt.nii.gz")) for stem in stems)
    return ed, es


def patients(root: Path) -> list[Path]:
    return sorted((root / "training").iterdir())


def test_tree_and_names_are_the_archives(simulated: Path) -> None:
    assert [path.name for path in patients(simulated)] == NAMES
    for patient in patients(simulated):
        systole = f"{patient.name}_frame{int(info(patient)['ES']):02d}"
        assert sorted(path.name for path in patient.iterdir()) == sorted(
            [
                "Info.cfg",
                f"{patient.name}_frame01.nii.gz",
                f"{patient.name}_frame01_gt.nii.gz",
                f"{systole}.nii.gz",
                f"{systole}_gt.nii.gz",
            ]
        )


def test_info_has_the_six_keys_and_the_group_of_the_number(simulated: Path) -> None:
    groups = ["DCM", "DCM", "HCM", "MINF", "NOR", "RV"]
    for patient, group in zip(patients(simulated), groups, strict=True):
        found = info(patient)
        assert list(found) == ["ED", "ES", "Group", "Height", "NbFrame", "Weight"]
        assert found["ED"] == "1"
        assert found["Group"] == group
        assert 7 <= int(found["ES"]) <= 15
        assert int(found["ES"]) < int(found["NbFrame"]) <= 35
        assert float(found["Height"]) > 100
        assert float(found["Weight"]) > 30


def test_images_come_in_three_types_and_labels_in_one(simulated: Path) -> None:
    found = set()
    for patient in patients(simulated):
        both = frames(patient)
        types = {frame.image.get_data_dtype() for frame in both}
        assert len(types) == 1
        found |= types
        assert {frame.truth.get_data_dtype() for frame in both} == {np.dtype(np.uint8)}
        for frame in both:
            values = np.asarray(frame.image.dataobj)
            assert np.isfinite(values).all()
            assert values.min() >= 0
    assert found == {np.dtype(np.uint8), np.dtype(np.int16), np.dtype(np.float32)}


def test_sform_has_unit_scale_while_pixdim_and_qform_have_the_spacing(simulated: Path) -> None:
    for patient in patients(simulated):
        for frame in frames(patient):
            for image in (frame.image, frame.truth):
                *inplane, thickness = (float(size) for size in image.header.get_zooms())
                assert inplane == [COARSE_MM, COARSE_MM]
                assert thickness in {5.0, 6.5, 7.0, 10.0}
                assert np.array_equal(image.affine, np.diag([-1, -1, 1, 1]))
                assert image.header["sform_code"] > 0
                assert image.header["qform_code"] > 0
                assert np.allclose(image.get_qform(), np.diag([-COARSE_MM, -COARSE_MM, thickness, 1]))


def test_both_frames_of_a_patient_share_their_geometry(simulated: Path) -> None:
    for patient in patients(simulated):
        ed, es = frames(patient)
        assert len({image.shape for frame in (ed, es) for image in (frame.image, frame.truth)}) == 1
        assert ed.image.header.get_zooms() == es.image.header.get_zooms()
        assert 6 <= ed.image.shape[2] <= 18


def test_every_volume_holds_all_three_structures(simulated: Path) -> None:
    for patient in patients(simulated):
        for frame in frames(patient):
            assert set(np.unique(frame.labels)) == {0, RIGHT, MYOCARDIUM, LEFT}


def test_left_cavity_is_smaller_and_wall_thicker_at_end_systole(simulated: Path) -> None:
    for patient in patients(simulated):
        ed, es = (frame.labels for frame in frames(patient))
        assert (es == LEFT).sum() < (ed == LEFT).sum()
        assert (es == RIGHT).sum() < (ed == RIGHT).sum()
        assert (es == MYOCARDIUM).sum() / (es == LEFT).sum() > (ed == MYOCARDIUM).sum() / (ed == LEFT).sum()


def test_some_slices_lack_the_right_ventricle_mostly_the_last_ones(simulated: Path) -> None:
    shown = [
        (frame.labels == RIGHT).any(axis=(0, 1))
        for patient in patients(simulated)
        for frame in frames(patient)
    ]
    assert min(each.mean() for each in shown) > 0.4
    assert 0.05 < np.mean(np.concatenate(shown) == 0) < 0.35
    assert np.mean([each[-1] for each in shown]) < 0.5


def test_ring_is_closed_in_the_middle(simulated: Path) -> None:
    for patient in patients(simulated):
        for frame in frames(patient):
            slices = np.flatnonzero((frame.labels == LEFT).any(axis=(0, 1)))
            middle = frame.labels[:, :, slices[len(slices) // 2]]
            cavity = middle == LEFT
            around = [np.roll(cavity, step, axis) for axis in (0, 1) for step in (-1, 1)]
            assert set(np.unique(middle[np.logical_or.reduce(around) & ~cavity])) == {MYOCARDIUM}


def test_blood_is_brighter_than_muscle(simulated: Path) -> None:
    for patient in patients(simulated):
        for frame in frames(patient):
            image = np.asarray(frame.image.dataobj, float)
            muscle = image[frame.labels == MYOCARDIUM].mean()
            assert 1.3 * muscle < image[frame.labels == RIGHT].mean()
            assert 1.3 * muscle < image[frame.labels == LEFT].mean()


def test_numbers_cycle_through_the_groups_and_never_repeat() -> None:
    numbers = [patient_number(index) for index in range(1000)]
    assert numbers[:7] == [1, 21, 41, 61, 81, 2, 22]
    assert sorted(numbers) == list(range(1, 1001))
    assert sorted(numbers[:100]) == list(range(1, 101))


def test_own_voxel_size_lies_in_the_archives_range() -> None:
    grids = [draw_patient(0, index, None, np.random.default_rng(index)).grid for index in range(200)]
    spacings = [grid.spacing[0] for grid in grids]
    assert 0.70 <= min(spacings) < 1.0
    assert 1.8 < max(spacings) <= 1.95
    assert np.median(spacings) == pytest.approx(1.52, abs=0.03)
    assert {(216, 256), (256, 216)} <= {grid.shape[:2] for grid in grids}
    assert {grid.spacing[2] for grid in grids} == {5.0, 6.5, 7.0, 10.0}
    assert np.mean([grid.spacing[2] == 10.0 for grid in grids]) > 0.7


def test_field_of_view_does_not_depend_on_the_voxel_size() -> None:
    fine, coarse = (draw_patient(0, 4, size, np.random.default_rng(0)).grid for size in (None, COARSE_MM))
    assert np.allclose(
        np.multiply(fine.shape, fine.spacing), np.multiply(coarse.shape, coarse.spacing), atol=COARSE_MM
    )
    assert coarse.spacing == (COARSE_MM, COARSE_MM, fine.spacing[2])


def test_targets_find_the_training_set_where_either_download_has_it(simulated: Path, tmp_path: Path) -> None:
    shutil.copytree(simulated / "training", tmp_path / "database" / "training")
    below, above = (TARGETS["acdc"](root, 1) for root in (simulated, tmp_path))
    assert below == above
    assert len(below) > 100


def test_groups_of_few_patients_are_shown_and_not_judged(simulated: Path) -> None:
    by_group = {target.group: target for target in TARGETS["acdc"](simulated, 1)}
    assert by_group["DCM"].measured is not None
    assert not by_group["DCM"].judged


def test_targets_of_a_folder_without_patients_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder like 'training/patient001'"):
        TARGETS["acdc"](tmp_path, 1)


def test_targets_name_the_file_that_is_missing(simulated: Path, tmp_path: Path) -> None:
    shutil.copytree(simulated / "training" / "patient001", tmp_path / "training" / "patient001")
    (tmp_path / "training/patient001/patient001_frame01_gt.nii.gz").unlink()
    with pytest.raises(InputError, match=r"patient001_frame01_gt\.nii\.gz.*unpack the archive again"):
        TARGETS["acdc"](tmp_path, 1)


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_sixty_patients_meet_every_judged_target(tmp_path: Path) -> None:
    out = simulate("acdc", tmp_path / "acdc", cases=60, seed=0, workers=2)
    judged = [target for target in TARGETS["acdc"](out, 2) if target.judged]
    assert len(judged) > 55
    off = [f"{each.group}: {each.quantity} {each.ratio}" for each in judged if not each.within]
    assert off == []
