"""A made-up study in a temporary database, with prepared caches and predictions, all from seeds."""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage
from sqlalchemy import insert, select, update

from harness.metrics import METRICS, evaluate_case
from harness.store.artifacts import digest_of_file
from harness.store.database import Database, open_database
from harness.store.datasets import DatasetRecord, register_dataset
from harness.store.outcome import ArtifactRecord, Outcome
from harness.store.schema import EnvironmentRow, TrialRow
from harness.store.trials import TrialRecord, TrialStore

HOSTILE = "a&b_<c>|$x$"
STUDY = "made-up"
EPOCHS = 12

LOSSES: tuple[tuple[str, str, str, float], ...] = (
    # label, expression, family, size of the error
    ("Dice", "dice", "region", 0.22),
    ("CE", "ce", "distribution", 0.32),
    (HOSTILE, "focal(gamma=3)", "distribution", 0.36),
    ("Boundary", "boundary", "boundary", 0.5),
    ("GDL", "gdl", "region", 0.26),
    ("Dice + CE", "dice + ce", "compound", 0.14),
    ("GDL + boundary (tuned)", "gdl + boundary", "compound", 0.16),
)

_RESULTS: dict[tuple[str, str, int, bool], tuple[dict[str, np.ndarray[Any, Any]], list[dict[str, Any]]]] = {}


@dataclass(frozen=True)
class MadeUpDataset:
    """A dataset in memory, and how it is divided."""

    name: str
    title: str
    classes: tuple[str, ...]
    spacing: tuple[float, float, float]
    split: dict[str, Any]
    test: tuple[str, ...]
    images: dict[str, Any] = field(repr=False)
    truths: dict[str, Any] = field(repr=False)

    @property
    def fingerprint(self) -> str:
        return f"fingerprint-of-{self.name}"

    def patient(self, case: str) -> str:
        return case.split("_", maxsplit=1)[0]

    def part(self, case: str) -> str:
        return "test" if self.patient(case) in self.test else "validation"


@dataclass(frozen=True)
class MadeUpStudy:
    """Where the made-up study lies."""

    database: Database
    prepared: Path
    artifacts: Path
    datasets: tuple[MadeUpDataset, ...]


def make_study(root: Path, *, seeds: int = 3, finish: float = 1.0, **document: Any) -> MadeUpStudy:
    """Fill a database below ``root``; ``finish`` is the share of trials that get a result.

    One run diverges (Boundary, last seed, first dataset), one collapses (the hostile label, seed 0).
    """
    database = open_database(f"sqlite:///{root / 'results.db'}", create=True)
    datasets = (heads(), eyes())
    store = TrialStore(database, "synthetic")
    study_id = store.register_study(STUDY, "A made-up comparison", resolved(seeds) | document)
    store.register_metrics(
        {"name": m.name, "version": m.version, "title": m.title, "unit": m.unit, "direction": m.direction}
        for m in METRICS.values()
    )
    for dataset in datasets:
        register_dataset(store.database, record_of(dataset))
        write_cache(root / "prepared", dataset)
    records = [record for dataset in datasets for record in trials_of(dataset, seeds)]
    store.register_trials(study_id, records, restart=True)
    for record in records[: round(finish * len(records))]:
        finish_trial(
            store, record, next(d for d in datasets if d.name == record.dataset), root / "artifacts", seeds
        )
    return MadeUpStudy(database, root / "prepared", root / "artifacts", datasets)


def resolved(seeds: int) -> dict[str, Any]:
    losses = [{"label": label, "loss": expression, "alpha": None} for label, expression, _, _ in LOSSES]
    losses[-1]["alpha"] = "tune"
    return {
        "study": STUDY,
        "title": "A made-up comparison",
        "datasets": ["heads", {"dataset": "/home/somebody/eyes.yaml"}],
        "losses": losses,
        "seeds": seeds,
        "evaluation": "test",
        "protocol": {
            "epochs": EPOCHS,
            "batch_size": 8,
            "optimizer": {"name": "adam", "lr": 0.001},
            "lr_schedule": {"name": "plateau", "factor": 0.5, "patience": 20},
            "checkpoint": "best_val_dsc",
            "precision": "float32",
            "augment": [{"name": "flip_horizontal", "probability": 0.5}],
            "deterministic": True,
        },
        "model": {"name": "unet2d", "base_channels": 16},
        "tuning": {"configurations": 4},
    }


