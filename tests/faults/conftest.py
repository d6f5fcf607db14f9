"""Run a study that breaks, and look whether anything is lost or left."""

import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.bench.private_postgres import NoPostgresError, private_postgres
from harness.store.artifacts import folder_of, wrong_files
from harness.store.database import open_database
from harness.store.integrity import faults
from tests.conftest import LOSSBENCH, stored_numbers
from tests.faults.breaking_losses import MARKERS
from tests.faults.stoppable_server import Server
from tests.postgresql import REQUIRED_VARIABLE

STUDY = """\
study: breaking
datasets: [{manifest}]
seeds: 1
protocol: {{epochs: 3, batch_size: 4}}
model: {{name: unet2d, base_channels: 4, depth: 2}}
losses:
"""
MOST_SECONDS = 300.0
"""A run takes 10 s where nothing else runs, and many times as long beside other work."""

FILES_OF_A_TRIAL = ("checkpoint.pt", "predictions.npz", "model.pt")

SECONDS_TO_END = 20.0
"""How long processes may take to end after the one that started them."""


@dataclass(frozen=True)
class Trial:
    """What the database knows of a trial."""

    key: str
    state: str
    attempts: int
    reason: str | None


@pytest.fixture
def markers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of markers of the breaking losses, which every process started from here can import."""
    folder = tmp_path / "markers"
    folder.mkdir()
    monkeypatch.setenv(MARKERS, str(folder))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    return folder


def write_study(path: Path, data: Path, losses: Sequence[str]) -> Path:
    """Write a study of breaking losses, each under its own name; ``ce`` is one that does not break."""
    names = {loss: "ce" if loss == "ce" else f"breaking_losses:{loss}" for loss in losses}
    lines = [f"  - {{label: {loss}, loss: {{name: '{name}'}}}}" for loss, name in names.items()]
    path.write_text(STUDY.format(manifest=data / "discs.yaml") + "\n".join(lines) + "\n")
    return path


def run_traceless(
    *arguments: object, cwd: Path, around: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run ``lossbench`` and check that no process and no temporary folder of Ray outlives it.

    Args:
        arguments: After ``lossbench``.
        cwd: Where.
        around: A command that starts it.
    """
    command = [*around, *LOSSBENCH, *map(str, arguments)]
    with subprocess.Popen(
        command, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        stdout, stderr = process.communicate(timeout=MOST_SECONDS)
    check_traceless(process.pid)
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def check_traceless(process: int) -> None:
    """Check that nothing is left of a driver that has ended."""
    until = time.monotonic() + SECONDS_TO_END
    while (left := processes_of(os.environ[MARKERS])) and time.monotonic() < until:
        time.sleep(0.1)
    assert left == {}
    assert list(Path("/tmp").glob(f"lb-*-{process}-*")) == []


def processes_of(markers: str) -> Mapping[int, str]:
    """Return the other processes that were started with a folder of markers, with their names."""
    found = {}
    wanted = f"{MARKERS}={markers}".encode()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue  # it has just ended
    return found


def check_whole(home: Path, database: Path | None = None) -> None:
    """Check that a database is whole, and that every file is one that it knows or a whole one that waits."""
    opened = open_database(f"sqlite:///{database or home / 'results.db'}")
    artifacts = home / "artifacts"
    try:
        assert faults(opened) == []
        assert wrong_files(opened, artifacts) == []
    finally:
        opened.close()
    with sqlite3.connect(database or home / "results.db") as connection:
        known = {path for (path,) in connection.execute("SELECT path FROM artifact")}
        waiting = {
            folder_of(key) for (key,) in connection.execute("SELECT key FROM trial WHERE state = 'waiting'")
        }
    there = {path.relative_to(artifacts).as_posix() for path in artifacts.rglob("*") if path.is_file()}
    whole = {f"{folder}/{name}" for folder in waiting for name in FILES_OF_A_TRIAL}
    assert known <= there
    assert {path for path in there - known - whole if not path.endswith("/log.txt")} == set()


def trials_of(database: Path) -> dict[str, Trial]:
    """Return the trials of a database by label and seed, each of which has to be there once."""
    with sqlite3.connect(database) as connection:
        rows = connection.execute(
            "SELECT s.label, t.seed, t.key, t.state, t.attempts, t.reason FROM study_trial s "
            "JOIN trial t ON t.id = s.trial_id"
        ).fetchall()
        (number,) = connection.execute("SELECT count(*) FROM trial").fetchone()
    found = {f"{label} {seed}": Trial(*rest) for label, seed, *rest in rows}
    assert len(found) == len(rows) == number
    return found


def log_of(home: Path, trial: Trial) -> str:
    """Return the log of a trial."""
    return (home / "artifacts" / folder_of(trial.key) / "log.txt").read_text()


def same_numbers_as_undisturbed(command: Sequence[object], folder: Path) -> None:
    """Check the numbers below a folder against those of the same command when all markers are there."""
    (folder / "undisturbed").mkdir()
    done = run_traceless(*command, "--local", cwd=folder / "undisturbed")
    assert done.returncode == 0, done.stderr
    assert len(stored_numbers(folder)) > 50
    assert stored_numbers(folder) == stored_numbers(folder / "undisturbed")


@pytest.fixture
def server() -> Iterator[Server]:
    with ExitStack() as stack:
        try:
            private = stack.enter_context(private_postgres())
        except NoPostgresError as error:
            if os.environ.get(REQUIRED_VARIABLE) == "1":
                pytest.fail(f"{REQUIRED_VARIABLE} is set: {error}", pytrace=False)
            pytest.skip(str(error))
        yield Server(private)
