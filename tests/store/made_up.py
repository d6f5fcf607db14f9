"""A made-up study in a database of either engine, and the reports' numbers beside it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.metrics import METRICS
from harness.store.database import Database, open_database
from harness.store.datasets import register_dataset
from harness.store.trials import TrialStore
from tests.reports import synthetic

STUDY = synthetic.STUDY
COMMIT = "c0ffee" * 6 + "c0ff"


def fill(database: Database, folder: Path, seeds: int = 3) -> None:
    """Write the study of the report tests: two datasets, seven losses, one trial diverged, one collapsed."""
    store = TrialStore(database, "made-up")
    study_id = store.register_study(STUDY, "A made-up comparison", synthetic.resolved(seeds))
    store.register_metrics(
        {"name": m.name, "version": m.version, "title": m.title, "unit": m.unit, "direction": m.direction}
        for m in METRICS.values()
    )
    for dataset in (synthetic.heads(), synthetic.eyes()):
        register_dataset(database, synthetic.record_of(dataset))
        records = synthetic.trials_of(dataset, seeds)
        store.register_trials(study_id, records)
        for record in records:
            synthetic.finish_trial(store, record, dataset, folder / "artifacts", seeds)
    facts = {"commit": COMMIT, "dirty": "0123", "torch": "2.13.0", "device": "x86_64", "threads": "1"}
    synthetic.move_to_environment(database, records[0].key, facts, "x86_64, 1 thread")


@contextmanager
def filled(engine: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Database]:
    """Give a filled database of an engine: a private copy of one that is filled once."""
    if engine == "sqlite":
        shutil.copy(request.getfixturevalue("filled_file"), folder / "results.db")
        yield from _opened(f"sqlite:///{folder / 'results.db'}")
        return
    template = request.getfixturevalue("filled_on_server")
    with request.getfixturevalue("postgresql").fresh(template) as url:
        yield from _opened(url)


def _opened(url: str) -> Iterator[Database]:
    database = open_database(url)
    yield database
    database.close()
