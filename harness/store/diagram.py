"""The generated parts of docs/database.md: diagram, tables, views.

``python -m harness.store.diagram docs/database.md`` writes them anew.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from inspect import getdoc
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import Column, ForeignKeyConstraint, Table, UniqueConstraint

from harness.store.dictionary import meaning
from harness.store.schema import Base
from harness.store.views import VIEWS

_PART = re.compile(
    r"(?P<begin><!-- begin generated: (?P<name>\w+) -->\n).*?(?P<end><!-- end generated -->)", re.DOTALL
)
_TYPES = MappingProxyType(
    {"VARCHAR": "text", "DATETIME": "timestamp", "JSON": "json", "BIGINT": "integer", "FLOAT": "float"}
)


def renew(page: str) -> str:
    """Return a page with its generated parts as the code has them."""
    return _PART.sub(lambda found: f"{found['begin']}{_WRITERS[found['name']]()}{found['end']}", page)


def diagram() -> str:
    """Return the tables and their references as a Mermaid diagram."""
    lines = ["```mermaid", "erDiagram"]
    tables = Base.metadata.sorted_tables
    for table in tables:
        lines.append(f"    {table.name} {{")
        lines += [f"        {_type(column)} {column.name}{_keys(column)}" for column in table.columns]
        lines.append("    }")
    lines += sorted(line for table in tables for line in _references(table))
    return "\n".join([*lines, "```", ""])


def tables() -> str:
    """Return what every table and column is."""
    rows = {mapper.local_table: getdoc(mapper.class_) or "" for mapper in Base.registry.mappers}
    parts = []
    for table in Base.metadata.sorted_tables:
        sentence = " ".join(rows[table].split()).replace("``", "`")
        columns = [
            f"| `{column.name}` | {_type(column)} | {_nulls(column)} | {_meaning(column)} |"
            for column in table.columns
        ]
        head = ["| column | type | NULL | meaning |", "|---|---|---|---|"]
        parts.append("\n".join([f"### `{table.name}`", "", sentence, "", *head, *columns, ""]))
    return "\n".join(parts)


def views() -> str:
    """Return what every view and its columns are."""
    parts = []
    for view in VIEWS.values():
        columns = [f"| `{name}` | {meaning(view.name, name)} |" for name in view.columns]
        head = ["| column | meaning |", "|---|---|"]
        parts.append("\n".join([f"### `{view.name}`", "", view.description, "", *head, *columns, ""]))
    return "\n".join(parts)


_WRITERS: Mapping[str, Callable[[], str]] = MappingProxyType(
    {"diagram": diagram, "tables": tables, "views": views}
)


def _type(column: Column[Any]) -> str:
    name = str(getattr(column.type, "impl", column.type)).split("(", maxsplit=1)[0]
    return _TYPES.get(name, name.lower())


def _keys(column: Column[Any]) -> str:
    unique = any(
        isinstance(constraint, UniqueConstraint) and list(constraint.columns) == [column]
        for constraint in column.table.constraints
    )
    kinds = {"PK": column.primary_key, "FK": bool(column.foreign_keys), "UK": unique}
    found = ", ".join(kind for kind, there in kinds.items() if there)
    return f" {found}" if found else ""


def _references(table: Table) -> Iterator[str]:
    for constraint in table.constraints:
        if isinstance(constraint, ForeignKeyConstraint):
            optional = any(column.nullable for column in constraint.columns)
            names = ", ".join(column.name for column in constraint.columns)
            parent = constraint.referred_table.name
            yield f'    {parent} {"|o" if optional else "||"}--o{{ {table.name} : "{names}"'


def _nulls(column: Column[Any]) -> str:
    return "yes" if column.nullable else ""


def _meaning(column: Column[Any]) -> str:
    for key in column.foreign_keys:
        return f"`{key.column.table.name}.{key.column.name}`"
    return meaning(column.table.name, column.name)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        path = Path(argument)
        path.write_text(renew(path.read_text(encoding="utf-8")), encoding="utf-8")
