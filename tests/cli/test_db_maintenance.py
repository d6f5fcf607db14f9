"""``lossbench db``: info, check, vacuum, backup, upgrade, delete, as a user types them."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import STUDY, lossbench, stored_numbers
from tests.store.versions import make_database

OTHER = """\
study: other
title: One loss of the first study, and one of its own
datasets: [{manifest}]
seeds: 1
protocol: {{epochs: 2, batch_size: 4, lr_schedule: {{name: plateau, patience: 1}}}}
model: {{name: unet2d, base_channels: 4, depth: 2}}
losses:
  - {{label: cross entropy, loss: ce}}
  - {{label: Dice, loss: dice}}
"""


@pytest.fixture(scope="module")
def trained(discs_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose home holds two studies that share one trial."""
    folder = tmp_path_factory.mktemp("trained")
    for name, text in (("tiny", STUDY), ("other", OTHER)):
        (folder / f"{name}.yaml").write_text(text.format(manifest=discs_data / "discs.yaml"))
        done = lossbench("run", f"{name}.yaml", "--local", "--data", discs_data, cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of it, to break."""
    shutil.copytree(trained / "lossbench-home", tmp_path / "lossbench-home")
    return tmp_path


def test_info_tells_engine_version_and_studies(folder: Path) -> None:
    found = json.loads(lossbench("db", "info", "--json", cwd=folder).stdout)
    assert (found["engine"], found["version"]) == ("sqlite", "0006")
    assert found["database"] == "sqlite:///lossbench-home/results.db"
    assert [(row["study"], row["trials"], row["done"]) for row in found["studies"]] == [
        ("other", 2, 2),
        ("tiny", 4, 4),
    ]
    assert {"table": "trial", "rows": 5} in found["tables"]
    text = lossbench("db", "info", cwd=folder).stdout
    assert "engine: sqlite" in text
    assert "other" in text


def test_check_of_a_real_database_finds_it_whole(folder: Path) -> None:
    done = lossbench("db", "check", "--files", cwd=folder)
    assert (done.returncode, done.stdout.strip()) == (0, "whole")
    model = next(folder.rglob("artifacts/*/model*"))
    model.write_bytes(b"something else")
    done = lossbench("db", "check", "--files", "--json", cwd=folder)
    assert done.returncode == 1
    [fault] = json.loads(done.stdout)["faults"]
    assert fault.endswith("is changed")


def test_vacuum_and_backup_say_what_they_did(folder: Path) -> None:
    assert "bytes before" in lossbench("db", "vacuum", cwd=folder).stdout
    done = lossbench("db", "backup", cwd=folder)
    [copy] = (folder / "lossbench-home" / "backups").iterdir()
    assert done.returncode == 0
    assert copy.name in done.stdout
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM trial").fetchone() == (5,)
    again = lossbench("db", "backup", copy, cwd=folder)
    assert again.returncode == 2
    assert "is there already; give another file" in again.stderr


def test_deleting_asks_for_yes_and_keeps_shared_trials(folder: Path) -> None:
    before = stored_numbers(folder)
    asked = lossbench("db", "delete", "tiny", cwd=folder)
    assert asked.returncode == 2
    assert "with 3 trials" in asked.stderr
    assert "1 trials stay, other studies have them" in asked.stderr
    assert "add --yes" in asked.stderr
    assert stored_numbers(folder) == before
    done = lossbench("db", "delete", "tiny", "--yes", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "deleted study 'tiny': 3 trials" in done.stdout
    assert len(list((folder / "lossbench-home" / "artifacts").iterdir())) == 2
    assert lossbench("db", "check", "--files", cwd=folder).returncode == 0
    counts = json.loads(lossbench("status", "--json", cwd=folder).stdout)["trials"]
    assert {(row["study"], row["loss"]) for row in counts} == {("other", "cross entropy"), ("other", "Dice")}
    unknown = lossbench("db", "delete", "tiny", "--yes", cwd=folder)
    assert unknown.returncode == 2
    assert "no study 'tiny' in the database; it has: other" in unknown.stderr


def test_the_last_study_takes_names_of_patients_with_it(folder: Path) -> None:
    for study in ("tiny", "other"):
        assert lossbench("db", "delete", study, "--yes", cwd=folder).returncode == 0
    found = json.loads(lossbench("db", "info", "--json", cwd=folder).stdout)
    assert {row["table"] for row in found["tables"] if row["rows"]} == {"metric"}
    assert list((folder / "lossbench-home" / "artifacts").iterdir()) == []


def test_upgrade_keeps_a_copy_unless_told_otherwise(tmp_path: Path) -> None:
    home = tmp_path / "lossbench-home"
    home.mkdir()
    make_database(f"sqlite:///{home / 'results.db'}", "0002")
    refused = lossbench("status", cwd=tmp_path)
    assert refused.returncode == 2
    assert "run 'lossbench db upgrade'" in refused.stderr
    done = lossbench("db", "upgrade", cwd=tmp_path)
    assert "database version 0006 (was 0002)" in done.stdout
    [copy] = (home / "backups").iterdir()
    assert copy.name in done.stdout
    assert lossbench("status", cwd=tmp_path).returncode == 0
    assert lossbench("db", "upgrade", cwd=tmp_path).stdout.strip() == "database version 0006"
    assert [path.name for path in (home / "backups").iterdir()] == [copy.name]


def test_a_run_goes_to_a_server_by_its_url(
    study_file: Path, discs_data: Path, postgresql_url: str, tmp_path: Path
) -> None:
    arguments = ("--local", "--data", discs_data, "--db", postgresql_url, "--set", "seeds=1")
    done = lossbench("run", study_file, *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    again = lossbench("run", study_file, *arguments, cwd=tmp_path)
    assert "2 already in the database" in again.stdout
    assert lossbench("db", "check", "--db", postgresql_url, cwd=tmp_path).stdout.strip() == "whole"
    page = lossbench("report", study_file, "--db", postgresql_url, cwd=tmp_path)
    assert page.returncode == 0, page.stderr
    deleted = lossbench("db", "delete", "tiny", "--yes", "--db", postgresql_url, cwd=tmp_path)
    assert deleted.returncode == 0, deleted.stderr
    assert not (tmp_path / "lossbench-home" / "results.db").exists()
