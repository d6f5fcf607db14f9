"""Every trap: ``data check`` and ``data prepare`` name the case in one sentence and leave nothing behind."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.conftest import lossbench

MANIFEST = """\
name: heads
title: Heads
layout: files
files:
  channels: ["{case}/FLAIR.nii.gz", "{case}/T1.nii.gz"]
  label: "{case}/label.nii.gz"
channels: [FLAIR, T1]
classes: {1: lesion}
labels: {0: 0, 1: 1}
normalise: {kind: zscore, mask: nonzero}
size: [32, 32]
"""
SHAPE = (24, 28, 6)
LPS = np.diag([-1.0, -1.0, 3.0, 1.0])
PATIENTS = ("pat 1", "pät2", "pat3", "pat4", "pat5", "pat6")  # a space and an umlaut: both are fine


def save(path: Path, array: np.ndarray, affine: np.ndarray = LPS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.Nifti1Image(array, affine).to_filename(path)


def load(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj)


def head(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A FLAIR with a bright lesion off the middle, and its mask."""
    image = generator.normal(100, 5, SHAPE)
    label = np.zeros(SHAPE, np.uint8)
    x, y = generator.integers(2, 5), generator.integers(4, 16)
    label[x : x + 6, y : y + 9, 1:5] = 1
    image[label == 1] += 60
    return image.astype(np.float32), label


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("heads")
    generator = np.random.default_rng(1)
    for patient in PATIENTS:
        image, label = head(generator)
        save(root / "heads" / patient / "FLAIR.nii.gz", image)
        save(root / "heads" / patient / "T1.nii.gz", (200 - image).astype(np.float32))
        save(root / "heads" / patient / "label.nii.gz", label)
    (root / "heads.yaml").write_text(MANIFEST)
    return root


