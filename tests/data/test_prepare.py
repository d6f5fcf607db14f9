"""The prepared cache: idempotent, atomic, resumable, exact, and fingerprinted by content."""

import json
import logging
import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from harness.data import prepare as prepare_module
from harness.data.description import DatasetDescription, Normalisation, Resampling
from harness.data.layouts import find_cases
from harness.data.normalise import fit, resample_labels, resampled_grid
from harness.data.prepare import prepare
from harness.data.prepared import open_prepared
from harness.data.read import read_case
from harness.errors import InputError
from tests.conftest import write_discs, write_nifti


@pytest.fixture
def copy(discs_data: Path, tmp_path: Path) -> Path:
    """A copy of the discs to spoil."""
    shutil.copytree(discs_data / "discs", tmp_path / "data" / "discs")
    return tmp_path / "data"


def visible(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]


def test_second_call_opens_the_same_cache(discs, discs_data, prepared_discs):
    before = sorted(path.stat().st_mtime_ns for path in prepared_discs.folder.iterdir())
    again = prepare(discs, discs_data, prepared_discs.folder.parent)
    assert again == prepared_discs
    assert sorted(path.stat().st_mtime_ns for path in prepared_discs.folder.iterdir()) == before


def test_fingerprint_follows_voxels_and_options_only(discs, discs_data, prepared_discs, tmp_path):
    elsewhere = tmp_path / "copy"
    shutil.copytree(discs_data / "discs", elsewhere / "discs")
    assert prepare(discs, elsewhere, tmp_path / "a").fingerprint == prepared_discs.fingerprint
    renamed = discs.model_copy(update={"title": "Another title"})
    assert prepare(renamed, elsewhere, tmp_path / "b").fingerprint == prepared_discs.fingerprint
    for number, change in enumerate(
        (
            {"size": (16, 16)},
            {"normalise": Normalisation(kind="minmax")},
            {"resample": Resampling(inplane_mm=2.0)},
            {"slices": "coronal"},
        )
    ):
        changed = prepare(discs.model_copy(update=change), elsewhere, tmp_path / f"c{number}")
        assert changed.fingerprint != prepared_discs.fingerprint
    write_discs(elsewhere / "discs", patients=1, size=28)
    (elsewhere / "discs" / "labels" / "p1.nii.gz").write_bytes(
        (elsewhere / "discs" / "labels" / "p2.nii.gz").read_bytes()
    )
    assert prepare(discs, elsewhere, tmp_path / "d").fingerprint != prepared_discs.fingerprint


def test_several_workers_prepare_the_same(discs, discs_data, prepared_discs, tmp_path):
    calls = []
    several = prepare(discs, discs_data, tmp_path, lambda *done: calls.append(done), workers=2)
    assert several.fingerprint == prepared_discs.fingerprint
    assert several.cases == prepared_discs.cases
    assert calls == [(done, 8) for done in range(9)]
    for case in several.cases:
        np.testing.assert_array_equal(several.images(case), prepared_discs.images(case))


