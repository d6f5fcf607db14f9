"""Which cases train, validate and test: by patient, a pure function of patients, split and seed.

A split divides *groups*: the patients, or the single cases where a published split did so (``by:
case``, for lists of cases only, and always with a warning). Groups are what is shuffled, counted
and dealt out, and the cases of a group are looked up last, so they cannot come apart.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, Discriminator, Field, PositiveInt, Tag, model_validator

from harness.errors import InputError
from harness.strict_yaml import StrictModel

_RANGE = re.compile(r"(?P<start>.*?)(?P<first>\d+)\.\.(?P=start)(?P<last>\d+)")
"""Names that begin alike and end in numbers: ``case_05..case_12``."""

_TEST_STREAM, _VALIDATION_STREAM, _FOLD_STREAM, _TRAIN_STREAM = 1, 2, 3, 4

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
Unit = Literal["patient", "case"]
Stratum = Literal["site", "load"]


class HoldoutSplit(StrictModel):
    """One fixed test set; the validation set is drawn anew for every seed.

    Attributes:
        test: A number of patients, a fraction of them, or their names; ``p05..p12`` names all who are there
            with these numbers and those between.
        validation: A number or a fraction, of the patients that are not tested.
        train: Limits the training patients (a small-data study).
        stratify: What drawn sets should have in the same mixture as the dataset: ``site``, and
            ``load``, the foreground fraction.
        by: ``case`` where a published list divides cases although patients have several.
    """

    kind: Literal["holdout"] = "holdout"
    test: AmountOrNames = 0.2
    validation: Amount = 0.15
    train: PositiveInt | None = None
    stratify: tuple[Stratum, ...] = ("site", "load")
    by: Unit = "patient"

    @model_validator(mode="after")
    def _cases_are_listed(self) -> "HoldoutSplit":
        if self.by == "case" and not isinstance(self.test, tuple):
            raise ValueError("'by: case' is for published lists: name the cases under 'test'")
        return self


class KFoldSplit(StrictModel):
    """Every patient is tested once, out of fold. Folds are the same for all seeds.

    Patients are sorted by site and foreground fraction and dealt out in rounds of ``k``, the order
    inside a round being random but fixed.

    Attributes:
        k: Number of folds.
        validation: A number of the patients outside the fold, or a fraction of them.
        train: Limits the training patients.
        stratify: As for a hold-out split.
        folds: The tested patients of each fold by name, instead of drawing them (nnU-Net's
            ``splits_final.json``).
    """

    kind: Literal["kfold"] = "kfold"
    k: Annotated[int, Field(ge=2)] = 5
    validation: Amount = 0.2
    train: PositiveInt | None = None
    stratify: tuple[Stratum, ...] = ("site", "load")
    folds: tuple[Names, ...] | None = None

    @model_validator(mode="after")
    def _k_folds(self) -> "KFoldSplit":
        if self.folds is not None and len(self.folds) != self.k:
            raise ValueError(f"'folds' lists {len(self.folds)} folds, but k is {self.k}")
        listed = [str(name) for fold in self.folds or () for name in fold]
        if twice := sorted({name for name in listed if listed.count(name) > 1}):
            raise ValueError(f"'folds' tests {twice[0]!r} in two folds")
        if ranges := [name for name in listed if _RANGE.fullmatch(name)]:
            raise ValueError(f"'folds' lists the range {ranges[0]!r}; name its patients one by one")
        return self

    @property
    def by(self) -> Unit:
        """Folds divide patients."""
        return "patient"


class FixedSplit(StrictModel):
    """Training and validation cases as printed in a paper that had no test set.

    For studies with ``evaluation: validation`` only: what is reported chose its own checkpoint.

    Attributes:
        validation: Names of patients, or of cases; ranges of them as for a hold-out split.
        by: What the names stand for.
    """

    kind: Literal["fixed"]
    validation: Names
    by: Unit = "patient"


Split = Annotated[HoldoutSplit | KFoldSplit | FixedSplit, Field(discriminator="kind")]
SplitOrName = Annotated[
    Annotated[str, Tag("name")] | Annotated[Split, Tag("split")],
    Discriminator(lambda value: "name" if isinstance(value, str) else "split"),
]
"""A split, or the name of one that the dataset's description lists under ``splits``."""


@dataclass(frozen=True)
class Patient:
    """What a split knows of a patient.

    Attributes:
        name: Unique in the dataset.
        cases: Names of its cases.
        load: Foreground fraction, the mean over its cases.
        site: Centre or scanner, if the archive tells.
    """

    name: str
    cases: tuple[str, ...]
    load: float
    site: str | None = None


def group_patients(cases: Iterable[tuple[str, str, float, str | None]]) -> tuple[Patient, ...]:
    """Return the patients in the order of their first case.

    Args:
        cases: (patient, case, foreground fraction, site) of every case.
    """
    grouped: dict[str, list[tuple[str, float, str | None]]] = {}
    for patient, case, load, site in cases:
        grouped.setdefault(patient, []).append((case, load, site))
    return tuple(
        Patient(
            name, tuple(case for case, _, _ in own), float(np.mean([load for _, load, _ in own])), own[0][2]
        )
        for name, own in grouped.items()
    )


@dataclass(frozen=True)
class Partition:
    """Names of the cases on each side, disjoint and in a fixed order."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def __iter__(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield each side's name and cases."""
        yield from (("train", self.train), ("validation", self.validation), ("test", self.test))


def folds(split: Split) -> tuple[int, ...]:
    """Return the fold numbers of a split; only a k-fold split has more than the fold 0."""
    return tuple(range(split.k)) if isinstance(split, KFoldSplit) else (0,)


