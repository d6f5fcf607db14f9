"""Anyone's scores in a CSV file."""

from pathlib import Path

import pytest

from harness.answering.score_file import read_score_file
from harness.errors import InputError
from harness.statistics.study_answer import answer_study


def written(folder: Path, text: str) -> Path:
    path = folder / "scores.csv"
    path.write_text(text)
    return path


def rows(header: str, *lines: str) -> str:
    return "\n".join([header, *lines]) + "\n"


def some_scores(extra: str = "") -> str:
    lines = [
        f"{loss},{seed},c{case},{0.5 + 0.1 * (loss == 'B') + 0.01 * case + 0.001 * seed * (case % 2)}"
        for loss in "AB"
        for seed in range(3)
        for case in range(8)
    ]
    return rows("loss,seed,case,value", *lines) + extra


def test_four_columns_are_enough(tmp_path: Path) -> None:
    results = read_score_file(written(tmp_path, some_scores()))
    assert (results.losses, results.metrics, results.datasets) == (("A", "B"), ("dsc",), ("scores",))
    assert answer_study(results).datasets[0].primary.recommendation.loss == "B"
    assert any("collapsed" in note for note in results.notes)


def test_empty_and_infinite_values_are_undefined(tmp_path: Path) -> None:
    text = rows(
        "loss,seed,case,metric,value", "A,0,c1,HD95,", "A,0,c2,hd95,inf", "A,0,c3,hd95,2.5", "A,0,c4,hd95,nan"
    )
    results = read_score_file(written(tmp_path, text))
    assert results.plan.metric == "hd95"
    assert results.scores["value"].isna().tolist() == [True, True, False, True]


def test_cases_of_a_patient_and_classes_are_kept_apart(tmp_path: Path) -> None:
    text = rows(
        "loss,seed,case,patient,class,value",
        "A,0,p1_ed,p1,lv,0.5",
        "A,0,p1_ed,p1,rv,0.6",
        "A,0,p1_es,p1,lv,0.7",
    )
    results = read_score_file(written(tmp_path, text))
    assert set(results.scores["patient"]) == {"p1"}
    assert results.scores["class_index"].tolist() == [1, 2, 1]


def test_collapsed_runs_are_marked(tmp_path: Path) -> None:
    text = rows(
        "loss,seed,case,value,collapsed,seconds",
        "A,0,c1,0.5,true,60",
        "A,0,c2,0.5,true,60",
        "A,1,c1,0.5,no,30",
    )
    states = read_score_file(written(tmp_path, text)).states
    assert states["state"].tolist() == ["collapsed", "scored"]
    assert states["seconds"].tolist() == [60, 30]


def test_names_that_look_like_numbers_stay_names(tmp_path: Path) -> None:
    text = rows("loss,seed,case,value", "01,0,007,0.5", "1,0,007,0.6")
    results = read_score_file(written(tmp_path, text))
    assert results.losses == ("01", "1")
    assert results.scores["case"].tolist() == ["007", "007"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is no CSV table"),
        ("loss,seed,case,value\n", "has no rows"),
        (rows("loss,sed,case,value", "A,0,c,1"), r"no column 'seed' \(is it 'sed'\?\)"),
        (rows("a;b", "1;2"), "no column 'loss'"),
        (rows("loss,seed,case,value", "A,0,c,high"), r"scores.csv:2: value 'high' is no number"),
        (rows("loss,seed,case,value", "A,0,c,1", "A,x,c,1"), r"scores.csv:3: seed 'x' is no number"),
        (rows("loss,seed,case,value", "A,0.5,c,1"), r"scores.csv:2: seed .*whole number"),
        (rows("loss,seed,case,value", ",0,c,1"), r"scores.csv:2: no 'loss'"),
        (rows("loss,seed,case,value", "A,0,c,1", "A,0,c,1"), r"scores.csv:3: a second dsc of case 'c'"),
        (rows("loss,seed,case,value,collapsed", "A,0,c,1,maybe"), r"scores.csv:2: collapsed 'maybe'"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        read_score_file(written(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_score_file(tmp_path / "none.csv")
