"""``lossbench status``: what another terminal sees of a run, from the database alone."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, update
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from harness.cli.main import app
from harness.cli.watching.board import Boards
from harness.cli.watching.stored import boards
from harness.cli.watching.watch import watch
from harness.errors import InputError
from harness.store import watching
from harness.store.database import Database, open_database
from harness.store.datasets import DatasetRecord, register_dataset
from harness.store.ownership import machine, new_owner
from harness.store.runs import register_run
from harness.store.schema import EpochRow, TrialRow
from harness.store.trials import TrialRecord, TrialStore
from harness.store.watching import Snapshot, snapshot
from tests.cli.test_live import drawn, numbers_of

EPOCHS, SEEDS = 20, 4
LOSSES = ("CE", "Dice [red]\x1b")
GONE = f"aaaa:{machine()}:{2**22 + 1}"
"""A driver of this machine whose process is not there."""


def key_of(loss: str, seed: int, study: str = "demo") -> str:
    return f"{study}-{LOSSES.index(loss)}-{seed}".ljust(64, "0")


def record(loss: str, seed: int, study: str) -> TrialRecord:
    canonical = {"seed": seed, "protocol": {"epochs": EPOCHS}, "split": {"kind": "kfold"}}
    made = {"name": "ce", "label": loss}
    return TrialRecord(
        key_of(loss, seed, study),
        "f" * 64,
        "set",
        loss,
        "ce",
        "distribution",
        made,
        seed,
        0,
        "study",
        canonical,
    )


def add_study(database: Database, study: str = "demo") -> None:
    """Plan the study; nothing has run."""
    store = TrialStore(database, new_owner())
    study_id = store.register_study(study, study, {})
    register_dataset(database, DatasetRecord("f" * 64, "set", "Set", ("background", "lesion"), ()))
    register_run(database, study, {}, f"lossbench run {study}")
    store.register_trials(study_id, [record(loss, seed, study) for loss in LOSSES for seed in range(SEEDS)])


def change(database: Database, trial: str, **values: object) -> None:
    with database.write() as connection:
        connection.execute(update(TrialRow).where(TrialRow.key == trial).values(**values))


def end(database: Database, key: str, state: str = "done", seconds: float = 100.0, ago: float = 0.0) -> None:
    """Give a trial a result, ``ago`` seconds ago."""
    finished = datetime.now(UTC) - timedelta(seconds=ago)
    result = {"collapsed": False, "best_val_dsc": 0.7, "seconds": seconds, "reason": None, "traceback": None}
    if state == "pruned":
        result |= {"collapsed": None, "reason": "ended after epoch 6 of 20 by its search"}
    if state == "failed":
        result = {"reason": "ValueError: no", "traceback": "Traceback ..."}
    nobody = {"lease_owner": None, "lease_expires": None}
    change(database, key, state=state, finished=finished, attempts=1, **nobody, **result)


def run(database: Database, key: str, epochs: int, owner: str | None = None) -> None:
    """Let a driver be at work on a trial, whose first epochs it has streamed."""
    expires = datetime.now(UTC) + timedelta(seconds=60)
    lease = {"lease_owner": owner or new_owner(), "lease_expires": expires}
    change(database, key, state="running", epoch_now=epochs, **lease)
    curve = {"train_loss": 0.5, "learning_rate": 1e-3, "seconds": 5.0}
    with database.write() as connection:
        trial = connection.scalar(TrialRow.__table__.select().where(TrialRow.key == key))
        rows = [
            {"trial_id": trial, "epoch": epoch, "val_dsc": 0.8 if epoch == 2 else 0.5, **curve}
            for epoch in range(epochs)
        ]
        connection.execute(insert(EpochRow), rows)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A study of two losses and four seeds: two drivers at work, one gone."""
    database = open_database(url, create=True)
    add_study(database)
    owner = new_owner()
    run(database, key_of(LOSSES[0], 0), 5, owner)
    run(database, key_of(LOSSES[0], 1), 8, owner)
    run(database, key_of(LOSSES[1], 0), 3, "bbbb:elsewhere:17")
    run(database, key_of(LOSSES[1], 1), 4, GONE)
    end(database, key_of(LOSSES[0], 2))
    end(database, key_of(LOSSES[1], 2), "failed")
    yield database
    database.close()