@pytest.fixture
def root(heads: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    shutil.copytree(heads, tmp_path / "data")
    return tmp_path / "data"


def run_check(root: Path, manifest: str = "heads.yaml", cwd: Path | None = None):
    """Run ``data check`` and return the process; its JSON is in ``stdout``."""
    path = root / manifest if manifest.endswith(".yaml") else manifest
    return lossbench("data", "check", path, "--data", root, "--workers", 1, "--json", cwd=cwd or root)


def run_prepare(root: Path, cwd: Path | None = None):
    arguments = ("--data", root, "--home", (cwd or root) / "h", "--workers", 1)
    return lossbench("data", "prepare", root / "heads.yaml", *arguments, cwd=cwd or root)


def truncate(case: Path) -> None:
    content = (case / "T1.nii.gz").read_bytes()
    (case / "T1.nii.gz").write_bytes(content[: len(content) // 2])


def move_the_affine(case: Path) -> None:
    affine = LPS.copy()
    affine[1, 3] = 7.0
    save(case / "label.nii.gz", load(case / "label.nii.gz"), affine)


def add_a_time_axis(case: Path) -> None:
    save(case / "FLAIR.nii.gz", np.stack([load(case / "FLAIR.nii.gz")] * 5, axis=-1))


def drop_a_channel(case: Path) -> None:
    (case / "T1.nii.gz").unlink()


def store_255(case: Path) -> None:
    save(case / "label.nii.gz", load(case / "label.nii.gz") * np.uint8(255))


def store_fractions(case: Path) -> None:
    save(case / "label.nii.gz", load(case / "label.nii.gz") * np.float32(0.7))


def hide_a_nan(case: Path) -> None:
    image = load(case / "FLAIR.nii.gz").copy()
    image[3, 4, 5] = np.nan
    save(case / "FLAIR.nii.gz", image)


def shrink_to_nothing(case: Path) -> None:
    save(case / "T1.nii.gz", np.zeros((24, 0, 6), np.float32))


def cut_a_slice_off(case: Path) -> None:
    save(case / "T1.nii.gz", load(case / "T1.nii.gz")[..., :-1])


def link_out(case: Path) -> None:
    outside = case.parents[1] / "elsewhere.nii.gz"
    shutil.move(case / "T1.nii.gz", outside)
    (case / "T1.nii.gz").symlink_to(outside)


def copy_the_neighbours_image(case: Path) -> None:
    shutil.copy(case.parent / "pat3" / "FLAIR.nii.gz", case / "FLAIR.nii.gz")


def mirror_the_mask(case: Path) -> None:
    save(case / "label.nii.gz", load(case / "label.nii.gz")[::-1])


def blank_the_image(case: Path) -> None:
    save(case / "T1.nii.gz", np.zeros(SHAPE, np.float32))


TRAPS: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "truncated gzip": (truncate, "unreadable", "cannot read image '.*pat5/T1.nii.gz'"),
    "wrong affine": (
        move_the_affine,
        "affine",
        "the affines of FLAIR.nii.gz and label.nii.gz differ by 7 mm",
    ),
    "4D where 3D is due": (add_a_time_axis, "dimensions", "FLAIR.nii.gz holds 5 volumes where one is due"),
    "missing channel": (drop_a_channel, "files", "has no image '.*pat5/T1.nii.gz'"),
    "label 255": (store_255, "label_code", r"label 255 is not in the label map \[0, 1\].*'255: 1'"),
    "fractions": (store_fractions, "label_code", r"label 0.7 is not in the label map.*threshold"),
    "NaN": (hide_a_nan, "not_finite", r"holds NaN or infinite values \(1 voxels of FLAIR.nii.gz\)"),
    "zero-size volume": (shrink_to_nothing, "unreadable", r"T1.nii.gz' \(.* has an axis of length zero"),
    "another shape": (cut_a_slice_off, "shape", r"T1.nii.gz has shape \(5, 28, 24\), but FLAIR.nii.gz has"),
    "link out of the folder": (link_out, "files", "links to a file outside"),
    "same image twice": (
        copy_the_neighbours_image,
        "duplicate_image",
        "its FLAIR is the same image as that of case 'pat3'",
    ),
    "mirrored mask": (mirror_the_mask, "mirrored_label", "mirrored left-right"),
    "no brain": (blank_the_image, "normalisation", "no voxel of channel T1 lies in the normalisation region"),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_named_in_one_sentence_and_leaves_nothing(root: Path, trap: str) -> None:
    spoil, check, sentence = TRAPS[trap]
    spoil(root / "heads" / "pat5")
    found = run_check(root)
    assert found.returncode == 2, found.stderr
    report = json.loads(found.stdout)
    errors = [finding for finding in report["findings"] if finding["severity"] == "error"]
    assert [(error["case"], error["check"]) for error in errors] == [("pat5", check)]
    refused = run_prepare(root)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    (line,) = refused.stderr.strip().splitlines()
    assert line.startswith("error: dataset 'heads': case 'pat5'")
    assert re.search(sentence, line), line
    assert not (root / "h" / "prepared").exists() or list((root / "h" / "prepared").iterdir()) == []


def test_clean_heads_pass_with_spaces_and_unicode_in_their_names(heads: Path, tmp_path: Path) -> None:
    found = lossbench("data", "check", heads / "heads.yaml", "--data", heads, cwd=tmp_path)
    assert found.returncode == 0
    assert found.stdout.strip() == "heads: 6 cases, 6 patients, 0 errors, 0 warnings"
    done = lossbench("data", "prepare", heads / "heads.yaml", "--data", heads, "--json", cwd=tmp_path)
    assert {case["case"] for case in json.loads(done.stdout)["cases"]} == set(PATIENTS)


def test_all_errors_are_told_at_once(root: Path) -> None:
    store_255(root / "heads" / "pat3")
    drop_a_channel(root / "heads" / "pat4")
    hide_a_nan(root / "heads" / "pat5")
    found = run_check(root)
    assert [finding["case"] for finding in json.loads(found.stdout)["findings"]] == ["pat3", "pat4", "pat5"]


def test_warnings_do_not_stop_anything(root: Path) -> None:
    save(root / "heads" / "pat5" / "label.nii.gz", np.zeros(SHAPE, np.uint8))
    found = run_check(root)
    assert found.returncode == 0
    (warning,) = json.loads(found.stdout)["findings"]
    assert (warning["severity"], warning["case"], warning["check"]) == ("warning", "pat5", "empty_label")
    done = run_prepare(root)
    assert done.returncode == 0
    assert "case 'pat5': has no foreground" in done.stderr


def test_a_finding_that_is_right_can_be_accepted(root: Path) -> None:
    copy_the_neighbours_image(root / "heads" / "pat5")
    (root / "heads.yaml").write_text(MANIFEST + "accept: {duplicate_image: [pat5]}\n")
    found = run_check(root)
    assert found.returncode == 0
    (root / "heads.yaml").write_text(MANIFEST + "accept: {label_code: [pat5]}\n")
    refused = run_check(root)
    assert refused.returncode == 2
    assert (
        "'accept' cannot waive 'label_code'; it can waive: duplicate_image, mirrored_label" in refused.stderr
    )


@pytest.mark.real_data
def test_the_known_duplicate_of_the_ms_set_is_found(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "tabriz_ms_wmh"
    folder = tmp_path / "tabriz_ms_wmh"
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    for patient in ("107130", "102313"):
        for suffix in ("FLAIR", "T1", "brainmask"):
            shutil.copy(
                source / f"images/107130_{suffix}.nii.gz", folder / f"images/{patient}_{suffix}.nii.gz"
            )
        shutil.copy(source / "labels/107130_label.nii.gz", folder / f"labels/{patient}_label.nii.gz")
    known_bad = source / "known_bad_102313" / "102313_FLAIR.nii.gz"  # upstream, the bytes of 107130's
    shutil.copy(known_bad, folder / "images" / "102313_FLAIR.nii.gz")
    found = run_check(tmp_path, "tabriz_ms_wmh", cwd=tmp_path)
    assert found.returncode == 2
    by_check = {finding["check"]: finding for finding in json.loads(found.stdout)["findings"]}
    assert by_check["duplicate_image"]["case"] == "107130"
    assert "case '102313'" in by_check["duplicate_image"]["finding"]
    assert by_check["duplicate_label"]["severity"] == "warning"
