"""Frames for notebooks: ``harness.store.open``."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import create_engine

import harness.store
from harness.errors import InputError
from harness.store import frames
from harness.store.database import Database, open_database
from harness.store.results import Results
from harness.store.trials import TrialStore
from tests.store.made_up import STUDY, filled


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def made_up(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with filled(request.param, request, tmp_path_factory.mktemp("made_up")) as database:
        yield database


@pytest.fixture
def results(made_up: Database) -> Iterator[Results]:
    with harness.store.open(made_up.url) as results:
        yield results


def test_scores_can_be_filtered_by_every_name(results: Results) -> None:
    everything = results.scores(STUDY)
    for column, name, wanted in (
        ("metric", "metric", "dsc"),
        ("metric", "metric", ["dsc", "hd95"]),
        ("dataset", "dataset", "eyes"),
        ("part", "part", "test"),
        ("checkpoint", "checkpoint", ("last",)),
        ("label", "loss", ["Dice", "a&b_<c>|$x$"]),
    ):
        found = results.scores(STUDY, **{name: wanted})  # type: ignore[arg-type]
        names = [wanted] if isinstance(wanted, str) else list(wanted)
        same = everything[everything[column].isin(names)].reset_index(drop=True)
        assert 0 < len(found) < len(everything)
        assert found[column].cat.categories.tolist() == sorted(names)
        pd.testing.assert_frame_equal(found.astype(object), same.astype(object), check_dtype=False)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ({"metric": "hd59"}, "no metric 'hd59' in these results; did you mean 'hd95'?"),
        ({"dataset": "eye"}, "no dataset 'eye' in these results; did you mean 'eyes'?"),
        ({"loss": ["Dice", "Dise"]}, "no loss 'Dise' in these results; did you mean 'Dice'?"),
        ({"part": "testing"}, "no part 'testing' in these results; did you mean 'test'?"),
        ({"checkpoint": "x"}, "no checkpoint 'x' in these results; known: best, last"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(
    results: Results, names: dict[str, str], sentence: str
) -> None:
    with pytest.raises(InputError) as refusal:
        results.scores(STUDY, **names)
    assert str(refusal.value) == sentence


def test_an_unknown_study_is_refused(results: Results) -> None:
    for read in (results.scores, results.curves, results.class_curves, results.trials, results.cases):
        with pytest.raises(InputError, match=r"no study 'made-down'.*'made-up'"):
            read("made-down")
    with pytest.raises(InputError, match="no study 'made-down'"):
        results.leaderboard("made-down")


def test_frames_are_those_of_the_reports(results: Results, made_up: Database) -> None:
    for name in ("curves", "class_curves", "trials", "cases"):
        pd.testing.assert_frame_equal(getattr(results, name)(STUDY), getattr(frames, name)(made_up, STUDY))
    pd.testing.assert_frame_equal(results.metrics(), frames.metrics(made_up))


def test_texts_are_categories(results: Results) -> None:
    for frame, columns in (
        (results.scores(STUDY), ("dataset", "label", "patient", "case", "metric", "reason")),
        (results.curves(STUDY), ("dataset", "label", "family", "state")),
        (results.trials(STUDY), ("label", "state", "reason", "numerics")),
        (results.leaderboard(), ("study", "dataset", "metric", "loss")),
    ):
        for column in columns:
            assert isinstance(frame[column].dtype, pd.CategoricalDtype), column


def test_studies_count_their_trials(results: Results) -> None:
    (study,) = results.studies().to_dict("records")
    assert (study["study"], study["title"]) == (STUDY, "A made-up comparison")
    assert (study["trials"], study["done"], study["diverged"], study["failed"]) == (42, 41, 1, 0)


def test_the_leaderboard_is_sorted_and_filtered(results: Results) -> None:
    board = results.leaderboard(STUDY, dataset="eyes", metric="dsc", part="test")
    assert board["rank"].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert board["mean"].is_monotonic_decreasing
    with pytest.raises(InputError, match="did you mean 'hd95'"):
        results.leaderboard(STUDY, metric="hd59")


def test_a_query_gives_a_frame(results: Results) -> None:
    found = results.query("select loss, count(*) as trials from v_trial group by loss order by loss")
    assert found.columns.tolist() == ["loss", "trials"]
    assert found["trials"].tolist() == [6] * 7
    assert results.query("select loss from v_trial where 1 = 0").columns.tolist() == ["loss"]
    with pytest.raises(InputError, match="more than read"):
        results.query("delete from trial")


def test_passwords_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.store.results.study_names", lambda _database: ["one"])
    results = Results(Database(create_engine("postgresql+psycopg://me:hunter2@nowhere/results")))
    for shown in (repr(results), results._repr_html_()):
        assert "one" in shown
        assert "nowhere/results" in shown
        assert "hunter2" not in shown


def test_names_are_no_html(made_up: Database) -> None:
    with harness.store.open(made_up.url) as results:
        before = results._repr_html_()
        assert "<li>made-up</li>" in before
        assert repr(results).startswith("Results(")
    TrialStore(made_up, "x").register_study("<b>&", "", {})
    with harness.store.open(made_up.url) as results:
        assert "<li>&lt;b&gt;&amp;</li>" in results._repr_html_()
        assert len(results.scores("<b>&")) == 0
        assert results.curves("<b>&").empty
        assert results.class_curves("<b>&").empty
    with made_up.write() as connection:
        connection.exec_driver_sql("DELETE FROM study WHERE name = '<b>&'")


def test_a_file_and_a_home_folder_are_opened(tmp_path: Path) -> None:
    open_database(f"sqlite:///{tmp_path / 'results.db'}", create=True).close()
    for source in (tmp_path, tmp_path / "results.db", str(tmp_path / "results.db")):
        with harness.store.open(source) as results:
            assert results.studies().empty
            assert results.leaderboard().empty
    with pytest.raises(InputError, match="no results in database"):
        harness.store.open(tmp_path / "other.db")


def test_importing_the_store_waits_for_no_pandas() -> None:
    program = (
        "import sys, harness.store; assert 'pandas' not in sys.modules and 'sqlalchemy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
