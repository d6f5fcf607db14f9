"""Wide studies without any training: as many losses, datasets, seeds as a test wants, scores from seeds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.metrics import METRICS
from harness.store.database import Database, open_database
from harness.store.datasets import DatasetRecord, register_dataset
from harness.store.outcome import Outcome
from harness.store.trials import TrialRecord, TrialStore

STUDY = "wide"

TRAINING: dict[str, Any] = {
    "evaluation": "test",
    "protocol": {
        "epochs": 8,
        "batch_size": 8,
        "optimizer": {"name": "adam", "lr": 0.001},
        "lr_schedule": {"name": "poly", "power": 0.9},
        "checkpoint": "best_val_dsc",
        "precision": "float32",
        "augment": [],
        "deterministic": True,
    },
    "model": {"name": "unet2d", "base_channels": 16},
}
"""How every network was trained, in a resolved study."""

MACHINE: dict[str, Any] = {
    "environment": {"python": "3.11", "torch": "2.13.0", "device": "x86_64", "threads": "1"},
    "numerics": "x86_64, 1 thread, float32, torch 2.13.0",
}
"""What an outcome says of where it was computed."""

CATALOGUE: tuple[tuple[str, str, str], ...] = (
    # label, expression, family
    ("CE", "ce", "distribution"),
    ("Weighted CE", "weighted_ce", "distribution"),
    ("Focal", "focal", "distribution"),
    ("TopK", "topk", "distribution"),
    ("Dice", "dice", "region"),
    ("GDL", "gdl", "region"),
    ("Tversky", "tversky", "region"),
    ("Focal Tversky", "focal_tversky", "region"),
    ("Jaccard", "jaccard", "region"),
    ("Lovász", "lovasz", "region"),
    ("Asymmetric", "asymmetric", "region"),
    ("Penalty GDL", "pgdl", "region"),
    ("Boundary", "boundary", "boundary"),
    ("Hausdorff", "hausdorff", "boundary"),
    ("Surface", "surface", "boundary"),
    ("Dice + CE", "dice + ce", "compound"),
    ("Dice + focal", "dice + 0.5*focal", "compound"),
    ("Dice + BL", "dice + boundary", "compound"),
    ("GDL + BL", "gdl + boundary", "compound"),
    ("Exp-log", "exp_log", "compound"),
    ("Combo", "combo", "compound"),
    ("Unified focal", "unified_focal", "compound"),
    ("clDice", "cldice", "lesion"),
    ("Skeleton recall", "skeleton_recall", "lesion"),
    ("Blob", "blob", "lesion"),
)
"""Twenty-five; longer studies repeat them with a number."""


@dataclass(frozen=True)
class Wide:
    """What a wide study is made of.

    Attributes:
        losses: How many of the catalogue, or labels of one's own.
        datasets: How many.
        seeds: How many.
        patients: Test patients of every dataset.
        finish: Share of the trials that have a result.
        collapsed: Labels whose runs all collapse.
        spread: Difference between the best and the worst loss, in DSC.
        document: Further keys of the resolved study.
    """

    losses: int | Sequence[str] = 25
    datasets: int = 6
    seeds: int = 10
    patients: int = 20
    finish: float = 1.0
    collapsed: Sequence[str] = ()
    spread: float = 0.15
    document: dict[str, Any] = field(default_factory=dict)

    def listed(self) -> list[tuple[str, str, str]]:
        """Return label, expression and family of every loss."""
        if not isinstance(self.losses, int):
            kinds = [CATALOGUE[place % len(CATALOGUE)] for place in range(len(self.losses))]
            return [(label, *kind[1:]) for label, kind in zip(self.losses, kinds, strict=True)]
        rounds = [divmod(place, len(CATALOGUE)) for place in range(self.losses)]
        return [
            (CATALOGUE[at][0] + (f" {turn + 1}" if turn else ""), *CATALOGUE[at][1:]) for turn, at in rounds
        ]


def make_wide_study(root: Path, wide: Wide) -> Database:
    """Fill ``results.db`` below ``root`` and return it, open."""
    root.mkdir(parents=True, exist_ok=True)
    database = open_database(f"sqlite:///{root / 'results.db'}", create=True)
    store = TrialStore(database, "wide")
    names = [f"set{number}" for number in range(wide.datasets)]
    study_id = store.register_study(STUDY, "A wide study", _resolved(wide, names) | wide.document)
    store.register_metrics(
        {"name": m.name, "version": m.version, "title": m.title, "unit": m.unit, "direction": m.direction}
        for m in METRICS.values()
    )
    for name in names:
        register_dataset(database, _dataset(name, wide.patients))
    records = [
        _record(name, position, loss, seed)
        for seed in range(wide.seeds)
        for name in names
        for position, loss in enumerate(wide.listed())
    ]
    store.register_trials(study_id, records, restart=True)
    for record in records[: round(wide.finish * len(records))]:
        assert store.claim([record.key])[record.key].taken
        store.finish(record.key, _outcome(record, wide, names.index(record.dataset)))
    return database


def _resolved(wide: Wide, names: list[str]) -> dict[str, Any]:
    return {
        "study": STUDY,
        "title": "A wide study",
        "datasets": names,
        "losses": [{"label": label, "loss": text, "alpha": None} for label, text, _ in wide.listed()],
        "seeds": wide.seeds,
        **TRAINING,
    }


def _dataset(name: str, patients: int) -> DatasetRecord:
    random = np.random.default_rng([7, *map(ord, name)])
    cases = tuple(
        (f"p{number:03}", f"p{number:03}", None, (8, 64, 64), (3.0, 1.0, 1.0), (30_000, int(size)))
        for number, size in enumerate(random.lognormal(6, 1, patients) + 20)
    )
    return DatasetRecord(f"fingerprint-{name}", name, f"Made-up {name}", ("background", "lesion"), cases)


def _record(dataset: str, position: int, loss: tuple[str, str, str], seed: int) -> TrialRecord:
    label, expression, family = loss
    return TrialRecord(
        key=f"{position:03}{seed:03}-{dataset}",
        fingerprint=f"fingerprint-{dataset}",
        dataset=dataset,
        label=label,
        loss_expression=expression,
        loss_family=family,
        loss_canonical={"expression": expression, "label": position},
        seed=seed,
        fold=0,
        purpose="study",
        canonical={"split": {"kind": "holdout"}, "loss": {"alpha": None}},
    )


def _outcome(record: TrialRecord, wide: Wide, dataset: int) -> Outcome:
    labels = [label for label, _, _ in wide.listed()]
    position = labels.index(record.label)
    collapsed = record.label in wide.collapsed
    run = np.random.default_rng([11, dataset, position, record.seed])
    worth = 0.75 - 0.06 * dataset - wide.spread * ((position * 7) % len(labels)) / max(1, len(labels) - 1)
    dsc = (
        _patients(wide.patients, dataset)
        + worth
        + 0.02 * run.normal()
        + 0.03 * run.normal(size=wide.patients)
    )
    dsc = np.zeros(wide.patients) if collapsed else np.clip(dsc, 0.01, 0.99)
    hd95 = 2 + 30 * (1 - dsc) * np.exp(0.2 * run.normal(size=wide.patients))
    values = {"dsc": dsc, "hd": 1.6 * hd95, "hd95": hd95}
    scores = [
        score_row(f"p{patient:03}", checkpoint, metric, value if checkpoint == "best" else 0.99 * value)
        for checkpoint in ("best", "last")
        for metric, of_patients in values.items()
        for patient, value in enumerate(of_patients)
    ]
    curve = float(dsc.mean()) * (1 - np.exp(-np.arange(1, 9) / 2.5)) + 0.01 * run.normal(size=8)
    return Outcome(
        state="done",
        collapsed=collapsed,
        reason="validation DSC 0.000 is below 0.05" if collapsed else None,
        best_epoch=7,
        best_val_dsc=float(dsc.mean()),
        seconds=20.0 + position,
        epochs=[
            {
                "epoch": epoch,
                "train_loss": float(1 - value),
                "val_dsc": float(max(0.0, value)),
                "learning_rate": 1e-3,
                "region_weight": None,
                "boundary_weight": None,
                "seconds": 1.0,
            }
            for epoch, value in enumerate(curve)
        ],
        scores=scores,
        artifacts=[],
        **MACHINE,
    )


def score_row(case: str, checkpoint: str, metric: str, value: float, class_index: int = 1) -> dict[str, Any]:
    """Return a test score as an outcome has it."""
    return {
        "case": case,
        "part": "test",
        "checkpoint": checkpoint,
        "class_index": class_index,
        "metric": metric,
        "value": float(value),
        "imputed": float(value),
        "reason": None,
    }


def _patients(number: int, dataset: int) -> np.ndarray[Any, Any]:
    """Return how easy each patient is, for all losses alike."""
    return 0.08 * np.random.default_rng([13, dataset]).normal(size=number)
