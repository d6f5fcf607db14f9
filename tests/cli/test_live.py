"""Progress: what a person sees on a terminal, what a log gets, and what a program reads."""

import io
import json

import pytest
from rich.console import Console

from harness.cli import live
from harness.cli.watching.board import Board, Boards, Row, RunningTrial, duration, left_words
from harness.cli.watching.lines import JsonView, PlainView, QuietView
from harness.data.splits import HoldoutSplit, KFoldSplit
from harness.losses import parse_loss
from harness.scheduling.progress import Cell, Progress
from harness.scheduling.time_left import Range
from harness.study.plan import PlannedTrial
from harness.study.spec import ModelEntry
from harness.study.trial import Trial
from harness.training.job import EpochRecord
from harness.training.protocol import Protocol

CELLS = {Cell("set", "CE [red]"): 3, Cell("set", "Dice"): 2, Cell("set", "Dice", "search"): 1}


def planned(label: str = "CE [red]", split=None, purpose: str = "study", seed: int = 1) -> PlannedTrial:
    trial = Trial(
        fingerprint="f" * (1 + len(label)),
        split=split or HoldoutSplit(),
        fold=0,
        loss=parse_loss("ce").canonical(),
        model=ModelEntry(),
        protocol=Protocol(epochs=5),
        seed=seed,
        purpose=purpose,
    )
    return PlannedTrial("set", label, trial)


def epoch(number: int, dsc: float, train_loss: float = 0.5) -> EpochRecord:
    return EpochRecord(number, train_loss, dsc, 1e-3, None, None, 1.0)


def drawn(what: object, width: int = 120, height: int = 40) -> str:
    """What a terminal of this size shows."""
    stream = io.StringIO()
    Console(width=width, height=height, file=stream, force_terminal=True, color_system=None).print(what)
    return stream.getvalue()


def numbers_of(text: str, loss: str) -> list[str]:
    """The numbers in the first row of a loss."""
    row = next(line for line in text.splitlines() if f"  {loss}  " in line)
    return row.partition(f"  {loss}  ")[2].split()


@pytest.fixture
def view() -> live.LiveView:
    view = live.LiveView("demo", clock=iter(range(0, 10_000, 10)).__next__)
    view.begin(CELLS, 2)
    return view


def test_every_row_is_there_before_anything_runs(view):
    text = drawn(view)
    assert "demo: 0 of 6 trials done" in text
    assert "2 workers, time left not known yet" in text
    assert numbers_of(text, "CE [red]") == ["3", "-", "-", "-"]  # labels are data, not markup
    assert "Dice (tuning)" in text


def test_the_table_shows_running_done_failed_and_the_best_value(view):
    view.started(planned(), 0)
    view.epoch(planned(), epoch(1, 0.52))
    view.epoch(planned(), epoch(2, 0.42))
    text = drawn(view)
    assert numbers_of(text, "CE [red]") == ["2", "1", "-", "-", "0.520"]
    assert numbers_of(text[text.index("running now") :], "CE [red]") == ["1", "3/5", "0.420", "0.520"]
    view.finished(planned(), "done", 0.53, 9.0)
    view.failed(planned("Dice"), "ValueError: no", will_retry=False)
    view.reused(planned("Dice", seed=2), "done")
    text = drawn(view)
    assert "demo: 2 of 6 trials done, 1 failed" in text
    assert numbers_of(text, "CE [red]") == ["2", "-", "1", "-", "0.530"]
    assert numbers_of(text, "Dice") == ["-", "-", "1", "1"]
    assert "running now" not in text
    assert "trials/h, time left" in text


def test_pruned_trials_have_ended_and_have_a_column_where_there_are_any(view):
    assert "pruned" not in drawn(view)
    view.started(planned("Dice", purpose="search"), 0)
    view.finished(planned("Dice", purpose="search"), "pruned", 0.4, 9.0)
    view.reused(planned(), "pruned")
    text = drawn(view)
    assert "demo: 2 of 6 trials done, 2 pruned" in text
    assert "done  pruned  failed" in text
    assert numbers_of(text, "Dice (tuning)") == ["-", "-", "-", "1", "-", "0.400"]
    assert numbers_of(text, "CE [red]") == ["2", "-", "-", "1", "-"]


