"""The table of ``lossbench plan``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.cli.home import Home
from harness.cli.preparation import ReadyDataset
from harness.store.database import Database, open_if_there
from harness.store.summaries import known_trials, median_epoch_seconds, stale_reasons
from harness.study.plan import PlannedTrial, cell_trials, chosen_folds
from harness.study.spec import DatasetEntry, LossEntry, Study


def plan_rows(
    study: Study, folder: Path, home: Home, ready: list[ReadyDataset | None]
) -> list[dict[str, Any]]:
    """Return one row per cell (dataset x loss) with its trials by state and expected hours.

    Datasets whose files are not here are planned too; their trials have no keys yet.
    """
    database = open_if_there(home.database_url)
    rows = []
    for entry, dataset in zip(study.dataset_entries, ready, strict=True):
        description = entry.describe(folder)
        split = dataset.study_dataset.split if dataset else description.chosen_split
        folds = chosen_folds(study, split)
        for loss in study.losses:
            row: dict[str, Any] = {
                "dataset": dataset.prepared.name if dataset else _expected_name(entry),
                "loss": loss.label,
                "trials": len(study.chosen_seeds) * len(folds),
            }
            row |= _cell_states(study, loss, dataset, folds, database)
            rows.append(row)
    return rows


def _expected_name(entry: DatasetEntry) -> str:
    return f"{entry.dataset}-sim" if entry.simulate else entry.dataset


def _cell_states(
    study: Study,
    loss: LossEntry,
    dataset: ReadyDataset | None,
    folds: Sequence[int],
    database: Database | None,
) -> dict[str, Any]:
    total = len(study.chosen_seeds) * len(folds)
    if dataset is None:
        return {"done": 0, "to run": total, "failed": 0, "hours": None, "note": "data not here yet"}
    if loss.tuned:
        configurations = study.tuning.configurations * len(folds)
        note = f"after tuning {configurations} configurations"
        hours = _hours(study, dataset, database, total + configurations)
        return {"done": 0, "to run": total, "failed": 0, "hours": hours, "note": note}
    planned = [
        trial
        for fold in folds
        for trial in cell_trials(study, dataset.study_dataset, loss, loss.spec(), fold)
    ]
    states = known_trials(database, [each.trial.key for each in planned]) if database else {}
    done = sum(state in {"done", "diverged"} for state in states.values())
    failed = sum(state == "failed" for state in states.values())
    return {
        "done": done,
        "to run": total - done - failed,
        "failed": failed,
        "hours": _hours(study, dataset, database, total - done),
        "note": _stale_note(study, loss, planned, database) if database else "",
    }


def _hours(study: Study, dataset: ReadyDataset, database: Database | None, trials: int) -> float | None:
    """Single-worker hours from the epochs that the database has timed, or None."""
    seconds = median_epoch_seconds(database, dataset.prepared.fingerprint) if database else None
    return None if seconds is None else round(seconds * study.protocol.epochs * trials / 3600, 2)


def _stale_note(study: Study, loss: LossEntry, planned: list[PlannedTrial], database: Database) -> str:
    canonical = {each.trial.key: each.trial.canonical() for each in planned}
    count, changed = stale_reasons(database, study.study, loss.label, planned[0].dataset, canonical)
    return f"{count} stale: {', '.join(changed)} changed" if count else ""
