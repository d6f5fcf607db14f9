"""Measure a short piece of a training, to say what the whole will cost.

Nothing is written: no checkpoint, no prediction. The parts are those of the trainer itself.
"""

import math
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count, islice
from multiprocessing import get_context
from pathlib import Path
from statistics import mean

import numpy as np

from harness.data.batches import Batch
from harness.data.case import IGNORE
from harness.data.prepared import PreparedCase, open_prepared
from harness.metrics import METRICS, evaluate_case
from harness.training import memory
from harness.training.job import TrainingJob
from harness.training.learner import Diverged
from harness.training.trainer import Training

SECONDS = 2.0
"""How long the steps of a probe are measured."""

FEW_CASES = 4
_CHUNK_SECONDS = 0.1
_MOST_WARM_UP_STEPS = 64
_CHECKPOINTS = 2


@dataclass(frozen=True)
class Probe:
    """What was measured of a training.

    Attributes:
        step_seconds: One step of the optimiser.
        steps_per_epoch: How many there are.
        validation_case_seconds: Predicting a validation case and counting its DSC.
        validation_cases: How many there are.
        scoring_case_seconds: Predicting a case and scoring it with every metric.
        scored_cases: How many are scored at the end, those of both checkpoints counted.
        set_up_seconds: Opening the data and building model and loss.
        peak_bytes: Most memory of steps and validation: allocated on the GPU, else resident of the process.
        metrics_every: Epochs between validations with every metric, None if there are none.
    """

    step_seconds: float
    steps_per_epoch: int
    validation_case_seconds: float
    validation_cases: int
    scoring_case_seconds: float
    scored_cases: int
    set_up_seconds: float
    peak_bytes: int
    metrics_every: int | None = None

    @property
    def epoch_seconds(self) -> float:
        """An epoch, validation included; where every metric is wanted now and then, its share of that."""
        validation = self.validation_case_seconds
        if self.metrics_every is not None:
            validation += (self.scoring_case_seconds - validation) / self.metrics_every
        return self.step_seconds * self.steps_per_epoch + validation * self.validation_cases

    @property
    def other_seconds(self) -> float:
        """What a trial takes beside its epochs."""
        return self.set_up_seconds + self.scoring_case_seconds * self.scored_cases

    def seconds(self, epochs: int) -> float:
        """Return the expected seconds of a whole trial."""
        return self.epoch_seconds * epochs + self.other_seconds


@dataclass(frozen=True)
class ProbeFailed:
    """A probe that raised or whose process died, with the reason in one line."""

    reason: str