@cache
def heads(patients: int = 14) -> MadeUpDataset:
    """Ellipsoids with bright spots: five thick slices, one class."""
    images, truths = {}, {}
    z, y, x = np.meshgrid(
        np.linspace(-1, 1, 5), np.linspace(-1, 1, 72), np.linspace(-1, 1, 60), indexing="ij"
    )
    head = (x / 0.75) ** 2 + (y / 0.85) ** 2 + 0.3 * z**2 < 1
    for index in range(patients):
        random = np.random.default_rng([1, index])
        truth = np.zeros(head.shape, np.uint8)
        for _ in range(2 + index % 4):
            at, size = random.uniform(-0.4, 0.4, 3), random.uniform(0.08, 0.2)
            truth[((x - at[0]) ** 2 + (y - at[1]) ** 2 + 0.2 * (z - at[2]) ** 2) < size**2] = 1
        tissue = head * (1.0 + 0.3 * ndimage.gaussian_filter(random.normal(size=head.shape), (0, 3, 3)) * 5)
        image = tissue + 0.8 * truth + 0.08 * random.normal(size=head.shape) * head
        images[f"p{index:02d}"], truths[f"p{index:02d}"] = image[:, None].astype(np.float32), truth
    names = tuple(sorted(truths))
    split = {"kind": "holdout", "test": patients - 3, "validation": 0.2, "train": None}
    classes = ("background", "lesion")
    return MadeUpDataset(
        "heads-sim", "Heads (simulated)", classes, (5.0, 2.5, 2.5), split, names[3:], images, truths
    )


@cache
def eyes(patients: int = 7) -> MadeUpDataset:
    """Photographs of two eyes a patient: one slice, two nested classes."""
    images, truths = {}, {}
    y, x = np.meshgrid(np.linspace(-1, 1, 64), np.linspace(-1, 1, 80), indexing="ij")
    for index in range(patients):
        for side in ("left", "right"):
            random = np.random.default_rng([2, index, len(side)])
            at = random.uniform(-0.3, 0.3, 2)
            radius = np.hypot((x - at[0]) * 1.25, y - at[1])
            truth = ((radius < 0.5).astype(np.uint8) + (radius < 0.25)).astype(np.uint8)
            image = np.where(np.hypot(x * 1.1, y) < 0.97, 0.5 + 0.3 * truth, 0) + 0.03 * random.normal(
                size=x.shape
            )
            images[f"q{index}_{side}"] = image[None, None].astype(np.float32)
            truths[f"q{index}_{side}"] = truth[None]
    test = tuple(f"q{index}" for index in range(2, patients))
    split = {"kind": "holdout", "test": patients - 2, "validation": 0.2, "train": None}
    return MadeUpDataset(
        "eyes", "Eyes", ("background", "disc_rim", "cup"), (1.0, 1.0, 1.0), split, test, images, truths
    )


def record_of(dataset: MadeUpDataset) -> DatasetRecord:
    cases = tuple(
        (dataset.patient(case), case, None, truth.shape, dataset.spacing, np.bincount(truth.ravel()).tolist())
        for case, truth in dataset.truths.items()
    )
    return DatasetRecord(dataset.fingerprint, dataset.name, dataset.title, dataset.classes, cases)


def write_cache(folder: Path, dataset: MadeUpDataset) -> None:
    target = folder / dataset.name
    target.mkdir(parents=True)
    entries = []
    for position, (case, truth) in enumerate(dataset.truths.items()):
        np.save(target / f"{position:05d}-images.npy", dataset.images[case])
        for kind in ("labels", "truth"):
            np.save(target / f"{position:05d}-{kind}.npy", truth)
        entries.append(
            {
                "case": case,
                "patient": dataset.patient(case),
                "site": None,
                "shape": truth.shape,
                "spacing": dataset.spacing,
                "grid": truth.shape[1:],
                "slice_spacing": dataset.spacing,
                "voxels": np.bincount(truth.ravel()).tolist(),
            }
        )
    index = {
        "name": dataset.name,
        "title": dataset.title,
        "fingerprint": dataset.fingerprint,
        "channels": ["image"],
        "classes": dataset.classes,
        "ignores": False,
        "cases": entries,
        "warnings": [],
    }
    (target / "index.json").write_text(json.dumps(index))


def trials_of(dataset: MadeUpDataset, seeds: int) -> list[TrialRecord]:
    return [
        TrialRecord(
            key=f"{position}{seed}-{dataset.name}",
            fingerprint=dataset.fingerprint,
            dataset=dataset.name,
            label=label,
            loss_expression=expression,
            loss_family=family,
            loss_canonical={"expression": expression},
            seed=seed,
            fold=0,
            purpose="study",
            canonical={"split": dataset.split, "loss": {"alpha": _alpha(label)}},
        )
        for seed in range(seeds)
        for position, (label, expression, family, _) in enumerate(LOSSES)
    ]


def _alpha(label: str) -> dict[str, Any] | None:
    return (
        {"schedule": "rebalance", "start": 1.0, "floor": 0.05, "over": 0.5} if "boundary" in label else None
    )


