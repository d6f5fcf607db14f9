"""Ray: the same numbers as in this process, and tuning inside a study."""

import sqlite3

import pytest

from tests.conftest import lossbench, stored_numbers


@pytest.mark.full  # quick: tests/faults/test_worker_faults.py compares a run of Ray with one of this process
def test_ray_and_local_give_the_same_numbers(study_file, discs_data, tmp_path):
    for name, options in (("ray", ["--workers", 2]), ("local", ["--local"])):
        (tmp_path / name).mkdir()
        done = lossbench("run", study_file, "--data", discs_data, *options, cwd=tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert "4 trials trained" in done.stdout
    assert len(stored_numbers(tmp_path / "ray")) > 50
    assert stored_numbers(tmp_path / "ray") == stored_numbers(tmp_path / "local")


@pytest.mark.full
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
