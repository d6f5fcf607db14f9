"""Databases of two labs, small and by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from harness.store import frames
from harness.store.database import Database
from harness.store.datasets import DatasetRecord, SplitRecord, register_dataset, register_splits
from harness.store.outcome import ArtifactRecord, Outcome
from harness.store.rows import digest_of
from harness.store.runs import register_run
from harness.store.schema import TrialRow
from harness.store.trials import TrialRecord, TrialStore

HOSTILE = "a'b\"c;--<b>&amp;\\input{x}%$#_{}^~,\n\t| `$(x)` ../../é 你好 🙂"
SPLIT = {"kind": "holdout"}


@dataclass(frozen=True)
class Lab:
    """What a lab has trained: seeds of the losses CE and a hostile one on one dataset."""

    seeds: Sequence[int] = (0,)
    fingerprint: str = "f" * 64
    voxels: int = 20
    resolved: Mapping[str, Any] = field(default_factory=lambda: {"study": "s", "seeds": 2})
    shift: float = 0.0
    metrics: Sequence[str] = ("dsc", "hd")
    state: str = "done"
    unit: str = "mm"
    loss: str = "ce"
    numerics: str = "x86_64 AVX2, 1 thread"

    def fill(self, database: Database) -> list[str]:
        """Write it and return the keys of the trials."""
        cases = tuple(
            (patient, f"{HOSTILE}{patient}", "site", [2, 3, 4], [3.0, 1.0, 1.0], [self.voxels, 4])
            for patient in ("p1", "p2")
        )
        classes = ("background", "white <matter>")
        register_dataset(database, DatasetRecord(self.fingerprint, "set", "Set", classes, cases))
        sides = {"train": [cases[0][1]], "test": [cases[1][1]]}
        splits = [SplitRecord(SPLIT, seed, 0, sides) for seed in self.seeds]
        register_splits(database, self.fingerprint, splits)
        run = register_run(database, "s", self.resolved, "lossbench run s.yaml")
        store = TrialStore(database, "lab", run)
        for metric in self.metrics:
            facts = {"title": metric, "unit": self.unit if metric == "hd" else "", "description": ""}
            store.register_metrics([{"name": metric, "version": 1, "direction": "higher", **facts}])
        records = [self._record(label, seed) for label in ("CE", HOSTILE) for seed in self.seeds]
        study = store.register_study("s", "A study", self.resolved)
        store.register_trials(study, records)
        for record in records:
            self._finish(store, record)
        return [record.key for record in records]

    def _record(self, label: str, seed: int) -> TrialRecord:
        name = self.loss if label == "CE" else "other"
        canonical = {"fingerprint": self.fingerprint, "loss": {"name": name}, "seed": seed, "split": SPLIT}
        return TrialRecord(
            digest_of(canonical),
            self.fingerprint,
            "set",
            label,
            name,
            "region",
            {"name": name},
            seed,
            0,
            "study",
            canonical,
        )

    def _finish(self, store: TrialStore, record: TrialRecord) -> None:
        if self.state == "waiting":
            return
        store.claim([record.key])
        if self.state == "failed":
            store.fail(record.key, "out of memory", "Traceback")
        if self.state not in {"done", "pruned"}:
            return
        done = self.state == "done"
        value = 0.2 * (record.label == HOSTILE) + 0.01 * record.seed + self.shift
        places = [
            {"case": f"{HOSTILE}p2", "metric": metric, "class_index": 1, "checkpoint": checkpoint}
            for metric in self.metrics
            for checkpoint in ("best", "last")
        ]
        found = {"part": "test", "value": value, "imputed": value, "reason": None}
        missing = {"part": "test", "value": None, "imputed": 0.0, "reason": "prediction empty"}
        epoch = {"epoch": 0, "train_loss": 0.3, "val_dsc": 0.4, "learning_rate": 0.1, "seconds": 1.0}
        store.finish(
            record.key,
            Outcome(
                state=self.state,
                collapsed=False if done else None,
                reason=None if done else "ended after epoch 1 of 2 by its search",
                best_epoch=0,
                best_val_dsc=0.4,
                seconds=1.0,
                epochs=[epoch | {"region_weight": None, "boundary_weight": 0.5}],
                scores=[place | (missing if place["checkpoint"] == "last" else found) for place in places]
                if done
                else [],
                artifacts=[ArtifactRecord("model", f"{record.key[:16]}/model.pt", digest_of({}), 2)]
                if done
                else [],
                environment={"torch": "2"},
                epoch_scores=[{"epoch": 0, "class_index": 1, "metric": "dsc", "mean": 0.4, "undefined": 0}],
                numerics=self.numerics,
            ),
        )


def all_scores(database: Database) -> set[tuple[Any, ...]]:
    """Every score by names, whatever the ids."""
    with database.read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT t.key, c.name, m.name, s.checkpoint, s.part, s.value, s.imputed, s.reason FROM score s "
            'JOIN trial t ON t.id = s.trial_id JOIN "case" c ON c.id = s.case_id '
            "JOIN metric m ON m.id = s.metric_id"
        )
        return {tuple(row) for row in rows}


def states(database: Database) -> dict[str, str]:
    """State of every trial by key."""
    with database.read() as connection:
        return {row.key: row.state for row in connection.execute(select(TrialRow.key, TrialRow.state))}


def study_frames(database: Database) -> dict[str, Any]:
    """All frames of the study."""
    names = ("scores", "curves", "class_curves", "trials", "cases", "artifacts", "looks")
    return {name: getattr(frames, name)(database, "s") for name in names}
