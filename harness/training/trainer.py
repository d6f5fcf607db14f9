"""Train one model and yield what happens."""

import time
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, ReduceLROnPlateau

from harness.data.batches import Batch, BatchTable, TrainingSlices, split_digest
from harness.data.case import IGNORE
from harness.data.prepared import open_prepared
from harness.data.splits import partition
from harness.losses import CombinedLoss
from harness.models import build_model
from harness.training import checkpoint
from harness.training.determinism import make_repeatable, numerics_class
from harness.training.job import CaseScore, Checkpoint, EpochRecord, Event, Finished, Started, TrainingJob
from harness.training.protocol import PlateauSchedule, Protocol
from harness.training.scoring import CaseEvaluator

COLLAPSED_DSC = 0.05
COLLAPSED_EMPTY_SHARE = 0.95
PREDICTIONS_FILE = "predictions.npz"


def train(job: TrainingJob) -> Iterator[Event]:
    """Train, validate after every epoch, and score the best and the last checkpoint.

    Yields :class:`Started`, one :class:`EpochRecord` per epoch and :class:`Finished`. A checkpoint
    left by an earlier attempt at the same job is taken up where it stopped.

    Args:
        job: What to train.

    Raises:
        InputError: if the split leaves a set empty.
    """
    training = _Training(job)
    yield Started(
        numerics_class(job.device, job.threads, job.protocol.precision, job.protocol.deterministic),
        resumed_at=len(training.progress.epochs),
    )
    while len(training.progress.epochs) < job.protocol.epochs:
        failure = training.run_epoch()
        if failure is not None:
            checkpoint.remove(job.folder)
            yield training.diverged(failure)
            return
        yield training.progress.epochs[-1]
    yield training.finish()
    checkpoint.remove(job.folder)


class _Training:
    """The state of one training: network, optimiser, schedule, data and progress."""

    def __init__(self, job: TrainingJob) -> None:
        self.job = job
        make_repeatable(job.seed, job.fold, job.threads, job.protocol.deterministic)
        self.device = torch.device(job.device)
        self.autocast = torch.bfloat16 if job.protocol.precision == "bfloat16" else None
        self.dataset = open_prepared(job.prepared)
        self.parts = partition(job.split, self.dataset.patients, job.seed, job.fold)
        with torch.random.fork_rng(devices=[]):  # a loss that draws numbers must not move the weights
            loss = job.loss.build(ignore_label=IGNORE if self.dataset.ignores else None)
        self.loss: CombinedLoss = loss.to(self.device)
        self.slices = TrainingSlices(
            self.dataset,
            self.dataset.cases_named(self.parts.train),
            self.loss.needs,
            self.device,
            job.protocol.augment,
            job.storage,
        )
        self.table = BatchTable(self.dataset.fingerprint, split_digest(job.split), job.seed, job.fold)
        model = build_model(
            job.model, len(self.dataset.channels), self.dataset.n_classes, **job.model_options
        )
        self.model = model.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = _optimizer(self.model, job.protocol)
        self.lr_schedule = _lr_schedule(self.optimizer, job.protocol)
        self.validation = self._evaluator(self.parts.validation)
        self.progress = self._resume()

    def _resume(self) -> checkpoint.Progress:
        found = checkpoint.load(self.job.folder)
        if found is None:
            return checkpoint.Progress()
        progress, states = found
        self.model.load_state_dict(states["model"])
        self.optimizer.load_state_dict(states["optimizer"])
        self.lr_schedule.load_state_dict(states["lr_schedule"])
        if states.get("loss"):
            self.loss.load_state_dict(states["loss"])
        return progress

    def run_epoch(self) -> str | None:
        """Train and validate one epoch; return why training diverged, or None."""
        began = time.perf_counter()
        epoch, protocol = len(self.progress.epochs), self.job.protocol
        self.loss.set_epoch(epoch, protocol.epochs)
        self.model.train()
        values = [
            self._step(batch)
            for batch in self.slices.batches(
                self.table, epoch, protocol.batch_size, protocol.oversample_foreground
            )
        ]
        train_loss = float(torch.stack(values).mean())
        learning_rate = float(self.optimizer.param_groups[0]["lr"])
        if not _finite(torch.stack(values)):
            return f"the loss was not finite in epoch {epoch}"
        if not all(_finite(weight.detach()) for weight in self.model.parameters()):
            return f"a weight was not finite in epoch {epoch}"
        val_dsc = self.validation.dsc(self.model)
        if isinstance(self.lr_schedule, ReduceLROnPlateau):
            self.lr_schedule.step(val_dsc)
        else:
            self.lr_schedule.step()
        weights = self.loss.alpha_weights
        self._record(
            EpochRecord(
                epoch=epoch,
                train_loss=train_loss,
                val_dsc=val_dsc,
                learning_rate=learning_rate,
                region_weight=weights[0] if weights else None,
                boundary_weight=weights[1] if weights else None,
                seconds=time.perf_counter() - began,
            )
        )
        return None

    def _step(self, batch: Batch) -> Tensor:
        images = batch.images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, self.autocast, enabled=self.autocast is not None):
            logits = self.model(images)
        value: Tensor = self.loss(logits, batch.labels, **batch.needs)
        self.optimizer.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return value.detach()

    def _record(self, record: EpochRecord) -> None:
        progress = self.progress
        progress.epochs.append(record)
        if progress.best_val_dsc is None or record.val_dsc > progress.best_val_dsc:
            progress.best_epoch, progress.best_val_dsc = record.epoch, record.val_dsc
            progress.best_weights = {
                name: value.detach().cpu().clone() for name, value in self.model.state_dict().items()
            }
        states = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "lr_schedule": self.lr_schedule.state_dict(),
            "loss": self.loss.state_dict(),
        }
        checkpoint.save(self.job.folder, progress, states)

    def finish(self) -> Finished:
        """Score the last and the best weights."""
        assert self.progress.best_weights is not None
        assert self.progress.best_val_dsc is not None
        best_is_reported = self.job.protocol.checkpoint == "best_val_dsc"
        last = self._scores("last", keep_predictions=not best_is_reported)
        self.model.load_state_dict(self.progress.best_weights)
        best = self._scores("best", keep_predictions=best_is_reported)
        reason = (
            collapse(self.progress.best_val_dsc, best)
            if best_is_reported
            else collapse(self.progress.epochs[-1].val_dsc, last)
        )
        return self._finished("done", reason, collapsed=reason is not None, scores=(*last, *best))

    def diverged(self, reason: str) -> Finished:
        """Return the outcome of a training that cannot go on."""
        return self._finished("diverged", reason, collapsed=True, scores=())

    def _scores(self, which: Checkpoint, keep_predictions: bool) -> list[CaseScore]:
        found = self.validation.scores(self.model, "validation", which)
        if self._tests:
            path = self.job.folder / PREDICTIONS_FILE if keep_predictions else None
            found += self._evaluator(self.parts.test).scores(self.model, "test", which, path)
        return found

    @property
    def _tests(self) -> bool:
        """Whether there are test cases and they may be opened."""
        return self.job.score_test and bool(self.parts.test)

    def _evaluator(self, cases: tuple[str, ...]) -> CaseEvaluator:
        return CaseEvaluator(self.dataset, self.dataset.cases_named(cases), self.device, self.autocast)

    def _finished(
        self,
        state: Literal["done", "diverged"],
        reason: str | None,
        collapsed: bool,
        scores: tuple[CaseScore, ...],
    ) -> Finished:
        return Finished(
            state=state,
            reason=reason,
            collapsed=collapsed,
            best_epoch=self.progress.best_epoch,
            best_val_dsc=self.progress.best_val_dsc,
            epochs=tuple(self.progress.epochs),
            scores=scores,
            predictions=PREDICTIONS_FILE if self._tests and state == "done" else None,
            seconds=sum(record.seconds for record in self.progress.epochs),
        )


