"""``lossbench tune``, and what ``run``, ``plan``, ``report`` and another study make of it."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import lossbench

TUNED = """\
study: tuned
datasets: [{manifest}]
seeds: 1
protocol: {{epochs: 2, batch_size: 4, lr_schedule: {{name: plateau, patience: 1}}}}
model: {{name: unet2d, base_channels: 4, depth: 2}}
losses:
  - {{label: CE, loss: ce}}
  - label: GDL + BL
    loss: gdl + boundary
    alpha: {{schedule: rebalance, over: 1.0}}
tuning: {{losses: [GDL + BL], configurations: 2, alpha: [constant, rebalance]}}
"""
TRANSFER = TUNED.replace("study: tuned", "study: taken").replace(
    "{{schedule: rebalance, over: 1.0}}", "{{from_study: tuned}}"
)
TRANSFER = TRANSFER[: TRANSFER.index("tuning:")]
PLACE = "tuned / discs / fold 0 / GDL + BL (tuned)"


def call(folder: Path, data: Path, command: str, study: str, *options: str) -> Any:
    where = () if command == "report" else ("--data", data)
    train = command in {"run", "tune"} and not {"--spaces", "--results", "--dry-run"} & set(options)
    return lossbench(command, study, *where, *(["--local"] if train else []), *options, cwd=folder)


def stored(folder: Path, question: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "lossbench-home" / "results.db")) as connection:
        return connection.execute(question).fetchall()


@pytest.fixture(scope="module")
def tuned(discs_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two studies, the first of which has been tuned but not run."""
    folder = tmp_path_factory.mktemp("tuned")
    for name, text in (("tuned", TUNED), ("taken", TRANSFER)):
        (folder / f"{name}.yaml").write_text(text.format(manifest=discs_data / "discs.yaml"))
    early = call(folder, discs_data, "run", "taken.yaml")
    assert early.returncode == 2
    assert (
        "study 'taken': alpha of 'GDL + BL': this database has no search of a study 'tuned'; "
        "run 'lossbench tune tuned' first, in the same database"
    ) in early.stderr
    assert not (folder / "lossbench-home" / "results.db").exists()
    done = call(folder, discs_data, "tune", "tuned.yaml", "--json")
    assert done.returncode == 0, done.stderr
    (folder / "told.json").write_text(done.stdout)
    return folder


@pytest.fixture
def copy(tuned: Path, tmp_path: Path) -> Path:
    """The folder, to go on in."""
    return Path(shutil.copytree(tuned, tmp_path / "copy"))


def test_tune_trains_configurations_and_nothing_that_reads_a_test_case(tuned: Path) -> None:
    told = json.loads((tuned / "told.json").read_text())
    assert (told["trained"], told["failed"], told["left"]) == (2, 0, 0)
    (search,) = told["searches"]
    assert (search["loss"], search["tried"], search["failed"]) == ("GDL + BL (tuned)", 2, 0)
    assert search["epochs"] == 4
    assert search["chosen"].startswith("learning_rate 0.0")
    assert "alpha.schedule" in search["chosen"]
    done = "state = 'done'"
    assert stored(tuned, f"SELECT purpose, count(*) FROM trial WHERE {done} GROUP BY 1") == [("search", 2)]
    assert stored(tuned, "SELECT DISTINCT part FROM score") == [("validation",)]


