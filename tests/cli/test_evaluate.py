"""New metrics for finished trials: from masks and networks, without training, whole or not at all."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.cli import evaluate_commands
from harness.cli.evaluating import Evaluated, EvaluateRequest, evaluate_study
from harness.cli.home import Home
from harness.data.prepared import find_prepared
from harness.errors import InputError
from harness.metrics import METRICS, Metric, evaluate_case
from harness.metrics.overlap import iou
from harness.store.artifacts import digest_of_file
from harness.store.results import open_results
from tests.conftest import STUDY, lossbench

NEW = Metric("copy_of_iou", "IoU again", "", "higher", 1, "IoU under another name.", iou)
EVERYTHING = EvaluateRequest("tiny")


@pytest.fixture(scope="module")
def trained(discs_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a study of two trials has been run."""
    folder = tmp_path_factory.mktemp("trained")
    study = STUDY.format(manifest=discs_data / "discs.yaml").replace("seeds: 2", "seeds: 1")
    (folder / "tiny.yaml").write_text(study)
    done = lossbench("run", "tiny.yaml", "--data", discs_data, "--local", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def home(trained: Path, tmp_path: Path) -> Path:
    """A copy of that folder, and a new metric since."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> dict[str, Metric]:
    """The entries of the registry, one more than when the study was run; changes last for one test."""
    entries = {**METRICS._entries, NEW.name: NEW}
    monkeypatch.setattr(METRICS, "_entries", entries)
    return entries


def evaluate(folder: Path, request: EvaluateRequest = EVERYTHING) -> Evaluated:
    return evaluate_study(request, Home(folder / "lossbench-home"))


def ask(folder: Path, question: str, *values: Any) -> list[Any]:
    with sqlite3.connect(folder / "lossbench-home" / "results.db") as connection:
        return connection.execute(question, values).fetchall()


def scores(folder: Path, metric: str, version: int = 1) -> set[tuple[Any, ...]]:
    """Every score of a metric, by trial, case, class, checkpoint and part."""
    return set(
        ask(
            folder,
            "SELECT trial_id, case_id, class_index, checkpoint, part, value, imputed, reason FROM score s "
            "JOIN metric m ON m.id = s.metric_id WHERE m.name = ? AND m.version = ?",
            metric,
            version,
        )
    )


def other_checkpoints(folder: Path) -> set[tuple[int, str]]:
    """Trials whose last epoch is not the best one: the weights of the last are not kept."""
    return {(row[0], "last") for row in ask(folder, "SELECT id FROM trial WHERE best_epoch < 1")}


def expected(folder: Path, metric: str = "iou", version: int = 1) -> set[tuple[Any, ...]]:
    lost = other_checkpoints(folder)
    return {row for row in scores(folder, metric, version) if (row[0], row[3]) not in lost}


def test_a_new_metric_is_computed_for_all_parts_and_once(home: Path) -> None:
    before = ask(home, "SELECT * FROM score")
    plan = lossbench("evaluate", "tiny.yaml", "--dry-run", "--json", cwd=home)
    assert plan.returncode == 0, plan.stderr
    told = json.loads(plan.stdout)["trials"]
    assert [trial["metrics"] for trial in told] == [{"test": [NEW.name], "validation": [NEW.name]}] * 2
    assert ask(home, "SELECT * FROM score") == before
    done = lossbench("evaluate", "tiny", "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    found = scores(home, NEW.name)
    assert found == expected(home)
    assert len(found) >= 8
    assert json.loads(done.stdout)["added"] == len(found)
    assert set(before) < set(ask(home, "SELECT * FROM score"))
    assert ("its weights are not kept" in done.stderr) == bool(other_checkpoints(home))
    again = lossbench("evaluate", "tiny", cwd=home)
    assert again.returncode == 0
    assert again.stdout.startswith("nothing is missing: 2 finished trials, 21 metrics")


def test_scores_are_those_of_the_masks_and_frames_have_them(home: Path) -> None:
    assert evaluate(home).problems == ()
    (fingerprint,) = ask(home, "SELECT fingerprint FROM dataset")[0]
    prepared = find_prepared(home / "lossbench-home" / "prepared", fingerprint)
    assert prepared is not None
    names = dict(ask(home, 'SELECT name, id FROM "case"'))
    for trial, path in ask(home, "SELECT trial_id, path FROM artifact WHERE kind = 'predictions'"):
        with np.load(home / "lossbench-home" / "artifacts" / path) as masks:
            for case in prepared.cases_named(masks.files):
                truth = prepared.truth(case)
                (score,) = evaluate_case(masks[case.case], truth, case.spacing, 2, (NEW.name,))
                row = (trial, names[case.case], 1, "best", "test", score.value, score.imputed, score.reason)
                assert row in scores(home, NEW.name)
    assert ask(home, "SELECT count(*) FROM look") == [(0,)]
    with open_results(home / "lossbench-home") as results:
        frame = results.scores("tiny", metric=NEW.name, checkpoint="best")
        assert frame["part"].value_counts().to_dict() == {"test": 4, "validation": 4}


@pytest.mark.full
def test_report_and_answer_have_a_new_metric(home: Path) -> None:
    assert lossbench("evaluate", "tiny", cwd=home).returncode == 0
    report = lossbench("report", "tiny", "--only", "S2", cwd=home)
    assert report.returncode == 0, report.stderr
    table = home / "lossbench-home" / "reports" / "tiny" / "tables" / "s2_metrics_discs.csv"
    assert NEW.name in table.read_text()
    assert lossbench("answer", "tiny", cwd=home).returncode == 0


def test_a_report_says_which_command_brings_scores_that_are_missing(
    home: Path, registry: dict[str, Metric]
) -> None:
    registry["hd95"] = replace(METRICS["hd95"], version=METRICS["hd95"].version + 1)
    with sqlite3.connect(home / "lossbench-home" / "results.db") as connection:
        connection.execute(
            "insert into metric (name, version, title, unit, direction, description) "
            "select name, version + 1, title, unit, direction, description from metric where name = 'hd95'"
        )
    told = lossbench("report", "tiny", "--only", "T1", cwd=home).stdout
    assert "HD95 (0 of 2 trials)" in " ".join(told.split())
    assert "'lossbench evaluate tiny' computes them" in " ".join(told.split())
    evaluate(home, replace(EVERYTHING, metrics=("hd95",)))
    assert "lossbench evaluate" not in lossbench("report", "tiny", "--only", "T1", cwd=home).stdout


def test_a_raised_version_is_computed_beside_the_old_one(home: Path, registry: dict[str, Metric]) -> None:
    old = scores(home, "iou")
    registry["iou"] = replace(registry["iou"], version=2, description="Another convention.")
    assert evaluate(home, EvaluateRequest("tiny", ("iou",))).problems == ()
    assert scores(home, "iou") == old
    assert scores(home, "iou", version=2) == expected(home)
    registry["iou"] = replace(registry["iou"], version=1)
    (note, *_) = evaluate(home).notes
    assert "'iou' has version 2 in the database and 1 in this program" in note
    with pytest.raises(InputError, match="install a newer lossbench"):
        evaluate(home, EvaluateRequest("tiny", ("iou",)))


def kept(folder: Path, kind: str) -> tuple[Path, str]:
    """Return the file that the first trial kept, and the beginning of its key."""
    question = (
        "SELECT a.path, t.key FROM artifact a JOIN trial t ON t.id = a.trial_id WHERE kind = ? ORDER BY t.id"
    )
    path, key = ask(folder, question, kind)[0]
    return folder / "lossbench-home" / "artifacts" / path, key[:12]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def swap(folder: Path) -> None:
    """Give the first trial masks that have its checksum but were predicted by nobody."""
    path, _ = kept(folder, "predictions")
    with np.load(path) as found:
        np.savez(path, **{name: 1 - found[name] for name in found.files})
    place = f"{path.parent.name}/{path.name}"
    ask(folder, "UPDATE artifact SET sha256 = ? WHERE path = ?", digest_of_file(path), place)


@pytest.mark.parametrize(
    ("damage", "said", "lost"),
    [
        (
            lambda home: (cut(kept(home, "predictions")[0]), kept(home, "model")[0].unlink()),
            ("predictions.npz' is not what the trial wrote", "model.pt' is not there; bring the file back"),
            {"test", "validation"},
        ),
        (
            lambda home: (swap(home), cut(kept(home, "model")[0])),
            ("another DSC than the database has", "model.pt' is not what the trial wrote"),
            {"test", "validation"},
        ),
        (
            lambda home: ask(home, "DELETE FROM artifact WHERE kind = 'model' AND trial_id = 1"),
            ("has kept no network, so its validation cases cannot be scored",),
            {"validation"},
        ),
    ],
    ids=["changed or gone", "of another trial", "never kept"],
)
def test_a_damaged_trial_is_named_and_the_others_go_on(
    damage: Callable[[Path], object], said: tuple[str, ...], lost: set[str], home: Path
) -> None:
    damage(home)
    found = evaluate(home)
    assert len(found.problems) == len(said)
    for problem, sentence in zip(found.problems, said, strict=True):
        assert sentence in problem
        assert f"trial '{kept(home, 'predictions')[1]}'" in problem
    everything = expected(home)
    assert scores(home, NEW.name) == {row for row in everything if not (row[0] == 1 and row[4] in lost)}


def test_a_damaged_or_missing_cache_is_told_once(home: Path) -> None:
    (index,) = (home / "lossbench-home" / "prepared").glob("*/index.json")
    for truth in index.parent.glob("*-truth.npy"):
        cut(truth)
    for problem in evaluate(home).problems:
        assert "of dataset 'discs' is damaged; remove that folder and run the study again" in problem
    shutil.rmtree(index.parent)
    done = lossbench("evaluate", "tiny", cwd=home)
    assert done.returncode == 1
    assert done.stderr.count("has no cache in this --home") == 1
    assert scores(home, NEW.name) == set()


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (EvaluateRequest("tyni"), "no study 'tyni' in the database; did you mean 'tiny'"),
        (EvaluateRequest("tiny", ("iuo",)), "unknown metric 'iuo'; did you mean 'iou'"),
        (EvaluateRequest("tiny", device="tpu"), "unknown device 'tpu'"),
    ],
)
def test_what_is_not_there_is_refused(request_: EvaluateRequest, said: str, home: Path) -> None:
    with pytest.raises(InputError, match=said):
        evaluate(home, request_)


def test_bad_input_ends_with_2(tmp_path: Path) -> None:
    done = lossbench("evaluate", "tiny", cwd=tmp_path)
    assert done.returncode == 2
    assert "no results in database" in done.stderr
    with pytest.raises(InputError, match="--metrics names none"):
        evaluate_commands.evaluate("tiny", metrics=" , ")


@pytest.mark.full
def test_several_workers_give_the_same_scores_of_an_imported_metric(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "their_iou.py").write_text(
        "from harness.metrics import Metric\nfrom harness.metrics.overlap import iou\n"
        "MINE = Metric('their_iou', 'IoU', '', 'higher', 1, 'IoU.', iou)\n"
    )
    monkeypatch.syspath_prepend(home)
    monkeypatch.setenv("PYTHONPATH", str(home))
    done = lossbench("evaluate", "tiny", "--metrics", "their_iou:MINE", "--workers", 2, cwd=home)
    assert done.returncode == 0, done.stderr
    assert scores(home, "their_iou") == expected(home)
