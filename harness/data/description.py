"""The description of a dataset: one YAML file that says how it is laid out and prepared.

The datasets that ship with lossbench are such files in ``harness/data/catalogue``; a user's own
dataset is one more of them, the *manifest*.
"""

from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from harness.data.splits import HoldoutSplit, Split
from harness.errors import InputError, nearest
from harness.strict_yaml import StrictModel, read, validate


class FilePatterns(StrictModel):
    """How the ``files`` layout finds the files of a case below the dataset's folder.

    Every pattern is a relative path in which ``{case}`` stands for the name of the case, for
    example ``images/{case}_FLAIR.nii.gz``. ``channels`` has one pattern per channel, or a single
    one if a file holds all channels (RGB pictures, 4D NIfTI). ``patient`` is a regular
    expression whose first group, matched at the start of the case's name, names the patient;
    without it every case is a patient.
    """

    channels: tuple[str, ...] = Field(min_length=1)
    label: str
    mask: str | None = None
    patient: str | None = None

    @field_validator("channels", "label", "mask")
    @classmethod
    def _names_the_case(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        for pattern in (value,) if isinstance(value, str) else value or ():
            if pattern.count("{case}") != 1:
                raise ValueError(f"pattern {pattern!r} must hold '{{case}}' exactly once")
        return value


class Normalisation(StrictModel):
    """Intensity normalisation, per case and channel.

    ``zscore``: subtract the mean and divide by the standard deviation; ``minmax``: to 0..1. Both
    take their numbers inside ``mask``: ``file`` (the dataset's mask file), ``nonzero`` or ``all``.
    ``clip`` are two percentiles, inside the same mask, at which intensities are cut first.
    """

    kind: Literal["zscore", "minmax"] = "zscore"
    mask: Literal["file", "nonzero", "all"] = "all"
    clip: tuple[float, float] | None = None


class DatasetDescription(StrictModel):
    """A dataset as its YAML file describes it.

    Attributes:
        name: Identifier, as used in study files.
        title: For readers of tables.
        layout: Name of a registered layout: ``files`` or the name of an archive's layout.
        folders: Names that the dataset's folder may have below the data root, beside its own.
        channels: Names of the image channels, in order.
        classes: Foreground classes by index, 1 upwards without gaps.
        labels: Class index (0 is background) or ``ignore`` for every code stored in label maps.
        files: Patterns, for the layout ``files`` only.
        normalise: Intensity normalisation.
        size: Rows and columns of the 2D slices after centred crop or padding.
        split: Train, validation and test.
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
    normalise: Normalisation = Normalisation()
    size: tuple[PositiveInt, PositiveInt]
    split: Split = HoldoutSplit()
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
        return self

    def folder_in(self, data_root: Path) -> Path:
        """Return the dataset's folder below ``data_root``: the first that exists, else by its own name."""
        candidates = [data_root / name for name in (self.name, *self.folders)]
        return next((folder for folder in candidates if folder.is_dir()), candidates[0])

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
    folder = files("harness.data") / "catalogue"
    entries = (entry for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    found = (
        validate(DatasetDescription, read(entry.read_text(), entry.name), entry.name) for entry in entries
    )
    return {description.name: description for description in sorted(found, key=lambda each: each.name)}


def describe(name_or_manifest: str, relative_to: Path) -> DatasetDescription:
    """Return a dataset of the catalogue, or the one that a manifest file describes.

    Args:
        name_or_manifest: A catalogue name, or the path of a ``.yaml`` manifest.
        relative_to: Folder against which a relative manifest path is read.

    Raises:
        InputError: if there is no such dataset or the manifest is wrong.
    """
    if name_or_manifest.endswith((".yaml", ".yml")):
        path = relative_to / name_or_manifest
        if not path.is_file():
            raise InputError(f"dataset manifest {str(path)!r} does not exist; give the path of a YAML file")
        return validate(DatasetDescription, read(path.read_text(), str(path)), str(path))
    known = catalogue()
    if name_or_manifest not in known:
        hint = nearest(name_or_manifest, known) or f"; known: {', '.join(known)}, or the path of a manifest"
        raise InputError(f"unknown dataset {name_or_manifest!r}{hint}")
    return known[name_or_manifest]
