"""WMH 2017: the archives of the challenge and the full release of 2022."""

from pathlib import Path

import numpy as np
import pytest

from harness.data.case import IGNORE
from harness.data.description import catalogue, describe
from harness.data.layouts import find_cases
from harness.data.read import read_case
from harness.errors import InputError
from tests.data.layouts.trees import write_wmh_2017, write_wmh_2022, write_wmh_case

DESCRIPTION = catalogue()["wmh2017"]


@pytest.fixture
def release(tmp_path: Path) -> Path:
    write_wmh_2022(tmp_path)
    return tmp_path


@pytest.mark.parametrize("root", ["", "dataverse_files", "dataverse_files/training"])
def test_release_of_2022_is_read_from_any_of_its_levels(release: Path, root: str) -> None:
    cases = find_cases(release / root, DESCRIPTION)
    assert [case.case for case in cases] == ["0", "50", "100"]
    assert [case.patient for case in cases] == ["0", "50", "100"]


def test_cases_and_sites_are_called_alike_in_2017_and_2022(release: Path, tmp_path: Path) -> None:
    write_wmh_2017(tmp_path / "archives")
    old, new = find_cases(tmp_path / "archives", DESCRIPTION), find_cases(release, DESCRIPTION)
    named = [(case.case, case.site) for case in old]
    assert named == [(case.case, case.site) for case in new]
    assert named == [("0", "Utrecht"), ("50", "Singapore"), ("100", "GE3T")]


def test_test_folder_of_2022_keeps_the_odd_scanner_name(release: Path) -> None:
    (case,) = find_cases(release / "dataverse_files" / "test", DESCRIPTION)
    assert (case.case, case.site) == ("160", "Philips_VU .PETMR_01.")


def test_archives_of_2017_are_read_side_by_side_in_natural_order(tmp_path: Path) -> None:
    for case in ("Utrecht/2", "Utrecht/11", "Singapore/50", "GE3T/100"):
        write_wmh_case(tmp_path / case)
    assert [case.case for case in find_cases(tmp_path, DESCRIPTION)] == ["2", "11", "50", "100"]


def test_channels_are_flair_then_t1_on_the_flair_grid(release: Path) -> None:
    for case in find_cases(release, DESCRIPTION):
        assert [path.name for path in case.channels] == ["FLAIR.nii.gz", "T1.nii.gz"]
        assert {path.parent.name for path in case.channels} == {"pre"}
        assert case.label.name == "wmh.nii.gz"
        assert case.mask is None


@pytest.mark.parametrize(("target", "stands_for"), [("0", 0), ("ignore", IGNORE)])
def test_arrays_are_read_although_headers_differ_by_rounding(
    release: Path, target: str, stands_for: int
) -> None:
    description = describe("wmh2017", release, [f"labels.2={target}"])
    utrecht, singapore, _ = (read_case(case, description) for case in find_cases(release, description))
    assert utrecht.image.shape == (2, 4, 8, 6)
    assert singapore.image.shape == (2, 4, 6, 8)  # the two in-plane sizes are swapped there
    assert utrecht.spacing == (3.0, 1.0, 1.0)
    # LPS: the first voxel of the file is the last of its row and column.
    assert utrecht.image[:, 0, -1, -1].tolist() == [1, 1001]
    assert utrecht.labels[:3, -1, -1].tolist() == [0, 1, stands_for]
    assert np.isfinite(utrecht.image).all()


def test_channel_that_the_archive_lacks_is_refused(release: Path) -> None:
    description = DESCRIPTION.model_copy(update={"channels": ("FLAIR", "3DT1")})
    with pytest.raises(InputError, match="no channel '3DT1'; choose 'channels' from FLAIR, T1"):
        find_cases(release, description)


def test_missing_channel_names_case_and_file(release: Path) -> None:
    (release / "dataverse_files/training/Singapore/50/pre/T1.nii.gz").unlink()
    with pytest.raises(InputError, match=r"case '50' has no image '.*50/pre/T1\.nii\.gz'; add the file or"):
        find_cases(release, DESCRIPTION)


def test_one_id_at_two_sites_is_refused(tmp_path: Path) -> None:
    write_wmh_case(tmp_path / "Utrecht" / "0")
    write_wmh_case(tmp_path / "GE3T" / "0")
    with pytest.raises(InputError, match="case '0' is there twice"):
        find_cases(tmp_path, DESCRIPTION)


def test_missing_folder_says_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"dataset 'wmh2017': no folder '.*wmh2017'; expected the WMH 2017 tree"
    ):
        find_cases(tmp_path / "wmh2017", DESCRIPTION)


def test_empty_folder_says_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no case in .*; expected .*wmh\.nii\.gz"):
        find_cases(tmp_path, DESCRIPTION)
