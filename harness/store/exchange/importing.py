"""Load an exported folder into a temporary database of its version, which is upgraded, to merge from."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from sqlalchemy import Connection, Engine, MetaData, Table
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError

from harness.errors import InputError
from harness.store.artifacts import digest_of_file
from harness.store.backends import BACKENDS
from harness.store.bulk import insert_columns
from harness.store.database import Database, open_database
from harness.store.exchange.manifest import ExportedFile, Manifest, read_manifest
from harness.store.exchange.table_files import FORMATS, FileFormat, column_kinds, columns_of, schema_of
from harness.store.versions import SCHEMA_VERSION, VERSION_TABLE, migrate

_LITTLE = 10_000
"""Rows inserted at once."""


@contextmanager
def loaded(folder: Path) -> Iterator[Database]:
    """Give a temporary database with the tables of an exported folder, to merge from.

    Args:
        folder: Written by :func:`harness.store.exchange.exporting.export`, by this or an older version.

    Raises:
        InputError: if the folder is none of ours, newer than this program, incomplete, or changed.
    """
    manifest = read_manifest(folder, SCHEMA_VERSION)
    _check_files(folder, manifest)
    backend = BACKENDS["sqlite"]
    with tempfile.TemporaryDirectory(prefix="lossbench-import-") as temporary:
        url = f"sqlite:///{Path(temporary) / 'results.db'}"
        migrate(backend, make_url(url), manifest.schema_version)
        engine = backend.engine(make_url(url))
        _load(engine, folder, manifest)
        engine.dispose()
        if manifest.schema_version != SCHEMA_VERSION:
            migrate(backend, make_url(url))
        database = open_database(url)
        try:
            yield database
        finally:
            database.close()


def _check_files(folder: Path, manifest: Manifest) -> None:
    for name, file in manifest.tables().items():
        expected = f"tables/{name}.{manifest.file_format}"
        path = folder / expected
        if file.path != expected or not path.is_file():
            raise InputError(f"{str(folder)!r} lacks {expected!r}; copy the folder again, whole")
        if digest_of_file(path) != file.sha256:
            raise InputError(
                f"{str(path)!r} has another sha256 than the manifest says; copy the folder again, unchanged"
            )


def _load(engine: Engine, folder: Path, manifest: Manifest) -> None:
    """Insert all rows of all files."""
    tables = MetaData()
    tables.reflect(engine)
    files, file_format = manifest.tables(), FORMATS[manifest.file_format]
    wanted = [table for table in tables.sorted_tables if table.name != VERSION_TABLE]
    strange = files.keys() ^ {table.name for table in wanted}
    if strange:
        raise InputError(
            f"{str(folder)!r}: version {manifest.schema_version} has other tables ({min(strange)!r}); give a "
            "folder that 'lossbench db export' wrote"
        )
    with engine.begin() as connection:
        for table in wanted:
            _load_table(connection, table, folder, files[table.name], file_format)


def _load_table(
    connection: Connection, table: Table, folder: Path, file: ExportedFile, file_format: FileFormat
) -> None:
    kinds = column_kinds(table)
    where = f"{str(folder / file.path)!r}"
    if file.columns != kinds:
        strange = sorted(file.columns.items() ^ kinds.items())[0][0]
        raise InputError(
            f"{where}: the manifest gives column {strange!r} otherwise than the tables of that version; give "
            "a folder that 'lossbench db export' wrote"
        )
    rows = 0
    try:
        for batch in file_format.read(folder / file.path, schema_of(kinds)):
            for start in range(0, batch.num_rows, _LITTLE):
                insert_columns(connection, table, columns_of(batch.slice(start, _LITTLE), kinds))
            rows += batch.num_rows
    except (pa.ArrowException, DatabaseError, ValueError, KeyError) as error:
        reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
        raise InputError(f"{where} cannot be loaded: {reason}; export it again") from error
    if rows != file.rows:
        raise InputError(f"{where} has {rows} rows, the manifest says {file.rows}; export it again")
