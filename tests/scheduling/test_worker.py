"""What a job says and raises, and how it is told apart."""

import errno
import logging
import sys
import threading
import time
from dataclasses import replace

import pytest

from harness.scheduling.executor import Failure, Said, Stopped
from harness.scheduling.failures import failure_of
from harness.scheduling.orders import Orders
from harness.scheduling.worker import MOST_CHARACTERS, run_job
from harness.training.job import EpochRecord, Finished, Started

EPOCH = EpochRecord(0, 0.5, 0.6, 1e-3, None, None, 1.0)


def go_on():
    return False


def chatty(job):
    sys.stdout.write("to stdout\n")
    logging.getLogger("harness.somewhere").info("of ours")
    logging.getLogger("noisy.library").info("not worth a line")
    logging.getLogger("noisy.library").warning("worth one")
    yield Started({}, 0)
    sys.stderr.write("x" * (MOST_CHARACTERS + 5))
    yield EPOCH


def test_what_a_job_prints_and_logs_is_told_before_the_event_that_followed(capsys, caplog):
    caplog.set_level(logging.INFO)
    first, started, second, epoch = run_job(None, chatty, go_on)
    assert first == Said("to stdout\nINFO harness.somewhere: of ours\nWARNING noisy.library: worth one\n")
    assert isinstance(started, Started)
    assert epoch == EPOCH
    assert second.text.endswith("[5 characters more are left out]\n")
    assert capsys.readouterr().out == ""


def test_words_of_others_between_two_events_are_not_taken_for_its_own(capsys):
    events = run_job(None, chatty, go_on)
    next(events), next(events)
    sys.stdout.write("the driver's own words\n")
    assert "driver" not in next(events).text
    assert capsys.readouterr().out == "the driver's own words\n"


def test_a_job_that_shall_stop_is_closed_after_the_event():
    closed = []

    def train(job):
        try:
            while True:
                yield EPOCH
        finally:
            closed.append(True)

    assert list(run_job(None, train, lambda: True)) == [EPOCH, Stopped()]
    assert closed


def judged(job):
    """Three epochs, the second the best; a closed one leaves a checkpoint, as the trainer does."""
    yield Started({"device": "x86_64", "threads": "1"}, 0)
    try:
        for number, dsc in enumerate((0.2, 0.6, 0.4)):
            yield replace(EPOCH, epoch=number, val_dsc=dsc)
    except GeneratorExit:
        job.append("checkpoint")
        raise


def test_a_judged_job_that_is_ended_tells_how_far_it_came_and_leaves_no_checkpoint():
    answers, left = iter([True, True, False]), []
    *_, told = run_job(left, judged, go_on, goes_on=lambda: next(answers))
    assert (told.state, told.best_epoch, told.best_val_dsc) == ("pruned", 1, 0.6)
    assert [record.epoch for record in told.epochs] == [0, 1, 2]
    assert (told.scores, told.artifacts, told.numerics) == ((), {}, "x86_64, 1 thread")
    assert told.seconds >= 3.0
    assert left == []


@pytest.mark.parametrize(
    ("answer", "kind", "expected"), [(True, Stopped, ["checkpoint"]), (False, Finished, [])]
)
def test_a_judged_job_that_shall_stop_is_asked_first(answer, kind, expected):
    left, asked = [], []
    events = run_job(left, judged, lambda: bool(asked), goes_on=lambda: asked.append(1) or answer)
    assert [type(each) for each in events] == [Started, EpochRecord, kind]
    assert left == expected


def test_an_answer_reaches_the_job_that_waits_for_it():
    orders, found = Orders(), []
    thread = threading.Thread(target=lambda: found.extend(orders.goes_on() for _ in range(2)))
    thread.start()
    orders.answer(True)
    while len(found) < 1:
        time.sleep(0.001)
    orders.answer(False)
    thread.join(10.0)
    assert found == [True, False]


def test_a_job_that_shall_stop_waits_for_ever_for_no_answer():
    orders = Orders(patience=0.05)
    threading.Timer(0.05, orders.stop).start()
    assert orders.goes_on()
    assert orders.stopping()


def raising(error, cause=None):
    def train(job):
        yield EPOCH
        raise error from cause

    return train


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("error", "cause", "kind"),
    [
        (ValueError("no"), None, "error"),
        (MemoryError(), None, "memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), None, "memory"),
        (FULL, None, "disk"),
        (RuntimeError("unexpected pos 64 vs 0"), FULL, "disk"),
        (OSError(errno.EACCES, "Permission denied"), None, "error"),
    ],
)
def test_failures_are_told_apart_by_their_cause(error, cause, kind):
    import torch  # noqa: F401  (its way of refusing memory is known only where it is loaded)

    [_, failure] = run_job(None, raising(error, cause), go_on)
    assert isinstance(failure, Failure)
    assert failure.kind == kind
    assert "Traceback" in failure.traceback


def test_a_reason_is_one_line():
    assert failure_of(ValueError("first\nsecond")).reason == "ValueError: first"
    assert failure_of(KeyError()).reason == "KeyError"