def partition(split: Split, patients: Sequence[Patient], seed: int, fold: int = 0) -> Partition:
    """Divide the cases of a dataset.

    Args:
        split: How.
        patients: All patients of the dataset.
        seed: Seed index; moves the train/validation border only.
        fold: Which fold is the test set, for a k-fold split.

    Raises:
        InputError: if a set would be empty, or a named patient or case does not exist.
    """
    groups = patients if split.by == "patient" else _single_cases(patients)
    test = _test_groups(split, groups, fold)
    rest = [group for group in groups if group not in test]
    if isinstance(split, FixedSplit):
        validation = _named(split.validation, groups, "validation", split.by)
    else:
        generator = _generator(_VALIDATION_STREAM, seed, fold)
        validation = _draw(rest, _count(split.validation, len(rest)), split.stratify, generator)
    train = [group for group in rest if group not in validation]
    if not isinstance(split, FixedSplit) and split.train is not None and split.train < len(train):
        train = _draw(train, split.train, split.stratify, _generator(_TRAIN_STREAM, seed, fold))
    required = {"training": train, "validation": validation}
    if not isinstance(split, FixedSplit):
        required["test"] = test
    for name, members in required.items():
        if not members:
            raise InputError(
                f"the {name} set is empty: {len(groups)} {split.by}s are too few for split {split}; "
                f"change 'split' or add {split.by}s"
            )
    return Partition(_cases(train), _cases(validation), _cases(test))


def torn_patients(sides: Partition, patients: Sequence[Patient]) -> list[str]:
    """Return the names of patients who have cases on more than one side (published lists only)."""
    side_of = {case: side for side, cases in sides for case in cases}
    sides_of = {patient.name: {side_of.get(case) for case in patient.cases} - {None} for patient in patients}
    return [name for name, found in sides_of.items() if len(found) > 1]


def _single_cases(patients: Sequence[Patient]) -> list[Patient]:
    return [
        Patient(case, (case,), patient.load, patient.site) for patient in patients for case in patient.cases
    ]


def _cases(groups: Sequence[Patient]) -> tuple[str, ...]:
    return tuple(case for group in groups for case in group.cases)


def _generator(stream: int, seed: int, fold: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence([stream, seed, fold]))


def _count(amount: float | int, of: int) -> int:
    return amount if isinstance(amount, int) else max(1, round(amount * of))


def _named(names: Sequence[str | int], groups: Sequence[Patient], what: str, unit: Unit) -> list[Patient]:
    meant = {name: _meant(name, groups) for name in map(str, names)}
    missing = sorted(name for name, found in meant.items() if not found)
    if missing:
        raise InputError(
            f"{what} {unit}s {missing} are not in the dataset; it has {len(groups)} {unit}s, such as "
            f"{groups[0].name!r}"
        )
    chosen = set().union(*meant.values())
    return [group for group in groups if group.name in chosen]


def _meant(name: str, groups: Sequence[Patient]) -> set[str]:
    """Return the groups that a name or a range of names stands for."""
    known = {group.name for group in groups}
    span = _RANGE.fullmatch(name)
    if name in known or span is None:
        return known & {name}
    numbered = re.compile(re.escape(span["start"]) + r"(\d+)")
    numbers = {other: int(match[1]) for other in known if (match := numbered.fullmatch(other))}
    return {other for other, number in numbers.items() if int(span["first"]) <= number <= int(span["last"])}


def _test_groups(split: Split, groups: Sequence[Patient], fold: int) -> list[Patient]:
    if isinstance(split, FixedSplit):
        return []
    if isinstance(split, KFoldSplit):
        return _fold(split, groups, fold)
    if isinstance(split.test, tuple):
        return _named(split.test, groups, "test", split.by)
    generator = _generator(_TEST_STREAM, 0, 0)
    return _draw(groups, _count(split.test, len(groups)), split.stratify, generator)


def _ranked(groups: Sequence[Patient], strata: Sequence[Stratum]) -> list[Patient]:
    """Sort so that neighbours are alike: by site, then by falling load; by name without strata."""
    return sorted(
        groups,
        key=lambda group: (
            (group.site or "") if "site" in strata else "",
            -group.load if "load" in strata else 0.0,
            group.name,
        ),
    )


def _draw(
    groups: Sequence[Patient], count: int, strata: Sequence[Stratum], generator: np.random.Generator
) -> list[Patient]:
    """Draw ``count`` groups: one from each of as many equal runs of neighbours; all if there are fewer."""
    ranked = _ranked(groups, strata)
    if not ranked:
        return []
    if not strata:
        ranked = [ranked[position] for position in generator.permutation(len(ranked))]
    count = min(count, len(ranked))
    borders = [run * len(ranked) // count for run in range(count + 1)]
    drawn = [generator.integers(start, end) for start, end in pairwise(borders)]
    chosen = {ranked[position].name for position in drawn}
    return [group for group in groups if group.name in chosen]


def _fold(split: KFoldSplit, groups: Sequence[Patient], fold: int) -> list[Patient]:
    if split.folds is not None:
        return _named(split.folds[fold], groups, f"fold {fold}:", split.by)
    if len(groups) < split.k:
        raise InputError(
            f"{split.k} folds need at least {split.k} patients, the dataset has {len(groups)}; lower 'k'"
        )
    ranked = _ranked(groups, split.stratify)
    chosen = set()
    for start in range(0, len(ranked), split.k):
        dealt = _generator(_FOLD_STREAM, start, 0).permutation(split.k)
        round_of_k = ranked[start : start + split.k]
        chosen |= {group.name for group, owner in zip(round_of_k, dealt, strict=False) if owner == fold}
    return [group for group in groups if group.name in chosen]
