"""Put a study, its data, the database, an executor and a progress view together, and run."""

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.answering.until_decided import UntilDecided
from harness.cli.deciding import most_seeds, open_stages, other_looks, with_seeds
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
from harness.scheduling.trial_source import JoinedSources, PlanSource, TakingTurns, TrialSource
from harness.store.database import Database, open_database, open_if_there
from harness.store.datasets import SplitRecord, register_dataset, register_splits
from harness.store.ownership import new_owner
from harness.store.provenance import command_line
from harness.store.runs import register_run
from harness.store.stages import StageRecord
from harness.store.trials import Selection, TrialStore
from harness.study.plan import (
    PlannedTrial,
    StudyDataset,
    check_folds,
    fixed_trials,
    schedule_warnings,
    transfer_warnings,
    tunes,
)
from harness.study.spec import Study, load_study

if TYPE_CHECKING:
    from harness.tuning.search import Search


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
    until_decided: bool = False
    max_seeds: int | None = None


@dataclass(frozen=True)
class RunResult:
    """What a run did.

    Attributes:
        summary: In trials.
        stages: The last look at every dataset, if the study was run until decided.
        held_up: Datasets whose next look waits for failed trials.
    """

    summary: Summary
    stages: tuple[StageRecord, ...] = ()
    held_up: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Work:
    """What gives out trials.

    Attributes:
        searches: Of tuned losses.
        stages: Of datasets that are run until decided.
        fixed: Trials that need neither.
        only_searches: Whether nothing else is trained now.
    """

    searches: Sequence["Search"]
    stages: Sequence[UntilDecided]
    fixed: Sequence[PlannedTrial]
    only_searches: bool

    @property
    def known(self) -> list[PlannedTrial]:
        """All trials that are known by now."""
        sources: list[Search | UntilDecided] = [*self.searches, *self.stages]
        return [*self.fixed, *(trial for each in sources for trial in each.known)]

    @property
    def planned(self) -> list[PlannedTrial]:
        """Those that are trained now and do not come from searches."""
        fixed = () if self.only_searches else self.fixed
        return [*fixed, *(trial for each in self.stages for trial in each.known)]

    def source(self, order: Callable[[Sequence[PlannedTrial]], list[PlannedTrial]]) -> TrialSource:
        """Return all as one; searches first: otherwise the winners' trials come last and workers wait."""
        plan = PlanSource(order(() if self.only_searches else self.fixed))
        return JoinedSources([TakingTurns(self.searches), TakingTurns(self.stages), plan])


def run_study(
    name: str, overrides: tuple[str, ...], home: Home, data: Path, options: RunOptions
) -> RunResult:
    """Train what the study still lacks, or what decides it, or only its searches."""
    study, folder, most = _load(name, overrides, options)
    from harness.training.prediction import choose_device

    on_cluster = options.address is not None and options.device == "cuda"
    device = "cuda" if on_cluster else choose_device(options.device).type
    # A database of another version, or a schedule that nobody has tuned, is refused before data is prepared.
    study = with_known_schedules(study, open_if_there(home.database_url))
    ready = prepare_study(study, folder, home, data)
    check_augmented(study, ready)
    wide = with_seeds(study, most)
    splits = {each.prepared.fingerprint: list(divisions(wide, each)) for each in ready}
    database = open_database(home.database_url, create=True)
    run_id = register_run(database, study.study, study.model_dump(mode="json"), command_line())
    store = TrialStore(database, new_owner(), run_id)
    for warning in _warnings(study, ready, most, database, options):
        print_warning(warning)
    work = _open(study, [each.study_dataset for each in ready], database, most, options)
    study_id = _register(store, study, ready, splits, work.known)
    folders = Folders(
        {each.prepared.fingerprint: each.prepared.folder.resolve() for each in ready},
        home.artifacts.resolve(),
    )
    summary = _train(
        work, store, (study_id, study.study), folders, _driver_options(device, options), options, home
    )
    if options.only_searches:  # so that plan and status know of the trials that are to come
        store.register_trials(study_id, map(record_of, work.known))
    return RunResult(
        summary,
        tuple(each.stages[-1] for each in work.stages if each.stages),
        tuple(each.question.dataset for each in work.stages if each.is_held_up),
    )


def _load(name: str, overrides: tuple[str, ...], options: RunOptions) -> tuple[Study, Path, int]:
    """Return a study that can be run so, its folder, and how many seeds a loss may get."""
    if options.local and options.address:
        raise InputError("--local trains in this process and --address on a cluster; leave out one of them")
    study, folder = load_study(name, overrides)
    check_folds(study, folder)
    if options.only_searches and not tunes(study):
        raise InputError(
            f"study {study.study!r} tunes nothing; add 'tuning: {{losses: all}}', or 'alpha: tune' to a loss"
        )
    return study, folder, _most_seeds(study, options)


def _open(
    study: Study, datasets: list[StudyDataset], database: Database, most: int, options: RunOptions
) -> _Work:
    winners = not (options.only_searches or options.until_decided)
    searches = open_searches(with_seeds(study, most), datasets, database, winners=winners)
    if options.until_decided:
        return _Work(searches, open_stages(study, datasets, database, searches, most), (), False)
    return _Work(searches, (), fixed_trials(study, datasets), options.only_searches)


def _driver_options(device: str, options: RunOptions) -> DriverOptions:
    return DriverOptions(
        device,
        retry_failed=options.retry_failed,
        storage=options.slices,
        keep_models=options.keep_models,
        stall_seconds=options.stall_minutes * 60,
    )


def _train(
    work: _Work,
    store: TrialStore,
    study: tuple[int, str],
    folders: Folders,
    wanted: DriverOptions,
    options: RunOptions,
    home: Home,
) -> Summary:
    """Run the driver over all work; ``study`` is its id and name."""
    from harness.training.determinism import device_name

    planned = work.planned
    with executor_for(options, wanted.device, folders, planned, wanted, home) as executor:
        costs = Costs.from_database(store.database, folders.prepared, device_name(wanted.device))
        order = partial(ordered, costs=costs, workers=executor.workers or 1)
        with progress_view(study[1], options.view, _expected(planned, costs)) as progress:
            for each in work.stages:
                each.ways = replace(each.ways, order=order, tell=progress.note)
            driver = Driver(store, study[0], executor, work.source(order), folders, progress, wanted)
            with _stop_on_interrupt(driver):
                return driver.run()


def _most_seeds(study: Study, options: RunOptions) -> int:
    """Return how many seeds a loss may get."""
    if options.until_decided:
        return most_seeds(study, options.max_seeds)
    if options.max_seeds is not None:
        raise InputError("--max-seeds goes with --until-decided; a plain run trains the study's own 'seeds'")
    return study.seeds


def _warnings(
    study: Study, ready: Sequence[ReadyDataset], most: int, database: Database, options: RunOptions
) -> list[str]:
    return [
        *schedule_warnings(study),
        *split_warnings(ready),
        *transfer_warnings(study, [each.study_dataset for each in ready]),
        *(other_looks(study, most, database) if options.until_decided else ()),
    ]


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
