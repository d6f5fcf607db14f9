"""``lossbench db merge``, ``export`` and ``import`` as two labs use them."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import STUDY, lossbench, stored_numbers


@pytest.fixture(scope="module")
def labs(discs_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two homes: seed 0 of a study trained in one, seed 1 in the other."""
    folder = tmp_path_factory.mktemp("labs")
    for seed in (0, 1):
        text = STUDY.format(manifest=discs_data / "discs.yaml") + f"only: {{seeds: [{seed}]}}\n"
        (folder / f"tiny{seed}.yaml").write_text(text)
        command = ("run", f"tiny{seed}.yaml", "--local", "--data", discs_data, "--home", f"lab{seed}")
        done = lossbench(*command, cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


def test_a_dry_run_promises_and_writes_nothing(labs: Path, tmp_path: Path) -> None:
    for _ in range(2):
        planned = lossbench("db", "merge", labs / "lab0", "--home", labs / "lab1", "--dry-run", cwd=tmp_path)
        assert planned.returncode == 0
        assert "2 added" in planned.stdout
        assert "dry run: nothing is written" in planned.stdout
    new = lossbench("db", "merge", labs / "lab0", "--dry-run", cwd=tmp_path)
    assert new.returncode == 2  # a dry run makes no database
    assert list(tmp_path.iterdir()) == []


def test_a_new_home_takes_both(labs: Path, tmp_path: Path) -> None:
    done = lossbench("db", "merge", labs / "lab0", labs / "lab1", "--json", cwd=tmp_path)
    reports = json.loads(done.stdout)
    assert [report["trials"]["added"] for report in reports] == [2, 2]
    assert [report["files"]["copied"] for report in reports] == [4, 4]
    # The texts differ in 'only', which says what a lab trains, not what is asked.
    assert done.returncode == 0, reports
    assert lossbench("db", "check", "--files", cwd=tmp_path).stdout.strip() == "whole"
    again = lossbench("db", "merge", labs / "lab0", labs / "lab1", cwd=tmp_path)
    assert again.returncode == 0
    assert again.stdout.count("rows added: nothing") == 2
    page = lossbench("report", "tiny", cwd=tmp_path)
    assert page.returncode == 0, page.stderr
    table = (tmp_path / "lossbench-home" / "reports" / "tiny" / "tables" / "t1.md").read_text()
    assert "SD over seeds" in table  # there are two, one of each lab


def test_an_export_travels_to_a_new_home(labs: Path, tmp_path: Path) -> None:
    for how in ("parquet", "csv"):
        done = lossbench("db", "export", how, "--format", how, "--home", labs / "lab0", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        back = lossbench("db", "import", how, "--home", f"from-{how}", cwd=tmp_path)
        assert back.returncode == 0, back.stderr
        assert "2 added" in back.stdout
    homes = [tmp_path / name / "lossbench-home" for name in ("a", "b")]
    for home, source in zip(homes, ("from-parquet", "from-csv"), strict=True):
        home.parent.mkdir()
        (tmp_path / source).rename(home)
    assert stored_numbers(tmp_path / "a") == stored_numbers(tmp_path / "b") != []
    again = lossbench("db", "export", "csv", "--home", labs / "lab0", cwd=tmp_path)
    assert again.returncode == 2
    assert "is there and not empty" in again.stderr


def test_an_older_database_is_to_be_upgraded_first(labs: Path, tmp_path: Path) -> None:
    shutil.copytree(labs / "lab0", tmp_path / "old")
    with closing(sqlite3.connect(tmp_path / "old" / "results.db")) as connection:
        connection.execute("UPDATE lossbench_version SET version_num = '0003'")
        connection.commit()
    done = lossbench("db", "merge", "old", cwd=tmp_path)
    assert done.returncode == 2
    assert "has the older version 0003" in done.stderr
    assert "lossbench db upgrade" in done.stderr
    assert not (tmp_path / "lossbench-home").exists()


def test_a_file_with_an_odd_name_comes_in_and_its_files_are_missed(labs: Path, tmp_path: Path) -> None:
    name = "a%20b?c#d [red] é.db"
    shutil.copy(labs / "lab0" / "results.db", tmp_path / name)
    done = lossbench("db", "merge", name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == name
    assert "the trials' files stay there; merge the home folder to copy them" in done.stderr
    both = lossbench("db", "merge", labs / "lab0", cwd=tmp_path)
    assert "4 copied" in both.stdout
    assert lossbench("db", "check", "--files", cwd=tmp_path).returncode == 0


def test_a_conflict_is_told_and_gives_exit_code_1(labs: Path, tmp_path: Path) -> None:
    for lab in ("ours", "theirs"):
        shutil.copytree(labs / "lab0", tmp_path / lab)
    with closing(sqlite3.connect(tmp_path / "theirs" / "results.db")) as connection:
        connection.execute("UPDATE epoch SET train_loss = train_loss + 1")  # not compared
        where = "metric_id = (SELECT id FROM metric WHERE name = 'dsc') AND checkpoint = 'best'"
        connection.execute(f"UPDATE score SET imputed = imputed + 0.5 WHERE {where} AND trial_id = 1")
        connection.commit()
    done = lossbench("db", "merge", "theirs", "--home", "ours", "--dry-run", cwd=tmp_path)
    assert done.returncode == 1
    [conflict] = [line for line in done.stdout.splitlines() if "conflict:" in line]
    assert "scores differ, most in 'dsc': by 0.5; not expected, for both have the numerics class" in conflict


def test_bad_input_is_one_sentence_and_leaves_nothing(labs: Path, tmp_path: Path) -> None:
    for arguments, sentence in {
        ("merge", "nowhere.db"): "'nowhere.db' is not there; give a .db file, a home folder, or an URL",
        ("merge", "."): "'.' holds no results.db; give a .db file, a home folder, or an URL",
        ("merge", "postgresql://me:secret@127.0.0.1:1/x"): "'postgresql://me:***@127.0.0.1:1/x'",
        ("import", "."): "give a folder that 'lossbench db export' wrote",
        ("export", "out"): "run a study first",
    }.items():
        done = lossbench("db", *arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr
        assert "secret" not in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []
