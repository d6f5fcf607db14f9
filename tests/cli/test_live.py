"""Progress: what a person sees on a terminal, and what a log gets."""

import io

from rich.console import Console

from harness.cli import live
from harness.data.splits import HoldoutSplit, KFoldSplit
from harness.losses import parse_loss
from harness.study.plan import PlannedTrial
from harness.study.spec import ModelEntry
from harness.study.trial import Trial
from harness.training.job import EpochRecord
from harness.training.protocol import Protocol


def planned(label: str = "CE [red]", split=None, purpose: str = "study") -> PlannedTrial:
    trial = Trial(
        fingerprint="f",
        split=split or HoldoutSplit(),
        fold=0,
        loss=parse_loss("ce").canonical(),
        model=ModelEntry(),
        protocol=Protocol(epochs=5),
        seed=1,
        purpose=purpose,
    )
    return PlannedTrial("set", label, trial)


def drawn(view: live.LiveView) -> str:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(view)
    return console.export_text()


def test_the_table_shows_done_failed_running_and_the_best_value():
    view = live.LiveView("demo")
    view.begin(4)
    view.started(planned(), 0)
    view.epoch(planned(), EpochRecord(2, 0.5, 0.42, 1e-3, None, None, 1.0))
    assert "seed 1: epoch 3/5, DSC 0.420" in drawn(view)
    view.finished(planned(), "done", 0.5, 9.0)
    view.failed(planned("Dice"), "ValueError: no", will_retry=False)
    view.reused(planned("Dice"), "done")
    text = drawn(view)
    assert "demo: 3/4 trials" in text
    assert "CE [red]" in text  # labels are data, not markup
    assert "0.500" in text
    assert "epoch 3/5" not in text


def test_time_left_is_a_range_and_needs_three_trials(monkeypatch):
    clock = live._Clock(began=0.0, expected=10)
    monkeypatch.setattr(live.time, "monotonic", lambda: 300.0)
    assert "not known" in clock.remaining()
    clock.trained = 3
    assert clock.remaining() == "time left: 9 min to 15 min"
    assert clock.speed() == "36 trials/h"


def test_a_log_gets_one_line_per_finished_trial(capsys):
    view = live.PlainView()
    view.begin(2)
    view.started(planned(), 0)
    view.epoch(planned(), EpochRecord(0, 0.5, 0.4, 1e-3, None, None, 1.0))
    view.started(planned("Dice"), 3)
    view.finished(planned(split=KFoldSplit(), purpose="search"), "done", 0.5, 9.0)
    view.failed(planned("Dice"), "the worker process died", will_retry=True)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "2 trials"
    assert lines[1] == "goes on at epoch 3: set / Dice / seed 1"
    assert lines[2].startswith(
        "[1/2] done: set / CE [red] (tuning) / seed 1 fold 0: validation DSC 0.500, 9 s"
    )
    assert lines[3] == "trying again: set / Dice / seed 1: the worker process died"
