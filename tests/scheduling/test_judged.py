"""Trials that their search may end early: to the epoch, once, and whoever else wants them."""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import select

from harness.data.splits import HoldoutSplit
from harness.metrics import METRICS
from harness.scheduling.cluster.pool import PoolOptions, RayExecutor
from harness.scheduling.driver import Driver
from harness.scheduling.inline import InlineExecutor
from harness.scheduling.progress import Progress, cell_of
from harness.scheduling.trial_forms import Folders
from harness.scheduling.trial_source import JoinedSources, PlanSource, TrialResult
from harness.store.artifacts import folder_of
from harness.store.database import open_database
from harness.store.datasets import DatasetRecord, register_dataset
from harness.store.integrity import faults
from harness.store.ownership import new_owner
from harness.store.schema import EpochRow, TrialRow
from harness.store.spending import Spending, spending
from harness.store.trials import TrialStore
from harness.strict_yaml import read, validate
from harness.study.plan import StudyDataset, fixed_trials
from harness.study.spec import Study
from tests.scheduling.entries import TRAINED, curve, val_dsc

EPOCHS = 6
STUDY = f"""\
study: demo
datasets: [msd_hippocampus]
seeds: 4
protocol: {{epochs: {EPOCHS}, batch_size: 4}}
model: {{name: unet2d, base_channels: 4, depth: 2}}
losses: [{{label: CE, loss: ce}}]
"""


class Search:
    """Gives trials out and ends each after an epoch; None: after none."""

    def __init__(self, trials, last_epoch=None):
        self._left = deque(trials)
        self.last_epoch = last_epoch
        self.cells = Counter(map(cell_of, self._left))
        self.told = {}
        self.results = {}

    @property
    def expected(self):
        return sum(self.cells.values())

    @property
    def exhausted(self):
        return not self._left

    def take(self):
        return self._left.popleft() if self._left else None

    def judges(self, planned):
        return True

    def goes_on(self, planned, epoch, val_dsc):
        self.told.setdefault(planned.trial.key, []).append((epoch, val_dsc))
        return self.last_epoch is None or epoch < self.last_epoch

    def report(self, planned, result):
        self.results[planned.trial.key] = result

    def learns(self, planned):
        return True


@pytest.fixture
def database(tmp_path):
    database = open_database(f"sqlite:///{tmp_path / 'results.db'}", create=True)
    yield database
    database.close()


@pytest.fixture
def trials(prepared_discs):
    study = validate(Study, read(STUDY, "demo.yaml"), "demo.yaml")
    dataset = StudyDataset("discs", prepared_discs.fingerprint, HoldoutSplit(test=2, validation=2))
    planned = fixed_trials(study, [dataset])
    return [replace(each, trial=each.trial.model_copy(update={"purpose": "search"})) for each in planned]


@pytest.fixture
def drive(database, prepared_discs, tmp_path):
    """Run a driver over a source and return its summary."""

    def run(source, executor=None, progress=None):
        store = TrialStore(database, new_owner())
        study_id = store.register_study("demo", "", {})
        record = DatasetRecord(prepared_discs.fingerprint, "discs", "", ("background", "disc"), ())
        register_dataset(database, record)
        store.register_metrics(metric.facts() for metric in METRICS.values())
        folders = Folders({prepared_discs.fingerprint: prepared_discs.folder}, tmp_path / "artifacts")
        driver = Driver(
            store, study_id, executor or InlineExecutor(curve), source, folders, progress or Progress()
        )
        if progress is not None:
            progress.driver = driver
        return driver.run()

    return run


@pytest.fixture
def begun(tmp_path):
    """Return the epochs of a trial that were begun, in all attempts."""

    def read_of(planned):
        file = tmp_path / "artifacts" / folder_of(planned.trial.key) / TRAINED
        return list(map(int, file.read_text().split())) if file.exists() else []

    return read_of


def stored(database):
    with database.read() as connection:
        trials = {row.key: row for row in connection.execute(select(TrialRow))}
        epochs = connection.execute(select(TrialRow.key, EpochRow.epoch).join(EpochRow)).all()
    return trials, Counter(row.key for row in epochs)


