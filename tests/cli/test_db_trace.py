"""Where a number comes from, and the same number again, as a user does it."""

import json
import shutil
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from harness.cli.main import app
from harness.errors import InputError
from harness.store.database import open_database
from harness.store.external import store_external
from reports.results import StudyResults, load_results
from tests.conftest import STUDY, lossbench, stored_numbers
from tests.store.test_external import FOUND


@pytest.fixture(scope="module")
def finished(discs_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the tiny study has been run."""
    folder = tmp_path_factory.mktemp("jane-doe")
    (folder / "tiny.yaml").write_text(STUDY.format(manifest=discs_data / "discs.yaml"))
    done = lossbench("run", folder / "tiny.yaml", "--data", discs_data, "--local", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def key(finished: Path) -> str:
    """Key of the trial of GDL + BL with seed 1."""
    with open_database(f"sqlite:///{finished / 'lossbench-home' / 'results.db'}").read() as connection:
        question = (
            "SELECT key FROM trial JOIN loss ON loss.id = trial.loss_id "
            "WHERE seed = 1 AND expression = 'gdl + boundary'"
        )
        return str(connection.exec_driver_sql(question).scalar())


def test_the_whole_chain_is_on_one_screen(finished, key):
    done = lossbench("db", "trace", key[:8], cwd=finished)
    assert done.returncode == 0, done.stderr
    assert f"{key}  key verified" in done.stdout
    for told in (
        "done, ",
        "validation DSC 0.",
        "test DSC 0.",
        "test HD95 ",
        "tiny: GDL + BL on discs",
        "loss gdl + boundary = 1*boundary(",
        "alpha {schedule: rebalance",
        "seed 1, fold 0: cases 4 train, 2 validation, 2 test",
        "discs (Discs in noise), 8 cases of 8 patients; background, disc; fingerprint ",
        "lossbench run tiny.yaml --data ",
        "lossbench 0.1.0",
        "torch 2.",
        "1 thread, float32",
    ):
        assert told in done.stdout, told
    assert done.stdout.count(", intact") == 2
    assert len(done.stdout.splitlines()) <= 40


def test_json_gives_everything(finished, key):
    found = json.loads(lossbench("db", "trace", key, "--json", cwd=finished).stdout)
    assert (found["key"], found["key_verified"], found["seed"]) == (key, True, 1)
    assert found["run"]["resolved"]["study"] == "tiny"
    assert {"processor", "cores", "python", "numpy", "device"} <= set(found["environment"])
    assert {(number["part"], number["checkpoint"]) for number in found["numbers"]} == {
        (part, checkpoint) for part in ("validation", "test") for checkpoint in ("best", "last")
    }


def test_the_database_names_no_folder_and_no_host(finished, discs_data):
    content = (finished / "lossbench-home" / "results.db").read_bytes()
    hosts = [socket.gethostname()] if len(socket.gethostname()) > 4 else []
    for word in ("jane-doe", str(discs_data.parent), str(Path.home() / "x")[:-1], *hosts):
        assert word.encode() not in content, word


def test_a_trial_is_repeated_to_the_bit_in_another_home(finished, key, discs_data, tmp_path):
    done = lossbench("db", "rerun", key[:8], "--out", tmp_path / "again.yaml", cwd=finished)
    assert (done.returncode, done.stderr) == (0, "")
    shutil.copy(discs_data / "discs.yaml", tmp_path)
    again = lossbench("run", "again.yaml", "--data", discs_data, "--local", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "1 trials trained" in again.stdout
    first = [row for row in stored_numbers(finished) if row[0] == key]
    assert first
    assert stored_numbers(tmp_path) == first
    printed = lossbench("db", "rerun", key[:8], cwd=finished)
    assert printed.stdout == (tmp_path / "again.yaml").read_text()


def in_process(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["db", *map(str, arguments)])


@pytest.mark.parametrize(
    ("out", "sentence"),
    [
        ("there.yaml", "there.yaml' exists already; write to another file with --out, or give --force"),
        ("again.txt", "a study file's name ends in .yaml"),
        ("nowhere/again.yaml", "create it first"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused(finished, key, out, sentence, tmp_path):
    (tmp_path / "there.yaml").write_text("mine")
    refused = in_process("rerun", key, "--home", finished / "lossbench-home", "--out", tmp_path / out)
    assert isinstance(refused.exception, InputError)
    assert sentence in str(refused.exception)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_a_file_is_overwritten_when_asked(finished, key, tmp_path):
    (tmp_path / "there.yaml").write_text("mine")
    home = finished / "lossbench-home"
    done = in_process("rerun", key, "--home", home, "--out", tmp_path / "there.yaml", "--force")
    assert done.exit_code == 0
    assert key in (tmp_path / "there.yaml").read_text()


def test_predictions_made_elsewhere_are_traced_but_not_repeated(tmp_path):
    database = open_database(f"sqlite:///{tmp_path / 'lossbench-home' / 'results.db'}", create=True)
    store_external(database, replace(FOUND, command="lossbench score --label Net"))
    with database.read() as connection:
        key = str(connection.exec_driver_sql("SELECT key FROM trial").scalar())
    database.close()
    found = json.loads(in_process("trace", key, "--json", "--home", tmp_path / "lossbench-home").stdout)
    assert found["run"]["command"] == "lossbench score --label Net"
    refused = in_process("rerun", key, "--home", tmp_path / "lossbench-home")
    assert isinstance(refused.exception, InputError)
    assert "was not trained here" in str(refused.exception)


def results(folder: Path) -> StudyResults:
    database = open_database(f"sqlite:///{folder / 'lossbench-home' / 'results.db'}")
    try:
        return load_results(database, "tiny", folder, folder, peek=False)
    finally:
        database.close()


def test_a_study_in_parts_is_complete_when_its_parts_are(study_file, discs_data, tmp_path):
    def run(seed: int) -> StudyResults:
        only = ("--set", f"only.seeds=[{seed}]")
        plan = lossbench("plan", study_file, "--data", discs_data, *only, "--json", cwd=tmp_path)
        assert [cell["trials"] for cell in json.loads(plan.stdout)["cells"]] == [1, 1]
        done = lossbench("run", study_file, "--data", discs_data, "--local", *only, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "2 trials trained" in done.stdout
        return results(tmp_path)

    first, both = run(1), run(0)
    assert (first.progress.planned, first.progress.complete, first.seeds) == (2, True, 1)
    assert (both.progress.planned, both.progress.complete, both.seeds) == (4, True, 2)
