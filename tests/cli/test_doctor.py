"""``lossbench doctor``: each thing is broken for real where that is possible."""

import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from sqlalchemy import create_engine

from harness import __version__
from harness.cli.doctor import CHECKS, Finding, Setup, examine
from harness.cli.doctor.base import GIB, GROUPS, Check
from harness.cli.doctor.cgroup import ControlGroups
from harness.cli.doctor.cores import judge_cores, judge_threads
from harness.cli.doctor.database import judge_file
from harness.cli.doctor.filesystem import judge_space, kind_of
from harness.cli.doctor.gpu import SeenGpu, compute_mode, without_torch
from harness.cli.doctor.limits import judge_files, judge_processes
from harness.cli.doctor.memory import judge as judge_memory
from harness.cli.doctor.python_version import judge as judge_python
from harness.cli.doctor.ray_folders import judge_path, judge_shared_memory, judge_temporary
from harness.cli.doctor.ray_nodes import Node, judge_address, judge_nodes
from harness.cli.home import Home
from harness.store.database import open_database
from tests.conftest import LOSSBENCH

ONE_CHECK = """\
import json, sys
from pathlib import Path
from harness.cli.doctor import Setup, examine, scratch_folder
from harness.cli.home import Home
setup = Setup(Home(Path(sys.argv[2])), Path("data"), None, scratch_folder())
try:
    (found,) = examine(setup, [sys.argv[1]])
finally:
    setup.scratch.rmdir()
print(json.dumps([vars(each) for each in found.findings]))
"""


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    (tmp_path / "scratch").mkdir()
    return Setup(Home(tmp_path / "home"), tmp_path / "data", None, tmp_path / "scratch")


def findings(setup: Setup, name: str) -> tuple[Finding, ...]:
    (found,) = examine(setup, [name])
    return found.findings


def with_database(setup: Setup, url: str) -> Setup:
    return Setup(Home(setup.home.root, url), setup.data, setup.address, setup.scratch)


def run(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def in_shell(name: str, home: Path, before: str) -> list[dict[str, str]]:
    """Run one check in a process of its own, after shell commands."""
    check = shlex.join([sys.executable, "-c", ONE_CHECK, name, str(home)])
    done = run(["bash", "-c", f"{before} && exec {check}"], home)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, str]] = json.loads(done.stdout)
    return found


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


# --- storage ------------------------------------------------------------------------------------------------


def test_a_home_that_is_not_there_yet_is_fine_and_not_made(setup):
    assert all(each.state != "broken" for each in findings(setup, "home"))
    assert not setup.home.root.exists()


def test_a_file_in_place_of_the_home_is_broken(setup):
    setup.home.root.write_text("")
    (finding,) = findings(setup, "home")
    assert finding.state == "broken"


