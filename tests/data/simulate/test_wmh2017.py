"""The simulated WMH 2017: same tree, types and traits as the archive, reproducible to the byte."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from harness.data.description import catalogue
from harness.data.layouts import find_cases
from harness.data.simulate import TARGETS, simulate
from harness.data.simulate.anatomy import grow, render
from harness.data.simulate.scanner import SITES, Grid, smooth_field
from harness.data.simulate.wmh2017 import _identity
from harness.data.simulate.wmh2017.tissue import distance_mm, segment

COARSE_MM = 4.0
CASES = 6


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data") / "wmh2017"
    return simulate("wmh2017", out, cases=CASES, seed=3, inplane_mm=COARSE_MM)


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def load(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj)


def test_tree_is_the_archives_and_the_layout_reads_it(simulated: Path) -> None:
    cases = find_cases(simulated, catalogue()["wmh2017"])
    assert [(case.site, case.case) for case in cases] == [
        ("Utrecht", "0"),
        ("Utrecht", "2"),
        ("Singapore", "50"),
        ("Singapore", "51"),
        ("GE3T", "100"),
        ("GE3T", "101"),
    ]
    files = {path for path in contents(simulated) if path.startswith("GE3T/100/")}
    assert files == {"GE3T/100/pre/FLAIR.nii.gz", "GE3T/100/pre/T1.nii.gz", "GE3T/100/wmh.nii.gz"}


def test_types_orientation_and_grid_are_the_archives(simulated: Path) -> None:
    for case in find_cases(simulated, catalogue()["wmh2017"]):
        flair, t1, label = (nib.load(path) for path in (*case.channels, case.label))
        dtypes = [image.get_data_dtype() for image in (flair, t1, label)]
        assert dtypes == [np.float32, np.uint16, np.float32]
        assert flair.shape == t1.shape == label.shape
        assert flair.shape[2] == SITES[str(case.site)].shape[2]
        assert flair.header.get_zooms() == (COARSE_MM, COARSE_MM, 3.0)
        for image in (flair, t1, label):
            assert nib.aff2axcodes(image.affine) == ("L", "P", "S")
            assert np.array_equal(image.affine, flair.affine)
            assert image.header["qform_code"] == image.header["sform_code"] == 1
        assert set(np.unique(load(case.label))) <= {0.0, 1.0, 2.0}
        assert np.isfinite(load(case.channels[0])).all()


@pytest.mark.parametrize("site", sorted(SITES))
def test_own_voxel_size_is_the_scanners(site: str) -> None:
    grid = Grid(SITES[site].shape, SITES[site].spacing)
    assert np.allclose(np.abs(np.diag(grid.affine)[:3]), SITES[site].spacing)
    assert np.allclose(grid.affine @ [*((np.array(grid.shape) - 1) / 2), 1], [0, 0, 0, 1])


def test_field_of_view_does_not_depend_on_the_voxel_size() -> None:
    grid = Grid((240, 230, 48), (0.958, 1.0, 3.0))
    coarse = grid.coarser(2.0)
    assert coarse.shape == (115, 115, 48)
    assert coarse.spacing == (2.0, 2.0, 3.0)


def test_smooth_field_is_the_same_on_finer_grids() -> None:
    coarse, fine = Grid((31, 31, 9), (4.0, 4.0, 3.0)), Grid((61, 61, 9), (2.0, 2.0, 3.0))
    fields = [smooth_field(np.random.default_rng(0), grid, 20.0) for grid in (coarse, fine)]
    assert np.allclose(fields[0], fields[1][::2, ::2], atol=1e-4)
    assert 0.7 < fields[1].std() < 1.3


def test_lesion_load_and_counts_are_in_the_archives_range(simulated: Path) -> None:
    fractions, counts, positive = [], [], []
    for case in find_cases(simulated, catalogue()["wmh2017"]):
        lesion = load(case.label) == 1
        fractions.append(100 * lesion.mean())
        counts.append(ndimage.label(lesion, np.ones((3, 3, 3)))[1])
        positive.append(lesion.any(axis=(0, 1)).mean())
    assert 0.005 < min(fractions) < max(fractions) < 1.2
    assert 0.05 < np.median(fractions) < 0.5
    assert 4 <= min(counts) <= max(counts) <= 160
    assert 0.1 < min(positive) < max(positive) < 0.75


def test_lesions_are_bright_on_flair_and_other_pathology_occurs(simulated: Path) -> None:
    codes = set()
    for case in find_cases(simulated, catalogue()["wmh2017"]):
        flair, label = load(case.channels[0]), load(case.label)
        head = flair > 0.5 * np.median(flair[label == 1])
        assert 1.15 < np.median(flair[label == 1]) / np.median(flair[head & (label == 0)]) < 1.8
        codes |= set(np.unique(label))
    assert codes == {0.0, 1.0, 2.0}


def test_only_amsterdam_is_defaced_with_zeros(simulated: Path) -> None:
    for case in find_cases(simulated, catalogue()["wmh2017"]):
        zero = (load(case.channels[0]) == 0).mean()
        assert 0.12 < zero < 0.46 if case.site == "GE3T" else zero < 0.001


def test_interrupted_simulation_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.data.simulate.wmh2017.render", fail)
    with pytest.raises(KeyboardInterrupt):
        simulate("wmh2017", tmp_path / "out", cases=1, seed=0, inplane_mm=8.0)
    assert list(tmp_path.iterdir()) == []


def test_subset_of_sites_cycles_through_that_subset(tmp_path: Path) -> None:
    out = simulate("wmh2017", tmp_path / "out", cases=2, seed=0, inplane_mm=8.0, sites=["GE3T"])
    assert sorted(str(path.relative_to(out)) for path in out.glob("*/*")) == ["GE3T/100", "GE3T/101"]


def test_ids_never_repeat_beyond_the_archives_sixty() -> None:

    identities = [_identity(site, turn) for site in SITES for turn in range(130)]
    assert len(set(identities)) == len(identities)
    assert {_identity("Utrecht", turn) for turn in range(20)} >= {0, 2, 6, 21, 23, 33, 35}


def test_measured_numbers_of_a_small_simulation(simulated: Path) -> None:
    targets = TARGETS["wmh2017"](simulated, 1)
    rows = {(target.quantity, target.group): target for target in targets}
    assert len(rows) == len(targets)
    assert {target.group for target in targets} == {"all", *SITES}
    volumes = [load(case.label) == 1 for case in find_cases(simulated, catalogue()["wmh2017"])]
    median_ml = np.median([volume.sum() * COARSE_MM**2 * 3 / 1000 for volume in volumes])
    assert rows["lesion volume, median", "all"].measured == pytest.approx(median_ml)
    assert rows["share of slices without a lesion", "all"].measured == pytest.approx(
        sum(int((~volume.any(axis=(0, 1))).sum()) for volume in volumes)
        / sum(volume.shape[2] for volume in volumes)
    )
    assert rows["the same, published validation cases", "all"].measured is None
    absent = {target.quantity for target in targets if target.measured is None}
    assert absent == {"the same, published validation cases"}


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 3.0), (2.0, 1.5, 3.0)])
def test_brain_and_ventricles_are_found_in_the_images(spacing: tuple[float, float, float]) -> None:
    grid = Grid((round(200 / spacing[0]), round(230 / spacing[1]), 50), spacing)
    anatomy = grow(grid, np.random.default_rng(5))
    none = np.zeros(grid.shape, np.float32)
    flair, t1 = (render(anatomy, contrast, none) for contrast in (SITES["GE3T"].flair, SITES["GE3T"].t1))
    tissue = segment(flair, t1, np.zeros(grid.shape, np.uint8), spacing)
    assert 2 * (tissue.brain & anatomy.brain).sum() / (tissue.brain.sum() + anatomy.brain.sum()) > 0.95
    true_mm = distance_mm(anatomy.brain & (anatomy.ventricle_mm < 0), spacing)
    found_mm = distance_mm(tissue.ventricles, spacing)
    assert np.mean((true_mm <= 10) == (found_mm <= 10), where=anatomy.white > 0.5) > 0.9
    assert anatomy.white[tissue.nawm].mean() > 0.9


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [0, 7])
def test_published_medians_are_met_by_sixty_cases(tmp_path: Path, seed: int) -> None:
    folder = simulate("wmh2017", tmp_path / "wmh2017", cases=60, seed=seed, workers=2)
    missed = [target for target in TARGETS["wmh2017"](folder, 2) if target.judged and not target.within]
    assert missed == []