def test_run_goes_on_with_the_winner(copy: Path, discs_data: Path) -> None:
    before = json.loads(call(copy, discs_data, "plan", "tuned.yaml", "--json").stdout)
    notes = {cell["loss"]: cell["note"] for cell in before["cells"]}
    assert notes["GDL + BL (tuned)"] == "tuned over 2 configurations"
    done = call(copy, discs_data, "run", "tuned.yaml", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["trained"] == 3
    again = call(copy, discs_data, "tune", "tuned.yaml")
    assert again.returncode == 0
    assert "0 trials trained" in again.stdout
    assert "next: lossbench run tuned.yaml" in again.stdout
    question = (
        "SELECT st.label, t.purpose, count(*) FROM study_trial st JOIN trial t ON t.id = st.trial_id "
        "WHERE t.state = 'done' GROUP BY 1, 2 ORDER BY 1, 2"
    )
    assert stored(copy, question) == [
        ("CE", "study", 1),
        ("GDL + BL", "study", 1),
        ("GDL + BL (tuned)", "search", 2),
        ("GDL + BL (tuned)", "study", 1),
    ]


def test_results_are_told_at_any_time(tuned: Path, discs_data: Path) -> None:
    told = json.loads((tuned / "told.json").read_text())
    results = call(tuned, discs_data, "tune", "tuned.yaml", "--results", "--json")
    assert json.loads(results.stdout) == {"searches": told["searches"]}
    table = call(tuned, discs_data, "tune", "tuned.yaml", "--results")
    assert table.returncode == 0
    assert "searches of tuned" in table.stdout
    assert "next:" not in table.stdout


def test_spaces_are_told_before_anything_is_there(tmp_path: Path, discs_data: Path) -> None:
    (tmp_path / "tuned.yaml").write_text(TUNED.format(manifest=discs_data / "discs.yaml"))
    found = json.loads(call(tmp_path, discs_data, "tune", "tuned.yaml", "--spaces", "--json").stdout)
    rows = {(row["loss"], row["drawn"]): (row["from"], row["if"]) for row in found["spaces"]}
    label = "GDL + BL (tuned)"
    assert rows[label, "learning_rate"] == ("0.0001 to 0.01, logarithmic", "")
    assert rows[label, "alpha.schedule"] == ("constant or rebalance", "")
    assert rows[label, "alpha.rebalance.floor"] == ("0.01 to 0.5", "alpha.schedule is rebalance")
    assert found["budget"] == (
        "every loss on every fold of every dataset: 2 configurations (4 epochs), 1 training of 2 epochs "
        "each, random sampling, best validation dsc"
    )
    table = call(tmp_path, discs_data, "tune", "tuned.yaml", "--spaces", "--set", "tuning.hours=0.5")
    assert table.returncode == 2
    assert "configurations and hours exclude each other: give one budget" in table.stderr
    assert not (tmp_path / "lossbench-home").exists()


@pytest.mark.parametrize("options", [(), ("--spaces",)])
def test_a_study_that_tunes_nothing_is_refused_with_the_remedy(
    options: tuple[str, ...], study_file: Path, discs_data: Path
) -> None:
    done = call(study_file.parent, discs_data, "tune", "tiny.yaml", *options)
    assert done.returncode == 2
    assert (
        "study 'tiny' tunes nothing; add 'tuning: {losses: all}', or 'alpha: tune' to a loss" in done.stderr
    )
    assert not (study_file.parent / "lossbench-home").exists()


def test_results_before_anything_was_run_name_the_remedy(study_file: Path, discs_data: Path) -> None:
    done = call(study_file.parent, discs_data, "tune", "tiny.yaml", "--results")
    assert done.returncode == 2
    assert "no results in database" in done.stderr


def test_another_study_takes_the_schedule_and_says_whose_it_is(copy: Path, discs_data: Path) -> None:
    (best,) = json.loads((copy / "told.json").read_text())["searches"]
    done = call(copy, discs_data, "run", "taken.yaml", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["trained"] == 2
    ((document,),) = stored(copy, "SELECT resolved FROM study WHERE name = 'taken'")
    alpha = json.loads(document)["losses"][1]["alpha"]
    assert alpha["tuned_in"] == PLACE
    assert f"alpha.schedule {alpha['schedule']}" in best["chosen"]


@pytest.mark.parametrize(
    ("alpha", "sentence"),
    [
        ("{from_study: tuend}", "no search of a study 'tuend'"),
        ("{from_study: tuned, loss: GDL + BK (tuned)}", "did you mean 'GDL + BL (tuned)'?"),
        ("{from_study: tuned, dataset: disks}", "has tuned no dataset 'disks'; did you mean 'discs'?"),
        ("{from_study: tuned, fold: 3}", "has tuned no fold 3; it has 0"),
        ("{from_study: taken}", "comes from the study itself; write 'alpha: tune'"),
    ],
)
def test_a_schedule_that_is_not_there_is_refused(
    alpha: str, sentence: str, tuned: Path, discs_data: Path
) -> None:
    options = ("--set", f"losses.1.alpha={alpha}")
    done = call(tuned, discs_data, "run", "taken.yaml", *options)
    assert done.returncode == 2
    assert "study 'taken': alpha of 'GDL + BL'" in done.stderr
    assert sentence in done.stderr


def test_searches_are_merged_with_their_trials(tuned: Path, discs_data: Path, tmp_path: Path) -> None:
    done = lossbench("db", "merge", tuned / "lossbench-home", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (report,) = json.loads(done.stdout)
    assert report["searches"] == {"added": 1}
    again = lossbench("db", "merge", tuned / "lossbench-home", "--dry-run", cwd=tmp_path)
    assert "  searches: 1 equal" in again.stdout.splitlines()
    shutil.copy(tuned / "tuned.yaml", tmp_path)
    results = call(tmp_path, discs_data, "tune", "tuned.yaml", "--results", "--json")
    assert json.loads(results.stdout)["searches"] == json.loads((tuned / "told.json").read_text())["searches"]


@pytest.mark.full
def test_the_report_shows_searches_and_whose_schedule_was_taken(copy: Path, discs_data: Path) -> None:
    for study in ("tuned", "taken"):
        assert call(copy, discs_data, "run", f"{study}.yaml").returncode == 0
        report = call(copy, discs_data, "report", study)
        assert report.returncode == 0, report.stderr
    reports = copy / "lossbench-home" / "reports"
    page = (reports / "tuned" / "report.html").read_text()
    assert '<section id="tuning">' in page
    for drawn in ("learning_rate", "gdl.weighting", "alpha.rebalance.floor"):
        assert drawn in page
    assert (reports / "tuned" / "tables" / "t4_tuning_spaces.md").is_file()
    page = (reports / "taken" / "report.html").read_text()
    assert PLACE in page
    assert '<section id="tuning">' not in page