def status(database: Database, *arguments: str) -> str:
    done = CliRunner().invoke(app, ["status", *arguments, "--db", database.url], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_the_table_is_that_of_the_run(database):
    text = status(database)
    assert "demo: 1 of 8 trials done, 1 failed, 4 running" in text
    assert "2 drivers with 3 running, " in text
    assert "trials/h, time left " in text
    assert numbers_of(text, "CE") == ["1", "2", "1", "-", "0.800"]  # the best is that of a running trial
    assert numbers_of(text, r"Dice [red]\x1b") == ["1", "2", "-", "1", "0.800"]
    assert numbers_of(text[text.index("running now") :], "CE") == ["1", "fold", "0", "8/20", "0.500", "0.800"]
    assert "1 running trial is stale" in text
    assert "ValueError: no" in text


def test_pruned_trials_are_counted_and_are_not_listed_as_wrong(database):
    end(database, key_of(LOSSES[0], 3), "pruned")
    text = status(database)
    assert "demo: 2 of 8 trials done, 1 pruned, 1 failed, 4 running" in text
    assert numbers_of(text, "CE") == ["-", "2", "1", "1", "-", "0.800"]
    assert "by its search" not in text
    [study] = json.loads(status(database, "demo", "--json"))["studies"]
    assert (study["pruned"], study["done"], study["trials"]) == (1, 1, 8)


def test_json_tells_the_same(database):
    found = json.loads(status(database, "demo", "--json"))
    [study] = found["studies"]
    assert {name: study[name] for name in ("waiting", "running", "done", "failed", "drivers", "stale")} == {
        "waiting": 2, "running": 4, "done": 1, "failed": 1, "drivers": 2, "stale": 1
    }  # fmt: skip
    low, high = study["seconds_left"]
    # Left are 75, 60 and 85 s of running trials and three of 100 s, for three workers.
    assert low < 520 / 3 < high
    assert {
        (trial["key"], trial["done"], trial["val_dsc"], trial["stale"]) for trial in found["running"]
    } >= {
        (key_of(LOSSES[0], 1), 8, 0.5, False),
        (key_of(LOSSES[1], 1), 4, 0.5, True),
    }
    assert sum(row["trials"] for row in found["trials"]) == 8
    assert found["failures"][0]["reason"] == "ValueError: no"


def test_speed_is_that_of_the_last_hour(database):
    end(database, key_of(LOSSES[1], 3), seconds=600, ago=1500)
    [board] = boards(snapshot(database))
    # Two trials since the first of them began, 2100 s ago.
    assert board.per_hour == pytest.approx(2 * 3600 / 2100, rel=0.05)
    end(database, key_of(LOSSES[1], 3), seconds=600, ago=7200)
    [board] = boards(snapshot(database))
    assert board.per_hour == pytest.approx(36, rel=0.1)


def test_trials_of_earlier_runs_tell_only_how_losses_compare(url):
    database = open_database(url, create=True)
    add_study(database)
    for loss, seconds in zip(LOSSES, (10.0, 50.0), strict=True):
        end(database, key_of(loss, 0), seconds=seconds, ago=5000)
    run(database, key_of(LOSSES[1], 1), 1)
    [board] = boards(snapshot(database))
    assert board.left is None  # nothing of this run is measured
    end(database, key_of(LOSSES[0], 1), seconds=100.0)  # ten times as slow as then
    [board] = boards(snapshot(database))
    assert board.left.low < 2 * 100 + 3 * 500 < board.left.high
    assert board.left.low > 2 * 10 + 3 * 50
    database.close()


def test_a_study_at_which_nobody_works_has_no_time_left(url):
    database = open_database(url, create=True)
    add_study(database)
    end(database, key_of(LOSSES[0], 0))
    run(database, key_of(LOSSES[0], 1), 4, GONE)
    text = status(database)
    assert "no driver at work, time left not known yet" in text
    assert "stale: its driver is gone" in text
    database.close()


def test_of_several_studies_those_that_are_over_are_short(database):
    add_study(database, "early")
    for loss in LOSSES:
        for seed in range(SEEDS):
            end(database, key_of(loss, seed, "early"))
    text = status(database)
    assert text.count("waiting") == 1
    assert "early: 8 of 8 trials done" in text
    assert "waiting" in status(database, "early")
    assert "demo" not in status(database, "early")


def test_reading_writes_nothing_and_waits_for_no_writer(database):
    with database.write() as connection:
        connection.execute(update(TrialRow).where(TrialRow.seed == 3).values(attempts=9))
        other = open_database(database.url)
        assert len(snapshot(other).running) == 4
    other.close()


def test_a_locked_database_is_asked_again(database, monkeypatch):
    monkeypatch.setattr(watching, "_PAUSE_SECONDS", 0.0)
    times = iter([True, True, False])

    def ask() -> str:
        if next(times):
            raise OperationalError("select", {}, Exception("database is locked"))
        return "answer"

    assert watching.patiently(database, ask) == "answer"
    with pytest.raises(InputError, match="server closed the connection"):
        watching.patiently(database, _unreachable)


def _unreachable() -> str:
    raise OperationalError("select", {}, Exception("server closed the connection"))


def looks(database: Database, *steps: Callable[[], object]) -> Callable[[], Snapshot]:
    """Look at the database, and do a step before each look."""
    waiting = iter(steps)

    def look() -> Snapshot:
        next(waiting, lambda: None)()
        return snapshot(database, "demo")

    return look


def _fail() -> None:
    raise InputError("cannot open database 'postgresql://host/db': connection refused")


def finish_all(database: Database) -> None:
    for loss in LOSSES:
        for seed in range(SEEDS):
            end(database, key_of(loss, seed))


def test_watching_ends_with_the_study_and_prints_changes_only(database, capsys):
    again = lambda: end(database, key_of(LOSSES[0], 0))  # noqa: E731
    watch(looks(database, bool, bool, again, _fail, _fail, lambda: finish_all(database)), every=0.01)
    blocks = capsys.readouterr().out.split("\n\n2")
    assert [block.count("demo: ") for block in blocks] == [1, 1, 1, 1]
    assert "demo: 1 of 8" in blocks[0]
    assert "! failed: set / " in blocks[0]
    assert "demo: 2 of 8" in blocks[1]
    assert "connection refused; this is how it was before, trying again" in " ".join(blocks[2].split())
    assert "demo: 8 of 8" in blocks[3]
    assert "refused" not in blocks[3]


def test_watching_as_json_gives_a_line_per_change(database, capsys):
    watch(looks(database, bool, bool, lambda: finish_all(database)), every=0.01, as_json=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["studies"][0]["done"] for line in lines] == [1, 8]


def test_a_wrong_name_is_refused_also_when_watching(database):
    with pytest.raises(InputError, match="did you mean 'demo'"):
        CliRunner().invoke(app, ["status", "dema", "--watch", "--db", database.url], catch_exceptions=False)


def test_ctrl_c_ends_watching_quietly(tmp_path):
    database = open_database(f"sqlite:///{tmp_path / 'results.db'}", create=True)
    add_study(database)
    database.close()
    # A job in the background of a shell ignores Ctrl-C from the start.
    command = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from harness.cli.main import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", command, "status", "--watch", "--every", "0.1", "--db", database.url],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if "demo" in line:
            break
    time.sleep(0.3)
    process.send_signal(2)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 0
    assert told == ""


def test_a_long_study_fits_the_terminal_of_the_one_who_watches(database):
    found = snapshot(database)
    text = drawn(Boards(boards(found, list_failures=True)), 80, 16)
    assert len(text.splitlines()) < 16


def test_status_loads_nothing_that_is_slow(tmp_path: Path):
    database = open_database(f"sqlite:///{tmp_path / 'results.db'}", create=True)
    add_study(database)
    database.close()
    code = (
        "import sys; from harness.cli.main import app; app(['status'], standalone_mode=False);"
        "slow = {'torch', 'ray', 'optuna', 'numpy', 'pandas', 'scipy', 'matplotlib', 'alembic'};"
        "print(sorted(slow & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "LOSSBENCH_DB": database.url},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "demo" in done.stdout
    assert done.stderr.strip() == "[]"
