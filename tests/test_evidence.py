"""The evidence in docs/ restores, and gives the verdict that stands beside it."""

import json
from pathlib import Path

import pytest

from harness.answering.answer import answer_from_database
from harness.statistics.decision import decision
from harness.store.database import open_database
from harness.store.exchange.importing import loaded
from harness.store.exchange.merging import merge

EVIDENCE = Path(__file__).parents[1] / "docs" / "evidence"
STUDIES = sorted(path.parent.name for path in EVIDENCE.glob("*/manifest.json"))


@pytest.mark.parametrize("study", STUDIES)
def test_committed_results_restore_and_give_the_committed_verdict(study: str, tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'results.db'}", create=True)
    with loaded(EVIDENCE / study) as exported:
        merge(database, exported)
    found = decision(answer_from_database(database, study))
    written = json.loads((EVIDENCE / study / "decision.json").read_text())
    assert found["verdict"] == written["verdict"]
    assert found["plan_hash"] == written["plan_hash"]
    for own, before in zip(found["datasets"], written["datasets"], strict=True):
        for cell, other in zip(own["metrics"], before["metrics"], strict=True):
            assert cell["possibly_best"] == other["possibly_best"]
            means = [row["mean"] for row in cell["table"] if row["mean"] is not None]
            assert means == pytest.approx([row["mean"] for row in other["table"] if row["mean"] is not None])


@pytest.mark.parametrize("study", STUDIES)
def test_evidence_of_a_study_stays_below_five_megabytes(study: str) -> None:
    assert sum(path.stat().st_size for path in (EVIDENCE / study).rglob("*") if path.is_file()) < 5e6
