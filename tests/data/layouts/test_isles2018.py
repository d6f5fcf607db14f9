"""ISLES 2018: names by exact pattern, two exports, slabs of one patient, cases without a mask."""

import shutil
from pathlib import Path

import pytest

from harness.data.description import catalogue, describe
from harness.data.layouts import find_cases, list_cases
from harness.data.layouts.isles2018_patients import patient_of
from harness.data.read import read_case
from harness.errors import InputError
from tests.data.layouts.trees import write_isles_2018

DESCRIPTION = catalogue()["isles2018"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write_isles_2018(tmp_path)
    return tmp_path


@pytest.mark.parametrize("above", ["", "TRAINING"])
def test_training_cases_come_in_natural_order_from_either_level(tree: Path, above: str) -> None:
    names = ["case_1", "case_2", "case_10", "case_64", "case_65"]
    assert [case.case for case in find_cases(tree / above, DESCRIPTION)] == names


def test_archive_unpacked_under_its_own_name_is_read(tree: Path) -> None:
    (tree / "ISLES2018_Training").mkdir()
    (tree / "TRAINING").rename(tree / "ISLES2018_Training" / "TRAINING")
    assert len(find_cases(tree, DESCRIPTION)) == 5
    assert len(find_cases(tree / "ISLES2018_Training", DESCRIPTION)) == 5


def test_slabs_of_a_patient_share_its_name(tree: Path) -> None:
    patients = {case.case: case.patient for case in find_cases(tree, DESCRIPTION)}
    assert patients["case_64"] == patients["case_65"] == patient_of(64)
    assert patients["case_1"] == patients["case_2"]  # they may be one, hence are counted as one
    assert len({patients["case_1"], patients["case_10"], patients["case_64"]}) == 3


def test_channels_are_the_ct_and_the_maps_in_the_description_s_order(tree: Path) -> None:
    first = find_cases(tree, DESCRIPTION)[0]
    assert [path.name for path in first.channels] == [
        "SMIR.Brain.XX.O.CT.11.nii",
        "SMIR.Brain.XX.O.CT_CBF.12.nii",
        "SMIR.Brain.XX.O.CT_CBV.13.nii",
        "SMIR.Brain.XX.O.CT_MTT.14.nii",
        "SMIR.Brain.XX.O.CT_Tmax.16.nii",
    ]
    assert first.label.name == "SMIR.Brain.XX.O.OT.15.nii"
    turned = describe("isles2018", tree, ["channels=[Tmax, CT]", "normalise={kind: zscore}"])
    names = [path.name for path in find_cases(tree, turned)[0].channels]
    assert names == ["SMIR.Brain.XX.O.CT_Tmax.16.nii", "SMIR.Brain.XX.O.CT.11.nii"]


def test_earlier_export_gives_the_same_channels(tree: Path) -> None:
    first, second = (read_case(case, DESCRIPTION) for case in find_cases(tree, DESCRIPTION)[:2])
    assert first.image.shape == second.image.shape == (5, 2, 8, 8)
    assert first.spacing == pytest.approx((12.0, 0.82, 0.82))
    corner = [11, 12, 13, 14, 16]
    assert first.image[:, 0, -1, -1].tolist() == [1000 * number + 1 for number in corner]
    assert second.image[:, 0, -1, -1].tolist() == [1000 * (number + 10) + 1 for number in corner]
    assert first.labels.sum() == 1


def test_cases_without_a_mask_are_no_cases(tree: Path) -> None:
    with pytest.raises(InputError, match=r"no case in '.*TESTING'; expected the ISLES 2018 tree"):
        find_cases(tree / "TESTING", DESCRIPTION)


@pytest.mark.parametrize(
    ("stem", "kind", "expected"),
    [
        ("SMIR.Brain.XX.O.CT_CBF.12", "image", r"SMIR\.Brain\.XX\.O\.CT_CBF\.\*\.nii"),
        ("SMIR.Brain.XX.O.CT.11", "image", r"SMIR\.Brain\.XX\.O\.CT\.\*\.nii"),  # CT_CBF is no CT
        ("SMIR.Brain.XX.O.OT.15", "label", r"SMIR\.Brain\.XX\.O\.OT\.\*\.nii"),
    ],
)
def test_missing_kind_names_case_and_place(tree: Path, stem: str, kind: str, expected: str) -> None:
    shutil.rmtree(tree / "TRAINING" / "case_1" / stem)
    with pytest.raises(InputError, match=rf"case 'case_1' has no {kind} '.*/case_1/.*/{expected}'; add"):
        find_cases(tree, DESCRIPTION)


def test_folder_without_the_file_of_its_name_is_told(tree: Path) -> None:
    stem = "SMIR.Brain.XX.O.CT_MTT.14"
    (tree / "TRAINING/case_1" / stem / f"{stem}.nii").rename(tree / "TRAINING/case_1" / stem / "MTT.nii")
    with pytest.raises(InputError, match=r"case 'case_1' has no image '.*CT_MTT\.14/.*CT_MTT\.14\.nii'"):
        find_cases(tree, DESCRIPTION)


@pytest.mark.parametrize("twin", ["SMIR.Brain.XX.O.CT_CBF.99", "SMIR.Brain.XX.O.MR_CBF.99"])
def test_two_files_of_one_kind_are_a_problem_of_that_case_only(tree: Path, twin: str) -> None:
    shutil.copytree(tree / "TRAINING/case_1/SMIR.Brain.XX.O.CT_CBF.12", tree / "TRAINING/case_1" / twin)
    problems = {case.case: case.problems for case in list_cases(tree, DESCRIPTION)}
    assert [name for name, found in problems.items() if found] == ["case_1"]
    with pytest.raises(InputError, match=r"'case_1' has 2 files of the kind CT_CBF, such as .*; keep the"):
        find_cases(tree, DESCRIPTION)


def test_channel_that_the_archive_lacks_is_refused(tree: Path) -> None:
    description = describe("isles2018", tree, ["channels=[CT, DWI]", "normalise={kind: zscore}"])
    with pytest.raises(InputError, match="no channel 'DWI'; choose 'channels' from CT, CBF, CBV, MTT, Tmax"):
        find_cases(tree, description)


def test_other_folders_are_no_cases(tree: Path) -> None:
    for name in ("case_0", "case_x", "old_case_3", "case_3_copy"):
        shutil.copytree(tree / "TRAINING/case_1", tree / "TRAINING" / name)
    assert len(find_cases(tree, DESCRIPTION)) == 5
