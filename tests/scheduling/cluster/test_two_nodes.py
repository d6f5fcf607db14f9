"""``lossbench run --address`` on nodes that share no file with the driver, and on nodes that share all."""

import re
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import LOSSBENCH, lossbench, stored_numbers
from tests.scheduling.cluster.nodes import ENVIRONMENT, cluster, why_not

apart_only = pytest.mark.skipif(why_not() is not None, reason=f"nodes cannot be kept apart: {why_not()}")


@pytest.fixture(autouse=True)
def ray_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Where the cluster's driver runs, and where one process trains the same."""
    folders = tmp_path / "cluster", tmp_path / "local"
    for folder in folders:
        folder.mkdir()
    return folders


def kept_files(folder: Path) -> dict[tuple[str, str], Path]:
    """Every file that the database knows of, by its trial and kind."""
    home = folder / "lossbench-home"
    with sqlite3.connect(home / "results.db") as connection:
        rows = connection.execute(
            "SELECT t.key, a.kind, a.path FROM artifact a JOIN trial t ON t.id = a.trial_id"
        ).fetchall()
    return {(key, kind): home / "artifacts" / path for key, kind, path in rows}


def logged(folder: Path) -> str:
    """The logs of all trials, one after the other."""
    logs = (folder / "lossbench-home" / "artifacts").glob("*/log.txt")
    return "\n".join(path.read_text() for path in logs)


def addresses_in(text: str) -> set[str]:
    return set(re.findall(r"198\.1[89]\.\d+\.\d+", text))


def run_study(study: Path, data: Path, folder: Path, *options: object) -> subprocess.CompletedProcess[str]:
    """Run a study in a folder, however long it takes."""
    command = [*LOSSBENCH, "run", str(study), "--data", str(data), *map(str, options)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def assert_same_results(one: Path, other: Path) -> None:
    """Numbers and masks are equal, and the files are those that the database knows."""
    assert stored_numbers(one) == stored_numbers(other)
    ours, theirs = kept_files(one), kept_files(other)
    assert ours.keys() == theirs.keys()
    for key, kind in ours:
        if kind == "predictions":
            with np.load(ours[key, kind]) as masks, np.load(theirs[key, kind]) as expected:
                assert all(np.array_equal(masks[name], expected[name]) for name in expected.files)
    check = lossbench("db", "check", cwd=one)
    assert check.returncode == 0, check.stdout + check.stderr


@apart_only
@pytest.mark.timeout(600)
@pytest.mark.full
@pytest.mark.parametrize(
    ("cores_of_the_head", "epochs"), [(0, 2), (1, 150)], ids=["one trains", "both train"]
)
def test_nodes_without_a_common_folder_give_the_numbers_of_one_process(
    study_file, discs_data, tmp_path, folders, cores_of_the_head, epochs
):
    ours, alone = folders
    study_file.write_text(study_file.read_text().replace("epochs: 2", f"epochs: {epochs}"))
    with cluster(tmp_path / "nodes", cpus=cores_of_the_head) as nodes:
        apart = nodes.add([tmp_path, discs_data])
        done = run_study(study_file, discs_data, ours, "--address", nodes.address)
        arrived = list(apart.cache.glob("prepared/*/*-images.npy"))
        scratch = list(apart.cache.glob(".sent-back/*/*"))
        train = {apart.address} | ({nodes.started[0].address} if cores_of_the_head else set())
    assert "4 trials trained" in done.stdout
    run_study(study_file, discs_data, alone, "--local")
    assert_same_results(ours, alone)
    assert {kind for _, kind in kept_files(ours)} == {"predictions", "model"}
    assert addresses_in(logged(ours)) == train
    assert done.stderr.count("sending dataset") == 1
    assert len(arrived) == 8
    assert scratch == []


def wait_until(happened: Callable[[], object], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 200
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)


@apart_only
@pytest.mark.full
@pytest.mark.timeout(900)
def test_when_the_only_node_that_trains_is_lost_the_next_one_that_joins_goes_on(
    study_file, discs_data, tmp_path, folders
):
    ours, alone = folders
    study_file.write_text(study_file.read_text().replace("epochs: 2", "epochs: 40"))
    run = ["run", str(study_file), "--data", str(discs_data)]
    with cluster(tmp_path / "nodes", cpus=0) as nodes:
        first = nodes.add([tmp_path, discs_data])
        command = [*LOSSBENCH, *run, "--address", nodes.address]
        with subprocess.Popen(
            command, cwd=ours, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as driver:
            wait_until(lambda: first.address in addresses_in(logged(ours)), driver)
            first.kill()
            second = nodes.add([tmp_path, discs_data])
            wait_until(lambda: second.address in addresses_in(logged(ours)), driver)
            stdout, stderr = driver.communicate(timeout=400)
        assert driver.returncode == 0, stderr
        assert list(second.cache.glob("prepared/*/*-images.npy"))
    assert "4 trials trained" in stdout
    assert first.address in stderr
    run_study(study_file, discs_data, alone, "--local")
    assert_same_results(ours, alone)


def run_on_shared_nodes(study: Path, data: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a study on two nodes of this machine, which see the same files."""
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory(prefix="lbn-", dir="/tmp") as temporary:  # short: Ray puts sockets there
        head = {"num_cpus": 1, "include_dashboard": False, "temp_dir": temporary}
        Path("/tmp/ray").mkdir(
            exist_ok=True
        )  # Cluster notes its address there, whatever the folder of the head
        shared = Cluster(initialize_head=True, head_node_args=head)
        try:
            shared.add_node(num_cpus=1)
            return run_study(study, data, folder, "--address", shared.address)
        finally:
            shared.shutdown()


@pytest.fixture
def other_process() -> Iterator[Any]:
    """Calls a function in a process of its own: Ray's settings stick to a process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield lambda *arguments: pool.submit(*arguments).result()


@pytest.mark.full
@pytest.mark.timeout(300)
def test_nodes_that_see_the_folders_are_sent_nothing(study_file, discs_data, folders, other_process):
    ours, alone = folders
    done = other_process(run_on_shared_nodes, study_file, discs_data, ours)
    assert "4 trials trained" in done.stdout
    assert "sending dataset" not in done.stderr
    run_study(study_file, discs_data, alone, "--local")
    assert_same_results(ours, alone)
