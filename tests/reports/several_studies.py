"""Several studies in one database, without any training; built from the parts of ``wide_study``."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.metrics import METRICS
from harness.store.database import Database, open_database
from harness.store.datasets import register_dataset
from harness.store.outcome import Outcome
from harness.store.trials import TrialStore
from tests.reports import wide_study


@dataclass(frozen=True)
class OneOf:
    """One of the studies.

    Attributes:
        name: Of the study.
        losses: How many of the catalogue, or labels.
        datasets: Their names.
        seeds: How many.
        patients: Test patients of every dataset, those of smaller numbers first.
        protocol: Before all keys: studies of one protocol share their trials.
        shift: Added to the DSC of every run.
        gains: Added to that of some losses, by label.
        collapsed: Labels whose runs all collapse.
        finish: Share of the trials that have a result.
        document: Further keys of the resolved study.
        prints: What the fingerprints of its datasets end in: others are other files.
    """

    name: str
    losses: int | Sequence[str] = 4
    datasets: Sequence[str] = ("set0",)
    seeds: int = 3
    patients: int = 12
    protocol: str = "a"
    shift: float = 0.0
    gains: dict[str, float] = field(default_factory=dict)
    collapsed: Sequence[str] = ()
    finish: float = 1.0
    document: dict[str, Any] = field(default_factory=dict)
    prints: str = ""


def make_studies(root: Path, *studies: OneOf) -> Database:
    """Fill ``results.db`` below ``root`` with studies and return it, open."""
    root.mkdir(parents=True, exist_ok=True)
    database = open_database(f"sqlite:///{root / 'results.db'}", create=True)
    for one in studies:
        add_study(database, one)
    return database


def add_study(database: Database, one: OneOf) -> None:
    """Add a study, or give more of its trials a result; what the database has is not trained again."""
    wide = wide_study.Wide(one.losses, len(one.datasets), one.seeds, one.patients, collapsed=one.collapsed)
    store = TrialStore(database, "several")
    document = wide_study._resolved(wide, list(one.datasets)) | {"study": one.name} | one.document
    study_id = store.register_study(one.name, f"Study {one.name}", document)
    store.register_metrics(
        {"name": m.name, "version": m.version, "title": m.title, "unit": m.unit, "direction": m.direction}
        for m in METRICS.values()
    )
    for name in one.datasets:
        made = wide_study._dataset(name, one.patients)
        register_dataset(database, replace(made, fingerprint=made.fingerprint + one.prints))
    plain = [
        wide_study._record(name, position, loss, seed)
        for seed in range(one.seeds)
        for name in one.datasets
        for position, loss in enumerate(wide.listed())
    ]
    records = [
        replace(record, key=f"{one.protocol}-{record.key}", fingerprint=record.fingerprint + one.prints)
        for record in plain
    ]
    store.register_trials(study_id, records, restart=True)
    for record in records[: round(one.finish * len(records))]:
        if store.claim([record.key])[record.key].taken:
            store.finish(record.key, outcome_of(record, wide, one))


def outcome_of(record: Any, wide: Any, one: OneOf) -> Outcome:
    """Return the result of a trial under the protocol of a study."""
    place = int("".join(filter(str.isdigit, record.dataset)) or 0)
    plain = wide_study._outcome(record, wide, place)
    if record.label in one.collapsed:
        return plain
    noise = np.random.default_rng([17, *map(ord, one.protocol + record.key)]).normal()
    gain = one.shift + one.gains.get(record.label, 0.0) + 0.01 * noise
    scores = [
        {**row, "value": better, "imputed": better} if row["metric"] == "dsc" else row
        for row in plain.scores
        for better in [float(np.clip(row["imputed"] + gain, 0.01, 0.99))]
    ]
    return replace(plain, scores=scores)
