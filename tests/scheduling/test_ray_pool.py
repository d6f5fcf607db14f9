"""Ray: the same numbers as in this process, a killed worker replaced, a killed driver's study finished."""

import json
import os
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.test_commands import LOSSBENCH, lossbench


def stored(folder: Path) -> list[tuple[object, ...]]:
    """Every score and curve point in a database, in a fixed order."""
    with sqlite3.connect(folder / "lossbench-home" / "results.db") as connection:
        scores = connection.execute(
            "SELECT t.key, c.name, s.class_index, s.metric_id, s.checkpoint, s.imputed FROM score s "
            'JOIN trial t ON t.id = s.trial_id JOIN "case" c ON c.id = s.case_id ORDER BY 1, 2, 3, 4, 5'
        ).fetchall()
        curves = connection.execute(
            "SELECT t.key, e.epoch, e.train_loss, e.val_dsc FROM epoch e "
            "JOIN trial t ON t.id = e.trial_id ORDER BY 1, 2"
        ).fetchall()
    return scores + curves


def test_ray_and_local_give_the_same_numbers(study_file, discs_data, tmp_path):
    for name, options in (("ray", ["--workers", 2]), ("local", ["--local"])):
        (tmp_path / name).mkdir()
        done = lossbench("run", study_file, "--data", discs_data, *options, cwd=tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert "4 trials trained" in done.stdout
    assert len(stored(tmp_path / "ray")) > 50
    assert stored(tmp_path / "ray") == stored(tmp_path / "local")


@pytest.mark.parametrize("options", [["--local"], ["--workers", "2"]], ids=["local", "ray"])
def test_a_study_whose_driver_was_killed_is_finished_by_the_same_command(
    study_file, discs_data, tmp_path, options
):
    command = ["run", str(study_file), "--data", str(discs_data), "--set", "protocol.epochs=6", *options]
    driver = subprocess.Popen([*LOSSBENCH, *command], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    for line in driver.stderr:
        if "done:" in line:
            break
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    with sqlite3.connect(tmp_path / "lossbench-home" / "results.db") as connection:
        survived = dict(connection.execute("SELECT key, finished FROM trial WHERE state = 'done'").fetchall())
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert 1 <= len(survived) < 4
    began = time.monotonic()
    done = lossbench(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{4 - len(survived)} trials trained; {len(survived)} already in the database" in done.stdout
    with sqlite3.connect(tmp_path / "lossbench-home" / "results.db") as connection:
        rows = connection.execute("SELECT key, state, finished FROM trial").fetchall()
    assert {state for _, state, _ in rows} == {"done"}
    assert {key: finished for key, _, finished in rows if key in survived} == survived  # not trained twice
    assert time.monotonic() - began < 100

    (tmp_path / "whole").mkdir()
    lossbench(*command[:6], "--local", cwd=tmp_path / "whole")
    assert stored(tmp_path) == stored(tmp_path / "whole")


def test_tuning_runs_inside_the_study_and_shares_its_database(study_file, discs_data, tmp_path):
    study_file.write_text(
        study_file.read_text().replace("alpha: {schedule: rebalance, over: 1.0}", "alpha: tune")
        + "tuning: {configurations: 3}\n"
    )
    done = lossbench("run", study_file, "--data", discs_data, "--workers", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "7 trials trained" in done.stdout
    with sqlite3.connect(tmp_path / "lossbench-home" / "results.db") as connection:
        assert connection.execute("SELECT count(*) FROM trials WHERE state = 'COMPLETE'").fetchone() == (3,)
        test_scores = connection.execute(
            "SELECT count(*) FROM score s JOIN trial t ON t.id = s.trial_id "
            "WHERE t.purpose = 'search' AND s.part = 'test'"
        ).fetchone()
        assert test_scores == (0,)
    again = lossbench("run", study_file, "--data", discs_data, "--local", cwd=tmp_path)
    assert "0 trials trained; 4 already in the database" in again.stdout


def test_ctrl_c_drains_and_says_so(study_file, discs_data, tmp_path):
    command = ["run", str(study_file), "--data", str(discs_data), "--local", "--set", "seeds=4"]
    driver = subprocess.Popen(
        [*LOSSBENCH, *command], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    for line in driver.stderr:
        if "[1/" in line:
            break
    driver.send_signal(signal.SIGINT)
    out, err = driver.communicate(timeout=100)
    assert driver.returncode == 75
    assert "finishing the running trials" in err
    assert "left; the same command goes on" in out
    states = json.loads(lossbench("status", "--json", cwd=tmp_path).stdout)["trials"]
    assert {row["state"] for row in states} == {"done", "waiting"}
