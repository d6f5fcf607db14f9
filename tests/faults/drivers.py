"""Real drivers to do something to, and what must be true afterwards."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from harness.scheduling.trial_log import LOG_FILE
from harness.store.artifacts import folder_of, wrong_files
from harness.store.database import Database, file_url, open_database
from harness.store.integrity import faults
from harness.store.schema import ArtifactRow, EpochRow, TrialRow
from tests.faults import held_losses

TRIALS, EPOCHS = 4, 3
WAIT_SECONDS = 100.0
STUDY = """\
study: held
datasets: [{manifest}]
seeds: 2
protocol: {{epochs: 3, batch_size: 4, lr_schedule: {{name: plateau, patience: 1}}}}
model: {{name: unet2d, base_channels: 4, depth: 2}}
losses:
  - {{label: CE, loss: "held_losses:Held"}}
  - label: CE + BL
    loss: held_losses:Held + boundary
    alpha: {{schedule: rebalance, over: 1.0}}
"""

# What follows an assignment is the command line; a few seconds of the product are tenths of a second here.
# Tiny data is prepared in the same process: two more take seconds to start.
_PROGRAM = """\
import types
import harness.cli.data_options
import harness.scheduling.heart, harness.store.backends.sqlite, harness.store.trials
harness.cli.data_options.os = types.SimpleNamespace(sched_getaffinity=lambda _: {{0}})
harness.scheduling.heart.BEAT_SECONDS = {beat}
harness.store.trials.LEASE_SECONDS = {lease}
harness.store.backends.sqlite.BUSY_TIMEOUT_SECONDS = {busy}
from harness.cli.main import main
main()
"""


def program(beat: float = 0.2, lease: float = 60, busy: float = 60) -> list[str]:
    """Return the command that is ``lossbench``, with other times.

    Args:
        beat: Seconds between two heartbeats, so that curves are streamed while short trials run.
        lease: Seconds after which the trials of a silent driver are free.
        busy: Seconds that SQLite waits for a lock.
    """
    return [sys.executable, "-c", _PROGRAM.format(beat=beat, lease=lease, busy=busy)]


_AGENTS = {"", "ray::DashboardAgent", "ray::RuntimeEnvAgent"}
"""They look for a Ray that was killed for a minute, and end then."""


@dataclass(frozen=True)
class Study:
    """Four short trials, each of which waits in the middle of an epoch while the gate is closed.

    Attributes:
        file: The study file.
        data: The data root.
        gate: A file: the gate is closed while it is there.
    """

    file: Path
    data: Path
    gate: Path

    def command(self, *options: object) -> list[object]:
        """Return what follows ``lossbench``."""
        return ["run", self.file, "--data", self.data, *options]

    def hold(self, but: int = 0) -> None:
        """Close the gate, once so many trials have passed."""
        for number in range(but):
            held_losses.ticket(self.gate, number).touch()
        self.gate.touch()

    def let_go(self) -> None:
        """Open the gate."""
        self.gate.unlink()

    @property
    def expected(self) -> "Numbers":
        """The numbers if nothing happens."""
        return undisturbed_numbers(self.file.read_text(), self.data)


def held_study(folder: Path, data: Path, environment: pytest.MonkeyPatch) -> Study:
    """Write the study to a folder, and let every process that is started find its loss."""
    study = Study(folder / "held.yaml", data, folder / "gate")
    study.file.write_text(STUDY.format(manifest=data / "discs.yaml"))
    environment.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    environment.setenv(held_losses.GATE, str(study.gate))
    return study


@dataclass
class Driver:
    """A ``lossbench run`` in a session of its own, as in a terminal of its own.

    Attributes:
        process: Its first process, whose id is that of the session.
        folder: Where it runs.
        told: The file of its stderr.
    """

    process: subprocess.Popen[str]
    folder: Path
    told: Path

    @property
    def said(self) -> str:
        """What it has told so far."""
        return self.told.read_text(errors="replace")

    def wait_until(self, happened: Callable[[], object], what: str) -> None:
        """Wait for something that happens while it runs."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not happened():
            assert self.process.poll() is None, (
                f"ended with {self.process.returncode} before {what}: {self.said}"
            )
            assert time.monotonic() < deadline, f"not {what}: {self.said}"
            time.sleep(0.02)

    def wait_until_said(self, text: str) -> None:
        """Wait for a sentence."""
        self.wait_until(lambda: text in self.said, f"said {text!r}")

    def wait_until_held(self, trials: int = 1) -> None:
        """Wait until so many trials of its folder are held in the middle of an epoch."""
        self.wait_until(lambda: held_losses.held() >= trials, f"{trials} trials are held")

    def interrupt(self) -> None:
        """Press Ctrl-C: the terminal sends it to every process of the session."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> tuple[int, str]:
        """Wait for its end and return the exit status and what it printed."""
        out, _ = self.process.communicate(timeout=WAIT_SECONDS)
        return self.process.returncode, out

    def kill(self) -> None:
        """End it, and nothing else, without a warning."""
        self.process.kill()
        self.process.communicate()


@contextmanager
def driver(
    command: Sequence[object], folder: Path, lossbench_command: Sequence[str] | None = None
) -> Iterator[Driver]:
    """Start a driver; at the end of the block nothing of it is left, or the test fails.

    Args:
        command: From ``run`` on.
        folder: Where it runs.
        lossbench_command: What stands for ``lossbench``.
    """
    folder.mkdir(exist_ok=True)
    handle, name = tempfile.mkstemp(prefix="stderr-", suffix=".txt", dir=folder)
    words = [*(lossbench_command or program()), *map(str, command)]
    process = subprocess.Popen(
        words, cwd=folder, stdout=subprocess.PIPE, stderr=handle, text=True, start_new_session=True
    )
    os.close(handle)
    started = Driver(process, folder, Path(name))
    try:
        yield started
        assert process.poll() is not None, started.said
        assert_nothing_runs(started)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def processes_of(session: int) -> list[int]:
    """Return the processes of a session, and those of the Ray that its first process started."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            words = (entry / "cmdline").read_bytes()
            ray = b"/lb-" in words and f"-{session}-".encode() in words
            if fields[0] != "Z" and (int(fields[3]) == session or ray):
                found.append(int(entry.name))
    return found