@pytest.fixture(params=["inline", pytest.param("ray", marks=pytest.mark.full)])
def executor(request) -> Iterator[object]:
    if request.param == "inline":
        yield InlineExecutor(curve)
        return
    pool = RayExecutor(PoolOptions(workers=2, entry="tests.scheduling.entries:curve"))
    yield pool
    pool.close()


def test_a_trial_trains_as_many_epochs_as_its_search_wants_and_no_more(
    drive, database, trials, begun, executor
):
    search = Search(trials, last_epoch=3)
    summary = drive(search, executor)
    assert (summary.trained, summary.failed, summary.left) == (len(trials), 0, 0)
    rows, epochs = stored(database)
    for planned in trials:
        row = rows[planned.trial.key]
        assert begun(planned) == [0, 1, 2, 3]
        assert search.told[row.key] == [(epoch, val_dsc(epoch)) for epoch in range(4)]
        assert search.results[row.key] == TrialResult("pruned", val_dsc(3))
        assert (row.state, row.collapsed, row.best_epoch, row.best_val_dsc) == ("pruned", None, 3, val_dsc(3))
        assert (row.reason, row.reason_epoch) == (f"ended after epoch 4 of {EPOCHS} by its search", 3)
        assert row.finished is not None
        assert row.seconds >= 4 * 0.5
        assert epochs[row.key] == 4
    assert set(spending(database, rows)) == set(rows)
    assert {found.epochs for found in spending(database, rows).values()} == {4}
    assert [line for line in faults(database) if "has no learning curve" in line] == []


def test_a_verdict_after_the_last_epoch_is_told_and_changes_nothing(drive, database, trials):
    search = Search(trials[:1], last_epoch=EPOCHS - 1)
    drive(search)
    [row] = stored(database)[0].values()
    assert row.state == "done"
    assert [epoch for epoch, _ in search.told[row.key]] == list(range(EPOCHS))


def test_what_was_pruned_before_the_search_was_told_is_not_trained_again(drive, database, trials, begun):
    class Killed(Search):
        def report(self, planned, result):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drive(Killed(trials[:1], last_epoch=1))
    search = Search(trials[:1], last_epoch=1)
    summary = drive(search)
    assert (summary.trained, summary.reused) == (0, 1)
    assert begun(trials[0]) == [0, 1]
    assert search.told == {}
    assert search.results == {trials[0].trial.key: TrialResult("pruned", val_dsc(1))}


def test_a_plan_trains_a_pruned_trial_to_its_end_and_the_search_then_has_a_result(
    drive, database, trials, begun
):
    drive(Search(trials[:1], last_epoch=1))
    assert drive(PlanSource(trials[:1])).trained == 1
    assert begun(trials[0]) == [0, 1, *range(EPOCHS)]
    rows, epochs = stored(database)
    [row] = rows.values()
    assert (row.state, row.attempts, epochs[row.key], row.reason) == ("done", 2, EPOCHS, None)
    search = Search(trials[:1], last_epoch=1)
    assert drive(search).reused == 1
    assert search.results[row.key].state == "done"


def test_a_trial_goes_on_while_any_place_wants_it_to_and_all_hear_of_it(drive, database, trials, begun):
    short = Search(trials[:1], last_epoch=1)
    long = Search([replace(trials[0], label="another")], last_epoch=3)
    assert drive(JoinedSources([short, long]), Roomy(curve)).trained == 2
    assert begun(trials[0]) == [0, 1, 2, 3]
    key = trials[0].trial.key
    assert short.told == long.told
    assert short.results[key] == long.results[key] == TrialResult("pruned", val_dsc(3))


@pytest.mark.parametrize("plan_first", [False, True])
def test_a_trial_that_a_plan_wants_too_is_trained_to_its_end(drive, trials, begun, plan_first):
    search, plan = Search(trials[:1], last_epoch=1), PlanSource([replace(trials[0], label="another")])
    sources = [plan, search] if plan_first else [search, plan]
    assert drive(JoinedSources(sources), Roomy(curve)).left == 0
    assert begun(trials[0]) == list(range(EPOCHS))
    assert search.results[trials[0].trial.key].state == "done"