def in_mount(name: str, tmp_path: Path, options: str) -> list[dict[str, str]]:
    """Run a check on a small file system of its own, in a mount namespace."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    mount = f"mount -t tmpfs -o {options} tmpfs {shlex.quote(str(folder))}"
    private = ["unshare", "--mount", "--map-root-user", "bash", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*private, mount], check=False).returncode:
        pytest.skip("mount namespaces are not allowed here")
    check = shlex.join([sys.executable, "-c", ONE_CHECK, name, str(folder)])
    done = run([*private, f"{mount} && {check}"], tmp_path)
    found: list[dict[str, str]] = json.loads(done.stdout)
    return found


def test_a_nearly_full_disk_is_broken(tmp_path):
    written, space, *_ = in_mount("home", tmp_path, "size=1m")
    assert "file system tmpfs" in written["found"]
    assert space["state"] == "broken"
    assert "free at least" in space["remedy"]


def test_a_disk_that_cannot_be_written_is_broken(tmp_path):
    first, *_ = in_mount("home", tmp_path, "size=20g,ro")
    assert first["state"] == "broken"
    assert "Read-only" in first["found"]


def test_a_disk_without_inodes_is_broken(tmp_path):
    found = in_mount("home", tmp_path, "size=20g,nr_inodes=20")
    assert any("inodes" in each["found"] and each["state"] == "broken" for each in found)


def test_space_is_judged_in_three_steps():
    states = [judge_space(free * GIB, "home").state for free in (0.5, 5, 50)]
    assert states == ["broken", "warning", "fine"]


def test_ray_wants_short_paths_and_room():
    assert judge_path("/tmp/lb-0123456789ab-123456-abcdefgh").state == "fine"
    assert judge_path("/scratch/users/jane/projects/segmentation/tmp/lb-1234").state == "broken"
    assert judge_temporary(total=100 * GIB, free=4 * GIB, folder="/tmp").state == "broken"
    assert judge_temporary(total=100 * GIB, free=40 * GIB, folder="/tmp").state == "fine"
    assert judge_shared_memory(64 * 2**20).state == "warning"  # what Docker gives


def test_the_kind_of_file_system_is_that_of_the_innermost_mount(tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        f"30 22 0:40 / {str(tmp_path).replace(' ', chr(92) + '040')} rw shared:1 - nfs4 server:/export rw\n"
    )
    assert kind_of(tmp_path / "not" / "there", mounts) == "nfs4"
    assert kind_of(Path("/etc"), mounts) == "ext4"


def test_sqlite_on_a_network_file_system_is_a_warning(tmp_path):
    (finding,) = judge_file(tmp_path / "results.db", "nfs4", clustered=False)
    assert finding.state == "warning"
    assert "PostgreSQL" in finding.remedy
    assert list(judge_file(tmp_path / "results.db", "ext4", clustered=False)) == []


def test_no_database_yet_is_fine_on_both_engines(setup, url, tmp_path):
    found = findings(with_database(setup, url), "database")
    assert [each.state for each in found] == ["fine"]
    assert not (tmp_path / "results.db").exists()


def test_a_database_that_can_be_written_is_fine_and_stays_as_it_is(setup, url):
    database = open_database(url, create=True)
    database.close()
    found = findings(with_database(setup, url), "database")
    assert [each.state for each in found] == ["fine", "fine"]
    if database.dialect == "sqlite":
        assert "journal mode wal" in found[0].found


def test_a_database_of_a_newer_version_is_broken(setup, tmp_path):
    url = f"sqlite:///{tmp_path / 'results.db'}"
    open_database(url, create=True).close()
    with sqlite3.connect(tmp_path / "results.db") as connection:
        connection.execute("UPDATE lossbench_version SET version_num = '9999'")
    (finding,) = findings(with_database(setup, url), "database")
    assert finding.state == "broken"
    assert finding.remedy == "install a newer lossbench"


def test_a_file_that_is_no_database_is_broken(setup, tmp_path):
    (tmp_path / "results.db").write_text("loss,dsc\nce,0.9\n" * 100)
    (finding,) = findings(with_database(setup, f"sqlite:///{tmp_path / 'results.db'}"), "database")
    assert finding.state == "broken"


def test_a_server_that_does_not_answer_is_broken_and_its_password_is_not_shown(setup):
    (finding,) = findings(with_database(setup, "postgresql://jane:hunter2@127.0.0.1:1/results"), "database")
    assert finding.state == "broken"
    assert finding.remedy
    assert "hunter2" not in finding.found + finding.remedy


def test_a_server_that_refuses_to_write_is_broken(setup, postgresql_url):
    open_database(postgresql_url, create=True).close()
    role = f"reader_{os.getpid()}"
    engine = create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role}")
        connection.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
        as_reader = engine.url.update_query_dict({"options": f"-c role={role}"})
        try:
            url = as_reader.render_as_string(hide_password=False)
            last = findings(with_database(setup, url), "database")[-1]
        finally:
            connection.exec_driver_sql(f"DROP OWNED BY {role}")
            connection.exec_driver_sql(f"DROP ROLE {role}")
    engine.dispose()
    assert last.state == "broken"
    assert "permission denied" in last.found


def test_missing_data_is_a_warning_and_a_wrong_archive_is_broken(setup):
    (finding,) = findings(setup, "data")
    assert finding.state == "warning"
    setup.data.mkdir()
    assert [each.state for each in findings(setup, "data")] == ["warning"]
    (setup.data / "wmh2017").mkdir()
    first, *_ = findings(setup, "data")
    assert first.state == "broken"
    assert "wmh2017" in first.found


def test_a_case_that_lacks_a_file_is_found_without_opening_any(setup):
    case = setup.data / "wmh2017" / "Utrecht" / "0"
    (case / "pre").mkdir(parents=True)
    for name in ("wmh.nii.gz", "pre/FLAIR.nii.gz"):
        (case / name).touch()
    first, *_ = findings(setup, "data")
    assert first.state == "broken"
    assert "1 of 1 cases lack files" in first.found
    assert "lossbench data check wmh2017" in first.remedy
    (case / "pre" / "T1.nii.gz").touch()
    first, *rest = findings(setup, "data")
    assert (first.state, first.found) == ("fine", "wmh2017: 1 cases, all files there")
    assert any(each.found.startswith("not here: acdc") for each in rest)


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
