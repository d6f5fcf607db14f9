"""``lossbench logs``: what a trial told, also while it runs, and what there is without a log."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from harness.cli.main import app
from harness.cli.watching import trial_text
from harness.errors import InputError
from harness.store.database import Database, open_database
from harness.store.schema import LossRow
from harness.store.watching import trial_head
from tests.cli.test_status import LOSSES, add_study, change, end, key_of, run

KEY = key_of(LOSSES[1], 1)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A study of which one trial is at work."""
    database = open_database(url, create=True)
    add_study(database)
    run(database, KEY, 3)
    yield database
    database.close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the log of the trial lies; it is not there yet."""
    path = trial_text.log_of(tmp_path / "artifacts", KEY)
    path.parent.mkdir(parents=True)
    return path


def write(path: Path, text: str) -> None:
    """Append a line as a driver does."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write(f"2026-11-25T14:30:05Z {text}\n")


def logs(database: Database, home: Path, *arguments: str) -> str:
    done = CliRunner().invoke(
        app, ["logs", *arguments, "--home", str(home), "--db", database.url], catch_exceptions=False
    )
    assert done.exit_code == 0
    return done.stdout


def test_the_head_says_which_trial_it_is_and_the_log_follows(database, tmp_path, log):
    write(log, "attempt 1 begins on worker 2")
    write(log, "epoch 0: loss \x1b[31m0.5\n  second line")
    lines = logs(database, tmp_path, KEY[:8]).splitlines()
    assert lines[0] == f"trial {KEY[:12]} running, epochs done: 3"
    assert lines[1] == r"study demo: set / Dice [red]\x1b / seed 1"
    assert lines[2].endswith("Z attempt 1 begins on worker 2")
    assert lines[3].endswith(r"Z epoch 0: loss \x1b[31m0.5")
    assert lines[4] == "  second line"


def test_a_failure_is_explained_also_without_the_log(database, tmp_path):
    end(database, KEY, "failed")
    change(database, KEY, attempts=3)
    lines = logs(database, tmp_path, KEY).splitlines()
    assert lines[0] == f"trial {KEY[:12]} failed after 3 attempts: ValueError: no"
    assert "the database has the traceback:" in " ".join(lines)
    assert lines[-1] == "Traceback ..."


def test_without_any_log_the_sentence_names_the_remedy(database, tmp_path):
    with pytest.raises(InputError, match=r"has no log in .*give that folder with --home"):
        logs(database, tmp_path, KEY)
    assert logs(database, tmp_path, key_of(LOSSES[0], 3)).splitlines()[-1] == "it has not begun"
    with pytest.raises(InputError, match="no trial 'demo-9'"):
        logs(database, tmp_path, "demo-9")


def test_predictions_that_were_scored_have_no_log(database, tmp_path):
    end(database, KEY)
    with database.write() as connection:
        connection.execute(update(LossRow).values(family="external"))
    with pytest.raises(InputError, match="its predictions were scored"):
        logs(database, tmp_path, KEY)


def test_json_gives_everything(database, tmp_path, log):
    write(log, "attempt 1\x1b begins")
    found = json.loads(logs(database, tmp_path, KEY, "--json"))
    assert (found["key"], found["state"], found["seed"]) == (KEY, "running", 1)
    assert found["places"] == [{"study": "demo", "dataset": "set", "loss": LOSSES[1]}]
    assert found["log"][0].endswith("attempt 1\x1b begins")
    assert json.loads(logs(database, tmp_path, key_of(LOSSES[0], 3), "--json"))["log"] is None


def test_following_prints_what_is_added_until_the_trial_is_over(database, tmp_path, log, monkeypatch):
    monkeypatch.setattr(trial_text, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(trial_text, "_ASK_SECONDS", 0.0)
    asked = 0

    def ask():
        nonlocal asked
        asked += 1
        if asked == 2:
            write(log, "attempt 1 begins")  # the log was not there before
        if asked == 3:
            with log.open("ab") as stream:
                stream.write(b"half a li")
        if asked == 4:
            raise InputError("the database does not answer")
        if asked == 5:
            with log.open("ab") as stream:
                stream.write(b"ne \xff\n")
        if asked == 6:
            end(database, KEY)
            with log.open("ab") as stream:
                stream.write(b"it is done")
        return trial_head(database, KEY)

    lines = list(trial_text.growing_text(trial_head(database, KEY), log, ask))
    assert lines[0].endswith("Z attempt 1 begins")
    assert lines[1:3] == [r"half a line \xff", "it is done"]
    assert lines[3] == f"trial {KEY[:12]} done, best validation DSC 0.700"


def test_a_trial_that_is_over_is_not_followed(database, tmp_path, log):
    write(log, "it is done")
    end(database, KEY)
    lines = logs(database, tmp_path, KEY, "--follow").splitlines()
    assert lines[2].endswith("it is done")


def test_a_key_that_is_a_path_leads_out_of_no_folder(database, tmp_path):
    (tmp_path / "log.txt").write_text("private")
    change(database, KEY, key="../log.txt")
    assert trial_text.log_of(tmp_path / "artifacts", "..") is None
    with pytest.raises(InputError, match="names no folder"):
        logs(database, tmp_path, "../log")


def test_ctrl_c_ends_following_quietly(tmp_path, log):
    database = open_database(f"sqlite:///{tmp_path / 'results.db'}", create=True)
    add_study(database)
    run(database, KEY, 1)
    write(log, "attempt 1 begins")
    # A job in the background of a shell ignores Ctrl-C from the start.
    command = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from harness.cli.main import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", command, "logs", KEY, "-f", "--home", tmp_path, "--db", database.url],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    stopper = threading.Timer(60, process.kill)
    stopper.start()
    assert process.stdout is not None
    for line in process.stdout:
        if "attempt 1" in line:
            break
    time.sleep(0.2)
    process.send_signal(2)
    _, told = process.communicate()
    stopper.cancel()
    database.close()
    assert (process.returncode, told) == (0, "")
