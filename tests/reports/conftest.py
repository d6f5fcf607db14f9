import importlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from harness.store.database import Database, open_database
from reports.build import WrittenReport, build_report
from reports.results import StudyResults, load_results


def _load(file: str) -> ModuleType:
    """Import a neighbour file, once for the tests of all folders."""
    return importlib.import_module(f"tests.reports.{file}")


@pytest.fixture(scope="session")
def synthetic() -> ModuleType:
    return _load("synthetic")


@pytest.fixture(scope="session")
def made_up() -> ModuleType:
    """Makes searches."""
    return _load("made_up_searches")


@pytest.fixture(scope="session")
def wide_study() -> ModuleType:
    """Makes studies of any width."""
    return _load("wide_study")


@pytest.fixture(scope="session")
def papers() -> ModuleType:
    """Makes studies of the losses of papers."""
    return _load("papers_study")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, synthetic: ModuleType) -> Path:
    """Folder of a finished study; read it, never write its database."""
    root = tmp_path_factory.mktemp("finished")
    synthetic.make_study(root).database.close()
    return root


@pytest.fixture(scope="session")
def partial(tmp_path_factory: pytest.TempPathFactory, synthetic: ModuleType) -> Path:
    """Folder of a study with one seed of which 60 % of the trials are finished."""
    root = tmp_path_factory.mktemp("partial")
    synthetic.make_study(root, seeds=1, finish=0.6).database.close()
    return root


@pytest.fixture
def copy_of(tmp_path: Path) -> Iterator[Callable[[Path], Database]]:
    """Give a private copy of a study's database."""
    opened: list[Database] = []

    def copy(root: Path) -> Database:
        target = tmp_path / f"{root.name}.db"
        shutil.copy(root / "results.db", target)
        opened.append(open_database(f"sqlite:///{target}"))
        return opened[-1]

    yield copy
    for database in opened:
        database.close()


@pytest.fixture(scope="session")
def report(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> WrittenReport:
    """The report of the finished study, built once."""
    out = tmp_path_factory.mktemp("report")
    shutil.copy(finished / "results.db", out / "results.db")
    database = open_database(f"sqlite:///{out / 'results.db'}")
    return build_report(database, "made-up", out / "out", finished / "prepared", finished / "artifacts")


@pytest.fixture(scope="session")
def results(finished: Path) -> StudyResults:
    database = open_database(f"sqlite:///{finished / 'results.db'}")
    return load_results(database, "made-up", finished / "prepared", finished / "artifacts", peek=False)
