"""Tables: one frame each, written as Markdown, CSV, LaTeX and (by the page) HTML.

To add a table, put a module here with a function of :class:`reports.results.StudyResults` that returns
:class:`Table` or :class:`WordTable` objects, decorated with ``@register_table("T2", "name")``; where data are
missing it raises :class:`NothingToTell` with a sentence, or returns none where nobody would expect one.

``model`` says what a table is, ``scores`` builds the main table and the per-class supplements, ``tuning``
the tables of searches, ``notes`` the sentences below them, ``write`` the formats. What may come in:
:class:`reports.results.StudyResults`.
"""

from reports.tables.model import Cell, Column, Row, Table, WordTable
from reports.tables.registry import TABLES, NothingToTell, TableEntry, tables_in_order
from reports.tables.scores import class_tables, main_table
from reports.tables.write import as_csv, as_latex, as_markdown, as_plain_text, write_table, write_words

__all__ = [
    "TABLES",
    "Cell",
    "Column",
    "NothingToTell",
    "Row",
    "Table",
    "TableEntry",
    "WordTable",
    "as_csv",
    "as_latex",
    "as_markdown",
    "as_plain_text",
    "class_tables",
    "main_table",
    "tables_in_order",
    "write_table",
    "write_words",
]
