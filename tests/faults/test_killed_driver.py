"""Kill and interrupt drivers: nothing is lost, nothing is trained twice."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import time

import pytest

from tests.conftest import LOSSBENCH, lossbench, stored_numbers


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
    done = lossbench(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{4 - len(survived)} trials trained; {len(survived)} already in the database" in done.stdout
    with sqlite3.connect(tmp_path / "lossbench-home" / "results.db") as connection:
        rows = connection.execute("SELECT key, state, finished FROM trial").fetchall()
    assert {state for _, state, _ in rows} == {"done"}
    assert {key: finished for key, _, finished in rows if key in survived} == survived  # not trained twice

    (tmp_path / "whole").mkdir()
    lossbench(*command[:6], "--local", cwd=tmp_path / "whole")
    assert stored_numbers(tmp_path) == stored_numbers(tmp_path / "whole")


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


@pytest.mark.full
def test_a_study_killed_again_and_again_equals_one_that_was_not(study_file, discs_data, tmp_path):
    command = ["run", str(study_file), "--data", str(discs_data), "--local"]
    command += ["--set", "seeds=4", "--set", "protocol.epochs=10"]
    pause = random.Random(7)
    for _ in range(6):
        driver = subprocess.Popen([*LOSSBENCH, *command], cwd=tmp_path, stderr=subprocess.DEVNULL)
        time.sleep(pause.uniform(4, 9))
        driver.kill()
        driver.wait()
    done = lossbench(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(tmp_path / "lossbench-home" / "results.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM trial WHERE state = 'done'").fetchone() == (8,)
    (tmp_path / "whole").mkdir()
    lossbench(*command, cwd=tmp_path / "whole")
    assert stored_numbers(tmp_path) == stored_numbers(tmp_path / "whole")
