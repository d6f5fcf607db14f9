"""Names of cases tell which are of one patient, or that none are."""

import re

import pytest

from harness.data.manifest.patients import guess_patients


@pytest.mark.parametrize(
    ("cases", "expression", "patients"),
    [
        (["01L", "01R", "02L", "02R"], r"(\d+)[LR]", 2),
        (["sub-001_ses-1", "sub-001_ses-2", "sub-002_ses-1"], "(sub-[^_]+)", 2),
        (["p12_t1", "p12_t2", "p13_t1"], r"(.+?)_t\d+$", 2),
        (["patient001_frame01", "patient001_frame12", "patient002_frame01"], r"(.+?)_frame\d+$", 2),
        (["BraTS-GLI-00000-000", "BraTS-GLI-00000-001", "BraTS-GLI-00002-000"], r"(BraTS-\w+-\d+)-\d+", 2),
        (["7_1", "7_2", "8_1", "9_1"], r"(.*\d)_\d+$", 3),
        (["a1_left", "a1_right", "a2_left"], r"(.+?)_(?:left|right)$", 2),
    ],
)
def test_cases_of_a_patient_are_merged(cases, expression, patients):
    guess = guess_patients(cases)
    assert guess is not None
    assert guess.expression == expression
    assert guess.patients == patients
    assert len({re.match(expression, case)[1] for case in cases}) == patients


@pytest.mark.parametrize(
    "cases",
    [
        ["hippocampus_001", "hippocampus_002", "hippocampus_010"],
        ["BraTS2021_00000", "BraTS2021_00002"],
        ["Brats18_CBICA_AAB_1", "Brats18_CBICA_AAG_1"],
        ["sub-strokecase0001", "sub-strokecase0002"],
        ["site1_001", "site1_002", "site2_001", "site2_002"],
        ["case_00000", "case_00001", "case_00209"],
        ["Paul", "Carl"],
        ["1"],
    ],
)
def test_cases_that_stand_alone_are_not_merged(cases):
    assert guess_patients(cases) is None


def test_names_without_a_visit_are_a_patient_s_only_or_first():
    guess = guess_patients(["p1", "p2_visit2", "p2_visit3", "p3_visit2"])
    assert guess is not None
    assert guess.patients == 3
