"""Fill the disk while trials run: no trial is lost or taken for failed, nothing is left half-written."""

import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import LOSSBENCH
from tests.faults.breaking_losses import BALLAST, FULL_FOLDER, MARKERS, fill
from tests.faults.conftest import (
    MOST_SECONDS,
    check_traceless,
    check_whole,
    run_traceless,
    same_numbers_as_undisturbed,
    trials_of,
    write_study,
)

MEGABYTES = 4
LOSSES = ["FillsTheDisk", "ce"]


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


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_full_disk_pauses_the_run_and_the_same_command_goes_on(discs_data, tmp_path, markers, small_disk):
    study = write_study(tmp_path / "breaking.yaml", discs_data, LOSSES)
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
    same_numbers_as_undisturbed(["run", study, "--data", discs_data], tmp_path)


@pytest.mark.timeout(600)
@pytest.mark.full
def test_results_wait_for_a_database_whose_disk_is_full(discs_data, tmp_path, markers, small_disk):
    study = write_study(tmp_path / "breaking.yaml", discs_data, LOSSES)
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
    same_numbers_as_undisturbed(["run", study, "--data", discs_data], tmp_path)


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_nothing_is_lost_on_a_disk_that_is_full_again_and_again(discs_data, tmp_path, markers, small_disk):
    study = write_study(tmp_path / "breaking.yaml", discs_data, ["Slow", "ce"])
    command = ["run", str(study), "--data", str(discs_data), "--set", "seeds=6"]
    home = small_disk.folder / "lossbench-home"
    moments = random.Random(3)
    for _ in range(8):
        with subprocess.Popen(
            [*small_disk.enter, *LOSSBENCH, *command, "--home", str(home), "--workers", "2"],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        ) as driver:
            assert driver.stderr is not None
            for line in driver.stderr:
                if "done: " in line:  # all programs run
                    time.sleep(moments.uniform(0.0, 2.0))
                    fill(small_disk.outside, leave=moments.choice([0, 5_000, 20_000, 80_000]))
                elif "full" in line or "no space" in line:
                    time.sleep(moments.uniform(0.0, 3.0))
                    small_disk.make_room()
                assert "Traceback" not in line
        check_traceless(driver.pid)
        small_disk.make_room()
        assert driver.returncode in {0, 75}
        shutil.rmtree(tmp_path / "lossbench-home", ignore_errors=True)  # SQLite cannot open it from outside
        shutil.copytree(small_disk.outside / "lossbench-home", tmp_path / "lossbench-home")
        check_whole(tmp_path / "lossbench-home")
        states = {trial.state for trial in trials_of(tmp_path / "lossbench-home" / "results.db").values()}
        assert states <= {"done", "waiting"}
        if driver.returncode == 0:
            break
    done = run_traceless(*command, "--home", home, "--local", cwd=tmp_path, around=small_disk.enter)
    assert done.returncode == 0, done.stderr
    shutil.rmtree(tmp_path / "lossbench-home")
    shutil.copytree(small_disk.outside / "lossbench-home", tmp_path / "lossbench-home")
    check_whole(tmp_path / "lossbench-home")
    same_numbers_as_undisturbed(command, tmp_path)
