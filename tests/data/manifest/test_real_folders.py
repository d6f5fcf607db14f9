"""The real annotated images beside the checkout, seen without their catalogue entries."""

import pytest

from harness.data.description import catalogue, describe
from harness.data.layouts import find_cases
from harness.data.manifest import propose
from harness.data.manifest.proposal import look_at
from harness.data.read import read_case

pytestmark = pytest.mark.real_data


def proposed(folder, tmp_path):
    proposal = propose(folder)
    (tmp_path / "found.yaml").write_text(proposal.text, encoding="utf-8")
    description = describe("found.yaml", tmp_path)
    found = find_cases(folder, description)
    assert [files.case for files in found] == list(proposal.cases)
    for files in found[::100]:
        read_case(files, description)
    assert proposal.opened <= 40
    assert proposal.catalogue == folder.name
    return proposal, description


def test_hippocampus_is_known_by_the_name_of_its_folder(shared_data, tmp_path):
    proposal, description = proposed(shared_data / "msd_hippocampus", tmp_path)
    assert description.classes == catalogue()["msd_hippocampus"].classes
    assert description.layout == "decathlon"
    assert len(proposal.cases) == proposal.patients == 260


def test_hippocampus_from_its_files_alone(shared_data):
    found = look_at(shared_data / "msd_hippocampus", "unknown")
    assert found.patterns == {"channels": ("imagesTr/{case}.nii.gz",), "label": ("labelsTr/{case}.nii.gz",)}
    assert len(found.cases) == found.patients == 260
    assert found.codes.labels == {0: 0, 1: 1, 2: 2}
    assert found.grid.size == (64, 48)
    assert found.split.folds is None
    assert found.channels.region == "all"


def test_tabriz_lesions(shared_data, tmp_path):
    proposal, description = proposed(shared_data / "tabriz_ms_wmh", tmp_path)
    assert proposal.patterns == {
        "channels": ("images/{case}_FLAIR.nii.gz", "images/{case}_T1.nii.gz"),
        "label": ("labels/{case}_label.nii.gz",),
        "mask": ("images/{case}_brainmask.nii.gz",),
    }
    assert len(proposal.cases) == proposal.patients == 14
    assert description.channels == ("FLAIR", "T1")
    assert description.labels == {0: 0, 1: 1, 2: 2}
    assert description.size == (256, 256)
    assert description.normalisations[0].mask == "file"
    assert description.split.kind == "kfold"
    assert any("images/{case}_T2.nii.gz is left out" in doubt for doubt in proposal.doubts)
    assert any("known_bad_102313" in doubt for doubt in proposal.doubts)


def test_chase_vessels(shared_data, tmp_path):
    proposal, description = proposed(shared_data / "chase_db1", tmp_path)
    assert proposal.patterns == {"channels": ("Image_{case}.jpg",), "label": ("Image_{case}_1stHO.png",)}
    assert (len(proposal.cases), proposal.patients) == (28, 14)
    assert description.files is not None
    assert description.files.patient == r"(\d+)[LR]"
    assert description.channels == ("red", "green", "blue")
    assert description.labels == {0: 0, 1: 1}
    assert description.size == (960, 1008)
    assert "28 cases of 14 patients" in proposal.text