def collapse(val_dsc: float, scores: list[CaseScore]) -> str | None:
    """Return why a model is no use, judged on validation cases only, or None.

    Args:
        val_dsc: Validation DSC at the reported checkpoint.
        scores: Scores there; those of test cases are not looked at.
    """
    if val_dsc < COLLAPSED_DSC:
        return f"validation DSC {val_dsc:.3f} is below {COLLAPSED_DSC}"
    reasons: dict[str, set[str | None]] = {}
    for score in scores:
        if score.part == "validation" and score.metric == "dsc":
            reasons.setdefault(score.case, set()).add(score.reason)
    with_foreground = [found for found in reasons.values() if found & {None, "prediction empty"}]
    missed = [found for found in with_foreground if found <= {"prediction empty", "both empty"}]
    if len(missed) >= COLLAPSED_EMPTY_SHARE * len(with_foreground) > 0:
        return (
            f"{len(missed)} of {len(with_foreground)} validation cases with foreground were predicted empty"
        )
    return None


def _optimizer(model: nn.Module, protocol: Protocol) -> torch.optim.Optimizer:
    kinds: dict[str, type[torch.optim.Optimizer]] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    return kinds[protocol.optimizer.name](model.parameters(), lr=protocol.optimizer.lr)  # type: ignore[call-arg]


def _lr_schedule(optimizer: torch.optim.Optimizer, protocol: Protocol) -> LRScheduler:
    schedule = protocol.lr_schedule
    if isinstance(schedule, PlateauSchedule):
        return ReduceLROnPlateau(optimizer, mode="max", factor=schedule.factor, patience=schedule.patience)
    return ConstantLR(optimizer, factor=1.0)


def _finite(values: Tensor) -> bool:
    return bool(torch.isfinite(values).all())
