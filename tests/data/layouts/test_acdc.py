"""ACDC: two frames a patient as ``Info.cfg`` names them, and a sform that lies about the spacing."""

from pathlib import Path

import pytest

from harness.data.description import catalogue
from harness.data.layouts import find_cases, list_cases
from harness.data.read import read_case
from harness.errors import InputError
from tests.data.layouts.trees import write_acdc

DESCRIPTION = catalogue()["acdc"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write_acdc(tmp_path)
    return tmp_path


@pytest.mark.parametrize("above", ["", "database", "database/training"])
def test_two_frames_of_a_patient_are_two_cases_of_one_patient(tree: Path, above: str) -> None:
    cases = find_cases(tree / above, DESCRIPTION)
    assert [(case.case, case.patient) for case in cases] == [
        ("patient001_frame01", "patient001"),
        ("patient001_frame12", "patient001"),
        ("patient090_frame04", "patient090"),
        ("patient090_frame11", "patient090"),
    ]
    assert {case.site for case in cases} == {None}


def test_older_download_without_database_is_read(tree: Path) -> None:
    (tree / "database").rename(tree / "ACDC")
    assert len(find_cases(tree / "ACDC", DESCRIPTION)) == 4


def test_test_patients_are_read_only_when_asked_for(tree: Path) -> None:
    cases = find_cases(tree / "database" / "testing", DESCRIPTION)
    assert [case.case for case in cases] == ["patient101_frame01", "patient101_frame14"]


def test_spacing_is_pixdim_s_and_every_image_type_is_read(tree: Path) -> None:
    found = find_cases(tree, DESCRIPTION) + find_cases(tree / "database/testing", DESCRIPTION)
    for files in found:
        case = read_case(files, DESCRIPTION)
        assert case.spacing == pytest.approx((10.0, 1.316, 1.316))
        assert case.image.shape == (1, 4, 5, 7)
        assert sorted(set(case.labels[0].ravel())) == [0, 1, 2, 3]
        assert sorted(set(case.labels[1].ravel())) == [0, 2, 3]  # the right ventricle has ended


@pytest.mark.parametrize(
    ("info", "why"),
    [
        (b"", "has no line 'ED: <frame>'"),
        (b"ED: 1\n", "has no line 'ES: <frame>'"),
        (b"ED: one\nES: 12\n", "says 'one' for ED"),
        (b"ED: 1\nES: 0\n", "says '0' for ES"),
        (b"ED: 3\nES: 3\n", "gives frame 3 for both"),
        (b"\xff", "cannot be read"),
    ],
)
def test_broken_info_is_told_for_its_patient_only(tree: Path, info: bytes, why: str) -> None:
    path = tree / "database/training/patient090/Info.cfg"
    path.write_bytes(info)
    cases = list_cases(tree, DESCRIPTION)
    assert [case.case for case in cases if case.problems] == ["patient090_frame04", "patient090_frame11"]
    with pytest.raises(InputError) as caught:
        find_cases(tree, DESCRIPTION)
    first, second = str(caught.value).splitlines()
    assert "case 'patient090_frame04' has no frames named ED and ES" in first
    assert f"{str(path)!r} {why}" in first
    assert first.endswith("; restore that file from the archive")
    assert "patient090_frame11" in second


def test_missing_info_is_told(tree: Path) -> None:
    (tree / "database/training/patient001/Info.cfg").unlink()
    with pytest.raises(InputError, match=r"patient001/Info\.cfg' is not there; restore that file"):
        find_cases(tree, DESCRIPTION)


def test_patient_without_info_and_frames_is_told(tree: Path) -> None:
    (tree / "database/training/patient007").mkdir()
    with pytest.raises(InputError, match=r"case 'patient007_frame01' has no image '.*frame01\.nii\.gz'"):
        find_cases(tree, DESCRIPTION)


def test_windows_line_ends_and_other_keys_do_no_harm(tree: Path) -> None:
    path = tree / "database/training/patient001/Info.cfg"
    path.write_bytes(b"Group: NOR\r\n\r\nES : 12 \r\nED:1\r\nNote: a:b\r\n")
    assert find_cases(tree, DESCRIPTION)[1].case == "patient001_frame12"


def test_frame_that_info_names_but_nobody_annotated_is_missing(tree: Path) -> None:
    (tree / "database/training/patient001/patient001_frame12_gt.nii.gz").unlink()
    with pytest.raises(InputError, match=r"case 'patient001_frame12' has no label '.*frame12_gt\.nii\.gz'"):
        find_cases(tree, DESCRIPTION)


def test_channel_that_the_archive_lacks_is_refused(tree: Path) -> None:
    description = DESCRIPTION.model_copy(update={"channels": ("LGE",)})
    with pytest.raises(InputError, match="no channel 'LGE'; choose 'channels' from cine MR"):
        find_cases(tree, description)
