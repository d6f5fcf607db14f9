"""A results database on both engines, and one to make searches in."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.store.database import Database, open_database
from harness.training.job import TrainingJob
from tests.tuning.lab import Lab, Objective, rate_of

BEST_RATE = 2e-3


def hill(job: TrainingJob, epoch: int) -> float:
    """Best at the learning rate 2e-3, growing with the epochs."""
    off = math.log10(rate_of(job) / BEST_RATE)
    return round(math.exp(-(off**2)) * (epoch + 1) / job.protocol.epochs, 6)


@pytest.fixture
def database(url: str):
    database = open_database(url, create=True)
    yield database
    database.close()


@pytest.fixture
def lab(database: Database, tmp_path: Path) -> Lab:
    """Makes searches on both engines; the objective is :func:`hill`."""
    return Lab(database, tmp_path, hill)


@pytest.fixture
def new_lab(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory):
    """Return a function that makes one more lab, in a SQLite file of its own."""
    template = tmp_path_factory.mktemp("template") / "results.db"
    open_database(f"sqlite:///{template}", create=True).close()
    made: list[Lab] = []

    def make(objective: Objective = hill) -> Lab:
        folder = tmp_path / f"lab{len(made)}"
        folder.mkdir()
        shutil.copy(template, folder / "results.db")
        made.append(Lab(open_database(f"sqlite:///{folder / 'results.db'}"), folder, objective))
        return made[-1]

    yield make
    for lab in made:
        lab.close()


MakeLab = Callable[..., Lab]
