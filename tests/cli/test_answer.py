"""``lossbench answer`` and ``error-rates`` as a user gives them."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from harness.cli.main import app
from harness.errors import InputError
from harness.statistics.simulated_scores import Truth, simulate


def lossbench(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), catch_exceptions=True)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    truth = Truth(means=(0.1, 0.0, -0.05), patients=30)
    lines = ["loss,seed,case,dataset,metric,value"]
    for dataset in ("brain", "heart"):
        made = simulate(truth, 5, np.random.default_rng(len(dataset)))
        lines += [
            f"{loss},{seed},c{i},{dataset},dsc,{made[at][i, seed]:.6f}"
            for at, loss in enumerate(("Dice + CE", "CE", "Focal"))
            for seed in range(5)
            for i in range(30)
        ]
    path = tmp_path / "scores.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_scores_of_a_file_are_answered_in_a_screenful(scores: Path) -> None:
    told = lossbench("answer", "--csv", str(scores))
    assert "Over these 2 datasets take Dice + CE" in told
    assert "On brain take Dice + CE" in told
    assert len(told.splitlines()) < 60


def test_the_answer_is_json_for_other_programs(scores: Path) -> None:
    document = json.loads(lossbench("answer", "--csv", str(scores), "--json", "--dataset", "brain"))
    assert [each["dataset"] for each in document["datasets"]] == ["brain"]
    assert document["datasets"][0]["metrics"][0]["recommendation"]["strength"] == "proven"


def test_files_are_written_and_the_same_twice(scores: Path, tmp_path: Path) -> None:
    names = ("decision.json", "verdict.md", "losses.csv", "pairs.csv")
    for folder in ("one", "two"):
        lossbench("answer", "--csv", str(scores), "--out", str(tmp_path / folder))
    one, two = ([(tmp_path / folder / name).read_bytes() for name in names] for folder in ("one", "two"))
    assert one == two
    assert b"take Dice + CE" in one[1]


def test_the_margin_and_the_reference_can_be_given(scores: Path) -> None:
    words = "answer", "--csv", str(scores), "--margin", "0.5", "--reference", "Focal", "--json"
    cell = json.loads(lossbench(*words))["datasets"][0]["metrics"][0]
    assert cell["margin"] == 0.5
    assert cell["versus"][0]["reference"] == "Focal"
    assert set(cell["safe"]) == {"Dice + CE", "CE", "Focal"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "give the name of a study, or --csv FILE"),
        (["some", "--csv", "FILE"], "one of them"),
        (["some", "--margin", "0.1"], "under 'analysis'"),
        (["--csv", "FILE", "--metric", "dcs"], "no metric 'dcs'; did you mean 'dsc'"),
        (["--csv", "FILE", "--dataset", "hart"], "no dataset 'hart'; did you mean 'heart'"),
        (["--csv", "FILE", "--reference", "dice"], "no loss 'dice'"),
        (["--csv", "FILE", "--margin", "0"], "give a number above 0"),
        (["--csv", "none.csv"], "does not exist"),
    ],
)
def test_bad_words_are_told_in_a_sentence(scores: Path, words: list[str], told: str) -> None:
    with pytest.raises(InputError, match=told):
        lossbench("answer", *[str(scores) if word == "FILE" else word for word in words])


def test_error_rates_are_counted_and_compared_with_what_is_promised() -> None:
    told = lossbench("error-rates", "--check", "pair", "--studies", "20")
    assert "pair test claims a difference" in told
    found = json.loads(lossbench("error-rates", "--check", "pair", "--studies", "10", "--json"))
    assert {each["studies"] for each in found} == {10}
    with pytest.raises(InputError, match="no check 'pairs'; did you mean 'pair'"):
        lossbench("error-rates", "--check", "pairs")
