"""Tuning with real trainings never looks at a test case: what those hold changes nothing."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data.prepared import PreparedDataset, open_prepared
from harness.data.splits import HoldoutSplit, partition
from harness.store.artifacts import folder_of
from harness.store.database import file_url, open_database
from harness.study.seeds import INNER_SEED
from harness.training.trainer import PREDICTIONS_FILE
from harness.tuning.history import SearchHistory, load_searches
from tests.conftest import lossbench

STUDY = """\
study: careful
datasets: [{manifest}]
seeds: 2
protocol: {{epochs: 3, batch_size: 4}}
model: {{name: unet2d, base_channels: 4, depth: 2}}
losses: [{{label: GDL + BL, loss: gdl + boundary, alpha: {{schedule: rebalance, over: 1.0}}}}]
tuning: {tuning}
"""
BY_PRUNED_DSC = (
    "{losses: all, configurations: 4, inner_seeds: 2, sampler: {name: tpe, startup: 2}, "
    "pruner: {name: median, startup: 2}}"
)
BY_HD95 = "{losses: all, configurations: 3, metric: hd95}"

Tune = Callable[[str, str, Any], Path]


@pytest.fixture
def tune(tmp_path: Path, discs_data: Path) -> Tune:
    """Return a function that tunes in a new folder, with prepared images that were changed before."""

    def run(name: str, tuning: str, change: Callable[[PreparedDataset], object]) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        study = folder / "careful.yaml"
        study.write_text(STUDY.format(manifest=discs_data / "discs.yaml", tuning=tuning))
        done = lossbench("data", "prepare", discs_data / "discs.yaml", "--data", discs_data, cwd=folder)
        assert done.returncode == 0, done.stderr
        (prepared,) = (each for each in (folder / "lossbench-home" / "prepared").iterdir() if each.is_dir())
        change(open_prepared(prepared))
        done = lossbench("tune", study, "--data", discs_data, "--local", cwd=folder)
        assert done.returncode == 0, done.stderr
        return folder

    return run


def as_it_is(_prepared: PreparedDataset) -> None:
    """Change nothing."""


def held_out(prepared: PreparedDataset) -> set[str]:
    """Return the test cases: the same for all seeds."""
    split = HoldoutSplit(test=2, validation=2)
    return set(partition(split, prepared.patients, 0).test)


def poison(prepared: PreparedDataset) -> None:
    """Overwrite all that is prepared of the test cases with noise."""
    noise = np.random.default_rng(0)
    for case in prepared.cases_named(held_out(prepared)):
        for kind in ("images", "labels", "truth"):
            path = prepared._path(case, kind)
            array = np.load(path)
            np.save(path, noise.integers(0, 2, array.shape).astype(array.dtype))
    assert len(held_out(prepared)) == 2


def history_of(folder: Path) -> SearchHistory:
    database = open_database(file_url(folder / "lossbench-home" / "results.db"))
    (history,) = load_searches(database, "careful")
    database.close()
    return history


def found(history: SearchHistory) -> list[Any]:
    return [
        *((each.parameters, each.state, each.value, each.curve) for each in history.tried),
        history.best.parameters,
    ]


@pytest.mark.full
@pytest.mark.parametrize("tuning", [BY_PRUNED_DSC, BY_HD95], ids=["pruned by DSC", "by HD95"])
def test_noise_in_the_place_of_the_test_cases_changes_nothing(tune: Tune, tuning: str) -> None:
    clean, poisoned = (history_of(tune(change.__name__, tuning, change)) for change in (as_it_is, poison))
    assert len(clean.tried) >= 3
    assert clean.finished
    assert found(poisoned) == found(clean)


@pytest.mark.parametrize(
    "tuning", [BY_HD95, pytest.param(BY_PRUNED_DSC, marks=pytest.mark.full)], ids=["by HD95", "pruned by DSC"]
)
def test_a_search_opens_no_test_case_and_leaves_no_score_of_one(
    tune: Tune, tuning: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = set[str]()
    read = PreparedDataset._array

    def watched(self: PreparedDataset, case: Any, kind: str) -> Any:
        opened.add(case.case)
        assert case.case not in held_out(self) or kind == "labels", f"{case.case} was opened"
        return read(self, case, kind)

    monkeypatch.setattr(PreparedDataset, "_array", watched)
    folder = tune("watched", tuning, as_it_is)
    assert len(opened) >= 6
    history = history_of(folder)
    keys = [key for each in history.tried for key in each.keys]
    with closing(sqlite3.connect(folder / "lossbench-home" / "results.db")) as connection:
        seeds = connection.execute("SELECT DISTINCT seed FROM trial WHERE purpose = 'search'").fetchall()
        own = connection.execute("SELECT DISTINCT seed FROM trial WHERE purpose = 'study'").fetchall()
        parts = connection.execute("SELECT DISTINCT part FROM score").fetchall()
        kept = connection.execute("SELECT path FROM artifact").fetchall()
    assert {seed for (seed,) in seeds} == set(range(INNER_SEED, INNER_SEED + history.inner_seeds))
    assert {seed for (seed,) in own} == {0, 1}
    assert parts == [("validation",)]
    assert not [path for (path,) in kept if path.endswith(PREDICTIONS_FILE)]
    artifacts = folder / "lossbench-home" / "artifacts"
    assert not [key for key in keys if (artifacts / folder_of(key) / PREDICTIONS_FILE).exists()]
