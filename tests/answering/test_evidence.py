"""Evidence: what is read of a study, and which of it may be seen."""

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from harness.answering.evidence import Evidence, load_evidence
from harness.answering.looks import digest_of_scores, record_look
from harness.errors import InputError
from harness.store import frames
from harness.store.database import Database, open_database
from harness.store.trials import TrialStore
from tests.reports import synthetic
from tests.store import made_up

HEADS, EYES = synthetic.heads(), synthetic.eyes()
SEEDS = 2


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder = tmp_path_factory.mktemp("evidence")
    found = open_database(f"sqlite:///{folder / 'results.db'}", create=True)
    made_up.fill(found, folder, SEEDS)
    yield found
    found.close()


@pytest.fixture(scope="module")
def evidence(database: Database) -> Evidence:
    return load_evidence(database, synthetic.STUDY)


def test_losses_stand_in_the_order_of_the_study(evidence: Evidence) -> None:
    assert evidence.losses == tuple(label for label, *_ in synthetic.LOSSES)
    assert evidence.families["Dice + CE"] == "compound"
    assert evidence.expressions["Dice + CE"] == "dice + ce"
    assert set(evidence.datasets) == {HEADS.name, EYES.name}


def test_ce_and_dice_ce_are_the_references_unless_the_study_names_others(evidence: Evidence) -> None:
    assert evidence.plan.references == ("CE", "Dice + CE")


def test_every_run_that_has_ended_has_its_state(evidence: Evidence) -> None:
    states = evidence.states.set_index(["dataset", "loss", "seed"])["state"]
    assert len(states) == len(synthetic.LOSSES) * SEEDS * 2
    counts = states.value_counts().to_dict()
    assert counts.keys() == {"scored", "collapsed", "diverged"}
    assert states[HEADS.name, "Boundary", SEEDS - 1] == "diverged"
    assert states[HEADS.name, synthetic.HOSTILE, 0] == "collapsed"
    assert (evidence.states["seconds"] > 0).all()


def test_scores_are_those_of_the_test_cases_at_the_reported_checkpoint(
    database: Database, evidence: Evidence
) -> None:
    assert (evidence.part, evidence.checkpoint, evidence.complete) == ("test", "best", True)
    expected = frames.scores(database, synthetic.STUDY, part="test", checkpoint="best")
    diverged = (
        (expected["dataset"] == HEADS.name)
        & (expected["label"] == "Boundary")
        & (expected["seed"] == SEEDS - 1)
    )
    assert len(evidence.scores) == (~diverged).sum()
    assert set(evidence.scores["patient"]) == {*HEADS.test, *EYES.test} | set(
        expected.loc[expected["dataset"] == EYES.name, "patient"]
    )
    last = load_evidence(database, synthetic.STUDY, checkpoint="last")
    assert (last.checkpoint, last.digest != evidence.digest) == ("last", True)


def test_lengths_come_from_the_headers_of_the_cases(evidence: Evidence, database: Database) -> None:
    case = frames.cases(database, synthetic.STUDY).query("dataset == @HEADS.name").iloc[0]
    depth, height, width = (s * n for s, n in zip(case["spacing"], case["shape"], strict=True))
    assert evidence.worst[HEADS.name][case["patient"]] == pytest.approx(math.hypot(depth, height, width))
    assert evidence.eps[HEADS.name] == min(HEADS.spacing[1:]) / 2
    patient = evidence.patients.set_index(["dataset", "patient"]).loc[(HEADS.name, case["patient"])]
    truth = HEADS.truths[case["case"]]
    assert patient["foreground_fraction"] == pytest.approx((truth > 0).mean())
    assert patient["volume_ml"] == pytest.approx((truth > 0).sum() * math.prod(HEADS.spacing) / 1000)


def test_the_digest_is_that_of_the_looks_taken_by_earlier_versions(
    database: Database, evidence: Evidence
) -> None:
    scores = frames.scores(database, synthetic.STUDY, part="test", checkpoint="best", loss=["Dice", "CE"])
    columns = ["key", "patient", "case", "class_index", "metric", "part", "checkpoint", "imputed"]
    lines = sorted(
        "\t".join(repr(float(each) if isinstance(each, float) else each) for each in row)
        for row in scores[columns].itertuples(index=False, name=None)
    )
    assert digest_of_scores(scores) == hashlib.sha256("\n".join(lines).encode()).hexdigest()
    assert digest_of_scores(scores.sample(frac=1, random_state=0)) == digest_of_scores(scores)


def test_the_same_scores_again_are_no_new_look(tmp_path: Path) -> None:
    database = synthetic.make_study(tmp_path, seeds=1).database
    first = load_evidence(database, synthetic.STUDY)
    for _ in range(2):
        record_look(database, synthetic.STUDY, first.digest, first.complete)
    assert (first.looks, load_evidence(database, synthetic.STUDY).looks) == (1, 1)
    database.close()


def test_an_incomplete_study_shows_validation_scores_unless_somebody_peeks(tmp_path: Path) -> None:
    database = synthetic.make_study(tmp_path, seeds=1, finish=0.6).database
    shown = load_evidence(database, synthetic.STUDY)
    assert (shown.part, shown.complete) == ("validation", False)
    assert load_evidence(database, synthetic.STUDY, peek=True).part == "test"
    assert len(frames.looks(database, synthetic.STUDY)) == 0
    database.close()


def test_what_the_study_plans_is_asked(tmp_path: Path) -> None:
    document = {
        "analysis": {
            "metric": "nsd_2mm",
            "boundary": "hd",
            "alpha": 0.1,
            "margins": {"dsc": 0.02},
            "dataset_margins": {HEADS.name.removesuffix("-sim"): {"dsc": 0.03}},
            "references": ["GDL"],
            "looks": 2,
        },
        "contrasts": [{"name": "compound is better", "plus": ["Dice + CE"], "minus": ["Dice", "CE"]}],
    }
    database = synthetic.make_study(tmp_path, seeds=1, **document).database
    plan = load_evidence(database, synthetic.STUDY).plan
    assert (plan.metric, plan.boundary, plan.alpha_look, plan.references) == ("nsd_2mm", "hd", 0.05, ("GDL",))
    assert (plan.margin(HEADS.name, "dsc"), plan.margin(EYES.name, "dsc")) == (0.03, 0.02)
    assert [(c.name, c.plus, c.minus) for c in plan.contrasts] == [
        ("compound is better", ("Dice + CE",), ("Dice", "CE"))
    ]
    database.close()


def test_a_study_without_results_has_no_evidence(database: Database) -> None:
    with pytest.raises(InputError, match="no study 'made-upp'"):
        load_evidence(database, "made-upp")
    TrialStore(database, "nobody").register_study("empty", "", {"study": "empty"})
    with pytest.raises(InputError, match="no finished trial yet"):
        load_evidence(database, "empty")


def test_evidence_is_frames_of_names(evidence: Evidence) -> None:
    assert isinstance(evidence.scores, pd.DataFrame)
    assert set(evidence.scores["loss"]) == set(evidence.losses)
    assert evidence.scores["imputed"].notna().all()
