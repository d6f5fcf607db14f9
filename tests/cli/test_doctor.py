"""``lossbench doctor``: each thing is broken for real where that is possible."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from harness import __version__
from harness.cli.doctor import CHECKS, Finding, Setup, examine
from harness.cli.doctor.base import GIB, GROUPS, Check
from harness.cli.doctor.cgroup import ControlGroups
from harness.cli.doctor.cores import judge_cores, judge_threads
from harness.cli.doctor.gpu import SeenGpu, compute_mode, without_torch
from harness.cli.doctor.limits import judge_files, judge_processes
from harness.cli.doctor.memory import judge as judge_memory
from harness.cli.doctor.python_version import judge as judge_python
from harness.cli.doctor.ray_nodes import Node, judge_address, judge_nodes
from tests.cli.one_check import findings, in_shell, run, setup_in
from tests.conftest import LOSSBENCH


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return setup_in(tmp_path)


# --- the frame ----------------------------------------------------------------------------------------------


def test_every_check_belongs_to_a_group_of_the_table():
    assert {CHECKS[name].group for name in CHECKS} == set(GROUPS)


@pytest.mark.parametrize(("state", "remedy"), [("broken", ""), ("warning", ""), ("fine", "do nothing")])
def test_what_is_not_fine_has_a_remedy_and_only_that(state, remedy):
    with pytest.raises(ValueError, match="remedy"):
        Finding("something", state, remedy)


@pytest.fixture
def another_check(monkeypatch: pytest.MonkeyPatch):
    """Register a check for the time of a test."""

    def register(look) -> str:
        monkeypatch.setitem(CHECKS._entries, "another", Check("software", look))
        return "another"

    return register


def test_a_check_that_raises_is_a_finding_without_secrets(setup, another_check):
    def look(_setup: Setup) -> Iterator[Finding]:
        yield Finding("so far so good")
        raise RuntimeError("cannot reach postgresql://jane:hunter2@db/results")

    first, second = findings(setup, another_check(look))
    assert (first.state, second.state) == ("fine", "broken")
    assert "RuntimeError" in second.found
    assert "hunter2" not in second.found


def test_a_check_whose_process_dies_is_a_finding(setup, another_check):
    (finding,) = findings(setup, another_check(lambda _setup: os._exit(3)))
    assert finding.state == "broken"
    assert "died" in finding.found


def test_a_check_that_hangs_is_ended_with_all_that_it_started(setup, another_check, tmp_path):
    def look(_setup: Setup) -> Iterator[Finding]:
        child = subprocess.Popen(["sleep", "1000"])
        (tmp_path / "child").write_text(str(child.pid))
        yield Finding("before it hung")
        time.sleep(1000)

    (found,) = examine(setup, [another_check(look)], seconds=1.5)
    assert [each.state for each in found.findings] == ["fine", "broken"]
    assert "no answer" in found.findings[-1].found
    status = Path("/proc") / (tmp_path / "child").read_text() / "status"
    deadline = time.monotonic() + 10
    while status.exists() and "State:\tZ" not in status.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not status.exists() or "State:\tZ" in status.read_text()


def test_the_command_says_what_is_broken_and_ends_with_1(tmp_path):
    (tmp_path / "home").write_text("a file")
    command = [*LOSSBENCH, "doctor", "--home", "home", "--address", "127.0.0.1:1"]
    done = run(command, tmp_path, LOSSBENCH_DB="postgresql://jane:hunter2@127.0.0.1:1/results")
    assert done.returncode == 1, done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    for words in (
        "is a file",
        "give another --home",
        "cannot open database",
        "nobody answers",
        "3 broken",
    ):
        assert words in " ".join(done.stdout.split()), words
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]


@pytest.mark.full
def test_a_healthy_machine_is_fine_and_nothing_stays(tmp_path):
    before = set(Path("/tmp").glob("lb-doctor-*"))
    command = [*LOSSBENCH, "doctor", "--json", "--db", f"sqlite:///{tmp_path / 'results.db'}"]
    done = run(command, tmp_path, HOME=str(tmp_path / "nowhere"))
    told = json.loads(done.stdout)
    assert done.returncode == told["broken"] == 0, told
    ray = [row["found"] for row in told["findings"] if row["check"] == "ray"]
    assert "private cluster started" in ray[1]
    assert {row["check"] for row in told["findings"]} == set(CHECKS)
    assert list(tmp_path.iterdir()) == []
    assert set(Path("/tmp").glob("lb-doctor-*")) <= before


# --- software and machine -----------------------------------------------------------------------------------


def test_python_of_today_is_fine_and_an_older_one_is_broken():
    assert judge_python(sys.version_info[:3], "CPython").state == "fine"
    assert judge_python((3, 10, 14), "CPython").state == "broken"
    assert judge_python((3, 11, 0), "PyPy").state == "warning"


@pytest.mark.skipif(torch.version.cuda is not None, reason="torch is a CUDA build here")
@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'NVIDIA H100, 81559, 570.86, Default'", "sees 1 x NVIDIA H100, but torch is a CPU build"),
        ("echo 'driver/library version mismatch'; exit 18", "nvidia-smi fails: driver/library version"),
    ],
)
def test_a_driver_that_torch_does_not_use_is_a_warning(setup, tmp_path, monkeypatch, script, words):
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    first = findings(setup, "gpu")[0]
    assert first.state == "warning"
    assert words in first.found


def test_hidden_and_unusable_gpus_are_told_apart():
    seen = [SeenGpu("NVIDIA A100", "40960", "470.10", "Default")]
    assert without_torch([], "12.8", None).state == "fine"
    assert without_torch(seen, "12.8", "").state == "warning"
    assert without_torch(seen, "12.8", None).state == "broken"


def test_a_gpu_for_one_process_cannot_be_shared():
    finding = compute_mode(SeenGpu("NVIDIA A100", "40960", "570.86", "Exclusive_Process"))
    assert finding.state == "warning"
    assert "--trials-per-gpu" in finding.remedy


def test_threads_set_against_us_are_named(setup, monkeypatch):
    for name in ("OMP_NUM_THREADS", "OMP_PROC_BIND", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert [each.state for each in findings(setup, "threads")] == ["fine"]
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    monkeypatch.setenv("OMP_PROC_BIND", "close")
    found = findings(setup, "threads")
    assert [each.remedy.split(":")[0] for each in found] == ["unset OMP_NUM_THREADS", "unset OMP_PROC_BIND"]
    assert list(judge_threads({"OMP_NUM_THREADS": "1", "OMP_PROC_BIND": "false"}, 8)) == []


def test_a_container_with_less_time_than_cores_wants_fewer_workers():
    finding = judge_cores(seen=64, usable=64, quota=2.5)
    assert finding.state == "warning"
    assert "--workers 2" in finding.remedy
    assert judge_cores(64, 8, None).state == judge_cores(64, 8, 8.0).state == "fine"


def test_limits_of_control_groups_are_read_in_both_versions(tmp_path):
    membership = tmp_path / "cgroup"
    groups = ControlGroups(membership, tmp_path / "fs")
    membership.write_text("0::/job/step\n")
    (tmp_path / "fs/job/step").mkdir(parents=True)
    assert (groups.cores(), groups.memory_bytes(), groups.tasks()) == (None, None, None)
    (tmp_path / "fs/job/memory.max").write_text("2147483648\n")
    (tmp_path / "fs/job/step/memory.max").write_text("max\n")
    (tmp_path / "fs/job/step/cpu.max").write_text("150000 100000\n")
    (tmp_path / "fs/job/step/pids.max").write_text("512\n")
    assert (groups.cores(), groups.memory_bytes(), groups.tasks()) == (1.5, 2 * GIB, 512)

    membership.write_text("4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n")
    for folder, file, text in (
        ("memory", "memory.limit_in_bytes", "9223372036854771712"),
        ("cpu", "cpu.cfs_quota_us", "-1"),
        ("cpu", "cpu.cfs_period_us", "100000"),
    ):
        (tmp_path / "fs" / folder).mkdir(exist_ok=True)
        (tmp_path / "fs" / folder / file).write_text(text)
    assert (groups.cores(), groups.memory_bytes()) == (None, None)
    (tmp_path / "fs/memory/memory.limit_in_bytes").write_text("1073741824")
    (tmp_path / "fs/cpu/cpu.cfs_quota_us").write_text("400000")
    assert (groups.cores(), groups.memory_bytes()) == (4.0, GIB)


def test_memory_is_what_the_container_may_use():
    assert judge_memory(64 * GIB, None, 16).state == "fine"
    assert judge_memory(64 * GIB, 8 * GIB, 16).state == "warning"
    assert "--workers 8" in judge_memory(64 * GIB, 8 * GIB, 16).remedy
    assert judge_memory(64 * GIB, GIB, 1).state == "broken"


def test_few_open_files_are_broken_and_a_soft_limit_alone_is_not(tmp_path):
    (finding,) = in_shell("open files", tmp_path, "ulimit -n 200")
    assert finding["state"] == "broken"
    assert "ulimit -n 8192" in finding["remedy"]
    assert judge_files(soft=256, hard=65536, workers=8).state == "fine"
    assert judge_files(soft=4096, hard=4096, workers=8).state == "warning"


def test_few_processes_are_broken(tmp_path):
    (finding,) = in_shell("processes", tmp_path, "ulimit -u 250")
    assert finding["state"] == "broken"
    assert judge_processes(100_000, 100, 8).state == "broken"
    assert judge_processes(-1, None, 8).state == "fine"


# --- clusters -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["ray://head:10001", "http://head:8265", "head", "127.0.0.1:1"])
def test_an_address_that_cannot_work_is_refused_before_ray_is_asked(address):
    finding = judge_address(address)
    assert finding is not None
    assert finding.state == "broken"


def test_nodes_that_differ_are_named():
    python = ".".join(map(str, sys.version_info[:3]))
    good = Node("10.0.0.1", 8, 1, python, __version__, home=True)
    assert all(each.state == "fine" for each in judge_nodes([good, good]))
    nodes = [
        good,
        Node("10.0.0.2", 8, 0, python, "0.0.1", home=True),
        Node("10.0.0.3", 8, 0, python, None, home=True),
        Node("10.0.0.4", 8, 0),
    ]
    total, first, older, without, silent, home = judge_nodes(nodes)
    assert total.found == "4 nodes, 32 cores, 1 GPUs"
    states = [each.state for each in (first, older, without, silent, home)]
    assert states == ["fine", "broken", "broken", "warning", "warning"]
    assert "3 of 4 nodes see the home folder" in home.found


@pytest.mark.full
def test_a_running_cluster_is_asked_and_a_wrong_token_is_told(tmp_path):
    environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "a" * 32}
    environment |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_USAGE_STATS_REPORT_URL": "http://127.0.0.1:1"}
    ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--node-ip-address=127.0.0.1"]
    folder = Path("/tmp") / f"lb-t{os.getpid()}"
    port = 20000 + os.getpid() % 10000
    ray += [f"--port={port}", "--num-cpus=1", "--include-dashboard=false", f"--temp-dir={folder}", "--block"]
    environment |= {"RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0"}
    (tmp_path / "lossbench-home").mkdir()
    head = subprocess.Popen(
        ray, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while judge_address(f"127.0.0.1:{port}") is not None and time.monotonic() < deadline:
            time.sleep(0.5)
        command = [*LOSSBENCH, "doctor", "--json", "--address", f"127.0.0.1:{port}"]
        told = {}
        for token in ("a" * 32, "b" * 32):
            done = run(command, tmp_path, **(environment | {"RAY_AUTH_TOKEN": token}))
            told[token[0]] = [row for row in json.loads(done.stdout)["findings"] if row["check"] == "ray"]
    finally:
        head.terminate()
        head.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
    assert [row["state"] for row in told["a"]] == ["fine"] * 3, told["a"]
    assert "1 nodes, 1 cores" in told["a"][1]["found"]
    assert told["b"][-1]["state"] == "broken"
    assert "token" in told["b"][-1]["remedy"]
