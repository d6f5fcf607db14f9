"""The registry of tables, and what a table function gives."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from harness.registry import Registry
from reports.codes import code_order
from reports.tables.model import Table, WordTable

if TYPE_CHECKING:
    from reports.results import StudyResults

AnyTable: TypeAlias = Table | WordTable


class NothingToTell(Exception):
    """Raised by a table function with a sentence that says what is missing."""


TableFunction: TypeAlias = "Callable[[StudyResults], list[AnyTable]]"


@dataclass(frozen=True)
class TableEntry:
    """A table as it is filed.

    Attributes:
        code: What papers and ``--only`` call it, for example ``T1``; tables that belong together share one.
        name: Its own.
        make: Makes it from the results of a study: one table, or one per dataset.
    """

    code: str
    name: str
    make: TableFunction


TABLES: Registry[TableEntry] = Registry("table")
"""Every table by name, once :func:`tables_in_order` was called."""


def register_table(code: str, name: str) -> Callable[[TableFunction], TableFunction]:
    """Return a decorator that files a table function under a code and a name."""

    def decorate(make: TableFunction) -> TableFunction:
        TABLES.register(name)(TableEntry(code, name, make))
        return make

    return decorate


def tables_in_order() -> list[TableEntry]:
    """Return the tables by the number in their code, those of one code by name.

    Modules are imported here, not by the package: some need its notes first.
    """
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"reports.tables.{module.name}")
    return sorted(TABLES.values(), key=lambda entry: (code_order(entry.code), entry.name))
