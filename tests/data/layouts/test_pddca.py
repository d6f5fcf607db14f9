"""PDDCA: NRRD as the archive unpacks, and cases that lack the mask of an organ."""

import json
from pathlib import Path

import numpy as np
import pytest

from harness.data.description import DatasetDescription, catalogue, describe
from harness.data.layouts import find_cases
from harness.data.left_out import left_out
from harness.data.manifest import propose
from harness.data.prepare import prepare
from harness.data.read import read_case
from harness.data.splits import partition
from harness.errors import InputError
from tests.conftest import lossbench
from tests.data.layouts.pddca_tree import COMPLETE, LACKING, ORGANS, SHAPE, write_pddca

DESCRIPTION = catalogue()["pddca"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder; tests that change it take a copy of their own."""
    root = tmp_path_factory.mktemp("data")
    write_pddca(root / "PDDCA-1.4.1")
    return root


def refusing() -> DatasetDescription:
    fields = DESCRIPTION.model_dump()
    fields["files"]["incomplete"] = "refuse"
    return DatasetDescription.model_validate(fields)


def test_cases_with_all_organs_are_the_dataset_and_the_others_are_named(data):
    folder = DESCRIPTION.folder_in(data)
    assert [files.case for files in find_cases(folder, DESCRIPTION)] == list(COMPLETE)
    told = {finding.case: finding.message for finding in left_out(folder, DESCRIPTION)}
    assert set(told) == set(LACKING)
    assert told["0522c0479"] == "not annotated (no mask): mandible"
    assert told["0522c0878"] == "not annotated (no mask): left submandibular, right submandibular"


def test_an_absent_mask_is_never_an_absent_organ(data):
    with pytest.raises(InputError) as refused:
        find_cases(DESCRIPTION.folder_in(data), refusing())
    sentences = str(refused.value).splitlines()
    assert len(sentences) == 3
    assert "case '0522c0479' has no label" in sentences[0]
    assert "Mandible.nrrd'; add the file or take the case out of the dataset, or leave such" in sentences[0]


def test_a_case_that_lacks_the_first_of_the_masks_is_a_case_all_the_same(tmp_path):
    root = write_pddca(tmp_path / "pddca", ["0522c0001", "0522c0002"])
    for mask in (root / "0522c0002" / "structures").glob("[!B]*.nrrd"):
        mask.unlink()
    assert [finding.case for finding in left_out(root, DESCRIPTION)] == ["0522c0002"]
    with pytest.raises(InputError, match=r"case '0522c0002' has no label .*Mandible\.nrrd"):
        find_cases(root, refusing())


def test_a_wrong_pattern_does_not_leave_every_case_out_in_silence(tmp_path):
    root = write_pddca(tmp_path / "pddca", ["0522c0001", "0522c0002"])
    for chiasm in root.glob("*/structures/Chiasm.nrrd"):
        chiasm.rename(chiasm.with_name("OpticChiasm.nrrd"))
    with pytest.raises(
        InputError, match=r"all 2 cases .* lack the mask of a class, '0522c0001' that of chiasm"
    ):
        find_cases(root, DESCRIPTION)


def test_classes_are_those_of_the_files():
    assert DESCRIPTION.files is not None
    assert isinstance(DESCRIPTION.files.label, dict)
    organs = {index: Path(pattern).stem for index, pattern in DESCRIPTION.files.label.items()}
    assert {organs[index]: name for index, name in sorted(DESCRIPTION.classes.items())} == {
        "BrainStem": "brain stem",
        "Chiasm": "chiasm",
        "Mandible": "mandible",
        "OpticNerve_L": "left optic nerve",
        "OpticNerve_R": "right optic nerve",
        "Parotid_L": "left parotid",
        "Parotid_R": "right parotid",
        "Submandibular_L": "left submandibular",
        "Submandibular_R": "right submandibular",
    }


def test_skipping_is_for_masks_of_single_classes():
    fields = DESCRIPTION.model_dump()
    fields["files"]["label"] = "{case}/label.nrrd"
    with pytest.raises(ValueError, match="'incomplete: skip' is for datasets with one mask per class"):
        DatasetDescription.model_validate(fields)


def test_masks_become_their_classes_and_small_organs_win(data):
    case = read_case(find_cases(DESCRIPTION.folder_in(data), DESCRIPTION)[0], DESCRIPTION)
    assert case.spacing == (3.0, 5.0, 5.0)
    assert np.unique(case.labels).tolist() == list(range(10))
    # LPS to RAS: index x becomes column 39 - x, index y becomes row 35 - y.
    for index, organ in {2: "Chiasm", 8: "Submandibular_L", 6: "Parotid_L"}.items():
        x, y = ORGANS[organ]
        inside = case.labels[
            :, SHAPE[1] - y.stop : SHAPE[1] - y.start, SHAPE[0] - x.stop : SHAPE[0] - x.start
        ]
        assert (inside == index).all()
        assert (case.labels == index).sum() == inside.size


def test_check_counts_what_is_left_out_and_what_overlaps(data, tmp_path):
    done = lossbench("data", "check", "pddca", "--data", data, "--workers", 1, "--json", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["cases"] == found["patients"] == len(COMPLETE)
    cases = [row["case"] for row in found["findings"] if row["check"] == "incomplete"]
    assert sorted(cases) == sorted(LACKING)
    overlaps = [row["finding"] for row in found["findings"] if row["check"] == "overlap"]
    # Of 4 slices each: 4 voxels of either gland are the mandible's, 4 of the chiasm the brain stem's.
    pairs = ("mandible and left submandibular", "mandible and right submandibular", "brain stem and chiasm")
    listed = ", ".join(f"{pair} 16" for pair in pairs)
    assert overlaps == [f"48 voxels are in the masks of two classes ({listed})"] * len(COMPLETE)


def test_broken_nrrd_is_found_by_case_and_file(tmp_path):
    root = write_pddca(tmp_path / "pddca", ["0522c0001", "0522c0002"])
    image, mask = root / "0522c0001" / "img.nrrd", root / "0522c0002" / "structures" / "Chiasm.nrrd"
    image.write_bytes(image.read_bytes()[:-4000])
    mask.write_bytes(b"RIFF, and no NRRD at all")
    done = lossbench("data", "check", "pddca", "--data", tmp_path, "--workers", 1, "--json", cwd=tmp_path)
    assert done.returncode == 2
    rows = [row for row in json.loads(done.stdout)["findings"] if row["severity"] == "error"]
    assert [(row["check"], row["case"]) for row in rows] == [
        ("unreadable", "0522c0001"),
        ("unreadable", "0522c0002"),
    ]
    assert str(image) in rows[0]["finding"]
    assert f"cannot read image {str(mask)!r} (broken or no NRRD file" in rows[1]["finding"]


def test_the_card_counts_what_is_left_out(data, tmp_path):
    published = ("--data", data, "--set", "split=published")
    card = lossbench("data", "show", "pddca", *published, cwd=tmp_path).stdout
    assert "6 cases of 6 patients; 2 cases left out" in card
    assert "## Cases left out" in card
    assert "case '0522c0479': not annotated (no mask): mandible" in card
    assert "test 2 patients" in card


def test_incomplete_cases_are_no_part_of_the_fingerprint(data, tmp_path, caplog):
    prepared = prepare(DESCRIPTION, data, tmp_path / "cache")
    assert [case.case for case in prepared.cases] == list(COMPLETE)
    assert "2 of 8 cases are left out" in caplog.text
    assert sum("the case is left out" in warning for warning in prepared.warnings) == 2
    write_pddca(tmp_path / "pddca", COMPLETE)
    for description in (DESCRIPTION, refusing()):
        assert prepare(description, tmp_path, tmp_path / "cache").fingerprint == prepared.fingerprint
    again = prepare(DESCRIPTION, data, tmp_path / "cache")
    assert sum("the case is left out" in warning for warning in again.warnings) == 2


def test_the_published_split_tests_the_range_of_the_challenge(data, tmp_path):
    patients = prepare(DESCRIPTION, data, tmp_path).patients
    sides = partition(DESCRIPTION.splits["published"], patients, seed=0)
    assert set(sides.test) == {"0522c0555", "0522c0746"}
    assert set(sides.train) | set(sides.validation) == set(COMPLETE) - set(sides.test)


def test_data_init_proposes_one_mask_per_organ_and_leaves_incomplete_cases_out(data, tmp_path):
    proposal = propose(data / "PDDCA-1.4.1")
    (tmp_path / "found.yaml").write_text(proposal.text, encoding="utf-8")
    description = describe("found.yaml", tmp_path)
    assert description.files is not None
    assert description.files.channels == ("{case}/img.nrrd",)
    assert set(description.files.labels) == {f"{{case}}/structures/{organ}.nrrd" for organ in ORGANS}
    assert description.files.incomplete == "skip"
    assert set(description.classes.values()) == set(ORGANS)
    assert proposal.cases == COMPLETE
    assert any(
        "2 of 8 cases, such as '0522c0479', lack the mask of a class" in each for each in proposal.doubts
    )
    assert proposal.opened <= 40
    assert proposal.catalogue == "pddca"
    find_cases(data / "PDDCA-1.4.1", description)