def test_a_search_may_have_more_or_fewer_trials_than_was_announced(view):
    search = Cell("set", "Dice", "search")
    view.started(planned("Dice", purpose="search"), 0)
    view.cells({**CELLS, search: 4})
    text = drawn(view)
    assert "demo: 0 of 9 trials done, 1 running" in text
    assert numbers_of(text, "Dice (tuning)") == ["3", "1", "-", "-"]
    view.finished(planned("Dice", purpose="search"), "done", 0.4, 9.0)
    view.cells({**CELLS, search: 1, Cell("set", "Dice (tuned)"): 2})
    text = drawn(view)
    assert "demo: 1 of 8 trials done" in text
    assert numbers_of(text, "Dice (tuning)") == ["-", "-", "1", "-", "0.400"]
    assert numbers_of(text, "Dice (tuned)") == ["2", "-", "-", "-"]
    assert view.total == 8


def test_a_trial_that_is_tried_again_or_stopped_waits_again(view):
    view.started(planned(), 0)
    view.failed(planned(), "the worker process died", will_retry=True)
    view.started(planned(seed=2), 3)
    assert "went on after epoch 3" in drawn(view)
    view.stopped(planned(seed=2), 4)
    text = drawn(view)
    assert "demo: 0 of 6 trials done\n" in "\n".join(line.rstrip() for line in text.splitlines())
    assert numbers_of(text, "CE [red]") == ["3", "-", "-", "-"]


def test_workers_come_and_go_and_the_last_note_is_shown(view):
    view.workers(5)
    view.note("the database does not answer: waiting for it")
    view.note("a node was lost")
    text = drawn(view)
    assert "5 workers" in text
    assert "! a node was lost" in text
    assert "does not answer" not in text
    view.note("")
    assert "!" not in drawn(view)


@pytest.mark.parametrize("height", [12, 20, 30])
@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_study_of_many_rows_fits_the_terminal(width, height):
    rows = [Row(f"dataset {n}", "a loss with a very long name " * 3, 8, n % 9 == 8, 1) for n in range(40)]
    rows[35] = Row("dataset 35", "Dice", failed=1)
    running = [RunningTrial(f"dataset {n}", "loss " * 9, n, 0, 3, 50, 0.5, 0.5) for n in range(16)]
    board = Board("demo", rows, running, "16 workers", 36.2, Range(600, 900), ["the database " * 15])
    text = drawn(Boards([board]), width, height)
    lines = text.splitlines()
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    assert "more rows" in text
    assert ("more running trials" in text) == (height > 12)
    if height > 12 and width > 60:
        assert {"dataset 8", "dataset 17", "dataset 35"} <= {line[:10].strip() for line in lines}


def test_a_small_study_is_shown_whole():
    rows = [Row("set", f"loss {n}", 1) for n in range(8)]
    text = drawn(Boards([Board("demo", rows)]), 80, 24)
    assert all(f"loss {n}" in text for n in range(8))
    assert "more row" not in text


def test_names_cannot_steer_the_terminal_or_begin_a_new_row():
    rows = [Row("set\n", "\x1b[31mred\u202e :smile: [bold]", 1)]
    text = drawn(Boards([Board("demo\x07", rows, [RunningTrial("set\n", "\x1b[2J", 1)], notes=["\x1b[0m"])]))
    assert "\x1b" not in text.replace("\x1b[?25l", "")
    assert "\x07" not in text
    assert r"set\n" in text
    assert ":smile: [bold]" in text


def test_times_are_in_the_unit_that_fits():
    assert left_words(Range(540, 900)) == "time left 9 min to 15 min"
    assert left_words(Range(61, 61.2)) == "time left 61 s"
    assert [duration(each) for each in (42, 9000, 300_000)] == ["42 s", "2.5 h", "3.5 days"]


