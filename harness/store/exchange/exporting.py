"""Export studies to a folder: raw tables for machines, tidy frames and challengeR files for people."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from sqlalchemy import Connection, Select

from harness import __version__
from harness.errors import InputError
from harness.store import frames
from harness.store.artifacts import digest_of_file
from harness.store.database import Database
from harness.store.exchange.challenge_tables import algorithms, challenge_tables
from harness.store.exchange.manifest import NAME as MANIFEST
from harness.store.exchange.manifest import (
    Algorithm,
    ExportedFile,
    ExportedStudy,
    Manifest,
    write_manifest,
)
from harness.store.exchange.names import file_name
from harness.store.exchange.selection import rows_needed
from harness.store.exchange.snapshot import snapshot
from harness.store.exchange.table_files import (
    BATCH,
    FORMATS,
    FileFormat,
    as_json,
    batch_of,
    column_kinds,
    kinds_of,
    schema_of,
)
from harness.store.schema import Base
from harness.store.summaries import require_study, study_names
from harness.store.versions import SCHEMA_VERSION

TABLES, STUDIES, CHALLENGE = "tables", "studies", "challengeR"
"""Folders of an export."""

FRAMES: Mapping[str, Callable[[Database, str], pd.DataFrame]] = {
    "scores": frames.scores,
    "curves": frames.curves,
    "class_curves": frames.class_curves,
    "trials": frames.trials,
    "cases": frames.cases,
    "metrics": lambda database, study: frames.metrics(database),
    "looks": frames.looks,
}


class _Export:
    """One export under way: writes files and remembers them.

    Args:
        folder: Where.
        file_format: Of tables and frames.
    """

    def __init__(self, folder: Path, file_format: FileFormat) -> None:
        self._folder, self._format = folder, file_format
        self.files: list[ExportedFile] = []
        self.algorithms: list[Algorithm] = []

    def table(self, connection: Connection, name: str, question: Select[Any]) -> None:
        """Write the rows of a table."""
        kinds = column_kinds(Base.metadata.tables[name])
        result = connection.execute(question.execution_options(yield_per=BATCH))
        batches = (batch_of(rows, kinds) for rows in result.partitions(BATCH))
        path = f"{TABLES}/{name}.{self._format.name}"
        file = ExportedFile(path=path, holds="table", name=name, study=None, rows=0, sha256="", columns=kinds)
        self._write(file, schema_of(kinds), batches, self._format)

    def study(self, database: Database, study: ExportedStudy) -> None:
        """Write the frames of a study and its values for challengeR."""
        found = {name: frame(database, study.name) for name, frame in FRAMES.items()}
        for name, frame in found.items():
            self._frame(frame, "frame", name, study)
        for values in challenge_tables(found["scores"]):
            self._frame(values.values, "challengeR", values.metric, study, values.small_better)
        self.algorithms += algorithms(study.name, found["scores"], found["trials"])

    def _frame(
        self,
        frame: pd.DataFrame,
        holds: Any,
        name: str,
        study: ExportedStudy,
        small_better: bool | None = None,
    ) -> None:
        table = pa.Table.from_pandas(_with_json_text(frame), preserve_index=False)
        table = table.replace_schema_metadata()
        challenge = holds == "challengeR"
        file_format = FORMATS["csv"] if challenge else self._format
        folder = f"{study.folder}/{CHALLENGE}" if challenge else study.folder
        file = ExportedFile(
            path=f"{folder}/{file_name(name)}.{file_format.name}",
            holds=holds,
            name=name,
            study=study.name,
            rows=0,
            sha256="",
            columns=kinds_of(table.schema),
            small_better=small_better,
        )
        self._write(file, table.schema, table.to_batches(), file_format)

    def _write(self, file: ExportedFile, schema: pa.Schema, batches: Any, file_format: FileFormat) -> None:
        path = self._folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = file_format.write(path, schema, batches)
        self.files.append(file.model_copy(update={"rows": rows, "sha256": digest_of_file(path)}))


def export(
    database: Database, folder: Path, studies: Sequence[str] = (), file_format: str = "parquet"
) -> Manifest:
    """Write studies into a new folder; it appears whole or not at all.

    Args:
        database: Results.
        folder: Must not exist or be empty.
        studies: Their names; all if none is given.
        file_format: ``parquet`` or ``csv``.

    Returns:
        What was written.

    Raises:
        InputError: if the folder holds something, cannot be written, or a study is unknown.
    """
    for study in studies:
        require_study(database, study)
    with _new_folder(folder) as unfinished, snapshot(database) as still, still.read() as connection:
        names = sorted(set(studies)) or study_names(still)
        listed = tuple(ExportedStudy(name=name, folder=f"{STUDIES}/{file_name(name)}") for name in names)
        writing = _Export(unfinished, FORMATS[file_format])
        for name, question in rows_needed(names if studies else None).items():
            writing.table(connection, name, question)
        for each in listed:
            writing.study(still, each)
        manifest = Manifest(
            schema_version=SCHEMA_VERSION,
            program_version=__version__,
            created=datetime.now(UTC),
            file_format=file_format,
            studies=listed,
            files=tuple(writing.files),
            algorithms=tuple(writing.algorithms),
        )
        write_manifest(unfinished, manifest)
    return manifest


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Give a folder beside that takes the name of ``folder`` at the end.

    Where ``folder`` is there, it may be a mount or where somebody stands: it stays, and what is in the
    folder that is given, then inside, moves up.
    """
    there = folder.exists()
    if there and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{str(folder)!r} is there and not empty; give the name of a new folder")
    unfinished = folder / f".{os.getpid()}" if there else folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
        if there:
            _move_up(unfinished)
        else:
            unfinished.rename(folder)
    except OSError as error:
        raise InputError(f"cannot write {str(folder)!r}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _move_up(folder: Path) -> None:
    """Move what is in a folder one folder up; the manifest, by which an export is known, comes last."""
    for path in sorted(folder.iterdir(), key=_is_manifest):
        path.rename(folder.parent / path.name)


def _is_manifest(path: Path) -> bool:
    return path.name == MANIFEST


def _with_json_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with mappings and lists as JSON text, as in the tables."""
    frame = frame.copy(deep=False)
    for name in frame.columns:
        column = frame[name]
        if column.dtype == object and any(isinstance(value, dict | list) for value in column):
            frame[name] = [as_json(value) for value in column]
    return frame
