"""The layout ``files``: what the patterns of a manifest mean."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.data.description import DatasetDescription
from harness.data.layouts import find_cases
from harness.errors import InputError
from tests.data.layouts.trees import touch

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


def test_label_pattern_enumerates_the_cases(tmp_path: Path, manifest: Manifest) -> None:
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


def test_patient_expression_groups_cases(tmp_path: Path, manifest: Manifest) -> None:
    for case in ("01L", "01R", "02L"):
        touch(tmp_path, f"img/{case}.png", f"seg/{case}_label.png")
    cases = find_cases(tmp_path, manifest(patient=r"(\d+)[LR]"))
    assert [(case.case, case.patient) for case in cases] == [("01L", "01"), ("01R", "01"), ("02L", "02")]


def test_site_expression_looks_anywhere_in_the_label_s_path(tmp_path: Path, manifest: Manifest) -> None:
    touch(tmp_path, "Oslo/seg/p1.png", "Oslo/img/p1.png", "Bergen/seg/p2.png", "Bergen/img/p2.png")
    patterns = {"label": "*/seg/{case}.png", "channels": ("*/img/{case}.png",)}
    cases = find_cases(tmp_path, manifest(site="([A-Z][a-z]+)/seg", **patterns))
    assert [(case.case, case.site) for case in cases] == [("p1", "Oslo"), ("p2", "Bergen")]


def test_case_may_be_a_folder_and_wildcards_stay_within_one_part(tmp_path: Path, manifest: Manifest) -> None:
    touch(tmp_path, "s1/anat/x7_FLAIR.nii", "s1/seg.nii", "s[2]/anat/y_FLAIR.nii", "s[2]/seg.nii")
    cases = find_cases(tmp_path, manifest(channels=("{case}/anat/*_FLAIR.nii",), label="{case}/seg.nii"))
    assert {case.case: case.channels[0].name for case in cases} == {
        "s1": "x7_FLAIR.nii",
        "s[2]": "y_FLAIR.nii",
    }


def test_case_written_twice_must_be_the_same_twice(tmp_path: Path, manifest: Manifest) -> None:
    touch(tmp_path, "p1/p1_seg.png", "p1/p1.png", "p2/p1_seg.png", "p2/p2_seg.png", "p2/p2.png")
    cases = find_cases(tmp_path, manifest(channels=("{case}/{case}.png",), label="{case}/{case}_seg.png"))
    assert [case.case for case in cases] == ["p1", "p2"]
    assert cases[1].label == tmp_path / "p2/p2_seg.png"


@pytest.mark.parametrize(
    "name", ["Fall 7 (ödematös)", "患者_3", "a b.c", "{7}", "x[1]", "100%", "it's", "p1?", "p*"]
)
def test_spaces_and_other_characters_stand_for_themselves(
    tmp_path: Path, manifest: Manifest, name: str
) -> None:
    touch(tmp_path, f"my images/{name}.png", f"my images/{name}2.png", f"seg ü/{name}_label.png")
    (case,) = find_cases(
        tmp_path, manifest(channels=("my images/{case}.png",), label="seg ü/{case}_label.png")
    )
    assert case.case == name
    assert case.channels == (tmp_path / "my images" / f"{name}.png",)


@pytest.mark.parametrize("what", ["channels", "mask"])
def test_missing_file_names_case_and_place(tmp_path: Path, manifest: Manifest, what: str) -> None:
    touch(tmp_path, "seg/p1_label.png")
    if what == "mask":
        touch(tmp_path, "img/p1.png")
    kind, place = {"channels": ("image", "img/p1.png"), "mask": ("mask", "roi/p1.png")}[what]
    with pytest.raises(InputError) as caught:
        find_cases(tmp_path, manifest(mask="roi/{case}.png"))
    expected = f"case 'p1' has no {kind} {str(tmp_path / place)!r}; add the file or take the case out of the"
    assert expected in str(caught.value)


def test_every_case_that_lacks_something_is_told(tmp_path: Path, manifest: Manifest) -> None:
    touch(tmp_path, "seg/p1_label.png", "seg/p2_label.png", "img/p2.png", "seg/p3_label.png")
    with pytest.raises(InputError) as caught:
        find_cases(tmp_path, manifest())
    lines = str(caught.value).splitlines()
    assert [line.split("'")[3] for line in lines] == ["p1", "p3"]


def test_several_matches_for_one_channel_are_refused(tmp_path: Path, manifest: Manifest) -> None:
    touch(tmp_path, "seg/p1_label.png", "img/p1_a.png", "img/p1_b.png")
    with pytest.raises(
        InputError, match=r"case 'p1' has 2 files that match the pattern 'img/\{case\}_\*\.png'"
    ):
        find_cases(tmp_path, manifest(channels=("img/{case}_*.png",)))


@pytest.mark.parametrize("pattern", ["../{case}.png", "/data/{case}.png", "**/{case}.png"])
def test_patterns_stay_in_the_folder(tmp_path: Path, manifest: Manifest, pattern: str) -> None:
    with pytest.raises(InputError, match="must be a path below the dataset's folder"):
        find_cases(tmp_path, manifest(label=pattern))


@pytest.mark.parametrize("linked", ["img/p1.png", "img"])
def test_link_out_of_the_folder_is_refused(tmp_path: Path, manifest: Manifest, linked: str) -> None:
    root = tmp_path / "mine"
    touch(tmp_path, "elsewhere/p1.png", "mine/seg/p1_label.png")
    if linked != "img":
        (root / "img").mkdir()
    (root / linked).symlink_to(tmp_path / "elsewhere" / linked.removeprefix("img").removeprefix("/"))
    with pytest.raises(InputError, match=r"case 'p1' has the image .*, which links to a file outside"):
        find_cases(root, manifest())


def test_links_inside_the_folder_are_followed(tmp_path: Path, manifest: Manifest) -> None:
    root = tmp_path / "mine"
    touch(root, "store/x.png", "seg/p1_label.png", "img/other.png")
    (root / "img/p1.png").symlink_to("../store/x.png")
    (tmp_path / "alias").symlink_to(root)
    assert find_cases(root, manifest())[0].channels == (root / "img/p1.png",)
    assert find_cases(tmp_path / "alias", manifest())[0].case == "p1"


@pytest.mark.parametrize(
    ("expression", "message"), [("(", "not a regular"), ("p", "not a regular"), ("(q)", "p1")]
)
def test_useless_patient_expression_is_refused(
    tmp_path: Path, manifest: Manifest, expression: str, message: str
) -> None:
    touch(tmp_path, "img/p1.png", "seg/p1_label.png")
    with pytest.raises(InputError, match=message):
        find_cases(tmp_path, manifest(patient=expression))
