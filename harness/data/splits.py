"""Which patients train, validate and test: by patient always, a pure function of names and seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, Discriminator, Field, PositiveInt, Tag

from harness.errors import InputError
from harness.strict_yaml import StrictModel

_TEST_STREAM, _VALIDATION_STREAM, _FOLD_STREAM = 1, 2, 3


Count = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(gt=0, lt=1)]


def _form(value: object) -> str:
    """Which form of an amount was meant, so that errors speak of that one only."""
    return {int: "count", float: "fraction"}.get(type(value), "names")


Names = Annotated[
    tuple[str | int, ...], Field(min_length=1), AfterValidator(lambda names: tuple(map(str, names)))
]
Amount = Annotated[
    Annotated[Count, Tag("count")] | Annotated[Fraction, Tag("fraction")], Discriminator(_form)
]
AmountOrNames = Annotated[
    Annotated[Count, Tag("count")] | Annotated[Fraction, Tag("fraction")] | Annotated[Names, Tag("names")],
    Discriminator(_form),
]


class HoldoutSplit(StrictModel):
    """One fixed test set; the validation set is drawn anew for every seed.

    ``test`` is a number of patients, a fraction of them, or their names. ``validation`` counts or
    fractions the remaining ones. ``train`` limits the training patients (a small-data study).
    """

    kind: Literal["holdout"] = "holdout"
    test: AmountOrNames = 0.2
    validation: Amount = 0.15
    train: PositiveInt | None = None


class KFoldSplit(StrictModel):
    """Every patient is tested once, out of fold. Folds are the same for all seeds.

    Folds are balanced by lesion load: patients are sorted by foreground fraction and dealt out
    in rounds of ``k``, the order inside a round being random but fixed.
    """

    kind: Literal["kfold"] = "kfold"
    k: Annotated[int, Field(ge=2)] = 5
    validation: Amount = 0.2
    train: PositiveInt | None = None


Split = Annotated[HoldoutSplit | KFoldSplit, Field(discriminator="kind")]


@dataclass(frozen=True)
class Partition:
    """Names of the patients on each side, disjoint and in a fixed order."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def folds(split: HoldoutSplit | KFoldSplit) -> tuple[int, ...]:
    """Return the fold numbers of a split; a hold-out split has the single fold 0."""
    return tuple(range(split.k)) if isinstance(split, KFoldSplit) else (0,)


def partition(
    split: HoldoutSplit | KFoldSplit, load: Mapping[str, float], seed: int, fold: int = 0
) -> Partition:
    """Divide the patients.

    Args:
        split: How.
        load: Foreground fraction by patient name; its keys are all patients of the dataset.
        seed: Seed index; moves the train/validation border only.
        fold: Which fold is the test set, for a k-fold split.

    Raises:
        InputError: if a set would be empty or a named test patient does not exist.
    """
    patients = sorted(load)
    if isinstance(split, KFoldSplit):
        test = _fold_members(patients, load, split.k)[fold]
    else:
        test = _test_members(patients, split.test)
    rest = [patient for patient in patients if patient not in set(test)]
    order = _shuffled(rest, _VALIDATION_STREAM, seed, fold)
    n_validation = _count(split.validation, len(rest))
    validation, train = order[:n_validation], order[n_validation:]
    if split.train is not None:
        train = train[: split.train]
    for name, members in (("training", train), ("validation", validation), ("test", test)):
        if not members:
            raise InputError(
                f"the {name} set is empty: {len(patients)} patients are too few for split {split}; "
                "change 'split' or add patients"
            )
    return Partition(tuple(train), tuple(validation), tuple(test))


def _shuffled(names: list[str], stream: int, seed: int, fold: int) -> list[str]:
    generator = np.random.default_rng(np.random.SeedSequence([stream, seed, fold]))
    return [names[position] for position in generator.permutation(len(names))]


def _count(amount: float | int, of: int) -> int:
    return amount if isinstance(amount, int) else max(1, round(amount * of))


def _test_members(patients: list[str], test: AmountOrNames) -> list[str]:
    if isinstance(test, tuple):
        missing = sorted({str(name) for name in test} - set(patients))
        if missing:
            raise InputError(
                f"test patients {missing} are not in the dataset; it has {len(patients)} patients"
            )
        return sorted(map(str, test))
    return sorted(_shuffled(patients, _TEST_STREAM, 0, 0)[: _count(test, len(patients))])


def _fold_members(patients: list[str], load: Mapping[str, float], k: int) -> list[list[str]]:
    if len(patients) < k:
        raise InputError(f"{k} folds need at least {k} patients, the dataset has {len(patients)}; lower 'k'")
    ranked = sorted(patients, key=lambda patient: (-load[patient], patient))
    members: list[list[str]] = [[] for _ in range(k)]
    for start in range(0, len(ranked), k):
        dealt = _shuffled(list(range(k)), _FOLD_STREAM, start, 0)  # type: ignore[arg-type]
        for patient, fold in zip(ranked[start : start + k], dealt, strict=False):
            members[int(fold)].append(patient)
    return [sorted(group) for group in members]
