"""Put a study, its data, the database, an executor and a progress view together, and run."""

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.cli.executors import executor_for
from harness.cli.home import Home
from harness.cli.live import Style, progress_view
from harness.cli.output import print_warning, stderr
from harness.cli.preparation import (
    ReadyDataset,
    check_augmented,
    dataset_record,
    divisions,
    prepare_study,
    split_warnings,
)
from harness.cli.searches import open_searches, with_known_schedules
from harness.data.storage import Storage
from harness.errors import InputError
from harness.metrics import METRICS
from harness.scheduling.costs import Costs
from harness.scheduling.driver import Driver, Summary
from harness.scheduling.order import ordered
from harness.scheduling.progress import Cell, cell_of
from harness.scheduling.trial_forms import STALL_MINUTES, DriverOptions, Folders, record_of
from harness.scheduling.trial_source import JoinedSources, PlanSource, TakingTurns
from harness.store.database import open_database, open_if_there
from harness.store.datasets import SplitRecord, register_dataset, register_splits
from harness.store.ownership import new_owner
from harness.store.provenance import command_line
from harness.store.runs import register_run
from harness.store.trials import Selection, TrialStore
from harness.study.plan import (
    PlannedTrial,
    check_folds,
    fixed_trials,
    schedule_warnings,
    transfer_warnings,
    tunes,
)
from harness.study.spec import Study, load_study


@dataclass(frozen=True)
class RunOptions:
    """How to run: none of it moves the numbers but the device."""

    local: bool
    workers: int | None
    device: str
    trials_per_gpu: int | Literal["auto"]
    retry_failed: bool
    slices: Storage = "auto"
    keep_models: bool = True
    address: str | None = None
    stall_minutes: float = STALL_MINUTES
    view: Style = "auto"
    only_searches: bool = False


def run_study(name: str, overrides: tuple[str, ...], home: Home, data: Path, options: RunOptions) -> Summary:
    """Train what the study still lacks, or only its searches, and return what was done."""
    if options.local and options.address:
        raise InputError("--local trains in this process and --address on a cluster; leave out one of them")
    study, folder = load_study(name, overrides)
    check_folds(study, folder)
    if options.only_searches and not tunes(study):
        raise InputError(
            f"study {study.study!r} tunes nothing; add 'tuning: {{losses: all}}', or 'alpha: tune' to a loss"
        )
    from harness.training.determinism import device_name
    from harness.training.prediction import choose_device

    on_cluster = options.address is not None and options.device == "cuda"
    device = "cuda" if on_cluster else choose_device(options.device).type
    # A database of another version, or a schedule that nobody has tuned, is refused before data is prepared.
    study = with_known_schedules(study, open_if_there(home.database_url))
    ready = prepare_study(study, folder, home, data)
    check_augmented(study, ready)
    splits = {each.prepared.fingerprint: list(divisions(study, each)) for each in ready}
    database = open_database(home.database_url, create=True)
    run_id = register_run(database, study.study, study.model_dump(mode="json"), command_line())
    store = TrialStore(database, new_owner(), run_id)
    datasets = [each.study_dataset for each in ready]
    searches = open_searches(study, datasets, database, winners=not options.only_searches)
    known = [*fixed_trials(study, datasets), *(trial for search in searches for trial in search.known)]
    study_id = _register(store, study, ready, splits, known)
    for warning in [
        *schedule_warnings(study),
        *split_warnings(ready),
        *transfer_warnings(study, datasets),
    ]:
        print_warning(warning)
    folders = Folders(
        {each.prepared.fingerprint: each.prepared.folder.resolve() for each in ready},
        home.artifacts.resolve(),
    )
    wanted = DriverOptions(
        device,
        retry_failed=options.retry_failed,
        storage=options.slices,
        keep_models=options.keep_models,
        stall_seconds=options.stall_minutes * 60,
    )
    planned = [] if options.only_searches else fixed_trials(study, datasets)
    with executor_for(options, device, folders, planned, wanted, home) as executor:
        costs = Costs.from_database(database, folders.prepared, device_name(device))
        # Searches first: otherwise the winners' trials come last and workers wait for them.
        source = JoinedSources(
            [TakingTurns(searches), PlanSource(ordered(planned, costs, executor.workers or 1))]
        )
        with progress_view(study.study, options.view, _expected(planned, costs)) as progress:
            driver = Driver(store, study_id, executor, source, folders, progress, wanted)
            with _stop_on_interrupt(driver):
                summary = driver.run()
    if options.only_searches:  # so that plan and status know of the trials that are to come
        winners = [record_of(trial) for search in searches for trial in search.known]
        store.register_trials(study_id, winners)
    return summary


def _register(
    store: TrialStore,
    study: Study,
    ready: list[ReadyDataset],
    splits: Mapping[str, Sequence[SplitRecord]],
    known: Sequence[PlannedTrial],
) -> int:
    study_id = store.register_study(study.study, study.title, study.model_dump(mode="json"))
    for each in ready:
        register_dataset(store.database, dataset_record(each.prepared))
        register_splits(store.database, each.prepared.fingerprint, splits[each.prepared.fingerprint])
    store.register_metrics(metric.facts() for metric in METRICS.values())
    records = map(record_of, known)
    store.register_trials(study_id, records, restart=True, only=Selection(study.only.seeds, study.only.folds))
    return study_id


def _expected(planned: Sequence[PlannedTrial], costs: Costs) -> dict[Cell, float]:
    """Return the expected seconds of a trial of every cell that earlier trials tell of."""
    found = {cell_of(each): costs.seconds(each) for each in planned}
    return {cell: seconds for cell, seconds in found.items() if seconds is not None}


@contextmanager
def _stop_on_interrupt(driver: Driver) -> Iterator[None]:
    """First Ctrl-C, or SIGTERM as cluster schedulers send it: finish the epochs. Second: stop now."""

    def interrupt(_signal: int, _frame: Any) -> None:
        if driver.draining:
            stderr.print("stopping now; the same command goes on from the last checkpoints")
            raise KeyboardInterrupt
        driver.draining = True
        stderr.print("finishing the running epochs; press Ctrl-C again to stop now")

    before = {each: signal.signal(each, interrupt) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
