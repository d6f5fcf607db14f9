"""The cells of a plan whose loss is tuned first."""

from collections import defaultdict
from dataclasses import dataclass, field

from optuna.storages import RDBStorage

from harness.cli.plan_cell import PlannedCell, states_of
from harness.cli.preparation import ReadyDataset
from harness.store.database import Database
from harness.study.plan import PlannedTrial
from harness.study.spec import Study
from harness.tuning.configurations import point_of
from harness.tuning.record import Spent
from harness.tuning.search_plan import SearchPlan, search_plans
from harness.tuning.storage import has_storage, open_storage

_HOUR = 3600.0


@dataclass
class _Sum:
    """A cell over the folds of its dataset."""

    trials: int = 0
    done: int = 0
    failed: int = 0
    tried: int = 0
    folds: int = 0
    folds_over: int = 0
    left: list[PlannedTrial] = field(default_factory=list)
    seconds: float = 0.0


def tuned_cells(study: Study, dataset: ReadyDataset, database: Database | None) -> dict[str, PlannedCell]:
    """Return the cells of the tuned arms on one dataset, by label; nothing is written.

    Args:
        study: The study.
        dataset: One of its datasets.
        database: Where searches may be; None if there is no database yet.
    """
    storage = open_storage(database) if database is not None and has_storage(database) else None
    sums: dict[str, _Sum] = defaultdict(_Sum)
    for plan in search_plans(study, [dataset.study_dataset]):
        _add(sums[plan.tuned.label], plan, database, storage)
    if storage is not None:
        storage.engine.dispose()
    return {
        label: PlannedCell(
            dataset.prepared.name,
            label,
            found.trials,
            found.done,
            found.failed,
            _note(study, found),
            tuple(found.left),
            found.seconds,
            dataset,
        )
        for label, found in sums.items()
    }


def _add(found: _Sum, plan: SearchPlan, database: Database | None, storage: RDBStorage | None) -> None:
    stored = None if storage is None else plan.stored(storage)
    best = stored.best() if stored is not None and stored.is_over() else None
    # Any point costs the same, up to what a parameter makes of a loss.
    point = plan.some_point() if best is None else point_of(best)
    winners = plan.winner_trials(point)
    found.folds += 1
    found.trials += len(winners)
    if best is not None:
        done, failed, left = states_of(database, winners)
        found.folds_over, found.done, found.failed = (
            found.folds_over + 1,
            found.done + done,
            found.failed + failed,
        )
        found.tried += len(stored.counted()) if stored is not None else 0
        found.left += left
        return
    tried = [] if stored is None else [each for each in stored.counted() if each.state.is_finished()]
    running = 0 if stored is None else len(stored.running())
    found.tried += len(tried)
    hours = plan.study.tuning.hours
    if hours is None:
        to_ask = plan.study.tuning.configurations or 0 if stored is None else stored.left()
        found.left += plan.configuration_trials(point) * (to_ask + running)
    else:
        spent = 0.0 if stored is None else sum(Spent.of(each.user_attrs).seconds for each in tried)
        found.seconds += max(0.0, hours * _HOUR - spent)
    found.left += winners


def _note(study: Study, found: _Sum) -> str:
    if found.folds_over == found.folds:
        return f"tuned over {found.tried} configurations"
    tuning = study.tuning
    if tuning.hours is not None:
        budget = f"{tuning.hours * found.folds:g} h of tuning"
    else:
        budget = f"tuning {(tuning.configurations or 0) * found.folds} configurations"
    return f"after {budget}" + (f", {found.tried} of them done" if found.tried else "")
