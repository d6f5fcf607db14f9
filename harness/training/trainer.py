"""Train one model and yield what happens."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import torch
from torch.profiler import record_function

from harness.data.batches import BatchTable, TrainingSlices, split_digest
from harness.data.case import IGNORE
from harness.data.prepared import open_prepared
from harness.data.splits import partition
from harness.errors import InputError
from harness.losses import CombinedLoss
from harness.models import build_model
from harness.training import checkpoint, determinism, memory, model_file
from harness.training.collapse import collapse
from harness.training.hardware import hardware_facts
from harness.training.job import (
    CaseScore,
    Checkpoint,
    EpochRecord,
    EpochScore,
    Event,
    Finished,
    Started,
    Storage,
    TrainingJob,
)
from harness.training.learner import Diverged, Learner
from harness.training.scoring import CaseEvaluator

PREDICTIONS_FILE = "predictions.npz"


def train(job: TrainingJob) -> Iterator[Event]:
    """Train, validate after every epoch, and score the best and the last checkpoint.

    Yields :class:`Started`, one :class:`EpochRecord` per epoch and :class:`Finished`. A checkpoint
    left by an earlier attempt at the same job is taken up where it stopped. Whoever closes the iterator
    between two events finds a checkpoint of the last epoch; whoever has the result may remove it.

    Args:
        job: What to train.

    Raises:
        InputError: if the split leaves a set empty, or the device cannot do what the protocol wants.
        OutOfMemory: if the training does not fit.
    """
    doing = "at the start"
    try:
        training = Training(job)
        doing = f"in epoch {training.epoch}"
        yield Started(training.numerics, training.epoch, hardware_facts())
        try:
            while training.epoch < job.protocol.epochs:
                doing = f"in epoch {training.epoch}"
                yield training.run_epoch()
        except Diverged as reason:
            yield training.diverged(str(reason))
            return
        except GeneratorExit:
            training.save()
            raise
        doing = "when the cases were scored"
        yield training.finish()
    except Exception as error:
        if memory.is_out_of_memory(error):
            raise memory.explain(error, job, doing) from error
        raise


class Training:
    """The state of one training: learner, data and progress.

    Args:
        job: What to train; a checkpoint in its folder is taken up.
    """

    def __init__(self, job: TrainingJob) -> None:
        began = time.perf_counter()
        self.job = job
        _check_device(job)
        determinism.make_repeatable(job)
        self.numerics = determinism.numerics_facts(job)
        self.device = torch.device(job.device)
        self.dataset = open_prepared(job.prepared)
        self.parts = partition(job.split, self.dataset.patients, job.seed, job.fold)
        with torch.random.fork_rng(devices=[]):  # a loss that draws numbers must not move the weights
            loss = job.loss.build(ignore_label=IGNORE if self.dataset.ignores else None)
        self.slices = TrainingSlices(
            self.dataset,
            self.dataset.cases_named(self.parts.train),
            loss.needs,
            self.device,
            job.protocol.augment,
            job.storage,
        )
        self.table = BatchTable(self.dataset.fingerprint, split_digest(job.split), job.seed, job.fold)
        self.learner = self._learner(loss.to(self.device))
        self.validation = self.evaluator(self.parts.validation, job.storage)
        self.progress = self._resume()
        self._saved_at, self._saved_epoch = time.monotonic(), self.epoch
        self._other_seconds = time.perf_counter() - began

    @property
    def epoch(self) -> int:
        """The next one."""
        return len(self.progress.epochs)

    def _learner(self, loss: CombinedLoss) -> Learner:
        model = build_model(
            self.job.model, len(self.dataset.channels), self.dataset.n_classes, **self.job.model_options
        )
        placed = model.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return Learner(placed, loss, self.job.protocol, self.device)

    def _resume(self) -> checkpoint.Progress:
        found = checkpoint.load(self.job.folder, self.job.key)
        progress, states = found or (checkpoint.Progress(), None)
        if states is not None:
            self.learner.load_state_dict(states)
            determinism.restore_random_states(states["random"])
        numerics = determinism.numerics_class(self.numerics)
        if not progress.numerics or progress.numerics[-1][1] != numerics:
            progress.numerics.append((len(progress.epochs), numerics))
        return progress

    def run_epoch(self) -> EpochRecord:
        """Train and validate one epoch.

        Raises:
            Diverged: if the loss or a weight stopped being finite.
        """
        epoch, protocol = self.epoch, self.job.protocol
        memory.reset_peak(self.device)
        began = time.perf_counter()
        batches = self.slices.batches(self.table, epoch, protocol.batch_size, protocol.oversample_foreground)
        train_loss = self.learner.train_epoch(epoch, batches)
        learning_rate = self.learner.learning_rate
        trained = time.perf_counter()
        with record_function("lossbench.validation"):
            val_dsc, scores = self._validate(epoch)
        self.learner.end_epoch(val_dsc)
        weights = self.learner.loss.alpha_weights
        record = EpochRecord(
            epoch=epoch,
            train_loss=train_loss,
            val_dsc=val_dsc,
            learning_rate=learning_rate,
            region_weight=weights[0] if weights else None,
            boundary_weight=weights[1] if weights else None,
            seconds=time.perf_counter() - began,
            validation_seconds=time.perf_counter() - trained,
            peak_bytes=memory.peak_bytes(self.device),
            scores=scores,
        )
        self._advance(record)
        return record

    def _validate(self, epoch: int) -> tuple[float, tuple[EpochScore, ...]]:
        """Return the mean DSC over patients and classes, and the curves' points of this epoch."""
        every = self.job.protocol.metrics_every
        if every is not None and (epoch + 1) % every == 0:
            scores = self.validation.epoch_scores(
                self.validation.scores(self.learner.network, "validation", "last")
            )
        else:
            scores = self.validation.class_dsc(self.learner.network)
        dsc = [score.mean for score in scores if score.metric == "dsc"]
        return sum(dsc) / len(dsc), tuple(scores)

    def _advance(self, record: EpochRecord) -> None:
        progress = self.progress
        progress.epochs.append(record)
        if progress.best_val_dsc is None or record.val_dsc > progress.best_val_dsc:
            progress.best_epoch, progress.best_val_dsc = record.epoch, record.val_dsc
            progress.best_weights = {
                name: value.detach().cpu().clone() for name, value in self.learner.model.state_dict().items()
            }
        if time.monotonic() - self._saved_at >= self.job.checkpoint_seconds:
            self.save()

    def save(self) -> None:
        """Write a checkpoint of the last epoch, unless there is one."""
        if self._saved_epoch == self.epoch:
            return
        states = {**self.learner.state_dict(), "random": determinism.random_states()}
        with record_function("lossbench.checkpoint"):
            checkpoint.save(self.job.folder, self.job.key, self.progress, states)
        self._saved_at, self._saved_epoch = time.monotonic(), self.epoch

    def finish(self) -> Finished:
        """Score the last and the best weights."""
        progress = self.progress
        assert progress.best_weights is not None
        assert progress.best_val_dsc is not None
        began = time.perf_counter()
        best_is_reported = self.job.protocol.checkpoint == "best_val_dsc"
        with record_function("lossbench.scoring"):
            last = self._scores("last", keep=not best_is_reported or self._best_is_last)
            if self._best_is_last:
                best = [replace(score, checkpoint="best") for score in last]
            else:
                self.learner.model.load_state_dict(progress.best_weights)
                best = self._scores("best", keep=best_is_reported)
        self._other_seconds += time.perf_counter() - began
        reported = progress.epochs[progress.best_epoch or 0] if best_is_reported else progress.epochs[-1]
        reason = collapse(reported.val_dsc, best if best_is_reported else last)
        return self._finished("done", reason, reported.epoch, scores=(*last, *best))

    @property
    def _best_is_last(self) -> bool:
        return self.progress.best_epoch == self.epoch - 1

    def diverged(self, reason: str) -> Finished:
        """Return the outcome of a training that cannot go on."""
        return self._finished("diverged", reason, self.epoch, scores=())

    def _scores(self, which: Checkpoint, keep: bool) -> list[CaseScore]:
        found = self.validation.scores(self.learner.network, "validation", which)
        if self.tests:
            path = self.job.folder / PREDICTIONS_FILE if keep else None
            found += self.evaluator(self.parts.test).scores(self.learner.network, "test", which, path)
        if keep and self.job.keep_model:
            self._keep_model()
        return found

    def _keep_model(self) -> None:
        best_is_reported = self.job.protocol.checkpoint == "best_val_dsc"
        epoch = self.progress.best_epoch if best_is_reported else self.epoch - 1
        assert epoch is not None
        stored = model_file.StoredModel(
            key=self.job.key,
            model=self.job.model,
            options=self.job.model_options,
            in_channels=len(self.dataset.channels),
            n_classes=self.dataset.n_classes,
            channels=self.dataset.channels,
            classes=self.dataset.classes,
            description=self.dataset.description,
            precision=self.job.protocol.precision,
            checkpoint="best" if best_is_reported else "last",
            epoch=epoch,
            weights=self.learner.model.state_dict(),
        )
        model_file.save(self.job.folder / model_file.MODEL_FILE, stored)

    @property
    def tests(self) -> bool:
        """Whether there are test cases and they may be opened."""
        return self.job.score_test and bool(self.parts.test)

    def evaluator(self, cases: tuple[str, ...], storage: Storage = "mapped") -> CaseEvaluator:
        """Return what predicts and scores some cases, by name."""
        return CaseEvaluator(
            self.dataset, self.dataset.cases_named(cases), self.device, self.learner.autocast, storage
        )

    def _finished(
        self,
        state: Literal["done", "diverged"],
        reason: str | None,
        epoch: int,
        scores: tuple[CaseScore, ...],
    ) -> Finished:
        kept = {"predictions": PREDICTIONS_FILE} if self.tests else {}
        if self.job.keep_model:
            kept["model"] = model_file.MODEL_FILE
        return Finished(
            state=state,
            reason=reason,
            reason_epoch=None if reason is None else epoch,
            collapsed=reason is not None,
            best_epoch=self.progress.best_epoch,
            best_val_dsc=self.progress.best_val_dsc,
            epochs=tuple(self.progress.epochs),
            scores=scores,
            artifacts=kept if state == "done" else {},
            numerics=self._numerics_history(),
            seconds=sum(record.seconds for record in self.progress.epochs) + self._other_seconds,
        )

    def _numerics_history(self) -> str:
        (_, first), *later = self.progress.numerics
        return "; ".join([first, *(f"from epoch {epoch}: {found}" for epoch, found in later)])


def _check_device(job: TrainingJob) -> None:
    if job.protocol.precision == "tf32" and not job.device.startswith("cuda"):
        raise InputError("protocol.precision tf32 needs a GPU; use float32 or bfloat16 on this device")
