"""Layouts on miniature trees that hold what the archives hold, oddities included."""

import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from harness.data.description import DatasetDescription, catalogue
from harness.data.layouts import LAYOUTS, find_cases, natural_order
from harness.errors import InputError

LPS = np.diag([-1.0, -1.0, 3.0, 1.0])


def write_nifti(path: Path, shape: tuple[int, ...], dtype: type, affine: np.ndarray = LPS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.zeros(shape, dtype)
    values.ravel()[:3] = (0, 1, 2)
    nib.Nifti1Image(values, affine).to_filename(path)


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def write_wmh_case(folder: Path, shape: tuple[int, int, int] = (6, 8, 4)) -> None:
    tilted = LPS.copy()
    tilted[0, 1] = 2e-5
    write_nifti(folder / "pre" / "FLAIR.nii.gz", shape, np.float32)
    write_nifti(folder / "pre" / "T1.nii.gz", shape, np.uint16, tilted)
    write_nifti(folder / "pre" / "3DT1.nii.gz", (9, 9, 9), np.float32, np.eye(4))
    write_nifti(folder / "orig" / "FLAIR.nii.gz", shape, np.uint16)
    write_nifti(folder / "wmh.nii.gz", shape, np.float32)


@pytest.fixture
def wmh_2022(tmp_path: Path) -> Path:
    """The release of 2022 as the web download unpacks."""
    release = tmp_path / "dataverse_files"
    write_wmh_case(release / "training" / "Utrecht" / "0")
    write_wmh_case(release / "training" / "Singapore" / "50", (8, 6, 4))
    write_wmh_case(release / "training" / "Amsterdam" / "GE3T" / "100")
    write_wmh_case(release / "test" / "Amsterdam" / "Philips_VU .PETMR_01." / "160")
    observer = release / "additional_annotations" / "observer_o3" / "training" / "Utrecht" / "0"
    write_nifti(observer / "result.nii.gz", (6, 8, 4), np.float32)
    write_nifti(observer / "wmh.nii.gz", (6, 8, 4), np.float32)
    touch(release, "readme.pdf", "MANIFEST.TXT", "__MACOSX/training/Utrecht/0/wmh.nii.gz")
    return tmp_path


class TestWmh2017:
    description = catalogue()["wmh2017"]

    @pytest.mark.parametrize("root", ["", "dataverse_files", "dataverse_files/training"])
    def test_release_of_2022_is_read_from_any_of_its_levels(self, wmh_2022: Path, root: str) -> None:
        cases = find_cases(wmh_2022 / root, self.description)
        assert [case.case for case in cases] == ["0", "50", "100"]
        assert [case.patient for case in cases] == ["0", "50", "100"]
        assert [case.site for case in cases] == ["Utrecht", "Singapore", "GE3T"]

    def test_test_folder_of_2022_keeps_the_odd_scanner_name(self, wmh_2022: Path) -> None:
        (case,) = find_cases(wmh_2022 / "dataverse_files" / "test", self.description)
        assert (case.case, case.site) == ("160", "Philips_VU .PETMR_01.")

    def test_archives_of_2017_are_read_side_by_side(self, tmp_path: Path) -> None:
        for case in ("Utrecht/2", "Utrecht/11", "Singapore/50", "GE3T/100"):
            write_wmh_case(tmp_path / case)
        cases = find_cases(tmp_path, self.description)
        assert [case.case for case in cases] == ["2", "11", "50", "100"]

    def test_channels_are_flair_then_t1_on_the_flair_grid(self, wmh_2022: Path) -> None:
        for case in find_cases(wmh_2022, self.description):
            assert [path.name for path in case.channels] == ["FLAIR.nii.gz", "T1.nii.gz"]
            assert {path.parent.name for path in case.channels} == {"pre"}
            assert case.label.name == "wmh.nii.gz"
            assert case.mask is None

    def test_channel_that_the_archive_lacks_is_refused(self, wmh_2022: Path) -> None:
        description = self.description.model_copy(update={"channels": ("FLAIR", "3DT1")})
        with pytest.raises(InputError, match="no channel '3DT1'; choose 'channels' from FLAIR, T1"):
            find_cases(wmh_2022, description)

    def test_missing_channel_names_case_and_file(self, wmh_2022: Path) -> None:
        (wmh_2022 / "dataverse_files/training/Singapore/50/pre/T1.nii.gz").unlink()
        with pytest.raises(InputError, match=r"case '50' has no file '.*50/pre/T1\.nii\.gz'"):
            find_cases(wmh_2022, self.description)

    def test_one_id_at_two_sites_is_refused(self, tmp_path: Path) -> None:
        write_wmh_case(tmp_path / "Utrecht" / "0")
        write_wmh_case(tmp_path / "GE3T" / "0")
        with pytest.raises(InputError, match="case '0' is there twice"):
            find_cases(tmp_path, self.description)

    def test_missing_folder_says_what_belongs_there(self, tmp_path: Path) -> None:
        with pytest.raises(
            InputError, match=r"dataset 'wmh2017': no folder '.*wmh2017'; expected the WMH 2017 tree"
        ):
            find_cases(tmp_path / "wmh2017", self.description)

    def test_empty_folder_says_what_belongs_there(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"no case in .*; expected .*wmh\.nii\.gz"):
            find_cases(tmp_path, self.description)


def write_spleen(root: Path) -> None:
    for name in ("spleen_10", "spleen_2", "spleen_3"):
        write_nifti(root / "imagesTr" / f"{name}.nii.gz", (4, 4, 2), np.float32)
        write_nifti(root / "labelsTr" / f"{name}.nii.gz", (4, 4, 2), np.uint8)
    write_nifti(root / "imagesTs" / "spleen_1.nii.gz", (4, 4, 2), np.float32)
    for junk in ("._dataset.json", "imagesTr/._spleen_2.nii.gz", "labelsTr/._spleen_2.nii.gz"):
        (root / junk).write_bytes(b"\x00\x05\x16\x07")


def write_dataset_json(root: Path, names: list[str]) -> None:
    training = [
        {"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"} for name in names
    ]
    document = {
        "name": "Spleen",
        "licence": "CC-BY-SA 4.0",
        "relase": "1.0 06/08/2018",
        "tensorImageSize": "3D",
        "modality": {"0": "CT"},
        "labels": {"0": "background", "1": "spleen"},
        "numTraining": len(names),
        "training": training,
        "test": ["./imagesTs/spleen_1.nii.gz"],
    }
    (root / "dataset.json").write_text(json.dumps(document))


class TestDecathlon:
    description = catalogue()["msd_hippocampus"]

    @pytest.mark.parametrize("listed", [True, False])
    def test_cases_come_in_natural_order_without_apple_files(self, tmp_path: Path, listed: bool) -> None:
        write_spleen(tmp_path)
        if listed:
            write_dataset_json(tmp_path, ["spleen_3", "._spleen_2", "spleen_10", "spleen_2"])
        cases = find_cases(tmp_path, self.description)
        assert [case.case for case in cases] == ["spleen_2", "spleen_3", "spleen_10"]
        assert all(case.patient == case.case and len(case.channels) == 1 for case in cases)
        assert all(case.channels[0].name == case.label.name for case in cases)

    @pytest.mark.parametrize("listed", [True, False])
    @pytest.mark.parametrize(("folder", "kind"), [("labelsTr", "label"), ("imagesTr", "image")])
    def test_half_a_case_is_refused_by_name(
        self, tmp_path: Path, folder: str, kind: str, listed: bool
    ) -> None:
        write_spleen(tmp_path)
        if listed:
            write_dataset_json(tmp_path, ["spleen_2", "spleen_3"])
        (tmp_path / folder / "spleen_3.nii.gz").unlink()
        with pytest.raises(
            InputError, match=rf"case 'spleen_3' has no {kind} '.*/{folder}/spleen_3\.nii\.gz'"
        ):
            find_cases(tmp_path, self.description)

    def test_listing_chooses_among_the_files(self, tmp_path: Path) -> None:
        write_spleen(tmp_path)
        write_dataset_json(tmp_path, ["spleen_2"])
        assert [case.case for case in find_cases(tmp_path, self.description)] == ["spleen_2"]

    @pytest.mark.parametrize(
        "text", ["{", "{}", '{"training": [{"image": "../x.nii.gz", "label": "y"}]}', "[]"]
    )
    def test_broken_listing_is_refused(self, tmp_path: Path, text: str) -> None:
        write_spleen(tmp_path)
        (tmp_path / "dataset.json").write_text(text)
        with pytest.raises(InputError, match="not a Decathlon listing"):
            find_cases(tmp_path, self.description)

    def test_missing_folder_says_what_belongs_there(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"dataset 'msd_hippocampus': no folder .*imagesTr/, labelsTr/"):
            find_cases(tmp_path / "nowhere", self.description)


Manifest = Callable[..., DatasetDescription]


@pytest.fixture
def manifest() -> Manifest:
    def make(**patterns: object) -> DatasetDescription:
        return DatasetDescription.model_validate(
            {
                "name": "mine",
                "title": "Mine",
                "layout": "files",
                "channels": ("a",),
                "classes": {1: "x"},
                "labels": {0: 0, 1: 1},
                "size": (16, 16),
                "files": {"channels": ("img/{case}.png",), "label": "seg/{case}_label.png", **patterns},
            }
        )

    return make


class TestFiles:
    def test_label_pattern_enumerates_the_cases(self, tmp_path: Path, manifest: Manifest) -> None:
        for case in ("p10", "p2"):
            touch(tmp_path, f"img/{case}.png", f"seg/{case}_label.png", f"roi/{case}.png")
        touch(
            tmp_path,
            "img/unlabelled.png",
            "seg/._p2_label.png",
            "seg/p2_other.png",
            "__MACOSX/seg/p3_label.png",
        )
        cases = find_cases(tmp_path, manifest(mask="roi/{case}.png"))
        assert [case.case for case in cases] == ["p2", "p10"]
        assert [case.patient for case in cases] == ["p2", "p10"]
        assert cases[0].channels == (tmp_path / "img/p2.png",)
        assert cases[0].mask == tmp_path / "roi/p2.png"

    def test_patient_expression_groups_cases(self, tmp_path: Path, manifest: Manifest) -> None:
        for case in ("01L", "01R", "02L"):
            touch(tmp_path, f"img/{case}.png", f"seg/{case}_label.png")
        cases = find_cases(tmp_path, manifest(patient=r"(\d+)[LR]"))
        assert [(case.case, case.patient) for case in cases] == [("01L", "01"), ("01R", "01"), ("02L", "02")]

    def test_case_may_be_a_folder_and_wildcards_stay_within_one_part(
        self, tmp_path: Path, manifest: Manifest
    ) -> None:
        touch(tmp_path, "s1/anat/x7_FLAIR.nii", "s1/seg.nii", "s[2]/anat/y_FLAIR.nii", "s[2]/seg.nii")
        cases = find_cases(tmp_path, manifest(channels=("{case}/anat/*_FLAIR.nii",), label="{case}/seg.nii"))
        assert {case.case: case.channels[0].name for case in cases} == {
            "s1": "x7_FLAIR.nii",
            "s[2]": "y_FLAIR.nii",
        }

    @pytest.mark.parametrize("what", ["channels", "mask"])
    def test_missing_file_names_case_and_pattern(self, tmp_path: Path, manifest: Manifest, what: str) -> None:
        touch(tmp_path, "seg/p1_label.png")
        if what == "mask":
            touch(tmp_path, "img/p1.png")
        pattern = {"channels": "img/{case}.png", "mask": "roi/{case}.png"}[what]
        with pytest.raises(InputError) as caught:
            find_cases(tmp_path, manifest(mask="roi/{case}.png"))
        assert f"case 'p1': no file matches the pattern {pattern!r}" in str(caught.value)

    def test_several_matches_for_one_channel_are_refused(self, tmp_path: Path, manifest: Manifest) -> None:
        touch(tmp_path, "seg/p1_label.png", "img/p1_a.png", "img/p1_b.png")
        with pytest.raises(InputError, match="case 'p1': 2 files match"):
            find_cases(tmp_path, manifest(channels=("img/{case}_*.png",)))

    @pytest.mark.parametrize("pattern", ["../{case}.png", "/data/{case}.png", "**/{case}.png"])
    def test_patterns_stay_in_the_folder(self, tmp_path: Path, manifest: Manifest, pattern: str) -> None:
        with pytest.raises(InputError, match="must be a path below the dataset's folder"):
            find_cases(tmp_path, manifest(label=pattern))

    def test_link_out_of_the_folder_is_refused(self, tmp_path: Path, manifest: Manifest) -> None:
        root = tmp_path / "mine"
        touch(tmp_path, "elsewhere.png", "mine/seg/p1_label.png", "mine/img/other.png")
        (root / "img/p1.png").symlink_to(tmp_path / "elsewhere.png")
        with pytest.raises(InputError, match=r"case 'p1': .* links to a file outside"):
            find_cases(root, manifest())

    @pytest.mark.parametrize(
        ("expression", "message"), [("(", "not a regular"), ("p", "not a regular"), ("(q)", "p1")]
    )
    def test_useless_patient_expression_is_refused(
        self, tmp_path: Path, manifest: Manifest, expression: str, message: str
    ) -> None:
        touch(tmp_path, "img/p1.png", "seg/p1_label.png")
        with pytest.raises(InputError, match=message):
            find_cases(tmp_path, manifest(patient=expression))


def test_natural_order_compares_numbers_as_numbers() -> None:
    names = ["case_10", "case_2", "a", "case_02", "10", "9b", "case"]
    assert sorted(names, key=natural_order) == ["9b", "10", "a", "case", "case_02", "case_2", "case_10"]


def test_every_dataset_of_the_catalogue_has_a_layout() -> None:
    assert {description.layout for description in catalogue().values()} <= set(LAYOUTS)
    assert all(entry.expects for entry in LAYOUTS.values())


def test_unknown_layout_is_refused_with_a_hint(tmp_path: Path) -> None:
    description = catalogue()["wmh2017"].model_copy(update={"layout": "decatlon"})
    with pytest.raises(InputError, match="unknown layout 'decatlon'; did you mean 'decathlon'"):
        find_cases(tmp_path, description)
