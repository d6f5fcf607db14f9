"""The contents of an exported folder: ``manifest.json``."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from harness.errors import InputError
from harness.strict_yaml import StrictModel

NAME = "manifest.json"
FORMAT: Final = "lossbench export"
OLDEST = "0004"
"""Version of the tables when exports began."""

_Version = Annotated[str, Field(pattern=r"^[0-9]{4}$")]


class ExportedFile(StrictModel):
    """One file of the folder.

    Attributes:
        path: Relative to the folder, with slashes.
        holds: A table of the database, a frame of a study, or values for challengeR.
        name: Of the table, frame or metric.
        study: Whose frame or values; None for tables.
        rows: Number of rows.
        sha256: Of the file.
        columns: Kind by column, in order: integer, real, text, boolean, moment or json.
        small_better: Values for challengeR: whether small values are better.
    """

    path: str
    holds: Literal["table", "frame", "challengeR"]
    name: str
    study: str | None
    rows: int
    sha256: str
    columns: dict[str, str]
    small_better: bool | None = None


class Algorithm(StrictModel):
    """What stands behind the values of one loss for challengeR.

    Attributes:
        study: The study.
        dataset: The dataset.
        algorithm: Label of the loss.
        seeds: Seeds whose test scores were averaged.
        diverged: Trials that diverged and have no scores.
        left_out: Why it is not in some or all of the files; empty if it is in all.
    """

    study: str
    dataset: str
    algorithm: str
    seeds: int
    diverged: int
    left_out: str = ""


class ExportedStudy(StrictModel):
    """A study and the folder of its frames."""

    name: str
    folder: str


class Manifest(StrictModel):
    """What lies in an exported folder.

    Attributes:
        format: Always the same words.
        schema_version: Of the tables.
        program_version: Of lossbench.
        created: When it was written.
        file_format: Of tables and frames.
        studies: The studies.
        files: All files but this one.
        algorithms: What stands behind the values for challengeR.
    """

    format: Literal["lossbench export"] = FORMAT
    schema_version: _Version
    program_version: str
    created: datetime
    file_format: Literal["parquet", "csv"]
    studies: tuple[ExportedStudy, ...]
    files: tuple[ExportedFile, ...]
    algorithms: tuple[Algorithm, ...] = ()

    def tables(self) -> dict[str, ExportedFile]:
        """Return the files of tables by name."""
        return {file.name: file for file in self.files if file.holds == "table"}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest into a folder."""
    (folder / NAME).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_manifest(folder: Path, newest: str) -> Manifest:
    """Return the manifest of an exported folder.

    Args:
        folder: Where :func:`write_manifest` wrote.
        newest: Version of this program's tables.

    Raises:
        InputError: if there is none, it cannot be read, or its version is newer.
    """
    path = folder / NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(
            f"{str(folder)!r} holds no readable {NAME}; give a folder that 'lossbench db export' wrote"
        ) from None
    version = str(content.get("schema_version", "")) if isinstance(content, dict) else ""
    known = version.isdigit() and len(version) == len(newest)
    if known and version < OLDEST:
        raise InputError(
            f"{str(path)!r}: no program exported version {version} of the tables; give a folder that "
            "'lossbench db export' wrote"
        )
    if known and version > newest:
        raise InputError(
            f"{str(folder)!r} was exported with version {version} of the tables, which this program (version "
            f"{newest}) does not know; install a newer lossbench"
        )
    try:
        return Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise InputError(
            f"{str(path)!r}: {where}: {first['msg']}; give a folder that 'lossbench db export' wrote"
        ) from None
