"""The examples of docs/cluster.md; the Slurm script runs for real, with stand-ins for Slurm's commands."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from harness import __version__
from harness.cli.doctor import CHECKS
from harness.cli.main import app
from studies import shipped_studies

ROOT = Path(__file__).resolve().parents[1]
GUIDE = ROOT / "docs" / "cluster.md"
SLURM, KUBERAY, DOCKERFILE = (
    ROOT / "docs" / "cluster" / name for name in ("slurm.sh", "kuberay.yaml", "Dockerfile")
)
CONSTRAINTS = dict(
    line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
)

STAND_INS = {
    # What Slurm does on its nodes happens here; --ntasks tasks, each with what it starts in one group.
    "srun": """\
number=1
while [[ $1 == --* ]]; do
    case $1 in --ntasks=*) number=${1#*=} ;; esac
    shift
done
for ((task = 0; task < number; task++)); do
    setsid "$@" &
    echo $! >>"$STAND_INS/steps"
done
wait
""",
    "scontrol": """\
case $1 in
show) printf 'node1\\nnode2\\n' ;;
requeue) echo "$2" >>"$STAND_INS/requeued" ;;
esac
""",
    "scancel": """\
[[ $1 == --signal=TERM ]] || exit 1
while read -r step; do
    kill -TERM -- "-$step" 2>/dev/null || true
