"""Decathlon tasks: the listing or the folders, AppleDouble files, and a listing that must agree."""

from pathlib import Path

import numpy as np
import pytest

from harness.data.description import catalogue, describe
from harness.data.layouts import find_cases
from harness.data.layouts.decathlon import decathlon_listing
from harness.data.read import read_case
from harness.errors import InputError
from tests.data.layouts.trees import write_prostate, write_spleen, write_spleen_listing

SPLEEN = catalogue()["msd_spleen"]
PROSTATE = catalogue()["msd_prostate"]


@pytest.mark.parametrize("listed", [True, False])
def test_cases_come_in_natural_order_without_apple_files(tmp_path: Path, listed: bool) -> None:
    write_spleen(tmp_path)
    if listed:
        write_spleen_listing(tmp_path, ["spleen_3", "._spleen_2", "spleen_10", "spleen_2"])
    cases = find_cases(tmp_path, SPLEEN)
    assert [case.case for case in cases] == ["spleen_2", "spleen_3", "spleen_10"]
    assert all(case.patient == case.case and len(case.channels) == 1 for case in cases)
    assert all(case.channels[0].name == case.label.name for case in cases)


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize(("folder", "kind"), [("labelsTr", "label"), ("imagesTr", "image")])
def test_half_a_case_is_refused_by_name(tmp_path: Path, folder: str, kind: str, listed: bool) -> None:
    write_spleen(tmp_path)
    if listed:
        write_spleen_listing(tmp_path, ["spleen_2", "spleen_3"])
    (tmp_path / folder / "spleen_3.nii.gz").unlink()
    with pytest.raises(InputError, match=rf"case 'spleen_3' has no {kind} '.*/{folder}/spleen_3\.nii\.gz'"):
        find_cases(tmp_path, SPLEEN)


def test_listing_chooses_among_the_files(tmp_path: Path) -> None:
    write_spleen(tmp_path)
    write_spleen_listing(tmp_path, ["spleen_2"])
    assert [case.case for case in find_cases(tmp_path, SPLEEN)] == ["spleen_2"]


def test_one_4d_file_stands_for_all_channels_in_their_order(tmp_path: Path) -> None:
    write_prostate(tmp_path)
    files = find_cases(tmp_path, PROSTATE)
    assert [case.case for case in files] == ["prostate_00", "prostate_16", "prostate_32"]
    case = read_case(files[0], PROSTATE)
    assert case.image.shape == (2, 3, 5, 6)
    assert case.image[:, 0, -1, -1].tolist() == [1, 501]
    assert case.spacing == (3.0, 1.0, 1.0)


def test_a_class_may_be_absent_from_a_case(tmp_path: Path) -> None:
    write_prostate(tmp_path)
    case = read_case(find_cases(tmp_path, PROSTATE)[2], PROSTATE)
    assert np.unique(case.labels).tolist() == [0, 2]


@pytest.mark.parametrize("text", ["{", "{}", '{"training": [{"image": "../x.nii.gz", "label": "y"}]}', "[]"])
def test_broken_listing_is_refused(tmp_path: Path, text: str) -> None:
    write_spleen(tmp_path)
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(InputError, match=r"dataset\.json' is not a Decathlon listing"):
        find_cases(tmp_path, SPLEEN)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"labels": {"0": "background", "1": "PZ"}}, "has the labels 0 background, 1 PZ, but the dataset's"),
        ({"labels": {"0": "background", "1": "PZ", "2": "TZ", "3": "cyst"}}, "3 cyst, but the dataset's"),
        ({"labels": {"0": "background", "1": "Transition zone", "2": "Peripheral zone"}}, "labels"),
        ({"modality": {"0": "T2"}}, "has the channels 0 T2, but the dataset's description has 0 T2, 1 ADC"),
        ({"modality": {"0": "ADC", "1": "T2"}}, "has the channels 0 ADC, 1 T2"),
    ],
)
def test_listing_that_disagrees_is_refused_in_one_sentence(
    tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    write_prostate(tmp_path, **changes)
    with pytest.raises(InputError) as caught:
        find_cases(tmp_path, PROSTATE)
    message = str(caught.value)
    assert told in message
    assert message.startswith(f"dataset 'msd_prostate': {str(tmp_path / 'dataset.json')!r} has the ")
    assert "\n" not in message


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": {"0": "BACKGROUND", "1": "PERIPHERAL ZONE", "2": "tz"}},
        {"modality": {"1": "adc", "0": "T2w"}},
        {"release": "1.1", "license": "?"},
        {"labels": {}, "modality": {}},
    ],
)
def test_integers_decide_and_names_may_be_spelt_otherwise(tmp_path: Path, changes: dict[str, object]) -> None:
    write_prostate(tmp_path, **changes)
    assert len(find_cases(tmp_path, PROSTATE)) == 3


def test_labels_may_be_ignored_or_merged(tmp_path: Path) -> None:
    write_prostate(tmp_path)
    for target in ("ignore", "1", "0"):
        assert len(find_cases(tmp_path, describe("msd_prostate", tmp_path, [f"labels.2={target}"]))) == 3


def test_listing_tells_channels_labels_and_cases(tmp_path: Path) -> None:
    write_prostate(tmp_path)
    listing = decathlon_listing(tmp_path)
    assert listing.channels == ("T2", "ADC")
    assert listing.labels == {0: "background", 1: "PZ", 2: "TZ"}
    assert listing.cases == ("prostate_16", "prostate_00", "prostate_32")


def test_missing_listing_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"dataset\.json' is not a Decathlon listing \(FileNotFoundError"):
        decathlon_listing(tmp_path)


def test_missing_folder_says_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"dataset 'msd_spleen': no folder .*imagesTr/, labelsTr/"):
        find_cases(tmp_path / "nowhere", SPLEEN)
