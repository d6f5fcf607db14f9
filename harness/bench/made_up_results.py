"""Results without any training: a study whose trials have as many rows as real ones."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.store.database import Database
from harness.store.datasets import DatasetRecord, register_dataset
from harness.store.outcome import Outcome
from harness.store.rows import digest_of
from harness.store.trials import TrialRecord, TrialStore

STUDY = "made-up"
_FINGERPRINT = "f" * 64
_CHECKPOINTS = ("best", "last")


@dataclass(frozen=True)
class MadeUpResults:
    """How much a trial leaves: cases x metrics x two checkpoints scores, and a curve.

    Attributes:
        cases: Test cases.
        metrics: Metrics of each.
        epochs: Points of the curve.
        losses: Trials go round these.
    """

    cases: int = 50
    metrics: int = 20
    epochs: int = 50
    losses: int = 10

    @property
    def scores(self) -> int:
        """Scores per trial."""
        return self.cases * self.metrics * len(_CHECKPOINTS)

    def register(self, store: TrialStore, trials: int) -> list[TrialRecord]:
        """Write study, dataset, metrics and waiting trials; return the trials."""
        dataset = DatasetRecord(
            fingerprint=_FINGERPRINT,
            name="set",
            title="Made-up cases",
            classes=("background", "lesion"),
            cases=tuple(
                (f"patient{case:03}", f"case{case:03}", None, (20, 64, 64), (3.0, 1.0, 1.0), (80_000, 1_920))
                for case in range(self.cases)
            ),
        )
        register_dataset(store.database, dataset)
        store.register_metrics(
            {"name": name, "version": 1, "title": name, "unit": "", "direction": "higher", "description": ""}
            for name in self._metric_names()
        )
        resolved = {"study": STUDY, "seeds": max(1, trials // self.losses), "evaluation": "test"}
        records = [self._record(number) for number in range(trials)]
        store.register_trials(store.register_study(STUDY, "", resolved), records)
        return records

    def outcome(self, seed: int) -> Outcome:
        """Return the result of a trial, other values for every seed."""
        return Outcome(
            state="done",
            collapsed=False,
            reason=None,
            best_epoch=0,
            best_val_dsc=0.5,
            seconds=1.0,
            epochs=[self._point(epoch) for epoch in range(self.epochs)],
            epoch_scores=[
                {"epoch": epoch, "class_index": 1, "metric": "metric00", "mean": 0.5, "undefined": 0}
                for epoch in range(self.epochs)
            ],
            scores=list(self._scores(seed)),
            artifacts=[],
            environment={"torch": "none"},
        )

    def _metric_names(self) -> list[str]:
        return [f"metric{number:02}" for number in range(self.metrics)]

    def _scores(self, seed: int) -> Iterator[Mapping[str, Any]]:
        values = iter(np.random.default_rng(seed).random(self.scores).tolist())
        for case in range(self.cases):
            for checkpoint in _CHECKPOINTS:
                for metric in self._metric_names():
                    value = next(values)
                    yield {
                        "case": f"case{case:03}",
                        "metric": metric,
                        "class_index": 1,
                        "checkpoint": checkpoint,
                        "part": "test",
                        "value": value,
                        "imputed": value,
                        "reason": None,
                    }

    def _point(self, epoch: int) -> Mapping[str, Any]:
        weights = {"region_weight": None, "boundary_weight": None}
        costs = {"seconds": 1.0, "validation_seconds": 0.5, "peak_bytes": 1 << 30}
        return {"epoch": epoch, "train_loss": 0.3, "val_dsc": 0.5, "learning_rate": 1e-3, **weights, **costs}

    def _record(self, number: int) -> TrialRecord:
        seed, loss = divmod(number, self.losses)
        canonical = {"loss": {"name": f"loss{loss:02}"}, "seed": seed, "fold": 0, "split": {}}
        return TrialRecord(
            key=digest_of(canonical),
            fingerprint=_FINGERPRINT,
            dataset="set",
            label=f"loss {loss:02}",
            loss_expression=f"loss{loss:02}",
            loss_family="region",
            loss_canonical=canonical["loss"],  # type: ignore[arg-type]
            seed=seed,
            fold=0,
            purpose="study",
            canonical=canonical,
        )


def write_trials(database: Database, owner: str, made_up: MadeUpResults, trials: int) -> None:
    """Fill a database with finished trials."""
    store = TrialStore(database, owner)
    for number, record in enumerate(made_up.register(store, trials)):
        store.claim([record.key])
        store.finish(record.key, made_up.outcome(number))