class Steps:
    """Takes training steps one after the other, for as long as somebody wants.

    The epoch that the loss believes to be in is the middle one: there both ends of a schedule are at work.

    Args:
        training: Its weights move.
    """

    def __init__(self, training: Training) -> None:
        self._training = training
        self._batches = self._endless()

    def warm_up(self) -> int:
        """Take steps until the pace is steady; return how many make a piece that is worth timing."""
        protocol = self._training.job.protocol
        if protocol.compile:  # the last batch of an epoch may have a shape of its own
            self._run(islice(self._epoch(0), self.per_epoch * protocol.accumulate - 1, None))
        self.take(1)
        steps = 1
        while self.take(steps) < _CHUNK_SECONDS and steps < _MOST_WARM_UP_STEPS:
            steps *= 2
        return steps

    def take(self, steps: int) -> float:
        """Take some steps and return their seconds."""
        began = time.perf_counter()
        self._run(islice(self._batches, steps * self._training.job.protocol.accumulate))
        return time.perf_counter() - began

    def measure(self, piece: int, seconds: float) -> tuple[int, float]:
        """Take pieces of ``piece`` steps for so long; return the number of steps and their seconds."""
        steps, taken = 0, 0.0
        while taken < seconds:
            taken += self.take(piece)
            steps += piece
        return steps, taken

    @property
    def per_epoch(self) -> int:
        """Steps of an epoch."""
        protocol = self._training.job.protocol
        return math.ceil(math.ceil(len(self._training.slices) / protocol.batch_size) / protocol.accumulate)

    def _run(self, batches: Iterable[Batch]) -> None:
        with suppress(Diverged):  # after the steps; they took as long as others
            self._training.learner.train_epoch(self._training.job.protocol.epochs // 2, batches)

    def _endless(self) -> Iterator[Batch]:
        for epoch in count():
            yield from self._epoch(epoch)

    def _epoch(self, epoch: int) -> Iterator[Batch]:
        training, protocol = self._training, self._training.job.protocol
        return training.slices.batches(
            training.table, epoch, protocol.batch_size, protocol.oversample_foreground
        )


def probe(job: TrainingJob, seconds: float = SECONDS) -> Probe:
    """Measure some steps, the validation of a few cases and their scoring, in this process.

    Torch is set up as for the training (threads, seeds, deterministic mode) and stays so.

    Args:
        job: The training; its folder is neither read nor written.
        seconds: How long steps are measured after the warm-up.

    Raises:
        InputError: if the split leaves a set empty, or the device cannot do what the protocol wants.
    """
    training, set_up = opened(job)
    steps = Steps(training)
    known = training.dataset.cases_named(training.parts.validation)
    cases = _spread(known)
    if _metric_seconds(training, cases[0]) > seconds:
        cases = cases[:1]
    memory.reset_peak(training.device)
    taken, spent = steps.measure(steps.warm_up(), seconds)
    validation = _validation_seconds(training, cases)
    peak = memory.peak_bytes(training.device)
    metrics = mean(_metric_seconds(training, case) for case in cases)
    # Cases differ in depth: what is measured of few is carried over by slices.
    deeper = _mean_depth(known) / _mean_depth(cases)
    scored = len(known) + (len(training.parts.test) if training.tests else 0)
    return Probe(
        step_seconds=spent / taken,
        steps_per_epoch=steps.per_epoch,
        validation_case_seconds=validation * deeper,
        validation_cases=len(known),
        scoring_case_seconds=(validation + metrics) * deeper,
        scored_cases=_CHECKPOINTS * scored,
        set_up_seconds=set_up,
        peak_bytes=peak,
        metrics_every=job.protocol.metrics_every,
    )


def probes(jobs: Iterable[TrainingJob], seconds: float = SECONDS) -> Iterator[Probe | ProbeFailed]:
    """Probe several trainings, one after the other, in a process of their own.

    Args:
        jobs: The trainings.
        seconds: How long the steps of each are measured.

    Yields:
        For every job what was measured, or why nothing was.
    """
    pool = _process()
    try:
        for job in jobs:
            try:
                yield pool.submit(_probe_or_reason, job, seconds).result()
            except BrokenProcessPool:
                pool = _process()
                yield ProbeFailed("the process of the probe died, perhaps for want of memory")
    finally:
        pool.shutdown(cancel_futures=True)


def opened(job: TrainingJob) -> tuple[Training, float]:
    """Return the training without any checkpoint, and the seconds that opening it takes a warm worker."""
    with tempfile.TemporaryDirectory() as empty:
        fresh = replace(job, folder=Path(empty), keep_model=False)
        Training(fresh)  # the first one in a process pays for imports and the page cache
        began = time.perf_counter()
        training = Training(fresh)
        return training, time.perf_counter() - began


def fingerprint_of(job: TrainingJob) -> str:
    """Return the fingerprint of the dataset that a job trains on."""
    return open_prepared(job.prepared).fingerprint


def _process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"))


def _probe_or_reason(job: TrainingJob, seconds: float) -> Probe | ProbeFailed:
    try:
        return probe(job, seconds)
    except Exception as error:
        if memory.is_out_of_memory(error):
            return ProbeFailed(str(memory.explain(error, job, "in a probe")))
        return ProbeFailed(f"{type(error).__name__}: {error}".strip().splitlines()[0])


def _spread(cases: tuple[PreparedCase, ...]) -> tuple[PreparedCase, ...]:
    """Return a few cases from all over the list."""
    every = math.ceil(len(cases) / FEW_CASES)
    return cases[::every]


def _mean_depth(cases: tuple[PreparedCase, ...]) -> float:
    return mean(case.shape[0] for case in cases)


def _validation_seconds(training: Training, cases: tuple[PreparedCase, ...]) -> float:
    """Return the seconds per case of a validation; the first pass is not counted."""
    evaluator = training.evaluator(tuple(case.case for case in cases), training.job.storage)
    evaluator.class_dsc(training.learner.network)
    began = time.perf_counter()
    evaluator.class_dsc(training.learner.network)
    return (time.perf_counter() - began) / len(cases)


def _metric_seconds(training: Training, case: PreparedCase) -> float:
    """Return the seconds of every metric of a case.

    What is scored is the truth moved by two voxels: the network has learnt nothing yet, and the
    surfaces of its noise would cost many times those of a trained one.
    """
    began = time.perf_counter()
    truth = np.asarray(training.dataset.truth(case))
    moved = np.roll(np.where(truth == IGNORE, np.uint8(0), truth), 2, axis=(1, 2))
    evaluate_case(moved, truth, case.spacing, training.dataset.n_classes, tuple(METRICS))
    return time.perf_counter() - began
