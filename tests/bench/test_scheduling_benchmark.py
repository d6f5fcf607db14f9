"""The benchmark of scheduling at tiny size: what is run and checked, never how long it took."""

import subprocess
import sys
from dataclasses import replace

import pytest
from sqlalchemy import update

from harness.bench import BenchOptions, run_benchmark, scheduling
from harness.bench.made_up_trials import EPOCHS, Errand, errand, number_of, numbered
from harness.bench.measure import Settings
from harness.bench.scheduling import Scheduling, pool
from harness.bench.scheduling_plan import plan
from harness.bench.scheduling_runs import Driven, MadeUpStudy, TunedTrials, refuse_torch
from harness.bench.scheduling_soak import Chaos, Soaked, soak, wrong_trials
from harness.bench.store_runs import fresh_file
from harness.scheduling.trial_forms import DriverOptions, Folders, job_of, outcome_of, record_of
from harness.store.schema import ScoreRow
from harness.store.trials import TrialStore
from harness.training.job import EpochRecord, Finished, Started

QUICK = Settings(rounds=1, sample_seconds=1e-6, retries=0)
WHOLE = Soaked(Driven(10, 1.0, 0.5, 100, 20), kills=2, retries=2, attempts=12, lost=0, double=0, wrong=0)


def measured(name, size=4):
    (row,) = run_benchmark("scheduling", BenchOptions(only=(name,), size=size, settings=QUICK))
    return row


def test_rows_are_those_of_the_documentation():
    assert Scheduling(BenchOptions()).names() == [
        "dispatch",
        *("overhead 1 s", "overhead 10 s"),
        *("scaling 1", "scaling 2", "scaling 4", "scaling 8", "scaling 64"),
        *("plan", "soak"),
    ]


