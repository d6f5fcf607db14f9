"""Real drivers to do something to, and what must be true afterwards."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from sqlalchemy import func, select

from harness.scheduling.trial_log import LOG_FILE
from harness.store.database import Database, file_url, open_database
from harness.store.integrity import faults
from harness.store.schema import EpochRow, TrialRow
from tests.conftest import lossbench, stored_numbers

EPOCHS = 30
TRIALS = 4
LENGTH = ("--set", f"protocol.epochs={EPOCHS}")
WAIT_SECONDS = 100.0

# What follows an assignment is the command line; a few seconds of the product are tenths of a second here.
_PROGRAM = """\
import harness.scheduling.heart, harness.store.backends.sqlite, harness.store.trials
harness.scheduling.heart.Heart.__init__.__defaults__ = ({beat},)
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
    seen: set[int] = field(default_factory=set)

    @property
    def said(self) -> str:
        """What it has told so far."""
        return self.told.read_text(errors="replace")

    def wait_until(self, happened: Callable[[], object], what: str) -> None:
        """Wait for something that happens while it runs."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not happened():
            assert self.process.poll() is None, f"ended with {self.process.returncode} before {what}: {self.said}"
            assert time.monotonic() < deadline, f"not {what}: {self.said}"
            time.sleep(0.02)
        self.seen |= set(processes_of(self.process.pid))

    def wait_until_said(self, text: str) -> None:
        """Wait for a sentence."""
        self.wait_until(lambda: text in self.said, f"said {text!r}")

    def wait_until_trains(self, trials: int = 1, epoch: int = 3) -> None:
        """Wait until so many trials are between this epoch and their end."""
        self.wait_until(lambda: in_the_middle(self.folder, epoch) >= trials, f"{trials} trials in epoch {epoch}")

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
    deadline = time.monotonic() + 30
    while left := processes_of(ended.process.pid):
        assert time.monotonic() < deadline, [Path(f"/proc/{each}/cmdline").read_bytes() for each in left]
        time.sleep(0.1)


def ray_folders(session: int) -> list[Path]:
    """Return the temporary folders of the Ray that a driver started."""
    return list(Path("/tmp").glob(f"lb-*-{session}-*"))


def logs(folder: Path) -> list[str]:
    """Return the logs of all trials."""
    found = (folder / "lossbench-home" / "artifacts").glob(f"*/{LOG_FILE}")
    return [path.read_text() for path in found]


def in_the_middle(folder: Path, epoch: int) -> int:
    """Return how many trials have told of an epoch and not of their end."""
    last = [log.splitlines()[-1] for log in logs(folder)]
    return sum(f"epoch {each}:" in line for line in last for each in range(epoch, EPOCHS - 3))


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


@cache
def undisturbed_numbers(study: str, data: Path) -> list[tuple[object, ...]]:
    """Return the numbers of a study that nothing happened to.

    Args:
        study: Text of the study file.
        data: The data root.
    """
    with tempfile.TemporaryDirectory(prefix="undisturbed-") as name:
        folder = Path(name)
        (folder / "tiny.yaml").write_text(study)
        done = lossbench("run", "tiny.yaml", "--data", data, "--local", *LENGTH, cwd=folder)
        assert done.returncode == 0, done.stderr
        return stored_numbers(folder)


def assert_whole(folder: Path, expected: list[tuple[object, ...]], url: str | None = None) -> None:
    """Check that every trial is there exactly once, with the numbers of an undisturbed run."""
    with database_of(folder, url) as database:
        with database.read() as connection:
            found = connection.execute(
                select(TrialRow.key, TrialRow.state, TrialRow.lease_owner, TrialRow.epoch_now)
            ).all()
        assert len(found) == len({row.key for row in found}) == TRIALS
        assert {(row.state, row.lease_owner, row.epoch_now) for row in found} == {("done", None, None)}
        assert faults(database) == []
    if url is None:
        assert stored_numbers(folder) == expected
    artifacts = folder / "lossbench-home" / "artifacts"
    assert len(list(artifacts.iterdir())) == TRIALS
    assert not list(artifacts.glob("*/*checkpoint*"))
