"""What every simulator keeps to, whatever its archive."""

import json
from pathlib import Path

import pytest

from harness.data.simulate import MARKER, SIMULATORS, TARGETS, Target, simulate
from harness.errors import InputError

COARSE_MM = 6.0
SEED = 3

every_simulator = pytest.mark.parametrize("name", sorted(SIMULATORS))


@pytest.fixture(scope="module", params=sorted(SIMULATORS))
def simulated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    out = tmp_path_factory.mktemp("data") / str(request.param)
    return request.param, simulate(request.param, out, cases=1, seed=SEED, inplane_mm=COARSE_MM)


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_every_simulator_has_its_published_numbers() -> None:
    assert sorted(TARGETS) == sorted(SIMULATORS)


def test_numbers_far_off_are_told_from_those_close_by() -> None:
    near, far, none = (Target("size", "mm3", "all", 18, value) for value in (22.5, 22.6, None))
    assert (near.within, far.within, none.within) == (True, False, False)


def test_marker_says_how_the_data_was_made(simulated: tuple[str, Path]) -> None:
    name, folder = simulated
    assert json.loads((folder / MARKER).read_text()) == {
        "generator": f"lossbench {name}",
        "version": SIMULATORS[name].version,
        "seed": SEED,
        "cases": 1,
        "options": {"inplane_mm": COARSE_MM, "sites": list(SIMULATORS[name].sites)},
    }


def test_workers_and_further_cases_leave_the_first_case_as_it_is(
    simulated: tuple[str, Path], tmp_path: Path
) -> None:
    name, folder = simulated
    larger = simulate(name, tmp_path / "out", cases=2, seed=SEED, workers=2, inplane_mm=COARSE_MM)
    first = {path: data for path, data in contents(folder).items() if path != MARKER}
    assert first
    assert first.items() <= contents(larger).items()


def test_another_seed_gives_other_data(simulated: tuple[str, Path], tmp_path: Path) -> None:
    name, folder = simulated
    other = contents(simulate(name, tmp_path / "out", cases=1, seed=SEED + 1, inplane_mm=COARSE_MM))
    assert other != contents(folder)
    assert other.keys() - {MARKER}


def test_finished_simulation_is_left_alone(simulated: tuple[str, Path]) -> None:
    name, folder = simulated
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    simulate(name, folder, cases=1, seed=SEED, inplane_mm=COARSE_MM)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_another_simulation_is_not_overwritten(simulated: tuple[str, Path]) -> None:
    name, folder = simulated
    with pytest.raises(InputError, match=r"holds another simulation .*differs in cases"):
        simulate(name, folder, cases=2, seed=SEED, inplane_mm=COARSE_MM)


@every_simulator
def test_folder_with_other_files_is_not_touched(name: str, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(InputError, match="is no simulated dataset"):
        simulate(name, tmp_path, cases=1, seed=0)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


@every_simulator
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cases": 0}, "cases must lie between 1"),
        ({"seed": -1}, "seed must lie between 0"),
        ({"workers": 0}, "workers must lie between 1"),
        ({"inplane_mm": 0.0}, "inplane_mm must lie between 0.5"),
        ({"sites": ["Atlantis"]}, "Atlantis"),
    ],
)
def test_options_out_of_range_are_refused(
    name: str, options: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        simulate(name, tmp_path / "out", **{"cases": 1, "seed": 0, **options})  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [name for name in sorted(SIMULATORS) if not SIMULATORS[name].sites])
def test_sites_are_refused_where_none_is_known(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="this simulator knows no sites"):
        simulate(name, tmp_path / "out", cases=1, seed=0, sites=["Utrecht"])


@pytest.mark.parametrize("name", [name for name in sorted(SIMULATORS) if SIMULATORS[name].sites])
def test_sites_are_one_or_more_different_known_ones(name: str, tmp_path: Path) -> None:
    first = SIMULATORS[name].sites[0]
    for sites in ([], [first, first]):
        with pytest.raises(InputError, match="one or more different names"):
            simulate(name, tmp_path / "out", cases=1, seed=0, sites=sites)
    with pytest.raises(InputError, match=f"unknown site '{first[:-1]}'; did you mean '{first}'"):
        simulate(name, tmp_path / "out", cases=1, seed=0, sites=[first[:-1]])


def test_unknown_simulator_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown simulator 'wmh2018'; did you mean 'wmh2017'"):
        simulate("wmh2018", tmp_path / "out", cases=1, seed=0)
