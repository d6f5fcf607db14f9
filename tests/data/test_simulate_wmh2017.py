"""The simulated WMH 2017: same tree, types and traits as the archive, reproducible to the byte."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from harness.data.description import catalogue
from harness.data.layouts import find_cases
from harness.data.simulate import MARKER, SIMULATORS, simulate
from harness.data.simulate.scanner import SITES, Grid, smooth_field
from harness.errors import InputError

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


def test_same_seed_gives_the_same_bytes_whatever_the_workers(simulated: Path, tmp_path: Path) -> None:
    again = simulate("wmh2017", tmp_path / "again", cases=CASES, seed=3, inplane_mm=COARSE_MM, workers=2)
    assert contents(again) == contents(simulated)


def test_smaller_simulation_is_a_prefix_of_the_larger(simulated: Path, tmp_path: Path) -> None:
    first = contents(simulate("wmh2017", tmp_path / "first", cases=2, seed=3, inplane_mm=COARSE_MM))
    first.pop(MARKER)
    assert first.items() <= contents(simulated).items()
    assert len(first) == 2 * 3


def test_another_seed_gives_other_patients(simulated: Path, tmp_path: Path) -> None:
    other = simulate("wmh2017", tmp_path / "other", cases=1, seed=4, inplane_mm=COARSE_MM)
    assert not np.array_equal(load(other / "Utrecht/0/wmh.nii.gz"), load(simulated / "Utrecht/0/wmh.nii.gz"))


def test_marker_says_how_the_data_was_made(simulated: Path) -> None:
    assert json.loads((simulated / MARKER).read_text()) == {
        "generator": "lossbench wmh2017",
        "version": SIMULATORS["wmh2017"].version,
        "seed": 3,
        "cases": CASES,
        "options": {"inplane_mm": COARSE_MM, "sites": ["Utrecht", "Singapore", "GE3T"]},
    }


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


def test_finished_simulation_is_left_alone(simulated: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in simulated.rglob("*")}
    simulate("wmh2017", simulated, cases=CASES, seed=3, inplane_mm=COARSE_MM)
    assert {path: path.stat().st_mtime_ns for path in simulated.rglob("*")} == before


def test_another_simulation_is_not_overwritten(simulated: Path) -> None:
    with pytest.raises(InputError, match=r"holds another simulation .*differs in cases"):
        simulate("wmh2017", simulated, cases=CASES + 1, seed=3, inplane_mm=COARSE_MM)


def test_folder_with_other_files_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(InputError, match="is no simulated dataset"):
        simulate("wmh2017", tmp_path, cases=1, seed=0)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cases": 0}, "cases must lie between 1"),
        ({"seed": -1}, "seed must lie between 0"),
        ({"workers": 0}, "workers must lie between 1"),
        ({"inplane_mm": 0.0}, "inplane_mm must lie between 0.5"),
        ({"sites": ["Utrect"]}, "unknown site 'Utrect'; did you mean 'Utrecht'"),
        ({"sites": []}, "one or more different names"),
    ],
)
def test_options_out_of_range_are_refused(tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate("wmh2017", tmp_path / "out", **{"cases": 1, "seed": 0, **options})  # type: ignore[arg-type]


def test_unknown_simulator_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown simulator 'wmh2018'; did you mean 'wmh2017'"):
        simulate("wmh2018", tmp_path / "out", cases=1, seed=0)


def test_ids_never_repeat_beyond_the_archives_sixty() -> None:
    from harness.data.simulate.wmh2017 import _identity

    identities = [_identity(site, turn) for site in SITES for turn in range(130)]
    assert len(set(identities)) == len(identities)
    assert {_identity("Utrecht", turn) for turn in range(20)} >= {0, 2, 6, 21, 23, 33, 35}