def test_failure_leaves_nothing_behind(discs, copy, tmp_path):
    (copy / "discs" / "images" / "p5_a.nii.gz").write_bytes(b"broken")
    with pytest.raises(InputError, match="case 'p5'"):
        prepare(discs, copy, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_interrupted_call_goes_on_where_it_stopped(discs, copy, tmp_path, prepared_discs, monkeypatch):
    examined = []
    examine = prepare_module.examine

    def stop_at_fourth(files, description):
        if files.case == "p4" and not examined.count("stopped"):
            examined.append("stopped")
            raise KeyboardInterrupt
        examined.append(files.case)
        return examine(files, description)

    monkeypatch.setattr(prepare_module, "examine", stop_at_fourth)
    with pytest.raises(KeyboardInterrupt):
        prepare(discs, copy, tmp_path / "cache")
    assert visible(tmp_path / "cache") == []
    finished = prepare(discs, copy, tmp_path / "cache")
    assert examined == ["p0", "p1", "p2", "p3", "stopped", "p4", "p5", "p6", "p7"]
    assert finished.fingerprint == prepared_discs.fingerprint
    assert sorted(path.name for path in finished.folder.iterdir()) == sorted(
        path.name for path in prepared_discs.folder.iterdir() if "maps" not in path.name
    )
    assert visible(tmp_path / "cache") == [finished.folder]


def test_a_case_that_changed_meanwhile_is_prepared_anew(discs, copy, tmp_path, monkeypatch):
    examine, examined = prepare_module.examine, []

    def stop_at_fourth(files, description):
        examined.append(files.case)
        if examined.count("p4") == 1 and files.case == "p4":
            raise KeyboardInterrupt
        return examine(files, description)

    monkeypatch.setattr(prepare_module, "examine", stop_at_fourth)
    with pytest.raises(KeyboardInterrupt):
        prepare(discs, copy, tmp_path / "cache")
    shutil.copy(copy / "discs/images/p7_b.nii.gz", copy / "discs/images/p1_b.nii.gz")
    discs = discs.model_copy(update={"accept": {"duplicate_image": ("p7",)}})
    prepare(discs, copy, tmp_path / "cache")
    assert examined == ["p0", "p1", "p2", "p3", "p4", "p1", "p4", "p5", "p6", "p7"]


def test_tampering_with_a_source_file_is_noticed_even_if_its_times_are_restored(
    discs, copy, tmp_path, caplog
):
    first = prepare(discs, copy, tmp_path / "cache")
    for path in (copy / "discs").rglob("*.nii.gz"):  # long ago, so that digests are remembered
        os.utime(path, (1e9, 1e9))
    victim = copy / "discs" / "labels" / "p3.nii.gz"
    image = nib.load(victim)
    tampered = np.asarray(image.dataobj).copy()
    tampered[0, 0, 0] = 1
    before = victim.stat()
    nib.Nifti1Image(tampered, image.affine).to_filename(victim)
    os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
    with caplog.at_level(logging.WARNING):
        second = prepare(discs, copy, tmp_path / "cache")
    assert second.fingerprint != first.fingerprint
    assert "the files of p3 have changed since it was prepared" in caplog.text


def test_digests_are_remembered_once_files_have_settled(discs, copy, tmp_path, monkeypatch):
    from harness.data import source_digest

    monkeypatch.setattr(source_digest, "_SETTLED_NS", 0)
    prepare(discs, copy, tmp_path / "cache")
    read = []
    monkeypatch.setattr(source_digest, "_digest", read.append)
    prepare(discs, copy, tmp_path / "cache")
    assert read == []


def test_memory_holds_one_case_at_a_time(discs, copy, tmp_path, monkeypatch):
    import gc
    import weakref

    alive: list[weakref.ref[np.ndarray]] = []
    examine = prepare_module.examine

    def watch(files, description):
        gc.collect()
        assert not any(reference() is not None for reference in alive)
        case, examination = examine(files, description)
        alive.append(weakref.ref(case.image))
        return case, examination

    monkeypatch.setattr(prepare_module, "examine", watch)
    prepare(discs, copy, tmp_path / "cache")
    assert len(alive) == 8


def test_slices_restack_to_the_source_volume(prepared_discs):
    for case in prepared_discs.cases:
        restacked = prepared_discs.restack(case, np.array(prepared_discs.labels(case)))
        np.testing.assert_array_equal(restacked, prepared_discs.truth(case))


@pytest.mark.parametrize("shape", [(9, 12), (16, 16), (17, 31), (8, 40)])
def test_fit_and_back_keeps_what_was_inside(shape):
    array = np.random.default_rng(1).normal(size=(2, *shape))
    window = fit(array, (16, 16))
    back = fit(window, shape)
    kept = back != 0
    np.testing.assert_array_equal(back[kept], array[kept])
    assert kept.sum() == 2 * min(shape[0], 16) * min(shape[1], 16)


def test_images_are_normalised_per_case(prepared_discs, discs_data):
    for case in prepared_discs.cases:
        inner = fit(np.array(prepared_discs.images(case)), case.shape[1:])
        assert inner.mean(axis=(0, 2, 3)) == pytest.approx(0, abs=1e-5)
        assert inner.std(axis=(0, 2, 3)) == pytest.approx(1, abs=1e-4)


def test_channels_may_be_normalised_each_in_its_way(discs, discs_data, tmp_path):
    each = (Normalisation(kind="minmax"), Normalisation(kind="percentile", percentiles=(10, 60)))
    prepared = prepare(discs.model_copy(update={"normalise": each}), discs_data, tmp_path)
    case = prepared.cases[0]
    images = fit(np.array(prepared.images(case)), case.shape[1:])
    assert (images[:, 0].min(), images[:, 0].max()) == (0, 1)
    source = read_case(find_cases(discs_data / "discs", discs)[0], discs).image[1]
    low, high = np.percentile(source, (10, 60))
    np.testing.assert_allclose(images[:, 1], (source.clip(low, high) - low) / (high - low), atol=1e-6)


def test_a_window_of_intensities_becomes_0_to_1(discs, discs_data, tmp_path):
    how = Normalisation(kind="window", window=(-0.2, 0.6))
    prepared = prepare(discs.model_copy(update={"normalise": how}), discs_data, tmp_path)
    case = prepared.cases[0]
    source = read_case(find_cases(discs_data / "discs", discs)[0], discs).image
    expected = (source.clip(-0.2, 0.6) + 0.2) / 0.8
    np.testing.assert_allclose(
        fit(np.array(prepared.images(case)), case.shape[1:]), expected.swapaxes(0, 1), atol=1e-6
    )
    for wrong in (
        {"kind": "window"},
        {"kind": "zscore", "window": (0, 1)},
        {"kind": "window", "window": (2, 1)},
    ):
        with pytest.raises(ValueError, match=r"window|below the second"):
            Normalisation(**wrong)


def test_resampled_slices_have_the_wanted_pixels_and_go_back_to_the_source_grid(discs, discs_data, tmp_path):
    wanted = discs.model_copy(update={"resample": Resampling(inplane_mm=(0.5, 2.0)), "size": (64, 16)})
    prepared = prepare(wanted, discs_data, tmp_path)
    case = prepared.cases[0]
    assert (case.shape, case.grid) == ((3, 28, 28), (56, 14))
    assert case.slice_spacing == (3.0, 0.5, 2.0)
    assert prepared.images(case).shape == (3, 2, 64, 16)
    finer = discs.model_copy(update={"resample": Resampling(inplane_mm=0.5), "size": (56, 56)})
    fine = prepare(finer, discs_data, tmp_path)
    np.testing.assert_array_equal(
        fine.restack(case := fine.cases[0], np.array(fine.labels(case))), fine.truth(case)
    )
    distances = fine.derived(case, "distance_maps")[0]  # in millimetres: half a pixel is a quarter
    assert np.abs(distances).min() == pytest.approx(0.25, abs=1e-6)


def test_labels_take_the_nearest_pixel_and_keep_their_codes():
    labels = np.array([[[1, 2], [3, 255]]], np.uint8)
    np.testing.assert_array_equal(resample_labels(labels, (4, 2))[0], [[1, 2], [1, 2], [3, 255], [3, 255]])
    assert resampled_grid((10, 10), (1.0, 1.0), (3.0, 100.0)) == (3, 1)


def test_derived_arrays_may_look_beyond_the_frame(prepared_discs):
    case = prepared_discs.cases[0]
    plain = prepared_discs.derived(case, "distance_maps")
    wide = prepared_discs.derived(case, "distance_maps", margin=3)
    assert wide.shape == (*plain.shape[:2], plain.shape[2] + 6, plain.shape[3] + 6)
    np.testing.assert_array_equal(wide[:, 1, 3:-3, 3:-3], plain[:, 1])


PLANES = {
    "axial": ((5, 6, 4), (3.0, 2.0, 1.0)),
    "coronal": ((6, 5, 4), (2.0, 3.0, 1.0)),
    "sagittal": ((4, 5, 6), (1.0, 3.0, 2.0)),
}


@pytest.mark.parametrize("plane", PLANES)
def test_any_plane_can_be_cut_and_restacked(tmp_path, plane):
    generator = np.random.default_rng(0)
    label = (generator.random((4, 6, 5)) < 0.3).astype(np.uint8)
    write_nifti(tmp_path / "v" / "c_im.nii.gz", generator.normal(size=label.shape), (1.0, 2.0, 3.0))
    write_nifti(tmp_path / "v" / "c_lb.nii.gz", label, (1.0, 2.0, 3.0))
    description = DatasetDescription.model_validate(
        {
            "name": "v",
            "title": "V",
            "layout": "files",
            "files": {"channels": ("{case}_im.nii.gz",), "label": "{case}_lb.nii.gz"},
            "channels": ("im",),
            "classes": {1: "x"},
            "labels": {0: 0, 1: 1},
            "size": (8, 8),
            "slices": plane,
        }
    )
    prepared = prepare(description, tmp_path, tmp_path / "cache")
    (case,) = prepared.cases
    assert (case.shape, case.spacing) == PLANES[plane]
    np.testing.assert_array_equal(
        prepared.restack(case, np.array(prepared.labels(case))), prepared.truth(case)
    )
    assert np.sum(prepared.truth(case)) == label.sum()


def test_patients_know_their_cases_load_and_site(discs, discs_data, tmp_path):
    files = discs.files.model_copy(update={"patient": "(p[01])|(p)", "site": "labels/(p[0-9])"})
    everyone = discs.model_copy(update={"files": discs.files.model_copy(update={"site": files.site})})
    patients = prepare(everyone, discs_data, tmp_path).patients
    assert [patient.name for patient in patients] == [f"p{n}" for n in range(8)]
    assert {patient.site for patient in patients} == {f"p{n}" for n in range(8)}
    assert all(0 < patient.load < 0.2 for patient in patients)


def test_warnings_are_kept_with_the_cache(discs, copy, tmp_path):
    write_nifti(copy / "discs" / "labels" / "p2.nii.gz", np.zeros((28, 28, 3), np.uint8))
    prepared = prepare(discs, copy, tmp_path / "cache")
    assert prepared.warnings == ("case 'p2': has no foreground; right if the patient has none",)
    assert json.loads((prepared.folder / "index.json").read_text())["warnings"] == list(prepared.warnings)


def test_a_folder_may_have_the_archives_own_name(discs, discs_data, tmp_path):
    official = discs.model_copy(update={"folders": ("Task99_Discs",)})
    shutil.copytree(discs_data / "discs", tmp_path / "Task99_Discs")
    assert official.folder_in(tmp_path).name == "Task99_Discs"
    assert official.folder_in(discs_data).name == "discs"
    assert official.folder_in(tmp_path / "nowhere").name == "discs"


def test_the_cache_tells_how_images_become_slices(discs, discs_data, tmp_path):
    named = discs.model_copy(update={"accept": {"duplicate_image": ("p1",)}, "folders": ("jane",)})
    prepared = prepare(named, discs_data, tmp_path)
    assert prepared.description is not None
    found = DatasetDescription.model_validate_json(json.dumps(prepared.description))
    left_out = {"accept": {}, "folders": (), "split": found.split}
    assert found == named.model_copy(update=left_out)
    index = prepared.folder / "index.json"
    older = json.loads(index.read_text())
    del older["description"]
    index.write_text(json.dumps(older))
    assert open_prepared(prepared.folder).description is None
