"""What a study would train, cell by cell (dataset x loss)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cli.home import Home
from harness.cli.preparation import ReadyDataset
from harness.losses import LossSpec, parse_loss
from harness.scheduling.costs import Costs
from harness.store.database import Database, open_if_there
from harness.store.summaries import known_trials, stale_reasons
from harness.study.plan import PlannedTrial, cell_trials, chosen_folds, plan_trial
from harness.study.spec import DatasetEntry, LossEntry, Study

_GIB = 2**30


@dataclass(frozen=True)
class PlannedCell:
    """One dataset and loss of a study.

    Attributes:
        dataset: Name of the dataset.
        label: Of the loss.
        trials: How many the study asks for.
        done: Of these, trained before.
        failed: Of these, failed before.
        note: What else there is to know.
        left: What is left to train, the configurations of a tuning among them; empty if the data is not here.
        ready: The dataset, None if its files are not here.
    """

    dataset: str
    label: str
    trials: int
    done: int = 0
    failed: int = 0
    note: str = ""
    left: tuple[PlannedTrial, ...] = ()
    ready: ReadyDataset | None = None

    @property
    def to_run(self) -> int:
        """Trials of the study that are neither done nor failed."""
        return self.trials - self.done - self.failed


def plan_cells(
    study: Study, folder: Path, home: Home, ready: Sequence[ReadyDataset | None]
) -> list[PlannedCell]:
    """Return the cells of a study with their trials by state.

    Datasets whose files are not here are planned too; their trials have no keys yet.
    """
    database = open_if_there(home.database_url)
    cells = []
    for entry, dataset in zip(study.dataset_entries, ready, strict=True):
        if dataset is None:
            trials = len(study.chosen_seeds) * len(chosen_folds(study, entry.describe(folder).chosen_split))
            cells += [
                PlannedCell(_expected_name(entry), loss.label, trials, note="data not here yet")
                for loss in study.losses
            ]
            continue
        for loss in study.losses:
            make = _tuned_cell if loss.tuned else _fixed_cell
            cells.append(make(study, loss, dataset, database))
    return cells


def cell_row(cell: PlannedCell, costs: Costs) -> dict[str, Any]:
    """Return a cell as a row of the table: counts, single-worker hours, memory of a trial, their origin."""
    row: dict[str, Any] = {
        "dataset": cell.dataset,
        "loss": cell.label,
        "trials": cell.trials,
        "done": cell.done,
        "to run": cell.to_run,
        "failed": cell.failed,
        "hours": None,
        "GiB": None,
        "from": "",
        "note": cell.note,
    }
    cost = costs.of(cell.left[0]) if cell.left else None
    seconds = [costs.seconds(planned) for planned in cell.left]
    known = [each for each in seconds if each is not None]
    if cell.ready is not None and len(known) == len(seconds):
        row["hours"] = round(sum(known) / 3600, 2)
    if cost is not None:
        row["GiB"] = None if cost.peak_bytes is None else round(cost.peak_bytes / _GIB, 2)
        row["from"] = f"{cost.origin} ({cost.trials})" if cost.trials else cost.origin
    return row


def _expected_name(entry: DatasetEntry) -> str:
    return f"{entry.dataset}-sim" if entry.simulate else entry.dataset


def _fixed_cell(
    study: Study, loss: LossEntry, dataset: ReadyDataset, database: Database | None
) -> PlannedCell:
    planned = _trials(study, loss, loss.spec(), dataset)
    states = known_trials(database, [each.trial.key for each in planned]) if database else {}
    done = sum(state in {"done", "diverged"} for state in states.values())
    failed = sum(state == "failed" for state in states.values())
    return PlannedCell(
        dataset.prepared.name,
        loss.label,
        len(planned),
        done,
        failed,
        _stale_note(study, loss, planned, database) if database and planned else "",
        tuple(each for each in planned if states.get(each.trial.key) not in {"done", "diverged", "failed"}),
        dataset,
    )


def _tuned_cell(
    study: Study, loss: LossEntry, dataset: ReadyDataset, _database: Database | None
) -> PlannedCell:
    """Return the cell of a loss whose alpha is not known yet: any alpha costs the same."""
    spec = parse_loss(loss.loss, {"schedule": "constant"})
    planned = _trials(study, loss, spec, dataset)
    folds = chosen_folds(study, dataset.study_dataset.split)
    searched = [
        plan_trial(study, dataset.study_dataset, loss.label, spec, 0, fold, purpose="search")
        for fold in folds
        for _ in range(study.tuning.configurations)
    ]
    note = f"after tuning {len(searched)} configurations"
    return PlannedCell(
        dataset.prepared.name,
        loss.label,
        len(planned),
        note=note,
        left=(*searched, *planned),
        ready=dataset,
    )


def _trials(study: Study, loss: LossEntry, spec: LossSpec, dataset: ReadyDataset) -> list[PlannedTrial]:
    return [
        trial
        for fold in chosen_folds(study, dataset.study_dataset.split)
        for trial in cell_trials(study, dataset.study_dataset, loss, spec, fold)
    ]


def _stale_note(study: Study, loss: LossEntry, planned: list[PlannedTrial], database: Database) -> str:
    canonical = {each.trial.key: each.trial.canonical() for each in planned}
    count, changed = stale_reasons(database, study.study, loss.label, planned[0].dataset, canonical)
    return f"{count} stale: {', '.join(changed)} changed" if count else ""