def finish_trial(
    store: TrialStore, record: TrialRecord, dataset: MadeUpDataset, artifacts: Path, seeds: int
) -> None:
    first = dataset.name == "heads-sim"
    diverged = first and record.label == "Boundary" and record.seed == seeds - 1
    collapsed = first and record.label == HOSTILE and record.seed == 0
    error = next(size for label, _, _, size in LOSSES if label == record.label)
    masks, scores = ({}, []) if diverged else result_of(record, dataset, error, collapsed)
    reason = "the loss was not finite in epoch 4" if diverged else None
    if collapsed:
        reason = "validation DSC 0.012 is below 0.05 (see /home/somebody/private/trial.log)"
    assert store.claim([record.key])[record.key].taken
    store.finish(
        record.key,
        Outcome(
            state="diverged" if diverged else "done",
            collapsed=diverged or collapsed,
            reason=reason,
            best_epoch=EPOCHS - 2,
            best_val_dsc=0.8 - error / 2,
            seconds=12.5,
            epochs=learning_curve(record, error, 4 if diverged else EPOCHS),
            scores=[dict(score) for score in scores],
            artifacts=[keep(record, dataset, masks, artifacts)] if masks else [],
            environment={"python": "3.11", "torch": "2.13.0", "device": "x86_64", "threads": "1"},
            numerics="x86_64, 1 thread, float32, torch 2.13.0",
        ),
    )


def result_of(
    record: TrialRecord, dataset: MadeUpDataset, error: float, collapsed: bool
) -> tuple[dict[str, np.ndarray[Any, Any]], list[dict[str, Any]]]:
    """Return masks and scores of a run, which are the same in every study: computed once."""
    key = (dataset.name, record.label, record.seed, collapsed)
    if key not in _RESULTS:
        masks = predictions(record, dataset, error, collapsed)
        _RESULTS[key] = masks, scores_of(dataset, masks)
    return _RESULTS[key]


def predictions(
    record: TrialRecord, dataset: MadeUpDataset, error: float, collapsed: bool
) -> dict[str, np.ndarray[Any, Any]]:
    """Blur the truth with noise and cut it again: the larger the error, the worse."""
    masks = {}
    for number, (case, truth) in enumerate(dataset.truths.items()):
        entropy = [3, number, record.seed, sum(map(ord, record.label))]
        random = np.random.default_rng(entropy)
        noise = ndimage.gaussian_filter(random.normal(size=truth.shape), (0, 2, 2))
        size = 1.1 if dataset.name == "heads-sim" else 2.0
        noisy = truth + size * error * noise / noise.std() * (0.6 + 0.15 * (number % 5))
        smooth = ndimage.gaussian_filter(noisy, (0, 0.8, 0.8))
        masks[case] = np.clip(np.round(smooth), 0, len(dataset.classes) - 1).astype(np.uint8) * (
            not collapsed
        )
    return masks


def scores_of(dataset: MadeUpDataset, masks: dict[str, np.ndarray[Any, Any]]) -> list[dict[str, Any]]:
    rows = []
    for case, mask in masks.items():
        for score in evaluate_case(mask, dataset.truths[case], dataset.spacing, len(dataset.classes)):
            for checkpoint, factor in (("best", 1.0), ("last", 0.97)):
                rows.append(
                    {
                        "case": case,
                        "part": dataset.part(case),
                        "checkpoint": checkpoint,
                        "class_index": score.class_index,
                        "metric": score.metric,
                        "value": None if score.value is None else score.value * factor,
                        "imputed": score.imputed * factor,
                        "reason": score.reason,
                    }
                )
    return rows


def keep(
    record: TrialRecord, dataset: MadeUpDataset, masks: dict[str, np.ndarray[Any, Any]], artifacts: Path
) -> ArtifactRecord:
    path = Path(record.key) / "predictions.npz"
    (artifacts / record.key).mkdir(parents=True)
    tested = {case: mask for case, mask in masks.items() if dataset.part(case) == "test"}
    np.savez_compressed(artifacts / path, **tested)
    file = artifacts / path
    return ArtifactRecord("predictions", path.as_posix(), digest_of_file(file), file.stat().st_size)


def learning_curve(record: TrialRecord, error: float, epochs: int) -> list[dict[str, Any]]:
    random = np.random.default_rng([4, record.seed, sum(map(ord, record.label))])
    rows = []
    for epoch in range(epochs):
        progress = 1 - np.exp(-epoch / 3)
        alpha = max(0.05, 1 - 0.95 * epoch / 5.5) if "boundary" in record.label else None
        rows.append(
            {
                "epoch": epoch,
                "train_loss": float(1.2 - progress + 0.05 * random.normal()),
                "val_dsc": float(np.clip((0.95 - error) * progress + 0.03 * random.normal(), 0, 1)),
                "learning_rate": 1e-3,
                "region_weight": alpha,
                "boundary_weight": None if alpha is None else 1 - alpha,
                "seconds": 1.0,
            }
        )
    return rows


def move_to_environment(database: Database, key: str, facts: dict[str, str], numerics: str) -> None:
    with database.write() as connection:
        digest = json.dumps(facts)
        connection.execute(insert(EnvironmentRow).values(digest=digest, facts=facts))
        found = select(EnvironmentRow.id).where(EnvironmentRow.digest == digest).scalar_subquery()
        connection.execute(
            update(TrialRow).where(TrialRow.key == key).values(environment_id=found, numerics=numerics)
        )
