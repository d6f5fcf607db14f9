"""The schema of a study file. The same classes build a study from Python."""

import inspect
import json
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    PositiveFloat,
    PositiveInt,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from harness.data.description import DatasetDescription, NormalisationOrList, Resampling, describe
from harness.data.splits import SplitOrName
from harness.errors import InputError, nearest
from harness.models import build_model, find_model
from harness.strict_yaml import StrictModel, override, read, validate
from harness.study.analysis_spec import Analysis, DeclaredContrast, faults
from harness.study.loss_entry import Index, LossEntry
from harness.study.seeds import INNER_SEED
from harness.study.tuned_loss import tuned_entries, tuned_label, tuned_losses
from harness.study.tuning_spec import CmaEs, Tuning
from harness.study.variants import Variant, rows, variant_faults
from harness.study.wrong_space import WrongSpace
from harness.training.protocol import Protocol
from studies import shipped_studies


class SimulateOptions(StrictModel):
    """How to simulate a dataset before the study: see ``lossbench data simulate --help``."""

    cases: PositiveInt
    seed: Annotated[int, Field(ge=0)] = 0
    inplane_mm: PositiveFloat | None = None
    sites: tuple[str, ...] | None = None


class DatasetEntry(StrictModel):
    """One dataset of a study; a bare name stands for ``{dataset: name}``.

    Attributes:
        dataset: Catalogue name, or path of a manifest relative to the study file.
        split: Replaces the split of the dataset's description; or the name of one that it lists.
        labels: Replaces the label map: ``{0: 0, 1: 1, 2: ignore}``.
        normalise: Replaces the intensity normalisation.
        resample: Replaces the resampling of slices.
        size: Replaces the slice size (rows, columns).
        simulate: Simulate the archive instead of reading the real one.
    """

    dataset: str
    split: SplitOrName | None = None
    labels: dict[int, int | Literal["ignore"]] | None = None
    normalise: NormalisationOrList | None = None
    resample: Resampling | None = None
    size: tuple[PositiveInt, PositiveInt] | None = None
    simulate: SimulateOptions | None = None

    def describe(self, folder: Path) -> DatasetDescription:
        """Return the dataset's description with what this entry replaces.

        Args:
            folder: Against which the path of a manifest is read.

        Raises:
            InputError: if the dataset is unknown or what is replaced does not fit it.
        """
        description = describe(self.dataset, folder)
        replaced = self.model_dump(mode="json", exclude={"dataset", "simulate"}, exclude_none=True)
        if not replaced:
            return description
        return validate(
            DatasetDescription,
            description.model_dump(mode="json") | replaced,
            f"dataset {self.dataset!r} of the study",
        )


# A discriminator, not a plain union: errors then speak of the form that was meant.
DatasetName = Annotated[
    Annotated[str, Tag("name")] | Annotated[DatasetEntry, Tag("entry")],
    Discriminator(lambda value: "name" if isinstance(value, str) else "entry"),
]


@cache
def _defaults_of_model(name: str) -> Mapping[str, Any]:
    parameters = inspect.signature(find_model(name)).parameters.values()
    return {each.name: each.default for each in parameters if each.default is not each.empty}


@lru_cache(maxsize=256)
def _fault_of_model(name: str, options: str) -> str | None:
    """Say why a network cannot be built; once, for every trial of a study has the same.

    Args:
        name: Of the network.
        options: As JSON, so that they can be remembered.
    """
    import torch

    try:
        with torch.device("meta"):  # without memory and without drawing weights
            build_model(name, 1, 2, **json.loads(options))
    except (InputError, TypeError) as error:
        return str(error)
    return None


