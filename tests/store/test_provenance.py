"""Provenance tells code, libraries, command and machine, and nothing of people and places."""

import getpass
import json
import platform
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from harness.store.datasets import register_dataset
from harness.store.external import store_external
from harness.store.ownership import new_owner
from harness.store.provenance import code_facts, command_line, commit_facts, plugin_facts
from harness.store.runs import register_run
from harness.store.schema import Base, EnvironmentRow, RunRow, TrialRow
from harness.store.trials import TrialStore
from harness.training.hardware import gpus_told, hardware_facts, memory_class
from tests.store.test_external import FOUND
from tests.store.test_trials import DATASET, METRIC, OUTCOME, TRIAL


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package in a git checkout, all of it committed."""
    package = tmp_path / "checkout" / "package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("a = 1\n")
    git(package.parent, "init", "--quiet")
    git(package.parent, "add", ".")
    git(package.parent, "commit", "--quiet", "-m", "first")
    return package


def test_a_clean_checkout_has_a_commit_and_no_changes(package):
    facts = commit_facts(package)
    assert set(facts) == {"commit"}
    assert len(facts["commit"]) == 40


def test_changes_of_the_package_are_told_new_files_included(package):
    (package / "__init__.py").write_text("a = 2\n")
    changed = commit_facts(package)["dirty"]
    (package / "new.py").write_text("b = 1\n")
    added = commit_facts(package)["dirty"]
    (package / "new.py").write_text("b = 2\n")
    assert len({changed, added, commit_facts(package)["dirty"]}) == 3
    git(package.parent, "add", ".")
    assert "dirty" in commit_facts(package)
    git(package.parent, "commit", "--quiet", "-m", "second")
    assert "dirty" not in commit_facts(package)


def test_changes_beside_the_package_are_none(package):
    (package.parent / "notes.md").write_text("not code")
    assert "dirty" not in commit_facts(package)


def test_a_commit_of_the_checkout_around_an_environment_is_not_ours(package):
    installed = package.parent / "venv" / "other"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    ours = commit_facts(package)["commit"]
    assert commit_facts(installed).get("commit") != ours


def test_versions_of_all_that_numbers_pass_through_are_kept():
    assert {"python", "lossbench", "torch", "numpy", "scipy", "pandas", "nibabel"} <= set(code_facts())
    assert {"scikit-image", "edt", "numba", "ray", "optuna", "sqlalchemy"} <= set(code_facts())


def test_an_own_class_is_told_by_the_digest_of_its_file(tmp_path, monkeypatch):
    (tmp_path / "my_losses.py").write_text("a = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import my_losses  # noqa: F401

    before = plugin_facts(["my_losses"])
    (tmp_path / "my_losses.py").write_text("a = 2\n")
    assert list(before) == ["plugin my_losses"]
    assert before != plugin_facts(["my_losses"])
    assert str(tmp_path) not in str(before)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "tiny.yaml", "--local"), "lossbench run tiny.yaml --local"),
        (("run", "/home/jane/a.yaml", "--data", "/mnt/wmh/"), "lossbench run a.yaml --data wmh"),
        (("run", "--data=/home/jane/wmh"), "lossbench run --data=wmh"),
        (("run", "../../jane/a.yaml", "--home", ".."), "lossbench run a.yaml --home .."),
        (("run", "--home", "/", "--data", "~"), "lossbench run --home '(folder)' --data '(folder)'"),
        (("run", r"C:\Users\jane\a.yaml"), "lossbench run a.yaml"),
        (("run", "--set", "datasets=[/home/jane/a.yaml]"), "lossbench run --set 'datasets=[a.yaml]'"),
        (("run", "--db", "postgresql://jane:secret@db.clinic.org/res"), "lossbench run --db postgresql:///res"),
        (("run", "--db", "postgresql://jane:s/e@db.clinic.org"), "lossbench run --db postgresql:///"),
        (("run", "--db=postgresql:///res?host=db.clinic.org"), "lossbench run --db=postgresql:///res"),
        (("run", "--db", "sqlite:////home/jane/results.db"), "lossbench run --db sqlite:///results.db"),
        (("score", "--label", "a b", "--patient", "(p+)"), "lossbench score --label 'a b' --patient '(p+)'"),
        (("score", "--pred-pattern", "{case}/p.nii"), "lossbench score --pred-pattern '{case}/p.nii'"),
        (("run", "--set", "password=secret"), "lossbench run --set password=***"),
    ],
)  # fmt: skip
def test_a_command_keeps_every_argument_but_folders_hosts_and_passwords(arguments, told):
    assert command_line(["/home/jane/.venv/bin/lossbench", *arguments]).replace("'", "") == told.replace(
        "'", ""
    )


def test_a_relative_folder_that_is_there_is_cut(tmp_path, monkeypatch):
    (tmp_path / "jane").mkdir()
    (tmp_path / "jane" / "a.yaml").touch()
    monkeypatch.chdir(tmp_path)
    assert command_line(["lossbench", "run", "jane/a.yaml"]) == "lossbench run a.yaml"


def test_hardware_is_a_class_of_machines():
    facts = hardware_facts()
    assert {"system", "processor", "cores"} <= set(facts)
    assert facts.get("memory", "1 GiB").endswith(" GiB")
    assert [memory_class(size) for size in (1, 2**30, 2**30 + 1, 67_322_011_648)] == [
        "1 GiB",
        "1 GiB",
        "1.5 GiB",
        "64 GiB",
    ]
    assert gpus_told("A, B, 570.1\nA, B, 570.1\nC, 570.1\n") == {"gpus": "2 x A, B, C", "driver": "570.1"}
    assert gpus_told("No devices were found\n") == {}


@pytest.fixture
def stored(database):
    """A database with a run of each kind: done, failed and scored; everything dangerous is given to it."""
    told = {"study": "demo", "datasets": ["/home/jane/wmh/wmh.yaml"]}
    command = command_line(
        [
            "/home/jane/bin/lossbench",
            "run",
            "/home/jane/demo.yaml",
            "--db",
            "postgresql://jane:secret@db.org/r",
        ]
    )
    run = register_run(database, "demo", told, command)
    store = TrialStore(database, new_owner(), run)
    study = store.register_study("demo", "Demo", told)
    register_dataset(database, DATASET)
    store.register_metrics([METRIC])
    store.register_trials(study, [replace(TRIAL, key=key, seed=seed) for seed, key in enumerate("abc")])
    facts = {**code_facts(), **hardware_facts()}
    for key in "abc":
        store.claim([key])
    store.finish("a", replace(OUTCOME, environment=facts))
    store.finish("b", replace(OUTCOME, environment=facts))
    reason = "cannot read '/home/jane/x.npy' nor postgresql://nobody:secret@127.0.0.1/r"
    store.fail("c", reason, "File '/home/jane/x.py', line 1", facts)
    command = "lossbench score --pred masks"
    store_external(database, replace(FOUND, study="scored", environment=facts, command=command))
    return database


def test_a_trial_has_the_run_and_the_environment_that_made_it_also_when_it_failed(stored):
    with stored.read() as connection:
        trials = connection.execute(
            select(TrialRow.key, RunRow.command, EnvironmentRow.facts)
            .join(RunRow, RunRow.id == TrialRow.run_id)
            .join(EnvironmentRow, EnvironmentRow.id == TrialRow.environment_id)
        ).all()
        assert len(connection.execute(select(EnvironmentRow)).all()) == 1
        assert len({row.uid for row in connection.execute(select(RunRow))}) == 2
    commands = {row.key: row.command for row in trials}
    trained = "lossbench run demo.yaml --db postgresql:///r"
    assert {key: command for key, command in commands.items() if len(key) == 1} == dict.fromkeys(
        "abc", trained
    )
    assert sorted(commands.values())[-1] == "lossbench score --pred masks"
    assert all(row.facts["processor"] and "command" not in row.facts for row in trials)


def test_nothing_stored_tells_a_folder_a_host_a_person_or_a_password(stored):
    with stored.read() as connection:
        rows = [
            list(row) for table in Base.metadata.sorted_tables for row in connection.execute(select(table))
        ]
    text = json.dumps(rows, default=str)
    own = {getpass.getuser(), socket.gethostname(), platform.node(), str(Path.home()), str(Path.cwd())}
    for word in {"/home", "jane", "secret", "db.org", *own}:
        # A user called root, or a host called a, would be found in other words.
        assert len(word) < 5 or word not in text, word
