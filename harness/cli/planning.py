"""What a study would train, cell by cell (dataset x loss)."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.answering.settled import last_stages
from harness.answering.shown import arm_labels
from harness.cli.home import Home
from harness.cli.plan_cell import PlannedCell, states_of
from harness.cli.preparation import ReadyDataset
from harness.scheduling.costs import Costs
from harness.store.database import Database, open_if_there
from harness.store.stages import StageRecord, read_stages
from harness.store.summaries import stale_reasons
from harness.study.plan import PlannedTrial, cell_trials, chosen_folds, tunes
from harness.study.spec import DatasetEntry, Study
from harness.study.variants import Row, rows

_GIB = 2**30


def plan_cells(
    study: Study, folder: Path, home: Home, ready: Sequence[ReadyDataset | None]
) -> list[PlannedCell]:
    """Return the cells of a study with their trials by state.

    Datasets whose files are not here are planned too; their trials have no keys yet.
    """
    database = open_if_there(home.database_url)
    stages = last_stages(read_stages(database, study.study)) if database else {}
    labels = _labels(study)
    cells = []
    for entry, dataset in zip(study.dataset_entries, ready, strict=True):
        if dataset is None:
            trials = len(study.chosen_seeds) * len(chosen_folds(study, entry.describe(folder).chosen_split))
            cells += [
                PlannedCell(_expected_name(entry), label, trials, note="data not here yet")
                for label in labels
            ]
            continue
        own = {row.label: _fixed_cell(row, dataset, database) for row in rows(study)}
        all_of_it = own | _tuned_cells(study, dataset, database)
        stage = stages.get(dataset.prepared.name)
        cells += [_with_stage(all_of_it[label], stage) for label in labels]
    return cells


def _with_stage(cell: PlannedCell, stage: StageRecord | None) -> PlannedCell:
    """Return a cell with what a run until decided has decided, if that was by its trials."""
    seeds = stage.seeds.get(cell.label) if stage else None
    if stage is None or seeds is None or any(each.trial.seed < seeds for each in cell.left):
        return cell
    what = "until decided" if stage.is_last else "until decided, so far"
    note = f"{what}: {stage.outcome} at look {stage.look + 1}, {seeds} seeds"
    return replace(cell, note=note + (", no more" if cell.label in stage.dropped else ""))


def _labels(study: Study) -> list[str]:
    """Return the labels of all arms, variants and the tuned one of a loss after its own."""
    return list(arm_labels(study.model_dump(mode="json")))


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
        row["hours"] = round((sum(known) + cell.search_seconds) / 3600, 2)
    if cost is not None:
        row["GiB"] = None if cost.peak_bytes is None else round(cost.peak_bytes / _GIB, 2)
        row["from"] = f"{cost.origin} ({cost.trials})" if cost.trials else cost.origin
    return row


def _expected_name(entry: DatasetEntry) -> str:
    return f"{entry.dataset}-sim" if entry.simulate else entry.dataset


def _fixed_cell(row: Row, dataset: ReadyDataset, database: Database | None) -> PlannedCell:
    planned, name = _trials(row, dataset), dataset.prepared.name
    if row.entry.transfer is not None:
        note = f"its schedule is not tuned yet in study {row.entry.transfer.from_study}"
        return PlannedCell(name, row.label, len(planned), note=note, left=tuple(planned), ready=dataset)
    done, failed, left = states_of(database, planned)
    note = _stale_note(row, planned, database) if database and planned else ""
    return PlannedCell(name, row.label, len(planned), done, failed, note, left, ready=dataset)


def _tuned_cells(study: Study, dataset: ReadyDataset, database: Database | None) -> dict[str, PlannedCell]:
    if not tunes(study):
        return {}
    from harness.cli.tuned_cells import tuned_cells

    return tuned_cells(study, dataset, database)


def _trials(row: Row, dataset: ReadyDataset) -> list[PlannedTrial]:
    return [
        trial
        for fold in chosen_folds(row.study, dataset.study_dataset.split)
        for trial in cell_trials(row.study, dataset.study_dataset, row.label, row.entry.like(), fold)
    ]


def _stale_note(row: Row, planned: list[PlannedTrial], database: Database) -> str:
    canonical = {each.trial.key: each.trial.canonical() for each in planned}
    count, changed = stale_reasons(database, row.study.study, row.label, planned[0].dataset, canonical)
    return f"{count} stale: {', '.join(changed)} changed" if count else ""
