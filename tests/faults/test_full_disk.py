"""Fill the disk while trials run: no trial is lost or taken for failed, nothing is left half-written."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import LOSSBENCH, lossbench, stored_numbers
from tests.faults.breaking_losses import BALLAST, FULL_FOLDER, MARKERS
from tests.faults.conftest import (
    MOST_SECONDS,
    check_traceless,
    check_whole,
    log_of,
    run_traceless,
    trials_of,
    write_study,
)

MEGABYTES = 4
LOSSES = ["FillsTheDisk", "ce", "Killed", "Greedy"]


@dataclass(frozen=True)
class SmallDisk:
    """A disk that only those see who enter its namespace.

    Attributes:
        folder: Where it is mounted, for those who have entered.
        outside: The same folder, for others.
        enter: Start of a command that enters.
    """

    folder: Path
    outside: Path
    enter: tuple[str, ...]

    def make_room(self) -> None:
        """Delete the ballast."""
        (self.outside / BALLAST).unlink(missing_ok=True)


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallDisk]:
    """A disk of a few megabytes, which :class:`FillsTheDisk` fills."""
    folder = tmp_path / "disk"
    folder.mkdir()
    script = f"mount -t tmpfs -o size={MEGABYTES}m none '{folder}' && echo mounted && exec cat"
    with subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name != MARKERS},
    ) as keeper:
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        assert keeper.stderr is not None
        if keeper.stdout.readline() != "mounted\n":
            pytest.skip(f"no disk can be mounted here: {keeper.stderr.read().strip()}")
        monkeypatch.setenv(FULL_FOLDER, str(folder))
        # with the working directory of the command, which nsenter would leave
        enter = ("nsenter", f"--mount=/proc/{keeper.pid}/ns/mnt", f"--wdns={tmp_path}")
        yield SmallDisk(folder, Path(f"/proc/{keeper.pid}/root{folder}"), enter)
        keeper.stdin.close()  # it ends, and the disk with it


def same_numbers_as_undisturbed(study: Path, data: Path, folder: Path) -> None:
    """Check the numbers of a home folder against those of the same study when all markers are there."""
    (folder / "undisturbed").mkdir()
    done = lossbench("run", study, "--data", data, "--local", cwd=folder / "undisturbed")
    assert done.returncode == 0, done.stderr
    assert len(stored_numbers(folder)) > 50
    assert stored_numbers(folder) == stored_numbers(folder / "undisturbed")


def test_a_full_disk_pauses_the_run_and_the_same_command_goes_on(discs_data, tmp_path, markers, small_disk):
    study = write_study(tmp_path / "breaking.yaml", discs_data, LOSSES[:2])
    home, database = small_disk.folder / "lossbench-home", tmp_path / "lossbench-home" / "results.db"
    database.parent.mkdir()
    command = ["run", study, "--data", discs_data, "--home", home, "--db", f"sqlite:///{database}"]
    command += ["--workers", 2]
    done = run_traceless(*command, cwd=tmp_path, around=small_disk.enter)
    assert done.returncode == 75, done.stderr
    assert done.stderr.count("no space is left on the disk") == 1
    assert "free some and give the same command again" in done.stderr
    assert "the same command goes on" in done.stdout
    assert "Traceback" not in done.stderr
    seen = small_disk.outside / "lossbench-home"
    check_whole(seen, database)
    found = trials_of(database)
    assert found["FillsTheDisk 0"].state == "waiting"
    assert {trial.state for trial in found.values()} <= {"waiting", "done"}

    small_disk.make_room()
    done = run_traceless(*command, cwd=tmp_path, around=small_disk.enter)
    assert done.returncode == 0, done.stderr
    check_whole(seen, database)
    assert {trial.state for trial in trials_of(database).values()} == {"done"}
    assert "2 attempts" not in log_of(seen, found["ce 0"])
    same_numbers_as_undisturbed(study, discs_data, tmp_path)


def test_results_wait_for_a_database_whose_disk_is_full(discs_data, tmp_path, markers, small_disk):
    study = write_study(tmp_path / "breaking.yaml", discs_data, LOSSES[:2])
    command = [*small_disk.enter, *LOSSBENCH, "run", str(study), "--data", str(discs_data), "--workers", "2"]
    command += ["--db", f"sqlite:///{small_disk.folder / 'results.db'}"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as driver:
        assert driver.stderr is not None
        said = []
        for line in driver.stderr:
            said.append(line)
            if "the disk of the database is full" in line:
                small_disk.make_room()
        stdout = driver.communicate(timeout=MOST_SECONDS)[0]
    check_traceless(driver.pid)
    assert driver.returncode == 0, said
    assert "2 trials trained" in stdout
    assert sum("the disk of the database is full: results wait" in line for line in said) >= 1
    assert any("the database can be written again" in line for line in said)
    home = tmp_path / "lossbench-home"
    for file in small_disk.outside.glob("results.db*"):
        shutil.copy(file, home)
    check_whole(home)
    trials = trials_of(home / "results.db").values()
    assert [(trial.state, trial.attempts) for trial in trials] == [("done", 1)] * 2
    same_numbers_as_undisturbed(study, discs_data, tmp_path)