@pytest.mark.parametrize(
    "asked", ["import harness.bench.made_up_trials", "import pickle; pickle.loads(bytes.fromhex('{}'))"]
)
def test_what_a_made_up_trial_needs_imports_no_torch(asked):
    import pickle

    code = asked.format(pickle.dumps(Errand("k", 0.0)).hex())
    done = subprocess.run([sys.executable, "-c", f"{code}; import sys; print('torch' in sys.modules)"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout == "False\n"


def test_dispatch_is_timed_against_a_limit_and_tells_what_the_database_is_asked():
    row = measured("dispatch")
    assert not row.error
    assert row.targets == {"limit": 1.0}
    assert "4 trials" in row.note
    assert "statements and" in row.note


def test_a_worker_that_has_imported_torch_is_an_error():
    started = Started({}, 0, {"torch imported": "yes"})
    with pytest.raises(RuntimeError, match="a worker has imported torch"):
        refuse_torch(("key", started))


@pytest.mark.full
@pytest.mark.parametrize("name", ["scaling 1", "scaling 4"])
def test_scaling_is_timed_against_one_worker(name):
    row = measured(name)
    assert not row.error
    assert set(row.targets) == {"1 worker"}
    assert "efficiency" in row.note


@pytest.mark.full
@pytest.mark.timeout(600)
def test_overhead_is_timed_against_ray_tune_in_the_same_run():
    row = measured("overhead 1 s")
    assert not row.error
    assert {"ideal", "Ray Tune", "Tune, actors reused"} == set(row.comparison.against)
    assert row.targets == {"ideal": 1.05}


def test_a_missing_result_of_ray_tune_is_an_error(monkeypatch):
    class Results(list):
        errors = ()

    monkeypatch.setattr("ray.tune.Tuner.fit", lambda self: Results())
    with pytest.raises(RuntimeError, match="Ray Tune gave 0 results of 2"):
        TunedTrials(slots=2, trials=2, seconds=0.0, reuse_actors=True)()


def test_a_made_up_study_has_as_many_different_trials_as_asked_for():
    trials = MadeUpStudy(30, losses=3, datasets=2, folds=5).plan()
    assert len({planned.trial.key for planned in trials}) == 30
    assert {planned.trial.fold for planned in trials} == set(range(5))
    assert len({(planned.dataset, planned.label) for planned in trials}) == 6


def test_planning_is_timed_in_steps_and_weighed():
    found = plan(MadeUpStudy(20), traced=True)
    assert set(found.parts) == {"plan", "register", "look up"}
    assert 0 < found.kept <= found.peak


@pytest.mark.full
def test_plan_has_a_limit_of_time_and_one_of_memory():
    row = measured("plan", size=2)
    assert not row.error
    assert row.targets == {"limit": 1.0, "memory limit": 1.0}
    assert "20 trials" in row.note


def test_a_trial_with_numbers_gives_those_of_its_key():
    started, *curve, finished = numbered(Errand("k", 0.0))
    assert isinstance(started, Started)
    assert [(type(point), point.val_dsc) for point in curve] == [
        (EpochRecord, number_of("k", epoch)) for epoch in range(EPOCHS)
    ]
    assert isinstance(finished, Finished)
    assert {score.value for score in finished.scores} == {number_of("k", EPOCHS)}
    assert len({number_of(key, index) for key in "kl" for index in range(EPOCHS + 1)}) == 2 * (EPOCHS + 1)


def test_an_errand_says_how_long_its_trial_lasts(tmp_path):
    (planned,) = MadeUpStudy(1).plan()
    job = job_of(planned, Folders({planned.trial.fingerprint: tmp_path}, tmp_path), DriverOptions())
    assert errand(replace(job, model_options={"seconds": 0.5})) == Errand(planned.trial.key, 0.5)


def test_a_changed_number_is_found(tmp_path):
    made_up = MadeUpStudy(2)
    with fresh_file(tmp_path, "results.db") as database:
        store = TrialStore(database, "test")
        store.register_trials(made_up.register(store), map(record_of, made_up.plan()))
        keys = [planned.trial.key for planned in made_up.plan()]
        assert wrong_trials(database, keys) == 2
        store.claim(keys)
        for key in keys:
            *_, finished = numbered(Errand(key, 0.0))
            store.finish(key, outcome_of(finished, tmp_path, {}))
        assert wrong_trials(database, keys) == 0
        with database.write() as connection:
            connection.execute(update(ScoreRow).where(ScoreRow.trial_id == 1).values(value=0.5))
        assert wrong_trials(database, keys) == 1


def killed(trials, kills, every, folder):
    with pool("numbered", 3) as workers:
        workers.warm_up()
        return soak(workers, MadeUpStudy(trials), 0.1, Chaos(kills, every), folder)


def test_nothing_is_lost_or_done_twice_when_workers_are_killed(tmp_path):
    found = killed(60, kills=4, every=0.3, folder=tmp_path)
    assert (found.lost, found.double, found.wrong, found.faults) == (0, 0, 0, 0)
    assert found.kills > 0
    assert found.attempts == 60 + found.retries


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_nothing_of_two_thousand_trials_is_lost_when_workers_are_killed(tmp_path):
    found = killed(2000, kills=60, every=1.0, folder=tmp_path)
    assert (found.lost, found.double, found.wrong, found.faults) == (0, 0, 0, 0)
    assert found.kills > 20
    assert found.attempts == 2000 + found.retries


@pytest.mark.parametrize("fault", [{"lost": 1}, {"double": 1}, {"wrong": 1}, {"attempts": 11}])
def test_a_soak_with_a_fault_is_an_error(monkeypatch, fault):
    assert WHOLE.faults == 0
    found = replace(WHOLE, **fault)
    assert found.faults == 1
    monkeypatch.setattr(scheduling, "soak", lambda *_: found)
    monkeypatch.setattr(scheduling.RayExecutor, "__init__", lambda self, options: None)
    monkeypatch.setattr(scheduling.RayExecutor, "warm_up", lambda self: None)
    monkeypatch.setattr(scheduling.RayExecutor, "close", lambda self: None)
    assert measured("soak").error.startswith("10 trials on ")