def assert_nothing_runs(ended: Driver) -> None:
    """Check that every process of a driver ends within seconds of the driver, however that ended."""
    killed = ended.process.returncode == -signal.SIGKILL
    assert killed or ray_folders(ended.process.pid) == []
    deadline = time.monotonic() + 30
    while left := [name_of(each) for each in processes_of(ended.process.pid)]:
        if killed and _AGENTS.issuperset(left):
            return
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def name_of(process: int) -> str:
    """Return the beginning of a process's command line, empty if it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_text(errors="replace").rstrip("\0")[:200]
    return ""


def ray_folders(session: int) -> list[Path]:
    """Return the temporary folders of the Ray that a driver started."""
    return list(Path("/tmp").glob(f"lb-*-{session}-*"))


def logs(folder: Path) -> list[str]:
    """Return the logs of all trials."""
    found = (folder / "lossbench-home" / "artifacts").glob(f"*/{LOG_FILE}")
    return [path.read_text() for path in found]


def resumed_at(folder: Path) -> list[int]:
    """Return the epochs at which attempts went on from a checkpoint."""
    begun = [line.split() for log in logs(folder) for line in log.splitlines() if " begins at epoch " in line]
    return [int(words[4]) for words in begun if words[4] != "0"]


@contextmanager
def database_of(folder: Path, url: str | None = None) -> Iterator[Database]:
    """Open the database that drivers in a folder write."""
    database = open_database(url or file_url(folder / "lossbench-home" / "results.db"))
    try:
        yield database
    finally:
        database.close()


def states(folder: Path, url: str | None = None) -> list[str]:
    """Return the states of all trials, in order."""
    with database_of(folder, url) as database, database.read() as connection:
        return sorted(connection.scalars(select(TrialRow.state)))


def attempts(folder: Path, url: str | None = None) -> list[int]:
    """Return how often each trial was begun."""
    with database_of(folder, url) as database, database.read() as connection:
        return sorted(connection.scalars(select(TrialRow.attempts)))


def streamed_epochs(folder: Path, url: str | None = None) -> dict[str, int]:
    """Return how many epochs of each running trial can be read in the database."""
    question = (
        select(TrialRow.key, func.count())
        .join(EpochRow, EpochRow.trial_id == TrialRow.id)
        .where(TrialRow.state == "running")
        .group_by(TrialRow.key)
    )
    with database_of(folder, url) as database, database.read() as connection:
        return {row[0]: row[1] for row in connection.execute(question)}


Numbers = list[tuple[object, ...]]

_NUMBERS = (
    "SELECT t.key, c.name, s.class_index, m.name, s.checkpoint, s.value, s.imputed FROM score s "
    'JOIN trial t ON t.id = s.trial_id JOIN "case" c ON c.id = s.case_id JOIN metric m ON m.id = s.metric_id',
    "SELECT t.key, e.epoch, e.train_loss, e.val_dsc, e.learning_rate FROM epoch e "
    "JOIN trial t ON t.id = e.trial_id",
    "SELECT key, best_epoch, best_val_dsc FROM trial",
)


def numbers_in(database: Database) -> Numbers:
    """Return every score, curve point and best epoch, in an order that no engine decides."""
    with database.read() as connection:
        rows = [tuple(row) for question in _NUMBERS for row in connection.execute(text(question))]
    return sorted(rows, key=repr)


@cache
def undisturbed_numbers(study: str, data: Path) -> Numbers:
    """Return the numbers of a study that nothing happened to.

    Args:
        study: Text of the study file.
        data: The data root.
    """
    with tempfile.TemporaryDirectory(prefix="undisturbed-") as name:
        folder = Path(name)
        (folder / "held.yaml").write_text(study)
        with driver(["run", "held.yaml", "--data", data, "--local"], folder) as undisturbed:
            code, _ = undisturbed.end()
        assert code == 0, undisturbed.said
        with database_of(folder) as database:
            found = numbers_in(database)
        assert len(found) > TRIALS * EPOCHS
        return found


def assert_whole(folder: Path, expected: Numbers, url: str | None = None) -> None:
    """Check that every trial is there exactly once, with the numbers and files of an undisturbed run.

    Args:
        folder: Where the drivers ran.
        expected: From :func:`undisturbed_numbers`.
        url: Of the database, if it is not the file in that folder.
    """
    artifacts = folder / "lossbench-home" / "artifacts"
    with database_of(folder, url) as database:
        with database.read() as connection:
            found = connection.execute(select(TrialRow.key, TrialRow.state, TrialRow.lease_owner)).all()
            known = set(connection.scalars(select(ArtifactRow.path)))
        assert len(found) == len({row.key for row in found}) == TRIALS
        assert {(row.state, row.lease_owner) for row in found} == {("done", None)}
        assert numbers_in(database) == expected
        assert faults(database) == []
        assert wrong_files(database, artifacts) == []
    there = {path.relative_to(artifacts).as_posix() for path in artifacts.rglob("*") if path.is_file()}
    assert there - known == {f"{folder_of(row.key)}/{LOG_FILE}" for row in found}
