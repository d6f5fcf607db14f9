"""``lossbench score`` as a user meets it: real files, the real entry point, exit codes."""

import csv
import json
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from harness.cli import main as entry
from harness.metrics import METRICS, evaluate_case
from harness.store import frames
from harness.store.database import open_database
from tests.conftest import lossbench, write_nifti

SPACING = (0.5, 1.0, 3.0)
"""Millimetres along x, y, z of the files."""

SHAPE = (9, 8, 5)


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def score(tmp_path, monkeypatch, capsys):
    """Run the command in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, command: str = "score") -> Ran:
        folders = ("--pred", "pred", "--truth", "truth") if command == "score" else ()
        if "--pred" in arguments:
            folders = ()
        workers = ("--workers", "1") if command == "score" else ()
        words = ["lossbench", command, *folders, *workers, *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as ended:
            entry.main()
        printed = capsys.readouterr()
        return Ran(int(ended.value.code or 0), printed.out, printed.err)

    return run


def as_json(ran: Ran):
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def refusal(ran: Ran) -> str:
    assert ran.code == 2, ran.out
    assert "Traceback" not in ran.err
    return " ".join(ran.err.split())


def box(*corner: slice, value: int = 1) -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    labels[corner] = value
    return labels


def random_labels(seed: int, classes: int = 1) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.integers(0, classes + 1, SHAPE).astype(np.uint8)


def write(folder: str, name: str, labels: np.ndarray) -> None:
    write_nifti(Path(folder) / name, labels, SPACING)


@pytest.fixture
def boxes(score):
    """Two cases: half of four voxels found; one voxel, two slices off."""
    write("truth", "a.nii.gz", box(slice(2, 4), slice(2, 4), 1))
    write("pred", "a.nii.gz", box(slice(2, 4), slice(2, 3), 1))
    write("truth", "b.nii.gz", box(4, 4, 1))
    write("pred", "b.nii", box(4, 4, 3))
    return score


def test_the_table_is_what_a_hand_computes(boxes) -> None:
    summary = as_json(boxes("--metrics", "dsc,hd", "--json"))["summary"]
    dsc, hd = summary
    assert dsc["class"] == "label 1"
    assert [dsc["mean"], dsc["median"], dsc["n"]] == pytest.approx([1 / 3, 1 / 3, 2])  # 2*2/(4+2) and 0
    assert dsc["sd"] == pytest.approx(2 / 3 / 2**0.5)
    assert hd["mean"] == pytest.approx((1.0 + 6.0) / 2)  # one row of 1 mm, two slices of 3 mm
    assert dsc["undefined"] == hd["undefined"] == {}
    table = boxes("--metrics", "dsc,hd", "--cases").out
    assert "0.333" in table
    assert "hd (mm)" in table
    assert max(map(len, table.splitlines())) <= 100


def test_scores_are_those_of_the_same_arrays(score) -> None:
    truth, predicted = random_labels(1, 2), random_labels(2, 2)
    write("truth", "a.nii.gz", truth)
    write("pred", "a.nii.gz", predicted)
    rows = as_json(score("--metrics", "all", "--json"))["scores"]
    stacks = predicted.transpose(2, 1, 0), truth.transpose(2, 1, 0)
    expected = evaluate_case(*stacks, SPACING[::-1], 3, tuple(METRICS))
    assert [(row["class_index"], row["metric"]) for row in rows] == [
        (each.class_index, each.metric) for each in expected
    ]
    assert [row["imputed"] for row in rows] == pytest.approx([each.imputed for each in expected])


@pytest.mark.parametrize(("plane", "axis"), [("axial", 2), ("coronal", 1), ("sagittal", 0)])
def test_distances_use_the_spacing_of_their_axis(score, plane: str, axis: int) -> None:
    write("truth", "a.nii.gz", box(4, 4, 1))
    place = [4, 4, 1]
    place[axis] += 2
    write("pred", "a.nii.gz", box(*place))
    (row,) = as_json(score("--metrics", "hd", "--json", "--slices", plane))["scores"]
    assert row["value"] == pytest.approx(2 * SPACING[axis])


def test_a_prediction_stored_in_another_orientation_scores_the_same(score) -> None:
    write("truth", "a.nii.gz", random_labels(1))
    predicted = random_labels(2)
    write("pred", "a.nii.gz", predicted)
    before = as_json(score("--metrics", "all", "--json"))
    image = nib.load("pred/a.nii.gz")
    stored = nib.orientations.axcodes2ornt(("L", "S", "P"))
    turn = nib.orientations.ornt_transform(nib.orientations.axcodes2ornt(("R", "A", "S")), stored)
    turned = image.as_reoriented(turn)
    assert nib.aff2axcodes(turned.affine) == ("L", "S", "P")
    nib.save(turned, "pred/a.nii.gz")
    assert as_json(score("--metrics", "all", "--json")) == before


def test_a_truth_without_prediction_counts_as_the_worst_and_is_said(boxes) -> None:
    write("truth", "c.nii.gz", box(4, 4, 1))
    ran = boxes("--metrics", "dsc,hd", "--json")
    found = as_json(ran)
    rows = {row["metric"]: row for row in found["scores"] if row["case"] == "c"}
    assert (rows["dsc"]["value"], rows["dsc"]["imputed"], rows["dsc"]["reason"]) == (None, 0, "no prediction")
    diagonal = float(np.linalg.norm(np.multiply(SHAPE, SPACING)))
    assert rows["hd"]["imputed"] == pytest.approx(diagonal)
    assert found["summary"][0]["undefined"] == {"no prediction": 1}
    assert "1 of 3 truths have no prediction (c)" in ran.err
    assert "1 no prediction" in boxes("--metrics", "dsc").out


def test_only_the_listed_cases_are_scored(boxes) -> None:
    write("truth", "c.nii.gz", box(4, 4, 1))
    Path("cases.txt").write_text("a\n\nb\n")
    ran = boxes("--only", "cases.txt", "--json")
    assert as_json(ran)["cases"] == 2
    assert "no prediction" not in ran.err
    Path("cases.txt").write_text("a\nbb\n")
    assert "case 'bb' has no truth in 'truth'; did you mean 'b'?" in refusal(boxes("--only", "cases.txt"))


def test_a_prediction_without_truth_is_refused(boxes) -> None:
    write("pred", "extra.nii.gz", box(4, 4, 1))
    assert "1 of 3 predictions have no truth in 'truth': 'extra'" in refusal(boxes())


def test_names_that_do_not_match_are_shown(score) -> None:
    write("truth", "case1_seg.nii.gz", box(4, 4, 1))
    write("pred", "case1.nii.gz", box(4, 4, 1))
    sentence = refusal(score())
    assert "predictions such as 'case1'; truths such as 'case1_seg'" in sentence
    assert as_json(score("--truth-pattern", "{case}_seg.nii.gz", "--json"))["summary"][0]["mean"] == 1


def test_nested_folders_match_by_path_or_by_pattern(score) -> None:
    write("truth", "p1/label.nii.gz", box(4, 4, 1))
    write("pred", "p1/label.nii.gz", box(4, 4, 1))
    assert as_json(score("--json"))["scores"][0]["case"] == "p1/label"
    assert as_json(score("--json", "--truth-pattern", "{case}/label.nii.gz",
                         "--pred-pattern", "{case}/label.nii.gz"))["scores"][0]["case"] == "p1"  # fmt: skip


def test_missing_and_empty_folders_are_one_sentence(score) -> None:
    assert "--truth: folder 'truth' does not exist" in refusal(score())
    Path("truth").mkdir()
    Path("pred").mkdir()
    assert "--truth: no NIfTI file (.nii, .nii.gz) in folder 'truth'" in refusal(score())
    write("truth", "a.nii.gz", box(4, 4, 1))
    assert "--pred: no NIfTI file" in refusal(score())


def test_a_wrong_affine_is_refused_unless_ignored(score) -> None:
    truth, predicted = random_labels(1), random_labels(2)
    lps = np.diag([-SPACING[0], -SPACING[1], SPACING[2], 1.0])
    for folder, labels in (("truth", truth), ("pred", predicted)):
        Path(folder).mkdir()
        nib.save(nib.Nifti1Image(labels, lps), f"{folder}/a.nii.gz")
    right = as_json(score("--metrics", "all", "--json"))
    nib.save(nib.Nifti1Image(predicted, np.eye(4)), "pred/a.nii.gz")
    sentence = refusal(score())
    assert "case 'a': the affines of prediction and truth differ by" in sentence
    assert "--ignore-affine" in sentence
    assert as_json(score("--metrics", "all", "--json", "--ignore-affine")) == right
    lps[0, 3] += 2e-5  # as official headers differ
    nib.save(nib.Nifti1Image(predicted, lps), "pred/a.nii.gz")
    assert as_json(score("--metrics", "all", "--json")) == right


def test_other_shapes_and_4d_files_are_refused_case_by_case(score) -> None:
    write("truth", "a.nii.gz", box(4, 4, 1))
    write("pred", "a.nii.gz", np.zeros((9, 8, 4), np.uint8))
    write("truth", "b.nii.gz", box(4, 4, 1))
    write("pred", "b.nii.gz", np.zeros((*SHAPE, 2), np.uint8))
    sentence = refusal(score())
    assert "case 'a': the prediction has shape (4, 8, 9), the truth (5, 8, 9)" in sentence
    assert "case 'b'" in sentence
    assert "holds 2 values per voxel (4D)" in sentence
    Path("pred/a.nii.gz").write_bytes(b"no image")
    assert "case 'a': cannot read the prediction 'pred/a.nii.gz'" in refusal(score())


def test_a_flat_image_is_one_slice(score) -> None:
    for folder, column in (("truth", 2), ("pred", 5)):
        labels = np.zeros((9, 8), np.uint8)
        labels[column, 3] = 1
        write_flat(Path(folder) / "a.nii.gz", labels)
    (row,) = as_json(score("--metrics", "hd", "--json"))["scores"]
    assert row["value"] == pytest.approx(3 * 0.5)


def write_flat(path: Path, labels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(labels, np.diag([0.5, 1.0, 1.0, 1.0]))
    assert image.header["dim"][0] == 2
    nib.save(image, path)


def test_whole_numbers_stored_as_floats_are_labels_and_fractions_are_not(boxes) -> None:
    before = as_json(boxes("--json"))
    write("pred", "a.nii.gz", box(slice(2, 4), slice(2, 3), 1).astype(np.float32))
    assert as_json(boxes("--json")) == before
    write("pred", "a.nii.gz", box(2, 2, 1).astype(np.float32) * 0.7)
    sentence = refusal(boxes())
    assert "case 'a': the prediction holds label 0.7" in sentence
    assert "not fractions or probabilities" in sentence


def test_an_unknown_code_names_case_and_code(boxes) -> None:
    write("pred", "b.nii", box(4, 4, 3, value=7))
    sentence = refusal(boxes())
    assert "case 'b': the prediction holds label 7, not in the label map [0, 1]" in sentence
    assert as_json(boxes("--pred-labels", "7: 1, 1: 1", "--json"))["summary"][0]["n"] == 2


def test_labels_are_merged_ignored_and_named(score) -> None:
    truth = box(2, 2, 1) + box(3, 2, 1, value=2) + box(6, 6, 3, value=255)
    write("truth", "a.nii.gz", truth)
    write("pred", "a.nii.gz", box(slice(2, 4), 2, 1) + box(6, 6, 3))
    options = ("--labels", "{1: 1, 2: 1, 255: ignore}", "--metrics", "dsc", "--json")
    (row,) = as_json(score(*options, "--classes", "1: lesion"))["scores"]
    assert (row["class"], row["value"]) == ("lesion", 1.0)
    write("pred", "a.nii.gz", truth)
    assert "because truths ignore it; say what it means there with --pred-labels" in refusal(score(*options))
    unsaid = score("--json")
    assert as_json(unsaid)["classes"] == ["label 1", "label 2", "label 255"]
    assert "label 255 is scored as a class of its own" in unsaid.err
    assert "classes must be numbered 1, 2" in refusal(score("--labels", "1: 1, 2: 3"))
    assert "--labels" in refusal(score("--labels", "1: one"))


def test_the_csv_has_every_score_and_is_written_whole(boxes) -> None:
    write("pred", "b.nii", box(4, 4, 3) * 0)
    assert boxes("--metrics", "dsc,hd", "--out", "out/scores.csv").code == 0
    with Path("out/scores.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["case"], row["class"], row["metric"], row["unit"]) for row in rows] == [
        ("a", "label 1", "dsc", ""), ("a", "label 1", "hd", "mm"),
        ("b", "label 1", "dsc", ""), ("b", "label 1", "hd", "mm"),
    ]  # fmt: skip
    assert float(rows[0]["value"]) == float(rows[0]["imputed"]) == 2 / 3
    assert (rows[3]["value"], rows[3]["reason"]) == ("", "prediction empty")
    assert float(rows[3]["imputed"]) == pytest.approx(float(np.linalg.norm(np.multiply(SHAPE, SPACING))))
    assert [path.name for path in Path("out").iterdir()] == ["scores.csv"]
    write("pred", "extra.nii.gz", box(4, 4, 1))
    kept = Path("out/scores.csv").read_text()
    refusal(boxes("--out", "out/scores.csv"))
    assert Path("out/scores.csv").read_text() == kept


def test_a_patient_counts_once(score) -> None:
    for case, column in (("p1_a", 4), ("p1_b", 4), ("p2_a", 6)):
        write("truth", f"{case}.nii.gz", box(4, 4, 1))
        write("pred", f"{case}.nii.gz", box(column, 4, 1))
    (row,) = as_json(score("--metrics", "dsc", "--json", "--patient", "(p[0-9]+)_"))["summary"]
    assert (row["n"], row["mean"]) == (2, 0.5)


def test_wrong_options_are_one_sentence(boxes) -> None:
    assert "unknown metric 'dice'" in refusal(boxes("--metrics", "dice"))
    assert "--study needs --label" in refusal(boxes("--study", "mine"))
    assert "--label is for the database; give --study too" in refusal(boxes("--label", "Net"))
    assert not Path("lossbench-home").exists()


def test_scores_in_the_database_are_there_once(boxes) -> None:
    options = ("--study", "mine", "--label", "Net", "--dataset", "boxes")
    assert "stored as 'Net' on dataset 'boxes'" in boxes(*options).out
    stored = rows_of("mine")
    assert "already stored" in boxes(*options).out
    assert rows_of("mine").equals(stored)
    shown = as_json(boxes("--metrics", "all", "--json"))["scores"]
    assert sorted(stored["imputed"]) == pytest.approx(sorted(row["imputed"] for row in shown))
    assert set(stored["class_name"]) == {"label 1"}
    assert set(stored["family"]) == {"external"}
    assert set(stored["part"]) == {"test"}


def rows_of(study: str):
    database = open_database("sqlite:///lossbench-home/results.db")
    rows = frames.scores(database, study)
    database.close()
    return rows


def test_other_predictions_need_another_label_or_seed(boxes) -> None:
    options = ("--study", "mine", "--label", "Net")
    assert boxes(*options).code == 0
    write("pred", "b.nii", box(4, 4, 2))
    sentence = refusal(boxes(*options, "--out", "scores.csv"))
    assert "study 'mine' has other predictions as 'Net', seed 0, on 'truth'" in sentence
    assert not Path("scores.csv").exists()
    assert boxes(*options, "--seed", "1").code == 0
    assert boxes("--study", "mine", "--label", "Other").code == 0
    assert set(rows_of("mine")["seed"]) == {0, 1}


def test_status_and_report_read_a_study_of_predictions(boxes) -> None:
    assert boxes("--study", "mine", "--label", "Net A", "--dataset", "boxes").code == 0
    write("pred", "b.nii", box(4, 4, 2))
    assert boxes("--study", "mine", "--label", "Net B").code == 0  # of a study with one dataset: boxes
    status = as_json(boxes("--json", command="status"))
    assert [(row["dataset"], row["loss"], row["state"]) for row in status["trials"]] == [
        ("boxes", "Net A", "done"), ("boxes", "Net B", "done"),
    ]  # fmt: skip
    report = boxes("mine", command="report")
    assert report.code == 0, report.err
    assert "Net A" in report.out
    assert "Unfinished" not in report.out
    page = Path("lossbench-home/reports/mine/report.html").read_text()
    assert "We scored the predictions of Net A and Net B on boxes (2 patients)" in page
    assert "None epochs" not in page


def test_predictions_join_the_trials_of_a_study(study_file: Path, discs_data: Path, score) -> None:
    changes = ("--set", "protocol.epochs=1", "--set", "losses=[{loss: ce, label: CE}]", "--set", "seeds=1")
    trained = lossbench("run", study_file, "--data", discs_data, "--local", *changes, cwd=Path.cwd())
    assert trained.returncode == 0, trained.stderr
    with sqlite3.connect("lossbench-home/results.db") as connection:
        tested = connection.execute(
            'SELECT c.name FROM split_case s JOIN "case" c ON c.id = s.case_id WHERE s.part = ?', ("test",)
        ).fetchall()
    Path("test.txt").write_text("\n".join(name for (name,) in tested))
    labels = discs_data / "discs" / "labels"
    options = ("--pred", labels, "--truth", labels, "--study", "tiny")
    assert "it tests 2 cases, these are 8, and 2 are in both" in refusal(score(*options, "--label", "Net"))
    assert "trains a loss called 'CE'" in refusal(score(*options, "--only", "test.txt", "--label", "CE"))
    assert score(*options, "--only", "test.txt", "--label", "Net").code == 0
    rows = rows_of("tiny")
    rows = rows[(rows["part"] == "test") & (rows["checkpoint"] == "best")]
    pairs = {label: set(part["case"]) for label, part in rows.groupby("label", observed=True)}
    assert pairs["Net"] == pairs["CE"] == {name for (name,) in tested}
    assert set(rows["dataset"]) == {"discs"}
    report = score("tiny", command="report")
    assert "Net" in report.out
    assert "Unfinished" not in report.out
    page = Path("lossbench-home/reports/tiny/report.html").read_text()
    assert "The predictions of Net were made elsewhere and only scored here." in page


def test_several_processes_give_the_same_numbers(boxes, tmp_path: Path) -> None:
    alone = as_json(boxes("--json"))
    several = lossbench("score", "--pred", "pred", "--truth", "truth", "--workers", 2, "--json", cwd=tmp_path)
    assert several.returncode == 0, several.stderr
    assert json.loads(several.stdout) == alone
