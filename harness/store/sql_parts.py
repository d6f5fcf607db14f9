"""Pieces of SQL that views and frames share, for either engine."""

from typing import Any

from sqlalchemy import ColumnElement, Select, String, func, select, tuple_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import aliased
from sqlalchemy.sql.functions import FunctionElement

from harness.store.schema import MetricRow

AnySelect = Select[*tuple[Any, ...]]
"""A query over any columns."""


class JsonText(FunctionElement[str]):
    """The text of one field of a JSON column; NULL where there is none.

    Args:
        column: JSON column.
        path: Names of the keys that lead to the field, from outside in.
    """

    inherit_cache = False
    type = String()

    def __init__(self, column: Any, *path: str) -> None:
        assert all(name.isidentifier() for name in path)
        self.path = path
        super().__init__(column)


class JsonItem(FunctionElement[str]):
    """The text of one item of a JSON list, numbered from 0; NULL beyond its end.

    Args:
        column: JSON column that holds a list.
        index: Integer column.
    """

    inherit_cache = True
    type = String()

    def __init__(self, column: Any, index: Any) -> None:
        super().__init__(column, index)


def newest_version() -> ColumnElement[bool]:
    """Return the condition that a row of ``metric`` is the newest version of its name."""
    known = aliased(MetricRow)
    newest = select(known.name, func.max(known.version)).group_by(known.name)
    return tuple_(MetricRow.name, MetricRow.version).in_(newest)


@compiles(JsonText, "sqlite")
def _text_on_sqlite(element: JsonText, compiler: Any, **options: Any) -> str:
    return f"json_extract({compiler.process(element.clauses, **options)}, '$.{'.'.join(element.path)}')"


@compiles(JsonText, "postgresql")
def _text_on_postgresql(element: JsonText, compiler: Any, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)} #>> '{{{','.join(element.path)}}}')"


@compiles(JsonItem, "sqlite")
def _item_on_sqlite(element: JsonItem, compiler: Any, **options: Any) -> str:
    column, index = (compiler.process(clause, **options) for clause in element.clauses)
    return f"json_extract({column}, '$[' || {index} || ']')"


@compiles(JsonItem, "postgresql")
def _item_on_postgresql(element: JsonItem, compiler: Any, **options: Any) -> str:
    column, index = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} ->> {index})"
