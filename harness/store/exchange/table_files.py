"""Tables as files: Parquet, or CSV that gives back every bit.

In CSV, texts stand in quotes and other values do not, so NULL is an empty field and an empty text is
``""``; numbers have the shortest form that reads back the same; moments are ISO 8601 in UTC; JSON
columns are JSON text. Parquet has the same columns with the same types.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from sqlalchemy import Table

_KINDS: Mapping[type, str] = {
    int: "integer",
    float: "real",
    str: "text",
    bool: "boolean",
    datetime: "moment",
    object: "json",
}
"""Kind of a column by the Python type of its values."""

_ARROW: Mapping[str, pa.DataType] = {
    "integer": pa.int64(),
    "real": pa.float64(),
    "text": pa.string(),
    "boolean": pa.bool_(),
    "moment": pa.timestamp("us", tz="UTC"),
    "json": pa.string(),
}

_CSV_BLOCK = 1 << 26
"""Bytes that pyarrow reads at once; no row may be longer."""

BATCH = 50_000
"""Rows that are in memory at once."""


class FileFormat(ABC):
    """How a table lies in a file."""

    name: str

    @abstractmethod
    def write(self, path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
        """Write a table and return its number of rows."""

    @abstractmethod
    def read(self, path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield a table in pieces.

        Raises:
            pyarrow.ArrowException: if the file does not fit the schema.
        """


class Parquet(FileFormat):
    """Apache Parquet, compressed with Zstandard."""

    name = "parquet"

    def write(self, path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
        """Write every batch as a row group."""
        with pyarrow.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            return _written(batches, writer.write_batch)

    def read(self, path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield batches with the columns of the schema."""
        with closing(pyarrow.parquet.ParquetFile(path)) as file:
            for batch in file.iter_batches(BATCH, columns=schema.names):
                yield batch.select(schema.names).cast(schema)


class CSV(FileFormat):
    """Comma-separated values with a header."""

    name = "csv"

    def write(self, path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
        """Write texts in quotes, NULL as an empty field."""
        plain = pa.schema([pa.field(field.name, _plain(field.type)) for field in schema])
        with pyarrow.csv.CSVWriter(path, plain) as writer:
            return _written((batch.cast(plain) for batch in batches), writer.write_batch)

    def read(self, path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield batches; only an empty field without quotes is NULL."""
        reader = pyarrow.csv.open_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(block_size=_CSV_BLOCK),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=schema,
                include_columns=schema.names,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        with closing(reader):
            yield from reader


FORMATS: Mapping[str, FileFormat] = {each.name: each for each in (Parquet(), CSV())}


def column_kinds(table: Table) -> dict[str, str]:
    """Return the kind of every column of a database table."""
    return {column.name: _KINDS[column.type.python_type] for column in table.columns}


def schema_of(kinds: Mapping[str, str]) -> pa.Schema:
    """Return the Arrow schema of columns by kind."""
    return pa.schema([pa.field(name, _ARROW[kind]) for name, kind in kinds.items()])


def kinds_of(schema: pa.Schema) -> dict[str, str]:
    """Return the kind of every column of an Arrow schema; ``other`` if it is none of ours."""
    by_type = {kind: name for name, kind in reversed(list(_ARROW.items()))}
    return {field.name: by_type.get(_plain(field.type), "other") for field in schema}


def batch_of(rows: Sequence[Sequence[Any]], kinds: Mapping[str, str]) -> pa.RecordBatch:
    """Return rows of a database as a batch."""
    schema = schema_of(kinds)
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in kinds]
    for place, kind in enumerate(kinds.values()):
        if kind == "json":
            columns[place] = [as_json(value) for value in columns[place]]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def columns_of(batch: pa.RecordBatch, kinds: Mapping[str, str]) -> dict[str, list[Any]]:
    """Return the values of a batch by column, for a database.

    Raises:
        ValueError: if JSON text is none.
    """
    columns = {name: batch.column(name).to_pylist() for name in kinds}
    for name, kind in kinds.items():
        if kind == "json":
            columns[name] = [None if value is None else json.loads(value) for value in columns[name]]
    return columns


def as_json(value: Any) -> str | None:
    """Return JSON text, names as they are; None stays."""
    return None if value is None else json.dumps(value, ensure_ascii=False)


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values of a dictionary-encoded type, and the usual text type of others."""
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    return pa.string() if pa.types.is_large_string(kind) else kind


def _written(batches: Iterable[pa.RecordBatch], write: Callable[[pa.RecordBatch], None]) -> int:
    rows = 0
    for batch in batches:
        write(batch)
        rows += batch.num_rows
    return rows