def events(view: Progress) -> None:
    """A little of everything."""
    view.begin(CELLS, 1)
    view.reused(planned(seed=9), "done")
    view.started(planned(), 0)
    view.epoch(planned(), epoch(0, 0.4, float("nan")))
    view.started(planned("Dice"), 3)
    view.workers(2)
    view.finished(planned(split=KFoldSplit(), purpose="search"), "done", 0.5, 9.0)
    view.failed(planned("Dice"), "the worker process\ndied", will_retry=True)
    view.stopped(planned("Dice"), 4)
    view.note("postgresql://me:secret@host/db does not answer")


def test_a_log_gets_one_line_per_event(capsys):
    events(PlainView("demo"))
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == [
        "6 trials, 1 at a time",
        "goes on at epoch 3: set / Dice / seed 1",
        "2 trials at a time from now on",
    ]
    assert lines[3].startswith(
        "[2/6] done: set / CE [red] (tuning) / seed 1 fold 0: validation DSC 0.500, 9 s; time left "
    )
    assert lines[4:6] == [
        r"trying again: set / Dice / seed 1: the worker process\ndied",
        "stopped before epoch 4: set / Dice / seed 1",
    ]
    assert lines[6].endswith("does not answer")
    assert "secret" not in lines[6]
    assert len(lines) == 7


def test_quiet_tells_only_what_went_wrong(capsys):
    events(QuietView("demo"))
    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == [
        "trying again",
        "postgresql",
    ]


def test_json_gives_every_event_as_an_object_on_a_line(capsys):
    view = JsonView("demo")
    events(view)
    view.failed(planned("\x1b\x7f\u2028\n"), "no", will_retry=False)
    told = [json.loads(line, parse_constant=pytest.fail) for line in capsys.readouterr().err.splitlines()]
    assert [each["event"] for each in told] == [
        *("begin", "reused", "started", "epoch", "started", "workers", "finished", "failed", "stopped"),
        *("note", "failed"),
    ]
    begin, _, started, first_epoch, _, _, finished, failed, *_, last = told
    assert begin["cells"][2] == {"dataset": "set", "loss": "Dice", "purpose": "search", "trials": 1}
    assert (started["trial"], started["epochs"]) == (planned().trial.key, 5)
    assert (first_epoch["epoch"], first_epoch["train_loss"], first_epoch["val_dsc"]) == (0, None, 0.4)
    assert (finished["state"], finished["ended"], finished["trials"]) == ("done", 2, 6)
    assert len(finished["seconds_left"]) == 2
    assert (failed["will_retry"], last["loss"]) == (True, "\x1b\x7f\u2028\n")
    assert all("at" in each for each in told)


def test_programs_and_logs_hear_of_another_number_of_trials(capsys):
    for view in (PlainView("demo"), JsonView("demo")):
        view.begin(CELLS, 1)
        view.cells(CELLS)
        view.cells({**CELLS, Cell("set", "Dice", "search"): 3})
        view.finished(planned("Dice", purpose="search"), "pruned", 0.5, 9.0)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["6 trials, 1 at a time", "8 trials after all, 6 were expected"]
    assert lines[2].startswith("[1/8] pruned: set / Dice (tuning) / seed 1: validation DSC 0.500")
    _, same, more, finished = map(json.loads, lines[3:])
    assert (same["event"], same["trials"], more["trials"]) == ("cells", 6, 8)
    assert {"dataset": "set", "loss": "Dice", "purpose": "search", "trials": 3} in more["cells"]
    assert (finished["state"], finished["ended"], finished["trials"]) == ("pruned", 1, 8)


def test_the_view_fits_where_stderr_goes(monkeypatch):
    kinds = {}
    for terminal in (True, False):
        console = Console(file=io.StringIO(), force_terminal=terminal, width=100, height=20)
        monkeypatch.setattr(live, "stderr", console)
        for style in ("auto", "quiet", "json"):
            with live.progress_view("demo", style, {Cell("set", "Dice"): 9.0}) as view:
                kinds[terminal, style] = type(view)
                view.begin({Cell("set", "Dice"): 1}, 1)
    assert kinds == {
        (True, "auto"): live.LiveView,
        (True, "quiet"): QuietView,
        (True, "json"): JsonView,
        (False, "auto"): PlainView,
        (False, "quiet"): QuietView,
        (False, "json"): JsonView,
    }