def test_a_search_that_joins_a_running_trial_hears_of_the_epochs_before(drive, trials, begun):
    class Late(Search):
        def take(self):
            return super().take() if len(begun(trials[0])) == 3 else None

    first = Search(trials[:1], last_epoch=4)
    late = Late([replace(trials[0], label="another")], last_epoch=1)
    assert drive(JoinedSources([first, late]), Roomy(curve)).left == 0
    assert begun(trials[0]) == [0, 1, 2, 3, 4]
    assert late.told == first.told


def test_a_plan_that_joins_a_trial_when_it_was_ended_gets_it_trained_to_its_end(drive, trials, begun):
    class Late(PlanSource):
        def take(self):
            return super().take() if begun(trials[0]) == [0, 1] else None

    search, plan = Search(trials[:1], last_epoch=1), Late([replace(trials[0], label="another")])
    assert drive(JoinedSources([search, plan]), Roomy(curve)).left == 0
    assert begun(trials[0]) == [0, 1, *range(EPOCHS)]
    assert search.results[trials[0].trial.key].state == "pruned"


class Roomy(InlineExecutor):
    """Has a place more than it needs, so that the driver looks for trials while one runs."""

    @property
    def free(self):
        return 1 + super().free


class DrainAfter(Progress):
    """Sets the driver to stop after an epoch."""

    def __init__(self, epoch):
        self.last = epoch

    def epoch(self, planned, record):
        self.driver.draining |= record.epoch == self.last


def test_an_interrupted_trial_goes_on_and_its_epochs_are_told_once(drive, database, trials, tmp_path):
    key, folder = trials[0].trial.key, tmp_path / "artifacts" / folder_of(trials[0].trial.key)
    first, second = Search(trials[:1], last_epoch=3), Search(trials[:1], last_epoch=3)
    assert drive(first, InlineExecutor(), DrainAfter(1)).left == 1
    assert (folder / "checkpoint.pt").exists()
    assert spending(database, [key])[key].epochs == 2
    drive(second, InlineExecutor())
    assert [epoch for epoch, _ in first.told[key]] == [0, 1]
    assert [epoch for epoch, _ in second.told[key]] == [2, 3]
    rows, epochs = stored(database)
    assert (rows[key].state, epochs[key]) == ("pruned", 4)
    assert rows[key].best_val_dsc == max(dsc for _, dsc in first.told[key] + second.told[key])
    assert "from epoch" not in rows[key].numerics
    assert [path.name for path in folder.iterdir()] == ["log.txt"]


def test_an_epoch_that_its_driver_did_not_write_in_time_is_in_the_curve(drive, database, trials):
    key = trials[0].trial.key
    drive(Search(trials[:1], last_epoch=3), InlineExecutor(), DrainAfter(1))
    with database.write() as connection:  # as a driver that is killed between two heartbeats leaves it
        connection.exec_driver_sql("DELETE FROM epoch_score")
        connection.exec_driver_sql("DELETE FROM epoch")
    drive(Search(trials[:1], last_epoch=3), InlineExecutor())
    assert stored(database)[1][key] == 4


def test_a_trial_that_is_ended_and_stopped_at_once_is_ended(drive, database, trials):
    search = Search(trials[:1], last_epoch=1)
    assert drive(search, progress=DrainAfter(1)).left == 0
    assert search.results[trials[0].trial.key].state == "pruned"


def test_a_search_that_learns_how_many_trials_there_are_is_counted_anew(drive, trials):
    class Thrifty(Search):
        def report(self, planned, result):
            super().report(planned, result)
            self._left.clear()  # the budget is spent
            self.cells = Counter({cell_of(planned): len(self.results)})

    class Heard(Progress):
        def __init__(self):
            self.numbers = []

        def begin(self, cells, workers):
            self.numbers.append(sum(cells.values()))

        def cells(self, cells):
            self.numbers.append(sum(cells.values()))

    heard = Heard()
    summary = drive(Thrifty(trials, last_epoch=0), progress=heard)
    assert (summary.trained, summary.left) == (1, 0)
    assert heard.numbers == [len(trials), 1]


def test_a_trial_that_never_ran_has_cost_nothing(database):
    assert spending(database, ["nobody"]) == {"nobody": Spending(0, 0.0)}
