"""The real annotated images beside the checkout, read through the catalogue."""

import numpy as np
import pytest

from harness.data.description import catalogue
from harness.data.layouts import find_cases
from harness.data.prepare import prepare
from harness.data.read import read_case

pytestmark = pytest.mark.real_data


@pytest.mark.parametrize(
    ("name", "cases", "patients"),
    [("msd_hippocampus", 260, 260), ("tabriz_ms_wmh", 14, 14), ("chase_db1", 28, 14)],
)
def test_every_case_is_found_with_its_patient(shared_data, name, cases, patients):
    found = find_cases(shared_data / name, catalogue()[name])
    assert len(found) == cases
    assert len({files.patient for files in found}) == patients


def test_anterior_hippocampus_lies_in_front_of_posterior(shared_data):
    description = catalogue()["msd_hippocampus"]
    for files in find_cases(shared_data / "msd_hippocampus", description)[:3]:
        case = read_case(files, description)
        assert case.spacing == (1.0, 1.0, 1.0)
        front, back = (np.argwhere(case.labels == label)[:, 1].mean() for label in (1, 2))
        assert front > back  # rows run to the front


def test_lesions_are_bright_on_flair_and_their_share_is_as_published(shared_data, tmp_path):
    description = catalogue()["tabriz_ms_wmh"]
    prepared = prepare(description, shared_data, tmp_path)
    share = np.mean([case.foreground_fraction for case in prepared.cases])
    assert share == pytest.approx(0.0018, abs=2e-4)
    for case in prepared.cases:
        lesion = np.array(prepared.labels(case)) == 1
        assert prepared.images(case)[:, 0][lesion].mean() > 1.0  # z-score inside the brain mask


def test_vessels_are_read_from_one_bit_masks(shared_data):
    description = catalogue()["chase_db1"]
    case = read_case(find_cases(shared_data / "chase_db1", description)[0], description)
    assert case.image.shape[:2] == (3, 1)
    assert 0.05 < case.labels.mean() < 0.09
