"""A planned trial in the forms that a worker and the database want."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from harness.scheduling.running_trial import rows_of
from harness.store.artifacts import digest_of_file, folder_of
from harness.store.outcome import ArtifactRecord, Outcome
from harness.store.trials import TrialRecord
from harness.study.plan import PlannedTrial
from harness.training.job import Finished, Storage, TrainingJob

STALL_MINUTES = 60.0


@dataclass(frozen=True)
class Folders:
    """Where trials read and write: prepared datasets by fingerprint, and one folder for artifacts."""

    prepared: Mapping[str, Path]
    artifacts: Path


@dataclass(frozen=True)
class DriverOptions:
    """How to run.

    Attributes:
        device: ``cpu`` or ``cuda``.
        threads: Torch threads on the CPU.
        retry_failed: Whether failed trials are tried again.
        storage: Where the training slices lie.
        keep_models: Whether the reported weights of every trial are kept.
        stall_seconds: A worker that tells nothing for so long is taken for hung.
    """

    device: str = "cpu"
    threads: int = 1
    retry_failed: bool = False
    storage: Storage = "auto"
    keep_models: bool = True
    stall_seconds: float = STALL_MINUTES * 60


def job_of(
    planned: PlannedTrial, folders: Folders, options: DriverOptions, judged: bool = False
) -> TrainingJob:
    """Return what a worker is given; that of a judged trial waits for an answer after every epoch."""
    trial = planned.trial
    return TrainingJob(
        key=trial.key,
        prepared=folders.prepared[trial.fingerprint],
        split=trial.split,
        fold=trial.fold,
        seed=trial.seed,
        loss=trial.loss_spec(),
        model=trial.model.name,
        model_options=trial.model.options,
        protocol=trial.protocol,
        score_test=trial.purpose == "study",
        folder=folders.artifacts / folder_of(trial.key),
        device=options.device,
        threads=options.threads,
        storage=options.storage,
        keep_model=options.keep_models and trial.purpose == "study",
        judged=judged,
    )


def outcome_of(event: Finished, folder: Path, environment: Mapping[str, str]) -> Outcome:
    """Return a result as the database keeps it.

    Args:
        event: From the worker.
        folder: With the files of the trial.
        environment: What the trial was made with.

    Raises:
        OSError: if a file that it names is not there.
    """
    epochs, scores = rows_of(event.epochs)
    return Outcome(
        state=event.state,
        collapsed=None if event.state == "pruned" else event.collapsed,
        reason=event.reason,
        best_epoch=event.best_epoch,
        best_val_dsc=event.best_val_dsc,
        seconds=event.seconds,
        epochs=epochs,
        epoch_scores=scores,
        scores=[asdict(score) for score in event.scores],
        artifacts=[_artifact(folder / name, kind) for kind, name in event.artifacts.items()],
        environment=environment,
        reason_epoch=event.reason_epoch,
        numerics=event.numerics,
    )


def as_pruned(event: Finished, planned: PlannedTrial) -> Finished:
    """Return how far a trial came with the reason why it came no further."""
    epochs = len(event.epochs)
    reason = f"ended after epoch {epochs} of {planned.trial.protocol.epochs} by its search"
    return replace(event, reason=reason, reason_epoch=epochs - 1)


def _artifact(file: Path, kind: str) -> ArtifactRecord:
    path = Path(file.parent.name) / file.name
    return ArtifactRecord(kind, path.as_posix(), digest_of_file(file), file.stat().st_size)


def record_of(planned: PlannedTrial) -> TrialRecord:
    """Return a planned trial as the database keeps it."""
    trial = planned.trial
    loss = trial.loss_spec()
    return TrialRecord(
        key=trial.key,
        fingerprint=trial.fingerprint,
        dataset=planned.dataset,
        label=planned.label,
        loss_expression=loss.expression,
        loss_family=loss.family,
        loss_canonical=trial.loss,
        seed=trial.seed,
        fold=trial.fold,
        purpose=trial.purpose,
        canonical=trial.canonical(),
    )
