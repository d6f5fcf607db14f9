"""The estimate of GPU hours that stands in the header of a study: multiply-adds, no measurement."""

import json
from functools import cache
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from harness.data.description import DatasetDescription
from harness.data.splits import FixedSplit, HoldoutSplit, KFoldSplit, Split, folds
from harness.models import build_model
from harness.study.spec import DatasetEntry, Study
from harness.study.tuned_loss import tuned_entries
from harness.study.variants import rows

RATE = 5e12
"""Multiply-adds per second that a data-centre GPU is taken to sustain in float32; an assumption."""

TRAINING = 3
"""A training step costs that many forward passes: one forward, two backward."""

SLICES = {
    "wmh2017": (60, 3580),
    "isles2018": (94, 502),
    "acdc": (100, 1902),
    "msd_brain_tumour": (484, 484 * 155),
    "msd_heart": (20, 20 * 115),
    "msd_liver": (131, 131 * 432),
    "msd_hippocampus": (260, 260 * 36),
    "msd_prostate": (32, 32 * 20),
    "msd_lung": (63, 63 * 252),
    "msd_pancreas": (281, 281 * 93),
    "msd_spleen": (41, 41 * 90),
    "pddca": (36, 36 * 141),
    "brain_19_labels": (43, 43 * 128),
    "multi_organ": (89, 89 * 150),
}
"""Patients, or the cases that a printed list counts, and slices. WMH, ISLES and ACDC: whole archives;
Decathlon and PDDCA: cases with all labels times the median number of slices; the last two: assumptions."""

TESTED = {"pddca": 10}
"""Test cases of a split that gives them as a range of numbers."""


def gpu_hours(study: Study) -> float:
    """Return the hours of one GPU for a study in full, searches included, preparation and scoring not."""
    return sum(_multiply_adds_on(study, entry) for entry in study.dataset_entries) / RATE / 3600


def trainings(study: Study) -> int:
    """Return how many networks a study trains, searches included."""
    tuned, searched = _tuned(study)
    each = (len(list(rows(study))) + tuned) * len(study.chosen_seeds) + searched
    return each * sum(len(folds(entry.describe(Path()).chosen_split)) for entry in study.dataset_entries)


def rounded(hours: float) -> str:
    """Return hours with two digits that count: ``1,700``, ``84``, ``0.35``."""
    return f"{float(f'{hours:.2g}'):,.10g}"


def _multiply_adds_on(study: Study, entry: DatasetEntry) -> float:
    """Return the multiply-adds of all trainings on a dataset."""
    description = entry.describe(Path())
    train, validation, n_folds = _slices(description, entry)
    tuned, searched = _tuned(study)
    passes = (TRAINING * train + validation) * study.protocol.epochs * n_folds
    varied = sum(_forward(row.study, description) for row in rows(study)) * len(study.chosen_seeds)
    return passes * (varied + _forward(study, description) * (tuned * len(study.chosen_seeds) + searched))


def _tuned(study: Study) -> tuple[int, int]:
    """Return the tuned arms of a study, and the trainings of their searches on one fold."""
    tuned = len(tuned_entries(study.losses, study.tuning))
    return tuned, tuned * (study.tuning.configurations or 0) * study.tuning.inner_seeds


def _slices(description: DatasetDescription, entry: DatasetEntry) -> tuple[float, float, int]:
    """Return training slices, validation slices and folds."""
    units, slices = (entry.simulate.cases, 0) if entry.simulate else SLICES[description.name]
    if entry.simulate:
        slices = units * SLICES[description.name][1] // SLICES[description.name][0]
    split: Split = description.chosen_split
    if isinstance(split, FixedSplit):
        held = len(split.validation) / units
        return slices * (1 - held), slices * held, 1
    if isinstance(split, KFoldSplit):
        outside = slices * (1 - 1 / split.k)
        share = _share(split.validation, units * (1 - 1 / split.k))
        return outside * (1 - share), outside * share, split.k
    assert isinstance(split, HoldoutSplit)
    if isinstance(split.test, tuple):
        tested = TESTED.get(description.name, len(split.test)) / units
    else:
        tested = _share(split.test, units)
    outside = slices * (1 - tested)
    share = _share(split.validation, units * (1 - tested))
    train = outside * (1 - share)
    if split.train is not None:
        train = min(train, slices * split.train / units)
    return train, outside * share, 1


def _share(amount: float | int, of: float) -> float:
    return amount / of if isinstance(amount, int) else amount


def _forward(study: Study, description: DatasetDescription) -> float:
    """Return the multiply-adds of a forward pass of one slice."""
    options = json.dumps(study.model.options, sort_keys=True)
    return _counted(
        study.model.name, options, len(description.channels), description.n_classes, description.size
    )


@cache
def _counted(model: str, options: str, channels: int, classes: int, size: tuple[int, int]) -> float:
    with torch.device("meta"):
        network = build_model(model, channels, classes, **json.loads(options)).eval()
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, channels, *size))
    return counter.get_total_flops() / 2