class ModelEntry(StrictModel):
    """The network: its registered name, all other keys are its options."""

    model_config = StrictModel.model_config | {"extra": "allow"}

    name: str = "unet2d"

    @model_validator(mode="after")
    def _buildable(self) -> "ModelEntry":
        fault = _fault_of_model(self.name, json.dumps(self.options, sort_keys=True, default=str))
        if fault is not None:
            raise ValueError(fault)
        return self

    @property
    def options(self) -> dict[str, Any]:
        """The options that the study sets."""
        return dict(self.__pydantic_extra__ or {})

    def canonical(self) -> dict[str, Any]:
        """Return name and all options, defaults included, for the trial key."""
        return {"name": self.name, **_defaults_of_model(self.name), **self.options}


Indices = Annotated[tuple[Index, ...], Field(min_length=1)]


class Only(StrictModel):
    """Some seeds and folds of a study: to spread it over machines, or to repeat a trial.

    Attributes:
        seeds: Seed indices, from 0; all if absent.
        folds: Fold numbers, from 0; all if absent. A dataset that has none of them is left out.
    """

    seeds: Indices | None = None
    folds: Indices | None = None


class Study(StrictModel):
    """A declared question: datasets x losses x seeds under one protocol.

    ``only`` restricts what is trained now, not what the study asks.
    """

    study: str = Field(pattern=r"^[A-Za-z0-9_+][A-Za-z0-9_.+-]*$")
    title: str = ""
    datasets: tuple[DatasetName, ...] = Field(min_length=1)
    losses: tuple[LossEntry, ...] = Field(min_length=1)
    seeds: Annotated[PositiveInt, Field(le=INNER_SEED)] = 5
    only: Only = Only()
    evaluation: Literal["test", "validation"] = "test"
    protocol: Protocol = Protocol()
    model: ModelEntry = ModelEntry()
    variants: tuple[Variant, ...] = ()
    tuning: Tuning = Tuning()
    contrasts: tuple[DeclaredContrast, ...] = ()
    analysis: Analysis = Analysis()

    @property
    def dataset_entries(self) -> tuple[DatasetEntry, ...]:
        """The datasets, a bare name made an entry."""
        return tuple(
            DatasetEntry(dataset=entry) if isinstance(entry, str) else entry for entry in self.datasets
        )

    @property
    def chosen_seeds(self) -> tuple[int, ...]:
        """The seed indices that are trained."""
        return tuple(range(self.seeds)) if self.only.seeds is None else tuple(sorted({*self.only.seeds}))

    @model_validator(mode="after")
    def _known_seeds(self) -> "Study":
        last = self.chosen_seeds[-1]
        if last >= self.seeds:
            told = f"the study has {self.seeds} seeds, counted from 0; leave the others out, or raise 'seeds'"
            raise _error(self, ("only", "seeds"), told, last)
        return self

    @model_validator(mode="after")
    def _unique(self) -> "Study":
        labels = [entry.label for entry in self.losses]
        datasets = [entry.dataset for entry in self.dataset_entries]
        for kind, key, names, inner in (
            ("loss label", "losses", labels, ("label",)),
            ("dataset", "datasets", datasets, ("dataset",)),
        ):
            for index, name in enumerate(names):
                if name in names[:index]:
                    told = f"{kind} {name!r} stands twice; give each its own"
                    raise _error(self, (key, index, *inner), told, name)
        tuned = [entry for entry in tuned_entries(self.losses, self.tuning) if not entry.tuned]
        arms = {tuned_label(entry): entry.label for entry in tuned}
        for index, label in enumerate(labels):
            if label in arms:
                told = (
                    f"loss label {label!r} stands twice: the tuned arm of {arms[label]!r} has it, too; "
                    "give another one"
                )
                raise _error(self, ("losses", index, "label"), told, label)
        return self

    @model_validator(mode="after")
    def _tunable(self) -> "Study":
        labels = [entry.label for entry in self.losses]
        for label in () if isinstance(self.tuning.losses, str) else self.tuning.losses:
            if label not in labels:
                hint = nearest(label, labels) or f"; it has {', '.join(labels)}"
                raise _error(self, ("tuning", "losses"), f"the study has no loss {label!r}{hint}", label)
        try:
            tuned = tuned_losses(self)
        except WrongSpace as error:
            raise _error(self, ("tuning", *error.place), str(error)) from None
        names = {term.name for each in tuned for term in each.entry.like().terms}
        for name in self.tuning.spaces.keys() - names:
            hint = nearest(name, names) or f"; they have {', '.join(sorted(names)) or 'none'}"
            raise _error(self, ("tuning", "spaces", name), f"no tuned loss has a part {name!r}{hint}")
        if isinstance(self.tuning.sampler, CmaEs):
            for each in tuned:
                if each.space.choices:
                    told = (
                        f"cmaes needs numbers that are always drawn, and the space of {each.label!r} has "
                        f"choices ({', '.join(each.space.choices)}); take tpe, or fix them"
                    )
                    raise _error(self, ("tuning", "sampler"), told)
        return self

    @model_validator(mode="after")
    def _variable(self) -> "Study":
        problems = list(variant_faults(self))
        if problems:
            raise ValidationError.from_exception_data(type(self).__name__, problems)
        return self

    @model_validator(mode="after")
    def _askable(self) -> "Study":
        tuned = [tuned_label(entry) for entry in tuned_entries(self.losses, self.tuning)]
        labels = list(dict.fromkeys([*(row.label for row in rows(self)), *tuned]))
        datasets = [entry.dataset for entry in self.dataset_entries]
        problems: list[InitErrorDetails] = [
            {"type": PydanticCustomError("study", "{told}", {"told": told}), "loc": place, "input": given}
            for place, told, given in faults(self.analysis, self.contrasts, labels, datasets)
        ]
        if problems:
            raise ValidationError.from_exception_data(type(self).__name__, problems)
        return self

    @model_validator(mode="after")
    def _long_enough(self) -> "Study":
        problems: list[InitErrorDetails] = []
        places = {entry.label: index for index, entry in enumerate(self.losses)}
        for row in rows(self):
            reason = row.entry.too_long_for(row.study.protocol.epochs)
            if reason:
                error = PydanticCustomError("schedule", "{reason}", {"reason": reason})
                place = ("losses", places[row.entry.label], "alpha")
                problems.append({"type": error, "loc": place, "input": None})
        if problems:
            raise ValidationError.from_exception_data(type(self).__name__, problems)
        return self


