"""The description of a dataset: one YAML file that says how it is laid out and prepared.

The datasets that ship with lossbench are such files in ``harness/data/catalogue``; a user's own
dataset is one more of them, the *manifest*.
"""

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    PositiveFloat,
    PositiveInt,
    Tag,
    field_validator,
    model_validator,
)

from harness.data.findings import CHECKS
from harness.data.splits import HoldoutSplit, Split, SplitOrName
from harness.errors import InputError, nearest
from harness.strict_yaml import StrictModel, override, read, validate

Percentile = Annotated[float, Field(ge=0, le=100)]


def _rising(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] >= pair[1]:
        raise ValueError("the first number must be below the second")
    return pair


Percentiles = Annotated[tuple[Percentile, Percentile], AfterValidator(_rising)]


class FilePatterns(StrictModel):
    """How the ``files`` layout finds the files of a case below the dataset's folder.

    Every pattern is a relative path in which ``{case}`` stands for the name of the case, for example
    ``images/{case}_FLAIR.nii.gz``; besides it, ``*`` and ``?`` match within one part of the path.

    Attributes:
        channels: One pattern per channel, or a single one if a file holds all channels (RGB pictures,
            4D NIfTI).
        label: The label map; or, where every class has a mask of its own, a pattern per class. Masks
            are merged in the order written: a later one wins where they overlap.
        incomplete: What to do with cases that lack the mask of a class, where every class has one: refuse
            them, or skip them, which leaves them out of the dataset. A missing mask never means that the
            class is absent.
        mask: The region used for intensity normalisation.
        patient: A regular expression whose first group, matched at the start of the case's name,
            names the patient; without it every case is a patient.
        site: Likewise for the centre or scanner, but searched for anywhere in the label's path.
        spacing: Millimetres along (slices, rows, columns) of files that do not tell, such as pictures.
    """

    channels: tuple[str, ...] = Field(min_length=1)
    label: str | dict[int, str]
    incomplete: Literal["refuse", "skip"] = "refuse"
    mask: str | None = None
    patient: str | None = None
    site: str | None = None
    spacing: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = None

    @field_validator("channels", "label", "mask")
    @classmethod
    def _names_the_case(cls, value: Any) -> Any:
        for pattern in _patterns_in(value):
            if "{case}" not in pattern:
                raise ValueError(f"pattern {pattern!r} must hold '{{case}}', which names the case")
        return value

    @model_validator(mode="after")
    def _skips_by_class(self) -> "FilePatterns":
        if self.incomplete == "skip" and isinstance(self.label, str):
            raise ValueError("'incomplete: skip' is for datasets with one mask per class under 'label'")
        return self

    @property
    def labels(self) -> tuple[str, ...]:
        """The patterns of the label map, or of the masks in the order in which they are merged."""
        return _patterns_in(self.label)


