"""``run --until-decided`` from the command line: what it says, refuses, and leaves for other commands."""

import json
from pathlib import Path

import pytest

from tests.conftest import lossbench

STUDY = """\
study: deciding
datasets: [{{dataset: {manifest}, split: {{kind: kfold, k: 2}}}}]
seeds: 4
protocol: {{epochs: 1, batch_size: 4}}
model: {{name: unet2d, base_channels: 4, depth: 2}}
losses: [{{label: CE, loss: ce}}, {{label: Dice, loss: dice}}]
"""
RUN = ("run", "study.yaml", "--until-decided", "--max-seeds", 2)


@pytest.fixture(scope="module")
def decided(discs_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study that was run until it was decided, with two seeds at most."""
    folder = tmp_path_factory.mktemp("decided")
    (folder / "study.yaml").write_text(STUDY.format(manifest=discs_data / "discs.yaml"))
    done = lossbench(*RUN, "--data", discs_data, "--local", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "told.json").write_text(done.stdout)
    return folder


def test_the_end_is_told(decided: Path, discs_data: Path) -> None:
    told = json.loads((decided / "told.json").read_text())
    (stage,) = told["stages"]
    assert (told["trained"], told["left"]) == (8, 0)
    assert stage["outcome"] in {"decided", "impossible", "out of seeds"}
    assert (stage["seeds"], stage["planned"]) == ({"CE": 2, "Dice": 2}, [2])
    again = lossbench(*RUN, "--data", discs_data, "--local", cwd=decided)
    assert again.returncode == 0, again.stderr
    assert f"discs, look 1 of 1 (up to 2 seeds, level 0.05): {stage['outcome']}" in again.stdout
    assert "0 trials trained; 8 already in the database" in again.stdout


def test_plan_and_report_take_the_study_for_complete(decided: Path, discs_data: Path) -> None:
    planned = lossbench("plan", "study.yaml", "--data", discs_data, "--json", cwd=decided)
    assert planned.returncode == 0, planned.stderr
    notes = [cell["note"] for cell in json.loads(planned.stdout)["cells"]]
    assert len(notes) == 2
    assert all(note.startswith("until decided: ") and "at look 1, 2 seeds" in note for note in notes)
    report = lossbench("report", "deciding", cwd=decided)
    assert report.returncode == 0, report.stderr
    assert "validation" not in report.stdout


def test_a_dry_run_shows_the_first_look_and_the_most(decided: Path, discs_data: Path) -> None:
    options = ("--until-decided", "--dry-run", "--data", discs_data)
    shown = lossbench("run", "study.yaml", *options, cwd=decided)
    assert shown.returncode == 0, shown.stderr
    assert "until decided: looks at 3, 5, 10 seeds; at least 12 trials (above), at most 40" in shown.stdout


@pytest.mark.full
def test_another_plan_of_looks_is_warned_about(decided: Path, discs_data: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    home = tmp_path / "home" / "results.db"
    home.write_bytes((decided / "lossbench-home" / "results.db").read_bytes())
    options = ("--max-seeds", 3, "--set", "protocol.epochs=1", "--data", discs_data, "--local")
    done = lossbench(
        "run", decided / "study.yaml", "--until-decided", *options, "--home", tmp_path / "home", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "was looked at with another plan (2 seeds, now 3)" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--max-seeds", 3), "--max-seeds goes with --until-decided"),
        (("--until-decided", "--set", "evaluation=validation"), "set 'evaluation: test'"),
        (("--until-decided", "--set", "only.seeds=[0]"), "take 'only' out of it"),
        (("--until-decided", "--set", "losses=[{loss: ce}]"), "has one loss, so there is nothing to decide"),
    ],
)
def test_what_cannot_be_decided_is_refused_before_anything_is_done(
    tmp_path: Path, discs_data: Path, options: tuple[object, ...], told: str
) -> None:
    (tmp_path / "study.yaml").write_text(STUDY.format(manifest=discs_data / "discs.yaml"))
    done = lossbench("run", "study.yaml", "--data", discs_data, "--local", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert not (tmp_path / "lossbench-home" / "results.db").exists()
