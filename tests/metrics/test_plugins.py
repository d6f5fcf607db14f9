"""Metrics of other people: by import path and by entry point."""

from importlib.metadata import EntryPoint

import numpy as np
import pytest

from harness.errors import InputError
from harness.metrics import METRICS, evaluate_case, find_metric, plugins

SOURCE = """
from harness.metrics import Comparison, Metric

def compute(comparison):
    shared, predicted, true = comparison.counts
    return (shared / true) ** 2 if true else None

MINE = Metric("squared", "Squared", "", "higher", 1, "Square of the sensitivity.", compute)
TAKEN = Metric("dsc", "Mine", "", "higher", 1, "Mine.", compute)
"""


@pytest.fixture(autouse=True)
def their_package(tmp_path, monkeypatch):
    (tmp_path / "their_metrics.py").write_text(SOURCE)
    (tmp_path / "broken_metrics.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(METRICS, "_entries", dict(METRICS._entries))


def test_a_metric_is_found_by_import_path_and_goes_by_its_name() -> None:
    mask = np.zeros((2, 4, 4), np.uint8)
    mask[:, 1:3, 1:3] = 1
    half = mask.copy()
    half[0] = 0
    (score,) = evaluate_case(half, mask, (1, 1, 1), 2, ("their_metrics:MINE",))
    assert (score.metric, score.value) == ("squared", 0.25)
    assert find_metric("squared") is find_metric("their_metrics:MINE")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("their_metrics:MIEN", "no 'MIEN'; did you mean 'MINE'"),
        ("their_metrics:compute", r"must be a harness.metrics.Metric \(got function\)"),
        ("their_metrics:TAKEN", "the name 'dsc' is taken"),
        ("broken_metrics:X", "cannot import 'broken_metrics': ZeroDivisionError"),
        ("dcs", "did you mean 'dsc'"),
    ],
)
def test_what_is_no_metric_is_refused(name: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        find_metric(name)


def test_announced_metrics_are_registered_and_broken_ones_told(monkeypatch, caplog) -> None:
    announced = {"squared": "their_metrics:MINE", "other": "their_metrics:TAKEN", "bad": "broken_metrics:X"}
    entries = [EntryPoint(name, value, plugins.GROUP) for name, value in announced.items()]
    monkeypatch.setattr(plugins, "entry_points", lambda group: entries if group == plugins.GROUP else [])
    plugins.load_entry_points()
    assert "squared" in METRICS
    assert "other" not in METRICS
    assert "calls itself 'dsc'" in caplog.text
    assert "cannot be loaded: ZeroDivisionError" in caplog.text