def _patterns_in(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    return tuple(value.values()) if isinstance(value, dict) else tuple(value)


class Normalisation(StrictModel):
    """Intensity normalisation, per case and channel.

    Attributes:
        kind: ``zscore``: subtract the mean, divide by the standard deviation; ``minmax``: to 0..1;
            ``percentile``: the two ``percentiles`` to 0 and 1, cut there; ``window``: the two intensities
            ``window`` to 0 and 1, cut there (CT, in Hounsfield units).
        mask: Where the numbers are taken: ``file`` (the dataset's mask file), ``nonzero`` or ``all``.
        clip: Two percentiles inside the mask at which intensities are cut first.
        percentiles: For ``percentile``.
        window: For ``window``: lowest and highest intensity, as stored.
    """

    kind: Literal["zscore", "minmax", "percentile", "window"] = "zscore"
    mask: Literal["file", "nonzero", "all"] = "all"
    clip: Percentiles | None = None
    percentiles: Percentiles = (0.5, 99.5)
    window: Annotated[tuple[float, float], AfterValidator(_rising)] | None = None

    @model_validator(mode="after")
    def _window_is_given(self) -> "Normalisation":
        if (self.kind == "window") != (self.window is not None):
            raise ValueError("'window: [low, high]' belongs to 'kind: window', and that kind needs it")
        return self


NormalisationOrList = Annotated[
    Annotated[Normalisation, Tag("one")] | Annotated[tuple[Normalisation, ...], Tag("per channel")],
    Discriminator(lambda value: "per channel" if isinstance(value, list | tuple) else "one"),
]


class Resampling(StrictModel):
    """Resampling of slices to one pixel size; the number of slices stays.

    Images are interpolated linearly, after smoothing where they get coarser; labels take the nearest
    pixel. Predictions go back to the source grid before they are scored.

    Attributes:
        inplane_mm: Millimetres along (rows, columns), or one number for both.
    """

    inplane_mm: PositiveFloat | tuple[PositiveFloat, PositiveFloat]

    @property
    def rows_columns(self) -> tuple[float, float]:
        """Millimetres along rows and columns."""
        wanted = self.inplane_mm
        return wanted if isinstance(wanted, tuple) else (wanted, wanted)


class DatasetDescription(StrictModel):
    """A dataset as its YAML file describes it.

    Attributes:
        name: Identifier, as used in study files.
        title: For readers of tables.
        layout: Name of a registered layout: ``files`` or the name of an archive's layout.
        folders: Names that the dataset's folder may have below the data root, beside its own.
        channels: Names of the image channels, in order.
        classes: Foreground classes by index, 1 upwards without gaps.
        labels: Class index (0 is background) or ``ignore`` for every code stored in label maps; several
            codes may be merged into one class.
        files: Patterns, for the layout ``files`` only.
        patient: For other layouts, a regular expression whose first group, matched at the start of the
            case's name, names the patient; without it the layout tells.
        normalise: Intensity normalisation; one for all channels, or a list with one for each.
        resample: Resampling of slices; as stored if absent.
        own_grids: What to do with a channel whose grid is not the label's: refuse it, or resample it
            onto the label's.
        slices: The plane that is cut: axial, coronal or sagittal.
        size: Rows and columns of the 2D slices after centred crop or padding.
        split: Train, validation and test; or the name of one of ``splits``.
        splits: Further splits by name, such as a published one.
        accept: Findings of ``lossbench data check`` that are no errors: name of the check -> cases.
        licence: Terms of the data.
        citation: What to cite.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_.+-]+$")
    title: str
    layout: str
    folders: tuple[str, ...] = ()
    channels: tuple[str, ...] = Field(min_length=1)
    classes: dict[int, str] = Field(min_length=1)
    labels: dict[int, int | Literal["ignore"]]
    files: FilePatterns | None = None
    patient: str | None = None
    normalise: NormalisationOrList = Normalisation()
    resample: Resampling | None = None
    own_grids: Literal["refuse", "resample"] = "refuse"
    slices: Literal["axial", "coronal", "sagittal"] = "axial"
    size: tuple[PositiveInt, PositiveInt]
    split: SplitOrName = HoldoutSplit()
    splits: dict[str, Split] = Field(default_factory=dict)
    accept: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    licence: str = ""
    citation: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> "DatasetDescription":
        if sorted(self.classes) != list(range(1, len(self.classes) + 1)):
            raise ValueError(f"classes must be numbered 1, 2, ... without gaps (got {sorted(self.classes)})")
        unknown = {target for target in self.labels.values() if target != "ignore"} - {0, *self.classes}
        if unknown:
            raise ValueError(f"labels point to classes {sorted(unknown)} that 'classes' does not name")
        if (self.layout == "files") != (self.files is not None):
            raise ValueError("'files' patterns belong to the layout 'files', and that layout needs them")
        if self.files and self.patient is not None:
            raise ValueError("the layout 'files' has its patient pattern under 'files': 'files.patient'")
        if self.files and isinstance(self.files.label, dict) and set(self.files.label) != set(self.classes):
            raise ValueError(
                f"'files.label' must give one mask for each of the classes {sorted(self.classes)} "
                f"(got {sorted(self.files.label)})"
            )
        if isinstance(self.normalise, tuple) and len(self.normalise) != len(self.channels):
            raise ValueError(
                f"'normalise' must be one entry, or one for each of the {len(self.channels)} channels "
                f"(got {len(self.normalise)})"
            )
        if isinstance(self.split, str):
            self.split_called(self.split)
        for check in self.accept:
            if check not in CHECKS or not CHECKS[check].acceptable:
                known = ", ".join(name for name, each in CHECKS.items() if each.acceptable)
                raise ValueError(f"'accept' cannot waive {check!r}; it can waive: {known}")
        return self

    def folder_in(self, data_root: Path) -> Path:
        """Return the dataset's folder below ``data_root``: the first that exists, else by its own name."""
        candidates = [data_root / name for name in (self.name, *self.folders)]
        return next((folder for folder in candidates if folder.is_dir()), candidates[0])

    def split_called(self, name: str) -> Split:
        """Return one of ``splits``.

        Raises:
            ValueError: if there is none of that name.
        """
        if name not in self.splits:
            hint = nearest(name, self.splits) or f"; known: {', '.join(self.splits) or 'none'}"
            raise ValueError(f"dataset {self.name!r} has no split {name!r}{hint}")
        return self.splits[name]

    @property
    def chosen_split(self) -> Split:
        """The split in force."""
        return self.split_called(self.split) if isinstance(self.split, str) else self.split

    @property
    def normalisations(self) -> tuple[Normalisation, ...]:
        """One normalisation per channel."""
        if isinstance(self.normalise, tuple):
            return self.normalise
        return (self.normalise,) * len(self.channels)

    @property
    def n_classes(self) -> int:
        """Number of classes, background included."""
        return len(self.classes) + 1

    @property
    def ignores(self) -> bool:
        """Whether some stored label code is left out of loss and scores."""
        return "ignore" in self.labels.values()


def catalogue() -> dict[str, DatasetDescription]:
    """Return the dataset descriptions that ship with lossbench, by name."""
    found = (_validated(text, f"{name}.yaml") for name, text in _catalogue_texts().items())
    return {description.name: description for description in sorted(found, key=lambda each: each.name)}


def describe(name_or_manifest: str, relative_to: Path, overrides: Iterable[str] = ()) -> DatasetDescription:
    """Return a dataset of the catalogue, or the one that a manifest file describes.

    Args:
        name_or_manifest: A catalogue name, or the path of a ``.yaml`` manifest.
        relative_to: Folder against which a relative manifest path is read.
        overrides: ``key.path=value`` strings, such as ``labels.2=ignore`` or ``split=published``.

    Raises:
        InputError: if there is no such dataset, or it is wrong, as written or as overridden.
    """
    if name_or_manifest.endswith((".yaml", ".yml")):
        path = relative_to / name_or_manifest
        if not path.is_file():
            raise InputError(f"dataset manifest {str(path)!r} does not exist; give the path of a YAML file")
        return _validated(path.read_text(encoding="utf-8"), str(path), overrides)
    known = _catalogue_texts()
    if name_or_manifest not in known:
        hint = nearest(name_or_manifest, known) or f"; known: {', '.join(known)}, or the path of a manifest"
        raise InputError(f"unknown dataset {name_or_manifest!r}{hint}")
    return _validated(known[name_or_manifest], f"{name_or_manifest}.yaml", overrides)


def _catalogue_texts() -> dict[str, str]:
    """Return the files of the catalogue by dataset name, which is the name of the file."""
    folder = files("harness.data") / "catalogue"
    entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    return {
        entry.name.removesuffix(".yaml"): entry.read_text(encoding="utf-8")
        for entry in entries
        if entry.name.endswith(".yaml")
    }


def _validated(text: str, source: str, overrides: Iterable[str] = ()) -> DatasetDescription:
    document = read(text, source)
    for each in overrides:
        override(document, each)
    return validate(DatasetDescription, document, source)
