"""Images go in, segmentations come out where the images lie, voxel by voxel those of the trial."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from harness.cli.home import Home
from harness.cli.predicting import Target, predict_folder, stored_model
from harness.data.description import describe
from harness.data.prepare import prepare
from harness.data.unlabelled import ImageFolder
from harness.errors import InputError
from harness.models import build_model
from harness.training import model_file
from harness.training.scoring import CaseEvaluator
from tests.conftest import MANIFEST, STUDY, lossbench, write_discs

OPTIONS = {"base_channels": 4, "depth": 2}
STACKS = {"axial": (2, 1, 0), "coronal": (1, 2, 0), "sagittal": (0, 2, 1)}


def turn(folder: Path, axcodes: str) -> None:
    """Store all images of a folder with their axes in another order."""
    wanted = nib.orientations.axcodes2ornt(tuple(axcodes))
    for path in folder.rglob("*.nii.gz"):
        image = nib.load(path)
        own = nib.orientations.io_orientation(image.affine)
        turned = image.as_reoriented(nib.orientations.ornt_transform(own, wanted))
        turned.set_sform(turned.affine, code=2)
        nib.save(nib.Nifti1Image(np.asanyarray(turned.dataobj), None, turned.header), path)


def trained_on(root: Path, manifest: str) -> tuple[model_file.StoredModel, CaseEvaluator]:
    """A network with random weights, and what validation would make of it."""
    (root / "discs.yaml").write_text(manifest)
    prepared = prepare(describe("discs.yaml", root), root, root / "cache")
    torch.manual_seed(1)
    model = build_model("unet2d", 2, 2, **OPTIONS)
    stored = model_file.StoredModel(
        key="e" * 64,
        model="unet2d",
        options=OPTIONS,
        in_channels=2,
        n_classes=2,
        channels=prepared.channels,
        classes=prepared.classes,
        description=prepared.description,
        precision="float32",
        checkpoint="best",
        epoch=1,
        weights=model.state_dict(),
    )
    return stored, CaseEvaluator(prepared, prepared.cases, torch.device("cpu"), None)


@pytest.mark.parametrize(
    ("axcodes", "plane", "lines"),
    [
        ("RAS", "axial", "size: [32, 32]"),
        ("LPS", "axial", "size: [20, 24]"),
        ("PIR", "coronal", "size: [8, 20]\nslices: coronal"),
        ("SAL", "sagittal", "size: [8, 40]\nslices: sagittal\nresample: {inplane_mm: [1.3, 0.8]}"),
        ("ARI", "axial", "size: [16, 20]\nresample: {inplane_mm: 1.5}\nnormalise: {kind: percentile}"),
    ],
)
def test_raw_images_give_the_masks_of_the_prepared_cases(axcodes, plane, lines, tmp_path):
    write_discs(tmp_path / "discs", patients=5)
    turn(tmp_path / "discs", axcodes)
    stored, evaluator = trained_on(tmp_path, MANIFEST.replace("size: [32, 32]", lines))
    model = build_model("unet2d", 2, 2, **OPTIONS)
    model.load_state_dict(stored.weights)
    expected = {case.case: classes for case, classes in evaluator.predict(model)}
    shutil.rmtree(tmp_path / "discs" / "labels")
    done: list[int] = []
    written = predict_folder(
        stored,
        ImageFolder(tmp_path / "discs"),
        Target(tmp_path / "out"),
        "cpu",
        lambda count, _: done.append(count),
    )
    assert [each.case for each in written] == sorted(expected)
    assert done == [0, 1, 2, 3, 4, 5]
    assert sorted(tmp_path.glob("out/*")) == [each.file for each in written]
    for each in written:
        found, source = nib.load(each.file), nib.load(tmp_path / "discs" / "images" / f"{each.case}_a.nii.gz")
        assert found.affine.tobytes() == source.affine.tobytes()
        assert found.header.get_zooms() == source.header.get_zooms()
        assert found.shape == source.shape
        assert found.get_data_dtype() == np.uint8
        canonical = np.asanyarray(nib.as_closest_canonical(found).dataobj)
        np.testing.assert_array_equal(canonical.transpose(STACKS[plane]), expected[each.case])
        assert 0 < canonical.mean() < 1


def test_merged_codes_are_written_as_the_smallest(tmp_path):
    write_discs(tmp_path / "discs", patients=5)
    for path in (tmp_path / "discs" / "labels").iterdir():
        label = nib.load(path)
        nib.save(nib.Nifti1Image(np.asanyarray(label.dataobj) * np.uint8(7), label.affine), path)
    stored, _ = trained_on(tmp_path, MANIFEST.replace("{0: 0, 1: 1}", "{0: 0, 9: 1, 7: 1, 200: ignore}"))
    (first, *_) = predict_folder(
        stored, ImageFolder(tmp_path / "discs"), Target(tmp_path / "out"), "cpu", lambda *_: None
    )
    assert set(np.unique(np.asanyarray(nib.load(first.file).dataobj))) == {0, 7}


@pytest.fixture(scope="module")
def trained(discs_data, tmp_path_factory):
    """A folder in which a study has been run, the path of its first network, and a folder of images."""
    folder = tmp_path_factory.mktemp("trained")
    study = STUDY.format(manifest=discs_data / "discs.yaml").replace("seeds: 2", "seeds: 1")
    (folder / "tiny.yaml").write_text(study)
    done = lossbench("run", "tiny.yaml", "--data", discs_data, "--local", cwd=folder)
    assert done.returncode == 0, done.stderr
    for path in (discs_data / "discs" / "images").iterdir():
        case, channel = path.name.removesuffix(".nii.gz").split("_")
        target = folder / "images" / f"{case}_{'ab'.index(channel):04d}.nii.gz"
        target.parent.mkdir(exist_ok=True)
        shutil.copy(path, target)
    return folder


def listed(folder: Path) -> list[dict[str, object]]:
    return json.loads(lossbench("predict", "--list", "--json", cwd=folder).stdout)


def test_a_trial_segments_new_images(trained):
    rows = listed(trained)
    assert {row["loss"] for row in rows} == {"CE", "GDL + BL"}
    trial = str(rows[0]["trial"])
    done = lossbench("predict", trial, "--images", "images", "--out", "masks", "--json", cwd=trained)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["trial"].startswith(trial)
    assert [each["case"] for each in told["files"]] == [f"p{number}" for number in range(8)]
    kept = next(trained.glob(f"lossbench-home/artifacts/{trial}*/predictions.npz"))
    with np.load(kept) as tested:
        assert tested.files
        for case in tested.files:
            written = np.asanyarray(nib.load(trained / "masks" / f"{case}.nii.gz").dataobj)
            np.testing.assert_array_equal(written.transpose(2, 1, 0), tested[case])
    again = lossbench("predict", trial, "--images", "images", "--out", "masks", cwd=trained)
    assert again.returncode == 2
    assert "give --overwrite or another folder" in again.stderr
    assert "Traceback" not in again.stderr


def test_a_network_kept_elsewhere_needs_no_database(trained, tmp_path):
    shutil.copy(next(trained.glob("lossbench-home/artifacts/*/model.pt")), tmp_path / "mine.pt")
    done = lossbench("predict", "mine.pt", "--images", trained / "images", "--out", "masks", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "8 segmentations in masks" in done.stdout
    assert len(list((tmp_path / "masks").glob("*.nii.gz"))) == 8
    assert not (tmp_path / "lossbench-home").exists()


def test_predict_without_images_says_what_to_give(tmp_path):
    done = lossbench("predict", "abcdef", cwd=tmp_path)
    assert done.returncode == 2
    assert "give a trial, --images and --out" in done.stderr


def test_a_file_that_has_changed_is_refused(trained, tmp_path):
    shutil.copytree(trained / "lossbench-home", tmp_path / "home")
    home, trial = Home(tmp_path / "home"), str(listed(trained)[0]["trial"])
    path = next(home.artifacts.glob(f"{trial}*/model.pt"))
    assert stored_model(trial, home).key.startswith(trial)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match="has changed since it was trained"):
        stored_model(trial, home)
    path.unlink()
    with pytest.raises(InputError, match="is not there; bring the file back"):
        stored_model(trial, home)


@pytest.fixture
def ready(tmp_path):
    """A network and a folder of images for it."""
    write_discs(tmp_path / "discs", patients=5)
    return trained_on(tmp_path, MANIFEST)[0], ImageFolder(tmp_path / "discs")


def refused(ready, target: Target) -> str:
    with pytest.raises(InputError) as raised:
        predict_folder(*ready, target, "cpu", lambda *_: None)
    assert not list(target.folder.glob("*.part*"))
    return str(raised.value)


def test_nothing_is_written_unless_all_images_are_right(ready, tmp_path):
    (tmp_path / "discs" / "images" / "p3_b.nii.gz").unlink()
    assert "case 'p3' has no image" in refused(ready, Target(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_files_are_replaced_on_request_only(ready, tmp_path):
    target = Target(tmp_path / "out")
    target.folder.mkdir()
    target.path("p4").write_text("mine")
    assert "p4.nii.gz' is there; give --overwrite or another folder" in refused(ready, target)
    assert [path.name for path in target.folder.iterdir()] == ["p4.nii.gz"]
    assert target.path("p4").read_text() == "mine"
    predict_folder(*ready, replace(target, overwrite=True), "cpu", lambda *_: None)
    assert nib.load(target.path("p4")).shape == (28, 28, 3)


def test_images_are_never_written_over(ready):
    stored, folder = ready
    assert "is the folder of the images" in refused(ready, Target(folder.path, overwrite=True))
    for channel in "ab":
        (folder.path / channel).mkdir()
        for path in (folder.path / "images").glob(f"*_{channel}.nii.gz"):
            path.rename(folder.path / channel / path.name.replace(f"_{channel}", ""))
    patterned = ImageFolder(folder.path, ("a/{case}.nii.gz", "b/{case}.nii.gz"))
    message = refused((stored, patterned), Target(folder.path / "b", overwrite=True))
    assert "is one of the images; give another folder" in message


def test_a_target_that_is_a_file_is_refused(ready, tmp_path):
    (tmp_path / "out").write_text("mine")
    assert "is a file; give a folder" in refused(ready, Target(tmp_path / "out"))


def test_a_network_of_an_older_version_asks_for_another_training(ready, tmp_path):
    stored, folder = ready
    message = refused((replace(stored, description=None), folder), Target(tmp_path / "out"))
    assert "prepare the dataset again, and train again" in message


def test_model_files_name_no_patient_and_no_folder(ready, discs_data):
    described = describe("discs.yaml", discs_data, ["accept.duplicate_image=[p1]"])
    stored, _ = ready
    assert stored.description.keys() == described.model_dump().keys() - {
        "folders",
        "split",
        "splits",
        "accept",
    }
