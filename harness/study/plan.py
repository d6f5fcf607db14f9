"""Cross datasets, losses, seeds and folds into trials."""

from collections.abc import Iterator
from dataclasses import dataclass

from harness.data.splits import Split, folds
from harness.losses import LossSpec, unfinished
from harness.study.spec import LossEntry, Study
from harness.study.trial import Trial
from harness.training.protocol import PlateauSchedule


@dataclass(frozen=True)
class StudyDataset:
    """A dataset of a study once its cache is known.

    Attributes:
        name: Name for tables, with ``-sim`` if simulated.
        fingerprint: Of the prepared arrays.
        split: In force: the study's, else the description's.
    """

    name: str
    fingerprint: str
    split: Split


@dataclass(frozen=True)
class PlannedTrial:
    """A trial and its place in the study: one (dataset, loss label, seed, fold)."""

    dataset: str
    label: str
    trial: Trial


def plan_trial(
    study: Study,
    dataset: StudyDataset,
    label: str,
    loss: LossSpec,
    seed: int,
    fold: int,
    purpose: str = "study",
) -> PlannedTrial:
    """Return the trial of one place in the study."""
    trial = Trial.model_validate(
        {
            "fingerprint": dataset.fingerprint,
            "split": dataset.split,
            "fold": fold,
            "loss": loss.canonical(),
            "model": study.model,
            "protocol": study.protocol,
            "seed": seed,
            "purpose": purpose,
        }
    )
    return PlannedTrial(dataset.name, label, trial)


def cell_trials(
    study: Study, dataset: StudyDataset, entry: LossEntry, loss: LossSpec, fold: int
) -> list[PlannedTrial]:
    """Return the trials of one loss on one fold, one per seed."""
    return [plan_trial(study, dataset, entry.label, loss, seed, fold) for seed in range(study.seeds)]


def fixed_trials(study: Study, datasets: list[StudyDataset]) -> list[PlannedTrial]:
    """Return every trial that needs no tuning first.

    Seed by seed: a study that is stopped has compared all losses with the seeds it got through.
    """
    return [
        plan_trial(study, dataset, entry.label, entry.spec(), seed, fold)
        for seed in range(study.seeds)
        for dataset in datasets
        for fold in folds(dataset.split)
        for entry in study.losses
        if not entry.tuned
    ]


def schedule_warnings(study: Study) -> Iterator[str]:
    """Yield a sentence for everything in the protocol that cannot take effect."""
    protocol = study.protocol
    if isinstance(protocol.lr_schedule, PlateauSchedule) and protocol.lr_schedule.patience >= protocol.epochs:
        yield (
            f"the learning rate cannot drop: its patience of {protocol.lr_schedule.patience} epochs "
            f"is not shorter than the training of {protocol.epochs}"
        )
    if protocol.metrics_every is not None and protocol.metrics_every > protocol.epochs:
        yield (
            f"there will be no curves of every metric: protocol.metrics_every {protocol.metrics_every} "
            f"is longer than the training of {protocol.epochs} epochs"
        )
    for entry in study.losses:
        spec = None if entry.tuned else entry.spec()
        reason = unfinished(spec.alpha, protocol.epochs) if spec and spec.alpha else None
        if reason:
            yield f"loss {entry.label!r}: {reason}"
        if spec and spec.partner:
            yield f"loss {entry.label!r}: {spec.expression} is meant as part of a sum and may collapse alone"
    if study.seeds < 5:
        yield f"{study.seeds} seeds: differences between losses are exploratory below 5"
