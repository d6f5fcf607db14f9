"""Raw datasets of nnU-Net v2: names with digits, explicit files, regions, the ignore label, folds."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from harness.data.case import IGNORE
from harness.data.description import DatasetDescription
from harness.data.layouts import find_cases
from harness.data.layouts.nnunet import nnunet_listing, published_folds
from harness.data.read import read_case
from harness.errors import InputError
from tests.data.layouts.trees import write_nnunet_plain, write_nnunet_regions

PLAIN_CASES = ("patient001_frame01", "patient001_frame12", "patient002_0001")


def description(**changes: object) -> DatasetDescription:
    fields = {
        "name": "heart",
        "title": "Heart",
        "layout": "nnunet",
        "channels": ("T2", "ADC"),
        "classes": {1: "peripheral zone", 2: "transition zone"},
        "labels": {0: 0, 1: 1, 2: 2},
        "size": (16, 16),
    }
    return DatasetDescription.model_validate(fields | changes)


def glioma(labels: dict[int, object]) -> DatasetDescription:
    return description(name="glioma", channels=("T1",), classes={1: "edema", 2: "core"}, labels=labels)


def test_nrrd_files_hold_the_same_cases_as_nifti(tmp_path: Path) -> None:
    before, after = (write_nnunet_plain(tmp_path / name) for name in ("nifti", "nrrd"))
    for path in [path for path in after.glob("*Tr/*.nii.gz") if not path.name.startswith(".")]:
        image = sitk.ReadImage(str(path))
        sitk.WriteImage(image, str(path).replace(".nii.gz", ".nrrd"))
        path.unlink()
    listing = (after / "dataset.json").read_text()
    (after / "dataset.json").write_text(listing.replace(".nii.gz", ".nrrd"))
    old, new = (
        [read_case(each, description()) for each in find_cases(root, description())]
        for root in (before, after)
    )
    assert len(old) == len(new) == 3
    for one, other in zip(old, new, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.labels, other.labels)


def test_only_the_last_four_digits_of_a_name_are_the_channel(tmp_path: Path) -> None:
    root = write_nnunet_plain(tmp_path)
    cases = find_cases(root, description())
    assert tuple(case.case for case in cases) == PLAIN_CASES
    assert [path.name for path in cases[2].channels] == [
        "patient002_0001_0000.nii.gz",
        "patient002_0001_0001.nii.gz",
    ]
    assert cases[2].label.name == "patient002_0001.nii.gz"


def test_arrays_are_read_in_the_order_of_the_channels(tmp_path: Path) -> None:
    root = write_nnunet_plain(tmp_path)
    for channels, first in ((("T2", "ADC"), [1, 501]), (("ADC", "T2"), [501, 1]), (("ADC",), [501])):
        wanted = description(channels=channels)
        case = read_case(find_cases(root, wanted)[0], wanted)
        assert case.image[:, 0, -1, -1].tolist() == first
        assert np.unique(case.labels).tolist() == [0, 1, 2]


def test_channel_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    root = write_nnunet_plain(tmp_path)
    with pytest.raises(InputError, match="has no channel 'DWI'; choose 'channels' from T2, ADC"):
        find_cases(root, description(channels=("T2", "DWI")))


@pytest.mark.parametrize(
    ("file", "kind"),
    [("imagesTr/patient001_frame12_0001.nii.gz", "image"), ("labelsTr/patient001_frame12.nii.gz", "label")],
)
def test_missing_file_names_its_case(tmp_path: Path, file: str, kind: str) -> None:
    root = write_nnunet_plain(tmp_path)
    (root / file).unlink()
    with pytest.raises(InputError, match=rf"case 'patient001_frame12' has no {kind} '.*{file}'"):
        find_cases(root, description())


def test_explicit_files_are_taken_instead_of_the_folders(tmp_path: Path) -> None:
    entry = {
        "images": ["imagesTr/patient001_frame01_0000.nii.gz", "./imagesTr/patient001_frame12_0000.nii.gz"],
        "label": "labelsTr/patient001_frame01.nii.gz",
    }
    root = write_nnunet_plain(tmp_path, dataset={"only": entry})
    (case,) = find_cases(root, description())
    assert case.case == "only"
    assert [path.name[:18] for path in case.channels] == ["patient001_frame01", "patient001_frame12"]


def test_explicit_file_outside_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.nii.gz").write_bytes(b"")
    entry = {"images": ["../../elsewhere.nii.gz"] * 2, "label": "labelsTr/patient001_frame01.nii.gz"}
    root = write_nnunet_plain(tmp_path, dataset={"only": entry})
    with pytest.raises(InputError, match=r"case 'only' has the image .*outside"):
        find_cases(root, description())


def test_stored_integer_without_a_class_is_refused_in_one_sentence(tmp_path: Path) -> None:
    root = write_nnunet_plain(tmp_path, labels={"background": 0, "PZ": 1, "TZ": 2, "cyst": 3})
    with pytest.raises(InputError) as caught:
        find_cases(root, description())
    assert f"{str(root / 'dataset.json')!r} lists the label 3 'cyst'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_overlapping_regions_are_refused_in_one_sentence(tmp_path: Path) -> None:
    root = write_nnunet_regions(tmp_path)
    with pytest.raises(InputError) as caught:
        find_cases(root, glioma({0: 0, 1: 1, 2: 2, 4: "ignore"}))
    message = str(caught.value)
    assert "trains overlapping regions (whole tumor, tumor core, enhancing tumor), which lossbench" in message
    assert "give each stored integer [0, 1, 2, 3, 4] one class under 'labels'" in message
    assert "\n" not in message


def test_regions_are_read_as_classes_once_every_integer_has_one(tmp_path: Path) -> None:
    root = write_nnunet_regions(tmp_path)
    wanted = glioma({0: 0, 1: 1, 2: 2, 3: 2, 4: "ignore"})
    case = read_case(find_cases(root, wanted)[0], wanted)
    assert np.unique(case.labels).tolist() == [0, 1, 2, IGNORE]


@pytest.mark.parametrize("target", [0, 1])
def test_ignore_label_must_be_ignored(tmp_path: Path, target: int) -> None:
    root = write_nnunet_regions(tmp_path)
    with pytest.raises(InputError, match="calls 4 'ignore'; write '4: ignore' under 'labels'"):
        find_cases(root, glioma({0: 0, 1: 1, 2: 2, 3: 2, 4: target}))


def test_listing_tells_all_that_a_manifest_needs(tmp_path: Path) -> None:
    plain = nnunet_listing(write_nnunet_plain(tmp_path))
    assert (plain.channels, plain.ending, plain.ignore) == (("T2", "ADC"), ".nii.gz", None)
    assert plain.labels == {0: "background", 1: "PZ", 2: "TZ"}
    assert plain.regions == {}
    assert plain.cases == PLAIN_CASES
    regions = nnunet_listing(write_nnunet_regions(tmp_path))
    assert list(regions.regions.items()) == [
        ("whole tumor", (1, 2, 3)),
        ("tumor core", (2, 3)),
        ("enhancing tumor", (3,)),
    ]
    assert (regions.ignore, regions.codes) == (4, (0, 1, 2, 3, 4))
    assert regions.labels == {
        0: "background",
        1: "whole tumor",
        2: "whole tumor + tumor core",
        3: "whole tumor + tumor core + enhancing tumor",
    }


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"labels": {"background": 0, "ignore": 1, "PZ": 2}}, "'ignore' is 1, but must be the highest"),
        ({"labels": ["background"]}, "needs 'channel_names', 'labels' and 'file_ending'"),
        ({"labels": {"background": "none"}}, "ValueError"),
        ({"channel_names": {"1": "T2", "2": "ADC"}}, "KeyError"),
        (
            {"dataset": {"x": {"images": ["a", "b", "c"], "label": "d"}}},
            "case 'x' has 3 images for 2 channels",
        ),
    ],
)
def test_broken_listing_is_refused(tmp_path: Path, changes: dict[str, object], why: str) -> None:
    root = write_nnunet_plain(tmp_path, **changes)
    with pytest.raises(InputError, match=r"dataset\.json' is not a dataset\.json of nnU-Net v2") as caught:
        find_cases(root, description())
    assert why in str(caught.value)


def test_missing_listing_is_told(tmp_path: Path) -> None:
    root = write_nnunet_plain(tmp_path)
    (root / "dataset.json").unlink()
    with pytest.raises(InputError, match=r"is not a dataset\.json of nnU-Net v2 \(FileNotFoundError"):
        find_cases(root, description())


def test_file_ending_that_is_not_read_is_refused(tmp_path: Path) -> None:
    root = write_nnunet_plain(tmp_path, file_ending=".mha")
    with pytest.raises(InputError, match=r"file_ending '\.mha', which is not read; convert the files"):
        find_cases(root, description())


def write_photographs(root: Path, names: tuple[str, ...]) -> None:
    (root / "imagesTr").mkdir(parents=True)
    (root / "labelsTr").mkdir()
    for name in names:
        Image.fromarray(np.full((6, 7, 3), (1, 2, 3), np.uint8)).save(root / "imagesTr" / f"{name}_0000.png")
        Image.fromarray(np.eye(6, 7, dtype=np.uint8)).save(root / "labelsTr" / f"{name}.png")
    document = {
        "channel_names": {"0": "R", "1": "G", "2": "B"},
        "labels": {"background": 0, "road": 1},
        "numTraining": 2,
        "file_ending": ".png",
    }
    (root / "dataset.json").write_text(json.dumps(document))


def test_colour_picture_holds_all_channels_in_one_file(tmp_path: Path) -> None:
    write_photographs(tmp_path, ("img-1", "img-2"))
    roads = {"classes": {1: "road"}, "labels": {0: 0, 1: 1}}
    wanted = description(channels=("R", "G", "B"), **roads)
    case = read_case(find_cases(tmp_path, wanted)[1], wanted)
    assert case.image[:, 0, 0, 0].tolist() == [1, 2, 3]
    assert case.labels.sum() == 6
    with pytest.raises(InputError, match="has all channels in one file; write its 'channels' as they are"):
        find_cases(tmp_path, description(channels=("G",), **roads))


def test_published_folds_are_the_validation_lists(tmp_path: Path) -> None:
    write_nnunet_plain(tmp_path)
    path = tmp_path / "nnUNet_preprocessed" / "Dataset027_Heart" / "splits_final.json"
    assert published_folds(path) == (PLAIN_CASES[:1], PLAIN_CASES[1:])
    for text in ("{", '[{"train": []}]', '{"val": []}'):
        path.write_text(text)
        with pytest.raises(InputError, match=r"splits_final\.json' is no list of folds"):
            published_folds(path)
    with pytest.raises(InputError, match="is no list of folds"):
        published_folds(path.with_name("nowhere.json"))


def test_a_patient_pattern_keeps_the_frames_of_a_patient_together(tmp_path: Path) -> None:
    root = write_nnunet_plain(tmp_path)
    cases = find_cases(root, description(patient=r"(patient\d+)_"))
    assert [case.patient for case in cases] == ["patient001", "patient001", "patient002"]
    with pytest.raises(InputError, match="'patient001_frame01' does not match the 'patient' expression"):
        find_cases(root, description(patient=r"(p\d+)_"))


def test_the_files_layout_has_its_patient_pattern_under_files() -> None:
    with pytest.raises(ValueError, match=r"the layout 'files' has its patient pattern under 'files'"):
        description(
            layout="files", files={"channels": ("{case}.png",), "label": "{case}_l.png"}, patient="(p)"
        )