done <"$STAND_INS/steps"
""",
}


def described(path: Path) -> str:
    return path.read_text(encoding="utf-8").replace("\\\n", " ")


def used_options(text: str, command: str) -> set[str]:
    """Long options on the lines that call a command."""
    lines = re.findall(rf"{command}([^\n`|#]*)", text)
    return {option for line in lines for option in re.findall(r"(?<=\s)--[a-z-]+", line)}


# --- what is written exists ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [GUIDE, SLURM, KUBERAY], ids=lambda path: path.name)
def test_every_option_of_lossbench_exists(path: Path) -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for name in ("run", "doctor", "status"):
        known = {option for parameter in commands[name].params for option in parameter.opts}
        assert used_options(described(path), f"lossbench {name}") <= known, name


def test_options_that_the_slurm_script_hands_on_exist() -> None:
    run = get_command(app).commands["run"]  # type: ignore[attr-defined]
    known = {option for parameter in run.params for option in parameter.opts}
    calls = re.findall(r"sbatch [^\n`]*slurm\.sh ([^\n`]*)", described(GUIDE))
    assert calls
    for call in calls:
        assert set(re.findall(r"--[a-z-]+", call)) <= known


@pytest.mark.parametrize("path", [GUIDE, SLURM], ids=lambda path: path.name)
def test_every_option_of_ray_start_exists(path: Path) -> None:
    from ray.scripts.scripts import start

    known = {option for parameter in start.params for option in parameter.opts}
    table = re.findall(r"^\| `(--[a-z-]+)`", described(path), re.MULTILINE)
    called = used_options(described(path), "ray start")
    called |= {option for option in table if path == GUIDE}
    assert called
    assert called <= known


def test_every_variable_of_ours_is_read_somewhere() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "harness").rglob("*.py")) + SLURM.read_text()
    for name in set(re.findall(r"\bLOSSBENCH_[A-Z_]+\b", described(GUIDE) + described(KUBERAY))):
        assert name in sources, name


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_every_check_of_the_doctor_is_in_the_guide(name: str) -> None:
    assert f"`{name}`" in described(GUIDE)


def test_every_link_of_the_guide_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)", described(GUIDE)):
        assert (GUIDE.parent / target).exists(), target


# --- the image ----------------------------------------------------------------------------------------------


def test_the_image_takes_the_versions_of_constraints_and_everything_that_is_packaged() -> None:
    text = described(DOCKERFILE)
    installs = re.findall(r"pip install[^\n]*", text)
    assert installs
    assert all("--constraint constraints.txt" in install for install in installs)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (extras,) = re.findall(r"\"\.\[([a-z,]+)\]\"", text)
    assert set(extras.split(",")) <= set(project["project"]["optional-dependencies"])
    copied = {name for line in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE) for name in line.split()}
    assert all((ROOT / name).exists() for name in copied)
    packages = {
        pattern.rstrip("*") for pattern in project["tool"]["setuptools"]["packages"]["find"]["include"]
    }
    assert packages | {"pyproject.toml", "constraints.txt", "README.md", "LICENSE"} <= copied
    (python,) = re.findall(r"^FROM python:(\d+\.\d+)", text, re.MULTILINE)
    assert tuple(map(int, python.split("."))) >= (3, 11)


# --- KubeRay ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    return {each["kind"]: each for each in YAML(typ="safe").load_all(KUBERAY.read_text())}


def pods(job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    cluster = job["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        yield group["template"]["spec"]


def test_the_job_has_the_fields_of_kuberay_v1(documents: dict[str, Any]) -> None:
    job = documents["RayJob"]
    assert job["apiVersion"] == "ray.io/v1"
    known = {"entrypoint", "backoffLimit", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished"}
    assert set(job["spec"]) == known | {"rayClusterSpec"}
    cluster = job["spec"]["rayClusterSpec"]
    assert set(cluster) == {"rayVersion", "authOptions", "headGroupSpec", "workerGroupSpecs"}
    assert cluster["rayVersion"] == CONSTRAINTS["ray"]
    assert set(cluster["headGroupSpec"]) == {"rayStartParams", "template"}
    for group in cluster["workerGroupSpecs"]:
        fields = {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"}
        assert set(group) == fields
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())


def test_pods_mount_what_is_declared_and_take_the_image_of_this_version(documents: dict[str, Any]) -> None:
    claim = documents["PersistentVolumeClaim"]["metadata"]["name"]
    for pod in pods(documents["RayJob"]):
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert volumes["lossbench"]["persistentVolumeClaim"]["claimName"] == claim
        (container,) = pod["containers"]
        assert container["image"] == f"lossbench:{__version__}"
        assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
        given = {each["name"]: each for each in container["env"]}
        assert all(isinstance(each.get("value", ""), str) for each in given.values())
        assert given["RAY_USAGE_STATS_ENABLED"]["value"] == "0"


def test_only_the_driver_gets_the_url_of_the_database(documents: dict[str, Any]) -> None:
    head, *workers = pods(documents["RayJob"])
    secrets = [
        [each["valueFrom"]["secretKeyRef"]["name"] for each in container["env"] if "valueFrom" in each]
        for pod in (head, *workers)
        for container in pod["containers"]
    ]
    assert secrets == [["lossbench-db"], *([] for _ in workers)]
    assert "kubectl create secret generic lossbench-db" in KUBERAY.read_text()


def test_the_job_runs_a_study_that_ships(documents: dict[str, Any]) -> None:
    first, second, study, *options = documents["RayJob"]["spec"]["entrypoint"].split()
    assert (first, second) == ("lossbench", "run")
    assert study in shipped_studies()
    assert options[:2] == ["--address", "auto"]


# --- Slurm --------------------------------------------------------------------------------------------------


def test_the_script_is_bash() -> None:
    subprocess.run(["bash", "-n", str(SLURM)], check=True)
    assert os.access(SLURM, os.X_OK)


def test_shellcheck_finds_nothing() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    subprocess.run(["shellcheck", str(SLURM)], check=True)


class Job:
    """The script in a job of two nodes of one core each, both of them this machine."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder, self.stand_ins = folder, folder / "slurm"
        self.stand_ins.mkdir()
        for name, text in STAND_INS.items():
            (self.stand_ins / name).write_text(f"#!/usr/bin/env bash\n{text}")
            (self.stand_ins / name).chmod(0o755)
        self.id = str(os.getpid())
        self.log = folder / "job.log"
        python = str(Path(sys.executable).parent)
        own = {
            "PATH": os.pathsep.join([str(self.stand_ins), python, os.environ["PATH"]]),
            "STAND_INS": str(self.stand_ins),
            "SLURM_JOB_ID": self.id,
            "SLURM_JOB_NODELIST": "node[1-2]",
            "SLURM_CPUS_PER_TASK": "1",
            "LOSSBENCH_DATA": str(data),
            "LOSSBENCH_DB": f"sqlite:///{folder / 'results.db'}",
        }
        self.environment = os.environ | own

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        (self.stand_ins / "steps").unlink(missing_ok=True)
        with self.log.open("w") as log:
            return subprocess.Popen(
                [str(SLURM), *arguments],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def processes(self) -> list[int]:
        """Processes of the job that are still there."""
        mark = f"STAND_INS={self.stand_ins}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                marked = mark in path.read_bytes().split(b"\0")
                zombie = "\nState:\tZ" in (path.parent / "status").read_text()
            except OSError:
                continue
            if marked and not zombie:
                found.append(int(path.parent.name))
        return found

    def clean(self) -> None:
        """Leave nothing behind, whatever failed."""
        for process in self.processes():
            os.kill(process, signal.SIGKILL)
        told = self.log.read_text() if self.log.exists() else ""
        for folder in set(re.findall(r"/tmp/lb-\w{6}(?=/)", told)):
            shutil.rmtree(folder, ignore_errors=True)

    def states(self) -> list[str]:
        with sqlite3.connect(self.folder / "results.db") as connection:
            return [state for (state,) in connection.execute("SELECT state FROM trial ORDER BY id")]


@pytest.fixture
def job(tmp_path: Path, discs_data: Path) -> Iterator[Job]:
    job = Job(tmp_path, discs_data)
    yield job
    job.clean()


def test_the_script_wants_a_study(job: Job) -> None:
    assert job.start().wait(30) != 0
    assert "usage" in job.log.read_text()


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_job_that_nears_its_limit_is_queued_again_and_its_next_run_finishes(
    job: Job, study_file: Path
) -> None:
    before = set(Path("/tmp").glob("lb-*"))
    script = job.start(str(study_file), "--set", "protocol.epochs=400")
    deadline = time.monotonic() + 90
    # From the start, or once the second node has joined.
    while not re.search(r"2 (trials )?at a time", job.log.read_text()) and time.monotonic() < deadline:
        assert script.poll() is None, job.log.read_text()
        time.sleep(0.2)
    time.sleep(1)
    script.send_signal(signal.SIGUSR1)
    assert script.wait(120) == 75, job.log.read_text()
    assert (job.stand_ins / "requeued").read_text().split() == [job.id]
    assert job.processes() == []
    assert "waiting" in job.states()

    script = job.start(str(study_file), "--set", "protocol.epochs=400")
    assert script.wait(300) == 0, job.log.read_text()
    assert job.states() == ["done"] * 4
    assert (job.stand_ins / "requeued").read_text().split() == [job.id]
    assert job.processes() == []
    assert not {path for path in set(Path("/tmp").glob("lb-??????")) - before if path.exists()}
