"""The schema of a study file. The same classes build a study from Python."""

import inspect
import json
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from pydantic import (
    Discriminator,
    Field,
    PositiveFloat,
    PositiveInt,
    Tag,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from harness.data.description import DatasetDescription, NormalisationOrList, Resampling, describe
from harness.data.splits import SplitOrName
from harness.errors import InputError, nearest
from harness.losses import ALPHA_SCHEDULES, LossSpec, Schedule, parse_loss
from harness.models import build_model, find_model
from harness.strict_yaml import StrictModel, override, read, validate
from harness.training.protocol import Protocol
from studies import shipped_studies

TUNE = "tune"
"""Value of ``alpha`` that asks for a tuned schedule."""


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


# Each schedule with one key more: which loss of a longer sum alpha moves.
_SCHEDULE_ENTRIES = tuple(
    create_model(f"{schedule.__name__}Entry", __base__=schedule, on=(str | None, None))
    for schedule in ALPHA_SCHEDULES.values()
)
AlphaEntry = Annotated[Union[_SCHEDULE_ENTRIES], Discriminator("schedule")]  # type: ignore[valid-type]  # noqa: UP007
AlphaOrTune = Annotated[
    Annotated[Literal["tune"], Tag("word")] | Annotated[AlphaEntry, Tag("a schedule")],
    Discriminator(lambda value: "word" if isinstance(value, str) else "a schedule"),
]


class LossEntry(StrictModel):
    """One row of the comparison.

    Attributes:
        loss: Name, expression such as ``gdl + boundary``, or name with parameters.
        label: Name in tables; made from the loss if absent.
        alpha: Schedule of a compound's weight, or ``tune``.
    """

    loss: str | dict[str, Any] | tuple[str | dict[str, Any], ...]
    label: str = ""
    alpha: AlphaOrTune | None = None

    @field_validator("loss")
    @classmethod
    def _known_loss(cls, value: Any) -> Any:
        try:
            parse_loss(value)
        except InputError as error:
            raise ValueError(str(error)) from None
        return value

    @model_validator(mode="after")
    def _parsable(self) -> "LossEntry":
        try:
            spec = parse_loss(self.loss, {"schedule": "constant"} if self.tuned else self._schedule())
        except InputError as error:
            raise ValueError(str(error)) from None
        if not self.label:
            object.__setattr__(self, "label", spec.expression + (" (tuned)" if self.tuned else ""))
        return self

    @property
    def tuned(self) -> bool:
        """Whether the alpha schedule is to be found by tuning."""
        return self.alpha == TUNE

    def spec(self) -> LossSpec:
        """Return the canonical loss of an entry whose alpha is fixed."""
        return parse_loss(self.loss, self._schedule())

    def too_long_for(self, epochs: int) -> str | None:
        """Return why the schedule does not fit into a training, or None."""
        schedule: Schedule | None = self.alpha if isinstance(self.alpha, Schedule) else None
        try:
            if schedule is not None:
                schedule.check(epochs)
        except ValueError as error:
            return str(error)
        return None

    def _schedule(self) -> dict[str, Any] | None:
        return self.alpha.model_dump(exclude_none=True) if isinstance(self.alpha, Schedule) else None


class Tuning(StrictModel):
    """Budget of every tuned loss: the same number of configurations, all of them run to the end."""

    configurations: PositiveInt = 20


Index = Annotated[int, Field(ge=0)]
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
    seeds: PositiveInt = 5
    only: Only = Only()
    evaluation: Literal["test", "validation"] = "test"
    protocol: Protocol = Protocol()
    model: ModelEntry = ModelEntry()
    tuning: Tuning = Tuning()

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
            error = PydanticCustomError("seeds", "{told}", {"told": told})
            raise ValidationError.from_exception_data(
                type(self).__name__, [{"type": error, "loc": ("only", "seeds"), "input": last}]
            )
        return self

    @model_validator(mode="after")
    def _unique(self) -> "Study":
        for kind, names in (
            ("loss label", [entry.label for entry in self.losses]),
            ("dataset", [entry.dataset for entry in self.dataset_entries]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{kind} {twice[0]!r} stands twice; give each its own")
        return self

    @model_validator(mode="after")
    def _long_enough(self) -> "Study":
        problems: list[InitErrorDetails] = []
        for index, entry in enumerate(self.losses):
            reason = entry.too_long_for(self.protocol.epochs)
            if reason:
                error = PydanticCustomError("schedule", "{reason}", {"reason": reason})
                problems.append({"type": error, "loc": ("losses", index, "alpha"), "input": None})
        if problems:
            raise ValidationError.from_exception_data(type(self).__name__, problems)
        return self


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
