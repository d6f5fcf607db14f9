"""The pool: which worker gets a job, and what it does when one is stopped, abandoned or dies."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.scheduling.cluster.pool import PoolOptions, RayExecutor
from harness.scheduling.executor import Failure, Happening, Said, Stopped
from harness.training.job import EpochRecord, Finished, Started
from tests.scheduling.entries import Job


def heard(pool: RayExecutor, *keys: str, until: type = Finished) -> dict[str, list[Happening]]:
    """Wait until each job has told something of a kind, and return all that they told."""
    found: dict[str, list[Happening]] = {key: [] for key in keys}
    while not all(any(isinstance(each, until) for each in told) for told in found.values()):
        for key, happening in pool.wait(5.0):
            found[key].append(happening)
    return found


def process_of(told: list[Happening]) -> str:
    [started] = [each for each in told if isinstance(each, Started)]
    return started.numerics["process"]


@pytest.fixture(scope="module")
def pool() -> Iterator[RayExecutor]:
    found = RayExecutor(PoolOptions(workers=2, entry="tests.scheduling.entries:run"))
    found.warm_up()
    yield found
    found.close()


def submit(pool: RayExecutor, *jobs: Job) -> None:
    for job in jobs:
        pool.submit(job)  # type: ignore[arg-type]


def test_a_worker_is_given_the_dataset_that_it_had(pool: RayExecutor) -> None:
    a, b = Path("a"), Path("b")
    submit(pool, Job("1", a), Job("2", b))
    first = heard(pool, "1", "2")
    submit(pool, Job("3", b), Job("4", a))
    second = heard(pool, "3", "4")
    assert process_of(first["1"]) == process_of(second["4"])
    assert process_of(first["2"]) == process_of(second["3"])
    assert process_of(first["1"]) != process_of(first["2"])


def test_a_worker_tells_who_it_is_and_every_event_in_order(pool: RayExecutor) -> None:
    submit(pool, Job("5", epochs=3))
    told = heard(pool, "5")["5"]
    assert isinstance(told[0], Said)
    assert f"worker process {process_of(told)} on " in told[0].text
    assert [each.epoch for each in told if isinstance(each, EpochRecord)] == [0, 1, 2]
    assert pool.free == 2


def test_an_abandoned_job_is_not_heard_of_again_and_its_worker_is_replaced(pool: RayExecutor) -> None:
    submit(pool, Job("6", epochs=1000, seconds=0.05))
    before = process_of(heard(pool, "6", until=EpochRecord)["6"])
    pool.abandon("6")
    pool.warm_up()
    submit(pool, Job("7"), Job("8"))
    after = heard(pool, "7", "8")
    assert before not in {process_of(told) for told in after.values()}


def test_a_stopped_job_ends_after_its_epoch(pool: RayExecutor) -> None:
    submit(pool, Job("9", epochs=1000, seconds=0.05))
    heard(pool, "9", until=EpochRecord)
    pool.stop()
    told = heard(pool, "9", until=Stopped)["9"]
    assert len(told) < 100
    assert pool.free == 2


def test_a_judged_job_trains_no_epoch_before_the_answer_to_the_last_one(pool: RayExecutor) -> None:
    for key, answers in (("12", [True, True, False]), ("13", [False])):
        submit(pool, Job(key, epochs=1000, judged=True))
        told = heard(pool, key, until=EpochRecord)[key]
        for number, answer in enumerate(answers):
            assert [each.epoch for each in told if isinstance(each, EpochRecord)] == [number]
            assert pool.wait(0.2) == []
            pool.answer(key, answer)
            told = heard(pool, key, until=EpochRecord if answer else Finished)[key]
        [finished] = [each for each in told if isinstance(each, Finished)]
        assert (finished.state, len(finished.epochs)) == ("pruned", len(answers))
    assert pool.free == 2


def test_a_judged_job_that_shall_stop_does_so_after_the_answer(pool: RayExecutor) -> None:
    submit(pool, Job("14", epochs=1000, judged=True))
    heard(pool, "14", until=EpochRecord)
    pool.stop()
    pool.answer("14", True)
    assert heard(pool, "14", until=Stopped)["14"] == [Stopped()]
    assert pool.free == 2


def test_a_worker_that_dies_is_a_crash_and_another_takes_its_place(pool: RayExecutor) -> None:
    submit(pool, Job("10", act="die"))
    [*_, failure] = heard(pool, "10", until=Failure)["10"]
    assert isinstance(failure, Failure)
    assert failure.kind == "crash"
    assert "the worker process died" in failure.reason
    pool.warm_up()
    assert pool.free == 2


def test_what_code_prints_and_raises_comes_back_and_the_worker_goes_on(pool: RayExecutor) -> None:
    submit(pool, Job("11", act="speak"))
    told = heard(pool, "11", until=Failure)["11"]
    failure = told[-1]
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.reason) == ("error", "ValueError: labels are upside down")
    assert 'raise ValueError("labels are upside down")' in failure.traceback
    said = [each.text for each in told if isinstance(each, Said)]
    assert said[1:] == ["reading volumes\n", "half way\n"]
    assert pool.free == 2