def _error(study: Study, place: tuple[str | int, ...], told: str, given: Any = None) -> ValidationError:
    """Return an error of a study at the place of its file where it comes from."""
    error = PydanticCustomError("study", "{told}", {"told": told})
    return ValidationError.from_exception_data(
        type(study).__name__, [{"type": error, "loc": place, "input": given}]
    )


def load_study(name_or_path: str, overrides: tuple[str, ...] = ()) -> tuple[Study, Path]:
    """Read a study file.

    Args:
        name_or_path: Name of a shipped study, or the path of a YAML file.
        overrides: ``key.path=value`` strings; values are YAML.

    Returns:
        The study, and the folder against which its relative paths are read.

    Raises:
        InputError: with all errors, each at its line.
    """
    shipped = shipped_studies()
    path = Path(name_or_path)
    if name_or_path in shipped:
        text, source, folder = shipped[name_or_path].read_text(), f"{name_or_path}.yaml", Path()
    elif path.suffix in {".yaml", ".yml"}:
        if not path.is_file():
            raise InputError(f"study file {name_or_path!r} does not exist")
        text, source, folder = path.read_text(), str(path), path.parent
    else:
        hint = nearest(name_or_path, shipped) or f"; shipped: {', '.join(shipped)}"
        raise InputError(f"unknown study {name_or_path!r}{hint}; or give the path of a .yaml file")
    document = read(text, source)
    for each in overrides:
        override(document, each, {"datasets": "dataset"})
    return validate(Study, document, source), folder
