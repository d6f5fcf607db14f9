"""Cross datasets, losses, seeds and folds into trials."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.data.splits import Split, folds
from harness.errors import InputError
from harness.losses import LossSpec, unfinished
from harness.study.seeds import INNER_SEED
from harness.study.spec import Study
from harness.study.trial import Trial
from harness.study.tuned_loss import tuned_entries
from harness.study.variants import rows
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


def tunes(study: Study) -> bool:
    """Whether a study tunes anything."""
    return bool(tuned_entries(study.losses, study.tuning))


def inner_seeds(study: Study) -> range:
    """Return the seed indices of every configuration; none if the study tunes nothing."""
    return range(INNER_SEED, INNER_SEED + (study.tuning.inner_seeds if tunes(study) else 0))


def chosen_folds(study: Study, split: Split) -> tuple[int, ...]:
    """Return the folds of a split that are trained."""
    return tuple(fold for fold in folds(split) if study.only.folds is None or fold in study.only.folds)


def check_folds(study: Study, folder: Path) -> None:
    """Refuse a study that asks only for folds which none of its datasets has.

    Args:
        study: Which one.
        folder: Against which the paths of manifests are read.

    Raises:
        InputError: naming the fold.
    """
    known = {fold for entry in study.dataset_entries for fold in folds(entry.describe(folder).chosen_split)}
    unknown = sorted(set(study.only.folds or ()) - known)
    if unknown:
        raise InputError(
            f"study {study.study!r}: only.folds: no dataset has a fold {unknown[0]}, the last is "
            f"{max(known)} (folds are counted from 0); leave it out"
        )


def plan_trial(
    study: Study,
    dataset: StudyDataset,
    label: str,
    loss: LossSpec,
    seed: int,
    fold: int,
    purpose: str = "study",
    learning_rate: float | None = None,
) -> PlannedTrial:
    """Return the trial of one place in the study; a learning rate replaces the protocol's."""
    protocol = study.protocol
    if learning_rate is not None:
        optimizer = protocol.optimizer.model_copy(update={"lr": learning_rate})
        protocol = protocol.model_copy(update={"optimizer": optimizer})
    trial = Trial.model_validate(
        {
            "fingerprint": dataset.fingerprint,
            "split": dataset.split,
            "fold": fold,
            "loss": loss.canonical(),
            "model": study.model,
            "protocol": protocol,
            "seed": seed,
            "purpose": purpose,
        }
    )
    return PlannedTrial(dataset.name, label, trial)


def cell_trials(
    study: Study,
    dataset: StudyDataset,
    label: str,
    loss: LossSpec,
    fold: int,
    learning_rate: float | None = None,
) -> list[PlannedTrial]:
    """Return the trials of one loss on one fold, one per seed that is trained."""
    return [
        plan_trial(study, dataset, label, loss, seed, fold, learning_rate=learning_rate)
        for seed in study.chosen_seeds
    ]


def fixed_trials(study: Study, datasets: list[StudyDataset]) -> list[PlannedTrial]:
    """Return every trial that needs no tuning first.

    Seed by seed: a study that is stopped has compared all losses with the seeds it got through.
    """
    known = [(row, row.entry.spec()) for row in rows(study) if row.entry.is_known]
    return [
        plan_trial(row.study, dataset, row.label, loss, seed, fold)
        for seed in study.chosen_seeds
        for dataset in datasets
        for fold in chosen_folds(study, dataset.split)
        for row, loss in known
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
    for row in rows(study):
        spec = row.entry.spec() if row.entry.is_known else None
        reason = unfinished(spec.alpha, row.study.protocol.epochs) if spec and spec.alpha else None
        if reason:
            yield f"loss {row.label!r}: {reason}"
        if spec and spec.partner and row.study is study:
            yield f"loss {row.label!r}: {spec.expression} is meant as part of a sum and may collapse alone"
    yield from _tuning_warnings(study)
    if study.seeds < 5:
        yield f"{study.seeds} seeds: differences between losses are exploratory below 5"


def transfer_warnings(study: Study, datasets: Iterable[StudyDataset]) -> Iterator[str]:
    """Yield a sentence for every schedule that was tuned on a dataset which the study tests, too."""
    for entry in study.losses:
        for dataset in datasets:
            if entry.tuned_in and f" / {dataset.name} / " in entry.tuned_in:
                yield (
                    f"loss {entry.label!r}: its schedule was tuned on {dataset.name!r}, too; unless both "
                    "studies have the same single test set, the tuning has seen patients that are tested here"
                )


def _tuning_warnings(study: Study) -> Iterator[str]:
    tuning = study.tuning
    if not tunes(study) or tuning.configurations is None:
        return
    for part in (tuning.sampler, tuning.pruner):
        startup = getattr(part, "startup", 0)
        if startup >= tuning.configurations:
            yield (
                f"tuning: {part.name} begins after {startup} configurations, and the budget is "
                f"{tuning.configurations}: it cannot take effect"
            )
