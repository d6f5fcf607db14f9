"""``lossbench data`` as a user meets it: real processes, real files, exit codes."""

import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import MANIFEST, STUDY, lossbench, write_discs, write_nifti


@pytest.fixture
def data(discs_data: Path, tmp_path: Path) -> Path:
    shutil.copytree(discs_data, tmp_path / "data")
    return tmp_path / "data"


def test_prepare_prints_the_cases_and_the_fingerprint(data: Path, tmp_path: Path) -> None:
    first = lossbench("data", "prepare", data / "discs.yaml", "--data", data, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "discs (8 cases), fingerprint" in first.stdout
    again = lossbench("data", "prepare", data / "discs.yaml", "--data", data, "--json", cwd=tmp_path)
    assert json.loads(again.stdout)["fingerprint"][:16] in first.stdout


def test_tampering_is_said_and_gives_another_fingerprint(data: Path, tmp_path: Path) -> None:
    arguments = ("data", "prepare", data / "discs.yaml", "--data", data, "--json")
    before = json.loads(lossbench(*arguments, cwd=tmp_path).stdout)["fingerprint"]
    label = np.zeros((28, 28, 3), np.uint8)
    label[3:6, 4:8, 1] = 1
    write_nifti(data / "discs" / "labels" / "p3.nii.gz", label)
    after = lossbench(*arguments, cwd=tmp_path)
    assert json.loads(after.stdout)["fingerprint"] != before
    assert "the files of p3 have changed since it was prepared" in after.stderr


def test_values_of_a_description_can_be_overridden(data: Path, tmp_path: Path) -> None:
    arguments = ("data", "check", data / "discs.yaml", "--data", data)
    refused = lossbench(*arguments, "--set", "labels.1=7", cwd=tmp_path)
    assert refused.returncode == 2
    assert "labels point to classes [7] that 'classes' does not name" in refused.stderr
    unknown = lossbench(*arguments, "--set", "sizes=3", cwd=tmp_path)
    assert "sizes: unknown key; did you mean 'size'?" in unknown.stderr


def test_many_findings_of_one_check_are_shortened_in_the_table_only(tmp_path: Path, data: Path) -> None:
    for patient in range(8):
        write_nifti(data / "discs" / "labels" / f"p{patient}.nii.gz", np.zeros((28, 28, 3), np.uint8))
    arguments = ("data", "check", data / "discs.yaml", "--data", data)
    table = lossbench(*arguments, cwd=tmp_path)
    assert table.returncode == 0
    assert "3 more" in table.stdout
    assert "discs: 8 cases, 8 patients, 0 errors, 9 warnings" in table.stdout  # one: no case holds the class
    full = lossbench(*arguments, "--all", cwd=tmp_path).stdout
    assert all(f"p{patient}" in full for patient in range(8))
    assert len(json.loads(lossbench(*arguments, "--json", cwd=tmp_path).stdout)["findings"]) == 9


def test_missing_folder_is_one_sentence_with_what_belongs_there(tmp_path: Path) -> None:
    for command in ("check", "prepare"):
        refused = lossbench("data", command, "acdc", "--data", tmp_path, cwd=tmp_path)
        assert refused.returncode == 2
        assert "dataset 'acdc': no folder" in refused.stderr
        assert "patient001/Info.cfg" in refused.stderr


def test_a_run_writes_every_division_to_the_database(discs_data: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(STUDY.format(manifest=discs_data / "discs.yaml"))
    changes = ("--set", "protocol.epochs=1", "--set", "losses=[{loss: ce}]")
    done = lossbench("run", "tiny.yaml", "--data", discs_data, "--local", *changes, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(tmp_path / "lossbench-home" / "results.db") as connection:
        sides = connection.execute(
            "SELECT s.seed, c.part, count(*) FROM trial t JOIN split s ON s.id = t.split_id "
            "JOIN split_case c ON c.split_id = s.id GROUP BY 1, 2 ORDER BY 1, 2"
        ).fetchall()
        tested = connection.execute(
            "SELECT count(*) FROM score JOIN trial ON trial.id = score.trial_id "
            "JOIN split_case USING (split_id, case_id) WHERE score.part != split_case.part"
        ).fetchone()
    assert sides == [
        (s, part, n) for s in (0, 1) for part, n in (("test", 2), ("train", 4), ("validation", 2))
    ]
    assert tested == (0,)


def test_a_split_without_a_test_set_needs_a_study_on_validation(discs_data: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(STUDY.format(manifest=discs_data / "discs.yaml"))
    fixed = ("--set", "datasets.0.split={kind: fixed, validation: [p1, p2]}")
    short = ("--set", "protocol.epochs=1", "--set", "losses=[{loss: ce}]", "--set", "seeds=1")
    arguments = ("run", "tiny.yaml", "--data", discs_data, "--local", *fixed, *short)
    refused = lossbench(*arguments, cwd=tmp_path)
    assert refused.returncode == 2
    assert "dataset 'discs': its split has no test set; set 'evaluation: validation'" in refused.stderr
    done = lossbench(*arguments, "--set", "evaluation=validation", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = lossbench("report", "tiny", cwd=tmp_path)
    assert report.returncode == 0, report.stderr
    assert "This study evaluates on validation patients: numbers are optimistic." in report.stdout


def test_a_split_that_tears_patients_is_warned_about(tmp_path: Path) -> None:
    write_discs(tmp_path / "data" / "discs", patients=12)
    one_patient = MANIFEST.replace("(p[0-9]+)", "(p[0-9])")  # p1, p10 and p11
    (tmp_path / "discs.yaml").write_text(one_patient)
    (tmp_path / "tiny.yaml").write_text(STUDY.format(manifest="discs.yaml"))
    by_case = ("--set", "datasets.0.split={kind: holdout, by: case, test: [p10, p3]}")
    plan = lossbench("plan", "tiny.yaml", "--data", tmp_path / "data", "--json", *by_case, cwd=tmp_path)
    warnings = json.loads(plan.stdout)["warnings"]
    assert any("the split divides cases, not patients (on both sides: p1)" in each for each in warnings)
