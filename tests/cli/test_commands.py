"""The command line as a user meets it: real processes, real files, exit codes."""

import json
import shutil
import socket
from pathlib import Path

import pytest

from tests.conftest import STUDY, lossbench


@pytest.fixture(scope="module")
def finished(discs_data, tmp_path_factory):
    """A folder in which the tiny study has been run."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.yaml").write_text(STUDY.format(manifest=discs_data / "discs.yaml"))
    done = lossbench("run", "tiny.yaml", "--data", discs_data, "--local", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_run_trains_reports_progress_and_says_what_is_next(finished, discs_data):
    again = lossbench("run", "tiny.yaml", "--data", discs_data, "--local", cwd=finished)
    assert again.returncode == 0
    assert "0 trials trained; 4 already in the database" in again.stdout
    assert "next: lossbench report tiny.yaml" in again.stdout


def test_plan_counts_what_is_done_and_what_is_stale(finished, discs_data):
    done = json.loads(lossbench("plan", "tiny.yaml", "--data", discs_data, "--json", cwd=finished).stdout)
    assert [(cell["done"], cell["to run"]) for cell in done["cells"]] == [(2, 0), (2, 0)]
    longer = lossbench(
        "run",
        "tiny.yaml",
        "--data",
        discs_data,
        "--dry-run",
        "--json",
        "--set",
        "protocol.epochs=5",
        cwd=finished,
    )
    cells = json.loads(longer.stdout)["cells"]
    assert [(cell["done"], cell["to run"]) for cell in cells] == [(0, 2), (0, 2)]
    assert {cell["note"] for cell in cells} == {"2 stale: protocol changed"}
    assert all(cell["hours"] is not None for cell in cells)


def test_status_shows_states(finished):
    trials = json.loads(lossbench("status", "tiny", "--json", cwd=finished).stdout)["trials"]
    assert {(row["loss"], row["state"], row["trials"]) for row in trials} == {
        ("CE", "done", 2),
        ("GDL + BL", "done", 2),
    }


def test_report_is_written(finished):
    done = lossbench("report", "tiny.yaml", cwd=finished)
    assert done.returncode == 0, done.stderr
    folder = finished / "lossbench-home" / "reports" / "tiny"
    assert (folder / "report.html").stat().st_size > 10_000
    assert {path.suffix for path in (folder / "tables").iterdir()} == {".md", ".csv", ".tex", ".html"}


def test_plan_without_data_still_plans(study_file, tmp_path):
    done = lossbench("plan", "quickstart", "--json", cwd=tmp_path)
    cells = json.loads(done.stdout)["cells"]
    assert len(cells) >= 7
    assert {cell["note"] for cell in cells} == {"data not here yet"}
    assert not (tmp_path / "lossbench-home").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("run", "quikstart"), "unknown study 'quikstart'; did you mean 'quickstart'?"),
        # The others say --local: then they need no process of their own.
        (
            ("run", "tiny.yaml", "--local", "--set", "losses.0.loss=dise"),
            "unknown loss 'dise'; did you mean 'dice'?",
        ),
        (("run", "tiny.yaml", "--local", "--set", "seds=3"), "seds: unknown key; did you mean 'seeds'?"),
        (("run", "tiny.yaml", "--local", "--data", "nowhere"), "data folder 'nowhere' does not exist"),
        (("run", "tiny.yaml", "--local", "--data", "."), "no folder 'discs'; expected"),
        (("run", "tiny.yaml", "--local", "--device", "tpu"), "unknown device 'tpu'"),
        (("report", "tiny"), "run a study first"),
        (("losses", "dise"), "unknown loss 'dise'; did you mean 'dice'?"),
        (("data", "prepare", "msd_hipocampus"), "did you mean 'msd_hippocampus'?"),
        (("data", "simulate", "wmh2018", "--out", "x"), "did you mean 'wmh2017'?"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(study_file, arguments, sentence):
    done = lossbench(*arguments, cwd=study_file.parent)
    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_broken_image_is_named_and_nothing_is_written(study_file, discs_data, tmp_path):
    shutil.copytree(discs_data / "discs", tmp_path / "broken" / "discs")
    (tmp_path / "broken" / "discs" / "images" / "p3_a.nii.gz").write_bytes(b"garbage")
    done = lossbench("run", study_file, "--data", tmp_path / "broken", "--local", cwd=tmp_path)
    assert done.returncode == 2
    assert "case 'p3': cannot read image" in " ".join(done.stderr.split())
    assert not list((tmp_path / "lossbench-home" / "prepared").iterdir())
    assert not (tmp_path / "lossbench-home" / "results.db").exists()


def test_an_empty_training_set_is_refused_before_anything_is_trained(study_file, discs_data, tmp_path):
    done = lossbench(
        "run", study_file, "--data", discs_data, "--local", "--set",
        "datasets.0.split={kind: holdout, test: 4, validation: 4}", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert "the training set is empty" in " ".join(done.stderr.split())


def test_listings_are_json_on_request(tmp_path):
    assert {row["name"] for row in json.loads(lossbench("datasets", "--json", cwd=tmp_path).stdout)} >= {
        "wmh2017"
    }
    assert {row["study"] for row in json.loads(lossbench("studies", "--json", cwd=tmp_path).stdout)} >= {
        "quickstart",
        "hippocampus",
        "ms_lesions",
    }


def test_results_hold_no_path_host_or_user(finished, discs_data):
    content = (finished / "lossbench-home" / "results.db").read_bytes()
    for private in (str(finished), str(discs_data), socket.gethostname(), f"{Path.home()}/"):
        assert len(private) < 5 or private.encode() not in content  # shorter names stand there by chance
