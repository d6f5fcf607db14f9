"""A tiny real dataset on disk, and what is needed to train on it in a second."""

import gc
import io
import logging
import os
import sqlite3
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("OMP_NUM_THREADS", "1")

import nibabel as nib
import numpy as np
import pytest

from harness.bench.postgresql_server import Server
from harness.bench.private_postgres import NoPostgresError, bin_folder
from harness.data.description import DatasetDescription, describe
from harness.data.prepare import prepare
from harness.data.prepared import PreparedDataset
from tests.postgresql import running_server

MANIFEST = """\
name: discs
title: Discs in noise
layout: files
files:
  channels: ["images/{case}_a.nii.gz", "images/{case}_b.nii.gz"]
  label: "labels/{case}.nii.gz"
  patient: "(p[0-9]+)"
channels: [a, b]
classes: {1: disc}
labels: {0: 0, 1: 1}
size: [32, 32]
split: {kind: holdout, test: 2, validation: 2}
"""

STUDY = """\
study: tiny
title: Two losses on discs
datasets: [{manifest}]
seeds: 2
protocol: {{epochs: 2, batch_size: 4, lr_schedule: {{name: plateau, patience: 1}}}}
model: {{name: unet2d, base_channels: 4, depth: 2}}
losses:
  - {{label: CE, loss: ce}}
  - label: GDL + BL
    loss: gdl + boundary
    alpha: {{schedule: rebalance, over: 1.0}}
"""

LOSSBENCH = [sys.executable, "-c", "from harness.cli.main import main; main()"]


IN_A_PROCESS = {"run", "bench", "doctor"}
"""Commands that start Ray, measure or look at their own process; the others need none of their own."""


def lossbench(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Call the command line; what starts in no time is called in this process, which has torch already."""
    if str(arguments[0]) in IN_A_PROCESS and "--local" not in arguments:
        return lossbench_process(*arguments, cwd=cwd)
    from harness.cli.main import main

    out, err, code = io.StringIO(), io.StringIO(), 0
    argv, sys.argv = sys.argv, ["lossbench", *map(str, arguments)]
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []  # those of pytest would keep ours away
    try:
        with chdir(cwd), redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Exception:  # as the interpreter would
        code = 1
        err.write(traceback.format_exc())
    finally:
        sys.argv, root.handlers = argv, handlers
        gc.collect()  # closes its databases, as the end of a process would: tests copy and delete their files
    return subprocess.CompletedProcess(list(map(str, arguments)), code, out.getvalue(), err.getvalue())


def lossbench_process(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Call the command line in a process of its own."""
    return subprocess.run(
        [*LOSSBENCH, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=110, check=False
    )


def stored_numbers(folder: Path) -> list[tuple[object, ...]]:
    """Every score and curve point in a database, in a fixed order."""
    with sqlite3.connect(folder / "lossbench-home" / "results.db") as connection:
        scores = connection.execute(
            "SELECT t.key, c.name, s.class_index, s.metric_id, s.checkpoint, s.imputed FROM score s "
            'JOIN trial t ON t.id = s.trial_id JOIN "case" c ON c.id = s.case_id ORDER BY 1, 2, 3, 4, 5'
        ).fetchall()
        curves = connection.execute(
            "SELECT t.key, e.epoch, e.train_loss, e.val_dsc FROM epoch e "
            "JOIN trial t ON t.id = e.trial_id ORDER BY 1, 2"
        ).fetchall()
    return scores + curves


def write_nifti(path: Path, array: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 3.0)) -> None:
    """Write an (x, y, z) array in RAS orientation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.diag([*spacing, 1.0])), path)


def write_discs(root: Path, patients: int = 8, slices: int = 3, size: int = 28) -> None:
    """Write a dataset whose cases show one bright disc per slice, the last slice being empty."""
    generator = np.random.default_rng(5)
    columns, rows = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    for patient in range(patients):
        centre = generator.uniform(9, size - 9, 2)
        label = np.zeros((size, size, slices), np.uint8)
        label[..., :-1] = ((columns - centre[0]) ** 2 + (rows - centre[1]) ** 2 < 25)[..., None]
        for channel in "ab":
            noise = generator.normal(0, 0.5, label.shape)
            write_nifti(root / "images" / f"p{patient}_{channel}.nii.gz", (label + noise).astype(np.float32))
        write_nifti(root / "labels" / f"p{patient}.nii.gz", label)


@pytest.fixture(scope="session", autouse=True)
def one_core_for_tiny_data() -> Iterator[None]:
    """Prepare and check data in this process unless workers are asked for: two more take seconds to start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.cli.data_options.os", SimpleNamespace(sched_getaffinity=lambda _: {0}))
        yield


@pytest.fixture(scope="session")
def discs_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root that holds ``discs/`` and the manifest ``discs.yaml``."""
    root = tmp_path_factory.mktemp("data")
    write_discs(root / "discs")
    (root / "discs.yaml").write_text(MANIFEST)
    return root


@pytest.fixture(scope="session")
def discs(discs_data: Path) -> DatasetDescription:
    return describe("discs.yaml", discs_data)


@pytest.fixture(scope="session")
def prepared_discs(
    discs: DatasetDescription, discs_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> PreparedDataset:
    return prepare(discs, discs_data, tmp_path_factory.mktemp("cache"))


@pytest.fixture
def study_file(discs_data: Path, tmp_path: Path) -> Path:
    """A study of two losses and two seeds on the discs."""
    path = tmp_path / "tiny.yaml"
    path.write_text(STUDY.format(manifest=discs_data / "discs.yaml"))
    return path


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real annotated images beside the checkout."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real images are not beside this checkout (../shared/data)")
    return folder


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A real PostgreSQL server, one for every process that runs tests."""
    with running_server() as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql: Server) -> Iterator[str]:
    """URL of an empty PostgreSQL database."""
    with postgresql.fresh() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a results database that is not there yet (a file) or empty, on both engines in turn."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql_url"))
    return f"sqlite:///{tmp_path / 'results.db'}"


@pytest.fixture
def client_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pg_dump be found: that of the server's own release, where it comes with one."""
    with suppress(NoPostgresError):
        monkeypatch.setenv("PATH", f"{bin_folder()}{os.pathsep}{os.environ['PATH']}")
